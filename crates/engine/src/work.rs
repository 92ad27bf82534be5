//! Runs one stage: lays out its inputs, calls its kind, takes its outputs into the store.
//!
//! Unaware of the graph's order, of threads and of why the stage runs. A kind that fails, panics or
//! leaves an output out publishes nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::attempt::Interrupted;
use crate::digest::Digest;
use crate::error::Error;
use crate::files::{self, walk};
use crate::graph::{Graph, Plug, Port, Stage, StageId};
use crate::kind::{Ancestor, Context, Findings, GateFailed, Output, Plugged};
use crate::observed::Observation;
use crate::project::Project;
use crate::recipe::Recipe;
use crate::room::{self, Room};
use crate::store::{Outcome, OutputFile};

/// Why a stage yielded nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What went wrong, with all causes.
    pub message: String,
    /// Whether a quality gate did not hold, rather than the work.
    pub is_gate: bool,
    /// Whether the user stopped it.
    pub is_interrupted: bool,
    /// What the kind told before it failed.
    pub findings: Findings,
    /// What was observed of its program, if one did the work.
    pub output: Option<Box<Observation>>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            is_gate: false,
            is_interrupted: false,
            findings: Findings::default(),
            output: None,
        }
    }

    /// What became of a panic of `who`.
    pub(crate) fn panicked(who: &str, payload: &(dyn Any + Send)) -> Failure {
        Failure::new(format!("{who} panicked: {}", panic_message(payload)))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(error.to_string())
    }
}

/// One stage that is to be run.
pub struct Task<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its graph.
    pub graph: &'a Graph,
    /// The stage.
    pub id: StageId,
    /// Its recipe.
    pub recipe: &'a Recipe,
    /// The recipe's key.
    pub key: Digest,
    /// What the stages yielded that it reads from.
    pub outcomes: BTreeMap<StageId, &'a Outcome>,
    /// Where what it wrote is moved to when it fails, for people to look at.
    pub kept: &'a Path,
    /// Becomes true when the user wants to stop.
    pub cancel: &'a AtomicBool,
    /// Told what the user should know, and that stops nothing.
    pub warn: &'a (dyn Fn(&str) + Sync),
}

/// What a stage yielded.
#[derive(Debug)]
pub struct Yield {
    /// Its outcome: its objects are in the store, but it is not yet published.
    pub outcome: Outcome,
    /// What was observed of its program, if one did the work.
    pub observation: Option<Observation>,
}

/// Runs a stage, again after a failure as often as it may be tried, each time in a new directory.
///
/// # Errors
/// Why the last attempt yielded nothing.
pub fn perform(task: &Task<'_>) -> Result<Yield, Failure> {
    let retries = task.graph.stage(task.id).control.retries;
    for n_failed in 1..=retries {
        match attempt(task, n_failed) {
            Err(failure) if !failure.is_gate && !failure.is_interrupted => {
                let stage = &task.graph.stage(task.id).name;
                let first = failure.message.lines().next().unwrap_or_default();
                (task.warn)(&format!(
                    "stage `{stage}` failed and is tried again ({n_failed} of {retries}): {first}"
                ));
                pause(n_failed, task.cancel);
            }
            ended => return ended,
        }
    }
    attempt(task, retries + 1)
}

/// Waits before the next attempt, longer after each, and no longer once the run is cancelled.
fn pause(n_failed: u32, cancel: &AtomicBool) {
    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(5);
    const TICK: Duration = Duration::from_millis(20);
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(n_failed - 1).unwrap_or(u32::MAX));
    let until = Instant::now() + doubled.min(MOST);
    while Instant::now() < until && !cancel.load(Ordering::SeqCst) {
        thread::sleep(TICK);
    }
}

