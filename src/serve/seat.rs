//! The place that a connection takes among all, and whether it could be given to another.
//!
//! A connection that waits for a next request is of no use to anyone until that comes, and its
//! client must be ready to find it closed: so it makes room when somebody new finds no place. Who
//! follows the bytes says since when it waits, who answers says whether it is at work, and who
//! drives it hears that it is to leave. Each is one atomic number, so that telling costs a request
//! nothing. Knows neither sockets nor how many places there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a connection is left alone after an answer: its client may be about to use it.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// What stands in place of a time while a connection does not wait for a next request.
const IN_USE: u64 = u64::MAX;

/// The place of one connection.
pub(crate) struct Seat {
    /// Times are told from here.
    began: Instant,
    /// Since when it waits for a next request, in microseconds; `IN_USE` when it does not.
    waits_since: AtomicU64,
    is_at_work: AtomicBool,
    is_asked: AtomicBool,
    leave: Notify,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat::new(Instant::now())
    }
}

impl Seat {
    /// A place that has just been taken. All that are compared have the same beginning.
    pub(crate) fn new(began: Instant) -> Seat {
        Seat {
            began,
            waits_since: AtomicU64::new(IN_USE),
            is_at_work: AtomicBool::new(false),
            is_asked: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// Says since when a next request is waited for; `None` when something else is.
    pub(crate) fn waits(&self, since: Option<Instant>) {
        // No service runs for half a million years.
        let after = |since: Instant| since.saturating_duration_since(self.began).as_micros() as u64;
        self.waits_since.store(since.map_or(IN_USE, after), Ordering::Relaxed);
    }

    /// Says that a request is worked on, until what is returned is dropped.
    pub(crate) fn work(seat: &Arc<Seat>) -> AtWork {
        seat.is_at_work.store(true, Ordering::Relaxed);
        AtWork(Arc::clone(seat))
    }

    /// How long it has been waiting for a next request, if long enough to make room for another.
    pub(crate) fn spare(&self, now: Instant) -> Option<Duration> {
        let since = self.waits_since.load(Ordering::Relaxed);
        if since == IN_USE || self.is_at_work.load(Ordering::Relaxed) {
            return None;
        }
        let waited = (now - self.began).saturating_sub(Duration::from_micros(since));
        (waited >= GRACE).then_some(waited)
    }

    /// Asks the connection to end, after the request that it may be in by then.
    pub(crate) fn ask_to_leave(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Whether it was asked to.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Is done when it is asked to.
    pub(crate) async fn asked(&self) {
        self.leave.notified().await;
    }
}

/// That a request is worked on.
pub(crate) struct AtWork(Arc<Seat>);

impl Drop for AtWork {
    fn drop(&mut self) {
        // One connection has one request at a time.
        self.0.is_at_work.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_for_a_next_request_and_not_just_now_can_be_spared() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let seat = Arc::new(Seat::new(began));
        assert_eq!(seat.spare(at(100)), None, "it has not said anything yet");
        seat.waits(Some(at(10)));
        assert_eq!(seat.spare(at(10)), None);
        assert_eq!(seat.spare(at(15)), Some(Duration::from_secs(5)));
        let at_work = Seat::work(&seat);
        assert_eq!(seat.spare(at(15)), None);
        drop(at_work);
        assert!(seat.spare(at(15)).is_some());
        seat.waits(None);
        assert_eq!(seat.spare(at(100)), None);
    }
}
