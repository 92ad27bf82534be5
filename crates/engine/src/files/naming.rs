//! How files and directories get their names and change them: by one rename, or beside and then by
//! one, so that a name is never half of anything. Passes the same seam as all of `files`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{
    READ_ONLY, READABLE, copy, link_metadata, make_parent, remove_dir, temporary, walk, write_all,
};
use crate::faults::{Operation, pass};

/// Gives a file or directory another name; what had that name is replaced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    pass(Operation::Rename, to)?;
    fs::rename(from, to)
}

/// The same, when the directory of the new name may not exist yet.
pub(crate) fn rename_into(from: &Path, to: &Path) -> io::Result<()> {
    match rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_parent(to)?;
            rename(from, to)
        }
        renamed => renamed,
    }
}

/// Moves a directory to where there is none. To another file system its files are copied, and what
/// is no regular file is left out.
pub(crate) fn move_dir(from: &Path, to: &Path) -> io::Result<()> {
    match rename_into(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            for path in walk(from)? {
                let place = to.join(path.strip_prefix(from).unwrap_or(&path));
                if link_metadata(&path)?.is_file() {
                    make_parent(&place)?;
                    copy(&path, &place)?;
                }
            }
            remove_dir(from)
        }
        moved => moved,
    }
}

/// Gives two files or directories each other's name, at once where the file system can.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    pass(Operation::Rename, other)?;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        // For a moment there is nothing then, and never a mixture.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            let away = one.with_extension("away");
            fs::rename(other, &away)?;
            fs::rename(one, other)?;
            fs::rename(away, one)
        }
        exchanged => Ok(exchanged?),
    }
}

/// Gives a file a second name; the directory of the new name may not exist yet.
pub(crate) fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    pass(Operation::Link, to)?;
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_parent(to)?;
            fs::hard_link(from, to)
        }
        linked => linked,
    }
}

/// Gives a temporary file its name; what had that name is replaced. On another file system a copy
/// beside gets it.
pub(crate) fn persist(file: NamedTempFile, path: &Path, is_read_only: bool) -> io::Result<()> {
    pass(Operation::Permissions, path)?;
    let mode = if is_read_only { READ_ONLY } else { READABLE };
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    let moved = match rename_file(file, path) {
        Err(error) if error.error.kind() == io::ErrorKind::NotFound => {
            make_parent(path)?;
            rename_file(error.file, path)
        }
        moved => moved,
    };
    match moved {
        Err(error) if error.error.kind() == io::ErrorKind::CrossesDevices => {
            let beside = temporary(path.parent().unwrap_or(Path::new(".")))?;
            copy(error.file.path(), beside.path())?;
            Ok(rename_file(beside, path)?)
        }
        moved => Ok(moved?),
    }
}

fn rename_file(file: NamedTempFile, path: &Path) -> Result<(), tempfile::PersistError> {
    match pass(Operation::Rename, path) {
        Ok(()) => file.persist(path).map(drop),
        Err(error) => Err(tempfile::PersistError { error, file }),
    }
}

/// Writes a file so that it is either whole or not there: elsewhere, then renamed.
pub(crate) fn publish(path: &Path, bytes: &[u8], temporary_dir: &Path) -> io::Result<()> {
    let mut file = temporary(temporary_dir)?;
    write_all(&mut file, path, bytes)?;
    persist(file, path, false)
}
