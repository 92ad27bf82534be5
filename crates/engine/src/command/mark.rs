//! What tells the descendants of one program from those of others, whatever they did to be lost.
//!
//! A process can leave its group, its session, its directory and its environment, but it has the
//! limits of its parent. So every program begins with a limit of its own on what means nothing to
//! it: the time that it may use under a real-time schedule (`RLIMIT_RTTIME`), beyond any time there
//! is: 2^62 µs are 146,000 years. It is inherited, so that this process has it for the moment in
//! which it starts the program. A program that runs pipelines has one itself, and gives its own
//! programs lower numbers of its range.

use std::fs;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The mark of a process that has no limit, in µs.
const HIGHEST: u64 = 1 << 62;
/// How many bits tell the programs of one process apart. A mark ends with as many zeros for every
/// level that may be below it.
const LEVEL_BITS: u32 = 20;
/// How many levels there are; what is deeper has no marks.
const LEVELS: u32 = 3;
/// The line of `/proc/PID/limits`.
const LINE: &str = "Max realtime timeout";

/// A range of limits: those of a program and of all that it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    first: u64,
    last: u64,
}

impl Mark {
    /// Does what starts a program, which then has the mark that is returned; `None` where programs
    /// cannot have one.
    pub(super) fn around<T>(start: impl FnOnce() -> T) -> (Option<Mark>, T) {
        static COUNTED: Mutex<u64> = Mutex::new(0);
        static OWN: OnceLock<Rlimit> = OnceLock::new();
        // One after the other, because the limit is one for all threads.
        let mut n_started = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        let own = OWN.get_or_init(|| getrlimit(Resource::Rttime));
        let set = |current| setrlimit(Resource::Rttime, Rlimit { current, maximum: own.maximum });
        let mark = Mark::below(own.current, *n_started);
        let mark = mark.filter(|mark| set(Some(mark.last)).is_ok());
        *n_started += 1;
        let started = start();
        // It may be what it was: that it is more than it may be cannot come about.
        let _ = mark.map(|_| set(own.current));
        (mark, started)
    }

    /// The mark of the `n`-th program of a process with this limit.
    fn below(limit: Option<u64>, n: u64) -> Option<Mark> {
        let limit = limit.unwrap_or(HIGHEST).min(HIGHEST);
        let n_bits = limit.trailing_zeros().min(LEVELS * LEVEL_BITS) / LEVEL_BITS * LEVEL_BITS;
        let width = 1 << n_bits.checked_sub(LEVEL_BITS)?;
        // The numbers begin anew when they are used up: what had them is long gone.
        let n = n % ((1 << LEVEL_BITS) - 1);
        let last = limit.checked_sub((n + 1) * width)?;
        Some(Mark { first: last.checked_sub(width - 1)?, last })
    }

    /// Whether a process has it.
    pub(super) fn is_on(&self, pid: i32) -> bool {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix(LINE));
        let limit = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        limit.is_some_and(|limit| (self.first..=self.last).contains(&limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_programs_and_of_theirs_do_not_meet() {
        let one = Mark::below(None, 0).unwrap();
        let other = Mark::below(None, 1).unwrap();
        assert_eq!(one.last, HIGHEST - (1 << (2 * LEVEL_BITS)));
        assert!(other.last < one.first, "{one:?} {other:?}");
        let (inner, last) = (Mark::below(Some(one.last), 0), Mark::below(Some(one.last), 1 << 19));
        for mark in [inner, last].map(Option::unwrap) {
            assert!(one.first <= mark.first && mark.last < one.last, "{one:?} {mark:?}");
            let deepest = Mark::below(Some(mark.last), 5).unwrap();
            assert!(mark.first <= deepest.first && deepest.last < mark.last, "{mark:?}");
            assert_eq!(Mark::below(Some(deepest.last), 0), None);
        }
        assert_eq!(Mark::below(Some(1000), 0), None, "somebody else's limit");
    }

    #[test]
    fn a_process_and_what_it_starts_have_the_mark_and_this_process_has_it_no_more() {
        let before = getrlimit(Resource::Rttime);
        let text = "env -i /usr/bin/setsid sleep 60 & echo $!; wait";
        let start = || {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", text]).stdout(std::process::Stdio::piped()).spawn().unwrap()
        };
        let (mark, mut child) = Mark::around(start);
        let mark = mark.unwrap();
        assert_eq!(getrlimit(Resource::Rttime), before);
        let mut said = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut said).unwrap();
        let below: i32 = said.trim().parse().unwrap();
        assert!(mark.is_on(child.id().cast_signed()) && mark.is_on(below));
        assert!(!Mark::below(None, 1 << 15).unwrap().is_on(below));
        for pid in [below, child.id().cast_signed()] {
            super::super::terminate(pid.cast_unsigned());
        }
        child.wait().unwrap();
    }
}
