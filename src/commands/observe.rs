//! What is observed of a run and proves nothing: time, host, git.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use engine::record::{Observed, ObservedStage};
use engine::schedule::{Report, Status};

use crate::terminal::status;

/// The time as RFC 3339 in UTC, to the millisecond, so that names of runs sort.
pub(super) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The name of this machine.
pub(super) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// What was observed of a run as a whole.
pub(super) struct Ending {
    /// When it started.
    pub(super) started: String,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
    /// How many stages could run at once.
    pub(super) jobs: usize,
    /// Whether the user stopped it.
    pub(super) is_interrupted: bool,
}

/// What was observed of a run.
pub(super) fn observe(root: &Path, ending: &Ending, reports: &[Report]) -> Observed {
    let commit = git(root, &["rev-parse", "HEAD"]);
    let changes = git(root, &["status", "--porcelain"]);
    Observed {
        started: ending.started.clone(),
        seconds: ending.seconds,
        status: if ending.is_interrupted { "interrupted" } else { overall(reports) }.to_owned(),
        host: host(),
        jobs: ending.jobs,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().skip(1).collect(),
        git_dirty: commit.as_ref().and(changes).map(|changes| !changes.is_empty()),
        git_commit: commit,
        stages: reports.iter().map(|report| (report.stage.clone(), stage(report))).collect(),
    }
}

fn overall(reports: &[Report]) -> &'static str {
    let failed = reports.iter().find(|report| matches!(report.status, Status::Failed(_)));
    failed.map_or("ok", |report| status(&report.status))
}

fn stage(report: &Report) -> ObservedStage {
    let (reason, error) = match &report.status {
        Status::Ran(reason, _) => (Some(reason.to_string()), None),
        Status::Failed(failure) => (None, Some(failure.message.clone())),
        Status::Skipped(cause) => (Some(cause.to_string()), None),
        Status::Cached(_) => (None, None),
    };
    ObservedStage {
        status: status(&report.status).to_owned(),
        reason,
        seconds: report.seconds,
        error,
    }
}

/// What git prints, without the last line's end; `None` outside a repository or without git.
pub(super) fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
