//! A kind of stage: what it accepts, what it yields, what it does.
//!
//! A kind holds no state and decides nothing about caching, order or threads. Nothing may influence
//! its outputs except its parameters, its seed and its inputs, because nothing else is in the
//! recipe: no clock, no environment, no network, no thread count.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::files;
use crate::params::{Complaint, Type};
use crate::recipe::Recipe;
use crate::room::Room;
use crate::surroundings::Surroundings;

/// What a stage does. One value per kind, listed in a slice that the product hands to the engine.
pub trait Kind: Sync {
    /// The name in `kind = "…"`: lower-case words joined by `_`.
    fn name(&self) -> &'static str;

    /// One line for help and docs.
    fn about(&self) -> &'static str;

    /// The digest of the code that can change this kind's outputs; part of every recipe.
    fn code(&self) -> Digest;

    /// The parameters: a `Type::Record`, or a `Type::Tagged` where one of them chooses the others.
    fn params(&self) -> Type;

    /// Mistakes that no single type can tell, such as `min` above `max`. `params` passed its type.
    fn check(&self, _params: &Value) -> Vec<Complaint> {
        Vec::new()
    }

    /// The named inputs. `params` passed its checks.
    fn inputs(&self, params: &Value) -> Vec<Input>;

    /// What inputs are like whose names are the user's own; `None` when all names are the kind's.
    fn other_inputs(&self) -> Option<Input> {
        None
    }

    /// Mistakes that only the names of the inputs tell. `params` passed its checks.
    fn check_inputs(&self, _params: &Value, _inputs: &[&str]) -> Vec<Complaint> {
        Vec::new()
    }

    /// The named outputs. `params` passed its checks.
    fn outputs(&self, params: &Value) -> Vec<Output>;

    /// Whether it draws random numbers; only then is the seed part of the recipe.
    fn is_seeded(&self) -> bool {
        false
    }

    /// Whether it reads the recipes of all stages before it; only then are they part of its own.
    fn reads_lineage(&self) -> bool {
        false
    }

    /// Whether a program of the user's does the work, in a process and a directory of its own: it
    /// can be stopped and tried again.
    fn is_external(&self) -> bool {
        false
    }

    /// What it needs from outside of the project. `params` passed its checks.
    fn surroundings(&self, _params: &Value) -> Surroundings {
        Surroundings::default()
    }

    /// What role it has in a run.
    fn role(&self) -> Role {
        Role::Work
    }

    /// Does the work: reads the inputs, writes every declared output.
    ///
    /// # Errors
    /// Whatever keeps it from its outputs, told for the person who wrote the stage; `GateFailed`
    /// when the work was done and its result is not good enough. Nothing is published then.
    fn run(&self, context: &Context<'_>) -> anyhow::Result<()>;
}

/// What role a kind has in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It yields outputs and is cached.
    Work,
    /// It goes on until it is stopped; a run launches it last and never caches it.
    Service,
}

/// A named input.
#[derive(Clone, Debug)]
pub struct Input {
    /// The name of the port.
    pub name: Cow<'static, str>,
    /// The types of output that fit.
    pub types: &'static [&'static str],
    /// How many may be plugged in.
    pub arity: Arity,
    /// One line: what is read from it.
    pub doc: &'static str,
}

/// How many outputs may be plugged into an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// Any number above none: a fan-in of variants.
    Many,
}

/// A named output: a file or a directory in the stage's own directory.
#[derive(Clone, Debug)]
pub struct Output {
    /// The name of the port.
    pub name: String,
    /// The type, which an input must accept.
    pub ty: Cow<'static, str>,
    /// The path under the stage's output directory; a directory holds any files the kind writes.
    pub path: String,
}

impl Output {
    /// An output of a port at a path.
    pub fn new(name: &str, ty: impl Into<Cow<'static, str>>, path: &str) -> Output {
        Output { name: name.to_owned(), ty: ty.into(), path: path.to_owned() }
    }

    /// What is wrong with where outputs go, each with the index of the output: they are below the
    /// directory of their stage, and no two at one place.
    pub(crate) fn misplaced(outputs: &[Output]) -> Vec<(usize, String)> {
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        let path = |index: &usize| Path::new(&outputs[*index].path);
        let leaves = |index: &usize| {
            path(index).as_os_str().is_empty() || !path(index).components().all(is_plain)
        };
        let told = |index: usize| {
            (index, format!("output `{}` leaves the directory of its stage", outputs[index].path))
        };
        let mut wrong: Vec<_> = (0..outputs.len()).filter(leaves).map(told).collect();
        // Sorted by their parts, a path stands right before what is below it.
        let mut sorted: Vec<usize> = (0..outputs.len()).collect();
        sorted.sort_by_key(|index| path(index));
        for pair in sorted.windows(2).filter(|pair| path(&pair[1]).starts_with(path(&pair[0]))) {
            let (a, b) = (path(&pair[0]).display(), path(&pair[1]).display());
            let message = format!("outputs `{a}` and `{b}` are in each other's way");
            wrong.push((pair[1], message));
        }
        wrong
    }
}

/// The type of every file of the project that a stage reads: it fits any input that lists it.
pub const FILE: &str = "file";
/// The type of directories and of files by pattern.
pub const DIRECTORY: &str = "directory";
/// In the types of an input: whatever is plugged in fits.
pub const ANY: &str = "any";

