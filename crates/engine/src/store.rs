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
//! store/scratch/            one directory per process, where everything is written before it is
//!                           published
//! store/locks/              empty files, on which locks are taken that die with their process:
//!                           `keys` `outputs` `records` `scratch` `stat` `use`; and `turn`, the
//!                           mark of a run
//! store/stat                remembered digests
//! store/witness             what the last run looked at
//! ```
//!
//! Everything is written in scratch and published by `rename(2)`, so that a name that exists is
//! whole. An outcome is written after all of its objects. Whoever reads bytes hashes them or knows
//! that nobody touched them since they were hashed; nothing is remembered as hashed before it was
//! flushed, so that what a power cut leaves half written is found. This file finds and proves, and
//! `publish` writes. It knows nothing of stages or graphs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};

use crate::canonical::{self, unseal};
use crate::digest::Digest;
use crate::error::Error;
use crate::exclusion::Lock;
use crate::files::{self, Entry, entries};
use crate::outcome::OUTCOME_FORMAT;
pub use crate::outcome::{Conflict, Miss, Outcome, OutputFile, Sighted, Sighting};
use crate::recipe::Recipe;
use crate::scratch::{self, Scratch};
use crate::stat::StatCache;

/// The number of the layout described above.
pub(crate) const LAYOUT: &str = "1";

/// The store of one project.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    stat: StatCache,
    /// Where this process writes; made when it first does.
    pub(crate) room: OnceLock<Scratch>,
    /// What keeps others from removing what this process relies on.
    in_use: OnceLock<Lock>,
    /// Whether something was written that is not flushed.
    pub(crate) is_dirty: AtomicBool,
    /// Where else something was written that is not flushed: per other file system a directory.
    pub(crate) elsewhere: Mutex<BTreeMap<u64, PathBuf>>,
    /// Whether the file system has refused to share blocks.
    pub(crate) cannot_reflink: AtomicBool,
}

impl Store {
    /// Opens a store. One that is not there is empty, and made when something is written to it: a
    /// question about a pipeline changes nothing.
    ///
    /// # Errors
    /// `Corrupt` for a layout of another version; `Io` when it cannot be read.
    pub fn open(root: &Path, paranoid: bool) -> Result<Store, Error> {
        let format = root.join("format");
        match files::read_text(&format) {
            Ok(layout) if layout.trim() == LAYOUT => {}
            Ok(layout) => {
                let (found, root) = (layout.trim(), root.display());
                return Err(Error::Corrupt(format!(
                    "`{root}` has the layout {found:?} and this program reads {LAYOUT:?}; use the \
                     program that wrote it, or remove the directory to compute everything again"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &format)(error)),
        }
        let store = Store {
            root: root.to_owned(),
            stat: StatCache::open(root.join("stat"), paranoid),
            room: OnceLock::new(),
            in_use: OnceLock::new(),
            is_dirty: AtomicBool::new(false),
            elsewhere: Mutex::default(),
            cannot_reflink: AtomicBool::new(false),
        };
        scratch::sweep(&root.join("scratch"), &store.scratch_locks());
        Ok(store)
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
        let mut path = String::with_capacity(dir.len() + hex.len() + 2);
        for part in [dir, "/", &hex[..2], "/", &hex[2..]] {
            path.push_str(part);
        }
        self.root.join(path)
    }

    /// The recipe of a key, if it is there and matches its name.
    pub fn recipe(&self, key: &Digest) -> Option<Recipe> {
        let bytes = files::read(&self.place("recipes", key)).ok()?;
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
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Unknown),
            Err(_) if files::is_special(&path) => return Err(damaged()),
            Err(error) => return Err(Miss::Missing(format!("outcome {}: {error}", key.short()))),
        };
        unseal(&bytes)
            .filter(|outcome: &Outcome| outcome.key == *key && outcome.format == OUTCOME_FORMAT)
            .ok_or_else(damaged)
    }

