//! Remembered digests of files, so that a run that changes nothing reads nothing.
//!
//! A digest is believed as long as the file's device, inode, size, mtime and ctime stay what they
//! were when it was hashed. ctime cannot be set by a program, so an edit that restores the mtime is
//! seen all the same. A file that changed too shortly before it was hashed is not remembered: a
//! second edit within one tick of the clock would not be seen. By which clock a file is dated is
//! known when the memory is written, so that this is decided then. Two processes that remember
//! things side by side both find them again. `paranoid` believes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::digest::Digest;
use crate::exclusion::Lock;
use crate::{files, memory};

/// The lock of whoever writes the memory, beside it.
const LOCK: &str = "locks/stat";
/// The format of the memory; entries of another are forgotten.
const FORMAT: u32 = 1;

/// What the file system says of a file, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    pub(crate) changed_ns: i64,
}

impl Signature {
    /// The signature of a file, following links.
    ///
    /// # Errors
    /// What `stat` gives.
    pub fn of(path: &Path) -> io::Result<Signature> {
        Ok(Signature::from(&files::metadata(path)?))
    }

    /// The signature of what is at a path relative to an open directory, following links; `None`
    /// when there is nothing that can be looked at.
    pub(crate) fn at(dir: &File, path: &str) -> Option<Signature> {
        files::stat_at(dir, path).ok().map(|stat| Signature::from(&stat))
    }
}

