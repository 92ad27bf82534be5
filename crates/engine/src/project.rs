//! A project on disk: its pipeline, its store, its runs, its lock.
//!
//! Only the paths and what is opened once; what is done with them is the verbs' matter.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::build::{self, Kinds};
use crate::digest::Digest;
use crate::error::{Error, Mistakes};
use crate::graph::{Graph, StageId};
use crate::lock::{self, Lock};
use crate::recipe::{self, Done, Recipe};
use crate::record::Runs;
use crate::spec::{Request, Spec};
use crate::stat::Signature;
use crate::store::{Sighting, Store};

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
    /// The machine that conflicts name.
    host: String,
    /// Digests of the project's files, each hashed once per process, with what the file system
    /// said of the file before it was hashed.
    data: Mutex<BTreeMap<PathBuf, (Digest, Signature)>>,
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

/// Whether what a stage reads of the project is there.
pub(crate) fn has_data(root: &Path, path: &Path) -> bool {
    root.join(path).exists()
}

impl Project {
    /// Opens a project whose outputs are in `outputs`, relative to its root.
    ///
    /// # Errors
    /// What opening the store gives.
    pub fn open(root: &Path, outputs: &Path, paranoid: bool) -> Result<Project, Error> {
        let outputs = root.join(outputs);
        Ok(Project {
            store: Store::open(&outputs.join("store"), paranoid)?,
            runs: Runs::new(outputs.join("runs")),
            root: root.to_owned(),
            outputs,
            host: String::new(),
            data: Mutex::default(),
        })
    }

    /// The same project, with the name of this machine for what is observed.
    pub fn on_host(mut self, host: impl Into<String>) -> Project {
        self.host = host.into();
        self
    }

    /// Here and now.
    pub(crate) fn sighting(&self) -> Sighting {
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Sighting { host: self.host.clone(), time }
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

    /// The digest of a file of the project.
    ///
    /// # Errors
    /// `Missing` when there is no such file; else what reading gives.
    pub fn data_digest(&self, path: &Path) -> Result<Digest, Error> {
        let mut known = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((digest, _)) = known.get(path) {
            return Ok(*digest);
        }
        let full = self.root.join(path);
        let name = format!("data:{}", path.display());
        let stat = self.store.stat();
        let hashed =
            || -> io::Result<_> { Ok((Signature::of(&full)?, stat.digest(&full, &name)?.0)) };
        match hashed() {
            Ok((signature, digest)) => {
                known.insert(path.to_owned(), (digest, signature));
                Ok(digest)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Missing(format!("`{}` does not exist", path.display())))
            }
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Whether a file of the project is still the one that `data_digest` hashed: the same stage
    /// run on other bytes than its recipe says would be served as that recipe's outcome for ever.
    pub(crate) fn is_as_hashed(&self, path: &Path) -> bool {
        let known = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = known.get(path).map(|(_, signature)| *signature);
        signature.is_some() && signature == Signature::of(&self.root.join(path)).ok()
    }

    /// Every file of the project that was hashed, as a path relative to its root, and what is known
    /// of it: `None` when one of them had changed so lately that its signature proves nothing.
    pub(crate) fn data_seen(&self) -> Option<Vec<(String, Option<Digest>, Signature)>> {
        let known = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = known.iter().map(|(path, (digest, signature))| {
            let path = path.to_str()?;
            let remembered = self.store.stat().remembered(&format!("data:{path}"), digest)?;
            (remembered == *signature).then(|| (path.to_owned(), Some(*digest), *signature))
        });
        seen.collect()
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
        recipe::cook(graph, id, done, |path| self.data_digest(path))
    }
}
