//! Files that are either whole or not there, and the small things around them.
//!
//! Knows nothing of digests as names, of stores or of stages.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::digest::Digest;

/// The entries of a directory, sorted; none when it does not exist.
///
/// # Errors
/// What reading it gives.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let mut paths: Vec<_> = read.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes a file so that it is either whole or not there: beside, flushed, renamed.
pub(crate) fn publish(path: &Path, bytes: &[u8], temporary_dir: &Path) -> io::Result<()> {
    make_parent(path)?;
    let mut file = NamedTempFile::new_in(temporary_dir)?;
    file.write_all(bytes)?;
    make_readable(&file)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_parent(path)
}

/// Makes the directory that a path is in.
pub(crate) fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A rename is on disk only when its directory is.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Temporary files are private to their owner; what is published is for everybody to read.
pub(crate) fn make_readable(file: &NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const READABLE: u32 = 0o644;
    file.as_file().set_permissions(fs::Permissions::from_mode(READABLE))
}

/// Copies bytes and returns their digest.
pub(crate) fn copy_hashed(from: &mut File, to: &mut impl Write) -> io::Result<Digest> {
    const BUFFER_BYTES: usize = 1 << 17;
    let mut hasher = Digest::builder();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n_bytes = from.read(&mut buffer)?;
        if n_bytes == 0 {
            return Ok(hasher.finish());
        }
        hasher.add(&buffer[..n_bytes]);
        to.write_all(&buffer[..n_bytes])?;
    }
}