fn attempt(task: &Task<'_>, number: u32) -> Result<Yield, Failure> {
    let Task { project, graph, id, recipe, .. } = *task;
    if task.cancel.load(Ordering::SeqCst) {
        return Err(Failure { is_interrupted: true, ..Failure::new("it was interrupted") });
    }
    let stage = graph.stage(id);
    let scratch = project.store.scratch()?;
    let outputs_dir = scratch.path().join("out");
    let lay = |error| Failure::from(Error::io("write in", scratch.path())(error));
    files::make_dir(&outputs_dir).map_err(lay)?;
    let (inputs, room) = if stage.kind.is_external() {
        let retries = stage.control.retries;
        (BTreeMap::new(), Some(room(task, scratch.path(), number > retries)?))
    } else {
        let dir = scratch.path().join("in");
        (lay_inputs(project, graph, stage, &task.outcomes, &dir).map_err(lay)?, None)
    };
    let context = Context {
        params: &stage.params,
        inputs,
        outputs: stage.outputs.clone(),
        scratch: &outputs_dir,
        seed: stage.seed,
        kind: stage.kind.name(),
        lineage: lineage(project, recipe)?,
        findings: Mutex::default(),
        room,
    };
    for output in &stage.outputs {
        let parent = outputs_dir.join(&output.path);
        if parent.parent() != Some(&outputs_dir) {
            files::make_parent(&parent).map_err(lay)?;
        }
    }
    let result = call(stage, &context);
    let findings = context.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (laid, observation) = context.room.map_or((None, None), Room::vacate);
    let observation = observation.map(|seen| Observation { attempts: number, ..seen });
    if let Err(mut failure) = result {
        keep(&outputs_dir, task.kept);
        keep_log(project, observation.as_ref(), &log_of(task.kept));
        failure.findings = findings;
        failure.output = observation.map(Box::new);
        return Err(failure);
    }
    hold_still(project, stage)?;
    let files = collect(project, stage, &outputs_dir)?;
    let _ = files::remove_empty_dir(&outputs_dir);
    if let Some(laid) = laid {
        room::clear(scratch.path(), &laid);
    }
    Ok(Yield { outcome: Outcome::new(task.key, files, findings), observation })
}

/// The room of a program, its inputs laid out.
fn room<'a>(task: &'a Task<'_>, dir: &'a Path, is_last: bool) -> Result<Room<'a>, Failure> {
    let stage = task.graph.stage(task.id);
    let work = dir.join(room::WORK);
    let write = |error| Failure::from(Error::io("lay out inputs in", dir)(error));
    files::make_dir(&work).map_err(write)?;
    let laid = room::lay(task.project, task.graph, stage, &task.outcomes, &work).map_err(write)?;
    Ok(Room {
        project: task.project,
        dir,
        laid,
        timeout: stage.control.timeout,
        is_last,
        cancel: task.cancel,
        warn: task.warn,
        observation: Mutex::default(),
    })
}

