//! `pipeline promote`: puts the package of a run into use under a name, if its gates hold.

use anyhow::Context;
use engine::alias::{self, Alias, Event, Promoted};
use engine::error::ExitCode;
use engine::record::{Recorded, RunStage};
use engine::store::{OutputFile, Sighting, Store};
use serde_json::json;

use super::{Opened, alone, ended, observe, open};
use crate::cli::{Global, Promote as Args};
use crate::ml::evaluation::written::Written;
use crate::ml::package::MANIFEST;
use crate::terminal::{Style, Terminal};

/// The kind whose stages yield packages, and their port.
const PACKAGE: &str = "package";
/// The kind whose stages judge gates, and the port that tells of them.
const EVALUATE: (&str, &str) = ("evaluate", "metrics");

pub(super) fn promote(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let _alone = alone(&opened.project)?;
    let recorded = opened.project.runs.find(&args.run)?;
    let promoted = package(&recorded, args.stage.as_deref())?;
    let against = against(&recorded, &opened.project.store)?;
    if against.is_empty() {
        if args.force {
            terminal.warning("`--force` was not needed: all gates hold");
        }
    } else if !args.force {
        let against = against.join("\n  ");
        return Err(ended(
            ExitCode::Drift,
            format!(
                "the package of run {} is not good enough:\n  {against}\nhint: `--force --reason \
                 TEXT` promotes it all the same, and the reason is kept",
                recorded.id
            ),
        ));
    }
    let before = opened.project.aliases.read(&args.alias)?;
    let before = before.as_ref().and_then(Alias::current).cloned();
    let is_same = |before: &Promoted| before.files == promoted.files;
    if before.as_ref().is_some_and(is_same) {
        alias::refresh(&opened.project, &args.alias)?;
        terminal.note(&format!("`{}` is model {} already", args.alias, promoted.version));
    } else {
        let is_forced = !against.is_empty();
        let event = Event {
            promoted: Some(promoted.clone()),
            seen: seen(),
            reason: args.reason.clone(),
            is_forced,
        };
        alias::add(&opened.project, &args.alias, event)?;
    }
    tell(&opened, &args.alias, &promoted, before.as_ref(), terminal);
    Ok(ExitCode::Ok)
}

/// Here and now.
pub(super) fn seen() -> Sighting {
    Sighting { host: observe::host(), time: observe::now() }
}

/// Says what an alias is now and what it was.
pub(super) fn tell(
    opened: &Opened,
    name: &str,
    now: &Promoted,
    before: Option<&Promoted>,
    terminal: &Terminal,
) {
    let copy = opened.project.aliases.copy(name, now);
    let copy = copy.strip_prefix(&opened.project.root).unwrap_or(&copy).display();
    if terminal.json {
        terminal.json_line(&json!({
            "schema": "pipeline.alias/1", "alias": name, "model_version": now.version,
            "run": now.run, "before": before.map(|before| &before.version),
            "directory": copy.to_string(),
        }));
        return;
    }
    let line = format!("{name}: model {} of run {}", now.version, now.run);
    terminal.out(&terminal.paint(&line, Style::Good));
    if let Some(before) = before.filter(|before| before.version != now.version) {
        terminal.note(&format!("before: model {} of run {}", before.version, before.run));
    }
    terminal.note(&format!(
        "`pipeline serve --alias {name}` serves it, from `{copy}`; one that runs takes it up by \
         itself"
    ));
}

/// The package that a run yielded.
fn package(recorded: &Recorded, named: Option<&str>) -> anyhow::Result<Promoted> {
    let id = &recorded.id;
    let is_meant =
        |stage: &&RunStage| stage.kind == PACKAGE && named.is_none_or(|name| name == stage.stage);
    let found: Vec<_> = recorded.run.stages.iter().filter(is_meant).collect();
    let stage = match found.as_slice() {
        [stage] => *stage,
        [] => {
            let which = named.map_or(String::new(), |name| format!(" in a stage `{name}`"));
            let status = &recorded.observed.status;
            return Err(ended(
                ExitCode::Missing,
                format!("run {id}, which ended `{status}`, made no package{which}"),
            ));
        }
        several => {
            let names: Vec<_> = several.iter().map(|stage| format!("`{}`", stage.stage)).collect();
            return Err(ended(
                ExitCode::Usage,
                format!(
                    "run {id} made several packages: say which by `--stage`, {}",
                    names.join(", ")
                ),
            ));
        }
    };
    let below = |file: &OutputFile| {
        let (_, path) = file.path.split_once('/')?;
        Some(OutputFile { path: path.to_owned(), ..file.clone() })
    };
    let files: Vec<_> = stage.files.iter().filter_map(below).collect();
    let manifest = files.iter().find(|file| file.path == MANIFEST);
    let manifest =
        manifest.with_context(|| format!("run {id} made a package without `{MANIFEST}`"))?;
    Ok(Promoted {
        run: id.clone(),
        stage: stage.stage.clone(),
        key: stage.key,
        version: manifest.digest.short(),
        files,
    })
}

/// What speaks against what a run made: gates that do not hold, or that there is none.
fn against(recorded: &Recorded, store: &Store) -> anyhow::Result<Vec<String>> {
    let mut n_gates = 0;
    let mut against = Vec::new();
    let (kind, port) = EVALUATE;
    for stage in recorded.run.stages.iter().filter(|stage| stage.kind == kind) {
        for file in stage.files.iter().filter(|file| file.port == port) {
            let path = store.object(&file.digest);
            store.prove(&file.digest).ok().with_context(|| {
                format!("`{}` of stage `{}` is damaged or gone", file.path, stage.stage)
            })?;
            let written = Written::from_bytes(&std::fs::read(path)?)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("`{}` of stage `{}`", file.path, stage.stage))?;
            n_gates += written.gates().len();
            let broken = written.gates().iter().filter(|gate| !gate.holds);
            against
                .extend(broken.map(|gate| format!("gate of `{}`: {}", stage.stage, gate.told())));
        }
    }
    if n_gates == 0 {
        against.push("no stage of the run has a gate that says what is good enough".to_owned());
    }
    Ok(against)
}
