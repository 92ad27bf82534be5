//! A project in a throw-away directory, and what a run of it did.
//!
//! `Lab` writes the files, runs the project as the product does (load, schedule, record, lock) and
//! hands back what happened. It asserts nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use engine::absent::Absent;
use engine::build::Kinds;
use engine::digest::Digest;
use engine::error::{Error, Mistakes};
use engine::graph::{Graph, StageId};
use engine::lock::Lock;
use engine::plan::{self, Fate};
use engine::project::{self, OUTPUTS_DIR, Project};
use engine::record::{Observed, Run, RunStage};
use engine::schedule::{self, Job, Report};
use engine::spec::Request;
use engine::verify::{self, Finding};
use tempfile::TempDir;

pub(crate) use crate::harm::{flip, make_executable, make_pipe, make_writable, tamper};
use crate::ran::{Ran, Told};
use crate::toys::TOYS;

/// A project that is being written and run.
pub(crate) struct Lab {
    dir: TempDir,
    stages: Vec<String>,
    data: Vec<String>,
    more: String,
    pub(crate) jobs: usize,
    pub(crate) keep_going: bool,
    pub(crate) kinds: Kinds,
    pub(crate) request: Request,
    pub(crate) cancel: AtomicBool,
    n_runs: AtomicUsize,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let dir = room();
        fs::create_dir_all(dir.path().join("stages")).unwrap();
        fs::create_dir_all(dir.path().join("data")).unwrap();
        let path = std::env::var("PATH").unwrap();
        let environment = vec![("PATH".to_owned(), path)];
        let request = Request { root: dir.path().to_owned(), environment, ..Request::default() };
        let lab = Lab {
            dir,
            stages: Vec::new(),
            data: Vec::new(),
            more: String::new(),
            jobs: 2,
            keep_going: false,
            kinds: TOYS,
            request,
            cancel: AtomicBool::new(false),
            n_runs: AtomicUsize::new(0),
        };
        lab.write_pipeline();
        lab
    }

    /// `a` and `b` joined by `both`, which `size` counts.
    pub(crate) fn diamond() -> Lab {
        Lab::new()
            .stage("a", "kind = \"text\"\nparams.text = \"one\"")
            .stage("b", "kind = \"text\"\nparams.text = \"two\"")
            .stage("both", "kind = \"concat\"\ninputs.from = [\"a.out\", \"b.out\"]")
            .stage("size", "kind = \"count\"\ninputs.from = \"both.out\"")
    }

    /// Writes a stage file and lists the stage behind the others, if it is new.
    pub(crate) fn stage(mut self, name: &str, text: &str) -> Lab {
        if !self.stages.iter().any(|other| other == name) {
            self.stages.push(name.to_owned());
        }
        self.write(&format!("stages/{name}.toml"), text);
        self.write_pipeline();
        self
    }

    /// Writes `data/NAME.txt`, known as `data.NAME`.
    pub(crate) fn data(mut self, name: &str, text: &str) -> Lab {
        if !self.data.iter().any(|other| other == name) {
            self.data.push(name.to_owned());
        }
        self.write(&format!("data/{name}.txt"), text);
        self.write_pipeline();
        self
    }

    /// Adds lines at the end of `pipeline.toml`.
    pub(crate) fn more(mut self, text: &str) -> Lab {
        self.more.push_str(text);
        self.write_pipeline();
        self
    }

    /// Takes a stage out of the pipeline.
    pub(crate) fn without(mut self, name: &str) -> Lab {
        self.stages.retain(|other| other != name);
        fs::remove_file(self.path(&format!("stages/{name}.toml"))).unwrap();
        self.write_pipeline();
        self
    }

    /// Gives a stage another name at the same place of the list; references to it stay.
    pub(crate) fn renamed(mut self, old: &str, new: &str) -> Lab {
        for name in self.stages.iter_mut().filter(|name| *name == old) {
            new.clone_into(name);
        }
        let (old, new) = (format!("stages/{old}.toml"), format!("stages/{new}.toml"));
        fs::rename(self.path(&old), self.path(&new)).unwrap();
        self.write_pipeline();
        self
    }

    pub(crate) fn with_jobs(mut self, jobs: usize) -> Lab {
        self.jobs = jobs;
        self
    }

    fn write_pipeline(&self) {
        let mut text = format!("name = \"lab\"\nseed = 7\nstages = {:?}\n", self.stages);
        if !self.data.is_empty() {
            text.push_str("[data]\n");
        }
        for name in &self.data {
            text.push_str(&format!("{name} = \"data/{name}.txt\"\n"));
        }
        self.write("pipeline.toml", &format!("{text}{}", self.more));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.request.root.join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.request.root
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a piece of a file that must be in it.
    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "no {old:?} in {name}");
        self.write(name, &text.replace(old, new));
    }

    /// Moves the project to another directory below its own temporary one.
    pub(crate) fn moved(mut self) -> Lab {
        let to = room();
        let root = to.path().join("elsewhere");
        fs::rename(self.root(), &root).unwrap();
        self.request.root = root;
        self.dir = to;
        self
    }

    pub(crate) fn load(&self) -> Result<Graph, Error> {
        project::load(&self.request, self.kinds).map(|(_, graph)| graph)
    }

    /// Every mistake as `file:line: message; hint`.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        match self.load() {
            Err(Error::Config(mistakes)) => tell(&mistakes),
            _ => Vec::new(),
        }
    }

    /// What these stages read and does not exist, as `file:line: message`.
    pub(crate) fn absent(&self, targets: &[&str]) -> Vec<String> {
        let (spec, graph) = project::load(&self.request, self.kinds).unwrap();
        match Absent::look(spec, &graph).require(&graph, selected(&graph, targets)) {
            Err(Error::Absent(mistakes)) => tell(&mistakes),
            _ => Vec::new(),
        }
    }

    pub(crate) fn project(&self) -> Project {
        let project = Project::open(self.root(), Path::new(OUTPUTS_DIR), false).unwrap();
        project.with_environment(&self.request.environment)
    }

    pub(crate) fn run(&self) -> Ran {
        self.run_of(&[], &[])
    }

    pub(crate) fn force(&self, forced: &[&str]) -> Ran {
        self.run_of(&[], forced)
    }

    /// Runs targets (all without one) and what they rest on, as the product's `run` does.
    pub(crate) fn run_of(&self, targets: &[&str], forced: &[&str]) -> Ran {
        self.run_with(self.load().unwrap(), targets, forced)
    }

    /// Runs a graph that was loaded before.
    pub(crate) fn run_graph(&self, graph: Graph) -> Ran {
        self.run_with(graph, &[], &[])
    }

    fn run_with(&self, graph: Graph, targets: &[&str], forced: &[&str]) -> Ran {
        self.try_run_with(graph, targets, forced).unwrap()
    }

    /// A run of everything that may not even begin.
    pub(crate) fn try_run(&self) -> Result<Ran, Error> {
        self.try_run_with(self.load()?, &[], &[])
    }

    fn try_run_with(&self, graph: Graph, targets: &[&str], forced: &[&str]) -> Result<Ran, Error> {
        self.run_selected(&self.project(), &graph, targets, forced)
    }

    /// Runs everything in a project that was opened before.
    pub(crate) fn run_on(&self, project: &Project, graph: &Graph) -> Ran {
        self.run_selected(project, graph, &[], &[]).unwrap()
    }

    fn run_selected(
        &self,
        project: &Project,
        graph: &Graph,
        targets: &[&str],
        forced: &[&str],
    ) -> Result<Ran, Error> {
        let selection = selected(graph, targets);
        let forced = forced.iter().flat_map(|name| graph.named(name).unwrap()).collect();
        let told = Told::default();
        let job = Job {
            project,
            graph,
            selection,
            forced,
            jobs: self.jobs,
            keep_going: self.keep_going,
            materialise: true,
            cancel: &self.cancel,
            observer: &told,
        };
        let reports = schedule::run(&job, self.path("outputs/failed"))?;
        let run = self.record(project, graph, &reports);
        let Told { warnings, started, .. } = told;
        let warnings = warnings.into_inner().unwrap();
        Ok(Ran { reports, run, warnings, started: started.into_inner().unwrap() })
    }

    fn record(&self, project: &Project, graph: &Graph, reports: &[Report]) -> Run {
        let stage = |report: &Report| {
            let kind = graph.stage(report.id).kind.name();
            Some(RunStage::new(&report.stage, kind, report.outcome()?))
        };
        let run = Run::new(&graph.name, reports.iter().filter_map(stage).collect());
        let second = self.n_runs.fetch_add(1, Ordering::SeqCst);
        let started = format!("2026-11-23T10:{:02}:{:02}Z", second / 60, second % 60);
        let store = &project.store;
        project.runs.save(&run, &Observed { started, ..Observed::default() }, store).unwrap();
        project.runs.remember_keys(&run.stages, store).unwrap();
        let before = Lock::read(&project.lock_path()).ok().flatten().unwrap_or_default();
        before.updated(graph, &run).write(&project.lock_path(), graph, store).unwrap();
        run
    }

    /// What a run would do, as `a cached`, `b run: why`, `c waits for b`.
    pub(crate) fn plan(&self) -> Vec<String> {
        let graph = self.load().unwrap();
        let project = self.project();
        let selection = selected(&graph, &[]);
        let planned = plan::plan(&project, &graph, &selection, &BTreeSet::new()).unwrap();
        let told = planned.iter().map(|planned| {
            let name = &graph.stage(planned.id).name;
            match &planned.fate {
                Fate::Cached(_) => format!("{name} cached"),
                Fate::Run(reason) => format!("{name} run: {reason}"),
                Fate::Waits(ids) => {
                    let names: Vec<_> = ids.iter().map(|id| &*graph.stage(*id).name).collect();
                    format!("{name} waits for {}", names.join(", "))
                }
                Fate::Lacks(paths) => {
                    let paths: Vec<_> =
                        paths.iter().map(|path| path.display().to_string()).collect();
                    format!("{name} lacks {}", paths.join(", "))
                }
                Fate::Blocked(why) => format!("{name} blocked: {why}"),
                Fate::Launch => format!("{name} launch"),
            }
        });
        told.collect()
    }

    pub(crate) fn verify(&self) -> Vec<Finding> {
        verify::verify(&self.project(), &self.load().unwrap()).unwrap().0
    }

    /// Asserts that nothing is wrong.
    #[track_caller]
    pub(crate) fn verify_clean(&self) {
        assert_eq!(self.verify(), []);
    }

    /// The objects of a stage in the newest run.
    pub(crate) fn objects(&self, stage: &str) -> Vec<PathBuf> {
        let project = self.project();
        let run = project.runs.find("@").unwrap().run;
        let stage = run.stages.into_iter().find(|other| other.stage == stage).unwrap();
        stage.files.iter().map(|file| project.store.object(&file.digest)).collect()
    }

    /// The key of a stage in the newest run.
    pub(crate) fn key(&self, stage: &str) -> Digest {
        let run = self.project().runs.find("@").unwrap().run;
        run.stages.iter().find(|other| other.stage == stage).unwrap().key
    }

    /// A document of the store: `recipes` or `outcomes`.
    pub(crate) fn document(&self, part: &str, key: &Digest) -> PathBuf {
        let hex = key.to_string();
        self.path("outputs/store").join(part).join(&hex[..2]).join(&hex[2..])
    }

    /// Every path of the project with its size and times, to see that nothing was written.
    pub(crate) fn listing(&self) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![self.root().to_owned()];
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                found.insert(path.clone(), (metadata.len(), metadata.modified().unwrap()));
                if metadata.is_dir() {
                    waiting.push(path);
                }
            }
        }
        found
    }
}

/// A temporary directory, in memory where that can be had: everything published is flushed to disk,
/// and for these tests that would be nine tenths of the time.
fn room() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn tell(mistakes: &Mistakes) -> Vec<String> {
    let told = mistakes.diagnostics.iter().map(|diagnostic| {
        let place = diagnostic.place.as_ref().map(|place| mistakes.sources.locate(place));
        let place = place.map_or(String::new(), |place| format!("{place}: "));
        let hints: String = diagnostic.hints.iter().map(|hint| format!("; {hint}")).collect();
        format!("{place}{}{hints}", diagnostic.message)
    });
    told.collect()
}

fn selected(graph: &Graph, targets: &[&str]) -> BTreeSet<StageId> {
    match targets {
        [] => graph.ids().collect(),
        names => graph.with_ancestors(names.iter().flat_map(|name| graph.named(name).unwrap())),
    }
}
