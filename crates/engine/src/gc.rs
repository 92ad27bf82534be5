//! What nobody needs any more, and its removal.
//!
//! Needed is what a kept run, the lock, an alias or the newest run speaks of; everything else in
//! the store is garbage. A record goes before its outcomes and an outcome before its objects, so
//! that a collection that is killed leaves garbage and never a name without its bytes; what cannot
//! be removed keeps all that it speaks of. Runs share the lock `use` from their beginning to their
//! end, and a collection has it alone. It knows nothing of how sizes and ages are written.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::error::Error;
use crate::files;
use crate::graph::Graph;
use crate::needed::{Needed, Survey};
use crate::outputs;
use crate::project::Project;

/// Which runs are kept. A run is kept when any rule that is given keeps it; without one, all are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// The newest so many; at least one is always kept.
    pub keep_last: Option<usize>,
    /// Those that started so lately.
    pub max_age: Option<Duration>,
    /// How many bytes the store and the records may hold: then the oldest runs go, whatever kept
    /// them, but never the newest and nothing that the lock needs.
    pub max_size: Option<u64>,
    /// Only say what would be removed.
    pub is_dry: bool,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// The ids of the runs, oldest first.
    pub runs: Vec<String>,
    /// The stages that the pipeline no longer has and whose `outputs/STAGE` were still there.
    pub outputs: Vec<String>,
    /// Outcomes, with what was observed of them.
    pub outcomes: usize,
    /// Recipes.
    pub recipes: usize,
    /// Objects.
    pub objects: usize,
    /// Files that did not match their name and were kept for a look.
    pub quarantined: usize,
    /// All of it, in bytes.
    pub bytes: u64,
    /// What the store and the records hold after it, in bytes.
    pub left: u64,
    /// Paths that could not be removed, each with the reason.
    pub refused: Vec<String>,
}

/// What a directory is called while it is being removed: half of a record is none.
const REMOVED: &str = ".removed";

/// Removes what nobody needs.
///
/// # Errors
/// `Busy` while a run uses the store; `Corrupt` or `Io` when a record, the lock, an alias, a
/// conflict or a directory cannot be read, because what it needs is not known then.
pub fn collect(
    project: &Project,
    graph: &Graph,
    policy: Policy,
    now: SystemTime,
) -> Result<Freed, Error> {
    let lock = project.store.use_lock().map_err(Error::io("open", "the lock of the store"))?;
    if !policy.is_dry && !lock.try_take().map_err(Error::io("take", "the lock of the store"))? {
        let message = "a run is using the store; nothing was removed";
        return Err(Error::Busy(message.to_owned()));
    }
    let survey = Survey::new(project)?;
    let (kept, needed) = kept(&survey, policy, now);
    let mut sweep = Sweep { project, is_dry: policy.is_dry, needed, freed: Freed::default() };
    sweep.leavings();
    sweep.outputs(&survey, graph);
    let of_outputs = sweep.freed.bytes;
    sweep.runs(&survey, &kept);
    sweep.documents(&survey);
    sweep.objects(&survey);
    let Sweep { mut freed, needed, .. } = sweep;
    freed.left = survey.total().saturating_sub(freed.bytes - of_outputs);
    if !policy.is_dry {
        project.store.stat().retain(|name| is_remembered(project, &needed, name));
        project.store.settle()?;
    }
    Ok(freed)
}

/// Whether something that is needed, or there, is remembered under a name.
fn is_remembered(project: &Project, needed: &Needed<'_>, name: &str) -> bool {
    match name.split_once(':') {
        Some(("recipe", key)) => key.parse().is_ok_and(|key| needed.has("recipes", &key)),
        Some(("out", path)) => files::exists(&project.outputs.join(path)),
        Some(("data" | "tool", path)) => files::exists(&project.root.join(path)),
        _ => name.parse().is_ok_and(|digest| needed.has("objects", &digest)),
    }
}

/// The indices of the runs that are kept, and what they need.
fn kept<'s>(survey: &'s Survey, policy: Policy, now: SystemTime) -> (BTreeSet<usize>, Needed<'s>) {
    let n_runs = survey.runs.len();
    let is_young = |index: &usize| {
        let started = &survey.runs[*index].started;
        // A run that does not say when it was is not removed for its age.
        let age = humantime::parse_rfc3339(started).map(|then| now.duration_since(then));
        policy.max_age.is_some_and(|max| !matches!(age, Ok(Ok(age)) if age > max))
    };
    let is_last = |index: &usize| policy.keep_last.is_some_and(|last| *index + last >= n_runs);
    let has_no_rule = policy.keep_last.is_none() && policy.max_age.is_none();
    let is_kept =
        |index: &usize| has_no_rule || is_young(index) || is_last(index) || *index + 1 == n_runs;
    let mut kept: BTreeSet<usize> = (0..n_runs).filter(is_kept).collect();
    let mut needed = Needed::new(survey);
    kept.iter().for_each(|index| needed.add(*index));
    while let Some(max) = policy.max_size
        && kept.len() > 1
        && needed.bytes() > max
        && let Some(oldest) = kept.pop_first()
    {
        needed.drop(oldest);
    }
    (kept, needed)
}

