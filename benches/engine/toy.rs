//! The engine without the product: small kinds that run inside the process.
//!
//! What `pipeline run` does is done here with the engine alone: load, schedule, record, lock. So
//! the engine's own share of the cost is seen, without programs that are started and without the
//! tables, models and HTTP that the product brings along.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use engine::build::Kinds;
use engine::digest::Digest;
use engine::kind::{Arity, Context, FILE, Input, Kind, Output};
use engine::outputs;
use engine::params::{Param, Type};
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::record::{Observed, Run, RunStage};
use engine::schedule::{self, Event, Job, Observer, Report, Status};
use engine::spec::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::shape;

/// The word that makes this program run a project of toys.
pub(crate) const TOY: &str = "toy";

static KINDS: Kinds = &[&Step, &Keep];

/// The parameters of both kinds.
#[derive(Deserialize)]
struct Params {
    addend: u64,
}

fn params() -> Type {
    let number = || Type::Int(0, i64::MAX);
    Type::Record(vec![
        Param::new("addend", number(), 0, "what is added"),
        Param::new("note", number(), 0, "changes the recipe and no byte"),
    ])
}

fn input() -> Vec<Input> {
    vec![Input { name: "in", types: &["line", FILE], arity: Arity::One, doc: "what is read" }]
}

fn output() -> Vec<Output> {
    vec![Output::new("out", "line", "out.txt")]
}

/// Computes a number from a number.
struct Step;

impl Kind for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn about(&self) -> &'static str {
        "computes a number from a number"
    }

    fn code(&self) -> Digest {
        Digest::of(b"step 1")
    }

    fn params(&self) -> Type {
        params()
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        input()
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        output()
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let Params { addend } = context.params()?;
        let read = fs::read_to_string(context.input("in"))?.trim().parse()?;
        context.write("out", format!("{}\n", shape::step(read, addend)).as_bytes())
    }
}

/// Reads nothing of what is plugged in: what is left is the cost of knowing it.
struct Keep;

impl Kind for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }

    fn about(&self) -> &'static str {
        "has an input and does not read it"
    }

    fn code(&self) -> Digest {
        Digest::of(b"keep 1")
    }

    fn params(&self) -> Type {
        params()
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        input()
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        output()
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        context.write("out", b"kept\n")
    }
}

/// Tells a failure; a benchmark has nothing else to tell meanwhile.
struct Failures;

impl Observer for Failures {
    #[expect(clippy::print_stderr, reason = "a program of its own, whose output is kept")]
    fn observe(&self, event: Event<'_>) {
        match event {
            Event::Ended(Report { stage, status: Status::Failed(failure), .. }) => {
                eprintln!("{stage}: {}", failure.message);
            }
            Event::Warning(text) => eprintln!("warning: {text}"),
            _ => {}
        }
    }
}

/// Runs the project in a directory; `true` when no stage failed.
#[expect(clippy::print_stdout, reason = "a program of its own, whose output is kept")]
pub(crate) fn main(args: &[String]) -> anyhow::Result<bool> {
    let (mut root, mut is_paranoid, mut jobs) = (None, false, processors());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--paranoid" => is_paranoid = true,
            "--jobs" => jobs = args.next().context("no number of jobs")?.parse()?,
            path => root = Some(Path::new(path)),
        }
    }
    let root = root.context("no project given")?;
    let request = Request { root: root.to_owned(), ..Request::default() };
    let (_, graph) = match project::load(&request, KINDS) {
        Ok(loaded) => loaded,
        Err(engine::error::Error::Config(mistakes)) => {
            let told = mistakes.diagnostics.iter().map(|d| d.message.clone());
            bail!(told.collect::<Vec<_>>().join("; "));
        }
        Err(error) => return Err(error.into()),
    };
    let project = Project::open(root, Path::new(OUTPUTS_DIR), is_paranoid)?;
    let job = Job {
        project: &project,
        graph: &graph,
        selection: graph.ids().collect(),
        forced: BTreeSet::new(),
        jobs,
        cancel: &AtomicBool::new(false),
        observer: &Failures,
    };
    let reports = schedule::run(&job, project.outputs.join("failed"))?;
    record(&job, &reports)?;
    let n_ran = reports.iter().filter(|r| matches!(r.status, Status::Ran(..))).count();
    let n_known = reports.iter().filter(|r| matches!(r.status, Status::Cached(_))).count();
    println!("{} stages: {n_ran} run, {n_known} cached", reports.len());
    Ok(n_ran + n_known == reports.len())
}

/// Writes outputs, record and lock as the product does after a run.
fn record(job: &Job<'_>, reports: &[Report]) -> anyhow::Result<()> {
    let Job { project, graph, .. } = job;
    let records = project.store.records_lock()?;
    records.lock()?;
    for report in reports {
        if let Some(outcome) = report.outcome() {
            outputs::materialise(project, &report.stage, outcome)?;
        }
    }
    let stage = |report: &Report| {
        let kind = graph.stage(report.id).kind.name();
        Some(RunStage::new(&report.stage, kind, report.outcome()?))
    };
    let run = Run::new(&graph.name, reports.iter().filter_map(stage).collect());
    let has_run = reports.iter().any(|report| matches!(report.status, Status::Ran(..)));
    if has_run || !project.runs.find("@").is_ok_and(|latest| latest.run == run) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let observed = Observed { started: format!("{now:020}"), ..Observed::default() };
        project.runs.save(&run, &observed)?;
        project.runs.remember_keys(&run.stages)?;
    }
    let before = project.lock()?.unwrap_or_default();
    before.updated(graph, &run).write(&project.lock_path(), graph)?;
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
