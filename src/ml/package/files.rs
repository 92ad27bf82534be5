//! The files of a package on disk: read with a limit, named by their digest.
//!
//! Names come from a fixed list and never from a file, so no package can name a path outside of
//! its directory. Errors tell the file's name and not where it is.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{PackageError, invalid};

/// Larger files are refused unread.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// What the bytes of a file must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The blake3 digest, as 64 hex digits.
    pub digest: String,
    /// The size in bytes.
    pub size: u64,
}

/// What bytes are.
pub fn digest_of(bytes: &[u8]) -> FileEntry {
    FileEntry { digest: blake3::hash(bytes).to_hex().to_string(), size: bytes.len() as u64 }
}

/// Reads a file of a package.
///
/// # Errors
/// `Missing`, `Invalid` when it is no regular file, `Unreadable` otherwise or when too large.
pub fn read(dir: &Path, name: &str) -> Result<Vec<u8>, PackageError> {
    let mut bytes = Vec::new();
    let mut file = open(dir, name)?.take(MAX_FILE_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(|error| failed(name, &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(PackageError::Unreadable(name.to_owned(), ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

/// Hashes a file of a package as it is on disk now.
///
/// # Errors
/// `Missing`, `Invalid`, `Unreadable` or `Altered`.
pub fn check(dir: &Path, name: &str, entry: &FileEntry) -> Result<(), PackageError> {
    let mut hasher = blake3::Hasher::new();
    // One byte more than it should have shows that it is longer, however long it is.
    let mut file = open(dir, name)?.take(entry.size.saturating_add(1));
    let size = io::copy(&mut file, &mut hasher).map_err(|error| failed(name, &error))?;
    if size == entry.size && hasher.finalize().to_hex().as_str() == entry.digest {
        return Ok(());
    }
    Err(PackageError::Altered(name.to_owned()))
}

fn open(dir: &Path, name: &str) -> Result<File, PackageError> {
    let path = dir.join(name);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = fs::metadata(&path).map_err(|error| failed(name, &error))?;
    if !metadata.is_file() {
        return Err(invalid(name, &"it is not a regular file"));
    }
    File::open(&path).map_err(|error| failed(name, &error))
}

/// What an error of the file system means for a file of a package.
pub fn failed(name: &str, error: &io::Error) -> PackageError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => PackageError::Missing(name.to_owned()),
        kind => PackageError::Unreadable(name.to_owned(), kind),
    }
}
