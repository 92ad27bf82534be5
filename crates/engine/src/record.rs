//! The record of a run: what it yielded, and, kept apart, what was observed meanwhile.
//!
//! ```text
//! runs/20261123T151122Z-3f9c21ab04de/run.json        identity: stages, keys, outputs, metrics
//! runs/20261123T151122Z-3f9c21ab04de/observed.json   time, host, threads, git, command line
//! runs/last.json                                     per stage the key it last had
//! ```
//!
//! Two runs with the same `run.json` are bit-identical. Nothing of `observed.json` enters a digest.
//! The directory's name begins with the time, so that names sort; the id after it names the run.
//! Should the clock have been set back, or two runs start within one second, the later has the next
//! second in its name: the order of the names is that in which runs were recorded.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::kind::Metric;
use crate::store::{Outcome, OutputFile, Store};

/// The format of `run.json`.
const FORMAT: &str = "pipeline.run/1";
/// The least digits of an id that name a run.
const LEAST_ID_CHARS: usize = 4;

/// What a run yielded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The format of this document.
    pub format: String,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The stages that have an outcome, in graph order.
    pub stages: Vec<RunStage>,
}

/// What one stage yielded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStage {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: Digest,
    /// Its files, sorted by path.
    pub files: Vec<OutputFile>,
    /// Its metrics.
    pub metrics: BTreeMap<String, Metric>,
}

impl Run {
    /// The run of a pipeline with its stages in graph order.
    pub fn new(pipeline: &str, stages: Vec<RunStage>) -> Run {
        Run { format: FORMAT.to_owned(), pipeline: pipeline.to_owned(), stages }
    }

    /// The result digest: over every (stage, output path, output digest).
    pub fn result(&self) -> Digest {
        let files = self.stages.iter().flat_map(|stage| {
            stage.files.iter().map(|file| (&stage.stage, &file.path, file.digest))
        });
        Digest::of(&canonical::to_bytes(&files.collect::<Vec<_>>()))
    }
}

impl RunStage {
    /// The part of a run that an outcome is.
    pub fn new(stage: &str, kind: &str, outcome: &Outcome) -> RunStage {
        RunStage {
            stage: stage.to_owned(),
            kind: kind.to_owned(),
            key: outcome.key,
            files: outcome.files.clone(),
            metrics: outcome.findings.metrics.clone(),
        }
    }
}

/// What was observed while a run went on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// When it started, in UTC, as RFC 3339.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How it ended: `ok`, `failed`, `gate`, `interrupted`.
    pub status: String,
    /// The machine.
    pub host: String,
    /// How many stages could run at once.
    pub jobs: usize,
    /// The program's version.
    pub version: String,
    /// The arguments of the command line.
    pub command: Vec<String>,
    /// The git commit of the project, when it is in a repository.
    pub git_commit: Option<String>,
    /// Whether files differed from that commit, or were not in it.
    pub git_dirty: Option<bool>,
    /// Per stage what was observed.
    pub stages: BTreeMap<String, ObservedStage>,
}

/// What was observed of one stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObservedStage {
    /// `run`, `cached`, `failed`, `gate`, `interrupted` or `skipped`.
    pub status: String,
    /// Why it ran.
    pub reason: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The 12 hex digits that name it.
    pub id: String,
    /// What it yielded.
    pub run: Run,
    /// What was observed.
    pub observed: Observed,
}

/// The directory of all runs.
#[derive(Clone, Debug)]
pub struct Runs {
    dir: PathBuf,
}

