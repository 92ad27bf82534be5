//! `pipeline diff A B`: whether two runs are bit-identical, and if not, where it began.

use std::collections::BTreeSet;
use std::path::Path;

use engine::alias::Alias;
use engine::diff::{self, ConflictDiff, Diff, MetricDiff, Parting, Side, StageDiff};
use engine::error::{Error, ExitCode};
use engine::lock::{self, Lock};

use serde::Serialize;

use super::compared::{self, Compared};
use super::{Opened, observe, open};
use crate::cli::{Diff as Args, Global};
use crate::terminal::{Style, Table, Terminal};

/// How many digits of a metric are shown.
const DIGITS: usize = 4;

pub(super) fn diff(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let conflicts = opened.project.store.conflicts()?;
    let (a, b) = (given(&opened, &args.a)?, given(&opened, &args.b)?);
    let recipe = |key: &_| opened.project.store.recipe(key);
    let diff = diff::compare(&a.side, &b.side, &conflicts, recipe);
    let dirs = compared::directories(&opened, args.shadow_log.as_deref());
    let shadow = compared::find(&dirs, &a.packages, &b.packages)?;
    if terminal.json {
        terminal.json_line(&Told { diff: &diff, shadow: &shadow });
    } else if args.md {
        let compared = shadow.iter().flat_map(|of| [vec![String::new()], of.markdown()].concat());
        markdown(&diff).into_iter().chain(compared).for_each(|line| terminal.out(&line));
    } else {
        let compared = shadow.iter().flat_map(|of| [vec![String::new()], of.lines()].concat());
        text(&diff, terminal).into_iter().chain(compared).for_each(|line| terminal.out(&line));
    }
    Ok(if args.exit_code && !diff.identical { ExitCode::Drift } else { ExitCode::Ok })
}

/// What a program is told.
#[derive(Serialize)]
struct Told<'d> {
    #[serde(flatten)]
    diff: &'d Diff,
    /// What services found that had one of the two packages score beside the other.
    shadow: &'d [Compared],
}

/// One of the two sides, and the versions of its packages.
struct Given {
    side: Side,
    packages: BTreeSet<String>,
}

impl From<Side> for Given {
    fn from(side: Side) -> Given {
        Given { packages: compared::packages(&side), side }
    }
}

/// A run, a name that was promoted, a lock file or a git revision, in this order.
fn given(opened: &Opened, name: &str) -> anyhow::Result<Given> {
    let missing = match opened.project.runs.find(name) {
        Ok(recorded) => {
            return Ok(Side::of_run(&format!("run {}", recorded.id), recorded.run).into());
        }
        Err(Error::Missing(missing)) => missing,
        Err(error) => return Err(error.into()),
    };
    if let Some(promoted) = promoted(opened, name)? {
        return Ok(promoted);
    }
    let lock = if Path::new(name).is_file() {
        Lock::read(Path::new(name))?
    } else {
        let place = format!("{name}:./{}", lock::FILE_NAME);
        let text = observe::git(&opened.project.root, &["show", &place]);
        text.map(|text| Lock::parse(&text, &place)).transpose()?
    };
    let Some(lock) = lock else {
        let message = format!(
            "{missing}, and it is no name that was promoted, no lock file and no git revision \
             with a lock"
        );
        return Err(Error::Missing(message).into());
    };
    let order: Vec<_> = opened.graph.stages.iter().map(|stage| stage.name.clone()).collect();
    let outcome = |key: &_| opened.project.store.outcome(key);
    let metrics = |key: &_| outcome(key).map(|o| o.findings.metrics).unwrap_or_default();
    Ok(Side::of_lock(&format!("lock {name}"), &lock, &order, metrics).into())
}

/// The run whose package a name stands for, if anything was ever promoted under it.
fn promoted(opened: &Opened, name: &str) -> anyhow::Result<Option<Given>> {
    // What can be no name is no alias.
    if !opened.project.aliases.names()?.iter().any(|known| known == name) {
        return Ok(None);
    }
    let alias = opened.project.aliases.read(name)?;
    let Some(current) = alias.as_ref().and_then(Alias::current) else { return Ok(None) };
    let recorded = opened.project.runs.find(&current.run)?;
    let side = Side::of_run(&format!("{name}, run {}", recorded.id), recorded.run);
    Ok(Some(Given { side, packages: BTreeSet::from([current.version.clone()]) }))
}

/// The verdict in a sentence.
fn verdict(diff: &Diff) -> String {
    match (diff.identical, &diff.cause) {
        (true, None) => "bit-identical".to_owned(),
        (true, Some(_)) => "bit-identical outputs from different recipes".to_owned(),
        (false, _) => {
            let n_outputs: usize = diff.stages.iter().map(|stage| stage.outputs.len()).sum();
            let n_stages = diff.stages.iter().filter(|stage| !stage.outputs.is_empty()).count();
            format!("not identical: {n_outputs} outputs of {n_stages} stages differ")
        }
    }
}

