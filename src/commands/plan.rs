//! `pipeline plan` and `run --dry-run`: what a run would do. Changes nothing.

use std::collections::BTreeSet;

use engine::error::ExitCode;
use engine::graph::{Graph, StageId};
use engine::plan::{self, Fate, Planned};
use serde_json::{Value, json};

use super::{Opened, name_width, open, select};
use crate::cli::{Global, Plan as Args};
use crate::terminal::{Style, Terminal};

pub(super) fn plan(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let selected = select(&opened.graph, &args.selection)?;
    let forced = if args.force { selected.named } else { BTreeSet::new() };
    show(&opened, &selected.stages, &forced, terminal)
}

/// Shows the plan of these stages.
pub(super) fn show(
    opened: &Opened,
    selection: &BTreeSet<StageId>,
    forced: &BTreeSet<StageId>,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let planned = plan::plan(&opened.project, &opened.graph, selection, forced)?;
    if terminal.json {
        let stages: Vec<_> = planned.iter().map(|one| as_json(&opened.graph, one)).collect();
        terminal.json_line(&json!({"schema": "pipeline.plan/1", "stages": stages}));
        return Ok(ExitCode::Ok);
    }
    let width = name_width(&opened.graph);
    for one in &planned {
        terminal.out(&line(&opened.graph, one, width, terminal));
    }
    let count = |word| planned.iter().filter(|one| told(&opened.graph, one).0 == word).count();
    let (n_run, n_wait, n_cached) = (count("run"), count("wait"), count("cached"));
    let lacks = match (count("data"), count("lacks")) {
        (0, 0) => String::new(),
        (n_lacks, 0) => format!(", {n_lacks} without their data"),
        (n_lacks, n_blocked) => format!(", {} without what they need", n_lacks + n_blocked),
    };
    terminal
        .out(&format!("plan: {n_run} to run, {n_wait} wait for those, {n_cached} cached{lacks}"));
    Ok(ExitCode::Ok)
}

/// One stage of a plan as a line.
pub(super) fn line(graph: &Graph, one: &Planned, width: usize, terminal: &Terminal) -> String {
    let (word, style, why) = told(graph, one);
    let word = terminal.paint(&format!("{word:<6}"), style);
    let name = &graph.stage(one.id).name;
    format!("{name:<width$}  {word}  {why}").trim_end().to_owned()
}

fn told(graph: &Graph, one: &Planned) -> (&'static str, Style, String) {
    match &one.fate {
        Fate::Cached(_) => ("cached", Style::Dim, String::new()),
        Fate::Run(reason) => ("run", Style::Good, format!("because {reason}")),
        Fate::Waits(stages) => {
            let names: Vec<_> = stages.iter().map(|id| graph.stage(*id).name.as_str()).collect();
            let own: String = one.own.iter().map(|change| format!("; {change}")).collect();
            ("wait", Style::Warn, format!("for the bytes of {}{own}", names.join(", ")))
        }
        Fate::Lacks(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
            let verb = if paths.len() == 1 { "does" } else { "do" };
            let why = format!("for data that {verb} not exist: {}", paths.join(", "));
            ("data", Style::Bad, why)
        }
        // Of several lines the first says what is lacking, and the others how to get it.
        Fate::Blocked(why) => ("lacks", Style::Bad, why.lines().next().unwrap_or(why).to_owned()),
        Fate::Launch => ("launch", Style::Bold, "once everything before it is done".to_owned()),
    }
}

/// One stage of a plan as JSON.
pub(super) fn as_json(graph: &Graph, one: &Planned) -> Value {
    let (word, _, why) = told(graph, one);
    let key = one.key.map(|key| key.to_string());
    json!({"stage": graph.stage(one.id).name, "plan": word, "why": why, "key": key})
}