/// The removal, in an order in which it may be killed.
struct Sweep<'a> {
    project: &'a Project,
    is_dry: bool,
    needed: Needed<'a>,
    freed: Freed,
}

impl Sweep<'_> {
    /// Removes what a collection left that was killed, or could not remove something.
    fn leavings(&mut self) {
        let Project { outputs, runs, store, .. } = self.project;
        let quarantine = store.root().join("quarantine");
        for dir in [outputs, runs.dir(), store.root(), &quarantine] {
            let left = dir.join(REMOVED);
            if !self.is_dry && files::may_exist(&left) {
                self.told(&left, files::remove_dir(&left));
            }
        }
    }

    fn runs(&mut self, survey: &Survey, kept: &BTreeSet<usize>) {
        for (index, run) in survey.runs.iter().enumerate() {
            if kept.contains(&index) {
                continue;
            }
            if self.remove(&run.dir, self.project.runs.dir()) {
                self.freed.runs.push(run.id.clone());
                self.freed.bytes += run.bytes;
            } else {
                self.needed.add(index);
            }
        }
    }

    fn documents(&mut self, survey: &Survey) {
        for part in ["conflicts", "observed", "outcomes", "recipes"] {
            let n_removed = self.part(survey, part);
            match part {
                "outcomes" => self.freed.outcomes = n_removed,
                "recipes" => self.freed.recipes = n_removed,
                _ => {}
            }
        }
    }

    fn objects(&mut self, survey: &Survey) {
        self.freed.objects = self.part(survey, "objects");
        let quarantine = self.project.store.root().join("quarantine");
        for path in files::entries(&quarantine).unwrap_or_default() {
            let bytes = files::size(&path);
            if self.remove(&path, &quarantine) {
                self.freed.quarantined += 1;
                self.freed.bytes += bytes;
            }
        }
    }

    /// Removes what is not needed of a part; what is not named by a digest is a stranger's, told by
    /// `verify` and left alone.
    fn part(&mut self, survey: &Survey, part: &str) -> usize {
        let mut n_removed = 0;
        for (digest, bytes) in survey.part(part) {
            if self.needed.has(part, digest) {
                continue;
            }
            let path = self.project.store.place(part, digest);
            if self.remove(&path, self.project.store.root()) {
                n_removed += 1;
                self.freed.bytes += bytes;
            } else if part == "outcomes" || part == "conflicts" {
                self.needed.add_key(digest);
            }
        }
        n_removed
    }

    /// Removes what stages yielded that the pipeline no longer has. A directory that holds anything
    /// else is left alone.
    fn outputs(&mut self, survey: &Survey, graph: &Graph) {
        let known: BTreeSet<_> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
        for (name, key) in survey.last.iter().filter(|(name, _)| !known.contains(name.as_str())) {
            let Ok(outcome) = self.project.store.outcome(key) else { continue };
            let dir = self.project.outputs.join(name);
            let is_removed = match outputs::is_exactly(self.project, name, &outcome) {
                Ok(false) => continue,
                Ok(true) => {
                    let bytes = files::size(&dir);
                    let is_removed = self.remove(&dir, &self.project.outputs);
                    self.freed.bytes += if is_removed { bytes } else { 0 };
                    is_removed
                }
                Err(error) => self.told(&dir, Err(error)),
            };
            if is_removed {
                self.freed.outputs.push(name.clone());
            } else {
                // The next collection must know that they are what the stage yielded.
                self.needed.add_outcome(&outcome);
            }
        }
    }

    /// Removes a file, or a directory at once: half of a record is none. It is first given another
    /// name in a directory of the same file system.
    fn remove(&mut self, path: &Path, beside: &Path) -> bool {
        if self.is_dry {
            return true;
        }
        let is_dir = files::link_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let removed = match is_dir {
            false => files::remove(path),
            true => {
                let away = beside.join(REMOVED);
                files::rename(path, &away).and_then(|()| files::remove_dir(&away))
            }
        };
        self.told(path, removed)
    }

    fn told(&mut self, path: &Path, removed: io::Result<()>) -> bool {
        if let Err(error) = &removed {
            self.freed.refused.push(format!("cannot remove `{}`: {error}", path.display()));
        }
        removed.is_ok()
    }
}
