//! What tells that a file is still the same without reading it.
//!
//! A stat proves nothing: whoever relies on it reads the bytes every now and then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file changed within this time of being read may change again without its times showing it.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What tells that a file is still the same, short of reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stat {
    /// Of the file at a path, whatever links lead there; `None` where it cannot be told.
    pub(crate) fn at(path: &Path) -> Option<Stat> {
        fs::metadata(path).ok().map(|metadata| Stat::of(&metadata))
    }

    /// Of what was found.
    pub(crate) fn of(metadata: &fs::Metadata) -> Stat {
        Stat {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a file with this stat can no longer change without its stat showing it.
    pub(crate) fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(self.ctime.0).unwrap_or_default());
        now > changed + SETTLED_AFTER
    }
}
