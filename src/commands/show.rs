//! `pipeline show RUN`: everything about a run.

use std::collections::BTreeMap;

use engine::canonical;
use engine::error::ExitCode;
use engine::record::{Recorded, RunStage};
use engine::store::Store;

use super::{log, open};
use crate::cli::{Global, Show as Args};
use crate::terminal::{Style, Table, Terminal, seconds};

pub(super) fn show(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let recorded = opened.project.runs.find(&args.run)?;
    if terminal.json {
        let recipe = |stage: &RunStage| {
            Some((stage.stage.clone(), opened.project.store.recipe(&stage.key)?))
        };
        let recipes: BTreeMap<_, _> = recorded.run.stages.iter().filter_map(recipe).collect();
        let mut document = log::as_json(&recorded);
        document["recipes"] = serde_json::to_value(recipes)?;
        terminal.json_line(&document);
        return Ok(ExitCode::Ok);
    }
    heading(&recorded, terminal);
    for stage in &recorded.run.stages {
        terminal.out("");
        show_stage(stage, &recorded, &opened.project.store, terminal);
    }
    for (name, stage) in &recorded.observed.stages {
        if let Some(error) = &stage.error {
            terminal.out("");
            terminal.out(&format!("{name}  {}: {error}", stage.status));
        }
    }
    Ok(ExitCode::Ok)
}

fn heading(recorded: &Recorded, terminal: &Terminal) {
    let observed = &recorded.observed;
    terminal.out(&terminal.paint(&format!("run {}", recorded.id), Style::Bold));
    let dirty = match observed.git_dirty {
        Some(true) => ", with changes that are not committed",
        _ => "",
    };
    let commit = observed.git_commit.as_deref().unwrap_or("none");
    let lines = [
        ("pipeline", recorded.run.pipeline.clone()),
        ("result", recorded.run.result().to_string()),
        ("status", observed.status.clone()),
        ("started", observed.started.clone()),
        ("took", seconds(observed.seconds)),
        ("host", format!("{}, {} at once", observed.host, observed.jobs)),
        ("commit", format!("{commit}{dirty}")),
        ("command", format!("pipeline {}", observed.command.join(" "))),
        ("version", observed.version.clone()),
    ];
    lines.iter().for_each(|(name, value)| terminal.out(&format!("{name:<9} {value}")));
}

fn show_stage(stage: &RunStage, recorded: &Recorded, store: &Store, terminal: &Terminal) {
    let observed = recorded.observed.stages.get(&stage.stage).cloned().unwrap_or_default();
    let why = observed.reason.map_or(String::new(), |reason| format!(" because {reason}"));
    let name = terminal.paint(&stage.stage, Style::Bold);
    terminal.out(&format!("{name}  {}  {}{why}", stage.kind, observed.status));
    terminal.out(&format!("  key     {}", stage.key.short()));
    if let Some(recipe) = store.recipe(&stage.key) {
        terminal.out(&format!("  code    {}", recipe.code.short()));
        for (port, ingredients) in &recipe.inputs {
            for ingredient in ingredients {
                let name = ingredient.name.as_ref().map_or(String::new(), |n| format!("[{n}]"));
                terminal.out(&format!("  input   {port}{name}  {}", ingredient.digest.short()));
            }
        }
        for (name, value) in recipe.params.as_object().into_iter().flatten() {
            terminal.out(&format!("  param   {name} = {}", canonical::show(value)));
        }
    }
    for file in &stage.files {
        let (path, digest, size) = (&file.path, file.digest.short(), file.size);
        terminal.out(&format!("  output  {path}  {digest}  {size} bytes"));
    }
    if !stage.metrics.is_empty() {
        let mut table = Table::new(["metric", "value"]);
        for (name, metric) in &stage.metrics {
            table.row([name.clone(), metric.value.to_string()]);
        }
        table.lines().iter().for_each(|line| terminal.out(&format!("  {line}")));
    }
}
