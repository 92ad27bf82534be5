//! What a prediction over HTTP costs, beside Python's servers and bare warp and hyper:
//! `cargo bench --bench serve`.
//!
//! Starts every server in turn, asks it over connections that stay open, and reads off the system
//! what processor time and memory the server took meanwhile. What a figure means is in
//! docs/BENCHMARKS.md. The same program, started by itself, is the bare servers.

mod bare;
mod contender;
#[path = "../install.rs"]
mod install;
mod load;
mod record;
mod report;
mod server;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::contender::{Ask, Contender, Room};
use crate::report::Round;

/// Measures the service beside its peers. docs/BENCHMARKS.md tells how to read the result.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench serve --", max_term_width = 100)]
struct Options {
    /// Servers to measure
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "warp,hyper,pipeline,forest,floor,tuned,fastapi,parse"
    )]
    servers: Vec<String>,
    /// What is asked: one record, one that is refused, a thousand records
    #[arg(long, value_delimiter = ',', default_value = "one,refused,thousand")]
    ask: Vec<Ask>,
    /// Connections, each of which waits for its answer before it asks again
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Seconds of asking per round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds; in each every server takes its turn
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Measure another build of the product
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_pipeline"))]
    program: PathBuf,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(bare::WORKER) => bare::main(&args[1..]),
        _ => bench(&Options::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> anyhow::Result<()> {
    let room = tempfile::Builder::new()
        .prefix("serve")
        .tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let room = Room::new(room.path(), &options.program);
    let contenders = options.servers.iter().map(|name| Contender::new(name, &room));
    let contenders = contenders.collect::<anyhow::Result<Vec<_>>>()?;
    let mut rounds: BTreeMap<(Ask, usize), Vec<Round>> = BTreeMap::new();
    for _ in 0..options.runs {
        for (index, contender) in contenders.iter().enumerate() {
            note(&format!("{}: {}", contender.name, contender.what));
            let time = Duration::from_secs_f64(options.seconds);
            let measured = contender.round(&options.ask, options.connections, time)?;
            for (ask, round) in measured {
                rounds.entry((ask, index)).or_default().push(round);
            }
        }
    }
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name.as_str()).collect();
    for ask in &options.ask {
        let of = |index| rounds.get(&(*ask, index)).map_or(&[][..], Vec::as_slice);
        let rows = names.iter().enumerate().map(|(index, name)| (*name, of(index)));
        tell(&report::table(*ask, rows))?;
    }
    Ok(())
}

/// Results go to stdout.
fn tell(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// What goes on meanwhile goes to stderr; what cannot be written is not told.
fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
