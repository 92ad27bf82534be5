//! What learning costs, and how good it is, beside scikit-learn, LightGBM and XGBoost:
//! `cargo bench --bench learn`.
//!
//! Makes tables, has every tool fit and predict the same rows in turn, each in a process of its own
//! that measures itself, and prints processor time, time on the clock, memory and ROC AUC. What a
//! figure means is in docs/BENCHMARKS.md. The same program, started by itself, is the process that
//! measures our own learners.

#[path = "../install.rs"]
mod install;
mod own;
mod report;
mod rows;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use clap::Parser;

use crate::report::{Round, Sample};

/// What is asked of PyPI; figures of other versions would not be comparable.
const PACKAGES: [&str; 4] =
    ["scikit-learn==1.9.1", "lightgbm==4.7.0", "xgboost==3.2.0", "numpy==2.3.5"];

/// The word that makes this program the process that is measured.
const WORKER: &str = "worker";

/// What is fitted, by whom; the first of each is what the others are compared with.
const CONTESTS: &[(&str, &[&str])] = &[
    ("gradient_boosting", &["lightgbm", "pipeline", "xgboost", "scikit-learn"]),
    ("logistic_regression", &["scikit-learn", "pipeline"]),
    ("random_forest", &["scikit-learn", "pipeline"]),
    ("extra_trees", &["scikit-learn", "pipeline"]),
    ("decision_tree", &["scikit-learn", "pipeline"]),
];

/// Measures our learners beside those of Python. docs/BENCHMARKS.md tells how to read the result.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench learn --", max_term_width = 100)]
struct Options {
    /// Rows to learn from
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    rows: Vec<usize>,
    /// Learners to measure [default: all]
    #[arg(long, value_delimiter = ',')]
    learners: Vec<String>,
    /// Other tools to measure
    #[arg(long, value_delimiter = ',', default_value = "lightgbm,xgboost,scikit-learn")]
    peers: Vec<String>,
    /// Rounds; in each every tool takes its turn
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Learners of scikit-learn's forests are left out above so many rows: they take minutes
    #[arg(long, default_value_t = 100_000)]
    forest_rows: usize,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(WORKER) => own::main(&args[1..]),
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
    let python = install::python("learn", &PACKAGES)?.join("bin/python");
    let room = tempfile::Builder::new()
        .prefix("learn")
        .tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    for n_rows in &options.rows {
        let files = rows::write(room.path(), *n_rows)?;
        for (learner, tools) in CONTESTS {
            if !options.learners.is_empty() && !options.learners.iter().any(|l| l == learner) {
                continue;
            }
            let is_forest = ["random_forest", "extra_trees"].contains(learner);
            if is_forest && *n_rows > options.forest_rows {
                continue;
            }
            let is_wanted =
                |tool: &&&str| **tool == "pipeline" || options.peers.iter().any(|p| p == **tool);
            let tools: Vec<&str> = tools.iter().filter(is_wanted).copied().collect();
            let samples = contest(&python, learner, &tools, &files, options.runs)?;
            tell(&report::table(learner, *n_rows, &samples))?;
        }
    }
    Ok(())
}

/// Every tool in turn, as often as there are rounds.
fn contest(
    python: &Path,
    learner: &str,
    tools: &[&str],
    files: &rows::Files,
    n_runs: usize,
) -> anyhow::Result<Vec<Sample>> {
    let mut rounds: BTreeMap<&str, Vec<Round>> = BTreeMap::new();
    for _ in 0..n_runs {
        for tool in tools {
            let command = if *tool == "pipeline" {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(WORKER);
                command
            } else {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/learn/peers.py");
                let mut command = Command::new(python);
                command.arg(script).arg(tool);
                command
            };
            rounds.entry(tool).or_default().push(round(command, learner, files)?);
        }
    }
    let sample = |tool: &&str| Sample { tool: (*tool).to_owned(), rounds: rounds[tool].clone() };
    Ok(tools.iter().map(sample).collect())
}

fn round(mut command: Command, learner: &str, files: &rows::Files) -> anyhow::Result<Round> {
    command.arg(learner).args([&files.train, &files.test]).stdin(Stdio::null());
    // On some processors these are set against faults of old builds of OpenBLAS, and slow new ones.
    command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?}"))
}

/// Results go to stdout.
fn tell(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// What goes on meanwhile goes to stderr; what cannot be written is not told.
fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
