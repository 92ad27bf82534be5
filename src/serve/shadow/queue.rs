//! A bounded queue to a thread of low weight, which no sender ever waits for.
//!
//! What does not fit is refused before it is made, so that a queue which stays full costs next to
//! nothing. A thread that is woken for each item would cost its sender a system call, more than the
//! item itself: one that has had something to do looks again after a pause, and only one that had
//! nothing to do is woken. Under load nobody is woken at all. Weight is the thread's niceness, by
//! which the kernel lets everything else go first. Knows nothing of what it carries.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread that has been busy does nothing before it looks again.
const PAUSE: Duration = Duration::from_millis(2);

/// How long whoever wants to be told of the end waits between two attempts to say so.
const RETRY: Duration = Duration::from_millis(1);

/// The niceness of the thread: the least weight there is.
const NICENESS: i32 = 19;

/// What a thread does with what comes.
pub(crate) trait Work<T>: Send + 'static {
    /// Does one item.
    fn take(&mut self, item: T);

    /// Is called when nothing waits. Returns after what time it is to be called again if nothing
    /// comes; `None` when only an item makes a difference.
    fn rest(&mut self) -> Option<Duration>;

    /// Saves whatever there is to be saved.
    fn save(&mut self);
}

enum Job<T> {
    Take(T),
    /// Save, then say so.
    Save(SyncSender<()>),
}

/// The senders' end.
pub(crate) struct Queue<T> {
    jobs: SyncSender<Job<T>>,
    waiting: Arc<AtomicUsize>,
    capacity: usize,
}

impl<T: Send + 'static> Queue<T> {
    /// A queue for so many items, and the thread that takes them, which ends with the queue.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(name: &str, capacity: usize, work: impl Work<T>) -> io::Result<Queue<T>> {
        let (jobs, coming) = sync_channel(capacity + 1);
        let waiting = Arc::<AtomicUsize>::default();
        let taken = Arc::clone(&waiting);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // On Linux the thread's own. Where it is not granted, the thread weighs as any other.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            serve(&coming, &taken, work);
        })?;
        Ok(Queue { jobs, waiting, capacity })
    }

    /// Hands an item over, which is made only if there is room for it; returns whether there was.
    pub(crate) fn offer(&self, make: impl FnOnce() -> T) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.capacity
            && self.jobs.try_send(Job::Take(make())).is_ok()
        {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// How many items wait, and how many may.
    pub(crate) fn load(&self) -> (usize, usize) {
        // Those that are just being refused are counted for a moment.
        (self.waiting.load(Ordering::Relaxed).min(self.capacity), self.capacity)
    }

    /// Waits until all that came before is done and saved, but not for long; returns whether it is.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let (done, is_done) = sync_channel(1);
        while self.jobs.try_send(Job::Save(done.clone())).is_err() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(RETRY);
        }
        is_done.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// Takes what comes until nobody can send any more.
fn serve<T>(coming: &Receiver<Job<T>>, waiting: &AtomicUsize, mut work: impl Work<T>) {
    let mut is_busy = false;
    loop {
        let job = match coming.try_recv() {
            Ok(job) => job,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) if std::mem::take(&mut is_busy) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(TryRecvError::Empty) => match work.rest() {
                None => match coming.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                },
                Some(patience) => match coming.recv_timeout(patience) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                },
            },
        };
        is_busy = true;
        match job {
            Job::Take(item) => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                work.take(item);
            }
            Job::Save(done) => {
                work.save();
                let _ = done.send(());
            }
        }
    }
    work.save();
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Notes what comes, each item only when it is told to go on.
    struct Gated {
        go: mpsc::Receiver<()>,
        seen: Arc<Mutex<Vec<u32>>>,
    }

    impl Work<u32> for Gated {
        fn take(&mut self, item: u32) {
            let _ = self.go.recv();
            self.seen.lock().unwrap().push(item);
        }

        fn rest(&mut self) -> Option<Duration> {
            None
        }

        fn save(&mut self) {
            let niceness = rustix::process::getpriority_process(None).unwrap();
            self.seen.lock().unwrap().push(1000 + niceness as u32);
        }
    }

    fn gated(capacity: usize) -> (Queue<u32>, mpsc::Sender<()>, Arc<Mutex<Vec<u32>>>) {
        let (send, go) = mpsc::channel();
        let seen = Arc::<Mutex<Vec<u32>>>::default();
        let work = Gated { go, seen: Arc::clone(&seen) };
        (Queue::start("test", capacity, work).unwrap(), send, seen)
    }

    #[test]
    fn what_does_not_fit_is_refused_at_once_and_never_made() {
        let (queue, go, seen) = gated(4);
        assert!(queue.offer(|| 0));
        // Until the thread holds the first one.
        let start = Instant::now();
        while queue.load().0 > 0 {
            assert!(start.elapsed() < PATIENCE);
            thread::sleep(RETRY);
        }
        let taken = (1..10).filter(|i| queue.offer(|| *i)).collect::<Vec<_>>();
        assert_eq!((taken, queue.load()), (vec![1, 2, 3, 4], (4, 4)));
        assert!(!queue.offer(|| unreachable!("it does not fit")));
        assert!(!queue.flush(Duration::from_millis(20)), "the thread cannot be done");
        (0..5).for_each(|_| go.send(()).unwrap());
        assert!(queue.flush(PATIENCE));
        assert_eq!(seen.lock().unwrap()[..5], [0, 1, 2, 3, 4]);
        assert_eq!(queue.load(), (0, 4));
    }

    #[test]
    fn the_thread_weighs_little_saves_when_asked_and_at_its_end() {
        let (queue, go, seen) = gated(4);
        let own = rustix::process::getpriority_process(None).unwrap();
        assert!(queue.flush(PATIENCE));
        assert_eq!(*seen.lock().unwrap(), [1019]);
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
        drop((queue, go));
        let start = Instant::now();
        while seen.lock().unwrap().len() < 2 {
            assert!(start.elapsed() < PATIENCE);
            thread::sleep(RETRY);
        }
    }
}
