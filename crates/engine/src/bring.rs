//! Brings one stage to its end: its recipe cooked, its key looked up, run on a miss, published.
//!
//! Called by the threads of a run, which share what was yielded so far. It knows no order and no
//! counts; which stage is next is the schedule's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::digest::Digest;
use crate::error::Error;
use crate::graph::{Plug, StageId};
use crate::observed::Observation;
use crate::outputs;
use crate::plan;
use crate::reason::Reason;
use crate::recipe::{Done, Recipe};
use crate::schedule::{Cause, Event, Job, Report, Status};
use crate::store::{Miss, Outcome};
use crate::work::{self, Failure, Task, Yield};

/// What a thread hands back.
pub(crate) enum Turn {
    /// The stage is done with.
    Ended(Box<Report>),
    /// Another process is computing its key.
    Busy(StageId),
}

/// How a stage ended, and what its program said.
type Brought = (Status, Option<Observation>);

/// What a stage yielded, for those that rest on it.
struct Yielded {
    done: Option<Done>,
    outcome: Arc<Outcome>,
}

/// What the threads share: the job, and what was yielded so far.
pub(crate) struct Bench<'a> {
    pub(crate) job: &'a Job<'a>,
    kept: PathBuf,
    last: BTreeMap<String, Digest>,
    /// Per stage; set before any stage that rests on it is handed out.
    yielded: Vec<OnceLock<Yielded>>,
    /// Stages whose wait was told, and which then take what the other process made.
    has_waited: Mutex<BTreeSet<StageId>>,
    /// The stage whose failure stopped the run.
    stopped_by: OnceLock<String>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(job: &'a Job<'a>, kept: PathBuf) -> Bench<'a> {
        Bench {
            job,
            kept,
            last: job.project.runs.last_keys(),
            yielded: job.graph.ids().map(|_| OnceLock::new()).collect(),
            has_waited: Mutex::default(),
            stopped_by: OnceLock::new(),
        }
    }

    pub(crate) fn shelve(&self, id: StageId, outcome: &Arc<Outcome>) {
        let done = plan::known(self.job.graph, id, outcome);
        // A stage ends once, so that its place is empty.
        let _ = self.yielded[id.0].set(Yielded { done, outcome: outcome.clone() });
    }

    /// Why no stage is to be started any more, if so.
    pub(crate) fn stopped(&self) -> Option<Cause> {
        if self.job.cancel.load(Ordering::Relaxed) {
            return Some(Cause::Cancelled);
        }
        self.stopped_by.get().map(|stage| Cause::Failed(stage.clone()))
    }

    /// The report on a stage that is not started.
    pub(crate) fn skip(&self, id: StageId, cause: Cause) -> Report {
        let stage = self.job.graph.stage(id).name.clone();
        Report { id, stage, status: Status::Skipped(cause), seconds: 0.0, output: None }
    }

    /// Brings one stage to its end, whatever happens on the way.
    pub(crate) fn bring(&self, id: StageId) -> Turn {
        let started = Instant::now();
        let brought = panic::catch_unwind(AssertUnwindSafe(|| self.step(id)));
        let (status, mut output) = match brought {
            Ok(Some(brought)) => brought,
            Ok(None) => return Turn::Busy(id),
            Err(payload) => {
                (Status::Failed(Failure::panicked("the engine", payload.as_ref())), None)
            }
        };
        if let Status::Failed(failure) = &status {
            output = failure.output.as_deref().cloned();
        }
        let stage = self.job.graph.stage(id).name.clone();
        if matches!(status, Status::Failed(_)) && !self.job.keep_going {
            // The first failure is the one that is told.
            let _ = self.stopped_by.set(stage.clone());
        }
        let seconds = started.elapsed().as_secs_f64();
        Turn::Ended(Box::new(Report { id, stage, status, seconds, output }))
    }

    /// How a stage ended; `None` while another process computes its key.
    fn step(&self, id: StageId) -> Option<Brought> {
        let done = |id: StageId| self.yielded[id.0].get().and_then(|known| known.done.as_ref());
        match self.job.project.cook_from(self.job.graph, id, done) {
            Ok(Some(recipe)) => {
                self.resolve(id, &recipe).unwrap_or_else(|f| Some((Status::Failed(f), None)))
            }
            // The schedule hands out no stage before all that it rests on has an outcome.
            Ok(None) => {
                let message = "a stage that it rests on yielded less than its kind declares";
                Some((Status::Failed(Error::Missing(message.to_owned()).into()), None))
            }
            Err(error) => Some((Status::Failed(error.into()), None)),
        }
    }

    /// Looks a recipe up, and runs it when there is no outcome.
    fn resolve(&self, id: StageId, recipe: &Recipe) -> Result<Option<Brought>, Failure> {
        let (store, key) = (&self.job.project.store, recipe.key());
        let name = &self.job.graph.stage(id).name;
        let has_waited = self.waited().contains(&id);
        let is_forced = self.job.forced.contains(&id) && !has_waited;
        let first = match store.lookup(&key) {
            Ok(outcome) if !is_forced => return self.reuse(id, recipe, outcome).map(Some),
            looked => looked.err(),
        };
        // One process computes a key; the others come back later and find its outcome.
        let lock = store.key_lock(&key).map_err(Error::io("open", "a lock"))?;
        if !lock.try_take().map_err(Error::io("take", "a lock"))? {
            if !has_waited {
                self.job.observer.observe(Event::Waiting { stage: name });
                self.waited().insert(id);
            }
            return Ok(None);
        }
        let miss = match store.lookup(&key) {
            Ok(outcome) if !is_forced => return self.reuse(id, recipe, outcome).map(Some),
            Ok(_) => Miss::Unknown,
            // What was damaged is set aside, and only missing the second time.
            Err(miss) => first.filter(|first| matches!(first, Miss::Damaged(_))).unwrap_or(miss),
        };
        let reason = match is_forced {
            true => Reason::Forced,
            false => Reason::of(recipe, miss, self.last.get(name), store),
        };
        self.job.observer.observe(Event::Started { stage: name, reason: &reason });
        let (outcome, output) = self.perform(id, key, recipe)?;
        self.materialise(name, &outcome)?;
        Ok(Some((Status::Ran(reason, Arc::new(outcome)), output)))
    }

    fn reuse(&self, id: StageId, recipe: &Recipe, outcome: Outcome) -> Result<Brought, Failure> {
        let store = &self.job.project.store;
        let stage = self.job.graph.stage(id);
        // The recipe may have been damaged while its outcome was not.
        store.keep_recipe(&outcome.key, recipe).map_err(Error::io("write in", store.root()))?;
        self.materialise(&stage.name, &outcome)?;
        let is_external = stage.kind.is_external();
        let output = is_external.then(|| store.observed(&outcome.key)).flatten();
        Ok((Status::Cached(Arc::new(outcome)), output))
    }

    fn materialise(&self, name: &str, outcome: &Outcome) -> Result<(), Error> {
        match self.job.materialise {
            true => outputs::materialise(self.job.project, name, outcome),
            false => Ok(()),
        }
    }

    fn perform(
        &self,
        id: StageId,
        key: Digest,
        recipe: &Recipe,
    ) -> Result<(Outcome, Option<Observation>), Failure> {
        let Job { project, graph, cancel, .. } = *self.job;
        let name = &graph.stage(id).name;
        let yielded = work::perform(&Task {
            project,
            graph,
            id,
            recipe,
            key,
            outcomes: self.plugged(id),
            kept: &self.kept.join(name),
            cancel,
            warn: &|text| self.job.observer.observe(Event::Warning(text)),
        })?;
        let Yield { outcome, observation } = yielded;
        let earlier = |before: &Outcome| project.sighting_of(before);
        let published = project.store.publish(recipe, &outcome, project.sighting(), earlier);
        let published = published.map_err(Error::io("write in", project.store.root()))?;
        if let Some(observation) = &observation {
            project.store.keep_observed(&outcome.key, observation);
        }
        let Some(conflict) = published else { return Ok((outcome, observation)) };
        let warning = format!(
            "stage `{name}` gave other bytes than before for the same recipe {}; both are kept, \
             and `pipeline verify` tells which files",
            outcome.key.short()
        );
        self.job.observer.observe(Event::Warning(&warning));
        Ok((conflict.stands.outcome, observation))
    }

    /// The outcomes of the stages that a stage reads from.
    fn plugged(&self, id: StageId) -> BTreeMap<StageId, &Outcome> {
        let plugs = self.job.graph.stage(id).inputs.iter().flat_map(|port| &port.plugs);
        let outcome = |plug: &Plug| match plug {
            Plug::Stage { stage, .. } => {
                self.yielded[stage.0].get().map(|known| (*stage, &*known.outcome))
            }
            Plug::Data { .. } => None,
        };
        plugs.filter_map(outcome).collect()
    }

    fn waited(&self) -> std::sync::MutexGuard<'_, BTreeSet<StageId>> {
        self.has_waited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
