//! Remembered digests of files, so that a run that changes nothing reads nothing.
//!
//! A digest is believed as long as the file's device, inode, size, mtime and ctime stay what they
//! were when it was hashed. ctime cannot be set by a program, so an edit that restores the mtime is
//! seen all the same. A file that changed within `SETTLED` before it was hashed is not remembered:
//! a second edit within one tick of the clock would not be seen. `paranoid` believes nothing.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;

/// How long a file must have been left alone before its digest is remembered.
const SETTLED: Duration = Duration::from_millis(50);

/// What the file system says of a file, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Signature {
    /// The signature of a file, following links.
    ///
    /// # Errors
    /// What `stat` gives.
    pub fn of(path: &Path) -> io::Result<Signature> {
        Ok(Signature::from(&fs::metadata(path)?))
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        let nanos = u64::try_from(self.modified_ns.max(self.changed_ns)).unwrap_or(0);
        let last = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
        now.duration_since(last).is_ok_and(|age| age >= SETTLED)
    }
}

impl From<&Metadata> for Signature {
    fn from(metadata: &Metadata) -> Signature {
        const NANOS: i64 = 1_000_000_000;
        let nanos = |secs: i64, nsecs: i64| secs.saturating_mul(NANOS).saturating_add(nsecs);
        Signature {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    signature: Signature,
    digest: Digest,
}

/// The remembered digests of one project.
#[derive(Debug)]
pub struct StatCache {
    file: PathBuf,
    paranoid: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    is_changed: bool,
}

impl StatCache {
    /// Opens the cache kept in a file. A missing or damaged file is an empty cache: it only costs
    /// time. A paranoid cache never answers without hashing.
    pub fn open(file: PathBuf, paranoid: bool) -> StatCache {
        let entries = canonical::read(&file).unwrap_or_default();
        StatCache { file, paranoid, state: Mutex::new(State { entries, is_changed: false }) }
    }

    /// The digest and size of a file, hashed only when its signature is not the remembered one.
    /// `name` is what it is remembered under.
    ///
    /// # Errors
    /// What `stat` or reading gives.
    pub fn digest(&self, path: &Path, name: &str) -> io::Result<(Digest, u64)> {
        self.digest_seen(path, name).map(|(digest, seen)| (digest, seen.size))
    }

    /// The digest of a file, and its signature from before it was hashed.
    ///
    /// # Errors
    /// What `stat` or reading gives.
    pub fn digest_seen(&self, path: &Path, name: &str) -> io::Result<(Digest, Signature)> {
        let signature = Signature::of(path)?;
        if !self.paranoid
            && let Some(entry) = self.state().entries.get(name)
            && entry.signature == signature
        {
            return Ok((entry.digest, signature));
        }
        let (digest, _) = Digest::of_file(path)?;
        self.remember(path, name, digest, Some(signature));
        Ok((digest, signature))
    }

    /// Remembers a digest that was computed while the file was written. With `seen`, only if the
    /// signature is still that one.
    pub fn remember(&self, path: &Path, name: &str, digest: Digest, seen: Option<Signature>) {
        let Ok(signature) = Signature::of(path) else { return };
        let is_own = seen.is_none();
        if is_own || (seen == Some(signature) && signature.is_settled(SystemTime::now())) {
            let mut state = self.state();
            state.entries.insert(name.to_owned(), Entry { signature, digest });
            state.is_changed = true;
        }
    }

    /// Writes what is remembered, if anything changed. Failing to is no error: it costs time only.
    pub fn save(&self) {
        let mut state = self.state();
        if state.is_changed {
            let text = canonical::to_bytes(&state.entries);
            let temporary = self.file.with_extension(format!("tmp{}", std::process::id()));
            let written =
                fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &self.file));
            if written.is_err() {
                let _ = fs::remove_file(&temporary);
            }
            state.is_changed = false;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        std::thread::sleep(SETTLED + Duration::from_millis(20));
    }

    #[test]
    fn an_edit_of_the_same_length_and_mtime_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let cache = StatCache::open(dir.path().join("cache"), false);
        aged(&path, "one");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(cache.digest(&path, "a").unwrap().0, Digest::of(b"one"));
        fs::write(&path, "two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(cache.digest(&path, "a").unwrap().0, Digest::of(b"two"));
    }

    #[test]
    fn a_file_that_was_just_written_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let cache = StatCache::open(dir.path().join("cache"), false);
        cache.digest(&path, "a").unwrap();
        cache.save();
        assert!(!dir.path().join("cache").exists());
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        aged(&path, "one");
        fs::write(dir.path().join("cache"), "{\"a\":").unwrap();
        let cache = StatCache::open(dir.path().join("cache"), false);
        assert_eq!(cache.digest(&path, "a").unwrap(), (Digest::of(b"one"), 3));
    }
}
