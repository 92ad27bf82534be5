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
use std::fs::TryLockError;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::error::Error;
use crate::graph::{Graph, Plug, StageId};
use crate::outputs;
use crate::plan;
use crate::project::Project;
use crate::reason::Reason;
use crate::recipe::{Done, Recipe};
use crate::store::{Miss, Outcome};
use crate::work::{self, Failure};

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
/// `Io` when no threads can be had; what goes wrong with a stage is in its report.
pub fn run(job: &Job<'_>, kept: PathBuf) -> Result<Vec<Report>, Error> {
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
                Some(Turn::Ended(report)) => state.finish(&bench, report),
                Some(Turn::Busy(id)) => state.set_aside(id),
                None => state.try_again(),
            }
        }
    });
    job.project.store.stat().save();
    Ok(state.reports.into_values().collect())
}

/// What a thread hands back.
enum Turn {
    /// The stage is done with.
    Ended(Report),
    /// Another process is computing its key.
    Busy(StageId),
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

/// What a stage yielded, for those that rest on it.
struct Yielded {
    done: Option<Done>,
    outcome: Outcome,
}

/// What the threads share: the job, and what was yielded so far.
struct Bench<'a> {
    job: &'a Job<'a>,
    kept: PathBuf,
    last: BTreeMap<String, Digest>,
    /// Per stage; set before any stage that rests on it is handed out.
    yielded: Vec<OnceLock<Yielded>>,
    /// Stages whose wait was told, and which then take what the other process made.
    has_waited: Mutex<BTreeSet<StageId>>,
    is_stopped: AtomicBool,
}

impl<'a> Bench<'a> {
    fn new(job: &'a Job<'a>, kept: PathBuf) -> Bench<'a> {
        Bench {
            job,
            kept,
            last: job.project.runs.last_keys(),
            yielded: job.graph.ids().map(|_| OnceLock::new()).collect(),
            has_waited: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        }
    }

    fn shelve(&self, id: StageId, outcome: &Outcome) {
        let done = plan::known(self.job.graph, id, outcome);
        // A stage ends once, so that its place is empty.
        let _ = self.yielded[id.0].set(Yielded { done, outcome: outcome.clone() });
    }

    /// Brings one stage to its end, whatever happens on the way.
    fn bring(&self, id: StageId) -> Turn {
        let started = Instant::now();
        let brought = panic::catch_unwind(AssertUnwindSafe(|| self.step(id)));
        let status = match brought {
            Ok(Some(status)) => status,
            Ok(None) => return Turn::Busy(id),
            Err(payload) => Status::Failed(Failure::panicked("the engine", payload.as_ref())),
        };
        if matches!(status, Status::Failed(_)) {
            self.is_stopped.store(true, Ordering::SeqCst);
        }
        let stage = self.job.graph.stage(id).name.clone();
        Turn::Ended(Report { id, stage, status, seconds: started.elapsed().as_secs_f64() })
    }

    /// How a stage ended; `None` while another process computes its key.
    fn step(&self, id: StageId) -> Option<Status> {
        let is_cancelled = self.job.cancel.load(Ordering::Relaxed);
        if is_cancelled || self.is_stopped.load(Ordering::SeqCst) {
            return Some(Status::Skipped);
        }
        let done = |id: StageId| self.yielded[id.0].get().and_then(|known| known.done.as_ref());
        match self.job.project.cook_from(self.job.graph, id, done) {
            Ok(Some(recipe)) => {
                self.resolve(id, &recipe).unwrap_or_else(|f| Some(Status::Failed(f)))
            }
            Ok(None) => Some(Status::Skipped), // what it rests on was skipped or failed
            Err(error) => Some(Status::Failed(error.into())),
        }
    }

    /// Looks a recipe up, and runs it when there is no outcome.
    fn resolve(&self, id: StageId, recipe: &Recipe) -> Result<Option<Status>, Failure> {
        let (store, key) = (&self.job.project.store, recipe.key());
        let name = &self.job.graph.stage(id).name;
        let has_waited = self.waited().contains(&id);
        let is_forced = self.job.forced.contains(&id) && !has_waited;
        if !is_forced && let Ok(outcome) = store.lookup(&key) {
            return self.reuse(name, recipe, outcome).map(Some);
        }
        // One process computes a key; the others come back later and find its outcome.
        let lock = store.lock_file(&key).map_err(Error::io("open", "a lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            if !has_waited {
                self.job.observer.observe(Event::Waiting { stage: name });
                self.waited().insert(id);
            }
            return Ok(None);
        }
        let miss = match store.lookup(&key) {
            Ok(outcome) if !is_forced => return self.reuse(name, recipe, outcome).map(Some),
            Ok(_) => Miss::Unknown,
            Err(miss) => miss,
        };
        let reason = match is_forced {
            true => Reason::Forced,
            false => Reason::of(recipe, miss, self.last.get(name), store),
        };
        self.job.observer.observe(Event::Started { stage: name, reason: &reason });
        let outcome = self.perform(id, recipe)?;
        outputs::materialise(self.job.project, name, &outcome)?;
        Ok(Some(Status::Ran(reason, outcome)))
    }

    fn reuse(&self, name: &str, recipe: &Recipe, outcome: Outcome) -> Result<Status, Failure> {
        let store = &self.job.project.store;
        // The recipe may have been damaged while its outcome was not.
        store.keep_recipe(recipe).map_err(Error::io("write in", store.root()))?;
        outputs::materialise(self.job.project, name, &outcome)?;
        Ok(Status::Cached(outcome))
    }

    fn perform(&self, id: StageId, recipe: &Recipe) -> Result<Outcome, Failure> {
        let Job { project, graph, .. } = *self.job;
        let name = &graph.stage(id).name;
        let before = self.plugged(id);
        let outcome = work::perform(project, graph, id, recipe, &before, &self.kept.join(name))?;
        let standing = project.store.publish(recipe, &outcome);
        let standing = standing.map_err(Error::io("write in", project.store.root()))?;
        let Some(standing) = standing else { return Ok(outcome) };
        let warning = format!(
            "stage `{name}` gave other bytes than before for the same recipe {}; both are kept, \
             and `pipeline verify` tells which files",
            outcome.key.short()
        );
        self.job.observer.observe(Event::Warning(&warning));
        Ok(standing)
    }

    /// The outcomes of the stages that a stage reads from.
    fn plugged(&self, id: StageId) -> BTreeMap<StageId, &Outcome> {
        let plugs = self.job.graph.stage(id).inputs.iter().flat_map(|port| &port.plugs);
        let outcome = |plug: &Plug| match plug {
            Plug::Stage { stage, .. } => {
                self.yielded[stage.0].get().map(|known| (*stage, &known.outcome))
            }
            Plug::Data { .. } => None,
        };
        plugs.filter_map(outcome).collect()
    }

    fn waited(&self) -> std::sync::MutexGuard<'_, BTreeSet<StageId>> {
        self.has_waited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
