//! The engine without the product: small kinds that run inside the process.
//!
//! What `pipeline run` does is done here with the engine alone: ask whether anything changed, load,
//! schedule, record, lock, remember. So
//! the engine's own share of the cost is seen, without programs that are started and without the
//! tables, models and HTTP that the product brings along.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use engine::build::Kinds;
use engine::digest::Digest;
use engine::error::Error;
use engine::kind::{Arity, Context, DIRECTORY, FILE, Input, Kind, Output};
use engine::outputs;
use engine::params::{Param, Type};
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::record::{Observed, Run, RunStage};
use engine::schedule::{self, Event, Job, Observer, Report, Status};
use engine::spec::Request;
use engine::stat::Signature;
use engine::witness::{self, Answer, Question};
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
    vec![Input {
        name: "in".into(),
        types: &["line", FILE, DIRECTORY],
        arity: Arity::One,
        doc: "what is read",
    }]
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

/// What a run is told.
struct Args {
    root: PathBuf,
    is_paranoid: bool,
    jobs: usize,
}

impl Args {
    fn read(args: &[String]) -> anyhow::Result<Args> {
        let (mut root, mut is_paranoid, mut jobs) = (None, false, crate::processors());
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--paranoid" => is_paranoid = true,
                "--jobs" => jobs = args.next().context("no number of jobs")?.parse()?,
                path => root = Some(PathBuf::from(path)),
            }
        }
        Ok(Args { root: root.context("no project given")?, is_paranoid, jobs })
    }
}

/// Brings the project in a directory up to date; `true` when no stage failed.
pub(crate) fn main(args: &[String]) -> anyhow::Result<bool> {
    let Args { root, is_paranoid, jobs } = Args::read(args)?;
    let program = Signature::of(&std::env::current_exe()?)?;
    let question = Question {
        root: root.clone(),
        program,
        asked: Vec::new(),
        environment: Default::default(),
    };
    if let Some(answer) = witness::recall(&question, is_paranoid) {
        tell(answer.n_stages, 0);
        return Ok(true);
    }
    let request = Request { root: root.clone(), ..Request::default() };
    let (spec, graph) = project::load(&request, KINDS).map_err(told)?;
    let project = Project::open(&root, Path::new(OUTPUTS_DIR), is_paranoid)?;
    let job = Job {
        project: &project,
        graph: &graph,
        selection: graph.ids().collect(),
        forced: BTreeSet::new(),
        jobs,
        keep_going: false,
        materialise: true,
        cancel: &AtomicBool::new(false),
        observer: &Failures,
    };
    let reports = schedule::run(&job, project.outputs.join("failed"))?;
    let records = project.store.records_lock()?;
    records.take()?;
    for report in &reports {
        if let Some(outcome) = report.outcome() {
            outputs::materialise(&project, &report.stage, outcome)?;
        }
    }
    let (run, id) = record(&job, &reports)?;
    let before = project.lock()?.unwrap_or_default();
    before.updated(&graph, &run).write(&project.lock_path(), &graph, &project.store)?;
    project.store.flush()?;
    let is_whole = reports.iter().all(|report| report.outcome().is_some());
    if is_whole {
        let answer = Answer {
            n_stages: reports.len(),
            run: Some(id),
            result: run.result(),
            told: Vec::new(),
        };
        witness::remember(&question, &project, &graph, &spec.sources, &reports, answer);
    }
    tell(reports.len(), reports.iter().filter(|r| matches!(r.status, Status::Ran(..))).count());
    Ok(is_whole)
}

/// Says what ran, in the product's words.
#[expect(clippy::print_stdout, reason = "a program of its own, whose output is kept")]
fn tell(n_stages: usize, n_ran: usize) {
    println!("{n_stages} stages: {n_ran} run, {} cached", n_stages - n_ran);
}

/// The mistakes of a project that was written wrongly here.
fn told(error: Error) -> anyhow::Error {
    let Error::Config(mistakes) = error else { return error.into() };
    let told: Vec<_> = mistakes.diagnostics.iter().map(|d| d.message.clone()).collect();
    anyhow!(told.join("; "))
}

/// Records the run as the product does, unless it only repeats the one before.
fn record(job: &Job<'_>, reports: &[Report]) -> anyhow::Result<(Run, String)> {
    let Job { project, graph, .. } = job;
    let stage = |report: &Report| {
        let kind = graph.stage(report.id).kind.name();
        Some(RunStage::new(&report.stage, kind, report.outcome()?))
    };
    let run = Run::new(&graph.name, reports.iter().filter_map(stage).collect());
    let has_run = reports.iter().any(|report| matches!(report.status, Status::Ran(..)));
    if !has_run
        && let Ok(latest) = project.runs.find("@")
        && latest.run == run
    {
        return Ok((run, latest.id));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let observed = Observed { started: format!("{now:020}"), ..Observed::default() };
    let id = project.runs.save(&run, &observed, &project.store)?;
    project.runs.remember_keys(&run.stages, &project.store)?;
    Ok((run, id))
}
