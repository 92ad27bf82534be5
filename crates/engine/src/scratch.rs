//! Directories to write in before anything is published, each gone when its owner is.
//!
//! The owner holds the lock of the directory's name, which dies with its process: whoever opens the
//! store removes the directories whose lock it can have. The locks are on ranges of a file beside,
//! not on the directories: a network file system keeps those between two hosts for files that are
//! open for writing, and for nothing else. It knows nothing of what is written.

use std::io::{self, ErrorKind};
use std::path::Path;

use tempfile::Builder;

use crate::digest::Digest;
use crate::exclusion::Lock;
use crate::faults::{Operation, pass};
use crate::files::{self, TemporaryDir, entries};

/// What the names of all scratch directories begin with.
const PREFIX: &str = "s";

/// A directory to write in; it vanishes when the value is dropped.
#[derive(Debug)]
pub struct Scratch {
    // Before the lock, because fields are dropped in their order.
    dir: TemporaryDir,
    _lock: Lock,
}

impl Scratch {
    /// A new directory below another, which is made when it is missing; `locks` is the file that
    /// locks are taken on.
    ///
    /// # Errors
    /// What making a directory or taking a lock gives.
    pub(crate) fn new(parent: &Path, locks: &Path) -> io::Result<Scratch> {
        const MAX_ATTEMPTS: usize = 100;
        files::make_dirs(parent)?;
        for _ in 0..MAX_ATTEMPTS {
            pass(Operation::MakeDir, parent)?;
            let dir = Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            // A sweeper may be faster than the lock; then there is always another name.
            if let Some(lock) = lock(dir.path(), locks)? {
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
pub(crate) fn sweep(parent: &Path, locks: &Path) {
    for dir in entries(parent).unwrap_or_default() {
        let is_scratch = dir
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
        let is_dir = || files::link_metadata(&dir).is_ok_and(|metadata| metadata.is_dir());
        if is_scratch
            && is_dir()
            && let Ok(Some(_lock)) = lock(&dir, locks)
        {
            let _ = files::remove_dir(&dir);
        }
    }
}

/// The lock of a directory, if nobody else has it and the directory is still there.
fn lock(dir: &Path, locks: &Path) -> io::Result<Option<Lock>> {
    // The same directory has the same name by whatever path the project was opened.
    let parts = [dir.parent().and_then(Path::file_name), dir.file_name()];
    let name = parts.map(|part| part.unwrap_or_default().as_encoded_bytes()).join(&b'/');
    let lock = Lock::of_name(locks.to_owned(), &Digest::of(&name))?;
    Ok((lock.try_take()? && files::exists(dir)).then_some(lock))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_in_use_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let (rooms, locks) = (parent.path().join("rooms"), parent.path().join("locks"));
        let scratch = Scratch::new(&rooms, &locks).unwrap();
        sweep(&rooms, &locks);
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
        let elsewhere = tempfile::tempdir().unwrap();
        sweep(parent.path(), &elsewhere.path().join("locks"));
        assert_eq!(entries(parent.path()).unwrap(), [parent.path().join("other")]);
    }
}