    /// Every conflict that is kept, in the order of the keys. What cannot be read is passed over:
    /// `verify` tells it.
    ///
    /// # Errors
    /// What reading the directories gives.
    pub fn conflicts(&self) -> io::Result<Vec<Conflict>> {
        let mut found = Vec::new();
        for (dir, key) in self.named("conflicts")? {
            let stands = key.and_then(|key| self.outcome(&key).ok());
            let read = |path: PathBuf| Conflict::read(&files::read(&path).ok()?, stands.as_ref());
            found.extend(entries(&dir)?.into_iter().filter_map(read));
        }
        Ok(found)
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

    pub(crate) fn examine_object(&self, digest: &Digest) -> Result<(), Miss> {
        let path = self.object(digest);
        let object = || format!("object {}", digest.short());
        match self.stat.digest(&path, &digest.to_string()) {
            Ok((found, _)) if found == *digest => Ok(()),
            Ok(_) => Err(Miss::Damaged(object())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Miss::Missing(object())),
            Err(_) if files::is_special(&path) => Err(Miss::Damaged(object())),
            // Whether its bytes are good is not known, so that it is not touched.
            Err(error) => Err(Miss::Missing(format!("{}: {error}", object()))),
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
    pub(crate) fn quarantine(&self, path: &Path) {
        const MAX_OF_ONE_NAME: usize = 100;
        let dir = self.root.join("quarantine");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let numbered = (1..MAX_OF_ONE_NAME).map(|n| dir.join(format!("{name}.{n}")));
        let is_free = |to: &PathBuf| files::link_metadata(to).is_err();
        let free = std::iter::once(dir.join(&*name)).chain(numbered).find(is_free);
        let moved = files::make_dirs(&dir).is_ok()
            && free.is_some_and(|free| files::rename(path, &free).is_ok());
        if !moved {
            let _ = files::remove(path).or_else(|_| files::remove_dir(path));
        }
    }

    /// The file with the locks of all directories for work in progress.
    pub(crate) fn scratch_locks(&self) -> PathBuf {
        self.root.join("locks/scratch")
    }

    /// The lock of a key: who has it computes its outcome.
    ///
    /// # Errors
    /// What opening it gives.
    pub fn key_lock(&self, key: &Digest) -> io::Result<Lock> {
        Lock::of_name(self.root.join("locks/keys"), key)
    }

    /// The lock of a stage's output directory.
    pub(crate) fn outputs_lock(&self, stage: &str) -> io::Result<Lock> {
        Lock::of_name(self.root.join("locks/outputs"), &Digest::of(stage.as_bytes()))
    }

    /// The lock of the records and of `pipeline.lock`, which are read, changed and written.
    ///
    /// # Errors
    /// What opening it gives.
    pub fn records_lock(&self) -> io::Result<Lock> {
        Lock::open(self.root.join("locks/records"))
    }

    /// The lock that whoever relies on what is stored holds together with others, and whoever
    /// removes something holds alone.
    ///
    /// # Errors
    /// What opening it gives.
    pub fn use_lock(&self) -> io::Result<Lock> {
        Lock::open(self.root.join("locks/use"))
    }

    /// Keeps everything from being collected as long as this store is open.
    ///
    /// # Errors
    /// What the system gives. A store that cannot be written to and has no lock is not collected
    /// either.
    pub fn hold(&self) -> io::Result<()> {
        if self.in_use.get().is_none() {
            use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
            let lock = match self.use_lock() {
                Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                    match Lock::open_to_share(self.root.join("locks/use")) {
                        Err(error) if matches!(error.kind(), NotFound | PermissionDenied) => {
                            return Ok(());
                        }
                        opened => opened?,
                    }
                }
                opened => opened?,
            };
            lock.share()?;
            // Two threads may have taken it; both share it, and one is enough.
            let _ = self.in_use.set(lock);
        }
        Ok(())
    }

    /// Every file under a part of the store with the digest in its name; `None` for a name that
    /// is no digest. Sorted.
    ///
    /// # Errors
    /// What reading the directories gives; a part that does not exist is empty.
    pub fn named(&self, part: &str) -> io::Result<Vec<(PathBuf, Option<Digest>)>> {
        let mut found = Vec::new();
        for entry in files::list(&self.root.join(part))? {
            let Entry { path: dir, is_dir, is_link, .. } = entry;
            let prefix = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A person may have moved a part of the store to another disk.
            let is_shelf = is_dir || (is_link && files::is_dir(&dir));
            if !is_shelf {
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
