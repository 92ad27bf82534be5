//! The pipeline as meant: stages with checked parameters and typed plugs, in graph order.
//!
//! A graph that exists is sound: kinds are known, plugs fit, nothing runs in a circle. It holds no
//! state of a run, and stages refer to each other by index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::kind::{Arity, Kind, Output, Role};

/// Index of a stage in a graph, in graph order: what it rests on comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageId(pub usize);

/// A node of the graph.
#[derive(Clone)]
pub struct Stage {
    /// `train`, or `train@forest` when it is a variant.
    pub name: String,
    /// The name in the list of stages.
    pub group: String,
    /// The variant's own name.
    pub variant: Option<String>,
    /// What it does.
    pub kind: &'static dyn Kind,
    /// Checked parameters with their defaults.
    pub params: Value,
    /// The seed, when the kind draws random numbers.
    pub seed: Option<u64>,
    /// Its inputs, in the order of the kind's ports.
    pub inputs: Vec<Port>,
    /// Stages that must have succeeded before it, whatever they yield.
    pub after: Vec<StageId>,
    /// What it yields.
    pub outputs: Vec<Output>,
    /// How it is run.
    pub control: Control,
}

/// How a stage is run, which has no say in what it yields and so is in no recipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control {
    /// How long it may take before it is stopped.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// How much it holds of each resource of the pipeline while it runs.
    pub resources: BTreeMap<String, u64>,
    /// The groups of which only one stage runs at a time.
    pub exclusive: Vec<String>,
}

/// An input port with what is plugged into it.
#[derive(Clone, Debug)]
pub struct Port {
    /// The name of the port.
    pub name: String,
    /// How many it takes.
    pub arity: Arity,
    /// What is plugged in, in graph order.
    pub plugs: Vec<Plug>,
}

/// What is plugged into an input.
#[derive(Clone, Debug, PartialEq)]
pub enum Plug {
    /// A file of the project.
    Data {
        /// Its name under `[data]`.
        name: String,
        /// Its path, relative to the project as it was written.
        path: PathBuf,
    },
    /// An output of another stage.
    Stage {
        /// The stage.
        stage: StageId,
        /// Index into its outputs.
        output: usize,
    },
}

/// The whole pipeline.
#[derive(Clone)]
pub struct Graph {
    /// The project's name.
    pub name: String,
    /// The stages in graph order.
    pub stages: Vec<Stage>,
    /// How much there is of each resource that stages hold while they run.
    pub resources: BTreeMap<String, u64>,
}

impl Stage {
    /// The stages it waits for: those it reads from and those it only comes after.
    pub fn needs(&self) -> BTreeSet<StageId> {
        let plugs = self.inputs.iter().flat_map(|port| &port.plugs);
        let read = plugs.filter_map(|plug| match plug {
            Plug::Stage { stage, .. } => Some(*stage),
            Plug::Data { .. } => None,
        });
        read.chain(self.after.iter().copied()).collect()
    }

    /// What tells it from the others in a fan-in: the variant, or the name without one.
    pub fn label(&self) -> &str {
        self.variant.as_deref().unwrap_or(&self.name)
    }

    /// Whether a run launches it last instead of caching it.
    pub fn is_service(&self) -> bool {
        self.kind.role() == Role::Service
    }
}

impl Graph {
    /// A stage.
    pub fn stage(&self, id: StageId) -> &Stage {
        &self.stages[id.0]
    }

    /// All stages in graph order.
    pub fn ids(&self) -> impl Iterator<Item = StageId> + use<> {
        (0..self.stages.len()).map(StageId)
    }

    /// These stages and all that they rest on.
    pub fn with_ancestors(&self, targets: impl IntoIterator<Item = StageId>) -> BTreeSet<StageId> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<_> = targets.into_iter().collect();
        while let Some(id) = waiting.pop() {
            if found.insert(id) {
                waiting.extend(self.stage(id).needs());
            }
        }
        found
    }
}
