//! Whether the service can really predict: proved, not presumed.
//!
//! Ready means that the model is in memory, that every file of the package is on disk with the
//! bytes that were loaded, and that the reference rows gave their exact bits. A file that is gone
//! or altered makes the service unready and nothing more: the model in memory is still the proved
//! one and goes on answering, and a restart would only turn a working service into a broken one.
//! Unless it is another package that lies there now: that one is taken up before the probe is
//! answered, so that a replaced package never looks like a damaged one. A probe costs one `stat`
//! per file; a file is read again only when its stat changed, and all files every now and then,
//! since a stat proves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use crate::ml::package::files::{self, FileEntry};
use crate::ml::package::{Package, PackageError};
use crate::serve::follow::{Failure, Follow, Look};
use crate::serve::served::Served;
use crate::serve::shadow::report;
use crate::serve::stat::Stat;
use crate::serve::state::State;

/// Watches over the files of a loaded package and its reference rows.
pub(crate) struct Watch {
    dir: PathBuf,
    seen: Mutex<Seen>,
}

/// What the last look found.
struct Seen {
    files: Vec<SeenFile>,
    reference: Result<(), PackageError>,
}

struct SeenFile {
    name: String,
    entry: FileEntry,
    /// The stat under which the bytes were read; `None` when they must be read again.
    stat: Option<Stat>,
    result: Result<(), PackageError>,
}

impl Watch {
    /// A watch over a package that was just loaded from `dir`.
    pub(crate) fn new(dir: PathBuf, package: &Package) -> Watch {
        Watch { dir, seen: Mutex::new(Seen::of(package)) }
    }

    /// The directory that it watches over.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks at every file's stat, and reads those whose stat is not the one last seen.
    fn look(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.lock();
        for file in &mut seen.files {
            file.look(&self.dir);
        }
        seen
    }

    /// Reads every file and predicts the reference rows, whatever was seen before.
    pub(crate) fn look_closely(&self, package: &Package) {
        // All is done before the lock is taken: a probe must not wait for it. A file that changes
        // meanwhile has another stat than the one noted here, and is read by the next probe.
        let mut fresh = Seen::of(package);
        fresh.reference = package.prove();
        for file in &mut fresh.files {
            file.look(&self.dir);
        }
        *self.lock() = fresh;
    }

