//! `pipeline why STAGE`: what would make a stage run, field by field. Changes nothing.

use std::collections::BTreeSet;

use engine::error::ExitCode;
use engine::plan::{self, Fate, Planned};
use engine::reason::Reason;
use serde_json::json;

use super::{Opened, ended, open};
use crate::cli::{Global, Why as Args};
use crate::terminal::Terminal;

pub(super) fn why(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let named = opened.graph.targets(&args.targets);
    let named = named.map_err(|message| ended(ExitCode::Usage, message))?;
    let selection = opened.graph.with_ancestors(named.iter().copied());
    let planned = plan::plan(&opened.project, &opened.graph, &selection, &BTreeSet::new())?;
    for one in planned.iter().filter(|one| named.contains(&one.id)) {
        let lines = lines(&opened, &planned, one);
        let name = &opened.graph.stage(one.id).name;
        if terminal.json {
            let document = json!({"schema": "pipeline.why/1", "stage": name, "why": lines});
            terminal.json_line(&document);
        } else {
            terminal.out(&format!("{name}: {}", lines[0]));
            lines[1..].iter().for_each(|line| terminal.out(&format!("  {line}")));
        }
    }
    Ok(ExitCode::Ok)
}

/// Why this stage would run: a heading, then one line per cause.
fn lines(opened: &Opened, planned: &[Planned], one: &Planned) -> Vec<String> {
    let stage = opened.graph.stage(one.id);
    match &one.fate {
        Fate::Cached(outcome) => vec![
            "would not run: its outcome is known".to_owned(),
            format!("key {}", outcome.key.short()),
        ],
        Fate::Launch => vec!["is launched whenever a run succeeds; it is never cached".to_owned()],
        Fate::Run(Reason::Changed(changes)) => {
            let changes = changes.iter().map(ToString::to_string);
            ["would run, because its recipe changed".to_owned()]
                .into_iter()
                .chain(changes)
                .collect()
        }
        Fate::Run(reason) => vec![format!("would run, because {reason}")],
        Fate::Blocked(why) => vec![format!("cannot run: {why}")],
        Fate::Lacks(paths) => {
            let paths = paths.iter().map(|path| format!("`{}`", path.display()));
            let heading = "cannot run yet: it reads data that does not exist".to_owned();
            std::iter::once(heading).chain(paths).collect()
        }
        Fate::Waits(_) => {
            let is_new = !opened.project.runs.last_keys().contains_key(&stage.name);
            let heading = match one.own.as_slice() {
                [] if is_new => "would run, because it has no outcome yet; before it",
                [] => "would run, if one of these yields other bytes than before",
                _ => "would run, because its recipe changed, and so did what it rests on",
            };
            let own = one.own.iter().map(ToString::to_string);
            let before = causes(opened, planned, one);
            std::iter::once(heading.to_owned()).chain(own).chain(before).collect()
        }
    }
}

/// The stages before one that have to run themselves, with their reasons.
fn causes(opened: &Opened, planned: &[Planned], one: &Planned) -> Vec<String> {
    let before = opened.graph.with_ancestors([one.id]);
    let cause = |other: &Planned| match &other.fate {
        Fate::Run(reason) if before.contains(&other.id) => {
            Some(format!("{} runs because {reason}", opened.graph.stage(other.id).name))
        }
        Fate::Lacks(_) if before.contains(&other.id) => {
            Some(format!("{} lacks its data", opened.graph.stage(other.id).name))
        }
        _ => None,
    };
    planned.iter().filter_map(cause).collect()
}
