//! `pipeline run`: computes what has changed, records it, writes the lock, launches the service.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use engine::error::{Error, ExitCode};
use engine::graph::StageId;
use engine::lock::Lock;
use engine::outputs;
use engine::record::{Run, RunStage};
use engine::schedule::{self, Job, Report, Status};
use engine::verify::check_lock;
use serde_json::json;

use super::interrupt::Interrupt;
use super::observe::Ending;
use super::{Opened, ended, name_width, observe, open, plan, serve, targets};
use crate::cli::{Global, Run as Args};
use crate::terminal::{Progress, Style, Terminal, seconds};

pub(super) fn run(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let opened = open(global)?;
    let Opened { graph, project, .. } = &opened;
    let named = targets(graph, &args.targets)?;
    let mut selection = graph.with_ancestors(named.iter().copied());
    if args.no_serve {
        selection.retain(|id| !graph.stage(*id).is_service());
    }
    let forced = if args.force { named } else { BTreeSet::new() };
    if args.locked {
        require_lock(&opened, &selection)?;
    }
    if args.dry_run {
        return plan::show(&opened, &selection, &forced, terminal);
    }
    let interrupt = Interrupt::listen(*terminal)?;
    let (started, clock) = (observe::now(), Instant::now());
    let jobs = jobs(args);
    let progress = Progress::new(*terminal, name_width(graph));
    let cancel = interrupt.run(progress.drawn());
    let service = selection.iter().copied().find(|id| graph.stage(*id).is_service());
    let job = Job { project, graph, selection, forced, jobs, cancel, observer: &progress };
    let reports = schedule::run(&job, kept(&opened))?;
    let elapsed = clock.elapsed().as_secs_f64();
    // Records and lock are read, changed and written: one run at a time.
    let records = project.store.records_lock();
    let records = records.map_err(Error::io("open", "the lock of the records"))?;
    records.lock().map_err(Error::io("take", "the lock of the records"))?;
    for report in &reports {
        // Once more, now that no other run is recorded: outputs and lock are those of one run.
        if let Some(outcome) = report.outcome() {
            outputs::materialise(project, &report.stage, outcome)?;
        }
    }
    let ending = Ending { started, elapsed, jobs, is_interrupted: interrupt.has_come() };
    let id = record(&opened, &reports, &ending)?;
    summary(terminal, &opened, &reports, elapsed, id.as_deref());
    let code = if ending.is_interrupted { ExitCode::Interrupted } else { code(&reports) };
    if code != ExitCode::Ok {
        return Ok(code);
    }
    if args.locked {
        require_outputs(&opened, &reports)?;
    } else {
        write_lock(&opened, &reports, terminal)?;
    }
    drop(records);
    match service {
        Some(id) => serve::launch(&opened, id, interrupt, terminal),
        None => Ok(code),
    }
}

/// Where what failed stages wrote is kept.
fn kept(opened: &Opened) -> PathBuf {
    opened.project.outputs.join("failed")
}

fn jobs(args: &Args) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or_else(processors, usize::from)
}

/// Fails unless the lock is what the tree says, for the stages that are to run.
fn require_lock(opened: &Opened, selection: &BTreeSet<StageId>) -> anyhow::Result<()> {
    let Opened { graph, project, .. } = opened;
    let lock = project.lock()?;
    let missing =
        || ended(ExitCode::Drift, "there is no `pipeline.lock`; `pipeline run` writes it");
    let mut findings = check_lock(project, graph, &lock.ok_or_else(missing)?)?;
    // What is about no stage of the pipeline (a stage that only the lock has) is always told.
    findings.retain(|finding| {
        let is_of = |name: &String| selection.iter().any(|id| graph.stage(*id).name == *name);
        finding.stage.as_ref().is_none_or(is_of)
    });
    if findings.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = findings.into_iter().map(|finding| finding.message).collect();
    Err(ended(
        ExitCode::Drift,
        format!(
            "the lock does not hold: {}\nhint: `pipeline run` without `--locked` computes and locks \
             what the tree says now",
            told.join("; ")
        ),
    ))
}

/// Fails unless what was computed is what the lock says, byte for byte.
fn require_outputs(opened: &Opened, reports: &[Report]) -> anyhow::Result<()> {
    let lock = opened.project.lock()?.unwrap_or_default();
    let run = yielded(opened, reports);
    let differs = |stage: &&RunStage| {
        lock.stages.get(&stage.stage) != Some(&engine::lock::LockedStage::from(*stage))
    };
    let wrong: Vec<_> = run.stages.iter().filter(differs).map(|stage| &*stage.stage).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let names = wrong.join(", ");
    Err(ended(
        ExitCode::NotReproducible,
        format!("the recipes are those of the lock, and these stages gave other bytes: {names}"),
    ))
}