/// Calls the kind; an error or a panic becomes a failure with all its causes.
fn call(stage: &Stage, context: &Context<'_>) -> Result<(), Failure> {
    match panic::catch_unwind(AssertUnwindSafe(|| stage.kind.run(context))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let advice = Error::advice_on(&error);
            let mut failure = Failure::new(format!("{error:#}{advice}"));
            failure.is_gate = error.is::<GateFailed>();
            failure.is_interrupted = error.is::<Interrupted>();
            Err(failure)
        }
        Err(payload) => {
            let who = format!("kind `{}`", stage.kind.name());
            Err(Failure::panicked(&who, payload.as_ref()))
        }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The project's files that a stage reads and the programs that it runs are still those that its
/// recipe was cooked from.
fn hold_still(project: &Project, stage: &Stage) -> Result<(), Failure> {
    for plug in stage.inputs.iter().flat_map(|port| &port.plugs) {
        if let Plug::Data { path, .. } = plug
            && !project.data.is_as_hashed(&project.root, path)
        {
            let path = path.display();
            return Err(Failure::new(format!("`{path}` changed while it was read; run again")));
        }
    }
    let tools = stage.kind.surroundings(&stage.params).tools;
    match project.outside.changed(&project.root, &tools) {
        Some(tool) => {
            Err(Failure::new(format!("the program `{tool}` changed during the run; run again")))
        }
        None => Ok(()),
    }
}

/// Links every input under a name with its own extension, so that a kind can tell its format.
fn lay_inputs(
    project: &Project,
    graph: &Graph,
    stage: &Stage,
    outcomes: &BTreeMap<StageId, &Outcome>,
    dir: &Path,
) -> io::Result<BTreeMap<String, Vec<Plugged>>> {
    let lay_port = |port: &Port| -> io::Result<Vec<Plugged>> {
        let mut plugged = Vec::new();
        for (index, plug) in port.plugs.iter().enumerate() {
            let place = dir.join(&port.name).join(index.to_string());
            files::make_dirs(&place)?;
            plugged.push(match plug {
                Plug::Data { name, path } => {
                    Plugged { name: name.clone(), path: project.root.join(path) }
                }
                Plug::Stage { stage, output } => {
                    let from = graph.stage(*stage);
                    let output = &from.outputs[*output];
                    if let Some(outcome) = outcomes.get(stage) {
                        link(project, outcome, output, &place)?;
                    }
                    Plugged { name: from.label().to_owned(), path: place.join(&output.path) }
                }
            });
        }
        Ok(plugged)
    };
    stage.inputs.iter().map(|port| Ok((port.name.clone(), lay_port(port)?))).collect()
}

fn link(project: &Project, outcome: &Outcome, output: &Output, dir: &Path) -> io::Result<()> {
    for file in outcome.files.iter().filter(|file| file.port == output.name) {
        let path = dir.join(&file.path);
        if path.parent() != Some(dir) {
            files::make_parent(&path)?;
        }
        files::link(&files::canonical(&project.store.object(&file.digest))?, &path)?;
    }
    Ok(())
}

fn lineage(project: &Project, recipe: &Recipe) -> Result<Vec<Ancestor>, Failure> {
    let ancestor = |descent: &crate::recipe::Descent| {
        let recipe = project.store.recipe(&descent.key).ok_or_else(|| {
            let key = descent.key.short();
            Failure::new(format!("the recipe {key} of stage `{}` is missing", descent.stage))
        })?;
        Ok(Ancestor { stage: descent.stage.clone(), recipe })
    };
    recipe.lineage.iter().map(ancestor).collect()
}

/// Takes every declared output into the store; one that is missing or not declared is an error.
fn collect(project: &Project, stage: &Stage, dir: &Path) -> Result<Vec<OutputFile>, Failure> {
    let mut files = Vec::new();
    for path in walk(dir).map_err(Error::io("read", dir))? {
        let relative = path.strip_prefix(dir).unwrap_or(&path);
        let Some(text) = relative.to_str() else {
            return Err(Failure::new(format!("the name {relative:?} is not UTF-8")));
        };
        let is_of = |output: &&Output| {
            text == output.path || text.starts_with(&format!("{}/", output.path))
        };
        let Some(output) = stage.outputs.iter().find(is_of) else {
            return Err(Failure::new(format!("it wrote `{text}`, which is none of its outputs")));
        };
        let metadata = files::link_metadata(&path).map_err(Error::io("store", relative))?;
        if !metadata.is_file() {
            return Err(Failure::new(format!("its output `{text}` is not a regular file")));
        }
        let adopted = project.store.adopt(&path);
        let (digest, size) = adopted.map_err(Error::io("store", relative))?;
        files.push(OutputFile { port: output.name.clone(), path: text.to_owned(), digest, size });
    }
    for output in &stage.outputs {
        if !files.iter().any(|file| file.port == output.name) {
            return Err(Failure::new(format!("it did not write its output `{}`", output.path)));
        }
    }
    Ok(files)
}

/// Moves what a failed stage wrote to where people can look at it; that this fails is no matter.
fn keep(outputs: &Path, kept: &Path) {
    let is_empty = walk(outputs).is_ok_and(|files| files.is_empty());
    if !is_empty && files::make_parent(kept).is_ok() {
        let _ = files::remove_dir(kept);
        let _ = files::move_dir(outputs, kept);
    }
}

/// Where the log of a failed stage is kept, beside what it wrote.
pub fn log_of(kept: &Path) -> PathBuf {
    let mut name = kept.as_os_str().to_owned();
    name.push(".log");
    name.into()
}

/// Keeps what the program of a failed stage said, in place of what it said before.
fn keep_log(project: &Project, observation: Option<&Observation>, log: &Path) {
    let _ = match observation.filter(|said| !said.is_silent()) {
        Some(said) => project.store.write(log, said.text().as_bytes()),
        None => files::remove(log),
    };
}
