//! A journal: lines on their way to a disk, which nobody who has one ever waits for.
//!
//! Whoever has a line leaves it in a buffer, for a lock and a copy; a thread takes all that is
//! there in one go and gives it to a sink, which in a service is `rotating`. Two buffers of a fixed
//! size change hands, so memory is bounded whatever the sink does: a line that finds no room is
//! dropped and counted. Lines wait a moment for each other, so that a busy service asks the system
//! fifty times a second and not once per line. What is written is flushed to the disk every second,
//! and at the end. Knows neither what a line says nor how files are named.

pub(crate) mod rotating;

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most bytes that wait to be written; as many more are being written.
const MAX_WAITING: usize = 4 << 20;

/// How long a line waits for others.
const GATHER: Duration = Duration::from_millis(20);

/// How long what is written may be unflushed.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Where lines go.
pub(crate) trait Sink: Send + 'static {
    /// Writes lines, each of which ends in a line break.
    fn write(&mut self, lines: &[u8]) -> Written;

    /// Has what was written reach the disk.
    ///
    /// # Errors
    /// Why it may not have.
    fn flush(&mut self) -> io::Result<()>;
}

/// What became of lines.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// How many are written.
    pub(crate) lines: u64,
    /// Why the others are not, if a fault is why.
    pub(crate) fault: Option<String>,
}

/// What people should know of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Lines are lost from now on.
    Failing {
        /// Why.
        reason: String,
    },
    /// Lines are written again.
    Resumed {
        /// How many were lost to the fault.
        lost: u64,
    },
}

/// A journal that is being written. The last one of its clones ends it.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Owner>);

/// Ends the thread when nobody can have a line any more.
struct Owner(Arc<Shared>);

/// What those who have lines and the thread share.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits to be written, or the end has come.
    changed: Condvar,
    /// The thread is done.
    ended: Condvar,
    written: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// No line is taken any more.
    Closing,
    /// Nothing is written any more.
    Ended,
}

impl Journal {
    /// Begins a journal; `tell` is called by its thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        sink: impl Sink,
        tell: impl Fn(&News) + Send + 'static,
    ) -> io::Result<Journal> {
        let shared = Arc::<Shared>::default();
        shared.lock().bytes = Vec::with_capacity(MAX_WAITING);
        let writer =
            Writer { shared: Arc::clone(&shared), sink, tell, unflushed: None, lost: None };
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run())?;
        Ok(Journal(Arc::new(Owner(shared))))
    }

    /// Takes a line, which has no line break, unless too much is waiting.
    pub(crate) fn append(&self, line: &[u8]) {
        let shared = &self.0.0;
        let mut waiting = shared.lock();
        let before = waiting.bytes.len();
        let after = before + line.len() + 1;
        if waiting.stage != Stage::Open || after > MAX_WAITING {
            drop(waiting);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes.extend_from_slice(line);
        waiting.bytes.push(b'\n');
        waiting.lines += 1;
        drop(waiting);
        // Between the two the thread waits for more, or writes.
        if before == 0 || is_much(after) && !is_much(before) {
            shared.changed.notify_one();
        }
    }

    /// How many lines are written.
    pub(crate) fn written(&self) -> u64 {
        self.0.0.written.load(Ordering::Relaxed)
    }

    /// How many lines were dropped: for want of room in memory, or on the disk.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Ordering::Relaxed)
    }

    /// Takes no more lines, and waits until those that it has are on the disk, but not for ever.
    /// Returns whether they are.
    pub(crate) fn close(&self, patience: Duration) -> bool {
        let shared = &self.0.0;
        shared.close();
        let is_going_on = |waiting: &mut Waiting| waiting.stage != Stage::Ended;
        let waited = shared.ended.wait_timeout_while(shared.lock(), patience, is_going_on);
        waited.unwrap_or_else(PoisonError::into_inner).0.stage == Stage::Ended
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Whether so much is waiting that it should not wait for more.
fn is_much(n_bytes: usize) -> bool {
    n_bytes > MAX_WAITING / 4
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in it is ever half done when a thread panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut waiting = self.lock();
        if waiting.stage == Stage::Open {
            waiting.stage = Stage::Closing;
            self.changed.notify_one();
        }
    }

    /// Exchanges an empty buffer for what is waiting, as soon as something is, or when there has
    /// been nothing for so long. Returns how many lines it has, and whether they are the last.
    fn take(&self, empty: &mut Vec<u8>, patience: Option<Duration>) -> (u64, bool) {
        let is_idle = |waiting: &mut Waiting| waiting.stage == Stage::Open && waiting.lines == 0;
        let waiting = self.lock();
        let waiting = match patience {
            None => self.changed.wait_while(waiting, is_idle),
            Some(time) => self
                .changed
                .wait_timeout_while(waiting, time, is_idle)
                .map(|(waiting, _)| waiting)
                .map_err(|error| PoisonError::new(error.into_inner().0)),
        };
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if waiting.lines > 0 {
            let has_room = |waiting: &mut Waiting| {
                waiting.stage == Stage::Open && !is_much(waiting.bytes.len())
            };
            let gathered = self.changed.wait_timeout_while(waiting, GATHER, has_room);
            waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        mem::swap(&mut waiting.bytes, empty);
        (mem::take(&mut waiting.lines), waiting.stage == Stage::Closing)
    }
}

/// What the thread has.
struct Writer<S, T> {
    shared: Arc<Shared>,
    sink: S,
    tell: T,
    /// Since when something is written and not flushed.
    unflushed: Option<Instant>,
    /// How many lines were lost to a fault that goes on.
    lost: Option<u64>,
}

impl<S: Sink, T: Fn(&News)> Writer<S, T> {
    /// Writes lines until there are no more.
    fn run(mut self) {
        let mut bytes = Vec::with_capacity(MAX_WAITING);
        loop {
            let patience = self.unflushed.map(|since| FLUSH_EVERY.saturating_sub(since.elapsed()));
            let (lines, is_last) = self.shared.take(&mut bytes, patience);
            if lines > 0 {
                self.write(&bytes, lines);
                bytes.clear();
            }
            let is_due = |since: Instant| is_last || since.elapsed() >= FLUSH_EVERY;
            if self.unflushed.is_some_and(is_due) {
                self.unflushed = None;
                if let Err(error) = self.sink.flush() {
                    self.fail(error.to_string(), 0);
                }
            }
            if is_last {
                self.shared.lock().stage = Stage::Ended;
                self.shared.ended.notify_all();
                return;
            }
        }
    }

    fn write(&mut self, bytes: &[u8], lines: u64) {
        let Written { lines: written, fault } = self.sink.write(bytes);
        let lost = lines.saturating_sub(written);
        self.shared.written.fetch_add(written, Ordering::Relaxed);
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        if written > 0 {
            self.unflushed.get_or_insert_with(Instant::now);
        }
        match fault {
            Some(reason) => self.fail(reason, lost),
            None if written > 0 => {
                if let Some(lost) = self.lost.take() {
                    (self.tell)(&News::Resumed { lost });
                }
            }
            None => {}
        }
    }

    /// Notes a fault, of which people are told when it begins.
    fn fail(&mut self, reason: String, lost: u64) {
        let before = self.lost;
        self.lost = Some(before.unwrap_or_default() + lost);
        if before.is_none() {
            (self.tell)(&News::Failing { reason });
        }
    }
}

#[cfg(test)]
mod tests;