fn write_lock(opened: &Opened, reports: &[Report], terminal: &Terminal) -> anyhow::Result<()> {
    let run = yielded(opened, reports);
    let n_stages = opened.graph.stages.iter().filter(|stage| !stage.is_service()).count();
    let lock = match opened.project.lock() {
        Ok(lock) => lock.unwrap_or_default(),
        // A damaged lock is written anew when the run knows all that it should say.
        Err(Error::Drift(_)) if run.stages.len() == n_stages => {
            terminal.warning("`pipeline.lock` was not a lock; it is written anew");
            Lock::default()
        }
        Err(error) => return Err(error.into()),
    };
    let lock = lock.updated(&opened.graph, &run);
    lock.write(&opened.project.lock_path(), &opened.graph)?;
    Ok(())
}

fn yielded(opened: &Opened, reports: &[Report]) -> Run {
    let stage = |report: &Report| {
        let kind = opened.graph.stage(report.id).kind.name();
        Some(RunStage::new(&report.stage, kind, report.outcome()?))
    };
    Run::new(&opened.graph.name, reports.iter().filter_map(stage).collect())
}

/// Records the run, unless it only repeats the one before. Returns the id of the run.
fn record(opened: &Opened, reports: &[Report], ending: &Ending) -> anyhow::Result<Option<String>> {
    let run = yielded(opened, reports);
    let runs = &opened.project.runs;
    let has_worked =
        reports.iter().any(|r| matches!(r.status, Status::Ran(..) | Status::Failed(_)));
    if !has_worked
        && !ending.is_interrupted
        && let Ok(latest) = runs.find("@")
        && latest.run == run
    {
        return Ok(Some(latest.id));
    }
    if run.stages.is_empty() && !has_worked {
        return Ok(None);
    }
    // What was kept of an earlier failure of a stage that now succeeded misleads.
    for stage in &run.stages {
        let _ = std::fs::remove_dir_all(kept(opened).join(&stage.stage));
    }
    let observed = observe::observe(&opened.project.root, ending, reports);
    let id = runs.save(&run, &observed)?;
    runs.remember_keys(&run.stages)?;
    Ok(Some(id))
}

fn summary(
    terminal: &Terminal,
    opened: &Opened,
    reports: &[Report],
    elapsed: f64,
    id: Option<&str>,
) {
    let count = |word: &str| {
        reports.iter().filter(|report| crate::terminal::status(&report.status) == word).count()
    };
    let counted: Vec<_> = ["run", "cached", "failed", "gate", "interrupted", "skipped"]
        .into_iter()
        .map(|word| (word, count(word)))
        .filter(|(word, n)| *n > 0 || ["run", "cached"].contains(word))
        .collect();
    let result = yielded(opened, reports).result();
    if terminal.json {
        let counts: serde_json::Map<_, _> =
            counted.iter().map(|(word, n)| ((*word).to_owned(), (*n).into())).collect();
        terminal.json_line(&json!({
            "schema": "pipeline.event/1", "event": "summary", "stages": reports.len(),
            "counts": counts, "seconds": elapsed, "run": id, "result": result.to_string(),
        }));
        return;
    }
    let parts: Vec<_> = counted.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let line = format!("{} stages: {}, {}", reports.len(), parts.join(", "), seconds(elapsed));
    let nothing = if count("cached") == reports.len() { "; nothing to do" } else { "" };
    terminal.note(&terminal.paint_err(&format!("{line}{nothing}"), Style::Bold));
    if let Some(id) = id {
        terminal.note(&format!("run {id}, result {}", result.short()));
    }
    for report in reports.iter().filter(|report| matches!(report.status, Status::Failed(_))) {
        let kept = kept(opened).join(&report.stage);
        if kept.exists() {
            let kept = kept.strip_prefix(&opened.project.root).unwrap_or(&kept).display();
            terminal.note(&format!("what `{}` wrote is in `{kept}`, for a look", report.stage));
        }
    }
}

fn code(reports: &[Report]) -> ExitCode {
    let failures = reports.iter().filter_map(|report| match &report.status {
        Status::Failed(failure) => Some(failure),
        _ => None,
    });
    let codes = failures.map(|f| if f.is_gate { ExitCode::Drift } else { ExitCode::Failed });
    // A broken stage weighs more than a gate that does not hold.
    let skipped = reports.iter().any(|report| matches!(report.status, Status::Skipped));
    codes.min().unwrap_or(if skipped { ExitCode::Failed } else { ExitCode::Ok })
}
