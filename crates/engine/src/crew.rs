//! The threads that bring stages to their end, the calling one among them.
//!
//! Each takes the next stage by itself when it is done with one: of a chain nobody but one thread
//! is ever awake. Another is woken, or started, only when more is ready than the one that looks can
//! do. They are no threads of the pool in which parallel loops run: a thread of a pool that waits
//! for its loop takes up whatever else the pool is given. Were that another stage, the first would
//! wait for the whole of it, and for ever if the second needs a lock that the first one holds. A
//! thread of the crew only waits. It knows nothing of which stage is next.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};
use std::time::Duration;

use crate::bring::{Bench, Turn};
use crate::schedule::State;

/// How often it is asked whether another process is done with a key.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What the threads share.
struct Crew<'a> {
    bench: &'a Bench<'a>,
    /// How many threads there may be.
    jobs: usize,
    hands: Mutex<Hands>,
    /// That something is ready for a thread that waits, or that all is over.
    news: Condvar,
}

/// Who is there, and what there is to do.
struct Hands {
    state: State,
    n_threads: usize,
    n_waiting: usize,
}

/// Brings all stages to their end, at most `jobs` at a time; returns how they stand then.
pub(crate) fn work(bench: &Bench<'_>, state: State, jobs: usize) -> State {
    let hands = Mutex::new(Hands { state, n_threads: 1, n_waiting: 0 });
    let crew = Crew { bench, jobs, hands, news: Condvar::new() };
    thread::scope(|scope| crew.work(scope));
    crew.hands.into_inner().unwrap_or_else(PoisonError::into_inner).state
}

impl<'a> Crew<'a> {
    /// What one thread does.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut hands = self.hands();
        loop {
            if let Some(id) = hands.state.next() {
                // Decided while nobody else can take one: what was taken before a failure is done.
                let stopped = self.bench.stopped();
                self.call(&mut hands, scope);
                drop(hands);
                let turn = match stopped {
                    Some(cause) => Turn::Ended(Box::new(self.bench.skip(id, cause))),
                    None => self.bench.bring(id),
                };
                hands = self.hands();
                hands.state.note(self.bench, turn);
            } else if hands.state.is_over() {
                self.news.notify_all();
                return;
            } else {
                hands = self.wait(hands);
            }
        }
    }

    /// Calls another thread when something is ready for it.
    fn call<'scope>(&'scope self, hands: &mut Hands, scope: &'scope Scope<'scope, '_>) {
        if !hands.state.is_any_ready() {
            return;
        }
        if hands.n_waiting > 0 {
            self.news.notify_one();
        } else if hands.n_threads < self.jobs {
            let name = format!("stage-{}", hands.n_threads);
            let hired = Builder::new().name(name).spawn_scoped(scope, || self.work(scope));
            // Without it those that there are do the work one after another.
            hands.n_threads += usize::from(hired.is_ok());
        }
    }

    /// Waits until there is something to do; keys that others compute are asked for again then.
    fn wait<'h>(&self, mut hands: MutexGuard<'h, Hands>) -> MutexGuard<'h, Hands> {
        hands.n_waiting += 1;
        let is_any_busy = hands.state.is_any_busy();
        let mut hands = if is_any_busy {
            let waited = self.news.wait_timeout(hands, LOCK_PAUSE);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.news.wait(hands).unwrap_or_else(PoisonError::into_inner)
        };
        hands.n_waiting -= 1;
        if is_any_busy {
            hands.state.try_again();
        }
        hands
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
