//! Whether what is stored is what it says, and the lock what the tree says.
//!
//! Reads and changes nothing. Damage to one file never ends the look at the others: every finding
//! is listed, each with the exit code that it stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::{Error, ExitCode};
use crate::files;
use crate::graph::Graph;
use crate::lock::Lock;
use crate::outputs::Expected;
use crate::project::Project;
use crate::recipe::{self, Change};
use crate::record::{Run, RunStage};
use crate::store::{self, Conflict, Miss, Outcome};

mod aliases;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The exit code it stands for.
    pub code: u8,
    /// The stage that it is about, when it is about one of the pipeline's.
    pub stage: Option<String>,
    /// What is wrong, with the name of the file or stage.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Finding {
    fn new(code: ExitCode, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { code: code as u8, stage: None, message: message.into(), hint: hint.into() }
    }

    fn about(mut self, stage: &str) -> Finding {
        self.stage = Some(stage.to_owned());
        self
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Stages whose lock was compared with the tree.
    pub stages: usize,
    /// Objects that were hashed.
    pub objects: usize,
    /// Recorded runs.
    pub runs: usize,
}

/// The exit code of several findings: damaged bytes weigh more than bytes that differ, those more
/// than missing ones, and those more than drift.
pub fn exit_code(findings: &[Finding]) -> u8 {
    const WEIGHT: [ExitCode; 4] =
        [ExitCode::Corrupt, ExitCode::NotReproducible, ExitCode::Missing, ExitCode::Drift];
    let has = |code: &&ExitCode| findings.iter().any(|finding| finding.code == **code as u8);
    WEIGHT.iter().find(has).map_or(ExitCode::Ok as u8, |code| *code as u8)
}

/// Looks at everything short of running a stage.
///
/// # Errors
/// What reading the project's files and directories gives.
pub fn verify(project: &Project, graph: &Graph) -> Result<(Vec<Finding>, Counted), Error> {
    // Half of a collection would look like damage. Where nothing can be locked, nothing is removed.
    let _ = project.store.hold();
    let mut findings = Vec::new();
    let mut counted = Counted::default();
    let lock = match project.lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let message = "there is no `pipeline.lock`";
            findings.push(Finding::new(ExitCode::Drift, message, "`pipeline run` writes it"));
            Lock::default()
        }
        Err(error) => {
            findings.push(Finding::new(error.exit_code(), error.to_string(), "run again"));
            Lock::default()
        }
    };
    if !lock.stages.is_empty() {
        counted.stages = lock.stages.len();
        findings.extend(check_lock(project, graph, &lock)?);
        findings.extend(check_outputs(project, &lock));
    }
    counted.objects = check_objects(project, &mut findings)?;
    check_documents(project, &mut findings)?;
    counted.runs = check_runs(project, &mut findings)?;
    aliases::check(project, &mut findings)?;
    findings.extend(check_conflicts(project)?);
    findings.dedup();
    Ok((findings, counted))
}

/// The lock against the tree: keys are recomputed from the files of the project and from what the
/// lock itself says of the stages before, so that no stored bytes are needed.
///
/// # Errors
/// What reading the project's files gives.
pub fn check_lock(project: &Project, graph: &Graph, lock: &Lock) -> Result<Vec<Finding>, Error> {
    const HINT: &str = "`pipeline run` computes it and writes the lock";
    let drift = |message: String| Finding::new(ExitCode::Drift, message, HINT);
    let done = lock.done(graph);
    let mut findings = Vec::new();
    for id in graph.ids().filter(|id| !graph.stage(*id).is_service()) {
        let name = &graph.stage(id).name;
        let Some(locked) = lock.stages.get(name) else {
            findings.push(drift(format!("stage `{name}` is not in the lock")).about(name));
            continue;
        };
        let Some(recipe) = project.cook(graph, id, &done)? else {
            let message = format!("the lock lacks outputs that stage `{name}` rests on");
            findings.push(drift(message).about(name));
            continue;
        };
        if recipe.key() != locked.key {
            let before = project.store.recipe(&locked.key);
            let changes = before.map(|before| recipe::compare(&before, &recipe));
            let why = changes.as_deref().map_or(String::new(), told);
            let message = format!("stage `{name}` is not what was locked{why}");
            findings.push(drift(message).about(name));
        }
    }
    let known: BTreeSet<_> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    for name in lock.stages.keys() {
        if !known.contains(name.as_str()) {
            findings.push(drift(format!("the lock has a stage `{name}` that the pipeline lacks")));
        }
    }
    Ok(findings)
}

fn told(changes: &[Change]) -> String {
    let told: Vec<_> = changes.iter().map(Change::to_string).collect();
    format!(": {}", told.join(", "))
}

