//! A real process that runs a project, to be killed, to be hurt, or to have company.
//!
//! The test binary starts itself again: the ignored test `child` does what the environment says and
//! tells how it went in a few lines. It runs a project as the product does.

#![expect(clippy::print_stdout, reason = "a child tells the test that started it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use engine::error::Error;
use engine::faults::{self, Fault};
use engine::graph::Graph;
use engine::lock::Lock;
use engine::outputs;
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::record::{Observed, Run, RunStage};
use engine::schedule::{self, Job, Report, Status};
use engine::spec::Request;

use crate::lab::Lab;
use crate::ran::Told;
use crate::toys::TOYS;

/// A child that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a child is to do.
pub(crate) struct Orders {
    command: Command,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none when it was killed.
    pub(crate) code: Option<i32>,
    /// All that it printed.
    pub(crate) text: String,
}

impl Orders {
    pub(crate) fn run(root: &Path) -> Orders {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::child", "--ignored", "--nocapture", "--quiet"]);
        command.env("LAB_ROOT", root).env("LAB_JOBS", "2").env_remove("RUST_BACKTRACE");
        Orders { command }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Orders {
        self.command.env(name, value);
        self
    }

    /// The same, started by a shell that did something before: the command is its arguments.
    pub(crate) fn by_shell(self, script: &str) -> Orders {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Orders { command }
    }

    pub(crate) fn start(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for the end, for a while.
    pub(crate) fn end(self) -> Ended {
        end(self.start())
    }

    /// Sends SIGKILL after a while; returns whether that was in time.
    pub(crate) fn kill_after(mut self, pause: Duration) -> bool {
        let child = self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        std::thread::sleep(pause);
        child.kill().unwrap();
        child.wait().unwrap().code().is_none()
    }
}

/// Waits for the end of a child, which prints little.
pub(crate) fn end(mut child: Child) -> Ended {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("a child hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let texts = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    Ended { code: output.status.code(), text: texts.concat() }
}

impl Ended {
    /// What stands behind a word at the beginning of a line.
    pub(crate) fn told(&self, word: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    /// The result digest of a run that went well.
    #[track_caller]
    pub(crate) fn result(&self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.told("result").unwrap().to_owned()
    }
}

/// Runs the project that the environment names.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn child() {
    let Some(root) = std::env::var_os("LAB_ROOT").map(PathBuf::from) else { return };
    let operations = plan_faults();
    let ran = run(&root);
    println!("\noperations {}", operations.lock().unwrap().join(" "));
    let code = match ran {
        Ok(text) => {
            println!("{text}");
            0
        }
        Err(text) => {
            println!("failed {text}");
            1
        }
    };
    std::process::exit(code);
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
        let (first, is_lasting, fault) = planned?;
        let is_hit = n == first || (is_lasting && n > first);
        if n == first {
            println!("\nhit {operation:?} {}", path.display());
        }
        is_hit.then_some(fault)
    }));
    &OPERATIONS
}

fn run(root: &Path) -> Result<String, String> {
    let tell = |error: Error| error.to_string().replace('\n', "; ");
    let set = std::env::var("LAB_SET").into_iter().collect();
    let request = Request { root: root.to_owned(), set, ..Request::default() };
    let (_, graph) = project::load(&request, TOYS).map_err(|error| match &error {
        Error::Config(mistakes) => {
            let texts: Vec<_> = mistakes.diagnostics.iter().map(|d| d.message.as_str()).collect();
            texts.join("; ")
        }
        _ => tell(error),
    })?;
    let project = Project::open(root, Path::new(OUTPUTS_DIR), false).map_err(tell)?;
    let (reports, run) = compute(&project, &graph).map_err(tell)?;
    let mut told = format!("result {}", run.result());
    let mut failures = Vec::new();
    for report in &reports {
        match &report.status {
            Status::Ran(..) => write!(told, "\nran {}", report.stage).unwrap(),
            Status::Failed(failure) => {
                failures.push(format!("`{}`: {failure:?}", report.stage).replace('\n', "; "));
            }
            _ => {}
        }
    }
    if failures.is_empty() { Ok(told) } else { Err(failures.join("; ")) }
}

