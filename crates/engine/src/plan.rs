//! What a run would do, found without doing it.
//!
//! A stage whose inputs are known is a hit or has to run; one that rests on a stage that has to run
//! waits: whether it runs depends on the bytes it will be given (early cut-off). One that reads
//! data which does not exist waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::data;
use crate::digest::Digest;
use crate::error::Error;
use crate::graph::{Graph, Plug, Stage, StageId};
use crate::project::Project;
use crate::reason::Reason;
use crate::recipe::{self, Change, Done, Recipe};
use crate::store::Outcome;

/// What a run would do with one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The stage.
    pub id: StageId,
    /// What would happen.
    pub fate: Fate,
    /// Its key, when all that it rests on is known.
    pub key: Option<Digest>,
    /// Of a stage that waits: what changed in how the stage itself is written since it last ran.
    pub own: Vec<Change>,
}

/// What would happen to a stage.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Its outcome is known.
    Cached(Outcome),
    /// It has to run.
    Run(Reason),
    /// It runs if one of these yields other bytes than before.
    Waits(Vec<StageId>),
    /// It waits for these files of the project, which do not exist.
    Lacks(Vec<PathBuf>),
    /// It cannot run as things are, for this reason: a program that cannot be found, data that
    /// cannot be read.
    Blocked(String),
    /// It is launched once everything else is done.
    Launch,
}

/// Plans the selected stages, in graph order.
///
/// # Errors
/// What reading the project's files gives.
pub fn plan(
    project: &Project,
    graph: &Graph,
    selection: &BTreeSet<StageId>,
    forced: &BTreeSet<StageId>,
) -> Result<Vec<Planned>, Error> {
    let last = project.runs.last_keys();
    let mut done: Vec<Option<Done>> = vec![None; graph.stages.len()];
    let mut planned = Vec::new();
    for id in graph.ids().filter(|id| selection.contains(id)) {
        let stage = graph.stage(id);
        if stage.is_service() {
            planned.push(Planned { id, fate: Fate::Launch, key: None, own: Vec::new() });
            continue;
        }
        let cooked = project.cook(graph, id, &done);
        if matches!(cooked, Err(Error::Missing(_)) | Ok(None)) {
            let lacks = lacks(project, stage);
            if !lacks.is_empty() {
                planned.push(Planned { id, fate: Fate::Lacks(lacks), key: None, own: vec![] });
                continue;
            }
        }
        let cooked = match cooked {
            Ok(cooked) => cooked,
            // Nothing that one stage lacks keeps the others from being planned.
            Err(error) => {
                let fate = Fate::Blocked(error.to_string());
                planned.push(Planned { id, fate, key: None, own: vec![] });
                continue;
            }
        };
        let Some(recipe) = cooked else {
            let waits = stage.needs().into_iter().filter(|need| done[need.0].is_none()).collect();
            let before = last.get(&stage.name).and_then(|key| project.store.recipe(key));
            let own = before.map_or(Vec::new(), |before| own_changes(stage, &before));
            planned.push(Planned { id, fate: Fate::Waits(waits), key: None, own });
            continue;
        };
        let key = recipe.key();
        let fate = fate(project, &recipe, &key, forced.contains(&id), last.get(&stage.name));
        if let Fate::Cached(outcome) = &fate {
            done[id.0] = known(graph, id, outcome);
        }
        planned.push(Planned { id, fate, key: Some(key), own: Vec::new() });
    }
    Ok(planned)
}

/// The files of the project that a stage reads and that do not exist.
fn lacks(project: &Project, stage: &Stage) -> Vec<PathBuf> {
    let plugs = stage.inputs.iter().flat_map(|port| &port.plugs);
    let path = |plug: &Plug| match plug {
        Plug::Data { path, .. } if !data::is_there(&project.root, path) => Some(path.clone()),
        Plug::Data { .. } | Plug::Stage { .. } => None,
    };
    plugs.filter_map(path).collect()
}

/// What differs between a stage and the recipe it last had, as far as it is known without inputs.
fn own_changes(stage: &Stage, before: &Recipe) -> Vec<Change> {
    let now = Recipe {
        kind: stage.kind.name().to_owned(),
        code: stage.kind.code(),
        params: recipe::params(stage),
        seed: stage.seed,
        ..before.clone()
    };
    recipe::compare(before, &now)
}

fn fate(
    project: &Project,
    recipe: &Recipe,
    key: &Digest,
    is_forced: bool,
    last: Option<&Digest>,
) -> Fate {
    if is_forced {
        return Fate::Run(Reason::Forced);
    }
    match project.store.examine(key) {
        Ok(outcome) => Fate::Cached(outcome),
        Err(miss) => Fate::Run(Reason::of(recipe, miss, last, &project.store)),
    }
}

/// What an outcome tells the stages that rest on it; `None` when a port is empty.
pub fn known(graph: &Graph, id: StageId, outcome: &Outcome) -> Option<Done> {
    let ports = graph.stage(id).outputs.iter();
    let ports = ports.map(|port| outcome.port_digest(&port.name, &port.path));
    Some(Done { key: outcome.key, ports: ports.collect::<Option<_>>()? })
}

/// The keys of a plan by stage name, as far as they are known.
pub fn keys(graph: &Graph, planned: &[Planned]) -> BTreeMap<String, Digest> {
    let key = |planned: &Planned| Some((graph.stage(planned.id).name.clone(), planned.key?));
    planned.iter().filter_map(key).collect()
}
