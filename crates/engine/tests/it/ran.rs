//! What a run did, to be asserted on in one line.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::record::Run;
use engine::schedule::{Event, Observer, Report, Status};

/// What a run did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) reports: Vec<Report>,
    pub(crate) run: Run,
    pub(crate) warnings: Vec<String>,
    /// The names of the stages that were started, in that order.
    pub(crate) started: Vec<String>,
}

impl Ran {
    /// Asserts how many stages ended in which way: `ran 2, cached 1`.
    #[track_caller]
    pub(crate) fn expect(self, expected: &str) -> Ran {
        assert_eq!(self.summary(), expected, "{:#?}", self.reports);
        self
    }

    /// Asserts which stages ran, in graph order.
    #[track_caller]
    pub(crate) fn ran(self, expected: &[&str]) -> Ran {
        let ran = |report: &&Report| matches!(report.status, Status::Ran(..));
        let names: Vec<_> = self.reports.iter().filter(ran).map(|r| r.stage.as_str()).collect();
        assert_eq!(names, expected);
        self
    }

    fn summary(&self) -> String {
        let mut parts = Vec::new();
        for word in ["ran", "cached", "failed", "skipped"] {
            let n = self.reports.iter().filter(|report| self::word(report) == word).count();
            if n > 0 {
                parts.push(format!("{word} {n}"));
            }
        }
        parts.join(", ")
    }

    #[track_caller]
    pub(crate) fn report(&self, stage: &str) -> &Report {
        self.reports.iter().find(|report| report.stage == stage).unwrap()
    }

    /// Why a stage ran.
    #[track_caller]
    pub(crate) fn reason(&self, stage: &str) -> String {
        match &self.report(stage).status {
            Status::Ran(reason, _) => reason.to_string(),
            other => panic!("`{stage}` did not run: {other:?}"),
        }
    }

    /// Why a stage was skipped.
    #[track_caller]
    pub(crate) fn cause(&self, stage: &str) -> String {
        match &self.report(stage).status {
            Status::Skipped(cause) => cause.to_string(),
            other => panic!("`{stage}` was not skipped: {other:?}"),
        }
    }

    /// Why a stage failed.
    #[track_caller]
    pub(crate) fn failure(&self, stage: &str) -> &engine::work::Failure {
        match &self.report(stage).status {
            Status::Failed(failure) => failure,
            other => panic!("`{stage}` did not fail: {other:?}"),
        }
    }
}

fn word(report: &Report) -> &'static str {
    match report.status {
        Status::Ran(..) => "ran",
        Status::Cached(_) => "cached",
        Status::Failed(_) => "failed",
        Status::Skipped(_) => "skipped",
    }
}

/// Keeps what a run tells.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) warnings: Mutex<Vec<String>>,
    pub(crate) started: Mutex<Vec<String>>,
    pub(crate) waited: AtomicUsize,
}

impl Observer for Told {
    fn observe(&self, event: Event<'_>) {
        match event {
            Event::Warning(text) => self.warnings.lock().unwrap().push(text.to_owned()),
            Event::Started { stage, .. } => self.started.lock().unwrap().push(stage.to_owned()),
            Event::Waiting { .. } => {
                self.waited.fetch_add(1, Ordering::SeqCst);
            }
            Event::Ended(report) => crate::gate::ended(&report.stage),
        }
    }
}