    /// Whether nothing was wrong at the last look.
    pub(crate) fn is_well(&self) -> bool {
        let seen = self.lock();
        seen.reference.is_ok() && seen.files.iter().all(|file| file.result.is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Every state of `Seen` is a valid one, also that of a look that was cut short.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What loading the package has proved, with no file looked at since.
    fn of(package: &Package) -> Seen {
        let file = |(name, entry): (&str, &FileEntry)| SeenFile {
            name: name.to_owned(),
            entry: entry.clone(),
            stat: None,
            result: Ok(()),
        };
        Seen { files: package.files().map(file).collect(), reference: Ok(()) }
    }
}

impl SeenFile {
    fn look(&mut self, dir: &Path) {
        let path = dir.join(&self.name);
        let before = match fs::metadata(&path) {
            Ok(metadata) => Stat::of(&metadata),
            Err(error) => {
                self.stat = None;
                self.result = Err(files::failed(&self.name, &error));
                return;
            }
        };
        if self.stat == Some(before) {
            return;
        }
        self.result = files::check(dir, &self.name, &self.entry);
        let after = Stat::at(&path);
        self.stat = after.filter(|after| *after == before && after.is_settled());
    }
}

/// The answer of `/health`.
#[derive(Serialize)]
pub(crate) struct Report {
    /// `pass` or `fail`.
    pub(crate) status: &'static str,
    /// The model version.
    model_version: String,
    /// Since when it answers.
    served_since: String,
    /// Each check by its name.
    checks: BTreeMap<&'static str, Vec<Check>>,
    /// Which checks failed and how, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

#[derive(Serialize)]
struct Check {
    #[serde(rename = "componentId", skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    status: &'static str,
    #[serde(rename = "observedValue", skip_serializing_if = "Option::is_none")]
    observed: Option<Value>,
    #[serde(rename = "observedUnit", skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

impl Check {
    fn new(result: Result<(), String>) -> Check {
        let status = if result.is_ok() { "pass" } else { "fail" };
        let output = result.err();
        Check { component: None, status, observed: None, unit: None, time: None, output }
    }

    /// How the last change of what is to be served went. What went wrong there is no failure: the
    /// package that answers is as good as before.
    fn swap(state: &State) -> Check {
        let failure = state.follow.as_ref().and_then(Follow::failure);
        let Some(failure) = failure else { return Check::new(Ok(())) };
        Check { status: "warn", time: Some(rfc3339(failure.at)), ..Check::new(Err(failure.reason)) }
    }
}

/// How the challenger is, where there is to be one: what is wrong with it is no failure, since it
/// answers nobody.
fn shadow(state: &State) -> Option<Vec<Check>> {
    let shadow = state.options.shadow.as_ref()?;
    let warnings = report::warnings(shadow);
    let component = Some(shadow.version());
    if warnings.is_empty() {
        return Some(vec![Check { component, ..Check::new(Ok(())) }]);
    }
    let warn = |failure: Failure| Check {
        component: component.clone(),
        status: "warn",
        time: Some(rfc3339(failure.at)),
        ..Check::new(Err(failure.reason))
    };
    Some(warnings.into_iter().map(warn).collect())
}

impl Report {
    /// Looks, and tells what was found. Where that is not well, another package may lie there.
    pub(crate) fn of(state: &State) -> Report {
        let report = Report::on(&state.served(), state);
        let Some(follow) = state.follow.as_ref().filter(|_| !report.is_pass()) else {
            return report;
        };
        follow.look(state, Look::Probe);
        Report::on(&state.served(), state)
    }

    /// Looks at a package in use.
    fn on(served: &Served, state: &State) -> Report {
        let package = &served.package;
        let seen = served.watch.look();
        let text = |result: &Result<(), PackageError>| result.clone().map_err(|e| e.to_string());
        let mut loaded = Check::new(Ok(()));
        loaded.component = Some(package.manifest().learner.clone());
        let files = seen.files.iter().map(|file| Check {
            component: Some(file.name.clone()),
            ..Check::new(text(&file.result))
        });
        let mut reference = Check::new(text(&seen.reference));
        reference.observed = Some(package.reference_len().into());
        reference.unit = Some("rows");
        let count = |n: u64, unit| Check {
            observed: Some(n.into()),
            unit: Some(unit),
            ..Check::new(Ok(()))
        };
        let warned = count(state.counters.tally().warned(), "values");
        let ignored = count(state.counters.tally().ignored(), "fields");
        let stopping = || Err("the service is stopping".to_owned());
        let draining = Check::new(if state.is_draining() { stopping() } else { Ok(()) });
        let mut checks = BTreeMap::from([
            ("model:loaded", vec![loaded]),
            ("package:files", files.collect()),
            ("model:reference", vec![reference]),
            ("package:swap", vec![Check::swap(state)]),
            ("requests:out_of_range", vec![warned]),
            ("requests:unknown", vec![ignored]),
            ("server:draining", vec![draining]),
        ]);
        drop(seen);
        checks.extend(shadow(state).map(|found| ("shadow:challenger", found)));
        let failed = checks.values().flatten().filter(|check| check.status == "fail");
        let failures: Vec<String> = failed.filter_map(|check| check.output.clone()).collect();
        Report {
            status: if failures.is_empty() { "pass" } else { "fail" },
            model_version: package.version().to_owned(),
            served_since: rfc3339(served.since),
            checks,
            output: (!failures.is_empty()).then(|| failures.join("; ")),
        }
    }

    /// Whether every check passed.
    pub(crate) fn is_pass(&self) -> bool {
        self.output.is_none()
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
