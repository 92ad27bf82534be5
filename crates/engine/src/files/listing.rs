//! What directories hold. Each entry is asked for by itself, because a file system may give some of
//! them and then fail. Passes the same seam as all of `files`.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::link_metadata;
use crate::faults::{Operation, pass};

/// Something that a directory holds.
pub(crate) struct Entry {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Whether it is a directory, and no link to one.
    pub(crate) is_dir: bool,
    /// Whether it is a regular file, and no link to one.
    pub(crate) is_file: bool,
    /// Whether it is a symbolic link.
    pub(crate) is_link: bool,
}

/// The entries of a directory in no order, one by one: there may be very many.
pub(crate) fn scan(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
    pass(Operation::List, dir)?;
    Ok(fs::read_dir(dir)?.map(entry))
}

fn entry(found: io::Result<DirEntry>) -> io::Result<Entry> {
    let found = found?;
    let path = found.path();
    pass(Operation::Entry, &path)?;
    let ty = found.file_type()?;
    let (is_dir, is_file, is_link) = (ty.is_dir(), ty.is_file(), ty.is_symlink());
    Ok(Entry { path, is_dir, is_file, is_link })
}

/// The entries of a directory, sorted by path; none when it does not exist.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let found = match scan(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut found: Vec<_> = found.collect::<io::Result<_>>()?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The paths of the entries of a directory, sorted; none when it does not exist.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(list(dir)?.into_iter().map(|entry| entry.path).collect())
}

/// All paths below a directory that are not directories, sorted; links are not followed.
pub(crate) fn walk(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in list(&dir)? {
            if entry.is_dir { waiting.push(entry.path) } else { found.push(entry.path) }
        }
    }
    found.sort();
    Ok(found)
}

/// The size of a file, or of all files in a directory. What cannot be told counts as nothing.
pub(crate) fn size(path: &Path) -> u64 {
    match link_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            walk(path).unwrap_or_default().iter().map(|file| size(file)).sum()
        }
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}
