//! Starts a program: in a session of its own, in its directory, with three descriptors.
//!
//! A session has no terminal: a program that opens `/dev/tty` is told so (`ENXIO`). In a group in
//! the background of the caller's terminal it would be stopped when it reads, and hang in silence.
//! What the caller of this process left open without `FD_CLOEXEC`, as a shell does by
//! `exec 9>file`, is closed; what this process opens itself has that flag.
//!
//! The standard library begins no session without `unsafe`, so this is `posix_spawn(3)`. That one
//! changes no directory: a thread parts with the directory that all threads have together
//! (`CLONE_FS`), goes to the program's, starts it from there, and comes back. Where that is
//! refused, as the profiles of containers do, a shell goes there and becomes the program. It knows
//! no time-outs and waits for nothing.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, chdir, fchdir};

use super::SHELL;
use super::mark::Mark;
use super::process::Launch;

/// What a shell does to become a program in a directory; the variables are those that `cd` sets.
const BECOME: &str = "cd -- \"$1\" && shift && unset PWD OLDPWD && exec \"$@\"";

/// A program that runs, as the leader of a session and of a group.
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
    /// What all that it starts will have, too.
    pub(super) mark: Option<Mark>,
}

/// Starts a program.
///
/// # Errors
/// What the kernel gives: that it cannot be executed, that it is still open for writing.
pub(super) fn start(launch: &Launch<'_>) -> io::Result<Started> {
    // Every time: threads that this one started since have its directory together with it.
    let begin = || match unshare(CloneFlags::CLONE_FS) {
        Ok(()) => start_from_there(launch),
        Err(_) => start_by_shell(launch),
    };
    if launch.fence.is_none() {
        return begin();
    }
    // A fence holds for a thread and what it starts, for ever: so the thread is one of its own.
    thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, begin)?.join();
        started.unwrap_or_else(|_| Err(io::Error::other("the thread that starts it died")))
    })
}

/// Starts it from a thread that may go to its directory, and comes back.
fn start_from_there(launch: &Launch<'_>) -> io::Result<Started> {
    let _away = Away::to(launch.dir)?;
    if let Some(fence) = launch.fence {
        fence.enter(&[])?;
    }
    let words = [launch.program.as_os_str().as_encoded_bytes()].into_iter();
    spawn(launch.program, words.chain(launch.arguments.iter().map(String::as_bytes)), launch)
}

/// A thread is elsewhere until this is dropped.
struct Away {
    from: OwnedFd,
}

impl Away {
    fn to(dir: &Path) -> io::Result<Away> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let away = Away { from: open(".", flags, Mode::empty())? };
        chdir(dir)?;
        Ok(away)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        // It was there before.
        let _ = fchdir(&self.from);
    }
}

/// Starts it by way of a shell that goes to its directory.
fn start_by_shell(launch: &Launch<'_>) -> io::Result<Started> {
    let shell = Path::new(SHELL);
    if let Some(fence) = launch.fence {
        fence.enter(&[shell])?;
    }
    let paths = [launch.dir, launch.program].map(|path| path.as_os_str().as_encoded_bytes());
    let words = [SHELL, "-c", BECOME, SHELL].map(str::as_bytes).into_iter().chain(paths);
    spawn(shell, words.chain(launch.arguments.iter().map(String::as_bytes)), launch)
}

fn spawn<'w>(
    program: &Path,
    words: impl Iterator<Item = &'w [u8]>,
    launch: &Launch<'_>,
) -> io::Result<Started> {
    let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
    let variables = launch.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let variables = variables.map(CString::new).collect::<Result<Vec<_>, _>>()?;
    let nothing = File::open("/dev/null")?;
    let (stdout, to_stdout) = io::pipe()?;
    let (stderr, to_stderr) = io::pipe()?;
    let own = [nothing.as_raw_fd(), to_stdout.as_raw_fd(), to_stderr.as_raw_fd()];
    let actions = descriptors(own)?;
    let attributes = attributes()?;
    let begin = || posix_spawn(program, &actions, &attributes, &words, &variables);
    let (mark, pid) = Mark::around(begin);
    let pid = Pid::from_raw(pid?.as_raw()).ok_or(Errno::ESRCH)?;
    Ok(Started { pid, stdout, stderr, mark })
}

/// These as its standard input, output and error, and no more.
fn descriptors(own: [RawFd; 3]) -> io::Result<PosixSpawnFileActions> {
    let mut actions = PosixSpawnFileActions::init()?;
    for (descriptor, number) in own.into_iter().zip(libc::STDIN_FILENO..) {
        actions.add_dup2(descriptor, number)?;
    }
    for descriptor in inherited() {
        actions.add_close(*descriptor)?;
    }
    Ok(actions)
}

/// A session of its own, every signal heard that is not ignored on the caller's behalf: this
/// process itself ignores `SIGPIPE`.
fn attributes() -> io::Result<PosixSpawnAttr> {
    let session = PosixSpawnFlags::from_bits_retain(libc::c_int::from(libc::POSIX_SPAWN_SETSID));
    let signals = PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(session | signals)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    Ok(attributes)
}

/// What the caller of this process left open for whatever it starts, looked at once.
fn inherited() -> &'static [RawFd] {
    static FOUND: OnceLock<Vec<RawFd>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let names = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(|number| *number > libc::STDERR_FILENO && is_left_open(*number)).collect()
    })
}

/// Whether a descriptor is open, and stays so when another program is executed.
fn is_left_open(descriptor: RawFd) -> bool {
    let Ok(told) = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")) else {
        return false;
    };
    let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| libc::c_int::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_CLOEXEC == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::AtomicBool;

    use rustix::process::{WaitOptions, waitpid};

    use super::*;

    /// What a program says that is started in one of the two ways.
    fn said(way: impl Fn(&Launch<'_>) -> io::Result<Started> + Sync) -> String {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        let text = "pwd -P; env; echo \"$1\"; cut -d' ' -f5,6 /proc/$$/stat; echo $$; \
                    (: < /dev/tty) 2>/dev/null || echo no terminal; ls /proc/self/fd";
        let launch = Launch {
            program: Path::new(SHELL),
            arguments: &["-c", text, "name", "a  b\n"].map(str::to_owned),
            dir: &dir,
            room: &dir,
            environment: &[("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            timeout: None,
            cancel: &AtomicBool::new(false),
            fence: None,
        };
        let here = std::env::current_dir().unwrap();
        // A thread that has a directory of its own keeps it.
        let begin = || {
            let started = way(&launch);
            assert_eq!(std::env::current_dir().unwrap(), here, "it came back");
            started
        };
        let mut started = thread::scope(|scope| scope.spawn(begin).join().unwrap()).unwrap();
        let mut said = String::new();
        started.stdout.read_to_string(&mut said).unwrap();
        waitpid(Some(started.pid), WaitOptions::empty()).unwrap();
        let pid = started.pid.as_raw_nonzero().to_string();
        said.replace(&*dir.display().to_string(), "DIR").replace(&pid, "PID")
    }

    #[test]
    fn both_ways_lead_to_the_same_program() {
        let there = said(|launch| {
            unshare(CloneFlags::CLONE_FS)?;
            start_from_there(launch)
        });
        let expected = "DIR\nPATH=/usr/bin:/bin\nPWD=DIR\na  b\n\nPID PID\nPID\nno terminal\n";
        assert!(there.starts_with(expected), "{there}");
        assert_eq!(said(start_by_shell), there);
    }
}
