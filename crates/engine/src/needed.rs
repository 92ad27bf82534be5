//! What there is in a store, and what of it the kept runs, the lock and the aliases need.
//!
//! Of ten thousand stages in every run only digests are held. What is needed is counted: that a run
//! goes is a matter of its own keys, however many others there are. It removes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::outcome::{Conflict, Outcome};
use crate::project::Project;

/// The parts of the store that are named by a digest.
const PARTS: [&str; 5] = ["conflicts", "observed", "outcomes", "recipes", "objects"];

/// A recorded run, or the lock, by what it speaks of.
#[derive(Default)]
pub(crate) struct Speaker {
    /// Where it is recorded.
    pub(crate) dir: PathBuf,
    /// Its id.
    pub(crate) id: String,
    /// When it started, as it says itself.
    pub(crate) started: String,
    /// How many bytes its record takes.
    pub(crate) bytes: u64,
    keys: Vec<Digest>,
    objects: Vec<Digest>,
}

/// Everything there is.
pub(crate) struct Survey {
    /// Oldest first.
    pub(crate) runs: Vec<Speaker>,
    /// Per stage the key it last had.
    pub(crate) last: BTreeMap<String, Digest>,
    lock: Speaker,
    /// What stands behind an alias, or did.
    aliases: Vec<Speaker>,
    /// Per part and digest, how many bytes it takes.
    parts: BTreeMap<&'static str, BTreeMap<Digest, u64>>,
    /// Bytes of what is named by no digest or kept for a look.
    others: u64,
    /// Per key that anything speaks of, the objects of its outcome and of those that it conflicts
    /// with.
    objects: BTreeMap<Digest, Vec<Digest>>,
}

impl Survey {
    /// Looks at a project.
    ///
    /// # Errors
    /// `Corrupt` when a record or the lock is damaged; `Io` when one of them, a conflict, the keys
    /// that stages last had or a directory cannot be read.
    pub(crate) fn new(project: &Project) -> Result<Survey, Error> {
        let mut runs = Vec::new();
        for dir in project.runs.list()? {
            let recorded = project.runs.read(&dir)?;
            let stages = &recorded.run.stages;
            let files = stages.iter().flat_map(|stage| &stage.files);
            runs.push(Speaker {
                bytes: files::size(&dir),
                dir,
                keys: stages.iter().map(|stage| stage.key).collect(),
                objects: files.map(|file| file.digest).collect(),
                id: recorded.id,
                started: recorded.observed.started,
            });
        }
        let locked = project.lock()?.unwrap_or_default().stages;
        let lock = Speaker {
            keys: locked.values().map(|stage| stage.key).collect(),
            objects: locked.values().flat_map(|stage| stage.outputs.values()).copied().collect(),
            ..Speaker::default()
        };
        drop(locked);
        let aliases = aliases(project)?;
        let last = project.runs.try_last_keys()?;
        let mut survey = Survey {
            runs,
            last,
            lock,
            aliases,
            parts: BTreeMap::new(),
            others: files::size(&project.store.root().join("quarantine")),
            objects: BTreeMap::new(),
        };
        for part in PARTS {
            survey.look(project, part)?;
        }
        survey.read_outcomes(project)?;
        Ok(survey)
    }

    fn look(&mut self, project: &Project, part: &'static str) -> Result<(), Error> {
        let root = project.store.root().join(part);
        let sizes = self.parts.entry(part).or_default();
        for (path, digest) in project.store.named(part).map_err(Error::io("read", root))? {
            match digest {
                Some(digest) => drop(sizes.insert(digest, files::size(&path))),
                None => self.others += files::size(&path),
            }
        }
        Ok(())
    }

    /// What is damaged needs nothing: `verify` tells it. What a conflict that cannot be read now
    /// speaks of is not known.
    fn read_outcomes(&mut self, project: &Project) -> Result<(), Error> {
        let speakers = self.runs.iter().chain([&self.lock]).chain(&self.aliases);
        for key in speakers.flat_map(|speaker| &speaker.keys) {
            if self.objects.contains_key(key) {
                continue;
            }
            let outcome = project.store.outcome(key).ok();
            let mut objects: Vec<_> =
                outcome.iter().flat_map(|one| &one.files).map(|file| file.digest).collect();
            if self.parts["conflicts"].contains_key(key) {
                let dir = project.store.place("conflicts", key);
                for path in files::entries(&dir).map_err(Error::io("read", &dir))? {
                    let read = files::read_if_there(&path).map_err(Error::io("read", &path))?;
                    let conflict = read.and_then(|b| Conflict::read(&b, outcome.as_ref()));
                    let both = conflict.iter().flat_map(|c| [&c.stands.outcome, &c.other.outcome]);
                    objects.extend(both.flat_map(|one| &one.files).map(|file| file.digest));
                }
            }
            self.objects.insert(*key, objects);
        }
        Ok(())
    }

    /// All of a part by digest, with its size.
    pub(crate) fn part(&self, part: &str) -> &BTreeMap<Digest, u64> {
        &self.parts[part]
    }

