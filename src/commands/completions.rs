//! `pipeline completions SHELL`: what a shell needs to complete verbs and options.

use clap::CommandFactory;
use engine::error::ExitCode;

use crate::cli::{Cli, Completions as Args};
use crate::terminal::Terminal;

pub(super) fn completions(args: &Args, terminal: &Terminal) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pipeline", &mut script);
    terminal.out(String::from_utf8_lossy(&script).trim_end());
    ExitCode::Ok
}
