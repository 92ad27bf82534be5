//! The store: immutable bytes named by their digest, and per key what was made of it.
//!
//! ```text
//! store/format              the number of the layout
//! store/objects/ab/cdef…    bytes, named by their digest, read-only, never rewritten
//! store/recipes/ab/cdef…    recipes, named by their digest, which is the key
//! store/outcomes/ab/cdef…   outcomes, named by the key, each with a digest of itself
//! store/conflicts/ab/cdef…  other outcomes that a key once gave
//! store/observed/ab/cdef…   what a program said when it last ran, named by the key; unsealed
//! store/quarantine/         bytes that did not match their name
//! store/scratch/            where stages write before anything is published
//! store/locks/              an empty file per key and per stage; a lock dies with its process
//! store/stat.json           remembered digests
//! ```
//!
//! Everything is written beside, flushed, and published by `rename(2)`, so that a name that exists
//! is whole. An outcome is written after all of its objects. Whoever reads bytes hashes them or
//! knows that nobody touched them since they were hashed. It knows nothing of stages or graphs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::canonical::{self, seal, unseal};
use crate::digest::Digest;
use crate::error::Error;
use crate::files::{copy_hashed, entries, make_parent, make_readable, publish, sync_parent};
use crate::kind::Findings;
use crate::recipe::Recipe;
use crate::scratch::{self, Scratch};
use crate::stat::StatCache;

/// The number of the layout described above.
const LAYOUT: &str = "1";
/// The format of an outcome.
const OUTCOME_FORMAT: &str = "pipeline.outcome/1";

/// A file that a stage yielded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFile {
    /// The port it belongs to.
    pub port: String,
    /// The path under the stage's output directory, with `/`.
    pub path: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// What a key yielded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The format of this document.
    pub format: String,
    /// The key.
    pub key: Digest,
    /// The files, sorted by path.
    pub files: Vec<OutputFile>,
    /// What the kind told about its result.
    pub findings: Findings,
}

impl Outcome {
    /// What a key yielded.
    pub fn new(key: Digest, mut files: Vec<OutputFile>, findings: Findings) -> Outcome {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Outcome { format: OUTCOME_FORMAT.to_owned(), key, files, findings }
    }

    /// The digest of what a port holds: of the bytes of a file, or of the list of a directory's
    /// files. `path` is the port's path.
    pub fn port_digest(&self, port: &str, path: &str) -> Option<Digest> {
        let files: Vec<_> = self.files.iter().filter(|file| file.port == port).collect();
        match files.as_slice() {
            [] => None,
            [file] if file.path == path => Some(file.digest),
            files => {
                let list: Vec<_> = files.iter().map(|file| (&file.path, file.digest)).collect();
                Some(Digest::of(&canonical::to_bytes(&list)))
            }
        }
    }
}

/// Why a key has no usable outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Miss {
    /// The key was never published.
    Unknown,
    /// Something that was published is gone.
    Missing(String),
    /// Something does not match its name and was set aside.
    Damaged(String),
}

/// The store of one project.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    stat: StatCache,
}

