//! What the engine costs, beside other build tools: `cargo bench --bench engine`.
//!
//! Makes projects of many stages, has every tool bring them up to date in turn, and prints tables
//! of processor time, time on the clock and memory. What a figure means is in docs/BENCHMARKS.md.
//! The same program, started by itself, is the process that measures one command, the engine with
//! toy kinds, and the loop that other loops over directories are compared with.

mod cost;
mod graphs;
#[path = "../install.rs"]
mod install;
mod options;
mod peers;
mod sample;
mod shape;
mod single;
mod tools;
mod toy;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::cost::{Bench, MEASURE};
use crate::graphs::Tools;
use crate::options::{Options, Subject};
use crate::sample::Sample;
use crate::shape::Project;
use crate::single::LOOP;
use crate::tools::{Pipeline, Program};
use crate::toy::TOY;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let called = match args.first().map(String::as_str) {
        Some(MEASURE) => cost::measuring(&args[1..]),
        Some(TOY) => toy::main(&args[1..]),
        Some(LOOP) => single::stat_loop(&args[1..]),
        _ => bench(&Options::read()).map(|()| true),
    };
    match called {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> anyhow::Result<()> {
    let dir = options.dir.as_deref().unwrap_or(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let room = tempfile::Builder::new().prefix("bench").tempdir_in(dir)?;
    let bench = Bench::new(room.path(), Duration::from_secs(options.limit))?;
    let tools = Tools { own: own(options)?, peers: peers::find(&options.peers)? };
    let mut samples = Vec::new();
    for work in &options.work {
        for shape in &options.shapes {
            let mut slow = BTreeMap::new();
            for n_stages in &options.sizes {
                let project = Project::new(*shape, *work, *n_stages);
                let dir = room.path().join(format!("{work:?}-{shape:?}-{n_stages}"));
                let measured = graphs::measure(&bench, options, &tools, project, &dir, &mut slow)?;
                tell(&sample::tables(&measured))?;
                samples.extend(measured);
            }
        }
    }
    tell(&sample::ratios(&samples))?;
    let measured = single::measure(&bench, options, &tools, room.path())?;
    tell(&sample::tables(&measured))?;
    samples.extend(measured);
    options.json.as_ref().map_or(Ok(()), |path| write_json(path, &samples))
}

/// Our own programs, each with every layout of its stages.
fn own(options: &Options) -> anyhow::Result<Vec<Pipeline>> {
    let mut own = Vec::new();
    for subject in &options.subjects {
        let program = match subject {
            Subject::Toy => Program::Toy(std::env::current_exe()?),
            Subject::Pipeline => Program::Product(match &options.program {
                Some(program) => program.canonicalize()?,
                None => PathBuf::from(env!("CARGO_BIN_EXE_pipeline")),
            }),
        };
        own.extend(options.layouts.iter().map(|l| Pipeline::new(program.clone(), *l)));
    }
    Ok(own)
}

fn write_json(path: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    Ok(fs::write(path, serde_json::to_vec_pretty(samples)?)?)
}

/// Results go to stdout.
fn tell(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// What goes on meanwhile goes to stderr; what cannot be written is not told.
fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
