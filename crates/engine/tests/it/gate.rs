//! A toy kind whose stages end in an order that a test has drawn, however many run at once.
//!
//! A stage that comes to the gate waits there. When all stages are waiting that can run at all, the
//! one that was drawn first may go on, and the next one only when that one has ended. So the order
//! in which stages end is exactly what was drawn, as far as the graph and the number of jobs allow
//! it, and not what chance makes of pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::graph::Graph;
use engine::kind::{Arity, Context, Goal, Plugged};
use engine::params::{Param, Type};
use serde_json::Value;

use crate::toys::{PLAIN, Toy, any_input};

/// A gate at which nobody comes to pass for so long is a mistake of the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// There is one, for one run at a time; no other test has stages of such names.
static GATE: Mutex<Option<Gate>> = Mutex::new(None);
/// Held by the test that has set it.
static HELD: Mutex<()> = Mutex::new(());
static CHANGED: Condvar = Condvar::new();

struct Gate {
    /// Per stage its turn: the lowest that waits goes first.
    turns: BTreeMap<String, usize>,
    needs: BTreeMap<String, BTreeSet<String>>,
    jobs: usize,
    waiting: BTreeSet<String>,
    /// The stage that may go on and has not ended.
    let_go: Option<String>,
    ended: Vec<String>,
}

impl Gate {
    /// Lets one go when all are waiting that can be.
    fn turn(&mut self) {
        let is_over = |name: &String| self.ended.contains(name);
        let can_run = |name: &&String| !is_over(name) && self.needs[*name].iter().all(is_over);
        let n_running = self.turns.keys().filter(can_run).count().min(self.jobs);
        if self.let_go.is_none() && self.waiting.len() == n_running {
            let first = self.waiting.iter().min_by_key(|name| self.turns[*name]).cloned();
            self.waiting.retain(|name| Some(name) != first.as_ref());
            self.let_go = first;
            CHANGED.notify_all();
        }
    }
}

fn gate() -> MutexGuard<'static, Option<Gate>> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A gate that was set. It is taken away when the value is dropped.
pub(crate) struct Held(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Held {
    /// The order in which the stages have ended.
    pub(crate) fn ends(&self) -> Vec<String> {
        gate().as_ref().unwrap().ended.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *gate() = None;
    }
}

/// Has the stages of the next run of a graph end in the order of their turns.
pub(crate) fn set(graph: &Graph, jobs: usize, turns: &[usize]) -> Held {
    let held = Held(HELD.lock().unwrap_or_else(PoisonError::into_inner));
    let name = |id: &engine::graph::StageId| graph.stage(*id).name.clone();
    let needs =
        graph.ids().map(|id| (name(&id), graph.stage(id).needs().iter().map(name).collect()));
    *gate() = Some(Gate {
        turns: graph.ids().map(|id| name(&id)).zip(turns.iter().copied()).collect(),
        needs: needs.collect(),
        jobs,
        waiting: BTreeSet::new(),
        let_go: None,
        ended: Vec::new(),
    });
    held
}

/// A stage has ended, if there is a gate.
pub(crate) fn ended(stage: &str) {
    let mut gate = gate();
    if let Some(gate) = gate.as_mut().filter(|gate| gate.turns.contains_key(stage)) {
        gate.ended.push(stage.to_owned());
        gate.let_go = None;
        gate.turn();
    }
}

/// Waits until a stage may go on.
fn pass(stage: &str) -> anyhow::Result<()> {
    let mut gate = gate();
    let Some(found) = gate.as_mut() else { return Ok(()) };
    found.waiting.insert(stage.to_owned());
    found.turn();
    let is_shut = |gate: &mut Option<Gate>| {
        gate.as_ref().is_some_and(|gate| gate.let_go.as_deref() != Some(stage))
    };
    let (_gate, waited) =
        CHANGED.wait_timeout_while(gate, PATIENCE, is_shut).unwrap_or_else(PoisonError::into_inner);
    anyhow::ensure!(!waited.timed_out(), "`{stage}` was never let go");
    Ok(())
}

fn params() -> Vec<Param> {
    vec![
        Param::required("name", Type::Text, "its own name"),
        Param::new("fails", Type::Bool, false, "whether it fails"),
    ]
}

/// Writes the name of the stage and what it is given, and fails where it is to.
fn work(context: &Context<'_>, inputs: &[Plugged]) -> anyhow::Result<()> {
    let params: Value = context.params()?;
    let name = params["name"].as_str().unwrap_or_default();
    let mut text = name.as_bytes().to_vec();
    for input in inputs {
        text.extend(std::fs::read(&input.path)?);
    }
    context.write("out", &text)?;
    pass(name)?;
    anyhow::ensure!(params["fails"] != true, "it is to fail");
    context.metric("bytes", text.len() as f64, Goal::Min);
    Ok(())
}

/// Waits at the gate.
pub(crate) static GATED: Toy =
    Toy { name: "gated", params, run: |context| work(context, &[]), ..PLAIN };

/// Waits at the gate with what others made.
pub(crate) static GATED_TOO: Toy = Toy {
    name: "gated_too",
    params,
    inputs: || any_input(Arity::Many),
    run: |context| work(context, context.many("from")),
    ..PLAIN
};
