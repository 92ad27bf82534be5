//! Runs one stage: lays out its inputs, calls its kind, takes its outputs into the store.
//!
//! Unaware of the graph's order, of threads and of why the stage runs. A kind that fails, panics or
//! leaves an output out publishes nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::files::{self, walk};
use crate::graph::{Graph, Plug, Port, Stage, StageId};
use crate::kind::{Ancestor, Context, Findings, GateFailed, Output, Plugged};
use crate::project::Project;
use crate::recipe::Recipe;
use crate::store::{Outcome, OutputFile};

/// Why a stage yielded nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What went wrong, with all causes.
    pub message: String,
    /// Whether a quality gate did not hold, rather than the work.
    pub is_gate: bool,
    /// What the kind told before it failed.
    pub findings: Findings,
}

impl Failure {
    fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), is_gate: false, findings: Findings::default() }
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

/// Runs a stage and returns what it yielded, its objects in the store but not yet published.
/// Outcomes of the stages it reads from are given by index. When the kind fails, what it wrote is
/// moved to `kept`, for people to look at.
///
/// # Errors
/// Why it yielded nothing.
pub fn perform(
    project: &Project,
    graph: &Graph,
    id: StageId,
    recipe: &Recipe,
    outcomes: &BTreeMap<StageId, &Outcome>,
    kept: &Path,
) -> Result<Outcome, Failure> {
    let stage = graph.stage(id);
    let scratch = project.store.scratch()?;
    let (inputs_dir, outputs_dir) = (scratch.path().join("in"), scratch.path().join("out"));
    let lay = |error| Failure::from(Error::io("write in", scratch.path())(error));
    files::make_dir(&outputs_dir).map_err(lay)?;
    let inputs = lay_inputs(project, graph, stage, outcomes, &inputs_dir).map_err(lay)?;
    let context = Context {
        params: &stage.params,
        inputs,
        outputs: stage.outputs.clone(),
        scratch: &outputs_dir,
        seed: stage.seed,
        kind: stage.kind.name(),
        lineage: lineage(project, recipe)?,
        findings: Mutex::default(),
    };
    for output in &stage.outputs {
        let parent = outputs_dir.join(&output.path);
        if parent.parent() != Some(&outputs_dir) {
            files::make_parent(&parent).map_err(lay)?;
        }
    }
    let result = call(stage, &context);
    let findings = context.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Err(mut failure) = result {
        keep(&outputs_dir, kept);
        failure.findings = findings;
        return Err(failure);
    }
    hold_still(project, stage)?;
    let files = collect(project, stage, &outputs_dir)?;
    Ok(Outcome::new(recipe.key(), files, findings))
}

/// Calls the kind; an error or a panic becomes a failure with all its causes.
fn call(stage: &Stage, context: &Context<'_>) -> Result<(), Failure> {
    match panic::catch_unwind(AssertUnwindSafe(|| stage.kind.run(context))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let mut failure = Failure::new(format!("{error:#}"));
            failure.is_gate = error.is::<GateFailed>();
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

/// The project's files that a stage reads are still those that its recipe was cooked from.
fn hold_still(project: &Project, stage: &Stage) -> Result<(), Failure> {
    for plug in stage.inputs.iter().flat_map(|port| &port.plugs) {
        if let Plug::Data { path, .. } = plug
            && !project.is_as_hashed(path)
        {
            let path = path.display();
            return Err(Failure::new(format!("`{path}` changed while it was read; run again")));
        }
    }
    Ok(())
}

/// Links every input under a name with its own extension, so that a kind can tell its format.
fn lay_inputs(
    project: &Project,
    graph: &Graph,
    stage: &Stage,
    outcomes: &BTreeMap<StageId, &Outcome>,
    dir: &Path,
) -> io::Result<BTreeMap<&'static str, Vec<Plugged>>> {
    let lay_port = |port: &Port| -> io::Result<Vec<Plugged>> {
        let mut plugged = Vec::new();
        for (index, plug) in port.plugs.iter().enumerate() {
            let place = dir.join(port.name).join(index.to_string());
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
    stage.inputs.iter().map(|port| Ok((port.name, lay_port(port)?))).collect()
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
        let _ = files::rename(outputs, kept);
    }
}
