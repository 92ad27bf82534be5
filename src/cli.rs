//! The command line as it is typed. The doc comments are the help.

mod access;
mod limits;
mod predictions;
mod service;
mod shadow;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use access::Access;
pub use limits::Limits;
pub use predictions::Predictions;
pub use service::{Extra, Policy, Predict, Range, Records, Serve, Which};
pub use shadow::Shadow;

const EXAMPLES: &str = "\
Examples:
  pipeline run                       compute what has changed, then launch the service
  pipeline run train --set train@logistic.C=0.1,1,10
                                     one run per value, and a table of what came out
  pipeline why evaluate              what would make it run, and what changed
  pipeline diff                      the last two runs: the cause first
  pipeline verify --rebuild          compute everything again elsewhere and compare the bytes
  pipeline init customers.csv --target left
  pipeline validate --suggest --output stages/validate.toml

Exit codes: 0 ok, 1 a stage failed, 2 usage or configuration, 3 drift or a gate that does not hold,
4 something is missing, 5 damaged bytes, 7 not reproducible, 130 interrupted.";

/// Reproducible machine-learning pipelines: runs what has changed, proves the rest.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What is common to all verbs.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The project: a directory with `pipeline.toml` [default: here or the nearest above]
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Lay `[profile.NAME]` over the configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Set a value, as in `seed=7`, `split.test=0.3`, `train@forest.max_depth=6`; may be repeated.
    /// `run` takes several, as in `train.C=0.1,1,10`, and runs once with each
    #[arg(long, global = true, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Say less: only errors and what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Machine-readable output, one JSON document or one per line
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Trust no remembered digest: hash every input and output again
    #[arg(long, global = true)]
    pub paranoid: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compute what has changed, write the lock, then launch the service
    Run(Run),
    /// Show what a run would do, and why
    Plan(Plan),
    /// Draw the graph of the stages, for Graphviz, Mermaid or programs
    Graph(Graph),
    /// Show what is not up to date
    Status(Status),
    /// Say why a stage would run, field by field
    Why(Why),
    /// Compare two runs, locks or git revisions of the lock; the cause comes first
    Diff(Diff),
    /// Prove that what is stored is what it says, and that the lock says what the tree says
    Verify(Verify),
    /// Write a first suite of expectations from what a table is like
    Validate(Validate),
    /// Search the parameters of a stage: every trial is a cached run
    Tune(Tune),
    /// Remove what no kept run, no lock and no alias needs
    Gc(Gc),
    /// List the recorded runs
    Log(Log),
    /// Show everything about a run
    Show(Show),
    /// Print the resolved configuration
    Config(Config),
    /// Put the package of a run into use under a name, if its gates hold
    Promote(Promote),
    /// Let a name stand again for what it stood for before
    Rollback(Rollback),
    /// Serve the newest package without computing anything
    Serve(Box<Serve>),
    /// Predict the records of a file, as the service would, and write the answers to stdout
    Predict(Predict),
    /// Make a runnable project here, or in `-C DIR`, from a CSV, Parquet or Arrow file
    Init(Init),
    /// Print what a shell needs to complete verbs and options
    Completions(Completions),
}

/// Which stages a verb is about.
#[derive(Clone, Debug, Args)]
pub struct Selection {
    /// Stages to go up to: a name, a group such as `train`, a pattern such as `eval*` or
    /// `*@forest` [default: all]
    pub targets: Vec<String>,
    /// Also all that rests on the targets, with what that needs
    #[arg(long)]
    pub downstream: bool,
    /// Leave out whatever rests on these stages; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub until: Vec<String>,
}

/// `pipeline run`
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Which stages.
    #[command(flatten)]
    pub selection: Selection,
    /// How many stages may run at once [default: one per processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Run the named stages (all, if none is named) whatever is cached; what they rest on, and what
    /// `--downstream` adds, runs only if it has to
    #[arg(short, long)]
    pub force: bool,
    /// After a failure, go on with all that does not rest on it
    #[arg(short, long)]
    pub keep_going: bool,
    /// Fail with exit code 3 if the lock is not what the tree says; do not write it
    #[arg(long)]
    pub locked: bool,
    /// Do not launch the service
    #[arg(long)]
    pub no_serve: bool,
}

/// `pipeline plan`
#[derive(Clone, Debug, Args)]
pub struct Plan {
    /// Which stages.
    #[command(flatten)]
    pub selection: Selection,
    /// As if the named stages (all, if none is named) were forced
    #[arg(short, long)]
    pub force: bool,
}

