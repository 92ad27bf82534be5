//! The directory in which comparisons are kept: the rows that differ, and a summary per pair.
//!
//! ```text
//! DIR/differences-000001.jsonl     rows that differ, a document per line, oldest file first
//! DIR/CHAMPION-CHALLENGER.json     the summary of two versions
//! DIR/lock                         held by the service that writes
//! ```
//!
//! A line goes out in one write, so that a killed process leaves whole lines; what a power cut may
//! have torn off is cut back before the next line. Files are bounded in size and number: the oldest
//! goes when another one begins. A summary is written beside and renamed. What an earlier process
//! has counted of a pair is added to, so that a restart loses at most what was not written yet.
//! What cannot be written is told (`Trouble`), never waited for. Knows no model.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::summary::Summary;
use crate::ml::json;

/// How the names of files of differences begin and end; between them stands a number.
const NAME: (&str, &str) = ("differences-", ".jsonl");

/// The file whose lock says that a service writes.
const LOCK: &str = "lock";

/// Where differences are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The directory, which is made if it is not there.
    pub dir: PathBuf,
    /// The largest file of differences, in bytes; a line that is longer has a file of its own.
    pub max_bytes: u64,
    /// The most files of differences, at least 1.
    pub max_files: usize,
    /// Whether a difference is kept with the record that it is of.
    pub inputs: bool,
}

/// What could not be written.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    lost: AtomicU64,
    last: Mutex<Option<(String, SystemTime)>>,
}

impl Trouble {
    /// How many lines and summaries were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Why the last write failed and when; nothing once one has succeeded again.
    pub(crate) fn last(&self) -> Option<(String, SystemTime)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a write went.
    fn note(&self, written: &io::Result<()>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match written {
            Ok(()) => None,
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                // The kind alone: no path is a client's business.
                let reason = format!("differences cannot be written: {}", error.kind());
                Some((reason, SystemTime::now()))
            }
        };
    }
}

/// Writes what is kept.
pub(crate) struct Journal {
    kept: Kept,
    /// The number of the file that is written to.
    number: u64,
    file: File,
    len: u64,
    /// What earlier processes counted of the pairs that this one has written.
    before: BTreeMap<(String, String), Option<Summary>>,
    /// What was written last.
    written: BTreeMap<(String, String), Summary>,
    /// Held as long as this is.
    _lock: File,
}

impl Journal {
    /// Goes on in a directory.
    ///
    /// # Errors
    /// `ResourceBusy` when another service writes there; else what making, locking or reading the
    /// directory gives.
    pub(crate) fn open(kept: Kept) -> io::Result<Journal> {
        fs::create_dir_all(&kept.dir)?;
        let options = OpenOptions::new().create(true).truncate(false).write(true).to_owned();
        let lock = options.open(kept.dir.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ErrorKind::ResourceBusy.into(),
            TryLockError::Error(error) => error,
        })?;
        let number = numbers(&kept.dir)?.last().copied().unwrap_or(1);
        let (file, len) = open(&path(&kept.dir, number))?;
        let (before, written) = (BTreeMap::new(), BTreeMap::new());
        Ok(Journal { kept, number, file, len, before, written, _lock: lock })
    }

    /// Whether records are to be kept, too.
    pub(crate) fn wants_inputs(&self) -> bool {
        self.kept.inputs
    }

    /// Keeps a difference.
    pub(crate) fn tell(&mut self, document: &serde_json::Value, trouble: &Trouble) {
        trouble.note(&self.append(format!("{document}\n").as_bytes()));
    }

    /// Keeps the summaries that have changed since they were kept last.
    pub(crate) fn save(&mut self, summaries: &[Summary], trouble: &Trouble) {
        for summary in summaries {
            let pair = (summary.champion.clone(), summary.challenger.clone());
            let is_new = self.written.get(&pair) != Some(summary);
            if is_new && (summary.until.is_some() || summary.rows.dropped > 0) {
                let written = self.replace(&pair, summary);
                trouble.note(&written);
                if written.is_ok() {
                    self.written.insert(pair, summary.clone());
                }
            }
        }
        // Of a pair that is no longer told of, the file has all; if it comes back, it begins anew.
        let is_told = |pair: &(String, String)| {
            summaries.iter().any(|of| (&of.champion, &of.challenger) == (&pair.0, &pair.1))
        };
        self.written.retain(|pair, _| is_told(pair));
        self.before.retain(|pair, _| is_told(pair));
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.len > 0 && self.len + line.len() as u64 > self.kept.max_bytes {
            self.turn()?;
        }
        if let Err(error) = self.file.write_all(line) {
            // Half a line would spoil the next one.
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += line.len() as u64;
        Ok(())
    }

    /// Begins another file, and lets the oldest go.
    fn turn(&mut self) -> io::Result<()> {
        let next = self.number + 1;
        (self.file, self.len) = open(&path(&self.kept.dir, next))?;
        self.number = next;
        let numbers = numbers(&self.kept.dir)?;
        let excess = numbers.len().saturating_sub(self.kept.max_files);
        numbers[..excess].iter().try_for_each(|old| fs::remove_file(path(&self.kept.dir, *old)))
    }

    fn replace(&mut self, pair: &(String, String), summary: &Summary) -> io::Result<()> {
        let name = Summary::file_name(&pair.0, &pair.1);
        let target = self.kept.dir.join(&name);
        let read = || Summary::read(&target);
        let before = self.before.entry(pair.clone()).or_insert_with(read);
        let all = before.as_ref().map_or_else(|| summary.clone(), |before| before.plus(summary));
        let bytes = json::to_bytes(&all).map_err(io::Error::other)?;
        // One name, so that nothing is left behind but what the next one replaces.
        let beside = self.kept.dir.join(format!(".{name}"));
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&beside, &target)
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    let (begin, end) = NAME;
    dir.join(format!("{begin}{number:06}{end}"))
}

