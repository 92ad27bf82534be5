//! Aliases: names under which something that a run yielded is in use, each with all its history.
//!
//! ```text
//! outputs/aliases/champion.json        what it stood for and when, sealed
//! outputs/aliases/champion/VERSION/    copies of what it stands for now and of what it stood for
//!                                      before, read-only
//! ```
//!
//! Whoever uses something goes by the document and keeps its own copy under its feet until it has
//! taken up the next: that is why the one before stays, too.
//!
//! Events are only ever added: a promotion puts something on top, and what a rollback takes off is
//! still told. Whatever an alias ever stood for is kept by a collection, so that every rollback can
//! be done. The document is written before the copy: a copy that is behind it is mended by the next
//! that lays it out. It knows nothing of models or packages.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::kind::Findings;
use crate::outputs;
use crate::project::Project;
use crate::reader::is_name;
use crate::store::{Miss, Outcome, OutputFile, Sighting, Store};

/// How many versions are laid out.
const N_COPIES: usize = 2;

/// The directory below `outputs/`.
pub const ALIASES_DIR: &str = "aliases";
/// The format of an alias.
const FORMAT: &str = "pipeline.alias/1";
/// How the file of an alias ends.
const EXTENSION: &str = "json";

/// A name and all that it ever stood for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The format of this document.
    pub format: String,
    /// What happened, oldest first.
    pub events: Vec<Event>,
}

/// A promotion or a rollback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What it stands for from then on; nothing for a rollback to what it stood for before.
    pub promoted: Option<Promoted>,
    /// Where and when.
    pub seen: Sighting,
    /// Why, if that was said.
    pub reason: Option<String>,
    /// Whether it was done although something spoke against it.
    pub is_forced: bool,
}

/// What an alias stands for: what one port of a stage yielded in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promoted {
    /// The id of the run.
    pub run: String,
    /// The stage.
    pub stage: String,
    /// Its key.
    pub key: Digest,
    /// What people call it; the directory of its copy.
    pub version: String,
    /// The files, their paths below that directory.
    pub files: Vec<OutputFile>,
}

impl Default for Alias {
    fn default() -> Alias {
        Alias { format: FORMAT.to_owned(), events: Vec::new() }
    }
}

impl Alias {
    /// What it stood for after each event, newest last; nothing where nothing was left.
    fn currents(&self) -> Vec<Option<&Promoted>> {
        // A rollback goes back to what was promoted before what it takes off.
        let mut stack = Vec::new();
        let mut currents = Vec::new();
        for event in &self.events {
            match &event.promoted {
                Some(promoted) => stack.push(promoted),
                None => drop(stack.pop()),
            }
            currents.push(stack.last().copied());
        }
        currents
    }

    /// What it stands for now.
    pub fn current(&self) -> Option<&Promoted> {
        self.currents().pop().flatten()
    }

    /// All that it ever stood for.
    pub fn ever(&self) -> impl Iterator<Item = &Promoted> {
        self.events.iter().filter_map(|event| event.promoted.as_ref())
    }
}

/// All aliases of a project.
#[derive(Clone, Debug)]
pub struct Aliases {
    dir: PathBuf,
}

impl Aliases {
    /// The aliases kept below `outputs`, where there need not be any.
    pub fn new(outputs: &Path) -> Aliases {
        Aliases { dir: outputs.join(ALIASES_DIR) }
    }

    /// The names of all, sorted.
    ///
    /// # Errors
    /// What reading the directory gives.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let found = files::entries(&self.dir).map_err(Error::io("read", &self.dir))?;
        let files = found.iter().filter(|path| path.extension().is_some_and(|e| e == EXTENSION));
        let names = files.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
        Ok(names.filter(|name| is_name(name)).collect())
    }

    /// An alias; `None` when nothing was ever promoted under that name.
    ///
    /// # Errors
    /// `Corrupt` when its document is not what was written; else what reading gives.
    pub fn read(&self, name: &str) -> Result<Option<Alias>, Error> {
        let path = self.document(name);
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let alias = canonical::unseal(&bytes).filter(|alias: &Alias| alias.format == FORMAT);
        let damaged = || {
            let path = path.display();
            Error::Corrupt(format!(
                "`{path}` is damaged, or of another format: what `{name}` stands for is not known; \
                 remove it and promote again"
            ))
        };
        alias.map(Some).ok_or_else(damaged)
    }

    /// Where the copy is of something that an alias stands for.
    pub fn copy(&self, name: &str, promoted: &Promoted) -> PathBuf {
        self.dir.join(name).join(&promoted.version)
    }

    /// The directory of all copies of an alias.
    pub(crate) fn copies(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The file that tells what an alias stands for: it is replaced when that changes.
    pub fn document(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{EXTENSION}"))
    }

    fn write(&self, name: &str, alias: &Alias, store: &Store) -> Result<(), Error> {
        files::make_dirs(&self.dir).map_err(Error::io("make", &self.dir))?;
        let path = self.document(name);
        store.write(&path, &canonical::seal(alias)).map_err(Error::io("write", path))
    }
}

