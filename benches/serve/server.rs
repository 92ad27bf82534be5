//! A server as a process: started, asked whether it is ready, read off, ended.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;

/// How long a server may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(1);
/// Ticks of processor time in `/proc`, on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that answers.
pub(crate) struct Server {
    child: Child,
    /// Seconds from its start to the first answer that says it is ready.
    pub(crate) start: f64,
}

/// What the processes of a server use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Processor seconds since it was started.
    pub(crate) cpu: f64,
    /// Memory that it has now, in bytes, with what it shares with others.
    pub(crate) memory: f64,
}

impl Server {
    /// Starts a server, and waits until it says that it is ready.
    pub(crate) fn start(
        command: &mut Command,
        address: SocketAddr,
        ready: &str,
    ) -> anyhow::Result<Server> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Server { child, start: 0.0 };
        while began.elapsed() < PATIENCE {
            if is_ready(address, ready).unwrap_or(false) {
                server.start = began.elapsed().as_secs_f64();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status}");
            }
            thread::sleep(PAUSE);
        }
        bail!("{command:?} is not ready after {} s", PATIENCE.as_secs())
    }

    /// What all its processes use.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let mut usage = Usage { cpu: 0.0, memory: 0.0 };
        let group = i64::from(self.child.id());
        for entry in fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            // Behind the name, which may hold anything: the third field is the group, and of the
            // ones from the twelfth on two are ticks of its own and two of its dead children.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let fields: Vec<i64> = fields.split(' ').map(|f| f.parse().unwrap_or(0)).collect();
            if fields.get(3) != Some(&group) {
                continue;
            }
            let ticks: i64 = fields[12..16].iter().sum();
            usage.cpu += ticks as f64 / TICKS_PER_SECOND;
            usage.memory += resident(pid).unwrap_or(0.0);
        }
        Ok(usage)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).map(Pid::from_raw);
        let Ok(group) = group else { return };
        let _ = killpg(group, Signal::SIGTERM);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Processor seconds of this process.
pub(crate) fn process_seconds() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// The bytes that a process has in memory.
fn resident(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0)
}

fn is_ready(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(head.ends_with(b" 200"))
}
