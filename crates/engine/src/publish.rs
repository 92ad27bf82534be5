//! What the store is given: objects, recipes, outcomes; and what it gives out, as copies.
//!
//! Everything is written in the scratch of this process and renamed; a name that exists is whole.
//! `Store::flush` comes once for many, before anything is remembered as proved.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use crate::canonical::seal;
use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::outcome::{Conflict, Miss, Outcome, OutputFile, Sighted, Sighting};
use crate::recipe::Recipe;
use crate::scratch::Scratch;
use crate::store::{LAYOUT, Store};

/// How much is copied at once.
const BUFFER_BYTES: usize = 1 << 17;

impl Store {
    /// The directory where this process writes before it publishes. It vanishes with the store, or
    /// when a store is opened after the process was killed.
    ///
    /// # Errors
    /// What making a directory gives.
    pub fn room(&self) -> io::Result<&Path> {
        // Who asks for it is about to write.
        self.is_dirty.store(true, Ordering::Relaxed);
        if let Some(room) = self.room.get() {
            return Ok(room.path());
        }
        let parent = self.root().join("scratch");
        files::make_dirs(&parent)?;
        // Programs are told paths in it, which are to be without links.
        let made = Scratch::new(&files::canonical(&parent)?, &self.scratch_locks())?;
        let format = self.root().join("format");
        if !files::exists(&format) {
            files::publish(&format, LAYOUT.as_bytes(), made.path())?;
        }
        // Two threads may have made one; the second vanishes here.
        Ok(self.room.get_or_init(|| made).path())
    }

    /// A new directory for a stage to write in; it vanishes when the value is dropped, or when a
    /// store is opened after the process was killed.
    ///
    /// # Errors
    /// What making a directory gives.
    pub fn scratch(&self) -> Result<files::TemporaryDir, Error> {
        let make = || files::temporary_dir(self.room()?);
        make().map_err(Error::io("write in", self.root().join("scratch")))
    }

    /// Takes a file of a scratch directory into the store under its digest.
    ///
    /// # Errors
    /// What reading or moving the file gives.
    pub fn adopt(&self, path: &Path) -> io::Result<(Digest, u64)> {
        if files::metadata(path)?.nlink() > 1 {
            // Under another name somebody may still write to it: only a copy is the store's own.
            let copy = files::temporary(self.room()?)?;
            files::copy(path, copy.path())?;
            files::persist(copy, path, true)?;
        } else {
            files::make_read_only(path)?;
        }
        let (digest, size) = Digest::of_file(path)?;
        // Equal bytes are already there, unless they were tampered with: those are replaced.
        if self.prove(&digest).is_err() {
            let object = self.object(&digest);
            files::rename_into(path, &object)?;
            self.stat().remember(&object, &digest.to_string(), digest);
        }
        Ok((digest, size))
    }

    /// Writes a recipe under its key, unless it is there and whole.
    ///
    /// # Errors
    /// What writing gives.
    pub fn keep_recipe(&self, key: &Digest, recipe: &Recipe) -> io::Result<()> {
        let place = self.place("recipes", key);
        let name = format!("recipe:{key}");
        match self.stat().digest(&place, &name) {
            Ok((digest, _)) if digest == *key => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => self.quarantine(&place),
        }
        self.write(&place, &recipe.bytes())?;
        self.stat().remember(&place, &name, *key);
        Ok(())
    }

    /// Publishes an outcome whose objects are all in the store. `now` is where and when it was
    /// computed, and `earlier` the same of the outcome that the key had before.
    ///
    /// # Errors
    /// What writing gives. `Ok(Some(_))` is a conflict: the key had another outcome before, both
    /// are kept, and the one returned stands, which is the first as long as its objects do.
    pub fn publish(
        &self,
        recipe: &Recipe,
        outcome: &Outcome,
        now: Sighting,
        earlier: impl FnOnce(&Outcome) -> Option<Sighting>,
    ) -> io::Result<Option<Conflict>> {
        let key = &outcome.key;
        self.keep_recipe(key, recipe)?;
        let place = self.place("outcomes", key);
        match self.outcome_to_replace(key, &place)? {
            Some(before) if before == *outcome => Ok(None),
            Some(before) => {
                let is_usable = self.is_whole(&before)?;
                let now = Sighted { outcome: outcome.clone(), seen: Some(now) };
                let seen = earlier(&before);
                let before = Sighted { outcome: before, seen };
                let (stands, other) = if is_usable { (before, now) } else { (now, before) };
                let name = Digest::of(&seal(&other.outcome)).to_string();
                let conflict = Conflict::new(stands, other);
                let conflicts = self.place("conflicts", key);
                self.write(&conflicts.join(name), &seal(&conflict))?;
                self.write(&place, &seal(&conflict.stands.outcome))?;
                Ok(Some(conflict))
            }
            None => self.write(&place, &seal(outcome)).map(|()| None),
        }
    }

    /// Whether all objects of an outcome are there and whole; what is damaged is set aside.
    ///
    /// # Errors
    /// Why one that is there cannot be read: an outcome does not fall for that.
    fn is_whole(&self, outcome: &Outcome) -> io::Result<bool> {
        for OutputFile { digest, .. } in &outcome.files {
            let object = self.object(digest);
            match self.stat().digest(&object, &digest.to_string()) {
                Ok((found, _)) if found == *digest => {}
                Ok(_) => {
                    self.quarantine(&object);
                    return Ok(false);
                }
                Err(error) if files::is_no_file(&error) => return Ok(false),
                Err(error) => {
                    let message = format!("cannot read `{}`: {error}", object.display());
                    return Err(io::Error::new(error.kind(), message));
                }
            }
        }
        Ok(true)
    }

