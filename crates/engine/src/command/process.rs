//! Runs one program to its end, and with it all that it started.
//!
//! The calling thread waits for three things at once: the end of the program, and what it writes to
//! either stream. When time is up or the run is cancelled, its whole family gets SIGTERM, and after
//! a grace SIGKILL. A family never outlives the program that leads it: whatever it left behind is
//! killed before the program is reaped, while its number cannot yet be another's.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, waitid,
    waitpid,
};

use super::capture::Capture;
use super::family::{self, Family};
use super::fence::Fence;
use super::start::{Started, start};

/// How long a family may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is asked whether the run was cancelled.
const TICK: Duration = Duration::from_millis(50);

/// A program as it is to be run.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [String],
    /// Its working directory.
    pub(crate) dir: &'a Path,
    /// The room that this is in, without links: what it starts is known by it.
    pub(crate) room: &'a Path,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel: &'a AtomicBool,
    pub(crate) fence: Option<&'a Fence>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, or by a signal that was not this program's.
    Exited(ExitStatus),
    /// It took too long.
    TimedOut,
    /// The run was cancelled.
    Cancelled,
}

/// What became of a program.
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) seconds: f64,
}

/// Runs a program.
///
/// # Errors
/// What starting it gives; what it started cannot be ended.
pub(crate) fn run(launch: &Launch<'_>) -> io::Result<Ended> {
    family::adopt_orphans();
    let started = Instant::now();
    let mut running = Running::new(start_settled(launch)?, launch.room, started)?;
    let end = running.wait(launch)?;
    let stdout = std::mem::take(&mut running.stdout.capture).text();
    let stderr = std::mem::take(&mut running.stderr.capture).text();
    Ok(Ended { end, stdout, stderr, seconds: started.elapsed().as_secs_f64() })
}

/// Starts a program that may have been written a moment ago. Another thread that starts one of its
/// own meanwhile holds what was open for writing until that has begun, and such a file cannot run.
fn start_settled(launch: &Launch<'_>) -> io::Result<Started> {
    const MAX_ATTEMPTS: usize = 50;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 1..MAX_ATTEMPTS {
        match start(launch) {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(PAUSE);
            }
            started => return started,
        }
    }
    start(launch)
}

/// A stream of the program.
struct Stream {
    pipe: Option<PipeReader>,
    capture: Capture,
}

impl Stream {
    fn new(pipe: PipeReader) -> io::Result<Stream> {
        ioctl_fionbio(&pipe, true)?;
        Ok(Stream { pipe: Some(pipe), capture: Capture::default() })
    }

    /// Takes all that is there, without waiting for more.
    fn drain(&mut self) {
        const BUFFER_BYTES: usize = 1 << 16;
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n_bytes) => self.capture.add(&buffer[..n_bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// A family that is being stopped.
struct Stopping {
    end: End,
    kill_at: Instant,
}

/// A program that runs.
struct Running {
    pid: Pid,
    started: Instant,
    /// All its processes; `None` when it was waited for.
    family: Option<Family>,
    /// Readable when the program has ended; `None` when that was seen.
    ending: Option<OwnedFd>,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    fn new(program: Started, room: &Path, started: Instant) -> io::Result<Running> {
        let Started { pid, stdout, stderr, mark } = program;
        let family = Family::new(pid, room.to_owned(), mark);
        let streams = || -> io::Result<_> {
            let ending = pidfd_open(pid, PidfdFlags::empty())?;
            Ok((ending, Stream::new(stdout)?, Stream::new(stderr)?))
        };
        match streams() {
            Ok((ending, stdout, stderr)) => {
                let ending = Some(ending);
                Ok(Running { pid, started, family: Some(family), ending, stdout, stderr })
            }
            Err(error) => {
                let _ = finish(pid, family);
                Err(error)
            }
        }
    }

    fn wait(&mut self, launch: &Launch<'_>) -> io::Result<End> {
        let mut stopping: Option<Stopping> = None;
        loop {
            self.poll(TICK)?;
            let is_quiet = self.stdout.pipe.is_none() && self.stderr.pipe.is_none();
            match &stopping {
                None if self.ending.is_none() => break,
                Some(_) if self.ending.is_none() && is_quiet => break,
                Some(stopping) if Instant::now() >= stopping.kill_at => break,
                Some(_) => {}
                None => {
                    let is_late = launch.timeout.is_some_and(|t| self.started.elapsed() >= t);
                    let end = match launch.cancel.load(Ordering::SeqCst) {
                        true => Some(End::Cancelled),
                        false => is_late.then_some(End::TimedOut),
                    };
                    if let Some(end) = end {
                        self.family.iter().for_each(|family| family.signal(Signal::TERM));
                        stopping = Some(Stopping { end, kill_at: Instant::now() + GRACE });
                    }
                }
            }
        }
        let status = self.end()?;
        Ok(stopping.map_or(End::Exited(status), |stopping| stopping.end))
    }

    /// Waits until something happens, no longer than that, and takes what was written.
    fn poll(&mut self, most: Duration) -> io::Result<()> {
        let mut ready = Vec::new();
        let ending = self.ending.as_ref().map(AsFd::as_fd);
        let stdout = self.stdout.pipe.as_ref().map(AsFd::as_fd);
        let stderr = self.stderr.pipe.as_ref().map(AsFd::as_fd);
        ready.extend(
            [ending, stdout, stderr]
                .into_iter()
                .flatten()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let most = Timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
        let has_ended = match poll(&mut ready, Some(&most)) {
            Ok(_) => ending.is_some() && ready.first().is_some_and(|fd| !fd.revents().is_empty()),
            Err(rustix::io::Errno::INTR) => false,
            Err(error) => return Err(error.into()),
        };
        if has_ended {
            self.ending = None;
        }
        self.stdout.drain();
        self.stderr.drain();
        Ok(())
    }

    /// Kills what is left of the family, reaps the program and takes the last of its output.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let status = match self.family.take() {
            Some(family) => finish(self.pid, family),
            None => reap(self.pid),
        };
        self.stdout.drain();
        self.stderr.drain();
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.family.is_some() {
            drop(self.end());
        }
    }
}

/// Ends a program and all that it started, and waits for it last.
fn finish(pid: Pid, family: Family) -> io::Result<ExitStatus> {
    // By its number, too: it may have gone to another group.
    let _ = kill_process(pid, Signal::KILL);
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
    let buried = family.bury();
    let status = reap(pid);
    family.forget();
    buried.and(status)
}

/// Waits for a program, whose number may be another's from then on.
fn reap(pid: Pid) -> io::Result<ExitStatus> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
