//! Parses the command line, calls the verb, prints the error, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use engine::error::ExitCode as EngineCode;
use pipeline::cli::Cli;
use pipeline::commands;
use pipeline::terminal::Terminal;

/// Threads whose panics become a failed stage, which tells them better than a backtrace would.
const CAUGHT: [&str; 2] = ["stage-", "polars-"];

fn main() -> ExitCode {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        if !CAUGHT.iter().any(|prefix| name.starts_with(prefix)) {
            tell(panic);
        }
    }));
    let cli = Cli::parse();
    let terminal = Terminal::new(&cli.global);
    let mut code = match commands::call(&cli, &terminal) {
        Ok(code) => code,
        Err(error) => {
            terminal.error(&error);
            commands::exit_code(&error)
        }
    };
    if let Some(error) = terminal.lost() {
        terminal.warning(&format!("results could not be written: {error}"));
        if code == EngineCode::Ok {
            code = EngineCode::Failed;
        }
    }
    ExitCode::from(code as u8)
}
