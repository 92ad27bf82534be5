//! Runs what has to run: stages whose inputs are ready, side by side, in no promised order.
//!
//! The plan: every stage counts the stages it still waits for. A stage with none is ready, and the
//! calling thread hands ready stages to the thread pool, at most `jobs` at a time. There a stage
//! cooks its recipe, looks its key up and runs on a miss; when it is done the count of each stage
//! behind it goes down. After a failure, or when the run is cancelled, no new stage starts. What is
//! reported is in graph order, whatever order things finished in.
//!
//! No stage waits for another inside the pool (only, for a moment, for a process that copies the
//! same outputs): a thread whose kind waits for its own parallel loop may pick
//! up another stage meanwhile, and if that one waited for a lock further down the same stack, both
//! would wait for ever. A stage whose key another process holds is handed back, and tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::bring::{Bench, Turn};
use crate::error::Error;
use crate::graph::{Graph, StageId};
use crate::observed::Observation;
use crate::project::Project;
use crate::reason::Reason;
use crate::store::Outcome;
use crate::work::Failure;

/// How often it is asked whether another process is done with a key.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

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
    /// How many stages may run at once; kinds use the same threads.
    pub jobs: usize,
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
    Ran(Reason, Outcome),
    /// Its outcome was known.
    Cached(Outcome),
    /// It failed.
    Failed(Failure),
    /// It was not started, because another failed or the run was cancelled.
    Skipped,
}

impl Report {
    /// What the stage yielded, if anything.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.status {
            Status::Ran(_, outcome) | Status::Cached(outcome) => Some(outcome),
            Status::Failed(..) | Status::Skipped => None,
        }
    }
}

/// Runs the selected stages, services excepted, and reports on each in graph order. What a failed
/// stage wrote is moved to `kept/STAGE`.
///
/// # Errors
/// `Missing` when a declared program is, before anything runs; `Io` when no threads can be had.
/// What goes wrong with a stage is in its report.
pub fn run(job: &Job<'_>, kept: PathBuf) -> Result<Vec<Report>, Error> {
    require_tools(job)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(job.jobs.max(1))
        .thread_name(|index| format!("stage-{index}"))
        .build()
        .map_err(|error| Error::io("start", "threads")(std::io::Error::other(error)))?;
    let bench = Bench::new(job, kept);
    let mut state = State::new(job);
    let (sender, receiver) = mpsc::channel();
    pool.in_place_scope(|scope| {
        while !state.is_over() {
            while let Some(id) = state.next(job.jobs.max(1)) {
                let (bench, sender) = (&bench, sender.clone());
                // The receiver outlives the scope, so that sending cannot fail.
                scope.spawn(move |_| drop(sender.send(bench.bring(id))));
            }
            match receive(&receiver, &state) {
                Some(Turn::Ended(report)) => state.finish(&bench, *report),
                Some(Turn::Busy(id)) => state.set_aside(id),
                None => state.try_again(),
            }
        }
    });
    job.project.store.stat().save();
    Ok(state.reports.into_values().collect())
}

/// Fails with every program that the selected stages declare and that cannot be found.
fn require_tools(job: &Job<'_>) -> Result<(), Error> {
    let stages = job.selection.iter().map(|id| job.graph.stage(*id));
    let declared = stages.map(|stage| stage.kind.surroundings(&stage.params).tools);
    job.project.outside.require(&job.project.root, declared.collect())
}

/// The next turn, or `None` when it is time to try the stages again that were set aside.
fn receive(receiver: &Receiver<Turn>, state: &State) -> Option<Turn> {
    if state.busy.is_empty() {
        return receiver.recv().ok();
    }
    receiver.recv_timeout(LOCK_PAUSE).ok()
}

/// Where every stage stands; only the calling thread has it.
struct State {
    /// Per stage that is not ready, how many stages it waits for.
    waiting: BTreeMap<StageId, usize>,
    /// Per stage, those that wait for it.
    behind: BTreeMap<StageId, Vec<StageId>>,
    ready: BTreeSet<StageId>,
    busy: BTreeSet<StageId>,
    n_running: usize,
    reports: BTreeMap<StageId, Report>,
}

impl State {
    fn new(job: &Job<'_>) -> State {
        let mut state = State {
            waiting: BTreeMap::new(),
            behind: BTreeMap::new(),
            ready: BTreeSet::new(),
            busy: BTreeSet::new(),
            n_running: 0,
            reports: BTreeMap::new(),
        };
        for id in job.selection.iter().filter(|id| !job.graph.stage(**id).is_service()) {
            let needs = job.graph.stage(*id).needs();
            if needs.is_empty() {
                state.ready.insert(*id);
            } else {
                state.waiting.insert(*id, needs.len());
            }
            needs.into_iter().for_each(|need| state.behind.entry(need).or_default().push(*id));
        }
        state
    }

    fn is_over(&self) -> bool {
        self.n_running == 0 && self.ready.is_empty() && self.busy.is_empty()
    }

    /// The next stage to hand out, in graph order, as long as a thread is free.
    fn next(&mut self, jobs: usize) -> Option<StageId> {
        let id = if self.n_running < jobs { self.ready.pop_first() } else { None };
        self.n_running += usize::from(id.is_some());
        id
    }

    fn set_aside(&mut self, id: StageId) {
        self.n_running -= 1;
        self.busy.insert(id);
    }

    fn try_again(&mut self) {
        self.ready.append(&mut self.busy);
    }

    /// Notes how a stage ended, and which stages are ready now.
    fn finish(&mut self, bench: &Bench<'_>, report: Report) {
        bench.job.observer.observe(Event::Ended(&report));
        let id = report.id;
        if let Some(outcome) = report.outcome() {
            bench.shelve(id, outcome);
        }
        self.n_running -= 1;
        self.reports.insert(id, report);
        for behind in self.behind.remove(&id).into_iter().flatten() {
            if let Some(n_waiting) = self.waiting.get_mut(&behind) {
                *n_waiting -= 1;
                if *n_waiting == 0 {
                    self.waiting.remove(&behind);
                    self.ready.insert(behind);
                }
            }
        }
    }
}