/// One output plugged into an input.
#[derive(Clone, Debug)]
pub struct Plugged {
    /// What tells it from the others of the port: the variant's name, or the stage's without one.
    pub name: String,
    /// Where its bytes are, read-only.
    pub path: PathBuf,
}

/// A stage that a stage's inputs rest on, directly or not.
#[derive(Clone, Debug)]
pub struct Ancestor {
    /// Its name, with its variant.
    pub stage: String,
    /// Its recipe.
    pub recipe: Recipe,
}

/// The result is there and is not good enough: the run ends with exit code 3, not 1.
#[derive(Debug, thiserror::Error)]
#[error("quality gate failed: {}", .0.join("; "))]
pub struct GateFailed(pub Vec<String>);

/// All that a kind may know while it runs.
pub struct Context<'a> {
    pub(crate) params: &'a Value,
    pub(crate) inputs: BTreeMap<String, Vec<Plugged>>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) scratch: &'a Path,
    pub(crate) seed: Option<u64>,
    pub(crate) kind: &'static str,
    pub(crate) lineage: Vec<Ancestor>,
    pub(crate) findings: Mutex<Findings>,
    /// Where a program works, when the kind is external.
    pub(crate) room: Option<Room<'a>>,
}

/// What a kind tells about its result, beside its outputs. It is kept with the outcome and shown
/// again when the outcome is reused, so it must follow from the recipe alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Lines for people, in the order they were told.
    pub remarks: Vec<String>,
    /// Named numbers that runs are compared by.
    pub metrics: BTreeMap<String, Metric>,
}

/// A number that runs are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The value, finite.
    pub value: f64,
    /// Which direction is better.
    pub goal: Goal,
}

/// Which direction of a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Higher is better.
    Max,
    /// Lower is better.
    Min,
    /// Neither: a count, a threshold.
    None,
}

impl Context<'_> {
    /// The checked parameters, as the kind's own struct.
    ///
    /// # Errors
    /// Only when the struct does not fit what `Kind::params` declares: a mistake in the kind.
    pub fn params<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        Ok(T::deserialize(self.params)?)
    }

    /// The path plugged into a port of arity one.
    ///
    /// # Panics
    /// When the kind does not declare such a port: a mistake in the kind.
    pub fn input(&self, port: &str) -> &Path {
        self.optional(port).unwrap_or_else(|| panic!("`{}` has no input `{port}`", self.kind))
    }

    /// The path plugged into an optional port, if any is.
    pub fn optional(&self, port: &str) -> Option<&Path> {
        self.many(port).first().map(|plugged| plugged.path.as_path())
    }

    /// All that is plugged into a port, in graph order.
    pub fn many(&self, port: &str) -> &[Plugged] {
        self.inputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// Where the output of a port is to be written; the directory above it exists.
    ///
    /// # Panics
    /// When the kind does not declare such a port: a mistake in the kind.
    pub fn output(&self, port: &str) -> PathBuf {
        let found = self.outputs.iter().find(|output| output.name == port);
        let output = found.unwrap_or_else(|| panic!("`{}` has no output `{port}`", self.kind));
        self.scratch.join(&output.path)
    }

    /// Writes the whole output of a port.
    ///
    /// # Errors
    /// What writing the file gives.
    pub fn write(&self, port: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.output(port);
        files::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// 32 random bytes for one use, derived from the pipeline's seed, the kind and a label: a use
    /// that is added or removed changes no other.
    ///
    /// # Panics
    /// When the kind does not say `is_seeded`: a mistake in the kind.
    pub fn seed(&self, label: &str) -> [u8; 32] {
        let seed = self.seed.unwrap_or_else(|| panic!("`{}` is not seeded", self.kind));
        derive_seed(seed, self.kind, label)
    }

    /// The stages before this one, in graph order; empty unless the kind `reads_lineage`.
    pub fn lineage(&self) -> &[Ancestor] {
        &self.lineage
    }

    /// One line for people about the result.
    pub fn remark(&self, text: impl Into<String>) {
        self.findings().remarks.push(text.into());
    }

    /// A number that runs are compared by; dots in the name group it (`forest.test.roc_auc`).
    /// A value that is not finite is not kept.
    pub fn metric(&self, name: impl Into<String>, value: f64, goal: Goal) {
        if value.is_finite() {
            self.findings().metrics.insert(name.into(), Metric { value, goal });
        }
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        // A poisoned lock means that the kind panicked, and then its findings are not kept.
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// blake3's key derivation over the seed and two labels, each with its length before it.
fn derive_seed(seed: u64, kind: &str, label: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("pipeline 2026-11 stage seed v1");
    hasher.update(&seed.to_le_bytes());
    for text in [kind, label] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_differs_by_number_kind_and_label() {
        let seeds = [
            derive_seed(1, "split", "rows"),
            derive_seed(2, "split", "rows"),
            derive_seed(1, "train", "rows"),
            derive_seed(1, "split", "row"),
            derive_seed(1, "splitr", "ows"),
        ];
        for (i, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..i].contains(seed), "{i}");
        }
    }

    #[test]
    fn a_seed_is_the_same_in_every_version() {
        let digest = Digest::of(&derive_seed(7, "train", "bootstrap"));
        assert_eq!(digest.short(), "1e69d6dd37ad");
    }
}
