//! Every file operation of the engine: the one seam between it and the file system.
//!
//! Files that are published are either whole or not there: written beside, then renamed. Flushing
//! is another matter, done once for many files (`flush`): what a power cut leaves half written is
//! found by its digest, because nothing is remembered as proved before it was flushed. Knows
//! nothing of digests as names, of stores or of stages.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::faults::{Fault, Operation, pass, planned};

mod copying;
mod listing;
mod naming;
mod temporary;

pub(crate) use copying::copy_as;
pub(crate) use listing::{Entry, entries, list, scan, size, walk};
pub(crate) use naming::{exchange, hard_link, move_dir, persist, publish, rename, rename_into};
pub(crate) use temporary::{TemporaryDir, temporary, temporary_dir};

/// What is published is for everybody to read.
const READABLE: u32 = 0o644;
/// What is never to be edited.
const READ_ONLY: u32 = 0o444;

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    pass(Operation::Read, path)?;
    let mut file = open_regular(path)?;
    let mut bytes = Vec::with_capacity(file.metadata()?.len() as usize);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a file, or `None` when there is none: nothing, or what is no file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match read(path) {
        Err(error) if is_no_file(&error) => Ok(None),
        read => read.map(Some),
    }
}

/// Whether an error says that there is no file, rather than that it cannot be looked at now.
pub(crate) fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), InvalidInput | IsADirectory | NotADirectory | NotFound)
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Opens a file or directory to read it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    pass(Operation::Open, path)?;
    File::open(path)
}

/// Opens a file to read it. What is no regular file is refused, and not waited for: nobody may ever
/// write to a pipe, and a device may never end.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    pass(Operation::Open, path)?;
    open_regular(path)
}

fn open_regular(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(not_regular());
    }
    Ok(file)
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// Reads into a buffer, as `Read::read` does.
pub(crate) fn read_some(file: &mut File, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
    pass(Operation::Read, path)?;
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Fills a buffer from a place of a file on, as far as the file reaches; returns how many bytes
/// that were.
pub(crate) fn read_at(file: &File, path: &Path, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    pass(Operation::Read, path)?;
    let mut n_bytes = 0;
    while n_bytes < buffer.len() {
        match file.read_at(&mut buffer[n_bytes..], at + n_bytes as u64) {
            Ok(0) => break,
            Ok(n) => n_bytes += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_bytes)
}

/// Writes all bytes to a file that is open.
pub(crate) fn write_all(file: &mut impl Write, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match planned(Operation::Write, path) {
        None => file.write_all(bytes),
        Some(fault) => {
            if let Fault::Short(n_bytes) = fault {
                file.write_all(&bytes[..n_bytes.min(bytes.len())])?;
            }
            Err(fault.into())
        }
    }
}

/// Writes a file that nobody else knows of yet.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    pass(Operation::Create, path)?;
    write_all(&mut File::create(path)?, path, bytes)
}

/// A new file that nobody else knows of yet, which only this handle can write to.
pub(crate) fn create_read_only(path: &Path) -> io::Result<File> {
    pass(Operation::Create, path)?;
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(READ_ONLY))?;
    Ok(file)
}

/// What the file system says of a file, following links.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    pass(Operation::Stat, path)?;
    fs::metadata(path)
}

/// What the file system says of a file or of the link that stands for it.
pub(crate) fn link_metadata(path: &Path) -> io::Result<Metadata> {
    pass(Operation::Stat, path)?;
    fs::symlink_metadata(path)
}

/// What the file system says of a file that is open.
pub(crate) fn metadata_of(file: &File, path: &Path) -> io::Result<Metadata> {
    pass(Operation::Stat, path)?;
    file.metadata()
}

/// What a link says.
pub(crate) fn read_link(path: &Path) -> io::Result<PathBuf> {
    pass(Operation::Stat, path)?;
    fs::read_link(path)
}

/// What the file system says, without the detour over `Metadata`.
pub(crate) type Stat = rustix::fs::Stat;

/// The same for a path relative to an open directory: of many files below one directory, most of
/// the time would go into looking its own path up.
pub(crate) fn stat_at(dir: &File, path: &str) -> io::Result<Stat> {
    pass(Operation::Stat, Path::new(path))?;
    Ok(rustix::fs::statat(dir, path, rustix::fs::AtFlags::empty())?)
}

