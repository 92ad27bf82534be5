//! What nobody needs any more, and its removal.
//!
//! Needed is what a kept run, the lock or the newest run speaks of; everything else in the store is
//! garbage. A record goes before its outcomes and an outcome before its objects, so that a
//! collection that is killed leaves garbage and never a name without its bytes. Runs share the lock
//! `use` from their beginning to their end, and a collection has it alone. It knows nothing of how
//! sizes and ages are written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::lock::Lock;
use crate::project::Project;
use crate::record::Recorded;

/// Which runs are kept. A run is kept when any rule that is given keeps it; without one, all are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// The newest so many; at least one is always kept.
    pub keep_last: Option<usize>,
    /// Those that started so lately.
    pub max_age: Option<Duration>,
    /// How many bytes the store may hold: then the oldest runs go, whatever kept them, but never
    /// the newest and nothing that the lock needs.
    pub max_size: Option<u64>,
    /// Only say what would be removed.
    pub is_dry: bool,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// The ids of the runs, oldest first.
    pub runs: Vec<String>,
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
    /// What the store holds after it, in bytes.
    pub left: u64,
    /// Paths that could not be removed, each with the reason.
    pub refused: Vec<String>,
}

/// Removes what nobody needs.
///
/// # Errors
/// `Busy` while a run uses the store; `Corrupt` when a record or the lock cannot be read, because
/// what it needs is not known then; else what reading the directories gives.
pub fn collect(project: &Project, policy: Policy, now: SystemTime) -> Result<Freed, Error> {
    let lock = project.store.use_lock().map_err(Error::io("open", "the lock of the store"))?;
    if !policy.is_dry && !lock.try_take().map_err(Error::io("take", "the lock of the store"))? {
        let message = "a run is using the store; nothing was removed";
        return Err(Error::Busy(message.to_owned()));
    }
    let survey = Survey::new(project)?;
    let kept = survey.kept(policy, now);
    let needed = survey.needed(&kept);
    let total = survey.total();
    let mut sweep = Sweep { project, is_dry: policy.is_dry, freed: Freed::default() };
    sweep.runs(&survey, &kept);
    sweep.documents(&survey, &needed);
    sweep.objects(&survey, &needed);
    let Sweep { mut freed, .. } = sweep;
    freed.left = total.saturating_sub(freed.bytes);
    if !policy.is_dry {
        project.store.stat().retain(|name| is_remembered(project, &needed, name));
        project.store.settle()?;
    }
    Ok(freed)
}

/// Whether something that is needed, or there, is remembered under a name.
fn is_remembered(project: &Project, needed: &Needed, name: &str) -> bool {
    match name.split_once(':') {
        Some(("recipe", key)) => key.parse().is_ok_and(|key| needed.recipes.contains(&key)),
        Some(("out", path)) => files::exists(&project.outputs.join(path)),
        Some(("data" | "tool", path)) => files::exists(&project.root.join(path)),
        _ => name.parse().is_ok_and(|digest| needed.objects.contains(&digest)),
    }
}

/// The keys and objects that are needed.
#[derive(Default)]
struct Needed {
    keys: BTreeSet<Digest>,
    recipes: BTreeSet<Digest>,
    objects: BTreeSet<Digest>,
}

type Named = Vec<(PathBuf, Option<Digest>, u64)>;

/// Everything there is.
struct Survey<'a> {
    project: &'a Project,
    /// Oldest first.
    runs: Vec<(PathBuf, Recorded)>,
    lock: Lock,
    last: BTreeMap<String, Digest>,
    parts: BTreeMap<&'static str, Named>,
}

/// The parts of the store that are named by a digest.
const PARTS: [&str; 5] = ["conflicts", "observed", "outcomes", "recipes", "objects"];

