//! What a process does that `process` starts: one verb on one project, as the product does it.
//!
//! The environment says which (`LAB_DO`), where (`LAB_ROOT`), which stages are forced
//! (`LAB_FORCE`), what is set (`LAB_SET`) and which file operations fail (`LAB_FAULT`). How it went
//! is told in lines that begin with a word, and by the exit code.

#![expect(clippy::print_stdout, reason = "a child tells the test that started it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use engine::error::{Error, ExitCode};
use engine::faults::{self, Fault, Operation};
use engine::gc::{self, Policy};
use engine::graph::Graph;
use engine::lock::Lock;
use engine::outputs;
use engine::plan::{self, Fate};
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::record::{Observed, Run, RunStage};
use engine::schedule::{self, Job, Report, Status};
use engine::spec::{Request, Spec};
use engine::stat::Signature;
use engine::verify::{self, Finding};
use engine::witness::{self, Answer, Question};
use engine::work::log_of;

use crate::process::copied;
use crate::ran::Told;
use crate::toys::TOYS;

/// Does what the environment says.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn child() {
    let Some(root) = std::env::var_os("LAB_ROOT").map(PathBuf::from) else { return };
    let operations = plan_faults();
    let done = work(&root);
    println!("\noperations {}", operations.lock().unwrap().join(" "));
    let code = match done {
        Ok((text, code)) => {
            println!("{text}");
            code
        }
        Err(error) => {
            println!("failed {}", told(&error));
            error.exit_code()
        }
    };
    std::process::exit(code as i32);
}

/// An error on one line.
fn told(error: &Error) -> String {
    let text = match error {
        Error::Config(mistakes) | Error::Absent(mistakes) => mistakes.to_string(),
        _ => error.to_string(),
    };
    text.replace('\n', "; ")
}

/// `LAB_FAULT` is `17:28`: operation 17 fails with error number 28; `17+:28`: all from it on;
/// `17:short`: if it writes, it stops in the middle. Returns what was done, in its order.
fn plan_faults() -> &'static Mutex<Vec<String>> {
    static OPERATIONS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let planned = std::env::var("LAB_FAULT").ok().map(|text| {
        let (at, fault) = text.split_once(':').unwrap();
        let fault = fault.parse().map_or(Fault::Short(3), Fault::Error);
        let first: usize = at.trim_end_matches('+').parse().unwrap();
        (first, at.ends_with('+'), fault)
    });
    faults::inject(Box::new(move |operation, path| {
        let n = {
            let mut operations = OPERATIONS.lock().unwrap();
            operations.push(format!("{operation:?}"));
            operations.len() - 1
        };
        if operation == Operation::Sync {
            println!("\nflushed {}", path.display());
        }
        let (first, is_lasting, fault) = planned?;
        let is_hit = n == first || (is_lasting && n > first);
        if n == first {
            println!("\nhit {operation:?} {}", path.display());
        }
        is_hit.then_some(fault)
    }));
    &OPERATIONS
}

/// What was told, and how the process is to end.
type Done = Result<(String, ExitCode), Error>;

fn work(root: &Path) -> Done {
    match std::env::var("LAB_DO").as_deref().unwrap_or("run") {
        "run" => run(root).map(|ran| ran.told()),
        "recall" => recall(root),
        "verify" => look(root),
        "rebuild" => rebuild(root),
        "gc" => collect(root),
        verb => panic!("no child can {verb}"),
    }
}

fn environment() -> Vec<(String, String)> {
    vec![("PATH".to_owned(), std::env::var("PATH").unwrap())]
}

fn open(root: &Path, is_paranoid: bool) -> Result<(Spec, Graph, Project), Error> {
    let set = std::env::var("LAB_SET").into_iter().collect();
    let environment = environment();
    let request = Request { root: root.to_owned(), set, environment, ..Request::default() };
    let (spec, graph) = project::load(&request, TOYS)?;
    let project = Project::open(root, Path::new(OUTPUTS_DIR), is_paranoid)?;
    Ok((spec, graph, project.with_environment(&request.environment)))
}

/// A run that came to its end.
struct Ran {
    spec: Spec,
    graph: Graph,
    project: Project,
    reports: Vec<Report>,
    run: Run,
    warnings: Vec<String>,
}

impl Ran {
    fn told(&self) -> (String, ExitCode) {
        let mut told = format!("result {}", self.run.result());
        let mut code = ExitCode::Ok;
        for warning in &self.warnings {
            write!(told, "\nwarning {}", warning.replace('\n', "; ")).unwrap();
        }
        for report in &self.reports {
            match &report.status {
                Status::Ran(..) => write!(told, "\nran {}", report.stage).unwrap(),
                Status::Failed(failure) => {
                    code = ExitCode::Failed;
                    let why = failure.message.replace('\n', "; ");
                    write!(told, "\nfailed `{}`: {why}", report.stage).unwrap();
                }
                Status::Cached(_) => {}
                Status::Skipped(_) => code = ExitCode::Failed,
            }
            if let Some(said) = &report.output {
                let lines: Vec<_> = said.lines().collect();
                write!(told, "\nsaid {} {}", report.stage, lines.join("; ")).unwrap();
            }
        }
        (told, code)
    }
}

fn run(root: &Path) -> Result<Ran, Error> {
    let (spec, graph, project) = open(root, false)?;
    let observer = Told::default();
    let names = std::env::var("LAB_FORCE").unwrap_or_default();
    let named = names.split_whitespace().flat_map(|name| graph.named(name).unwrap());
    let job = Job {
        project: &project,
        graph: &graph,
        selection: graph.ids().collect(),
        forced: named.collect(),
        jobs: std::env::var("LAB_JOBS").map_or(1, |jobs| jobs.parse().unwrap()),
        keep_going: false,
        materialise: true,
        cancel: &AtomicBool::new(false),
        observer: &observer,
    };
    let reports = schedule::run(&job, project.outputs.join("failed"))?;
    let run = record(&project, &graph, &reports)?;
    let warnings = observer.warnings.into_inner().unwrap();
    Ok(Ran { spec, graph, project, reports, run, warnings })
}

