//! Tells how a run goes: live on a terminal, line by line elsewhere, as JSON events on request.
//!
//! One line per stage when it ends, with the reason why it ran and what its kind found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::kind::Findings;
use engine::observed::Observation;
use engine::reason::Reason;
use engine::schedule::{Event, Observer, Report, Status};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Style, Terminal, seconds, write_line};

/// The schema of the JSON events.
const SCHEMA: &str = "pipeline.event/1";
/// How far what belongs to a stage stands behind the names.
const INDENT: usize = 2;
/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Tells how a run goes.
pub struct Progress {
    terminal: Terminal,
    name_width: usize,
    bars: Option<MultiProgress>,
    spinners: Mutex<BTreeMap<String, ProgressBar>>,
}

/// What is drawn on a terminal while a run goes on.
#[derive(Clone)]
pub struct Drawn {
    terminal: Terminal,
    bars: Option<MultiProgress>,
}

impl Drawn {
    /// A line for people who watch.
    pub fn note(&self, text: &str) {
        if !self.terminal.quiet && !self.terminal.json {
            line(self.bars.as_ref(), text);
        }
    }

    /// Takes it all away, for good.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            // What cannot be cleared stays.
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

fn line(bars: Option<&MultiProgress>, text: &str) {
    match bars {
        // Above the spinners; what cannot be written is not told.
        Some(bars) => drop(bars.println(text)),
        None => write_line(&mut std::io::stderr().lock(), text),
    }
}

impl Progress {
    /// Progress of stages whose names are at most this wide.
    pub fn new(terminal: Terminal, name_width: usize) -> Progress {
        let bars =
            terminal.is_live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Progress { terminal, name_width, bars, spinners: Mutex::default() }
    }

    /// A handle on what is drawn, for whoever ends the process.
    pub fn drawn(&self) -> Drawn {
        Drawn { terminal: self.terminal, bars: self.bars.clone() }
    }

    fn line(&self, text: &str) {
        line(self.bars.as_ref(), text);
    }