fn compute(project: &Project, graph: &Graph) -> Result<(Vec<Report>, Run), Error> {
    let in_use = project.store.use_lock().map_err(Error::io("open", "the lock of the store"))?;
    in_use.share().map_err(Error::io("take", "the lock of the store"))?;
    let told = Told::default();
    let job = Job {
        project,
        graph,
        selection: graph.ids().collect(),
        forced: Default::default(),
        jobs: std::env::var("LAB_JOBS").map_or(1, |jobs| jobs.parse().unwrap()),
        keep_going: false,
        materialise: true,
        cancel: &AtomicBool::new(false),
        observer: &told,
    };
    let reports = schedule::run(&job, project.outputs.join("failed"))?;
    let records = project.store.records_lock().map_err(Error::io("open", "a lock"))?;
    records.take().map_err(Error::io("take", "a lock"))?;
    for report in &reports {
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
    if is_new && !run.stages.is_empty() {
        let started = "2026-11-23T10:00:00Z".to_owned();
        project.runs.save(&run, &Observed { started, ..Observed::default() }, &project.store)?;
    }
    project.runs.remember_keys(&run.stages, &project.store)?;
    let before = Lock::read(&project.lock_path())?.unwrap_or_default();
    before.updated(graph, &run).write(&project.lock_path(), graph, &project.store)?;
    project.store.flush()?;
    Ok((reports, run))
}

/// Everything below a directory that is not a directory, relative to it.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        // What vanishes meanwhile belongs to a process that is at work.
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => waiting.push(entry.path()),
                false => found.push(entry.path().strip_prefix(dir).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

/// The parts of `outputs` that are no stage's.
pub(crate) const OWN_PARTS: [&str; 4] = ["store", "runs", "failed", ".scratch"];

/// The files that people see, with their bytes.
pub(crate) fn visible(lab: &Lab) -> Vec<(PathBuf, Vec<u8>)> {
    let outputs = lab.path("outputs");
    let is_stages = |path: &PathBuf| !OWN_PARTS.iter().any(|part| path.starts_with(part));
    let files = files_below(&outputs).into_iter().filter(is_stages);
    files.map(|path| (path.clone(), std::fs::read(outputs.join(path)).unwrap())).collect()
}

/// Asserts that nothing is left of what is only there while a process works.
#[track_caller]
pub(crate) fn nothing_is_left(lab: &Lab, story: &str) {
    let is_rest = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(".tmp")
            || path.starts_with("outputs/store/scratch")
            || path.starts_with("outputs/.scratch")
    };
    let rest: Vec<_> = files_below(lab.root()).into_iter().filter(is_rest).collect();
    assert!(rest.is_empty(), "{story}: {rest:?}");
    let rooms: Vec<_> =
        std::fs::read_dir(lab.path("outputs/store/scratch")).into_iter().flatten().collect();
    assert!(rooms.is_empty(), "{story}: {rooms:?}");
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let digest = engine::digest::Digest::of(&self.0.to_le_bytes());
        u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap()) % bound
    }
}

/// A graph of four to nine stages that take a few milliseconds each.
pub(crate) fn random_lab(dice: &mut Dice) -> Lab {
    let mut lab = Lab::new();
    for i in 0..4 + dice.below(6) {
        let n_reads = if i == 0 { 0 } else { dice.below(3) };
        let reads: std::collections::BTreeSet<_> = (0..n_reads).map(|_| dice.below(i)).collect();
        let reads: Vec<_> = reads.iter().map(|read| format!("s{read}.out")).collect();
        let params = format!("params.text = \"text {i}\"\nparams.ms = {}", dice.below(5));
        let text = match reads.is_empty() {
            true => format!("kind = \"dig\"\n{params}"),
            false => format!("kind = \"forge\"\n{params}\ninputs.from = {reads:?}"),
        };
        lab = lab.stage(&format!("s{i}"), &text);
    }
    lab
}

/// A number that the environment sets, to look longer than every time.
pub(crate) fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}
