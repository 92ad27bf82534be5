//! `pipeline run`: computes what has changed, records it, writes the lock, launches the service.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use engine::digest::Digest;
use engine::error::{Error, ExitCode};
use engine::exclusion::Lock;
use engine::graph::StageId;
use engine::lock;
use engine::outputs;
use engine::record::{Run, RunStage};
use engine::schedule::{self, Job, Report, Status};
use engine::spec::{Request, Spec};
use engine::sweep::{Point, points as sweep_points};
use engine::turn::Turn;
use engine::verify::check_lock;
use engine::work::log_of;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::observe::Ending;
use super::{
    Opened, alone, ended, name_width, observe, open, plan, recall, request, select, serve, sweep,
};
use crate::cli::{Global, Run as Args};
use crate::terminal::{Progress, Style, Terminal, seconds};

pub(super) fn run(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    if let Some(points) = points(global)? {
        return sweep::sweep(global, args, &points, terminal);
    }
    let clock = Instant::now();
    let question = recall::question(global, args)?;
    let answer = question.as_ref().and_then(|asked| recall::answer(asked, global, clock, terminal));
    if let Some(code) = answer {
        return Ok(code);
    }
    let mut opened = open(global)?;
    let selected = select(&opened.graph, &args.selection)?;
    let mut selection = selected.stages;
    if args.no_serve {
        selection.retain(|id| !opened.graph.stage(*id).is_service());
    }
    let forced = if args.force { selected.named } else { BTreeSet::new() };
    if !args.dry_run {
        opened.require_data(&selection)?;
    }
    if args.locked {
        require_lock(&opened, &selection)?;
    }
    if args.dry_run {
        return plan::show(&opened, &selection, &forced, terminal);
    }
    require_own_lock(&opened, &selection)?;
    let interrupt = Interrupt::listen(*terminal)?;
    let service = selection.iter().copied().find(|id| opened.graph.stage(*id).is_service());
    let computed = compute(&opened, selection, forced, args, true, &interrupt, terminal)?;
    summary(terminal, &opened, &computed);
    let code = computed.code();
    if code != ExitCode::Ok {
        return Ok(code);
    }
    if args.locked {
        require_outputs(&opened, &computed.run)?;
    } else {
        write_lock(&opened, &computed.run, terminal)?;
    }
    opened.project.store.flush()?;
    if let Some(id) = service {
        drop(computed);
        return serve::launch(&opened, id, interrupt, terminal);
    }
    if let Some(question) = &question {
        recall::remember(question, &opened, &computed);
    }
    Ok(code)
}

/// The runs that `--set` stands for, when it stands for several.
fn points(global: &Global) -> anyhow::Result<Option<Vec<Point>>> {
    if global.set.iter().all(|argument| !argument.contains(',')) {
        return Ok(None);
    }
    // How many there may be is written in the pipeline; what is wrong with it is told later.
    let (spec, _) = Spec::read(&Request { set: Vec::new(), ..request(global)? });
    let points = sweep_points(&global.set, spec.max_variants());
    points.map_err(|message| ended(ExitCode::Usage, message))
}

/// What a run yielded.
pub(super) struct Computed {
    pub(super) reports: Vec<Report>,
    /// What is recorded of it.
    pub(super) run: Run,
    /// The result digest.
    pub(super) result: Digest,
    pub(super) ending: Ending,
    /// The id of its record.
    pub(super) id: Option<String>,
    /// Held while records and lock are read, changed and written: one run at a time.
    _records: Lock,
}

impl Computed {
    /// How the process is to end.
    pub(super) fn code(&self) -> ExitCode {
        match self.ending.is_interrupted {
            true => ExitCode::Interrupted,
            false => code(&self.reports),
        }
    }
}