    fn spin(&self, stage: &str, text: String) {
        let Some(bars) = &self.bars else { return };
        let mut spinners = self.spinners.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = spinners.entry(stage.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_message(text);
    }

    fn stop_spinning(&self, stage: &str) {
        let spinner = {
            let mut spinners = self.spinners.lock().unwrap_or_else(PoisonError::into_inner);
            spinners.remove(stage)
        };
        if let Some(bar) = spinner {
            bar.finish_and_clear();
        }
    }

    /// What the program of a stage said, whether it ran now or at another time.
    pub(crate) fn output(&self, stage: &str, output: Option<&Observation>) {
        let indent = self.name_width + INDENT;
        for line in output.into_iter().flat_map(Observation::lines) {
            let head = format!("{:indent$}{stage} |", "");
            self.line(&format!("{} {line}", self.terminal.paint_err(&head, Style::Dim)));
        }
    }

    fn ended(&self, report: &Report) {
        let Told { word, style, time, why } = told(report);
        let name = format!("{:<width$}", report.stage, width = self.name_width);
        let word = self.terminal.paint_err(&format!("{word:<7}"), style);
        let (why, more) = why.split_once('\n').unwrap_or((&why, ""));
        let why = self.terminal.paint_err(why, Style::Dim);
        self.line(format!("{name}  {word} {time:>7}  {why}").trim_end());
        let indent = self.name_width + INDENT;
        more.lines().for_each(|line| self.line(&format!("{:indent$}{line}", "")));
        // The end of what a failed one said is part of why.
        if !matches!(report.status, Status::Failed(_)) {
            self.output(&report.stage, report.output.as_ref());
        }
        let findings = findings(report);
        if let Some(findings) = findings.filter(|_| !is_cached(report) || self.terminal.verbose) {
            findings.remarks.iter().flat_map(|remark| remark.lines()).for_each(|line| {
                self.line(&format!("{:width$}  {line}", "", width = self.name_width));
            });
        }
    }
}

/// The parts of a stage's line.
struct Told {
    word: &'static str,
    style: Style,
    time: String,
    why: String,
}

fn told(report: &Report) -> Told {
    let time = seconds(report.seconds);
    match &report.status {
        Status::Ran(reason, _) => {
            Told { word: "run", style: Style::Good, time, why: because(reason) }
        }
        Status::Cached(_) => {
            Told { word: "cached", style: Style::Dim, time: String::new(), why: String::new() }
        }
        Status::Failed(failure) => {
            let word = status(&report.status);
            Told { word, style: Style::Bad, time, why: failure.message.clone() }
        }
        Status::Skipped(cause) => {
            let why = format!("because {cause}");
            Told { word: "skipped", style: Style::Warn, time: String::new(), why }
        }
    }
}

fn because(reason: &Reason) -> String {
    format!("because {reason}")
}

fn is_cached(report: &Report) -> bool {
    matches!(report.status, Status::Cached(_))
}

fn findings(report: &Report) -> Option<&Findings> {
    match &report.status {
        Status::Failed(failure) => Some(&failure.findings),
        _ => report.outcome().map(|outcome| &outcome.findings),
    }
}

impl Observer for Progress {
    fn observe(&self, event: Event<'_>) {
        if self.terminal.json {
            self.terminal.json_line(&as_json(event));
            return;
        }
        match event {
            Event::Started { stage, reason } => {
                self.spin(stage, format!("{stage}  {}", because(reason)));
            }
            Event::Waiting { stage } => {
                let text = format!("{stage}  waits for another process");
                match self.bars {
                    Some(_) => self.spin(stage, text),
                    None if !self.terminal.quiet => self.line(&text),
                    None => {}
                }
            }
            Event::Ended(report) => {
                self.stop_spinning(&report.stage);
                let is_wrong = matches!(report.status, Status::Failed(_));
                // What is in place is counted at the end, and listed for who asks for more.
                let says = report.output.as_ref().is_some_and(|output| !output.is_silent());
                let is_news = !is_cached(report) || self.terminal.verbose || says;
                if is_wrong || (is_news && !self.terminal.quiet) {
                    self.ended(report);
                }
            }
            Event::Warning(message) => self
                .line(&format!("{} {message}", self.terminal.paint_err("warning:", Style::Warn))),
        }
    }
}

fn as_json(event: Event<'_>) -> Value {
    match event {
        Event::Started { stage, reason } => json!({
            "schema": SCHEMA, "event": "started", "stage": stage, "reason": reason.to_string(),
        }),
        Event::Waiting { stage } => json!({"schema": SCHEMA, "event": "waiting", "stage": stage}),
        Event::Warning(message) => {
            json!({"schema": SCHEMA, "event": "warning", "message": message})
        }
        Event::Ended(report) => {
            let mut document = json!({
                "schema": SCHEMA,
                "event": "ended",
                "stage": report.stage,
                "status": status(&report.status),
                "seconds": report.seconds,
            });
            if let Status::Ran(reason, _) = &report.status {
                document["reason"] = reason.to_string().into();
            }
            if let Status::Skipped(cause) = &report.status {
                document["reason"] = cause.to_string().into();
            }
            if let Status::Failed(failure) = &report.status {
                document["error"] = failure.message.clone().into();
            }
            if let Some(outcome) = report.outcome() {
                document["key"] = outcome.key.to_string().into();
            }
            if let Some(output) = report.output.as_ref().filter(|output| !output.is_silent()) {
                document["output"] = json!({"stdout": output.stdout, "stderr": output.stderr});
            }
            if let Some(findings) = findings(report) {
                document["remarks"] = findings.remarks.clone().into();
            }
            document
        }
    }
}

/// The word for how a stage ended, as records and events have it.
pub(crate) fn status(status: &Status) -> &'static str {
    match status {
        Status::Ran(..) => "run",
        Status::Cached(_) => "cached",
        Status::Failed(failure) if failure.is_gate => "gate",
        Status::Failed(failure) if failure.is_interrupted => "interrupted",
        Status::Failed(_) => "failed",
        Status::Skipped(_) => "skipped",
    }
}
