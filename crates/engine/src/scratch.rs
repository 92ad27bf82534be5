//! Directories to write in before anything is published, each gone when its owner is.
//!
//! The owner holds an exclusive lock on the directory itself, which dies with its process: whoever
//! opens the store removes the directories that it can lock. It knows nothing of what is written.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::Builder;

use crate::faults::{Operation, pass};
use crate::files::{self, TemporaryDir, entries};

/// What the names of all scratch directories begin with.
const PREFIX: &str = "s";

/// A directory to write in; it vanishes when the value is dropped.
#[derive(Debug)]
pub struct Scratch {
    // Before the lock, because fields are dropped in their order.
    dir: TemporaryDir,
    _lock: File,
}

impl Scratch {
    /// A new directory below another, which is made when it is missing.
    ///
    /// # Errors
    /// What making a directory gives.
    pub(crate) fn new(parent: &Path) -> io::Result<Scratch> {
        const MAX_ATTEMPTS: usize = 100;
        files::make_dirs(parent)?;
        for _ in 0..MAX_ATTEMPTS {
            pass(Operation::MakeDir, parent)?;
            let dir = Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            // A sweeper may be faster than the lock; then there is always another name.
            if let Some(lock) = lock(dir.path()) {
                return Ok(Scratch { dir: TemporaryDir::of(dir), _lock: lock });
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "scratch directories vanish"))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the scratch directories of processes that are gone. That this fails is no matter: it
/// costs room only.
pub(crate) fn sweep(parent: &Path) {
    for dir in entries(parent).unwrap_or_default() {
        let is_scratch = dir
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
        let is_dir = files::link_metadata(&dir).is_ok_and(|metadata| metadata.is_dir());
        if is_scratch
            && is_dir
            && let Some(_lock) = lock(&dir)
        {
            let _ = files::remove_dir(&dir);
        }
    }
}

/// The lock of a directory, if nobody else has it and the directory still has its name.
fn lock(dir: &Path) -> Option<File> {
    let file = files::open(dir).ok()?;
    if !files::try_lock(&file, dir).ok()? {
        return None;
    }
    let (held, named) = (files::metadata_of(&file, dir).ok()?, files::metadata(dir).ok()?);
    (held.ino() == named.ino() && held.dev() == named.dev()).then_some(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_in_use_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path()).unwrap();
        sweep(parent.path());
        assert!(scratch.path().exists());
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_whose_owner_is_gone_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join("s1/deep");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("half"), "half").unwrap();
        fs::write(parent.path().join("other"), "not a directory").unwrap();
        sweep(parent.path());
        assert_eq!(entries(parent.path()).unwrap(), [parent.path().join("other")]);
    }
}
