//! What a command costs: processor time, time on the clock, memory.
//!
//! Each command is started by a process of its own that does nothing else (this program, started
//! again), because the system adds up what a process's children used, and keeps of their memory
//! only the greatest. Microseconds, and all that the command itself started is in it.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The word that makes this program measure.
pub(crate) const MEASURE: &str = "measure";

/// How often it is asked whether a command is over; the clock is not read here.
const PAUSE: Duration = Duration::from_millis(2);

/// What a command cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Processor time in user mode, in seconds, all processes together.
    pub(crate) user: f64,
    /// Processor time in the system.
    pub(crate) system: f64,
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// The greatest memory that one of its processes had, in KiB.
    pub(crate) memory_kib: u64,
}

impl Cost {
    /// Processor time in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// What became of a command that succeeded.
pub(crate) struct Measured {
    /// What it cost.
    pub(crate) cost: Cost,
    /// All that it printed.
    pub(crate) output: String,
}

/// A command took longer than it may.
#[derive(Debug)]
pub(crate) struct TimedOut(Duration);

impl Display for TimedOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "not done after {} s", self.0.as_secs())
    }
}

impl std::error::Error for TimedOut {}

/// Where a command runs, and how long it may.
pub(crate) struct Bench {
    /// This program.
    program: PathBuf,
    /// Where results are handed over.
    dir: PathBuf,
    /// The time after which a command is ended.
    limit: Duration,
}

impl Bench {
    /// A bench that keeps its files in a directory.
    pub(crate) fn new(dir: &Path, limit: Duration) -> anyhow::Result<Bench> {
        fs::create_dir_all(dir)?;
        Ok(Bench { program: std::env::current_exe()?, dir: dir.to_owned(), limit })
    }

    /// Runs a command in a directory and tells what it cost; a failure is an error with the end of
    /// what the command printed.
    pub(crate) fn measure(&self, dir: &Path, args: &[String]) -> anyhow::Result<Measured> {
        let (result, printed) = (self.dir.join("result.json"), self.dir.join("printed.txt"));
        let _ = fs::remove_file(&result);
        let output = File::create(&printed)?;
        let mut command = Command::new(&self.program);
        command.arg(MEASURE).arg(&result).args(args).current_dir(dir).env_clear();
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output).process_group(0);
        let status = self.wait(command.spawn()?)?;
        let output = String::from_utf8_lossy(&fs::read(&printed)?).into_owned();
        let Some(status) = status else {
            return Err(TimedOut(self.limit).into());
        };
        if !status.success() {
            bail!("failed: {}", tail(&output));
        }
        let cost = fs::read(&result).context("the measuring process left no result")?;
        Ok(Measured { cost: serde_json::from_slice(&cost)?, output })
    }

    /// Waits until a process is over; ends it and all that it started when it takes too long.
    fn wait(&self, mut child: Child) -> anyhow::Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() > self.limit {
                killpg(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGKILL)?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// The last lines of what was printed, on one line.
fn tail(output: &str) -> String {
    const N_LINES: usize = 3;
    const MAX_CHARS: usize = 200;
    let lines: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(N_LINES)..].join(" / ");
    last.chars().skip(last.chars().count().saturating_sub(MAX_CHARS)).collect()
}

/// The measuring process: runs a command, writes what it cost to a file, ends as it ended.
pub(crate) fn measuring(args: &[String]) -> anyhow::Result<bool> {
    let [result, program, args @ ..] = args else {
        bail!("usage: {MEASURE} RESULT PROGRAM ARGS...");
    };
    let started = Instant::now();
    let status = Command::new(program).args(args).status();
    let wall = started.elapsed().as_secs_f64();
    let status = status.with_context(|| format!("cannot start `{program}`"))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(io::Error::from)?;
    let cost = Cost {
        user: seconds(usage.user_time()),
        system: seconds(usage.system_time()),
        wall,
        memory_kib: u64::try_from(usage.max_rss())?,
    };
    fs::write(result, serde_json::to_vec(&cost)?)?;
    Ok(status.success())
}

fn seconds(time: TimeVal) -> f64 {
    const MICROS: f64 = 1e-6;
    time.tv_sec() as f64 + time.tv_usec() as f64 * MICROS
}