/// Runs the selected stages and records what they yielded. Only where it is asked to, `outputs`
/// is made to be that, and the keys are remembered as those that the stages last had.
pub(super) fn compute(
    opened: &Opened,
    selection: BTreeSet<StageId>,
    forced: BTreeSet<StageId>,
    args: &Args,
    materialise: bool,
    interrupt: &Interrupt,
    terminal: &Terminal,
) -> anyhow::Result<Computed> {
    let Opened { graph, project, .. } = opened;
    let (started, clock) = (observe::now(), Instant::now());
    let jobs = jobs(args);
    // Kinds' own loops run on as many threads; of the points of a sweep, only the first asks.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    let progress = Progress::new(*terminal, name_width(graph));
    let job = Job {
        project,
        graph,
        selection,
        forced,
        jobs,
        keep_going: args.keep_going,
        materialise,
        cancel: interrupt.run(progress.drawn()),
        observer: &progress,
    };
    let turn = materialise.then(|| Turn::begin(&project.store));
    let reports = schedule::run(&job, kept(opened))?;
    let seconds = clock.elapsed().as_secs_f64();
    let records = alone(project)?;
    // Once more, now that no other run is recorded: outputs and lock are to be those of one run.
    if let Some(turn) = turn.filter(|turn| !turn.is_latest()) {
        turn.renew();
        for report in &reports {
            if let Some(outcome) = report.outcome() {
                outputs::materialise(project, &report.stage, outcome)?;
            }
        }
    }
    let ending = Ending { started, seconds, jobs, is_interrupted: interrupt.has_come() };
    let run = yielded(opened, &reports);
    let id = record(opened, &run, &reports, &ending)?;
    if materialise {
        project.runs.remember_keys(&run.stages, &project.store)?;
    }
    let result = run.result();
    Ok(Computed { reports, run, result, ending, id, _records: records })
}

/// Where what failed stages wrote is kept.
fn kept(opened: &Opened) -> PathBuf {
    opened.project.outputs.join("failed")
}

fn jobs(args: &Args) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or_else(processors, usize::from)
}

