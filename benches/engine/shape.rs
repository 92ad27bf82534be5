//! The projects that are measured: a chain or a fan of stages, each a small sum over one number.
//!
//! Every tool does the same work for a stage: it reads one line, computes `x * 31 + k` in the
//! shell's own arithmetic, and writes one line. So what every output has to be is known here, and
//! no tool is measured while it does something else. Knows no tool.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::ValueEnum;

/// The file that the first stage reads.
pub(crate) const SOURCE: &str = "data/source.txt";

/// Numbers stay below this.
const MODULUS: u64 = 1_000_003;

/// How stages hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Each stage reads the one before it.
    Chain,
    /// All stages but the first read the first.
    Fan,
}

/// What a stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// One shell, its arithmetic, no other program.
    Shell,
    /// `dd`, without a shell where the tool can: all outputs have the same bytes.
    Copy,
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Chain => "chain",
            Shape::Fan => "fan",
        })
    }
}

impl Display for Work {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Shell => "one shell each",
            Work::Copy => "`dd` each",
        })
    }
}

/// A stage's own text: what a person would edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The number that it adds: another one gives other bytes.
    pub(crate) addend: u64,
    /// A word that changes the text and no byte of the output.
    pub(crate) note: u64,
}

/// A project, independent of the tool that is to run it.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// How its stages hang together.
    pub(crate) shape: Shape,
    /// What each does.
    pub(crate) work: Work,
    /// Their texts.
    pub(crate) texts: Vec<Text>,
}

impl Project {
    /// A project of so many stages.
    pub(crate) fn new(shape: Shape, work: Work, n_stages: usize) -> Project {
        let texts = (0..n_stages).map(|i| Text { addend: i as u64, note: 0 }).collect();
        Project { shape, work, texts }
    }

    /// The number of stages.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The stage that a stage reads; none for the first, which reads the source.
    pub(crate) fn parent(&self, stage: usize) -> Option<usize> {
        match self.shape {
            Shape::Chain => stage.checked_sub(1),
            Shape::Fan => (stage > 0).then_some(0),
        }
    }

    /// The stage whose change concerns nobody else.
    pub(crate) fn leaf(&self) -> usize {
        self.len() - 1
    }

    /// Whether a tool that tells a change by time can be kept from running on: `dd` writes anew.
    pub(crate) fn has_cut_off(&self) -> bool {
        self.work == Work::Shell
    }

    /// The line that each stage has to write.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut values: Vec<u64> = Vec::with_capacity(self.len());
        for (stage, text) in self.texts.iter().enumerate() {
            let read = self.parent(stage).map_or(1, |parent| values[parent]);
            values.push(match self.work {
                Work::Shell => step(read, text.addend),
                Work::Copy => read,
            });
        }
        values.iter().map(|value| format!("{value}\n")).collect()
    }

    /// The command of a stage for a shell, with `from` and `to` as the tool spells them.
    ///
    /// Written only when it differs, if the tool tells a change by time: that is how an early
    /// cut-off is had there, and it starts no other program.
    pub(crate) fn shell(&self, stage: usize, from: &str, to: &str, tells: Tells) -> String {
        let Text { addend, note } = self.texts[stage];
        match (self.work, tells) {
            (Work::Copy, _) => self.copy(stage, from, to).join(" "),
            (Work::Shell, Tells::Bytes) => format!(
                ": {note}; read x < {from} && echo $(( (x * 31 + {addend}) % {MODULUS} )) > {to}"
            ),
            (Work::Shell, Tells::Time) => format!(
                ": {note}; read x < {from} && y=$(( (x * 31 + {addend}) % {MODULUS} )); \
                 read old 2> /dev/null < {to}; [ \"$y\" = \"$old\" ] || echo $y > {to}"
            ),
        }
    }

    /// The arguments of a stage that copies, different for every stage and every change: the same
    /// program with the same arguments on the same bytes is the same work to a store.
    pub(crate) fn copy(&self, stage: usize, from: &str, to: &str) -> Vec<String> {
        const LEAST_BYTES: u64 = 4096;
        const MAX_STAGES: u64 = 100_000;
        let Text { addend, note } = self.texts[stage];
        let block = format!("bs={}", LEAST_BYTES + addend + note * MAX_STAGES);
        ["dd", &format!("if={from}"), &format!("of={to}"), "status=none", &block]
            .map(str::to_owned)
            .to_vec()
    }
}

/// By what a tool tells that an output changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// By its bytes.
    Bytes,
    /// By its modification time.
    Time,
}

/// What a stage computes.
pub(crate) fn step(read: u64, addend: u64) -> u64 {
    (read * 31 + addend) % MODULUS
}

/// Writes the file that the first stage reads.
pub(crate) fn write_source(dir: &Path) -> anyhow::Result<()> {
    write(&dir.join(SOURCE), "1\n")
}

/// Gives that file the time of now.
pub(crate) fn touch_source(dir: &Path) -> anyhow::Result<()> {
    set_time_of_source(dir, SystemTime::now())
}

/// Makes that file older than every output.
pub(crate) fn age_source(dir: &Path) -> anyhow::Result<()> {
    set_time_of_source(dir, SystemTime::UNIX_EPOCH + Duration::from_secs(1))
}

fn set_time_of_source(dir: &Path, time: SystemTime) -> anyhow::Result<()> {
    let source = File::options().write(true).open(dir.join(SOURCE))?;
    Ok(source.set_modified(time)?)
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let told = || format!("cannot write `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(told)?;
    }
    fs::write(path, text).with_context(told)
}
