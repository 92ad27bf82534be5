//! Files that the service was started with, and notices when they change.
//!
//! What changes is looked for by stat and not by inotify, which says nothing of files on a network
//! and of links that are pointed elsewhere, as Kubernetes renews what it mounts. A change counts
//! when two looks in a row found the same: so a file that is being written, or a certificate that
//! is there before its key, is not read half. Knows nothing of what is in the files.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a file is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is not there.
    Missing(String),
    /// It cannot be read, or is not what it must be.
    Wrong(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Missing(message) | Unusable::Wrong(message) => f.write_str(message),
        }
    }
}

/// Reads a file; `what` is what it is to hold, as in `the keys`.
pub(crate) fn read(what: &str, path: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(path).map_err(|error| {
        let message = format!("cannot read {what} in `{}`: {error}", path.display());
        match error.kind() {
            ErrorKind::NotFound => Unusable::Missing(message),
            _ => Unusable::Wrong(message),
        }
    })
}

/// What others than a file's owner and group may do with it, as of `chmod`: 4 read, 2 write. Who
/// may write it as a member of its group counts as one who may write.
pub(crate) fn open_to_others(path: &Path) -> u32 {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    (mode | (mode >> 3 & 2)) & 6
}

/// What tells one state of a file from another; nothing of a file that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp([i64; 7]);

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok()?;
        // Compared and never counted with, so that cutting them does no harm.
        let (device, inode, size) = (found.dev() as i64, found.ino() as i64, found.size() as i64);
        let (mtime, ctime) = (found.mtime(), found.ctime());
        Some(Stamp([device, inode, size, mtime, found.mtime_nsec(), ctime, found.ctime_nsec()]))
    }
}

/// Files that belong together.
#[derive(Debug)]
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    /// As they were when they were last to be read.
    read: Vec<Option<Stamp>>,
    /// As the last look found them.
    seen: Vec<Option<Stamp>>,
}

impl Watched {
    /// Files that are about to be read for the first time.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Watched {
        let read: Vec<_> = paths.iter().map(|path| Stamp::of(path)).collect();
        Watched { paths, seen: read.clone(), read }
    }

    /// Looks at the files, and tells whether they are to be read again.
    pub(crate) fn have_changed(&mut self) -> bool {
        let found: Vec<_> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        let is_settled = found == self.seen;
        self.seen = found;
        let have_changed = is_settled && self.seen != self.read;
        if have_changed {
            self.read.clone_from(&self.seen);
        }
        have_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_only_when_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&a, "1").unwrap();
        fs::write(&b, "1").unwrap();
        let mut watched = Watched::new(vec![a.clone(), b.clone()]);
        assert!(!watched.have_changed());
        fs::write(&a, "22").unwrap();
        assert!(!watched.have_changed(), "it may still be written");
        fs::write(&b, "333").unwrap();
        assert!(!watched.have_changed(), "and the other with it");
        assert!(watched.have_changed());
        assert!(!watched.have_changed(), "once");
        fs::remove_file(&a).unwrap();
        assert_eq!([watched.have_changed(), watched.have_changed()], [false, true], "removed");
    }

    #[test]
    fn who_may_write_and_who_may_read_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "").unwrap();
        for (mode, open) in [(0o600, 0), (0o640, 0), (0o644, 4), (0o660, 2), (0o666, 6)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_others(&path), open, "{mode:o}");
        }
    }
}