impl<'a> Survey<'a> {
    fn new(project: &'a Project) -> Result<Survey<'a>, Error> {
        let mut runs = Vec::new();
        for dir in project.runs.list()? {
            let recorded = project.runs.read(&dir)?;
            runs.push((dir, recorded));
        }
        let mut parts = BTreeMap::new();
        for part in PARTS {
            let root = project.store.root().join(part);
            let named = project.store.named(part).map_err(Error::io("read", root))?;
            let sized = named.into_iter().map(|(path, digest)| {
                let size = size(&path);
                (path, digest, size)
            });
            parts.insert(part, sized.collect());
        }
        let lock = project.lock()?.unwrap_or_default();
        Ok(Survey { project, runs, lock, last: project.runs.last_keys(), parts })
    }

    fn total(&self) -> u64 {
        self.parts.values().flatten().map(|(_, _, size)| size).sum::<u64>()
            + size(&self.quarantine())
    }

    fn quarantine(&self) -> PathBuf {
        self.project.store.root().join("quarantine")
    }

    /// The indices of the runs that are kept.
    fn kept(&self, policy: Policy, now: SystemTime) -> BTreeSet<usize> {
        let n_runs = self.runs.len();
        let is_young = |index: &usize| {
            let started = &self.runs[*index].1.observed.started;
            // A run that does not say when it was is not removed for its age.
            let age = humantime::parse_rfc3339(started).map(|then| now.duration_since(then));
            policy.max_age.is_some_and(|max| !matches!(age, Ok(Ok(age)) if age > max))
        };
        let is_last = |index: &usize| policy.keep_last.is_some_and(|last| *index + last >= n_runs);
        let has_no_rule = policy.keep_last.is_none() && policy.max_age.is_none();
        let is_kept = |index: &usize| {
            has_no_rule || is_young(index) || is_last(index) || *index + 1 == n_runs
        };
        let mut kept: BTreeSet<usize> = (0..n_runs).filter(is_kept).collect();
        while let Some(max) = policy.max_size
            && kept.len() > 1
            && self.size_of(&self.needed(&kept)) > max
        {
            kept.pop_first();
        }
        kept
    }

    fn needed(&self, kept: &BTreeSet<usize>) -> Needed {
        let mut needed = Needed::default();
        for stage in kept.iter().flat_map(|index| &self.runs[*index].1.run.stages) {
            needed.keys.insert(stage.key);
            needed.objects.extend(stage.files.iter().map(|file| file.digest));
        }
        for stage in self.lock.stages.values() {
            needed.keys.insert(stage.key);
            needed.objects.extend(stage.outputs.values());
        }
        // What each stage last was tells why it runs again, even when its outputs are gone.
        needed.recipes = needed.keys.iter().chain(self.last.values()).copied().collect();
        for key in &needed.keys {
            let outcome = self.project.store.outcome(key).ok();
            let files = outcome.iter().flat_map(|outcome| &outcome.files);
            needed.objects.extend(files.map(|file| file.digest));
        }
        needed
    }

    fn size_of(&self, needed: &Needed) -> u64 {
        let of_part = |part: &str| {
            let is_needed = |name: &&(PathBuf, Option<Digest>, u64)| needed.has(part, name.1);
            self.parts[part].iter().filter(is_needed).map(|(_, _, size)| size).sum::<u64>()
        };
        PARTS.into_iter().map(of_part).sum()
    }
}

impl Needed {
    fn has(&self, part: &str, digest: Option<Digest>) -> bool {
        let needed = match part {
            "objects" => &self.objects,
            "recipes" => &self.recipes,
            _ => &self.keys,
        };
        digest.is_some_and(|digest| needed.contains(&digest))
    }
}

/// The size of a file, or of the files in a directory.
fn size(path: &Path) -> u64 {
    match files::link_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let files = files::walk(path).unwrap_or_default();
            files.iter().map(|file| size(file)).sum()
        }
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

/// The removal, in an order in which it may be killed.
struct Sweep<'a> {
    project: &'a Project,
    is_dry: bool,
    freed: Freed,
}

impl Sweep<'_> {
    fn runs(&mut self, survey: &Survey<'_>, kept: &BTreeSet<usize>) {
        for (index, (dir, recorded)) in survey.runs.iter().enumerate() {
            if !kept.contains(&index) && self.remove(dir) {
                self.freed.runs.push(recorded.id.clone());
            }
        }
    }

    fn documents(&mut self, survey: &Survey<'_>, needed: &Needed) {
        for part in ["conflicts", "observed", "outcomes", "recipes"] {
            let n_removed = self.part(survey, needed, part);
            match part {
                "outcomes" => self.freed.outcomes = n_removed,
                "recipes" => self.freed.recipes = n_removed,
                _ => {}
            }
        }
    }

    fn objects(&mut self, survey: &Survey<'_>, needed: &Needed) {
        self.freed.objects = self.part(survey, needed, "objects");
        for path in files::entries(&survey.quarantine()).unwrap_or_default() {
            let bytes = size(&path);
            if self.remove(&path) {
                self.freed.quarantined += 1;
                self.freed.bytes += bytes;
            }
        }
    }

    /// Removes what is not needed of a part; what is not named by a digest is a stranger's, told by
    /// `verify` and left alone.
    fn part(&mut self, survey: &Survey<'_>, needed: &Needed, part: &str) -> usize {
        let mut n_removed = 0;
        for (path, digest, bytes) in &survey.parts[part] {
            if digest.is_some() && !needed.has(part, *digest) && self.remove(path) {
                n_removed += 1;
                self.freed.bytes += bytes;
            }
        }
        n_removed
    }

    /// Removes a file or directory at once, by way of scratch: half of a record is none.
    fn remove(&mut self, path: &Path) -> bool {
        if self.is_dry {
            return true;
        }
        let is_dir = files::link_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let removed = match is_dir {
            false => files::remove(path),
            true => self.project.store.room().and_then(|room| {
                let away = room.join("removed");
                files::rename(path, &away).and_then(|()| files::remove_dir(&away))
            }),
        };
        if let Err(error) = &removed {
            self.freed.refused.push(format!("cannot remove `{}`: {error}", path.display()));
        }
        removed.is_ok()
    }
}