impl Store {
    /// Opens a store, making it if there is none.
    ///
    /// # Errors
    /// `Corrupt` for a layout of another version; `Io` when it cannot be made.
    pub fn open(root: &Path, paranoid: bool) -> Result<Store, Error> {
        let format = root.join("format");
        match fs::read_to_string(&format) {
            Ok(layout) if layout.trim() == LAYOUT => {}
            Ok(layout) => {
                let (found, root) = (layout.trim(), root.display());
                return Err(Error::Corrupt(format!(
                    "`{root}` has the layout {found:?} and this program reads {LAYOUT:?}; use the \
                     program that wrote it, or remove the directory to compute everything again"
                )));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("read", &format)(error));
            }
            Err(_) => {
                fs::create_dir_all(root).map_err(Error::io("make", root))?;
                publish(&format, LAYOUT.as_bytes(), root).map_err(Error::io("write", &format))?;
            }
        }
        scratch::sweep(&root.join("scratch"));
        let stat = StatCache::open(root.join("stat.json"), paranoid);
        Ok(Store { root: root.to_owned(), stat })
    }

    /// The remembered digests.
    pub fn stat(&self) -> &StatCache {
        &self.stat
    }

    /// The directory of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an object is, whether or not it exists.
    pub fn object(&self, digest: &Digest) -> PathBuf {
        self.place("objects", digest)
    }

    pub(crate) fn place(&self, dir: &str, digest: &Digest) -> PathBuf {
        let hex = digest.to_string();
        self.root.join(dir).join(&hex[..2]).join(&hex[2..])
    }

    /// The recipe of a key, if it is there and matches its name.
    pub fn recipe(&self, key: &Digest) -> Option<Recipe> {
        let bytes = fs::read(self.place("recipes", key)).ok()?;
        if Digest::of(&bytes) != *key {
            return None;
        }
        canonical::from_bytes(&bytes).ok()
    }

    /// The outcome of a key without a look at its objects.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn outcome(&self, key: &Digest) -> Result<Outcome, Miss> {
        let path = self.place("outcomes", key);
        let damaged = || Miss::Damaged(format!("outcome {}", key.short()));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Unknown),
            Err(_) if path.is_dir() => return Err(damaged()),
            Err(error) => return Err(Miss::Missing(format!("outcome {}: {error}", key.short()))),
        };
        unseal(&bytes)
            .filter(|outcome: &Outcome| outcome.key == *key && outcome.format == OUTCOME_FORMAT)
            .ok_or_else(damaged)
    }

    /// The outcome of a key with all of its objects proved: unchanged since they were hashed, or
    /// hashed now. Changes nothing in the store.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn examine(&self, key: &Digest) -> Result<Outcome, Miss> {
        self.flaw(key).map_err(|(miss, _)| miss)
    }

    /// The same; what does not match its name is set aside.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn lookup(&self, key: &Digest) -> Result<Outcome, Miss> {
        self.flaw(key).map_err(|(miss, path)| self.set_aside(miss, &path))
    }

    /// The outcome of a key, or what is wrong with which file.
    fn flaw(&self, key: &Digest) -> Result<Outcome, (Miss, PathBuf)> {
        let outcome = self.outcome(key).map_err(|miss| (miss, self.place("outcomes", key)))?;
        for file in &outcome.files {
            self.examine_object(&file.digest).map_err(|miss| (miss, self.object(&file.digest)))?;
        }
        Ok(outcome)
    }

    /// Proves one object; one that does not match its name is set aside.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn prove(&self, digest: &Digest) -> Result<(), Miss> {
        self.examine_object(digest).map_err(|miss| self.set_aside(miss, &self.object(digest)))
    }

    fn examine_object(&self, digest: &Digest) -> Result<(), Miss> {
        let path = self.object(digest);
        let object = format!("object {}", digest.short());
        match self.stat.digest(&path, &digest.to_string()) {
            Ok((found, _)) if found == *digest => Ok(()),
            Ok(_) => Err(Miss::Damaged(object)),
            Err(_) if path.is_dir() => Err(Miss::Damaged(object)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Miss::Missing(object)),
            // Whether its bytes are good is not known, so that it is not touched.
            Err(error) => Err(Miss::Missing(format!("{object}: {error}"))),
        }
    }

    fn set_aside(&self, miss: Miss, path: &Path) -> Miss {
        if let Miss::Damaged(_) = miss {
            self.quarantine(path);
        }
        miss
    }

    /// Moves what does not match its name out of the way, keeping it for a look. Should two have
    /// the same name, the second has a number behind it.
    fn quarantine(&self, path: &Path) {
        const MAX_OF_ONE_NAME: usize = 100;
        let dir = self.root.join("quarantine");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let numbered = (1..MAX_OF_ONE_NAME).map(|n| dir.join(format!("{name}.{n}")));
        let free = std::iter::once(dir.join(&*name)).chain(numbered).find(|to| !to.exists());
        let moved = fs::create_dir_all(&dir).is_ok()
            && free.is_some_and(|free| fs::rename(path, free).is_ok());
        if !moved {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        }
    }

    /// A new directory for a stage to write in; it vanishes when the value is dropped, or when a
    /// store is opened after the process was killed.
    ///
    /// # Errors
    /// What making a directory gives.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        let dir = self.root.join("scratch");
        Scratch::new(&dir).map_err(Error::io("write in", &dir))
    }

    /// Takes a file of a scratch directory into the store under its digest.
    ///
    /// # Errors
    /// What reading, flushing or moving the file gives.
    pub fn adopt(&self, path: &Path) -> io::Result<(Digest, u64)> {
        if fs::metadata(path)?.nlink() > 1 {
            // Under another name somebody may still write to it: only a copy is the store's own.
            let copy = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
            fs::copy(path, copy.path())?;
            copy.persist(path)?;
        }
        let (digest, size) = Digest::of_file(path)?;
        let object = self.object(&digest);
        // Equal bytes are already there, unless they were tampered with: those are replaced.
        if self.prove(&digest).is_err() {
            make_parent(&object)?;
            let mut permissions = fs::metadata(path)?.permissions();
            permissions.set_readonly(true);
            fs::set_permissions(path, permissions)?;
            File::open(path)?.sync_all()?;
            fs::rename(path, &object)?;
            sync_parent(&object)?;
            self.stat.remember(&object, &digest.to_string(), digest, None);
        }
        Ok((digest, size))
    }

    /// Writes a recipe under its key, unless it is there and whole.
    ///
    /// # Errors
    /// What writing gives.
    pub fn keep_recipe(&self, recipe: &Recipe) -> io::Result<()> {
        let key = recipe.key();
        if self.recipe(&key).is_some() {
            return Ok(());
        }
        let place = self.place("recipes", &key);
        if place.exists() {
            self.quarantine(&place);
        }
        publish(&place, &recipe.bytes(), &self.root)
    }

    /// Publishes an outcome whose objects are all in the store.
    ///
    /// # Errors
    /// What writing gives. `Ok(Some(_))` is a conflict: the key had another outcome before, both
    /// are kept, and the one returned stands, which is the first as long as its objects do.
    pub fn publish(&self, recipe: &Recipe, outcome: &Outcome) -> io::Result<Option<Outcome>> {
        let key = &outcome.key;
        self.keep_recipe(recipe)?;
        let place = self.place("outcomes", key);
        match self.outcome(key) {
            Ok(before) if before == *outcome => Ok(None),
            Ok(before) => {
                let is_usable = self.lookup(key).is_ok();
                let (stands, yields) =
                    if is_usable { (&before, outcome) } else { (outcome, &before) };
                let bytes = seal(yields);
                let name = Digest::of(&bytes).to_string();
                publish(&self.place("conflicts", key).join(name), &bytes, &self.root)?;
                publish(&place, &seal(stands), &self.root)?;
                Ok(Some(stands.clone()))
            }
            Err(_) => publish(&place, &seal(outcome), &self.root).map(|()| None),
        }
    }

    /// Writes an object's bytes to a path, hashing them on the way. Nothing is written when they
    /// do not match their name.
    ///
    /// # Errors
    /// `InvalidData` when the bytes do not match; else what copying gives.
    pub fn restore(&self, digest: &Digest, to: &Path) -> io::Result<()> {
        make_parent(to)?;
        let scratch = Scratch::new(&self.root.join("scratch"))?;
        let mut file = NamedTempFile::new_in(scratch.path())?;
        let found = copy_hashed(&mut File::open(self.object(digest))?, &mut file)?;
        if found != *digest {
            let message = format!("object {} does not match its name", digest.short());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        make_readable(&file)?;
        file.persist(to)?;
        Ok(())
    }

    /// The lock file of a key. It is never removed: a lock on a removed file excludes nobody.
    ///
    /// # Errors
    /// What opening it gives.
    pub fn lock_file(&self, key: &Digest) -> io::Result<File> {
        self.lock_named(&key.short())
    }

    /// The lock file of a stage's output directory.
    pub(crate) fn outputs_lock(&self, stage: &str) -> io::Result<File> {
        self.lock_named(&format!("outputs-{stage}"))
    }

    /// The lock file of the records and the lock, which are read, changed and written.
    ///
    /// # Errors
    /// What opening it gives.
    pub fn records_lock(&self) -> io::Result<File> {
        self.lock_named("records")
    }

    fn lock_named(&self, name: &str) -> io::Result<File> {
        let path = self.root.join("locks").join(name);
        make_parent(&path)?;
        File::options().create(true).append(true).open(path)
    }

    /// Every file under a part of the store with the digest in its name; `None` for a name that
    /// is no digest. Sorted.
    ///
    /// # Errors
    /// What reading the directories gives; a part that does not exist is empty.
    pub fn named(&self, part: &str) -> io::Result<Vec<(PathBuf, Option<Digest>)>> {
        let mut found = Vec::new();
        for dir in entries(&self.root.join(part))? {
            let prefix = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !dir.is_dir() {
                found.push((dir, None));
                continue;
            }
            for path in entries(&dir)? {
                let rest = path.file_name().unwrap_or_default().to_string_lossy();
                let digest = format!("{prefix}{rest}").parse().ok();
                found.push((path, digest));
            }
        }
        Ok(found)
    }
}
