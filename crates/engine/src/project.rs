//! A project on disk: its pipeline, its store, its runs, its lock.
//!
//! Only the paths and what is opened once; what is done with them is the verbs' matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::alias::Aliases;
use crate::build::{self, Kinds};
use crate::canonical;
use crate::data::{self, Data};
use crate::digest::Digest;
use crate::error::{Error, Mistakes};
use crate::graph::{Graph, StageId};
use crate::lock::{self, Lock};
use crate::outputs::HIDDEN_DIR;
use crate::recipe::{self, Done, Recipe, World};
use crate::record::{Recorded, Runs};
use crate::scratch;
use crate::spec::{Request, Spec};
use crate::store::{Outcome, OutputFile, Sighting, Store};
use crate::surroundings::{Outside, Surroundings};

/// The directory that all outputs go to unless another is named.
pub const OUTPUTS_DIR: &str = "outputs";

/// An opened project.
#[derive(Debug)]
pub struct Project {
    /// The directory of `pipeline.toml`.
    pub root: PathBuf,
    /// The directory that everything is written to.
    pub outputs: PathBuf,
    /// The store.
    pub store: Store,
    /// The recorded runs.
    pub runs: Runs,
    /// What is in use under a name.
    pub aliases: Aliases,
    /// The machine that conflicts name.
    host: String,
    /// Where and when outcomes were first seen: by key and by what the files are. Read when asked.
    sightings: OnceLock<BTreeMap<(Digest, Digest), Sighting>>,
    /// Digests of the project's data.
    pub(crate) data: Data,
    /// What the stages may take from outside of the project.
    pub(crate) outside: Outside,
}

/// Reads a project's pipeline.
///
/// # Errors
/// `Config` with every mistake of every file.
pub fn load(request: &Request, kinds: Kinds) -> Result<(Spec, Graph), Error> {
    let (spec, mut diagnostics) = Spec::read(request);
    // Without a pipeline there is nothing whose meaning could be checked.
    let is_readable = spec.merged.get("stages").is_some();
    let (graph, more) = build::build(&spec, kinds);
    if is_readable {
        diagnostics.extend(more);
    }
    if diagnostics.is_empty() {
        return Ok((spec, graph));
    }
    // As they stand in the files; what two steps both noticed is told once.
    diagnostics.sort_by_key(|diagnostic| {
        diagnostic.place.as_ref().map(|place| (place.source, place.span.start))
    });
    diagnostics.dedup();
    Err(Error::Config(Box::new(Mistakes { sources: spec.sources, diagnostics })))
}

impl Project {
    /// Opens a project whose outputs are in `outputs`, relative to its root.
    ///
    /// # Errors
    /// What opening the store gives.
    pub fn open(root: &Path, outputs: &Path, paranoid: bool) -> Result<Project, Error> {
        let outputs = root.join(outputs);
        let store = Store::open(&outputs.join("store"), paranoid)?;
        scratch::sweep(&outputs.join(HIDDEN_DIR), &store.scratch_locks());
        Ok(Project {
            store,
            runs: Runs::new(outputs.join("runs")),
            aliases: Aliases::new(&outputs),
            root: root.to_owned(),
            outputs,
            host: String::new(),
            sightings: OnceLock::new(),
            data: Data::default(),
            outside: Outside::default(),
        })
    }

    /// The same project, with the name of this machine for what is observed.
    pub fn on_host(mut self, host: impl Into<String>) -> Project {
        self.host = host.into();
        self
    }

    /// The same project, its stages given what they declare of these environment variables.
    pub fn with_environment(mut self, variables: &[(String, String)]) -> Project {
        self.outside = Outside::new(variables);
        self
    }

    /// Here and now.
    pub(crate) fn sighting(&self) -> Sighting {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        Sighting { host: self.host.clone(), time }
    }

    /// Where and when an outcome was first seen, as far as the records tell.
    pub(crate) fn sighting_of(&self, outcome: &Outcome) -> Option<Sighting> {
        let name = (outcome.key, digest_of(&outcome.files));
        self.sightings.get_or_init(|| self.sightings()).get(&name).cloned()
    }

    /// Every outcome that the records tell of. There may be many records and many conflicts.
    fn sightings(&self) -> BTreeMap<(Digest, Digest), Sighting> {
        let mut found = BTreeMap::new();
        let dirs = self.runs.list().unwrap_or_default().into_iter();
        for Recorded { run, observed, .. } in dirs.filter_map(|dir| self.runs.read(&dir).ok()) {
            let seen = Sighting { host: observed.host, time: observed.started };
            for stage in run.stages {
                let name = (stage.key, digest_of(&stage.files));
                found.entry(name).or_insert_with(|| seen.clone());
            }
        }
        found
    }

    /// The path of the lock.
    pub fn lock_path(&self) -> PathBuf {
        self.root.join(lock::FILE_NAME)
    }

    /// The lock, or an empty one when there is none.
    ///
    /// # Errors
    /// `Drift` when the file is not a lock.
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        const HINT: &str =
            "take one side of the merge, or remove the file; `pipeline run` writes it";
        Lock::read(&self.lock_path()).map_err(|error| match error {
            Error::Drift(message) => Error::Drift(format!("{}\nhint: {HINT}", message.trim_end())),
            other => other,
        })
    }

    /// The digest of data of the project: of a file, of a directory, of the files of a pattern.
    ///
    /// # Errors
    /// `Missing` when there is nothing; else what reading gives.
    pub fn data_digest(&self, path: &Path) -> Result<Digest, Error> {
        self.data.digest(&self.root, path, self.store.stat())
    }

    /// The recipe of a stage, if all that it rests on is done.
    ///
    /// # Errors
    /// What reading the project's files gives.
    pub fn cook(
        &self,
        graph: &Graph,
        id: StageId,
        done: &[Option<Done>],
    ) -> Result<Option<Recipe>, Error> {
        self.cook_from(graph, id, |id| done[id.0].as_ref())
    }

    /// The same, what is done given by a function.
    pub(crate) fn cook_from<'d>(
        &self,
        graph: &Graph,
        id: StageId,
        done: impl Fn(StageId) -> Option<&'d Done>,
    ) -> Result<Option<Recipe>, Error> {
        recipe::cook(graph, id, done, self)
    }
}

/// What tells the files of one outcome from those of another.
fn digest_of(files: &[OutputFile]) -> Digest {
    Digest::of(&canonical::to_bytes(&files))
}

impl World for Project {
    fn data(&self, path: &Path) -> Result<Digest, Error> {
        self.data_digest(path)
    }

    fn base(&self, path: &Path) -> PathBuf {
        data::base_of(&self.root, path)
    }

    fn tools(&self, surroundings: &Surroundings) -> Result<BTreeMap<String, Digest>, Error> {
        self.outside.digests(&self.root, surroundings, self.store.stat())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.outside.variable(name)
    }
}
