//! What is to be measured: the command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::shape::{Shape, Work};
use crate::tools::{Layout, Peer};

/// All scenarios.
const ALL: &str = "first,noop,touch,leaf,root,directory,hash";

/// A file system in memory, where there is one.
const MEMORY: &str = "/dev/shm";

/// Measures what the engine costs, beside other build tools. docs/BENCHMARKS.md tells how to read
/// the result.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench --bench engine --", max_term_width = 100)]
pub(crate) struct Options {
    /// Other tools to measure
    #[arg(long, value_delimiter = ',', default_value = "ninja,make")]
    pub(crate) peers: Vec<Peer>,
    /// Which of our own programs to measure
    #[arg(long, value_delimiter = ',', default_value = "toy,pipeline")]
    pub(crate) subjects: Vec<Subject>,
    /// Numbers of stages
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000")]
    pub(crate) sizes: Vec<usize>,
    /// How stages hang together
    #[arg(long, value_delimiter = ',', default_value = "chain,fan")]
    pub(crate) shapes: Vec<Shape>,
    /// What a stage does
    #[arg(long, value_delimiter = ',', default_value = "shell")]
    pub(crate) work: Vec<Work>,
    /// Where the stages of `pipeline` are written
    #[arg(long, value_delimiter = ',', default_value = "files")]
    pub(crate) layouts: Vec<Layout>,
    /// What is measured
    #[arg(long, value_delimiter = ',', default_value = ALL)]
    pub(crate) scenario: Vec<Scenario>,
    /// Rounds per scenario; in each round every tool takes its turn
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// No new round begins when a scenario took so many seconds
    #[arg(long, default_value_t = 60)]
    pub(crate) budget: u64,
    /// A command is ended after so many seconds, and its tool left out of larger sizes
    #[arg(long, default_value_t = 120)]
    pub(crate) limit: u64,
    /// Stages at once, where the tool can [default: one per processor]
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Files of the directory in the scenario `directory`
    #[arg(long, default_value_t = 100_000)]
    pub(crate) files: usize,
    /// MiB of the file in the scenario `hash`
    #[arg(long, default_value_t = 2048)]
    pub(crate) mib: u64,
    /// Another build of `pipeline` than the one beside this benchmark
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    /// Where the projects are made [default: a directory below `target`, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Write all figures as JSON, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Only ninja, 1,000 stages, a few rounds, in memory: less than a minute
    #[arg(long)]
    pub(crate) quick: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// Our own programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// The engine with kinds that run inside the process.
    Toy,
    /// The product with `command` stages.
    Pipeline,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Nothing is there but the sources.
    First,
    /// Nothing changed; `pipeline` also with `--paranoid`.
    Noop,
    /// The first stage's input has a new time and the same bytes.
    Touch,
    /// The text of one stage changed that no other stage reads.
    Leaf,
    /// The text of the first stage changed, and its output does not.
    Root,
    /// One input is a directory of many files, and nothing changed.
    Directory,
    /// One input is a large file that was never seen.
    Hash,
}

impl Options {
    /// The options as they are meant.
    pub(crate) fn read() -> Options {
        const QUICK_ROUNDS: usize = 5;
        let mut options = Options::parse();
        if options.quick {
            options.peers = vec![Peer::Ninja];
            options.sizes = vec![1000];
            options.scenario.retain(|s| !matches!(s, Scenario::Directory | Scenario::Hash));
            options.runs = QUICK_ROUNDS;
            options.budget = 6;
            options.limit = 20;
            let memory = Path::new(MEMORY);
            options.dir = options.dir.or_else(|| memory.is_dir().then(|| memory.to_owned()));
        }
        options.sizes.sort_unstable();
        options.runs = options.runs.max(1);
        options
    }

    /// Whether a scenario is asked for.
    pub(crate) fn wants(&self, scenario: Scenario) -> bool {
        self.scenario.contains(&scenario)
    }
}