/// How a stage parts, in words, one line per field.
fn parting(what: Parting, changes: &[engine::recipe::Change]) -> Vec<String> {
    match what {
        Parting::Recipe => changes.iter().map(ToString::to_string).collect(),
        Parting::UnknownRecipe => {
            vec!["its recipe differs, and the store no longer has both to compare".to_owned()]
        }
        Parting::OnlyA => vec!["A has this stage, and B does not".to_owned()],
        Parting::OnlyB => vec!["B has this stage, and A does not".to_owned()],
        Parting::Bytes => {
            vec!["the same recipe gave other bytes: it is not reproducible".to_owned()]
        }
    }
}

/// How a stage parts, on one line: what it only inherits is the same story once more.
fn told(stage: &StageDiff) -> String {
    let own: Vec<_> = stage.changes.iter().filter(|change| !change.is_inherited()).collect();
    if stage.what == Parting::Recipe && own.is_empty() {
        return "because of its inputs".to_owned();
    }
    let own: Vec<_> = own.into_iter().cloned().collect();
    parting(stage.what, &own).join("; ")
}

fn text(diff: &Diff, terminal: &Terminal) -> Vec<String> {
    let style = if diff.identical { Style::Good } else { Style::Bold };
    let mut lines = vec![
        format!("A {} (baseline)   B {}", diff.a, diff.b),
        terminal.paint(&verdict(diff), style),
    ];
    if let Some(cause) = &diff.cause {
        for (i, line) in parting(cause.what, &cause.changes).into_iter().enumerate() {
            let head = if i == 0 { format!("cause  {}", cause.stage) } else { String::new() };
            let width = "cause  ".len() + cause.stage.chars().count();
            lines.push(format!("{head:<width$}  {line}"));
        }
    }
    for ConflictDiff { stage, conflict } in &diff.conflicts {
        let word = terminal.paint("conflict", Style::Bad);
        lines.push(format!("{word}  {stage}  gave other bytes at another time: {conflict}"));
    }
    if diff.stages.len() > 1 {
        lines.push(String::new());
        for stage in &diff.stages {
            let told = told(stage);
            let same = if stage.outputs.is_empty() { "same bytes" } else { "other bytes" };
            lines.push(format!("stage  {}  {same}  {told}", stage.stage));
        }
    }
    if !diff.metrics.is_empty() {
        lines.push(String::new());
        lines.extend(metrics(&diff.metrics).lines());
    }
    let outputs = diff
        .stages
        .iter()
        .flat_map(|stage| stage.outputs.iter().map(move |output| (stage.stage.as_str(), output)));
    for (i, (stage, output)) in outputs.enumerate() {
        if i == 0 {
            lines.push(String::new());
        }
        let short = |digest: Option<engine::digest::Digest>| {
            digest.map_or("none".to_owned(), |digest| digest.short())
        };
        let (a, b) = (short(output.a), short(output.b));
        lines.push(format!("output {stage}/{}  {a} -> {b}", output.path));
    }
    lines
}

fn metrics(metrics: &[MetricDiff]) -> Table {
    let mut table = Table::new(["metric", "A", "B", "delta", "verdict"]);
    for metric in metrics {
        let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.DIGITS$}"));
        let delta = metric.delta.map_or(String::new(), signed);
        let verdict = match metric.better {
            Some(true) => "better",
            Some(false) => "worse",
            None => "",
        };
        let name = format!("{}.{}", metric.stage, metric.metric);
        table.row([name, number(metric.a), number(metric.b), delta, verdict.to_owned()]);
    }
    table
}

/// A difference; one that would be shown as nothing is shown by its size.
fn signed(delta: f64) -> String {
    const LEAST_SHOWN: f64 = 0.00005;
    if delta.abs() < LEAST_SHOWN { format!("{delta:+.1e}") } else { format!("{delta:+.DIGITS$}") }
}

fn markdown(diff: &Diff) -> Vec<String> {
    let mut lines = vec![
        format!("**{}** (A: {}, baseline; B: {})", verdict(diff), diff.a, diff.b),
        String::new(),
    ];
    if let Some(cause) = &diff.cause {
        lines.push(format!("Cause, in stage `{}`:", cause.stage));
        lines.push(String::new());
        let told = parting(cause.what, &cause.changes);
        lines.extend(told.into_iter().map(|line| format!("- `{line}`")));
        lines.push(String::new());
    }
    for ConflictDiff { stage, conflict } in &diff.conflicts {
        lines.push(format!("Stage `{stage}` gave other bytes at another time: {conflict}"));
        lines.push(String::new());
    }
    if !diff.metrics.is_empty() {
        lines.extend(metrics(&diff.metrics).markdown());
        lines.push(String::new());
    }
    let changed: Vec<_> = diff.stages.iter().filter(|stage| !stage.outputs.is_empty()).collect();
    if !changed.is_empty() {
        let mut table = Table::new(["stage", "outputs that differ"]);
        for stage in changed {
            let paths: Vec<_> = stage.outputs.iter().map(|output| output.path.as_str()).collect();
            table.row([stage.stage.clone(), paths.join(", ")]);
        }
        lines.extend(table.markdown());
    }
    lines
}