    /// The bytes of everything.
    pub(crate) fn total(&self) -> u64 {
        let in_parts = self.parts.values().flat_map(BTreeMap::values).sum::<u64>();
        let in_runs = self.runs.iter().map(|run| run.bytes).sum::<u64>();
        in_parts + in_runs + self.others
    }
}

/// What each alias stands for and ever stood for: every rollback is to be possible.
fn aliases(project: &Project) -> Result<Vec<Speaker>, Error> {
    let mut speakers = Vec::new();
    for name in project.aliases.names()? {
        let Some(alias) = project.aliases.read(&name)? else { continue };
        let files = alias.ever().flat_map(|promoted| &promoted.files);
        speakers.push(Speaker {
            keys: alias.ever().map(|promoted| promoted.key).collect(),
            objects: files.map(|file| file.digest).collect(),
            ..Speaker::default()
        });
    }
    Ok(speakers)
}

/// The keys and objects that are needed, each with how often.
pub(crate) struct Needed<'s> {
    survey: &'s Survey,
    keys: BTreeMap<Digest, usize>,
    objects: BTreeMap<Digest, usize>,
    /// The recipes that stages last had.
    recipes: BTreeMap<Digest, usize>,
    bytes: u64,
}

/// The parts that a key has, recipes excepted.
const OF_KEYS: [&str; 3] = ["conflicts", "observed", "outcomes"];

impl<'s> Needed<'s> {
    /// What the lock and the aliases need.
    pub(crate) fn new(survey: &'s Survey) -> Needed<'s> {
        let (keys, objects, recipes) = Default::default();
        let mut needed = Needed { survey, keys, objects, recipes, bytes: survey.others };
        // What each stage last was tells why it runs again, even when its outputs are gone.
        survey.last.values().for_each(|key| needed.count_recipe(key));
        needed.add_speaker(&survey.lock);
        survey.aliases.iter().for_each(|alias| needed.add_speaker(alias));
        needed
    }

    /// A run is kept.
    pub(crate) fn add(&mut self, run: usize) {
        self.bytes += self.survey.runs[run].bytes;
        self.add_speaker(&self.survey.runs[run]);
    }

    fn add_speaker(&mut self, speaker: &Speaker) {
        speaker.keys.iter().for_each(|key| self.add_key(key));
        speaker.objects.iter().for_each(|object| self.add_object(object));
    }

    /// A key is needed, with all that it stands for.
    pub(crate) fn add_key(&mut self, key: &Digest) {
        if count(&mut self.keys, key) {
            self.bytes += self.of_key(key);
        }
        self.count_recipe(key);
        let survey = self.survey;
        survey.objects.get(key).into_iter().flatten().for_each(|object| self.add_object(object));
    }

    /// An outcome is needed that no run speaks of.
    pub(crate) fn add_outcome(&mut self, outcome: &Outcome) {
        self.add_key(&outcome.key);
        outcome.files.iter().for_each(|file| self.add_object(&file.digest));
    }

    fn count_recipe(&mut self, key: &Digest) {
        if count(&mut self.recipes, key) {
            self.bytes += self.size("recipes", key);
        }
    }

    fn add_object(&mut self, object: &Digest) {
        if count(&mut self.objects, object) {
            self.bytes += self.size("objects", object);
        }
    }

    /// A run that was kept no longer is.
    pub(crate) fn drop(&mut self, run: usize) {
        let survey = self.survey;
        let run = &survey.runs[run];
        self.bytes -= run.bytes;
        for key in &run.keys {
            if discount(&mut self.keys, key) {
                self.bytes -= self.of_key(key);
            }
            if discount(&mut self.recipes, key) {
                self.bytes -= self.size("recipes", key);
            }
        }
        let of_keys = run.keys.iter().filter_map(|key| survey.objects.get(key)).flatten();
        for object in of_keys.chain(&run.objects) {
            if discount(&mut self.objects, object) {
                self.bytes -= self.size("objects", object);
            }
        }
    }

    fn size(&self, part: &str, digest: &Digest) -> u64 {
        self.survey.parts[part].get(digest).copied().unwrap_or(0)
    }

    fn of_key(&self, key: &Digest) -> u64 {
        OF_KEYS.iter().map(|part| self.size(part, key)).sum()
    }

    /// The bytes of all that is needed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether something of a part is needed.
    pub(crate) fn has(&self, part: &str, digest: &Digest) -> bool {
        let needed = match part {
            "objects" => &self.objects,
            "recipes" => &self.recipes,
            _ => &self.keys,
        };
        needed.contains_key(digest)
    }
}

/// Counts one more; whether it is the first.
fn count(counts: &mut BTreeMap<Digest, usize>, digest: &Digest) -> bool {
    let count = counts.entry(*digest).or_insert(0);
    *count += 1;
    *count == 1
}

/// Counts one less; whether it was the last.
fn discount(counts: &mut BTreeMap<Digest, usize>, digest: &Digest) -> bool {
    let Some(count) = counts.get_mut(digest) else { return false };
    *count -= 1;
    let is_last = *count == 0;
    if is_last {
        counts.remove(digest);
    }
    is_last
}