/// The numbers of the files of differences, sorted.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let (begin, end) = NAME;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(begin)?.strip_suffix(end));
        numbers.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a file to go on behind its last whole line.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let options = OpenOptions::new().create(true).read(true).append(true).to_owned();
    let mut file = options.open(path)?;
    let len = whole(&mut file)?;
    file.set_len(len)?;
    Ok((file, len))
}

/// How long a file is up to the end of its last whole line.
fn whole(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(end - begin).read_to_end(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::super::tally::{Scores, Tally, Verdict};
    use super::*;

    fn kept(dir: &TempDir, max_bytes: u64) -> Kept {
        Kept { dir: dir.path().join("kept"), max_bytes, max_files: 3, inputs: false }
    }

    /// All lines, in the order of the files.
    fn lines(kept: &Kept) -> Vec<String> {
        let numbers = numbers(&kept.dir).unwrap();
        let texts = numbers.iter().map(|n| fs::read_to_string(path(&kept.dir, *n)).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn compared(tally: &Tally, n: usize) {
        let scores = Scores { is_positive: [false, true], probability: [0.25, 0.75] };
        (0..n).for_each(|_| tally.count(&Verdict::Compared(scores), SystemTime::now()));
    }

    #[test]
    fn files_are_bounded_and_the_newest_lines_stay() {
        let (dir, trouble) = (tempfile::tempdir().unwrap(), Trouble::default());
        let kept = kept(&dir, 40);
        let mut journal = Journal::open(kept.clone()).unwrap();
        // Two lines of 17 bytes fit into a file.
        (10..30).for_each(|i| journal.tell(&json!({"row": i, "is": 1}), &trouble));
        let expected: Vec<_> = (24..30).map(|i| format!("{{\"is\":1,\"row\":{i}}}")).collect();
        assert_eq!(lines(&kept), expected);
        assert!(numbers(&kept.dir).unwrap().len() == 3 && trouble.lost() == 0);
        // A line that is too long for any has one of its own.
        journal.tell(&json!("x".repeat(100)), &trouble);
        journal.tell(&json!("y"), &trouble);
        assert_eq!(lines(&kept).len(), 4);
    }

    #[test]
    fn a_torn_line_is_cut_back_and_the_file_is_gone_on_with() {
        let (dir, trouble) = (tempfile::tempdir().unwrap(), Trouble::default());
        let kept = kept(&dir, 1 << 20);
        let mut journal = Journal::open(kept.clone()).unwrap();
        journal.tell(&json!(1), &trouble);
        drop(journal);
        let torn = format!("{}{}", fs::read_to_string(path(&kept.dir, 1)).unwrap(), "2".repeat(99));
        fs::write(path(&kept.dir, 1), torn).unwrap();
        Journal::open(kept.clone()).unwrap().tell(&json!(3), &trouble);
        assert_eq!(lines(&kept), ["1", "3"]);
    }

    #[test]
    fn one_service_at_a_time_writes_to_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Journal::open(kept(&dir, 100)).unwrap();
        let second = Journal::open(kept(&dir, 100)).err().unwrap();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        drop(first);
        assert!(Journal::open(kept(&dir, 100)).is_ok());
    }

    #[test]
    fn a_summary_goes_on_over_restarts_and_what_is_none_is_replaced() {
        let (dir, trouble) = (tempfile::tempdir().unwrap(), Trouble::default());
        let kept = kept(&dir, 100);
        let file = kept.dir.join("a-b.json");
        let rows = |expected: u64| {
            let found = super::super::summary::summaries(&kept.dir).unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].rows.compared, expected);
            assert_eq!(found[0].changed.to_positive, expected);
            assert_eq!(found[0].difference.mean, Some(0.5));
        };
        for restart in 1..=3 {
            let mut journal = Journal::open(kept.clone()).unwrap();
            let tally = Tally::new("a", "b");
            journal.save(&[tally.summary()], &trouble);
            compared(&tally, 2);
            journal.save(&[tally.summary()], &trouble);
            compared(&tally, 3);
            journal.save(&[tally.summary()], &trouble);
            rows(restart * 5);
        }
        fs::write(&file, "{}").unwrap();
        let mut journal = Journal::open(kept.clone()).unwrap();
        let tally = Tally::new("a", "b");
        compared(&tally, 1);
        journal.save(&[tally.summary()], &trouble);
        rows(1);
        assert_eq!(trouble.last(), None);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_forgotten_once_it_can() {
        let (dir, trouble) = (tempfile::tempdir().unwrap(), Trouble::default());
        let kept = kept(&dir, 100);
        let mut journal = Journal::open(kept.clone()).unwrap();
        let tally = Tally::new("a", "b");
        compared(&tally, 1);
        let away = kept.dir.with_extension("away");
        fs::rename(&kept.dir, &away).unwrap();
        journal.save(&[tally.summary()], &trouble);
        let (reason, _) = trouble.last().unwrap();
        assert_eq!(reason, "differences cannot be written: entity not found");
        fs::rename(&away, &kept.dir).unwrap();
        journal.save(&[tally.summary()], &trouble);
        assert_eq!((trouble.last(), trouble.lost()), (None, 1));
        assert!(kept.dir.join("a-b.json").exists());
    }
}
