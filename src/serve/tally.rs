//! How often the policies let something through: counters, and nothing else.
//!
//! One number per thing that an answer warns of or passes over, since the start. They never decide
//! anything; they are shown at `/health`, because values that training has not seen are how a model
//! goes stale.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the service.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    warned: AtomicU64,
    ignored: AtomicU64,
}

impl Tally {
    /// Counts values that were beyond their range and taken all the same.
    pub(crate) fn warn(&self, n: usize) {
        if n > 0 {
            self.warned.fetch_add(n as u64, Ordering::Relaxed);
        }
    }

    /// Counts fields that were passed over.
    pub(crate) fn ignore(&self, n: usize) {
        if n > 0 {
            self.ignored.fetch_add(n as u64, Ordering::Relaxed);
        }
    }

    /// How many values were beyond their range and taken all the same.
    pub(crate) fn warned(&self) -> u64 {
        self.warned.load(Ordering::Relaxed)
    }

    /// How many fields were passed over.
    pub(crate) fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }
}