/// The files under `outputs/STAGE/` against the lock. A stage without a directory was not computed
/// here, as in a fresh clone: there is nothing to look at.
fn check_outputs(project: &Project, lock: &Lock) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (stage, locked) in &lock.stages {
        let dir = project.outputs.join(stage);
        if files::may_exist(&dir) {
            let of_file = |(path, digest)| {
                check_output(project, &dir.join(path), digest, "what the lock says")
            };
            findings.extend(locked.outputs.iter().filter_map(of_file));
            let paths = locked.outputs.keys().map(String::as_str);
            match Expected::of_paths(&dir, paths).strangers() {
                Ok(found) => findings.extend(found.iter().map(|p| stranger(project, stage, p))),
                Err(error) => findings.push(unlisted(project, &dir, &error)),
            }
        }
    }
    findings
}

/// A file that is nobody's output, or something else in the place of one.
fn stranger(project: &Project, stage: &str, path: &Path) -> Finding {
    const HINT: &str = "`pipeline run` removes it: keep what is yours somewhere else";
    let message = format!("`{}` is no output of stage `{stage}`", relative(project, path));
    Finding::new(ExitCode::Drift, message, HINT)
}

/// A directory in which there may be more than can be told.
fn unlisted(project: &Project, dir: &Path, error: &std::io::Error) -> Finding {
    let message = format!("`{}` cannot be listed: {error}", relative(project, dir));
    Finding::new(ExitCode::Missing, message, "see why, and run again")
}

/// A file against its digest. Bytes that the store knows are another run's, not damage.
fn check_output(project: &Project, path: &Path, expected: &Digest, said: &str) -> Option<Finding> {
    const HINT: &str = "`pipeline run` writes it again";
    let shown = relative(project, path);
    let (code, message) = match Digest::of_file(path) {
        Ok((found, _)) if found == *expected => return None,
        Ok((found, _)) if files::exists(&project.store.object(&found)) => {
            (ExitCode::Drift, format!("`{shown}` is of another run than the lock"))
        }
        Ok(_) => (ExitCode::Corrupt, format!("`{shown}` is not {said}")),
        Err(error) => (ExitCode::Missing, format!("`{shown}` cannot be read: {error}")),
    };
    Some(Finding::new(code, message, HINT))
}

/// Every object hashed. Returns how many.
fn check_objects(project: &Project, findings: &mut Vec<Finding>) -> Result<usize, Error> {
    const HINT: &str = "`pipeline run` computes it again if a stage needs it; what only an older run \
                        had can be computed by that configuration, or removed";
    let objects = named(project, "objects")?;
    let check = |(path, expected): &(std::path::PathBuf, Option<Digest>)| {
        let shown = relative(project, path);
        let wrong = |why: String| Some(Finding::new(ExitCode::Corrupt, why, HINT));
        match (expected, Digest::of_file(path)) {
            (Some(expected), Ok((found, _))) if found == *expected => None,
            (Some(_), Ok((found, _))) => wrong(format!(
                "`{shown}` does not match its name: its bytes hash to {}",
                found.short()
            )),
            (Some(_), Err(error)) => wrong(format!("`{shown}` cannot be read: {error}")),
            (None, _) => wrong(format!("`{shown}` is not named by a digest")),
        }
    };
    // Collected in the order of the names, whatever order they are hashed in.
    let found: Vec<_> = objects.par_iter().map(check).collect();
    findings.extend(found.into_iter().flatten());
    Ok(objects.len())
}

/// Recipes hash to their names, and outcomes to what they were when they were written.
fn check_documents(project: &Project, findings: &mut Vec<Finding>) -> Result<(), Error> {
    const HINT: &str = "`pipeline run` computes the stage again when it is needed";
    for (path, key) in named(project, "recipes")? {
        if key.is_none_or(|key| project.store.recipe(&key).is_none()) {
            let message = format!("`{}` does not match its name", relative(project, &path));
            findings.push(Finding::new(ExitCode::Corrupt, message, HINT));
        }
    }
    for (path, key) in named(project, "outcomes")? {
        let shown = relative(project, &path);
        match key.map(|key| project.store.outcome(&key)) {
            Some(Ok(outcome)) => findings.extend(missing_objects(project, &outcome, &shown)),
            Some(Err(Miss::Unknown)) => {}
            Some(Err(Miss::Missing(why) | Miss::Damaged(why))) => {
                let message = format!("`{shown}` is damaged: {why}");
                findings.push(Finding::new(ExitCode::Corrupt, message, HINT));
            }
            None => {
                let message = format!("`{shown}` is not named by a key");
                findings.push(Finding::new(ExitCode::Corrupt, message, HINT));
            }
        }
    }
    Ok(())
}

fn missing_objects(project: &Project, outcome: &Outcome, shown: &str) -> Vec<Finding> {
    let is_missing = |digest: &Digest| !files::exists(&project.store.object(digest));
    let missing = outcome.files.iter().filter(|file| is_missing(&file.digest));
    let tell = |file: &store::OutputFile| {
        let message =
            format!("object {} (`{}`) of `{shown}` is missing", file.digest.short(), file.path);
        Finding::new(ExitCode::Missing, message, "`pipeline run` computes it again when needed")
    };
    missing.map(tell).collect()
}

