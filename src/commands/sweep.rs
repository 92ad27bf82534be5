//! `pipeline run --set train.C=0.1,1,10`: one run per value, then a table of what came out.
//!
//! Every point is a run of its own and is recorded as one; they share the cache. A sweep leaves the
//! lock and `outputs/STAGE` as they are, because no point is more the pipeline's result than
//! another, and launches no service. A point that fails does not keep the next one from running.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::ExitCode;
use engine::graph::StageId;
use engine::kind::Goal;
use engine::schedule::Report;
use engine::sweep::Point;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::log::HEADLINE;
use super::run::{compute, summary, summary_json};
use super::{Opened, ended, open, plan, select};
use crate::cli::{Global, Run as Args};
use crate::terminal::{Style, Table, Terminal};

/// The most metrics that the table shows; programs are told all.
const MAX_METRICS: usize = 8;
/// The digits of a metric.
const DIGITS: usize = 4;

/// A point with its pipeline.
struct Prepared<'a> {
    point: &'a Point,
    opened: Opened,
    selection: BTreeSet<StageId>,
    forced: BTreeSet<StageId>,
}

/// What became of a point.
struct Ended {
    status: &'static str,
    run: String,
    result: String,
    metrics: BTreeMap<String, f64>,
}

pub(super) fn sweep(
    global: &Global,
    args: &Args,
    points: &[Point],
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    if args.locked {
        let message = "`--locked` holds a run against the lock, and a sweep leaves it";
        return Err(ended(ExitCode::Usage, message));
    }
    // What is wrong with any point is told before the first of them runs. None is held until its
    // turn comes: a pipeline may be large, and what a point hashed the next one is to remember.
    for point in points {
        let mut one = prepare(global, args, point)?;
        if !args.dry_run {
            one.opened.require_data(&one.selection)?;
        }
    }
    if args.dry_run {
        for point in points {
            let one = prepare(global, args, point)?;
            terminal.note(&terminal.paint_err(&told(point), Style::Bold));
            plan::show(&one.opened, &one.selection, &one.forced, terminal)?;
        }
        return Ok(ExitCode::Ok);
    }
    let interrupt = Interrupt::listen(*terminal)?;
    let (mut rows, mut codes) = (Vec::new(), Vec::new());
    for (index, point) in points.iter().enumerate() {
        let heading = format!("point {} of {}: {}", index + 1, points.len(), told(point));
        terminal.note(&terminal.paint_err(&heading, Style::Bold));
        let (ended, code) = match prepare(global, args, point) {
            Ok(one) => run(&one, args, &interrupt, terminal),
            Err(error) => stopped(&error, terminal),
        };
        rows.push((point, ended));
        codes.push(code);
        if interrupt.has_come() {
            break;
        }
    }
    if !terminal.json {
        table(&rows).lines().iter().for_each(|line| terminal.out(line));
    }
    Ok(worst(&codes))
}

/// A broken stage weighs more than a gate that does not hold; any other end weighs most.
fn worst(codes: &[ExitCode]) -> ExitCode {
    let other = codes.iter().copied().filter(|code| *code > ExitCode::Drift).max();
    let of = |code| codes.contains(&code).then_some(code);
    other.or(of(ExitCode::Failed)).or(of(ExitCode::Drift)).unwrap_or(ExitCode::Ok)
}

fn told(point: &Point) -> String {
    let values: Vec<_> =
        point.values.iter().map(|(path, value)| format!("{path}={value}")).collect();
    values.join(" ")
}

fn prepare<'a>(global: &Global, args: &Args, point: &'a Point) -> anyhow::Result<Prepared<'a>> {
    let global = Global { set: point.set.clone(), ..global.clone() };
    let opened = open(&global)?;
    let selected = select(&opened.graph, &args.selection)?;
    let mut selection = selected.stages;
    selection.retain(|id| !opened.graph.stage(*id).is_service());
    let forced = if args.force { selected.named } else { BTreeSet::new() };
    Ok(Prepared { point, opened, selection, forced })
}

