//! The threads that bring stages to their end, kept from stage to stage.
//!
//! They are no threads of the pool in which parallel loops run: a thread of a pool that waits for
//! its loop takes up whatever else the pool is given. Were that another stage, the first would wait
//! for the whole of it, and for ever if the second needs a lock that the first one holds. A thread
//! of the crew only waits. It knows nothing of which stage is next.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};

use crate::bring::{Bench, Turn};
use crate::error::Error;
use crate::graph::StageId;

/// Threads that are given stages, at work as long as this value lives.
pub(crate) struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    bench: &'scope Bench<'scope>,
    orders: Sender<StageId>,
    /// Where an idle thread takes the next stage from.
    queue: Arc<Mutex<Receiver<StageId>>>,
    /// Where it tells how the stage ended.
    turns: Sender<Turn>,
    n_threads: usize,
}

impl<'scope, 'env> Crew<'scope, 'env> {
    /// A crew without threads, and what they will tell.
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        bench: &'scope Bench<'scope>,
    ) -> (Crew<'scope, 'env>, Receiver<Turn>) {
        let (orders, queue) = mpsc::channel();
        let (turns, told) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        (Crew { scope, bench, orders, queue, turns, n_threads: 0 }, told)
    }

    /// Gives a stage to a thread; a new one is started when all are at work, which `n_running`
    /// stages tell, this one included.
    ///
    /// # Errors
    /// When not even one thread can be had.
    pub(crate) fn hand(&mut self, id: StageId, n_running: usize) -> Result<(), Error> {
        if self.n_threads < n_running {
            match self.hire() {
                Err(error) if self.n_threads == 0 => {
                    return Err(Error::io("start", "a thread")(error));
                }
                // Those that there are do the work one after another.
                Err(_) => {}
                Ok(()) => self.n_threads += 1,
            }
        }
        // The queue lives as long as this value, so that sending cannot fail.
        let _ = self.orders.send(id);
        Ok(())
    }

    fn hire(&self) -> std::io::Result<()> {
        let (bench, queue, turns) = (self.bench, self.queue.clone(), self.turns.clone());
        let work = move || {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
            while let Some(id) = next() {
                drop(turns.send(bench.bring(id)));
            }
        };
        let name = format!("stage-{}", self.n_threads);
        Builder::new().name(name).spawn_scoped(self.scope, work).map(drop)
    }
}
