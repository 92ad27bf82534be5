//! Locks between processes that die with whoever holds them: there is never anything to unlock.
//!
//! A lock is on a range of bytes of an empty file, so that ten thousand keys need one file and not
//! ten thousand. They are the kernel's open file description locks (`fcntl(2)`, `F_OFD_SETLK`):
//! each opening of the file is an owner of its own, threads of one process as well as processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::digest::Digest;
use crate::faults::{Operation, pass};
use crate::files::{self, make_parent};

/// A lock that can be taken. It is given back when the value is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// Where its range begins.
    start: libc::off_t,
    /// How long its range is; 0 means to the end, however long the file becomes.
    len: libc::off_t,
}

impl Lock {
    /// Opens the lock that a file is as a whole, making the file when it is missing.
    pub(crate) fn open(path: PathBuf) -> io::Result<Lock> {
        let open = || {
            pass(Operation::Open, &path)?;
            OpenOptions::new().create(true).read(true).append(true).open(&path)
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_parent(&path).and_then(|()| open())
            }
            opened => opened,
        };
        let file = file.map_err(|error| at(&path, error))?;
        Ok(Lock { file, path, start: 0, len: 0 })
    }

    /// Opens a lock that exists, where nothing can be written: it can be shared.
    pub(crate) fn open_to_share(path: PathBuf) -> io::Result<Lock> {
        let file = files::open(&path).map_err(|error| at(&path, error))?;
        Ok(Lock { file, path, start: 0, len: 0 })
    }

    /// Opens the lock of one of many names, all of which have their range in one file. Two names
    /// share a range once in 2^62 pairs, and then one waits for the other for nothing.
    pub(crate) fn of_name(path: PathBuf, name: &Digest) -> io::Result<Lock> {
        let bytes = name.as_bytes().first_chunk().copied().unwrap_or_default();
        // Below the largest offset, so that the range has an end.
        let start = (u64::from_le_bytes(bytes) >> 2) as libc::off_t;
        Ok(Lock { start, len: 1, ..Lock::open(path)? })
    }

    /// Takes it, waiting for whoever has it.
    ///
    /// # Errors
    /// What the system gives.
    pub fn take(&self) -> io::Result<()> {
        self.call(libc::F_WRLCK, true).map(drop)
    }

    /// Takes it if nobody else has it; returns whether it did.
    ///
    /// # Errors
    /// What the system gives.
    pub fn try_take(&self) -> io::Result<bool> {
        self.call(libc::F_WRLCK, false)
    }

    /// Takes it together with others who share it, waiting for whoever has it alone.
    ///
    /// # Errors
    /// What the system gives.
    pub fn share(&self) -> io::Result<()> {
        self.call(libc::F_RDLCK, true).map(drop)
    }

    fn call(&self, kind: libc::c_int, is_patient: bool) -> io::Result<bool> {
        pass(Operation::Lock, &self.path).map_err(|error| at(&self.path, error))?;
        let range = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: self.start,
            l_len: self.len,
            l_pid: 0,
        };
        loop {
            let arg = match is_patient {
                true => FcntlArg::F_OFD_SETLKW(&range),
                false => FcntlArg::F_OFD_SETLK(&range),
            };
            match fcntl(&self.file, arg) {
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::EACCES) if !is_patient => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// An error that says which lock it is about: who takes one cannot know its file.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lock_each_for_itself_and_a_dropped_lock_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let lock = |name: &str| {
            Lock::of_name(dir.path().join("keys"), &Digest::of(name.as_bytes())).unwrap()
        };
        let (a, b, again) = (lock("a"), lock("b"), lock("a"));
        assert!(a.try_take().unwrap() && b.try_take().unwrap());
        assert!(!again.try_take().unwrap());
        drop(a);
        assert!(again.try_take().unwrap());
    }

    #[test]
    fn many_share_what_one_cannot_have_alone() {
        let dir = tempfile::tempdir().unwrap();
        let lock = || Lock::open(dir.path().join("deep/use")).unwrap();
        let (a, b, alone) = (lock(), lock(), lock());
        a.share().unwrap();
        b.share().unwrap();
        assert!(!alone.try_take().unwrap());
        drop((a, b));
        assert!(alone.try_take().unwrap());
    }
}