impl From<&Metadata> for Signature {
    fn from(metadata: &Metadata) -> Signature {
        Signature {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl From<&files::Stat> for Signature {
    fn from(stat: &files::Stat) -> Signature {
        Signature {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    const NANOS: i64 = 1_000_000_000;
    seconds.saturating_mul(NANOS).saturating_add(nanoseconds)
}

/// A file or directory that something rests on.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its path, relative to the project or absolute.
    pub(crate) path: PathBuf,
    /// How it was; `None` when it was not there.
    pub(crate) signature: Option<Signature>,
    /// The digest of a file's bytes.
    pub(crate) digest: Option<Digest>,
}

impl Seen {
    /// A directory by what it lists, a file by its signature alone, or that there is nothing.
    /// `None` when it changed so lately that a second change might go unseen.
    pub(crate) fn settled(path: PathBuf, clock: &Clock) -> Option<Seen> {
        let signature = Signature::of(&path).ok();
        let is_settled = signature.is_none_or(|signature| clock.is_settled(&signature));
        is_settled.then_some(Seen { path, signature, digest: None })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
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
    /// What this process hashed, with the time of that: whether it can be believed is not known
    /// yet.
    pending: BTreeMap<String, (Entry, i64)>,
    is_changed: bool,
    /// What this process remembered or forgot; all else may be another's by now.
    own: BTreeSet<String>,
    /// How the file was when it was read.
    read: Option<Signature>,
}

impl State {
    /// What is believed of a file: also what was old by any clock when it was hashed.
    fn believed(&self, name: &str) -> Option<&Entry> {
        let is_old = |(entry, at_ns): &&(Entry, i64)| clock::is_old(&entry.signature, *at_ns);
        let pending = self.pending.get(name).filter(is_old).map(|(entry, _)| entry);
        pending.or_else(|| self.entries.get(name))
    }

    fn insert(&mut self, name: String, entry: Entry) {
        self.is_changed |= self.entries.insert(name.clone(), entry) != Some(entry);
        self.own.insert(name);
    }

    /// Takes over what other processes remembered since the file was read.
    fn merge(&mut self, others: BTreeMap<String, Entry>) {
        let before = std::mem::replace(&mut self.entries, others);
        self.entries.retain(|name, _| !self.own.contains(name));
        self.entries.extend(before.into_iter().filter(|(name, _)| self.own.contains(name)));
    }

    fn suspend(&mut self, name: &str, entry: Entry, at_ns: i64) {
        if !clock::is_fresh(&entry.signature, at_ns) {
            self.pending.insert(name.to_owned(), (entry, at_ns));
        }
    }
}

impl StatCache {
    /// Opens the cache kept in a file. A missing or damaged file is an empty cache: it only costs
    /// time. A paranoid cache never answers without hashing.
    pub fn open(file: PathBuf, paranoid: bool) -> StatCache {
        // Before the bytes: what is written meanwhile is then another's.
        let read = Signature::of(&file).ok();
        let state = State { entries: read_entries(&file), read, ..State::default() };
        StatCache { file, paranoid, state: Mutex::new(state) }
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
            && let Some(entry) = self.state().believed(name)
            && entry.signature == signature
        {
            return Ok((entry.digest, signature));
        }
        let at_ns = clock::now_ns();
        let (digest, _) = Digest::of_file(path)?;
        if Signature::of(path).is_ok_and(|after| after == signature) {
            self.state().suspend(name, Entry { signature, digest }, at_ns);
        }
        Ok((digest, signature))
    }

    /// Remembers a digest that was computed while this process wrote the file.
    pub fn remember(&self, path: &Path, name: &str, digest: Digest) {
        let Ok(signature) = Signature::of(path) else { return };
        let (entry, mut state) = (Entry { signature, digest }, self.state());
        // Nobody else writes there within a short tick of the clock, and within a long one somebody
        // may.
        if clock::is_coarse(&signature) {
            state.suspend(name, entry, clock::now_ns());
        } else {
            state.insert(name.to_owned(), entry);
        }
    }

    /// Whether anything was remembered or forgotten since it was read.
    pub(crate) fn is_changed(&self) -> bool {
        let state = self.state();
        state.is_changed || !state.pending.is_empty()
    }

    /// Writes what is remembered, if anything changed. Failing to is no error: it costs time only.
    pub(crate) fn save(&self, room: &Path) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        if !pending.is_empty()
            && let Ok(clock) = Clock::read(room)
        {
            let is_settled = |(_, (entry, at_ns)): &(String, (Entry, i64))| {
                clock.has_settled(&entry.signature, *at_ns)
            };
            for (name, (entry, _)) in pending.into_iter().filter(is_settled) {
                state.insert(name, entry);
            }
        }
        if !state.is_changed {
            return;
        }
        // Without the lock two processes may lose what one of them remembered, and nothing else.
        let lock = self.file.parent().and_then(|dir| Lock::open(dir.join(LOCK)).ok());
        let _ = lock.as_ref().map(Lock::take);
        if Signature::of(&self.file).ok() != state.read {
            state.merge(read_entries(&self.file));
        }
        memory::save(&self.file, &(FORMAT, &state.entries), room);
        state.read = Signature::of(&self.file).ok();
        state.is_changed = false;
    }

    /// What is remembered under a name: how the file was, and its digest.
    pub(crate) fn entry(&self, name: &str) -> Option<(Signature, Digest)> {
        self.state().believed(name).map(|entry| (entry.signature, entry.digest))
    }

    /// The signature under which a digest is remembered, if it is that one.
    pub(crate) fn remembered(&self, name: &str, digest: &Digest) -> Option<Signature> {
        self.entry(name).filter(|(_, known)| known == digest).map(|(signature, _)| signature)
    }

    /// Forgets what was remembered under names that are not to be kept.
    pub(crate) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        let mut state = self.state();
        let gone: Vec<_> = state.entries.keys().filter(|name| !is_kept(name)).cloned().collect();
        state.is_changed |= !gone.is_empty();
        state.entries.retain(|name, _| is_kept(name));
        state.own.extend(gone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a file remembers; nothing if it is another's, damaged or missing.
fn read_entries(file: &Path) -> BTreeMap<String, Entry> {
    let (format, entries): (u32, _) = memory::read(file).unwrap_or_default();
    if format == FORMAT { entries } else { BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn aged(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        std::thread::sleep(clock::SETTLED + std::time::Duration::from_millis(20));
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
        cache.save(dir.path());
        assert!(!dir.path().join("cache").exists());
    }

    #[test]
    fn what_two_processes_remember_is_remembered_of_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let open = || StatCache::open(path("cache"), false);
        ["a", "b", "c", "gone"].iter().for_each(|name| fs::write(path(name), name).unwrap());
        aged(&path("last"), "last");
        let before = open();
        before.digest(&path("gone"), "gone").unwrap();
        before.digest(&path("c"), "c").unwrap();
        before.save(dir.path());
        let (one, other) = (open(), open());
        one.digest(&path("a"), "a").unwrap();
        one.retain(|name| name != "gone");
        other.digest(&path("b"), "b").unwrap();
        one.save(dir.path());
        other.save(dir.path());
        let known = ["a", "b", "c", "gone"].map(|name| open().entry(name).is_some());
        assert_eq!(known, [true, true, true, false]);
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
