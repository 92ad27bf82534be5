//! `pipeline log`: the recorded runs, newest first.

use std::collections::BTreeMap;

use engine::alias::Alias;
use engine::error::ExitCode;
use engine::kind::Goal;
use engine::project::Project;
use engine::record::Recorded;
use serde_json::{Value, json};

use super::open;
use crate::cli::{Global, Log as Args};
use crate::terminal::{Table, Terminal, seconds};

/// What the names of the metrics in the table begin with: those of the chosen model.
pub(super) const HEADLINE: &str = "champion.test.";
/// How many digits of a metric are shown.
const DIGITS: usize = 4;

pub(super) fn log(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let runs = &opened.project.runs;
    let mut table =
        Table::new(["run", "started", "status", "ran", "took", "commit", "result", "metrics"]);
    let in_use = in_use(&opened.project, terminal)?;
    let mut n_runs = 0;
    for dir in runs.list()?.iter().rev().take(args.limit) {
        let recorded = match runs.read(dir) {
            Ok(recorded) => recorded,
            Err(error) => {
                terminal.warning(&error.to_string());
                continue;
            }
        };
        n_runs += 1;
        if terminal.json {
            let mut document = as_json(&recorded);
            document["aliases"] = json!(in_use.get(&recorded.id));
            terminal.json_line(&document);
        } else {
            let mut row = row(&recorded);
            if let Some(names) = in_use.get(&recorded.id) {
                row[0] = format!("{} ({})", row[0], names.join(", "));
            }
            table.row(row);
        }
    }
    if n_runs == 0 {
        terminal.note("no runs are recorded; `pipeline run` records one");
    } else if !terminal.json {
        table.lines().iter().for_each(|line| terminal.out(line));
    }
    Ok(ExitCode::Ok)
}

/// Per run the names under which something of it is in use.
fn in_use(project: &Project, terminal: &Terminal) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut in_use: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in project.aliases.names()? {
        match project.aliases.read(&name) {
            Ok(alias) => {
                if let Some(current) = alias.as_ref().and_then(Alias::current) {
                    in_use.entry(current.run.clone()).or_default().push(name);
                }
            }
            Err(error) => terminal.warning(&error.to_string()),
        }
    }
    Ok(in_use)
}

fn row(recorded: &Recorded) -> [String; 8] {
    let Recorded { id, run, observed } = recorded;
    let ran = observed.stages.values().filter(|stage| stage.status == "run").count();
    let started = observed.started.get(..19).unwrap_or(&observed.started).replace('T', " ");
    [
        id.clone(),
        started,
        observed.status.clone(),
        format!("{ran}/{}", observed.stages.len()),
        seconds(observed.seconds),
        commit(recorded),
        run.result().short(),
        headline(recorded),
    ]
}

/// The commit in short, with a star when the tree differed from it.
fn commit(recorded: &Recorded) -> String {
    const SHOWN_CHARS: usize = 8;
    let observed = &recorded.observed;
    let commit: String =
        observed.git_commit.iter().flat_map(|commit| commit.chars()).take(SHOWN_CHARS).collect();
    let star = if observed.git_dirty == Some(true) { "*" } else { "" };
    format!("{commit}{star}")
}

/// The metrics of a champion that a line has room for; no task has all of them.
const SHOWN: [&str; 6] = ["roc_auc", "recall", "f1", "rmse", "mae", "r2"];

fn headline(recorded: &Recorded) -> String {
    let metrics = recorded.run.stages.iter().flat_map(|stage| &stage.metrics);
    let shown = metrics.filter_map(|(name, metric)| {
        let name = name.strip_prefix(HEADLINE).filter(|name| !name.contains('.'))?;
        let is_shown = metric.goal != Goal::None && SHOWN.contains(&name);
        is_shown.then(|| format!("{name} {:.DIGITS$}", metric.value))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// A run as JSON, whole.
pub(super) fn as_json(recorded: &Recorded) -> Value {
    json!({
        "schema": "pipeline.run/1",
        "id": recorded.id,
        "result": recorded.run.result().to_string(),
        "run": recorded.run,
        "observed": recorded.observed,
    })
}