/// Fails, before any work, when there is a lock that the run could not write.
fn require_own_lock(opened: &Opened, selection: &BTreeSet<StageId>) -> anyhow::Result<()> {
    match opened.project.lock() {
        // Every one of its blocks is written anew.
        Err(Error::Drift(_)) if n_computed(opened, selection) == n_stages(opened) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// How many of these stages yield something.
fn n_computed(opened: &Opened, selection: &BTreeSet<StageId>) -> usize {
    selection.iter().filter(|id| !opened.graph.stage(**id).is_service()).count()
}

/// How many stages have a block in the lock.
fn n_stages(opened: &Opened) -> usize {
    opened.graph.stages.iter().filter(|stage| !stage.is_service()).count()
}

/// Fails unless the lock is what the tree says, for the stages that are to run.
fn require_lock(opened: &Opened, selection: &BTreeSet<StageId>) -> anyhow::Result<()> {
    let Opened { graph, project, .. } = opened;
    let lock = project.lock()?;
    let missing =
        || ended(ExitCode::Drift, "there is no `pipeline.lock`; `pipeline run` writes it");
    let mut findings = check_lock(project, graph, &lock.ok_or_else(missing)?)?;
    // What is about no stage of the pipeline (a stage that only the lock has) is always told.
    let names: BTreeSet<_> = selection.iter().map(|id| graph.stage(*id).name.as_str()).collect();
    let is_of = |name: &String| names.contains(name.as_str());
    findings.retain(|finding| finding.stage.as_ref().is_none_or(is_of));
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
fn require_outputs(opened: &Opened, run: &Run) -> anyhow::Result<()> {
    let locked = opened.project.lock()?.unwrap_or_default();
    let differs = |stage: &&RunStage| {
        locked.stages.get(&stage.stage) != Some(&lock::LockedStage::from(*stage))
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

fn write_lock(opened: &Opened, run: &Run, terminal: &Terminal) -> anyhow::Result<()> {
    let lock = match opened.project.lock() {
        Ok(lock) => lock.unwrap_or_default(),
        // A damaged lock is written anew when the run knows all that it should say.
        Err(Error::Drift(_)) if run.stages.len() == n_stages(opened) => {
            terminal.warning("`pipeline.lock` was not a lock; it is written anew");
            lock::Lock::default()
        }
        Err(error) => return Err(error.into()),
    };
    let lock = lock.updated(&opened.graph, run);
    lock.write(&opened.project.lock_path(), &opened.graph, &opened.project.store)?;
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
fn record(
    opened: &Opened,
    run: &Run,
    reports: &[Report],
    ending: &Ending,
) -> anyhow::Result<Option<String>> {
    let runs = &opened.project.runs;
    let has_worked =
        reports.iter().any(|r| matches!(r.status, Status::Ran(..) | Status::Failed(_)));
    if !has_worked
        && !ending.is_interrupted
        && let Ok(latest) = runs.find("@")
        && latest.run == *run
    {
        return Ok(Some(latest.id));
    }
    if run.stages.is_empty() && !has_worked {
        return Ok(None);
    }
    // What was kept of an earlier failure of a stage that now succeeded misleads.
    for stage in &run.stages {
        let kept = kept(opened).join(&stage.stage);
        let _ = std::fs::remove_dir_all(&kept);
        let _ = std::fs::remove_file(log_of(&kept));
    }
    let observed = observe::observe(&opened.project.root, ending, reports);
    Ok(Some(runs.save(run, &observed, &opened.project.store)?))
}

/// How many stages ended in which way, by the words of records and events.
fn counted(reports: &[Report]) -> Vec<(&'static str, usize)> {
    let count = |word: &str| {
        reports.iter().filter(|report| crate::terminal::status(&report.status) == word).count()
    };
    let words = ["run", "cached", "failed", "gate", "interrupted", "skipped"].into_iter();
    let counted = words.map(|word| (word, count(word)));
    counted.filter(|(word, n)| *n > 0 || ["run", "cached"].contains(word)).collect()
}

/// The last event of a run.
pub(super) fn summary_json(computed: &Computed) -> Value {
    let Computed { reports, result, ending, id, .. } = computed;
    let counts: serde_json::Map<_, _> =
        counted(reports).iter().map(|(word, n)| ((*word).to_owned(), (*n).into())).collect();
    json!({
        "schema": "pipeline.event/1", "event": "summary", "stages": reports.len(),
        "counts": counts, "seconds": ending.seconds, "run": id, "result": result.to_string(),
    })
}

pub(super) fn summary(terminal: &Terminal, opened: &Opened, computed: &Computed) {
    if terminal.json {
        terminal.json_line(&summary_json(computed));
        return;
    }
    let Computed { reports, result, ending, id, .. } = computed;
    let counted = counted(reports);
    let parts: Vec<_> = counted.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let line =
        format!("{} stages: {}, {}", reports.len(), parts.join(", "), seconds(ending.seconds));
    let is_done = counted.contains(&("cached", reports.len()));
    let nothing = if is_done { "; nothing to do" } else { "" };
    terminal.note(&terminal.paint_err(&format!("{line}{nothing}"), Style::Bold));
    if let Some(id) = id {
        terminal.note(&format!("run {id}, result {}", result.short()));
    }
    for report in reports.iter().filter(|report| matches!(report.status, Status::Failed(_))) {
        let kept = kept(opened).join(&report.stage);
        let log = log_of(&kept);
        if kept.exists() {
            let kept = kept.strip_prefix(&opened.project.root).unwrap_or(&kept).display();
            terminal.note(&format!("what `{}` wrote is in `{kept}`, for a look", report.stage));
        }
        if log.exists() {
            let log = log.strip_prefix(&opened.project.root).unwrap_or(&log).display();
            terminal.note(&format!("what `{}` said is in `{log}`", report.stage));
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
    let skipped = reports.iter().any(|report| matches!(report.status, Status::Skipped(_)));
    codes.min().unwrap_or(if skipped { ExitCode::Failed } else { ExitCode::Ok })
}
