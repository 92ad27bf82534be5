//! What the store is given: objects, recipes, outcomes; and what it gives out, as copies.
//!
//! Everything is written in the scratch of this process and renamed; a name that exists is whole.
//! `Store::flush` comes once for many, before anything is remembered as proved.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::canonical::seal;
use crate::digest::Digest;
use crate::error::Error;
use crate::files;
use crate::outcome::{Conflict, Outcome, Sighted, Sighting};
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
        let made = Scratch::new(&self.root().join("scratch"), &self.scratch_locks())?;
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
    pub fn keep_recipe(&self, recipe: &Recipe) -> io::Result<()> {
        let key = recipe.key();
        let place = self.place("recipes", &key);
        let name = format!("recipe:{key}");
        match self.stat().digest(&place, &name) {
            Ok((digest, _)) if digest == key => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => self.quarantine(&place),
        }
        self.write(&place, &recipe.bytes())?;
        self.stat().remember(&place, &name, key);
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
        self.keep_recipe(recipe)?;
        let place = self.place("outcomes", key);
        match self.outcome(key) {
            Ok(before) if before == *outcome => Ok(None),
            Ok(before) => {
                let is_usable = self.lookup(key).is_ok();
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
            Err(_) => self.write(&place, &seal(outcome)).map(|()| None),
        }
    }

    /// Writes a file by way of the room of this process, so that it is either whole or not there.
    /// Records can be written where the store cannot: then they are written beside. A directory in
    /// its place is set aside.
    pub(crate) fn write(&self, place: &Path, bytes: &[u8]) -> io::Result<()> {
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

    /// Flushes what was written since it was last flushed, all at once.
    ///
    /// # Errors
    /// What the file system gives: bytes that could not be written are told here at the latest.
    pub fn flush(&self) -> Result<(), Error> {
        if self.is_dirty.swap(false, Ordering::Relaxed) {
            files::flush(self.root()).map_err(Error::io("flush", self.root()))?;
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
        let object = self.object(digest);
        let mut from = files::open_file(&object)?;
        let mut file = files::temporary(self.room()?)?;
        let is_shared = !self.cannot_reflink.load(Ordering::Relaxed)
            && files::reflink(&from, file.as_file(), to).is_ok();
        let found = if is_shared {
            Digest::of_open(file.as_file_mut(), &object)?.0
        } else {
            self.cannot_reflink.store(true, Ordering::Relaxed);
            copy_hashed(&mut from, &object, file.as_file_mut(), to)?
        };
        if found != *digest {
            let message = format!("object {} does not match its name", digest.short());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        files::persist(file, to, true)
    }
}

/// Copies bytes and returns their digest.
fn copy_hashed(
    from: &mut std::fs::File,
    from_path: &Path,
    to: &mut std::fs::File,
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
