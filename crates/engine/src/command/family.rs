//! All processes of one program: what it started, and what those started, wherever they went.
//!
//! A group of processes is easily left (`timeout`, `bash -m`, `setsid` do it), and a process whose
//! parent ends gets another one. So this process asks the kernel to be that other one, and a
//! descendant is never lost: it is below the program as long as that lives, and a child of this
//! process afterwards, told from those of other programs by its group, or by the room that it works
//! in or was told of. It knows no time-outs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper,
    waitpid,
};

/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited before it is looked again.
const PAUSE: Duration = Duration::from_millis(2);

/// The families that live now, by the number of the program that leads them.
static LIVING: Mutex<BTreeMap<i32, PathBuf>> = Mutex::new(BTreeMap::new());

/// Asks the kernel that orphans become children of this process.
pub(super) fn adopt_orphans() {
    static ASKED: Once = Once::new();
    // A kernel that cannot do it leaves what a group can do.
    ASKED.call_once(|| {
        let _ = set_child_subreaper(Some(getpid()));
    });
}

/// Kills all families at once, for a process that must end without waiting for them.
pub fn kill_all() {
    const MAX_PASSES: usize = 50;
    let families: Vec<_> = living(|living| living.clone().into_iter().collect());
    let families = families
        .into_iter()
        .filter_map(|(leader, room)| Some(Family { leader: Pid::from_raw(leader)?, room }));
    let families: Vec<_> = families.collect();
    for _ in 0..MAX_PASSES {
        families.iter().for_each(|family| family.signal(Signal::KILL));
        if families.iter().all(|family| family.members().iter().all(Process::is_dead)) {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Asks a child of this process to end, by its number.
pub fn terminate(child: u32) {
    if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// The processes of one program, which leads them.
pub(super) struct Family {
    leader: Pid,
    /// The room that it works in: where its working directory and its home are.
    room: PathBuf,
}

impl Family {
    /// The family of a program that was just started, as the leader of a group.
    pub(super) fn new(leader: Pid, room: PathBuf) -> Family {
        living(|living| living.insert(leader.as_raw_nonzero().get(), room.clone()));
        Family { leader, room }
    }

    /// Sends a signal to every process of the family.
    pub(super) fn signal(&self, signal: Signal) {
        // What is gone needs no signal.
        let _ = kill_process_group(self.leader, signal);
        let others = self.members().into_iter();
        let others = others.filter(|process| process.group != self.leader() && !process.is_dead());
        for pid in others.filter_map(|process| Pid::from_raw(process.pid)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills what is left of the family, again until nothing is. The leader must have ended, and
    /// not be waited for before: as long as it is not, its number is no other's.
    ///
    /// # Errors
    /// When a process cannot be ended.
    pub(super) fn bury(&self) -> io::Result<()> {
        let _ = kill_process_group(self.leader, Signal::KILL);
        let until = Instant::now() + PATIENCE;
        while has_orphans() {
            let members = self.members();
            let is_own = |process: &&Process| process.pid != self.leader();
            let (dead, alive): (Vec<&Process>, Vec<&Process>) =
                members.iter().filter(is_own).partition(|process| process.is_dead());
            let me = getpid().as_raw_nonzero().get();
            for process in dead.iter().filter(|process| process.parent == me) {
                let _ = waitpid(Pid::from_raw(process.pid), WaitOptions::NOHANG);
            }
            let Some(first) = alive.first() else {
                return Ok(());
            };
            if Instant::now() >= until {
                let message =
                    format!("it left process {} behind, which cannot be ended", first.pid);
                return Err(io::Error::other(message));
            }
            for pid in alive.iter().filter_map(|process| Pid::from_raw(process.pid)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The leader was waited for: its number may be another's from now on.
    pub(super) fn forget(self) {
        living(|living| living.remove(&self.leader()));
    }

    fn leader(&self) -> i32 {
        self.leader.as_raw_nonzero().get()
    }

    /// Every process of the family, dead ones that nobody waited for included.
    fn members(&self) -> Vec<Process> {
        let me = getpid().as_raw_nonzero().get();
        let leaders: BTreeSet<i32> = living(|living| living.keys().copied().collect());
        let mut below: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
        for process in processes() {
            below.entry(process.parent).or_default().push(process);
        }
        let is_root = |process: &&Process| {
            process.pid == self.leader()
                || process.group == self.leader()
                || (process.parent == me
                    && !leaders.contains(&process.pid)
                    && self.is_marked(process.pid))
        };
        let mut members = BTreeMap::new();
        let mut waiting: Vec<Process> = below.values().flatten().filter(is_root).copied().collect();
        while let Some(process) = waiting.pop() {
            if members.insert(process.pid, process).is_none() {
                waiting.extend(below.get(&process.pid).into_iter().flatten());
            }
        }
        members.into_values().collect()
    }

    /// Whether a process works in the room, or was told of it by its environment.
    fn is_marked(&self, pid: i32) -> bool {
        let works_there =
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir.starts_with(&self.room));
        let room = self.room.as_os_str().as_encoded_bytes();
        works_there
            || fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|text| text.windows(room.len()).any(|window| window == room))
    }
}

/// A process as the kernel tells of it.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
}

impl Process {
    /// The process of a line of `/proc/PID/stat`.
    fn parse(text: &str) -> Option<Process> {
        // A name may hold whatever it likes, brackets included.
        let (before, after) = text.rsplit_once(')')?;
        let pid = before.split_once(' ')?.0.parse().ok()?;
        let mut fields = after.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Process { pid, state, parent: number()?, group: number()? })
    }

    /// Whether it has ended, and only was not waited for.
    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// All processes; none where the kernel shows none.
fn processes() -> Vec<Process> {
    let dirs = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_number = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let dirs = dirs.filter(|entry| is_number(&entry.file_name()));
    dirs.filter_map(|entry| {
        // A name need not be UTF-8.
        let text = fs::read(entry.path().join("stat")).ok()?;
        Process::parse(&String::from_utf8_lossy(&text))
    })
    .collect()
}

/// Whether this process has children that lead no family: some process outlived its parent. It
/// costs far less than a look at all processes.
fn has_orphans() -> bool {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return false };
    let leaders: BTreeSet<i32> = living(|living| living.keys().copied().collect());
    threads.flatten().any(|thread| match fs::read_to_string(thread.path().join("children")) {
        Ok(children) => children
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .any(|pid: i32| !leaders.contains(&pid)),
        // A thread that has ended has none; a kernel that does not tell must be asked otherwise.
        Err(_) => thread.path().exists(),
    })
}

fn living<T>(change: impl FnOnce(&mut BTreeMap<i32, PathBuf>) -> T) -> T {
    change(&mut LIVING.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let process = Process::parse("12 (a) b) (c) Z 3 4 5 0 -1").unwrap();
        assert_eq!((process.pid, process.parent, process.group), (12, 3, 4));
        assert!(process.is_dead());
        assert!(Process::parse("nothing").is_none());
    }

    #[test]
    fn every_process_is_found_below_the_first() {
        let me = getpid().as_raw_nonzero().get();
        assert!(processes().iter().any(|process| process.pid == me && !process.is_dead()));
    }
}
