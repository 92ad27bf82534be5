//! The tools that are measured: how each is told of a project, started, and asked what it ran.
//!
//! Knows nothing of costs and of the order of things.

mod dvc;
mod make;
mod ninja;
mod pipeline;
mod snakemake;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub(crate) use self::dvc::Dvc;
pub(crate) use self::make::Make;
pub(crate) use self::ninja::Ninja;
pub(crate) use self::pipeline::{Layout, Pipeline, Program};
pub(crate) use self::snakemake::Snakemake;
use crate::shape::{Project, Tells, Work};

/// Other tools, by the name of their program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// ninja, with `restat`.
    Ninja,
    /// GNU make.
    Make,
    /// DVC 3.
    Dvc,
    /// Snakemake 9.
    Snakemake,
}

/// What is edited between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The stage whose text changed.
    pub(crate) stage: usize,
    /// Whether its output will have other bytes.
    pub(crate) is_seen: bool,
}

/// A tool that can run a project.
pub(crate) trait Tool {
    /// The name in tables.
    fn name(&self) -> &str;

    /// Whether it can do such work.
    fn can(&self, _work: Work) -> bool {
        true
    }

    /// Writes a project for it, in an empty directory.
    fn write(&self, project: &Project, dir: &Path) -> anyhow::Result<()>;

    /// Brings what was written up to date after one stage's text changed.
    fn change(&self, project: &Project, dir: &Path, change: Change) -> anyhow::Result<()>;

    /// What is to be taken away so that nothing is known any more.
    fn outputs(&self) -> &'static [&'static str];

    /// The command that brings the project up to date.
    fn command(&self, dir: &Path, jobs: usize) -> Vec<String>;

    /// How many stages ran, from what the command printed; `None` when it does not tell.
    fn n_ran(&self, printed: &str) -> Option<usize>;

    /// Where the output of a stage is.
    fn output(&self, stage: usize) -> PathBuf;

    /// By what it tells that a file changed.
    fn tells(&self) -> Tells {
        Tells::Bytes
    }

    /// Whether a run stops where bytes do not change; if not, only its outputs are checked then.
    fn cuts_off(&self) -> bool {
        true
    }
}

/// The directory that most tools write to; not all of them make it.
const OUT: &str = "out";

/// Takes all that a tool wrote out of its way, to a directory of its own. Nothing is deleted: ext4
/// searches around lately deleted files whenever it makes one, and that would be measured.
pub(crate) fn wipe(tool: &dyn Tool, dir: &Path) -> anyhow::Result<()> {
    let away = tempfile::Builder::new().prefix("wiped").tempdir_in(dir)?.keep();
    for name in tool.outputs() {
        let path = dir.join(name);
        if path.exists() {
            fs::rename(path, away.join(name.replace('/', "-")))?;
        }
    }
    Ok(fs::create_dir_all(dir.join(OUT))?)
}

/// The path that most tools write a stage's output to.
fn flat(stage: usize) -> PathBuf {
    PathBuf::from(format!("{OUT}/s{stage}.txt"))
}

/// The input of a stage with flat outputs.
fn flat_input(project: &Project, stage: usize) -> String {
    let input = project.parent(stage).map(|parent| flat(parent).display().to_string());
    input.unwrap_or_else(|| crate::shape::SOURCE.to_owned())
}

/// A number at the beginning of what follows a text, as in `3 run`.
fn number_before(printed: &str, word: &str) -> Option<usize> {
    let (before, _) = printed.rsplit_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}