fn record(project: &Project, graph: &Graph, reports: &[Report]) -> Result<Run, Error> {
    let records = project.store.records_lock().map_err(Error::io("open", "a lock"))?;
    records.take().map_err(Error::io("take", "a lock"))?;
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
    let is_new = project.runs.find("@").map_or(true, |latest| latest.run != run);
    let has_worked =
        reports.iter().any(|r| matches!(r.status, Status::Ran(..) | Status::Failed(_)));
    for stage in run.stages.iter().filter(|_| is_new || has_worked) {
        // What was kept of an earlier failure misleads.
        let kept = project.outputs.join("failed").join(&stage.stage);
        let _ = std::fs::remove_dir_all(&kept);
        let _ = std::fs::remove_file(log_of(&kept));
    }
    if is_new && !run.stages.is_empty() {
        let started = "2026-11-23T10:00:00Z".to_owned();
        project.runs.save(&run, &Observed { started, ..Observed::default() }, &project.store)?;
    }
    project.runs.remember_keys(&run.stages, &project.store)?;
    if reports.iter().all(|report| report.outcome().is_some()) {
        let before = Lock::read(&project.lock_path())?.unwrap_or_default();
        before.updated(graph, &run).write(&project.lock_path(), graph, &project.store)?;
    }
    project.store.flush()?;
    Ok(run)
}

/// Says that nothing has changed, or runs and remembers what it looked at.
fn recall(root: &Path) -> Done {
    let question = Question {
        root: root.to_owned(),
        program: Signature::of(Path::new("/proc/self/exe")).map_err(Error::io("read", "itself"))?,
        asked: vec!["all".to_owned()],
        environment: environment().into_iter().collect(),
    };
    if let Some(answer) = witness::recall(&question, false) {
        let mut told = format!("result {}\nrecalled", answer.result);
        for (stage, said) in &answer.told {
            let lines: Vec<_> = said.lines().collect();
            write!(told, "\nsaid {stage} {}", lines.join("; ")).unwrap();
        }
        return Ok((told, ExitCode::Ok));
    }
    let ran = run(root)?;
    let (told, code) = ran.told();
    if code == ExitCode::Ok {
        let Ran { spec, graph, project, reports, run, .. } = &ran;
        let said = |report: &Report| Some((report.stage.clone(), report.output.clone()?));
        let answer = Answer {
            n_stages: reports.len(),
            run: project.runs.find("@").ok().map(|recorded| recorded.id),
            result: run.result(),
            told: reports.iter().filter_map(said).collect(),
        };
        witness::remember(&question, project, graph, &spec.sources, reports, answer);
    }
    Ok((told, code))
}

/// Tells every finding with its exit code.
fn look(root: &Path) -> Done {
    let (_, graph, project) = open(root, true)?;
    let (findings, _) = verify::verify(&project, &graph)?;
    tell(root, &findings)
}

fn tell(root: &Path, findings: &[Finding]) -> Done {
    if !findings.is_empty() {
        // The product warns and goes on; here it must not go unseen.
        witness::forget(root)?;
    }
    let lines = findings.iter().map(|f| format!("finding {} {}", f.code, f.message));
    let told: Vec<_> = lines.map(|line| line.replace('\n', "; ")).collect();
    Ok((told.join("\n"), ExitCode::Ok))
}

/// Computes everything again in another directory and compares the bytes.
fn rebuild(root: &Path) -> Done {
    let (_, graph, project) = open(root, true)?;
    let (mut findings, _) = verify::verify(&project, &graph)?;
    let selection = graph.ids().collect();
    let planned = plan::plan(&project, &graph, &selection, &BTreeSet::new())?;
    let mut known = Vec::new();
    for one in &planned {
        let stage = graph.stage(one.id);
        match &one.fate {
            Fate::Cached(outcome) => {
                known.push(RunStage::new(&stage.name, stage.kind.name(), outcome));
            }
            _ => findings.push(Finding {
                code: ExitCode::Missing as u8,
                stage: Some(stage.name.clone()),
                message: format!("stage `{}` has no outcome to compare with", stage.name),
                hint: String::new(),
            }),
        }
    }
    let expected = Run::new(&graph.name, known);
    let place = project.store.scratch()?;
    for part in ["stages", "data", "bin"] {
        if root.join(part).exists() {
            copied(&root.join(part), &place.path().join(part));
        }
    }
    std::fs::copy(root.join("pipeline.toml"), place.path().join("pipeline.toml")).unwrap();
    let rebuilt = run(place.path())?;
    if let (text, ExitCode::Failed) = rebuilt.told() {
        return Ok((text, ExitCode::Failed));
    }
    findings.extend(verify::compare_rebuild(&expected, &rebuilt.run));
    tell(root, &findings)
}

/// Removes what neither the newest run nor the lock needs.
fn collect(root: &Path) -> Done {
    let (_, graph, project) = open(root, false)?;
    let policy = Policy { keep_last: Some(1), ..Policy::default() };
    let freed = gc::collect(&project, &graph, policy, SystemTime::now())?;
    let counts =
        [freed.runs.len(), freed.outputs.len(), freed.outcomes, freed.recipes, freed.objects];
    let mut told = format!("freed {counts:?} and {} set aside", freed.quarantined);
    for refused in &freed.refused {
        write!(told, "\nrefused {refused}").unwrap();
    }
    Ok((told, ExitCode::Ok))
}