impl Runs {
    /// The runs kept in a directory, which need not exist.
    pub fn new(dir: PathBuf) -> Runs {
        Runs { dir }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directories of all runs, oldest first.
    ///
    /// # Errors
    /// What reading the directory gives.
    pub fn list(&self) -> Result<Vec<PathBuf>, Error> {
        let mut dirs = files::entries(&self.dir).map_err(Error::io("read", &self.dir))?;
        dirs.retain(|dir| is_run(dir));
        Ok(dirs)
    }

    /// Reads a run.
    ///
    /// # Errors
    /// `Corrupt` when its `run.json` is not what was written.
    pub fn read(&self, dir: &Path) -> Result<Recorded, Error> {
        let path = dir.join("run.json");
        let bytes = files::read(&path).map_err(Error::io("read", &path))?;
        let run = canonical::unseal(&bytes).filter(|run: &Run| run.format == FORMAT);
        let id = id_of(dir).unwrap_or_default().to_owned();
        let run =
            run.ok_or_else(|| Error::Corrupt(format!("the record of run {id} is damaged")))?;
        // Observations prove nothing: a damaged file only loses them.
        let observed = canonical::read(&dir.join("observed.json")).unwrap_or_default();
        Ok(Recorded { id, run, observed })
    }

    /// The run that a name means: an id or its beginning, `@` for the latest, `@-1` for the one
    /// before.
    ///
    /// # Errors
    /// `Missing` when there is none or more than one.
    pub fn find(&self, name: &str) -> Result<Recorded, Error> {
        let dirs = self.list()?;
        if let Some(back) = name.strip_prefix('@') {
            let back: usize = match back {
                "" => 0,
                back => back.strip_prefix('-').and_then(|n| n.parse().ok()).ok_or_else(|| {
                    Error::Missing(format!("`{name}` is no run; the one before is `@-1`"))
                })?,
            };
            let dir = dirs.len().checked_sub(back + 1).and_then(|index| dirs.get(index));
            let n_runs = dirs.len();
            let missing = || Error::Missing(format!("there is no run `{name}`: {n_runs} recorded"));
            return self.read(dir.ok_or_else(missing)?);
        }
        let is_meant = |dir: &&PathBuf| id_of(dir).is_some_and(|id| id.starts_with(name));
        let found: Vec<_> = dirs.iter().filter(is_meant).collect();
        match found.as_slice() {
            [dir] if name.len() >= LEAST_ID_CHARS => self.read(dir),
            [] => Err(Error::Missing(format!("there is no run `{name}`"))),
            [_] => Err(Error::Missing(format!(
                "`{name}` is too short for a run: give {LEAST_ID_CHARS} digits"
            ))),
            several => {
                let ids: Vec<_> = several.iter().filter_map(|dir| id_of(dir)).collect();
                Err(Error::Missing(format!("`{name}` may be any of {}", ids.join(", "))))
            }
        }
    }

    /// The name of the directory of a run with this id.
    pub(crate) fn dir_of(&self, id: &str) -> Option<String> {
        let dirs = self.list().ok()?;
        let dir = dirs.into_iter().rev().find(|dir| id_of(dir) == Some(id))?;
        Some(dir.file_name()?.to_str()?.to_owned())
    }

    /// Records a run, written by way of the store, and returns its id. To be called while nobody
    /// else writes records.
    ///
    /// # Errors
    /// What writing gives.
    pub fn save(&self, run: &Run, observed: &Observed, store: &Store) -> Result<String, Error> {
        let sealed = canonical::seal(run);
        let mut name = Digest::builder();
        name.add(&sealed);
        name.add(&canonical::to_bytes(observed));
        name.add(&std::process::id().to_le_bytes());
        let id = name.finish().short();
        self.sweep();
        let stamp = self.stamp(&observed.started)?;
        let dir = self.dir.join(format!("{stamp}-{id}"));
        let observed = canonical::to_bytes(observed);
        self.place(&dir, &[("observed.json", &observed), ("run.json", &sealed)], store)
            .map_err(Error::io("write", &dir))?;
        Ok(id)
    }

    /// Writes the files of a record in scratch, and gives them their place at once.
    fn place(&self, dir: &Path, parts: &[(&str, &[u8])], store: &Store) -> io::Result<()> {
        let in_room = |room: &Path| -> io::Result<()> {
            let made = room.join("record");
            let _ = files::remove_dir(&made);
            files::make_dir(&made)?;
            for (name, bytes) in parts {
                files::write(&made.join(name), bytes)?;
            }
            files::rename_into(&made, dir)
        };
        // Records can be written where the store cannot, or is elsewhere.
        let placed = store.room().map_or(Err(io::ErrorKind::CrossesDevices.into()), in_room);
        match placed {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                files::make_dirs(dir)?;
                // In their order, because a run exists when the last file does.
                parts.iter().try_for_each(|(name, bytes)| store.write(&dir.join(name), bytes))
            }
            placed => placed,
        }
    }

    /// Removes what is left of records whose writer was killed before they were whole. That this
    /// fails is no matter: nobody sees them.
    fn sweep(&self) {
        for dir in files::entries(&self.dir).unwrap_or_default() {
            if name_of(&dir).is_some() && !is_run(&dir) && files::is_dir(&dir) {
                let _ = files::remove_dir(&dir);
            }
        }
    }

    /// What the name of a new record begins with: when it started, and behind all others.
    fn stamp(&self, started: &str) -> Result<String, Error> {
        let stamp = compact(started);
        let newest = self.list()?.pop();
        let newest = newest.as_deref().and_then(name_of).map(|(stamp, _)| stamp);
        Ok(newest.filter(|newest| *newest >= stamp.as_str()).and_then(after).unwrap_or(stamp))
    }

    /// Per stage the key it last had.
    pub fn last_keys(&self) -> BTreeMap<String, Digest> {
        canonical::read(&self.dir.join("last.json")).unwrap_or_default()
    }

    /// The same; a damaged file counts as none, and one that cannot be read now does not.
    pub(crate) fn try_last_keys(&self) -> Result<BTreeMap<String, Digest>, Error> {
        let path = self.dir.join("last.json");
        let bytes = files::read_if_there(&path).map_err(Error::io("read", &path))?;
        Ok(bytes.and_then(|bytes| canonical::from_bytes(&bytes).ok()).unwrap_or_default())
    }