    /// The outcome that a key has, before another takes its place; none when there is none or a
    /// damaged one.
    ///
    /// # Errors
    /// Why one that is there cannot be read. It may be another than the new one, and would be
    /// replaced in silence.
    fn outcome_to_replace(&self, key: &Digest, place: &Path) -> io::Result<Option<Outcome>> {
        let found = match self.outcome(key) {
            Err(Miss::Missing(_)) if files::make_readable(place).is_ok() => self.outcome(key),
            found => found,
        };
        match found {
            Err(Miss::Missing(why)) => {
                Err(io::Error::other(format!("cannot read `{}`: {why}", place.display())))
            }
            found => Ok(found.ok()),
        }
    }

    /// Writes a file by way of the room of this process, so that it is either whole or not there.
    /// Records can be written where the store cannot: then they are written beside. A directory in
    /// its place is set aside.
    pub(crate) fn write(&self, place: &Path, bytes: &[u8]) -> io::Result<()> {
        if !place.starts_with(self.root()) {
            self.wrote_in(place.parent().unwrap_or(Path::new(".")))?;
        }
        match (self.room(), place.parent()) {
            (Err(_), Some(beside)) if !place.starts_with(self.root()) => {
                files::publish(place, bytes, beside)
            }
            (room, _) => match files::publish(place, bytes, room?) {
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    self.quarantine(place);
                    files::publish(place, bytes, self.room()?)
                }
                published => published,
            },
        }
    }

    /// Notes that something is written below a directory that is not the store's, so that it is
    /// flushed, too: outputs, records and lock may be on other file systems.
    ///
    /// # Errors
    /// Why it is not known where that is.
    pub(crate) fn wrote_in(&self, dir: &Path) -> io::Result<()> {
        let device = |path: &Path| files::metadata(path).map(|metadata| metadata.dev());
        let own = device(self.root()).ok();
        let there = dir.ancestors().map(|above| (above, device(above)));
        let is_there = |(_, device): &(&Path, io::Result<u64>)| {
            !device.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        // A directory that is yet to be made will be on the file system of the one above.
        let Some((dir, device)) = there.into_iter().find(is_there) else { return Ok(()) };
        let device = device?;
        if own != Some(device) {
            self.elsewhere().entry(device).or_insert_with(|| dir.to_owned());
        }
        Ok(())
    }

    fn elsewhere(&self) -> MutexGuard<'_, BTreeMap<u64, PathBuf>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Flushes what was written since it was last flushed, all at once.
    ///
    /// # Errors
    /// What the file system gives: bytes that could not be written are told here at the latest.
    pub fn flush(&self) -> Result<(), Error> {
        if self.is_dirty.swap(false, Ordering::Relaxed) {
            files::flush(self.root()).map_err(Error::io("flush", self.root()))?;
        }
        let elsewhere = std::mem::take(&mut *self.elsewhere());
        for dir in elsewhere.into_values() {
            files::flush(&dir).map_err(Error::io("flush", &dir))?;
        }
        Ok(())
    }

    /// Flushes what was written, and then remembers which digests are proved.
    ///
    /// # Errors
    /// What flushing gives.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        self.flush()?;
        if self.stat().is_changed()
            && let Ok(room) = self.room()
        {
            self.stat().save(room);
        }
        Ok(())
    }

    /// Writes an object's bytes to a path as a read-only file of its own, hashing them on the way.
    /// Blocks are shared where the file system parts them on writing, so that no edit of one
    /// reaches the other. Nothing is written when the bytes do not match their name.
    ///
    /// # Errors
    /// `InvalidData` when the bytes do not match; else what copying gives.
    pub fn restore(&self, digest: &Digest, to: &Path) -> io::Result<()> {
        let mut file = files::temporary(self.room()?)?;
        self.fill(digest, file.as_file_mut(), to)?;
        files::persist(file, to, true)
    }

    /// The same for a new file in a directory that nobody else knows of, where it may be seen
    /// before it is whole.
    ///
    /// # Errors
    /// As `restore`.
    pub(crate) fn restore_unseen(&self, digest: &Digest, to: &Path) -> io::Result<()> {
        self.fill(digest, &mut files::create_read_only(to)?, to)
    }

    /// Writes an object's bytes to an open file.
    fn fill(&self, digest: &Digest, file: &mut File, to: &Path) -> io::Result<()> {
        let object = self.object(digest);
        let mut from = files::open_file(&object)?;
        let is_shared =
            !self.cannot_reflink.load(Ordering::Relaxed) && files::reflink(&from, file, to).is_ok();
        let found = if is_shared {
            Digest::of_open(file, &object)?.0
        } else {
            self.cannot_reflink.store(true, Ordering::Relaxed);
            copy_hashed(&mut from, &object, file, to)?
        };
        if found != *digest {
            let message = format!("object {} does not match its name", digest.short());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(())
    }
}

/// Copies bytes and returns their digest.
fn copy_hashed(
    from: &mut File,
    from_path: &Path,
    to: &mut File,
    to_path: &Path,
) -> io::Result<Digest> {
    let size = files::metadata_of(from, from_path)?.len();
    // Capped, so that it fits; one byte more than the file has tells its end.
    let mut buffer = vec![0; (size + 1).min(BUFFER_BYTES as u64) as usize];
    let mut hasher = Digest::builder();
    loop {
        let n_bytes = files::read_some(from, from_path, &mut buffer)?;
        if n_bytes == 0 {
            return Ok(hasher.finish());
        }
        hasher.add(&buffer[..n_bytes]);
        files::write_all(to, to_path, &buffer[..n_bytes])?;
    }
}
