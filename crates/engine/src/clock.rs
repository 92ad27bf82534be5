//! The clock by which a file system dates its files, and what it lets pass unseen.
//!
//! A file that is written twice within one tick of that clock has the same times after both. So a
//! file is only believed to be what it was when it had been left alone for longer than a tick. The
//! clock may be that of another machine, ahead of ours or behind, and is read off a file that was
//! just made. Ticks take a few milliseconds, and up to two seconds where no fractions of a second
//! are kept. Only the time of the last change of the inode counts: no program can set it.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::files;
use crate::stat::Signature;

/// How long a file must have been left alone to be believed.
pub(crate) const SETTLED: Duration = Duration::from_millis(50);
/// The same where ticks are long, or where the clock is not known.
const COARSELY_SETTLED: Duration = Duration::from_secs(2);
const NANOS: i64 = 1_000_000_000;

/// The clock of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    device: u64,
    /// How far it is ahead of ours.
    ahead_ns: i64,
}

impl Clock {
    /// Reads the clock of the file system of a directory that can be written to.
    ///
    /// # Errors
    /// What making a file gives.
    pub(crate) fn read(room: &Path) -> io::Result<Clock> {
        let file = files::temporary(room)?;
        let made = Signature::of(file.path())?;
        // Ours afterwards: what passed in between makes files look younger, which is safe.
        Ok(Clock { device: made.device, ahead_ns: made.changed_ns - now_ns() })
    }

    /// Whether a file had been left alone for a while at a time of our own clock.
    pub(crate) fn has_settled(&self, file: &Signature, at_ns: i64) -> bool {
        // Another file system's clock is taken for ours.
        let (ahead_ns, is_known) =
            if file.device == self.device { (self.ahead_ns, true) } else { (0, false) };
        let wait = if is_coarse(file) || !is_known { COARSELY_SETTLED } else { SETTLED };
        at_ns.saturating_add(ahead_ns).saturating_sub(file.changed_ns) >= nanos(wait)
    }

    /// Whether a file has been left alone for a while.
    pub(crate) fn is_settled(&self, file: &Signature) -> bool {
        self.has_settled(file, now_ns())
    }

    /// Whether a file or directory that this process wrote last can be believed: nobody else
    /// writes there within a short tick, and within a long one somebody may.
    pub(crate) fn is_own_settled(&self, file: &Signature) -> bool {
        !is_coarse(file) || self.is_settled(file)
    }
}

/// Whether a file was dated without fractions of a second.
pub(crate) fn is_coarse(file: &Signature) -> bool {
    file.changed_ns % NANOS == 0
}

/// Whether a file changed just now by our own clock, so that no other need be asked.
pub(crate) fn is_fresh(file: &Signature, at_ns: i64) -> bool {
    at_ns.abs_diff(file.changed_ns) < SETTLED.as_nanos() as u64
}

/// Whether a file was old by our own clock, and not merely older than a tick.
pub(crate) fn is_old(file: &Signature, at_ns: i64) -> bool {
    at_ns.saturating_sub(file.changed_ns) >= nanos(COARSELY_SETTLED)
}

/// Our own time, since 1970.
pub(crate) fn now_ns() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, nanos)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_800_000_000 * NANOS;
    const MS: i64 = 1_000_000;

    fn file(device: u64, changed_ns: i64) -> Signature {
        Signature { device, inode: 1, size: 1, modified_ns: i64::MAX, changed_ns }
    }

    #[test]
    fn a_file_is_believed_when_a_second_change_would_have_another_time() {
        let clock = Clock { device: 1, ahead_ns: 0 };
        let is_settled = |changed, at| clock.has_settled(&file(1, changed), at);
        assert!(is_settled(T + 1, T + 60 * MS) && !is_settled(T + 1, T + 40 * MS));
        // Without fractions the next second may not have begun by that clock.
        assert!(!is_settled(T, T + 1990 * MS) && is_settled(T, T + 2000 * MS));
        assert!(!is_settled(T + 1, T), "from the future");
        assert!(!clock.is_own_settled(&file(1, now_ns() / NANOS * NANOS)));
        assert!(clock.is_own_settled(&file(1, now_ns() / NANOS * NANOS + 1)));
    }

    #[test]
    fn a_file_is_as_old_as_the_clock_says_that_dated_it() {
        let ahead = Clock { device: 1, ahead_ns: 300 * NANOS };
        assert!(ahead.has_settled(&file(1, T + 299 * NANOS + 1), T));
        let behind = Clock { device: 1, ahead_ns: -300 * NANOS };
        assert!(!behind.has_settled(&file(1, T - 300 * NANOS - 1), T));
        // Of another file system nothing is known.
        assert!(!ahead.has_settled(&file(2, T - 1990 * MS + 1), T));
        assert!(ahead.has_settled(&file(2, T - 2000 * MS), T));
    }

    #[test]
    fn the_clock_is_read_off_a_new_file_and_none_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::read(dir.path()).unwrap();
        assert!(clock.ahead_ns.abs() < NANOS, "{clock:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
