//! Runs what has to run: stages whose inputs are ready, side by side, in no promised order.
//!
//! The plan: every stage counts the stages it still waits for. A stage with none is ready, and the
//! threads of the crew take what is ready, at most `jobs` at a time. A thread cooks the recipe of
//! its stage, looks the key up and runs on a miss; when it is done the count of each stage behind
//! it goes down. After a failure no new stage starts, unless the run keeps going: then what rests
//! on the failure is skipped, and all else runs. When the run is cancelled nothing starts. What is
//! reported is in graph order, whatever order things finished in.
//!
//! A stage whose key another process holds is set aside, and tried again: no thread waits for
//! work that is done elsewhere. Parallel loops of kinds run in the pool of the process, whose size
//! is the caller's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::bring::{Bench, Turn};
use crate::crew;
use crate::error::Error;
use crate::graph::{Graph, StageId};
use crate::observed::Observation;
use crate::project::Project;
use crate::reason::Reason;
use crate::store::Outcome;
use crate::tokens::Tokens;
use crate::work::Failure;

/// What is to be run, and how.
pub struct Job<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its graph.
    pub graph: &'a Graph,
    /// The stages to run; what they rest on must be among them.
    pub selection: BTreeSet<StageId>,
    /// Stages that run whatever is cached.
    pub forced: BTreeSet<StageId>,
    /// How many stages may run at once.
    pub jobs: usize,
    /// After a failure, run all that does not rest on it.
    pub keep_going: bool,
    /// Make `outputs/STAGE/` hold what each stage yielded.
    pub materialise: bool,
    /// Becomes true when the user wants to stop.
    pub cancel: &'a AtomicBool,
    /// Told what happens.
    pub observer: &'a dyn Observer,
}

/// Told what happens during a run, from several threads.
pub trait Observer: Sync {
    /// Something happened.
    fn observe(&self, event: Event<'_>);
}

/// Something that happens during a run.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A stage begins to run.
    Started {
        /// Its name.
        stage: &'a str,
        /// Why it runs.
        reason: &'a Reason,
    },
    /// Another process is computing what a stage needs.
    Waiting {
        /// Its name.
        stage: &'a str,
    },
    /// A stage is done with.
    Ended(&'a Report),
    /// Something that the user should know, and that stops nothing.
    Warning(&'a str),
}

/// How one stage ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The stage.
    pub id: StageId,
    /// Its name.
    pub stage: String,
    /// How it ended.
    pub status: Status,
    /// How long it took, looking up included.
    pub seconds: f64,
    /// What its program said, now or when its outcome was made.
    pub output: Option<Observation>,
}

/// How a stage ended.
#[derive(Clone, Debug)]
pub enum Status {
    /// It ran.
    Ran(Reason, Arc<Outcome>),
    /// Its outcome was known.
    Cached(Arc<Outcome>),
    /// It failed.
    Failed(Failure),
    /// It was not started.
    Skipped(Cause),
}

/// Why a stage was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The run was cancelled.
    Cancelled,
    /// This stage failed: the run stopped, or the stage rests on it.
    Failed(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Cancelled => write!(f, "the run was cancelled"),
            Cause::Failed(stage) => write!(f, "`{stage}` failed"),
        }
    }
}

impl Report {
    /// What the stage yielded, if anything.
    pub fn outcome(&self) -> Option<&Arc<Outcome>> {
        match &self.status {
            Status::Ran(_, outcome) | Status::Cached(outcome) => Some(outcome),
            Status::Failed(..) | Status::Skipped(_) => None,
        }
    }
}

/// Runs the selected stages, services excepted, and reports on each in graph order. What a failed
/// stage wrote is moved to `kept/STAGE`.
///
/// # Errors
/// `Missing` when a declared program is, before anything runs. What goes wrong with a stage is in
/// its report.
pub fn run(job: &Job<'_>, kept: PathBuf) -> Result<Vec<Report>, Error> {
    require_tools(job)?;
    job.project.store.hold().map_err(Error::io("take", "the lock of the store"))?;
    let state = crew::work(&Bench::new(job, kept), State::new(job), job.jobs.max(1));
    // Nothing is remembered as proved before it is on disk.
    job.project.store.settle()?;
    Ok(state.reports.into_values().collect())
}

