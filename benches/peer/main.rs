//! What the example's pipeline costs as a whole, beside the same pipeline of pandas, scikit-learn,
//! MLflow, joblib and DVC: `cargo bench --bench peer`.
//!
//! Both get the same table, the same variants with the same settings and as many resamples, and
//! are asked three times: for everything, for nothing new, and for one parameter that is another.
//! The Python side is in `project/`, and runs for real. What a figure means is in
//! docs/BENCHMARKS.md.

#[path = "../engine/cost.rs"]
mod cost;
#[path = "../install.rs"]
mod install;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;

use crate::cost::{Bench, Cost, MEASURE};

/// What is asked of PyPI; figures of other versions would not be comparable.
const PACKAGES: [&str; 8] = [
    "dvc==3.67.1",
    "mlflow==3.17.2",
    "scikit-learn==1.9.1",
    "pandas==3.1.1",
    "numpy==2.4.6",
    "joblib==1.6.0",
    "pyarrow==25.0.1",
    "pyyaml==6.0.4",
];

/// Measures the example's pipeline beside its peer in Python.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench peer --", max_term_width = 100)]
struct Options {
    /// Rows of the table
    #[arg(long, value_delimiter = ',', default_value = "9000,100000,1000000")]
    rows: Vec<u64>,
    /// How often the test rows are drawn anew for intervals, on both sides
    #[arg(long, default_value_t = 100)]
    resamples: u32,
    /// Measure another build of the product
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_pipeline"))]
    program: PathBuf,
    /// Seconds after which a side is given up
    #[arg(long, default_value_t = 3600)]
    limit: u64,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is asked of both sides, one after the other.
const ASKED: [&str; 3] = ["everything", "nothing new", "one parameter"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(MEASURE) => match cost::measuring(&args[1..]) {
            Ok(true) => return ExitCode::SUCCESS,
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
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
    let environment = install::python("peer", &PACKAGES)?;
    let room = tempfile::Builder::new()
        .prefix("peer")
        .tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    for n_rows in &options.rows {
        let dir = room.path().join(n_rows.to_string());
        let data = dir.join("data");
        generate(&data, *n_rows)?;
        let bench = Bench::new(&dir, Duration::from_secs(options.limit))?;
        note(&format!("{n_rows} rows: pipeline"));
        let own = own(&bench, options, &dir.join("own"), &data)?;
        note(&format!("{n_rows} rows: Python"));
        let peer = peer(&bench, options, &dir.join("peer"), &data, &environment)?;
        tell(&table(*n_rows, &own, &peer))?;
        fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

/// Has the example's own generator make a table.
fn generate(data: &Path, n_rows: u64) -> anyhow::Result<()> {
    fs::create_dir_all(data)?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--release", "--quiet", "--example", "subscribers", "--"]);
    command.args(["--rows", &n_rows.to_string(), "--out"]).arg(data.join("subscribers.csv"));
    command.arg("--oracle").arg(data.join("oracle.csv")).current_dir(root());
    ensure!(command.stderr(std::process::Stdio::null()).status()?.success(), "{command:?} failed");
    Ok(())
}

/// The product with the example as it is shipped, but for the number of resamples.
fn own(bench: &Bench, options: &Options, dir: &Path, data: &Path) -> anyhow::Result<Vec<Cost>> {
    copy(&root().join("stages"), &dir.join("stages"))?;
    copy(data, &dir.join("data"))?;
    fs::copy(root().join("pipeline.toml"), dir.join("pipeline.toml"))?;
    let resamples = format!("evaluate.resamples={}", options.resamples);
    let program = options.program.display().to_string();
    let run = [&program, "run", "--no-serve", "--set", &resamples].map(str::to_owned);
    let change = || {
        let file = dir.join("stages/train.toml");
        replace(&file, "min_samples_leaf = 40", "min_samples_leaf = 41")
    };
    // As in `11 stages: 4 run, 7 cached, 1.2 s`.
    let ran = |output: &str| {
        let line = output.lines().find(|line| line.contains(" stages: "))?;
        line.split_once(": ")?.1.split(' ').next()?.parse().ok()
    };
    measured(bench, dir, &run, &change, &ran)
}

/// The same by DVC.
fn peer(
    bench: &Bench,
    options: &Options,
    dir: &Path,
    data: &Path,
    environment: &Path,
) -> anyhow::Result<Vec<Cost>> {
    copy(&root().join("benches/peer/project"), dir)?;
    copy(data, &dir.join("data"))?;
    fs::create_dir_all(dir.join(".dvc"))?;
    // What `dvc init --no-scm` writes, without asking the network for news.
    let config = "[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n";
    fs::write(dir.join(".dvc/config"), config)?;
    let params = dir.join("params.yaml");
    replace(&params, "resamples: 100", &format!("resamples: {} ", options.resamples))?;
    let bin = environment.join("bin").display().to_string();
    // Stages say `python`: that of the environment.
    let path = format!("PATH={bin}:{}", std::env::var("PATH").unwrap_or_default());
    let repro = ["/usr/bin/env", &path, "dvc", "repro"].map(str::to_owned);
    let change = || {
        replace(&params, "max_depth: 6, min_samples_leaf: 40", "max_depth: 6, min_samples_leaf: 41")
    };
    let ran = |output: &str| {
        Some(output.lines().filter(|line| line.starts_with("Running stage")).count())
    };
    measured(bench, dir, &repro, &change, &ran)
}

/// A command for everything, for nothing new, and after a change; `ran` reads off how many stages
/// were run.
fn measured(
    bench: &Bench,
    dir: &Path,
    command: &[String],
    change: &dyn Fn() -> anyhow::Result<()>,
    ran: &dyn Fn(&str) -> Option<usize>,
) -> anyhow::Result<Vec<Cost>> {
    let measure = |is_right: fn(usize) -> bool| {
        let measured = bench.measure(dir, command)?;
        let n = ran(&measured.output).context("it does not say what was run")?;
        ensure!(is_right(n), "{n} stages were run: {}", measured.output);
        Ok(measured.cost)
    };
    let (all, nothing) = (measure(|n| n >= 10)?, measure(|n| n == 0)?);
    change()?;
    // The tree, its evaluation, and what rests on that.
    Ok(vec![all, nothing, measure(|n| (2..=4).contains(&n))?])
}

fn replace(file: &Path, from: &str, to: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    ensure!(text.contains(from), "`{from}` is not in {}", file.display());
    Ok(fs::write(file, text.replace(from, to))?)
}

/// Copies the files of a directory.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let told = || format!("cannot read {}", from.display());
    for entry in fs::read_dir(from).with_context(told)?.flatten().filter(|e| e.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn table(n_rows: u64, own: &[Cost], peer: &[Cost]) -> String {
    const KIB_PER_MB: f64 = 1e6 / 1024.0;
    let mut text = format!("\n{n_rows} rows\n");
    text.push_str(&format!(
        "{:<15}{:<10}{:>10}{:>10}{:>9}{:>9}\n",
        "asked for", "", "CPU s", "wall s", "MB", "CPU"
    ));
    for ((asked, own), peer) in ASKED.iter().zip(own).zip(peer) {
        for (name, cost) in [("pipeline", own), ("Python", peer)] {
            text.push_str(&format!(
                "{asked:<15}{name:<10}{:>10.2}{:>10.2}{:>9.0}{:>8.1}x\n",
                cost.cpu(),
                cost.wall,
                cost.memory_kib as f64 / KIB_PER_MB,
                cost.cpu() / own.cpu(),
            ));
        }
    }
    text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Results go to stdout.
fn tell(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// What goes on meanwhile goes to stderr; what cannot be written is not told.
fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
