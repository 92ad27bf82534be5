//! Aliases: names under which something that a run yielded is in use, each with all its history.
//!
//! ```text
//! outputs/aliases/champion.json   what it stood for and when, sealed
//! outputs/aliases/champion/       a copy of what it stands for now, read-only
//! ```
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
    /// What people call it.
    pub version: String,
    /// The files, their paths below the directory of the alias.
    pub files: Vec<OutputFile>,
}

impl Default for Alias {
    fn default() -> Alias {
        Alias { format: FORMAT.to_owned(), events: Vec::new() }
    }
}

impl Alias {
    /// What it stands for, newest last: what a rollback would go back to is before it.
    pub fn stack(&self) -> Vec<&Promoted> {
        let mut stack = Vec::new();
        for event in &self.events {
            match &event.promoted {
                Some(promoted) => stack.push(promoted),
                None => drop(stack.pop()),
            }
        }
        stack
    }

    /// What it stands for now.
    pub fn current(&self) -> Option<&Promoted> {
        self.stack().pop()
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

    /// Where the copy is of what an alias stands for.
    pub fn copy(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn document(&self, name: &str) -> PathBuf {
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
    prove(project, &current)?;
    project.aliases.write(name, &alias, &project.store)?;
    lay(project, name, &current)?;
    project.store.settle()?;
    Ok(current)
}

/// Makes the copy of an alias hold what it stands for.
///
/// # Errors
/// `Missing` when it stands for nothing; else as `add`.
pub fn refresh(project: &Project, name: &str) -> Result<PathBuf, Error> {
    let alias = project.aliases.read(name)?;
    let nothing = || {
        let message = format!("no `{name}` was ever promoted; `pipeline promote` does");
        Error::Missing(message)
    };
    let current = alias.as_ref().and_then(Alias::current).ok_or_else(nothing)?;
    lay(project, name, current)?;
    Ok(project.aliases.copy(name))
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

fn lay(project: &Project, name: &str, promoted: &Promoted) -> Result<(), Error> {
    outputs::materialise(project, &place(name), &as_outcome(promoted))
}

/// The place of a copy below `outputs/`.
pub(crate) fn place(name: &str) -> String {
    format!("{ALIASES_DIR}/{name}")
}

/// What is promoted, as if a stage had yielded it in the directory of the alias.
pub(crate) fn as_outcome(promoted: &Promoted) -> Outcome {
    Outcome::new(promoted.key, promoted.files.clone(), Findings::default())
}
