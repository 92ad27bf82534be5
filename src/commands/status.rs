//! `pipeline status`: what is not up to date. Changes nothing.

use std::collections::BTreeSet;

use engine::error::ExitCode;
use engine::outputs;
use engine::plan::{self, Fate, Planned};
use engine::verify::check_lock;
use serde_json::json;

use super::{Opened, name_width, open};
use crate::cli::{Global, Status as Args};
use crate::terminal::Terminal;

pub(super) fn status(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let (graph, project) = (&opened.graph, &opened.project);
    let selection = graph.ids().filter(|id| !graph.stage(*id).is_service()).collect();
    let mut planned = plan::plan(project, graph, &selection, &BTreeSet::new())?;
    let n_stages = planned.len();
    let stale: Vec<_> = planned.iter().flat_map(|one| stale(&opened, one)).collect();
    planned.retain(|one| !matches!(one.fate, Fate::Cached(_)));
    let is_blocked = planned.iter().any(|one| matches!(one.fate, Fate::Blocked(_)));
    let lacks_data = planned.iter().any(|one| matches!(one.fate, Fate::Lacks(_)));
    let drift: Vec<_> = match project.lock()? {
        Some(_) if lacks_data => vec!["not compared: there is data that does not exist".to_owned()],
        Some(_) if is_blocked => vec!["not compared: a stage lacks what it needs".to_owned()],
        Some(lock) => {
            check_lock(project, graph, &lock)?.into_iter().map(|finding| finding.message).collect()
        }
        None => vec!["there is no `pipeline.lock`".to_owned()],
    };
    if terminal.json {
        let stages: Vec<_> = planned.iter().map(|one| super::plan::as_json(graph, one)).collect();
        let document = json!({
            "schema": "pipeline.status/1", "stages": stages, "outputs": stale, "lock": drift,
        });
        terminal.json_line(&document);
    } else if planned.is_empty() && stale.is_empty() && drift.is_empty() {
        terminal.out(&format!("{n_stages} stages are up to date, and the lock says so"));
    } else {
        let width = name_width(graph);
        planned
            .iter()
            .for_each(|one| terminal.out(&super::plan::line(graph, one, width, terminal)));
        for path in &stale {
            terminal.out(&format!("outputs/{path} is not what its stage yielded"));
        }
        drift.iter().for_each(|message| terminal.out(&format!("lock: {message}")));
    }
    let is_dirty = !(planned.is_empty() && stale.is_empty() && drift.is_empty());
    Ok(if args.exit_code && is_dirty { ExitCode::Drift } else { ExitCode::Ok })
}

/// The outputs of a stage that were removed or edited since it yielded them.
fn stale(opened: &Opened, one: &Planned) -> Vec<String> {
    let Fate::Cached(outcome) = &one.fate else { return Vec::new() };
    let name = &opened.graph.stage(one.id).name;
    let stale = outputs::stale(&opened.project, name, outcome);
    stale.iter().map(|path| path.display().to_string()).collect()
}
