//! All processes of one program: what it started, and what those started, wherever they went.
//!
//! A group of processes is easily left (`timeout`, `bash -m`, `setsid` do it), and a process whose
//! parent ends gets another one. So this process asks the kernel to be that other one, and a
//! descendant is never lost: it is below the program as long as that lives, and a child of this
//! process afterwards, told from those of other programs by the mark that every descendant inherits
//! (`mark`), by its group, or by the room that it works in or was told of. The kernel lists the
//! children of a process, so that nothing is looked for among all processes of the machine, except
//! where it was built without those lists. It knows no time-outs.

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

use super::mark::Mark;

/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited before it is looked again.
const PAUSE: Duration = Duration::from_millis(2);

/// The families that live now, by the number of the program that leads them.
static LIVING: Mutex<BTreeMap<i32, Family>> = Mutex::new(BTreeMap::new());

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
    let families: Vec<_> = living(|living| living.values().cloned().collect());
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
#[derive(Clone)]
pub(super) struct Family {
    leader: Pid,
    /// The room that it works in: where its working directory and its home are.
    room: PathBuf,
    /// What all of them have inherited, where the program could be given it.
    mark: Option<Mark>,
}

impl Family {
    /// The family of a program that was just started, as the leader of a session.
    pub(super) fn new(leader: Pid, room: PathBuf, mark: Option<Mark>) -> Family {
        let family = Family { leader, room, mark };
        living(|living| living.insert(family.leader(), family.clone()));
        family
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
        // Whatever lives is a child of this process by now, or below one.
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
        let Some(orphans) = orphans() else { return self.members_among(&processes()) };
        let mut members = BTreeMap::new();
        let orphans = orphans.into_iter().filter(|pid| self.is_own(*pid));
        let mut waiting: Vec<i32> = orphans.chain([self.leader()]).collect();
        while let Some(pid) = waiting.pop() {
            if let Some(process) = Process::read(pid)
                && members.insert(pid, process).is_none()
            {
                waiting.extend(children(pid));
            }
        }
        members.into_values().collect()
    }

    /// The same, found among all processes by their parents.
    fn members_among(&self, all: &[Process]) -> Vec<Process> {
        let me = getpid().as_raw_nonzero().get();
        let leaders: BTreeSet<i32> = living(|living| living.keys().copied().collect());
        let mut below: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
        for process in all {
            below.entry(process.parent).or_default().push(*process);
        }
        let is_root = |process: &&Process| {
            let is_orphan = || process.parent == me && !leaders.contains(&process.pid);
            process.pid == self.leader()
                || process.group == self.leader()
                || (is_orphan() && self.is_own(process.pid))
        };
        let mut members = BTreeMap::new();
        let mut waiting: Vec<Process> = all.iter().filter(is_root).copied().collect();
        while let Some(process) = waiting.pop() {
            if members.insert(process.pid, process).is_none() {
                waiting.extend(below.get(&process.pid).into_iter().flatten());
            }
        }
        members.into_values().collect()
    }

    /// Whether a child of this process was started by this family: in the session of its leader, or
    /// in one that was begun later. What others start in this process is in its own session.
    fn is_own(&self, pid: i32) -> bool {
        let Some(process) = Process::read(pid) else { return false };
        // Zero in a container whose session began outside of it: `getsid` has no word for that.
        let own = Process::read(getpid().as_raw_nonzero().get()).map(|own| own.session);
        process.group == self.leader() || Some(process.session) != own && self.is_marked(pid)
    }

    /// Whether a process has the mark of the family, works in its room, or was told of that by its
    /// environment.
    fn is_marked(&self, pid: i32) -> bool {
        if self.mark.as_ref().is_some_and(|mark| mark.is_on(pid)) {
            return true;
        }
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
    session: i32,
}

impl Process {
    /// A process by its number, if there is one.
    fn read(pid: i32) -> Option<Process> {
        // A name need not be UTF-8.
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Process::parse(&String::from_utf8_lossy(&text))
    }