/// Adds an event and lays out what the alias stands for then. To be called while nobody else writes
/// records.
///
/// # Errors
/// `Missing` when the name cannot be one, when a rollback finds nothing to go back to, or when
/// bytes are gone; `Corrupt` when they are not what they were; else what writing gives. Nothing
/// changes then.
pub fn add(project: &Project, name: &str, event: Event) -> Result<Promoted, Error> {
    if !is_name(name) {
        return Err(Error::Missing(format!(
            "`{name}` can be no alias: letters, digits, `_` and `-`, the first no `-`"
        )));
    }
    let mut alias = project.aliases.read(name)?.unwrap_or_default();
    alias.events.push(event);
    let nothing = || {
        let message = format!("`{name}` has stood for nothing else: there is no way back");
        Error::Missing(message)
    };
    let current = alias.current().cloned().ok_or_else(nothing)?;
    if !is_name(&current.version) {
        let version = &current.version;
        return Err(Error::Missing(format!("`{version}` can be no name of a directory")));
    }
    prove(project, &current)?;
    // The copy first: whoever sees the new document finds what it names.
    lay(project, name, &alias)?;
    project.store.flush()?;
    project.aliases.write(name, &alias, &project.store)?;
    project.store.settle()?;
    Ok(current)
}

/// Makes the copies of an alias hold what it stands for; returns where that is.
///
/// # Errors
/// `Missing` when it stands for nothing; else as `add`.
pub fn refresh(project: &Project, name: &str) -> Result<PathBuf, Error> {
    let alias = project.aliases.read(name)?.unwrap_or_default();
    let nothing = || {
        let message = format!("no `{name}` was ever promoted; `pipeline promote` does");
        Error::Missing(message)
    };
    let current = alias.current().ok_or_else(nothing)?;
    prove(project, current)?;
    lay(project, name, &alias)?;
    Ok(project.aliases.copy(name, current))
}

/// Every byte is there and what it was.
fn prove(project: &Project, promoted: &Promoted) -> Result<(), Error> {
    for file in &promoted.files {
        let Err(miss) = project.store.prove(&file.digest) else { continue };
        let Promoted { run, stage, .. } = promoted;
        let of = format!("`{}` of stage `{stage}` in run {run}", file.path);
        const HINT: &str = "compute that run again, or choose another";
        return Err(match miss {
            Miss::Damaged(what) => Error::Corrupt(format!("{of} is damaged ({what}); {HINT}")),
            Miss::Unknown | Miss::Missing(_) => Error::Missing(format!("{of} is gone; {HINT}")),
        });
    }
    Ok(())
}

fn lay(project: &Project, name: &str, alias: &Alias) -> Result<(), Error> {
    outputs::materialise(project, &format!("{ALIASES_DIR}/{name}"), &laid(project, alias))
}

/// What is to be in the directory of an alias, as if a stage had yielded it: what it stands for,
/// and what it stood for a moment ago, before a promotion or a rollback. The latter is only there
/// as far as the store still has it.
pub(crate) fn laid(project: &Project, alias: &Alias) -> Outcome {
    let is_there = |promoted: &Promoted| {
        promoted.files.iter().all(|file| files::may_exist(&project.store.object(&file.digest)))
    };
    let mut versions: Vec<&Promoted> = Vec::new();
    for (age, promoted) in alias.currents().into_iter().flatten().rev().enumerate() {
        let is_new = versions.iter().all(|one| one.version != promoted.version);
        if versions.len() < N_COPIES && is_new && (age == 0 || is_there(promoted)) {
            versions.push(promoted);
        }
    }
    let place = |promoted: &Promoted, file: &OutputFile| OutputFile {
        path: format!("{}/{}", promoted.version, file.path),
        ..file.clone()
    };
    let of_version =
        |one: &&Promoted| -> Vec<_> { one.files.iter().map(|file| place(one, file)).collect() };
    let key = alias.current().map_or_else(|| Digest::of(b""), |current| current.key);
    let files = versions.iter().flat_map(of_version).collect();
    Outcome::new(key, files, Findings::default())
}