/// Fails with every program that the selected stages declare and that cannot be found.
fn require_tools(job: &Job<'_>) -> Result<(), Error> {
    let stages = job.selection.iter().map(|id| job.graph.stage(*id));
    let declared = stages.map(|stage| stage.kind.surroundings(&stage.params).tools);
    job.project.outside.require(&job.project.root, declared.collect())
}

/// Where every stage stands; the threads of the crew have it in turn.
pub(crate) struct State {
    /// Per stage that is not ready, how many stages it waits for.
    waiting: BTreeMap<StageId, usize>,
    /// Per stage, those that wait for it.
    behind: BTreeMap<StageId, Vec<StageId>>,
    ready: Tokens,
    busy: BTreeSet<StageId>,
    n_running: usize,
    /// Stages that wait for one that yielded nothing, and why it did not.
    lost: BTreeMap<StageId, Cause>,
    reports: BTreeMap<StageId, Report>,
}

impl State {
    fn new(job: &Job<'_>) -> State {
        let stages =
            || job.selection.iter().copied().filter(|id| !job.graph.stage(*id).is_service());
        let mut state = State {
            waiting: BTreeMap::new(),
            behind: BTreeMap::new(),
            ready: Tokens::new(job.graph, stages()),
            busy: BTreeSet::new(),
            n_running: 0,
            lost: BTreeMap::new(),
            reports: BTreeMap::new(),
        };
        for id in stages() {
            let needs = job.graph.stage(id).needs();
            if needs.is_empty() {
                state.ready.add(id);
            } else {
                state.waiting.insert(id, needs.len());
            }
            needs.into_iter().for_each(|need| state.behind.entry(need).or_default().push(id));
        }
        state
    }

    /// Whether nothing runs, nothing is ready and nothing is set aside.
    pub(crate) fn is_over(&self) -> bool {
        self.n_running == 0 && self.ready.is_empty() && self.busy.is_empty()
    }

    /// Whether another stage is ready.
    pub(crate) fn is_any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether stages are set aside that another process computes.
    pub(crate) fn is_any_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// The next stage to bring to its end, if there is one whose resources can be had.
    pub(crate) fn next(&mut self) -> Option<StageId> {
        let id = self.ready.take();
        self.n_running += usize::from(id.is_some());
        id
    }

    /// Makes the stages ready again that were set aside.
    pub(crate) fn try_again(&mut self) {
        std::mem::take(&mut self.busy).into_iter().for_each(|id| self.ready.add(id));
    }

    /// Notes how the turn of a stage ended that was taken.
    pub(crate) fn note(&mut self, bench: &Bench<'_>, turn: Turn) {
        self.n_running -= 1;
        match turn {
            Turn::Ended(report) => {
                self.ready.release(report.id);
                self.finish(bench, *report);
            }
            Turn::Busy(id) => {
                self.ready.release(id);
                self.busy.insert(id);
            }
        }
    }

    fn finish(&mut self, bench: &Bench<'_>, report: Report) {
        let mut ended = vec![report];
        // A loop and no call of itself: what is lost may be a chain of any length.
        while let Some(report) = ended.pop() {
            self.settle(bench, report, &mut ended);
        }
    }

    /// Notes how a stage ended and which stages are ready now. Those behind it that can no longer
    /// run end at once.
    fn settle(&mut self, bench: &Bench<'_>, report: Report, ended: &mut Vec<Report>) {
        bench.job.observer.observe(Event::Ended(&report));
        let id = report.id;
        let cause = match &report.status {
            Status::Failed(_) => Some(Cause::Failed(report.stage.clone())),
            Status::Skipped(cause) => Some(cause.clone()),
            Status::Ran(..) | Status::Cached(_) => None,
        };
        if let Some(outcome) = report.outcome() {
            bench.shelve(id, outcome);
        }
        self.reports.insert(id, report);
        for behind in self.behind.remove(&id).into_iter().flatten() {
            if let Some(cause) = &cause {
                self.lost.entry(behind).or_insert_with(|| cause.clone());
            }
            let Some(n_waiting) = self.waiting.get_mut(&behind) else { continue };
            *n_waiting -= 1;
            if *n_waiting > 0 {
                continue;
            }
            self.waiting.remove(&behind);
            match self.lost.remove(&behind) {
                None => self.ready.add(behind),
                Some(cause) => ended.push(bench.skip(behind, cause)),
            }
        }
    }
}
