//! Lines in the files of a directory, each no larger than a bound, and no more of them than one.
//!
//! The files are numbered, and lines are only ever added to the newest. One that is full is
//! followed by the next, and then the oldest is removed. A file has whole lines, but for what a
//! kill or a full disk cut off: such a line is taken back where that can be, and else ended by a
//! line break before anything follows, so that it spoils no other. A lock in the directory dies
//! with its process and keeps a second writer away. Knows no threads, and not what lines say.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Sink, Written};

/// Where lines go, and how much may lie there.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// The directory, which is made if it is not there.
    pub(crate) dir: PathBuf,
    /// How the names of the files begin.
    pub(crate) stem: &'static str,
    /// The largest file, in bytes.
    pub(crate) max_bytes: u64,
    /// The most files, at least 1.
    pub(crate) keep: usize,
}

/// Why lines cannot be written to a directory.
#[derive(Debug)]
pub enum Unopened {
    /// Another process writes there.
    Busy,
    /// The system does not let it.
    Io(io::Error),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Unopened {
        Unopened::Io(error)
    }
}

/// The numbered files of a directory.
#[derive(Debug)]
pub(crate) struct Rotating {
    bounds: Bounds,
    /// Held as long as anything is written.
    _lock: File,
    /// The number of the newest file.
    number: u64,
    /// The newest file; `None` when it could not be opened, or is no longer there.
    newest: Option<Newest>,
}

#[derive(Debug)]
struct Newest {
    file: File,
    len: u64,
    /// Whether it ends in the middle of a line.
    is_torn: bool,
}

/// The files that there are, with their numbers, the oldest first.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn numbered(dir: &Path, stem: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|rest| rest.strip_suffix(".jsonl"));
        let digits = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        found.extend(digits.and_then(|digits| digits.parse().ok()).map(|n| (n, path.clone())));
    }
    found.sort_unstable();
    Ok(found)
}

impl Rotating {
    /// Opens the newest file, or the first.
    ///
    /// # Errors
    /// When another process writes there, or nothing can be written there.
    pub(crate) fn open(bounds: Bounds) -> Result<Rotating, Unopened> {
        DirBuilder::new().recursive(true).mode(0o700).create(&bounds.dir)?;
        let lock = bounds.dir.join(format!("{}.lock", bounds.stem));
        let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(lock)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Unopened::Busy,
            TryLockError::Error(error) => Unopened::Io(error),
        })?;
        let number = numbered(&bounds.dir, bounds.stem)?.last().map_or(1, |(number, _)| *number);
        let mut rotating = Rotating { bounds, _lock: lock, number, newest: None };
        rotating.make_room(0)?;
        Ok(rotating)
    }

    fn path(&self) -> PathBuf {
        self.bounds.dir.join(format!("{}-{:08}.jsonl", self.bounds.stem, self.number))
    }

    /// Sees to it that the newest file has room for so many bytes, or is empty.
    fn make_room(&mut self, n_bytes: u64) -> io::Result<()> {
        loop {
            if let Some(newest) = &self.newest {
                if newest.len == 0 || newest.len + n_bytes <= self.bounds.max_bytes {
                    return Ok(());
                }
                newest.file.sync_data()?;
                self.newest = None;
                self.number += 1;
            }
            self.make_way()?;
            self.newest = Some(Newest::open(&self.path())?);
            // The name of the file is to outlast a power cut as its lines do.
            File::open(&self.bounds.dir)?.sync_all()?;
        }
    }

    /// Removes the oldest files, so that there may be one more.
    fn make_way(&self) -> io::Result<()> {
        let mut others = numbered(&self.bounds.dir, self.bounds.stem)?;
        others.retain(|(number, _)| *number != self.number);
        let excess = (others.len() + 1).saturating_sub(self.bounds.keep);
        for (_, path) in others.into_iter().take(excess) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the first of some lines, as many as one file takes. Returns how many bytes of them
    /// are done with, how many lines that are written, and what stopped it.
    fn put(&mut self, lines: &[u8]) -> (usize, u64, Option<io::Error>) {
        let first = line_len(lines);
        if first as u64 > self.bounds.max_bytes {
            // No file can hold it.
            return (first, 0, None);
        }
        // Before a line there may be the end of one that is torn.
        if let Err(error) = self.make_room(first as u64 + 1) {
            return (0, 0, Some(error));
        }
        // It has just been made.
        let Some(newest) = &mut self.newest else {
            return (0, 0, Some(ErrorKind::NotFound.into()));
        };
        if let Err(error) = newest.mend() {
            return (0, 0, Some(error));
        }
        let room = usize::try_from(self.bounds.max_bytes - newest.len).unwrap_or(usize::MAX);
        let fitting = &lines[..room.min(lines.len())];
        let whole = fitting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (done, error) = newest.append(&lines[..whole]);
        let n_lines = lines[..done].iter().filter(|byte| **byte == b'\n').count();
        (done, n_lines as u64, error)
    }

    /// Writes one line, which ends in a line break, whole or not at all.
    ///
    /// # Errors
    /// `FileTooLarge` when no file can hold it; else what stopped it.
    pub(crate) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        match self.put(line) {
            (_, _, Some(error)) => Err(error),
            (_, 0, None) => Err(ErrorKind::FileTooLarge.into()),
            _ => Ok(()),
        }
    }

    /// Whether the newest file is still where it was.
    fn is_there(&self) -> bool {
        let Some(newest) = &self.newest else { return true };
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let ours = newest.file.metadata().map(identity);
        fs::metadata(self.path()).map(identity).is_ok_and(|found| ours.is_ok_and(|o| o == found))
    }
}

impl Sink for Rotating {
    fn write(&mut self, lines: &[u8]) -> Written {
        let (mut written, mut rest) = (Written::default(), lines);
        while !rest.is_empty() {
            let (done, n_lines, error) = self.put(rest);
            written.lines += n_lines;
            rest = &rest[done..];
            if let Some(error) = error {
                written.fault = Some(error.to_string());
                return written;
            }
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(newest) = &self.newest {
            newest.file.sync_data()?;
        }
        if !self.is_there() {
            // Somebody took it away: the next lines go where they can be found.
            self.newest = None;
            self.number += 1;
        }
        Ok(())
    }
}

impl Newest {
    /// Opens a file to be added to, and looks how it ends.
    fn open(path: &Path) -> io::Result<Newest> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let len = file.metadata()?.len();
        let mut last = [b'\n'];
        if len > 0 {
            file.seek(SeekFrom::Start(len - 1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Newest { file, len, is_torn: last != [b'\n'] })
    }

    /// Ends a line that is torn.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.len += 1;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Adds whole lines. Returns how many bytes of whole lines are written, and what stopped it.
    fn append(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        let (mut at, mut error) = (0, None);
        while at < lines.len() && error.is_none() {
            match self.file.write(&lines[at..]) {
                Ok(0) => error = Some(ErrorKind::WriteZero.into()),
                Ok(n) => at += n,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => error = Some(fault),
            }
        }
        let whole = lines[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_cut = at == whole || self.file.set_len(self.len + whole as u64).is_ok();
        self.len += if is_cut { whole } else { at } as u64;
        self.is_torn = !is_cut;
        (whole, error)
    }
}

/// How long the first line is, its line break included.
fn line_len(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
#[path = "rotating_tests.rs"]
mod tests;