/// `pipeline graph`
#[derive(Clone, Debug, Args)]
pub struct Graph {
    /// Which stages.
    #[command(flatten)]
    pub selection: Selection,
    /// In which language; `--json` means `json`
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub format: GraphFormat,
}

/// How a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz: `pipeline graph | dot -Tsvg`.
    Dot,
    /// For Markdown that draws Mermaid.
    Mermaid,
    /// For programs.
    Json,
}

/// `pipeline status`
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// End with exit code 3 if anything is not up to date
    #[arg(long)]
    pub exit_code: bool,
}

/// `pipeline why`
#[derive(Clone, Debug, Args)]
pub struct Why {
    /// The stages: a name, a group or a pattern
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
}

/// `pipeline diff`
#[derive(Clone, Debug, Args)]
pub struct Diff {
    /// The baseline: a run id or its beginning, `@` for the latest run, `@-1` for the one before,
    /// a name that was promoted, a lock file, or a git revision of the lock
    #[arg(default_value = "@-1")]
    pub a: String,
    /// The candidate
    #[arg(default_value = "@")]
    pub b: String,
    /// As Markdown, for a review comment
    #[arg(long, conflicts_with = "json")]
    pub md: bool,
    /// End with exit code 3 if the runs are not bit-identical
    #[arg(long)]
    pub exit_code: bool,
    /// Where services wrote what came of comparing the two packages [default: as the pipeline's
    /// service stages say]
    #[arg(long, value_name = "DIR")]
    pub shadow_log: Option<PathBuf>,
}

/// `pipeline verify`
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// Also run every stage again: in a clean directory, without the cache, in a fresh process,
    /// with another number of threads
    #[arg(long)]
    pub rebuild: bool,
}

/// `pipeline validate`
#[derive(Clone, Debug, Args)]
pub struct Validate {
    /// Write what was seen as a stage of kind `validate`, to edit and to keep; `pipeline run` then
    /// checks it
    #[arg(long, required = true)]
    pub suggest: bool,
    /// A table, or the `profile.json` of one [default: the newest profile of the project]
    #[arg(value_name = "SOURCE")]
    pub source: Option<PathBuf>,
    /// Write it to this file, which must not be there yet [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `pipeline tune`
#[derive(Clone, Debug, Args)]
pub struct Tune {
    /// The search that `tune/NAME.toml` declares
    pub name: String,
    /// How many trials in place of what is declared; those of a smaller number are the first of a
    /// larger one, and are not run again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub trials: Option<u16>,
    /// How many stages may run at once, and threads within them [default: one per processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
}

/// `pipeline gc`
#[derive(Clone, Debug, Args)]
pub struct Gc {
    /// Only show what would be removed
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Keep the newest N runs; with `--max-age`, what either keeps [default: all]
    #[arg(long, value_name = "N")]
    pub keep_last: Option<u16>,
    /// Keep runs that are younger, as in `30d` or `12h`
    #[arg(long, value_name = "AGE")]
    pub max_age: Option<humantime::Duration>,
    /// Remove the oldest runs until the store fits, as in `500MB` or `2GiB`; never the newest, and
    /// nothing that the lock needs
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<bytesize::ByteSize>,
}

/// `pipeline log`
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// The most runs to list, newest first
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// `pipeline show`
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The run: an id or its beginning, `@`, `@-1`
    #[arg(default_value = "@")]
    pub run: String,
}

/// `pipeline config`
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Say where each value was written
    #[arg(long)]
    pub origin: bool,
}

/// `pipeline promote`
#[derive(Clone, Debug, Args)]
pub struct Promote {
    /// The run: an id or its beginning, `@`, `@-1`
    #[arg(default_value = "@")]
    pub run: String,
    /// The name: `champion` for what is in production, `challenger` for what would like to be
    #[arg(long, value_name = "NAME", default_value = "champion")]
    pub alias: String,
    /// The stage that made the package, where several did
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Also when a gate does not hold, or none is declared
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why; kept with the name
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `pipeline rollback`
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The name
    #[arg(long, value_name = "NAME", default_value = "champion")]
    pub alias: String,
    /// Why; kept with the name
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `pipeline init`
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// The table: a CSV, Parquet or Arrow file
    pub table: PathBuf,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    pub target: String,
    /// Whether its value is a class, or a number to predict
    #[arg(long, value_enum, default_value_t)]
    pub task: Task,
    /// The value of that column to predict [default: the last of the two, sorted]
    #[arg(long, value_name = "VALUE")]
    pub positive: Option<String>,
}

/// What a new project predicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Which of two classes a row is of
    #[default]
    Classification,
    /// A number
    Regression,
}

/// `pipeline completions`
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}