/// Records are what was written, and what they speak of exists. Returns how many there are.
fn check_runs(project: &Project, findings: &mut Vec<Finding>) -> Result<usize, Error> {
    let dirs = project.runs.list()?;
    for dir in &dirs {
        match project.runs.read(dir) {
            Ok(recorded) => findings.extend(check_run(project, &recorded.id, &recorded.run)),
            Err(error) => {
                let hint = format!("remove `{}`", relative(project, dir));
                findings.push(Finding::new(ExitCode::Corrupt, error.to_string(), hint));
            }
        }
    }
    Ok(dirs.len())
}

fn check_run(project: &Project, id: &str, run: &Run) -> Vec<Finding> {
    const HINT: &str = "run that configuration again, or remove the record";
    let mut findings = Vec::new();
    for stage in &run.stages {
        let name = &stage.stage;
        for file in
            stage.files.iter().filter(|file| !files::exists(&project.store.object(&file.digest)))
        {
            let message = format!(
                "object {} is missing: `{}` of stage `{name}` in run {id}",
                file.digest.short(),
                file.path
            );
            findings.push(Finding::new(ExitCode::Missing, message, HINT));
        }
        if project.store.outcome(&stage.key).is_err_and(|miss| miss == Miss::Unknown) {
            let key = stage.key.short();
            let message = format!("the outcome {key} of stage `{name}` in run {id} is missing");
            findings.push(Finding::new(ExitCode::Missing, message, HINT));
        }
        if project.store.recipe(&stage.key).is_none() {
            let key = stage.key.short();
            let message = format!("the recipe {key} of stage `{name}` in run {id} is missing");
            findings.push(Finding::new(ExitCode::Missing, message, HINT));
        }
    }
    findings
}

/// Keys that gave other bytes at another time.
fn check_conflicts(project: &Project) -> Result<Vec<Finding>, Error> {
    const HINT: &str = "its kind is not reproducible: `pipeline verify --rebuild` shows more";
    let mut findings = Vec::new();
    for (path, key) in named(project, "conflicts")? {
        let first = key.and_then(|key| project.store.outcome(&key).ok());
        for other in files::entries(&path).map_err(Error::io("read", &path))? {
            let shown = relative(project, &other);
            let read = files::read(&other).ok();
            let finding = match read.and_then(|bytes| Conflict::read(&bytes, first.as_ref())) {
                Some(conflict) => {
                    findings.extend(missing_objects(project, &conflict.other.outcome, &shown));
                    let key = conflict.stands.outcome.key.short();
                    let message =
                        format!("recipe {key} gave other bytes at another time: {conflict}");
                    Finding::new(ExitCode::NotReproducible, message, HINT)
                }
                None => {
                    let message = format!("`{shown}` is a damaged record of a conflict");
                    Finding::new(ExitCode::Corrupt, message, "remove it after a look")
                }
            };
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// A rebuild against the run it repeats: the same stages, each with the same bytes.
pub fn compare_rebuild(expected: &Run, rebuilt: &Run) -> Vec<Finding> {
    const HINT: &str = "its kind is not reproducible, or something outside the recipe has a say";
    let mut findings = Vec::new();
    let mut wrong = |message: String| {
        findings.push(Finding::new(ExitCode::NotReproducible, message, HINT));
    };
    let rebuilt: BTreeMap<_, _> =
        rebuilt.stages.iter().map(|stage| (stage.stage.as_str(), stage)).collect();
    for stage in &expected.stages {
        let name = &stage.stage;
        let Some(again) = rebuilt.get(name.as_str()) else {
            wrong(format!("stage `{name}` was not rebuilt"));
            continue;
        };
        if again.key != stage.key {
            wrong(format!("stage `{name}` has another recipe in the rebuild"));
        }
        let (before, now) = (digests(stage), digests(again));
        for path in now.keys().filter(|path| !before.contains_key(*path)) {
            wrong(format!("stage `{name}`: `{path}` is new when it is rebuilt"));
        }
        for (path, was) in before {
            let is = now.get(path);
            if is != Some(&was) {
                let is = is.map_or("nothing".to_owned(), Digest::short);
                let was = was.short();
                wrong(format!("stage `{name}`: `{path}` was {was} and is {is} when it is rebuilt"));
            }
        }
    }
    findings
}

fn digests(stage: &RunStage) -> BTreeMap<&str, Digest> {
    stage.files.iter().map(|file| (file.path.as_str(), file.digest)).collect()
}

fn named(
    project: &Project,
    part: &str,
) -> Result<Vec<(std::path::PathBuf, Option<Digest>)>, Error> {
    project.store.named(part).map_err(Error::io("read", project.store.root().join(part)))
}

fn relative(project: &Project, path: &Path) -> String {
    path.strip_prefix(&project.root).unwrap_or(path).display().to_string()
}