/// The end of a point that was stopped by an error, which is told.
fn stopped(error: &anyhow::Error, terminal: &Terminal) -> (Ended, ExitCode) {
    terminal.error(error);
    let (run, result, metrics) = (String::new(), String::new(), BTreeMap::new());
    (Ended { status: "failed", run, result, metrics }, super::exit_code(error))
}

/// Runs one point; what stops it is told and is its end.
fn run(
    one: &Prepared<'_>,
    args: &Args,
    interrupt: &Interrupt,
    terminal: &Terminal,
) -> (Ended, ExitCode) {
    let Prepared { point, opened, selection, forced } = one;
    let (stages, forced) = (selection.clone(), forced.clone());
    let computed = match compute(opened, stages, forced, args, false, interrupt, terminal) {
        Ok(computed) => computed,
        Err(error) => return stopped(&error, terminal),
    };
    let metrics = metrics(&computed.reports);
    let code = computed.code();
    let status = match code {
        ExitCode::Ok => "ok",
        ExitCode::Drift => "gate",
        ExitCode::Interrupted => "interrupted",
        _ => "failed",
    };
    if terminal.json {
        let mut document = summary_json(&computed);
        let set = point.values.iter().map(|(path, value)| (path.clone(), value.clone().into()));
        document["set"] = Value::Object(set.collect());
        document["status"] = status.into();
        document["metrics"] = json!(metrics);
        terminal.json_line(&document);
    } else {
        summary(terminal, opened, &computed);
    }
    let result = computed.result.short();
    let run = computed.id.unwrap_or_default();
    (Ended { status, run, result, metrics }, code)
}

/// The metrics that have a goal, by name.
fn metrics(reports: &[Report]) -> BTreeMap<String, f64> {
    let outcomes = reports.iter().filter_map(Report::outcome);
    let metrics = outcomes.flat_map(|outcome| &outcome.findings.metrics);
    let with_goal = metrics.filter(|(_, metric)| metric.goal != Goal::None);
    with_goal.map(|(name, metric)| (name.clone(), metric.value)).collect()
}

/// The names of the metrics that the table has a column for: all when they are few, else those of
/// the chosen model, as far as there is room.
fn shown<'a>(rows: &'a [(&Point, Ended)]) -> Vec<&'a str> {
    let all: BTreeSet<&str> =
        rows.iter().flat_map(|(_, ended)| ended.metrics.keys()).map(String::as_str).collect();
    if all.len() <= MAX_METRICS {
        return all.into_iter().collect();
    }
    let is_headline =
        |name: &&str| name.strip_prefix(HEADLINE).is_some_and(|rest| !rest.contains('.'));
    let headline: Vec<_> = all.iter().copied().filter(is_headline).take(MAX_METRICS).collect();
    if headline.is_empty() { all.into_iter().take(MAX_METRICS).collect() } else { headline }
}

fn table(rows: &[(&Point, Ended)]) -> Table {
    let paths = rows.iter().flat_map(|(point, _)| &point.values).map(|(path, _)| path.as_str());
    let mut columns: Vec<&str> = Vec::new();
    paths.for_each(|path| {
        if !columns.contains(&path) {
            columns.push(path);
        }
    });
    let names = shown(rows);
    let fixed = ["run", "result", "status"];
    let headings = columns.iter().chain(&fixed).chain(&names);
    let mut table = Table::of(headings.map(|heading| (*heading).to_owned()).collect());
    for (point, ended) in rows {
        let value = |path: &&str| {
            let found = point.values.iter().rev().find(|(other, _)| other == path);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let metric = |name: &&str| {
            let found = ended.metrics.get(*name);
            found.map_or_else(String::new, |value| format!("{value:.DIGITS$}"))
        };
        let mut cells: Vec<_> = columns.iter().map(value).collect();
        cells.extend([ended.run.clone(), ended.result.clone(), ended.status.to_owned()]);
        cells.extend(names.iter().map(metric));
        table.add(cells);
    }
    table
}