    /// Remembers the keys that stages had, beside those of stages that did not take part.
    ///
    /// # Errors
    /// What writing gives.
    pub fn remember_keys(&self, stages: &[RunStage], store: &Store) -> Result<(), Error> {
        let mut keys = self.last_keys();
        let before = keys.clone();
        keys.extend(stages.iter().map(|stage| (stage.stage.clone(), stage.key)));
        if keys == before {
            return Ok(());
        }
        files::make_dirs(&self.dir).map_err(Error::io("make", &self.dir))?;
        let path = self.dir.join("last.json");
        let bytes = canonical::to_bytes(&keys);
        store.write(&path, &bytes).map_err(Error::io("write", path))
    }
}

/// Whether a directory is that of a run. One that cannot be looked at now is, so that it is neither
/// passed over nor swept.
fn is_run(dir: &Path) -> bool {
    id_of(dir).is_some() && files::may_exist(&dir.join("run.json"))
}

/// The id in the name of a run's directory.
fn id_of(dir: &Path) -> Option<&str> {
    Some(name_of(dir)?.1)
}

/// The two parts of the name of a run's directory.
fn name_of(dir: &Path) -> Option<(&str, &str)> {
    dir.file_name()?.to_str()?.rsplit_once('-').filter(|(_, id)| id.len() == 12)
}

/// A time as names have it.
fn compact(time: &str) -> String {
    time.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

/// The second after a time as names have it.
fn after(stamp: &str) -> Option<String> {
    let part = |range| stamp.get(range);
    let (day, hour) = (part(6..8)?, part(9..11)?);
    let date = format!("{}-{}-{day}", part(0..4)?, part(4..6)?);
    let time = format!("{date}T{hour}:{}:{}Z", part(11..13)?, part(13..15)?);
    let next = humantime::parse_rfc3339(&time).ok()? + Duration::from_secs(1);
    Some(compact(&humantime::format_rfc3339_seconds(next).to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn observed(started: &str) -> Observed {
        Observed { started: started.to_owned(), ..Observed::default() }
    }

    #[test]
    fn runs_are_found_by_id_and_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path().join("runs"));
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        let first =
            runs.save(&Run::new("p", vec![]), &observed("2026-11-23T10:00:00Z"), &store).unwrap();
        let second =
            runs.save(&Run::new("q", vec![]), &observed("2026-11-23T11:00:00Z"), &store).unwrap();
        assert_eq!(runs.find("@").unwrap().id, second);
        assert_eq!(runs.find("@-1").unwrap().id, first);
        assert_eq!(runs.find(&first[..6]).unwrap().run.pipeline, "p");
        for wrong in ["@-2", "@1", "zzzz", ""] {
            assert!(runs.find(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn runs_are_in_the_order_in_which_they_were_recorded_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path().join("runs"));
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        let times = ["2026-12-31T23:59:59Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"];
        for (i, time) in times.into_iter().chain(["2027-11-23T10:00:00Z"]).enumerate() {
            let run = Run::new(&i.to_string(), vec![]);
            let id = runs.save(&run, &observed(time), &store).unwrap();
            assert_eq!(runs.find("@").unwrap(), Recorded { id, run, observed: observed(time) });
        }
        let dirs = runs.list().unwrap();
        let stamps: Vec<_> = dirs.iter().map(|dir| name_of(dir).unwrap().0).collect();
        let expected =
            ["20261231T235959Z", "20270101T000000Z", "20270101T000001Z", "20271123T100000Z"];
        assert_eq!(stamps, expected);
    }

    #[test]
    fn what_is_left_of_a_record_that_was_never_whole_goes_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path().join("runs"));
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        let left = runs.dir().join("20261123T100000Z-0123456789ab");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("observed.json"), "{}").unwrap();
        fs::create_dir_all(runs.dir().join("mine")).unwrap();
        runs.save(&Run::new("p", vec![]), &observed("2026-11-23T10:00:00Z"), &store).unwrap();
        assert!(!left.exists() && runs.dir().join("mine").exists());
        assert_eq!(runs.list().unwrap().len(), 1);
    }

    #[test]
    fn a_flipped_byte_in_a_record_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path().join("runs"));
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        runs.save(&Run::new("pipeline", vec![]), &observed("2026-11-23T10:00:00Z"), &store)
            .unwrap();
        let path = runs.list().unwrap()[0].join("run.json");
        let text = fs::read_to_string(&path).unwrap().replace("\"pipeline\",", "\"pipelime\",");
        fs::write(&path, text).unwrap();
        assert!(matches!(runs.find("@"), Err(Error::Corrupt(_))));
    }

    #[test]
    fn the_result_does_not_depend_on_keys() {
        let stage = |key: &[u8]| RunStage {
            stage: "a".to_owned(),
            kind: "text".to_owned(),
            key: Digest::of(key),
            files: vec![],
            metrics: BTreeMap::new(),
        };
        let run = |key: &[u8]| Run::new("p", vec![stage(key)]);
        assert_eq!(run(b"1").result(), run(b"2").result());
    }
}
