//! Files and directories that vanish unless they are published.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::remove_dir;
use crate::faults::{Operation, pass};

/// A new file beside others, removed unless it is published.
pub(crate) fn temporary(dir: &Path) -> io::Result<NamedTempFile> {
    pass(Operation::Create, dir)?;
    NamedTempFile::new_in(dir)
}

/// A directory that is removed with all that is in it when the value is dropped.
#[derive(Debug)]
pub struct TemporaryDir {
    /// There until it is dropped.
    dir: Option<TempDir>,
    path: PathBuf,
}

impl TemporaryDir {
    /// Takes the removal of a directory over.
    pub(crate) fn of(dir: TempDir) -> TemporaryDir {
        let path = dir.path().to_owned();
        TemporaryDir { dir: Some(dir), path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        // Where nothing is left in it, there is no need to look into it first.
        if fs::remove_dir(&self.path).is_ok() {
            let _ = dir.keep();
        } else if dir.close().is_err() {
            // What stays costs room only, and is swept later.
            let _ = remove_dir(&self.path);
        }
    }
}

/// A new directory, removed with what is in it when the value is dropped.
pub(crate) fn temporary_dir(dir: &Path) -> io::Result<TemporaryDir> {
    pass(Operation::MakeDir, dir)?;
    TempDir::new_in(dir).map(TemporaryDir::of)
}