    /// The process of a line of `/proc/PID/stat`.
    fn parse(text: &str) -> Option<Process> {
        // A name may hold whatever it likes, brackets included.
        let (before, after) = text.rsplit_once(')')?;
        let pid = before.split_once(' ')?.0.parse().ok()?;
        let mut fields = after.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Process { pid, state, parent: number()?, group: number()?, session: number()? })
    }

    /// Whether it has ended, and only was not waited for.
    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// All processes; none where the kernel shows none.
fn processes() -> Vec<Process> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Process::read).collect()
}

/// The children of this process that lead no family: they outlived their parents, or were started
/// by somebody else, or are about to be known as leaders. `None` where the kernel has no lists of
/// children.
fn orphans() -> Option<Vec<i32>> {
    let me = getpid().as_raw_nonzero().get();
    // The kernel gives an orphan to the first thread that lives, which is the one that began.
    let children = listed_children(me, me)?;
    // Asked afterwards: what was started meanwhile is no orphan.
    let is_orphan = |pid: &i32| living(|living| !living.contains_key(pid));
    Some(children.into_iter().filter(is_orphan).collect())
}

/// Whether there may be any.
fn has_orphans() -> bool {
    orphans().is_none_or(|orphans| !orphans.is_empty())
}

/// The children of a process, whichever of its threads started them.
fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = threads.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    threads.filter_map(|thread| listed_children(pid, thread)).flatten().collect()
}

fn listed_children(pid: i32, thread: i32) -> Option<Vec<i32>> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).ok()?;
    Some(listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

fn living<T>(change: impl FnOnce(&mut BTreeMap<i32, Family>) -> T) -> T {
    change(&mut LIVING.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let process = Process::parse("12 (a) b) (c) Z 3 4 5 0 -1").unwrap();
        assert_eq!((process.pid, process.parent), (12, 3));
        assert_eq!((process.group, process.session), (4, 5));
        assert!(process.is_dead());
        assert!(Process::parse("nothing").is_none());
    }

    #[test]
    fn every_process_is_found_below_the_first() {
        let me = getpid().as_raw_nonzero().get();
        assert!(processes().iter().any(|process| process.pid == me && !process.is_dead()));
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
    fn a_family_is_known_where_the_session_began_outside_of_the_container() {
        let name = "command::family::tests::a_family_is_the_same_by_lists_of_children_and_among_all_processes";
        let spaces = ["--map-root-user", "--pid", "--fork", "--mount-proc"];
        let unshare = || {
            let mut command = std::process::Command::new("unshare");
            command.args(spaces);
            command
        };
        if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
            eprintln!("this machine begins no namespace of processes: nothing was tried");
            return;
        }
        let own = std::env::current_exe().unwrap();
        let output = unshare().arg(own).args(["--exact", name]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
    }

    #[test]
    fn a_family_is_the_same_by_lists_of_children_and_among_all_processes() {
        let text = "sleep 31.4171 & (sleep 31.4171 & sleep 31.4171 & wait) & wait";
        adopt_orphans();
        let start = || std::process::Command::new("setsid").args(["sh", "-c", text]).spawn();
        let (mark, child) = Mark::around(start);
        let mut child = child.unwrap();
        let family = Family::new(Pid::from_child(&child), PathBuf::from("/nowhere"), mark);
        let of = |members: Vec<Process>| members.iter().map(|one| one.pid).collect::<BTreeSet<_>>();
        let until = Instant::now() + PATIENCE;
        while of(family.members()).len() < 5 && Instant::now() < until {
            thread::sleep(PAUSE);
        }
        let members = of(family.members());
        assert_eq!((members.len(), &members), (5, &of(family.members_among(&processes()))));
        family.signal(Signal::KILL);
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), ended).unwrap();
        family.bury().unwrap();
        child.wait().unwrap();
        assert!(of(family.members()).is_empty(), "all are gone");
        family.forget();
    }
}