/// Opens a file to read it, by a path relative to an open directory; returns what the file system
/// says of it, too.
pub(crate) fn open_at(dir: &File, path: &str) -> io::Result<(File, Stat)> {
    use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
    pass(Operation::Open, Path::new(path))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat(dir, path, flags, Mode::empty())?);
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((file, stat)),
        _ => Err(not_regular()),
    }
}

/// Whether there is something, links followed. What cannot be told counts as nothing.
pub(crate) fn exists(path: &Path) -> bool {
    metadata(path).is_ok()
}

/// Whether there may be something, links followed: what cannot be told counts as something, so that
/// whoever looks at it tells why.
pub(crate) fn may_exist(path: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    !metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Whether there is a directory, links followed.
pub(crate) fn is_dir(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Whether there is something else than a regular file, links followed. What cannot be told counts
/// as one.
pub(crate) fn is_special(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Makes a directory whose parent exists.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    pass(Operation::MakeDir, dir)?;
    fs::create_dir(dir)
}

/// Makes a directory and those above it, as far as they are missing.
pub(crate) fn make_dirs(dir: &Path) -> io::Result<()> {
    pass(Operation::MakeDir, dir)?;
    fs::create_dir_all(dir)
}

/// Makes the directory that a path is in.
pub(crate) fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_dirs)
}

/// Removes a file or a link.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    pass(Operation::Remove, path)?;
    fs::remove_file(path)
}

/// Removes a directory with all that is in it, also where a program took its owner's rights away.
pub(crate) fn remove_dir(dir: &Path) -> io::Result<()> {
    pass(Operation::Remove, dir)?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(dir)?;
            fs::remove_dir_all(dir)
        }
        removed => removed,
    }
}

/// Removes a directory that nothing is in.
pub(crate) fn remove_empty_dir(dir: &Path) -> io::Result<()> {
    pass(Operation::Remove, dir)?;
    fs::remove_dir(dir)
}

/// Sets the permissions of a file.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    pass(Operation::Permissions, path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Gives the owner of a directory every right to it.
pub(crate) fn open_up_one(dir: &Path) -> io::Result<()> {
    const OWN: u32 = 0o700;
    let permissions = link_metadata(dir)?.permissions();
    if permissions.mode() & OWN == OWN {
        return Ok(());
    }
    pass(Operation::Permissions, dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(permissions.mode() | OWN))
}

/// Gives the owner of a directory every right to it and to those below it; links are not followed.
pub(crate) fn open_up(dir: &Path) -> io::Result<()> {
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        open_up_one(&dir)?;
        waiting
            .extend(list(&dir)?.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.path));
    }
    Ok(())
}

/// Makes a symbolic link.
pub(crate) fn link(target: &Path, path: &Path) -> io::Result<()> {
    pass(Operation::Link, path)?;
    symlink(target, path)
}

/// A path without links and without `..`.
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    pass(Operation::Stat, path)?;
    fs::canonicalize(path)
}

/// Gives everybody the right to read a file, and its owner that to write to it.
pub(crate) fn make_readable(path: &Path) -> io::Result<()> {
    set_mode(path, READABLE)
}

/// Takes away everybody's right to write to a file.
pub(crate) fn make_read_only(path: &Path) -> io::Result<()> {
    pass(Operation::Permissions, path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(READ_ONLY))
}

/// Copies a file over another, permissions included.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match planned(Operation::Write, to) {
        None => fs::copy(from, to).map(drop),
        Some(fault) => {
            if let Fault::Short(n_bytes) = fault {
                let mut part = File::open(from)?.take(n_bytes as u64);
                io::copy(&mut part, &mut File::create(to)?)?;
            }
            Err(fault.into())
        }
    }
}

/// Flushes everything that was written on the file system of a directory.
pub(crate) fn flush(dir: &Path) -> io::Result<()> {
    pass(Operation::Sync, dir)?;
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

/// Makes one open file share the blocks of another, where the file system can; they part when
/// either is written to.
pub(crate) fn reflink(from: &File, to: &File, path: &Path) -> io::Result<()> {
    match planned(Operation::Write, path) {
        None => Ok(rustix::fs::ioctl_ficlone(to, from)?),
        Some(fault) => {
            if let Fault::Short(n_bytes) = fault {
                let mut part = vec![0; n_bytes];
                let n_read = from.read_at(&mut part, 0)?;
                to.write_all_at(&part[..n_read], 0)?;
            }
            Err(fault.into())
        }
    }
}
