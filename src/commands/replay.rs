//! `pipeline predict --replay LOG…`: what a package says of rows that were predicted before.
//!
//! A log is a directory that a service writes its predictions to, or files of one. What numbers
//! were used once are used again: `range` is `warn` here unless it is told otherwise, whatever the
//! service stage says.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::error::ExitCode;
use serde::Serialize;

use super::ended;
use super::predict::Results;
use super::serve::{Chosen, checked, chosen, lay, unservable};
use crate::cli::{Global, Predict as Args, Records};
use crate::ml::package::Package;
use crate::serve::{Compared, Predictions, Replay, Replayed, Unread};
use crate::terminal::{Table, Terminal};

/// The most reasons that people are told.
const MAX_REASONS: usize = 10;

/// The report for programs.
#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    model_version: &'r str,
    #[serde(flatten)]
    report: &'r Replayed,
}

pub(super) fn replay(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    if args.output == Some(Records::Csv) {
        let message = "rows with what was said and what is said now are no table";
        return Err(ended(ExitCode::Usage, format!("{message}\nhint: `--output jsonl`")));
    }
    let Chosen { mut values, dir, .. } = chosen(global, &args.which)?;
    values.insert("range".to_owned(), "warn".into());
    lay(&args.policy, &mut values);
    let params = checked(values)?;
    let files = files(&args.replay)?;
    let package = Package::load(&dir).map_err(|error| unservable(&dir, &error))?;
    let mut replay = Replay::new(&package, params.policy());
    let mut results = BufWriter::new(Results(terminal));
    for path in &files {
        let shown = path.display();
        let cannot = || format!("cannot predict `{shown}` again");
        let mut file = File::open(path).with_context(cannot)?;
        let rows = args.output.map(|_| &mut results as &mut dyn Write);
        match replay.read(&mut file, rows) {
            Ok(()) => {}
            Err(Unread::Io(error)) if error.kind() == ErrorKind::BrokenPipe => {
                return Ok(ExitCode::Ok);
            }
            Err(Unread::Io(error)) => return Err(error).with_context(cannot),
            Err(Unread::Foreign { line, what }) => {
                return Err(ended(ExitCode::Usage, format!("`{shown}`, line {line}, is {what}")));
            }
        }
    }
    match results.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::Ok),
        flushed => flushed.context("cannot write rows")?,
    }
    let report = replay.report();
    tell(&report, &package, args.output.is_some(), terminal)?;
    Ok(exit_code(&report, args.exit_code))
}

/// The files of the logs, those of a directory with the oldest first.
fn files(logs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in logs {
        files.extend(files_of(path).map_err(|error| {
            let code = match error.kind() {
                ErrorKind::NotFound => ExitCode::Missing,
                _ => ExitCode::Failed,
            };
            ended(code, format!("there is no log of predictions at `{}`: {error}", path.display()))
        })?);
    }
    Ok(files)
}

fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = Predictions::files(path)?;
    if files.is_empty() {
        let message = "the directory holds no file `predictions-NUMBER.jsonl`";
        return Err(io::Error::new(ErrorKind::NotFound, message));
    }
    Ok(files)
}

fn exit_code(report: &Replayed, wants_drift: bool) -> ExitCode {
    let Compared { predicted, same, refused, .. } = report.all;
    match () {
        () if report.counts.altered > 0 => ExitCode::Corrupt,
        () if wants_drift && (same < predicted || refused > 0) => ExitCode::Drift,
        () if refused > 0 => ExitCode::Failed,
        () => ExitCode::Ok,
    }
}

/// Tells the report, on stderr where stdout has the rows.
fn tell(
    report: &Replayed,
    package: &Package,
    has_rows: bool,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let counts = report.counts;
    if report.all.predicted + report.all.refused == 0 && counts.altered == 0 {
        let message = match counts.without_input {
            0 => "the log has no prediction".to_owned(),
            n => format!(
                "none of the {n} lines has the record that was predicted\nhint: a service logs \
                 records with `predictions_input = true` (`--predictions-input`)"
            ),
        };
        return Err(ended(ExitCode::Missing, message));
    }
    if terminal.json {
        let (schema, model_version) = ("pipeline.replay/1", package.version());
        terminal.json_line(&Document { schema, model_version, report });
    } else {
        let say = |line: &str| if has_rows { terminal.note(line) } else { terminal.out(line) };
        text(report, package.version()).iter().for_each(|line| say(line));
    }
    let warn = |n: u64, what: &str| {
        if n > 0 {
            terminal.warning(&format!("{n} of {} lines {what}", counts.lines));
        }
    };
    warn(counts.torn, "were cut off, as by a kill, and are passed over");
    warn(counts.without_input, "have no record and are passed over: `predictions_input` logs it");
    warn(
        counts.altered,
        "have a record that is not the one that was predicted: its digest differs",
    );
    if report.all.refused > 0 {
        terminal.warning(&format!("{} records were refused", report.all.refused));
    }
    Ok(())
}

/// The report for people.
fn text(report: &Replayed, version: &str) -> Vec<String> {
    let headings = ["predicted by", "again", "same bits", "other class", "mean difference"];
    let headings = headings.into_iter().chain(["mean size", "max size", "refused"]);
    let mut table = Table::of(headings.map(str::to_owned).collect());
    let number = |x: Option<f64>| match x {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(x) => format!("{x:.3e}"),
    };
    let mut row = |name: &str, of: &Compared| {
        let counts = [of.predicted, of.same, of.class_changed].map(|n| n.to_string());
        let sizes = [of.mean_difference, of.mean_absolute_difference, of.max_absolute_difference];
        let cells = counts.into_iter().chain(sizes.map(number)).chain([of.refused.to_string()]);
        table.add(std::iter::once(name.to_owned()).chain(cells).collect());
    };
    report.versions.iter().for_each(|(version, of)| row(version, of));
    if report.versions.len() > 1 {
        row("all", &report.all);
    }
    let mut lines = vec![format!("predicted again by model {version}")];
    lines.extend(table.lines());
    lines.extend(
        report
            .reasons
            .iter()
            .take(MAX_REASONS)
            .map(|reason| format!("refused {}: {} ({})", reason.rows, reason.message, reason.kind)),
    );
    if let Some(more) = report.reasons.len().checked_sub(MAX_REASONS).filter(|more| *more > 0) {
        lines.push(format!("and for {more} more reasons, which `--json` lists"));
    }
    lines
}
