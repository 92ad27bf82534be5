//! The directory in which comparisons are kept: the rows that differ, and a summary per pair.
//!
//! ```text
//! DIR/differences-00000001.jsonl   rows that differ, a document per line, oldest file first
//! DIR/CHAMPION-CHALLENGER.json     the summary of two versions
//! DIR/differences.lock             held by the service that writes
//! ```
//!
//! Lines are written as those of the log of predictions are (`journal/rotating`), by the thread
//! that compares: files are bounded in size and number, and a line that was torn off spoils no
//! other. A summary is written beside and renamed. What an earlier process has counted of a pair is
//! added to, so that a restart loses at most what was not written yet. What cannot be written is
//! told (`Trouble`), never waited for. Knows no model.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::summary::Summary;
use crate::ml::json;
use crate::serve::journal::Sink as _;
use crate::serve::journal::rotating::{Bounds, Rotating, Unopened};

/// How the names of files of differences begin.
const STEM: &str = "differences";

/// Where differences are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The directory, which is made if it is not there.
    pub dir: PathBuf,
    /// The largest file of differences, in bytes; a line that is longer is lost.
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
    rows: Rotating,
    /// What earlier processes counted of the pairs that this one has written.
    before: BTreeMap<(String, String), Option<Summary>>,
    /// What was written last.
    written: BTreeMap<(String, String), Summary>,
}

impl Journal {
    /// Goes on in a directory.
    ///
    /// # Errors
    /// `ResourceBusy` when another service writes there; else what making, locking or reading the
    /// directory gives.
    pub(crate) fn open(kept: Kept) -> io::Result<Journal> {
        let Kept { dir, max_bytes, max_files: keep, .. } = kept.clone();
        let rows = Rotating::open(Bounds { dir, stem: STEM, max_bytes, keep });
        let rows = rows.map_err(|error| match error {
            Unopened::Busy => ErrorKind::ResourceBusy.into(),
            Unopened::Io(error) => error,
        })?;
        Ok(Journal { kept, rows, before: BTreeMap::new(), written: BTreeMap::new() })
    }

    /// Whether records are to be kept, too.
    pub(crate) fn wants_inputs(&self) -> bool {
        self.kept.inputs
    }

    /// Keeps a difference.
    pub(crate) fn tell(&mut self, document: &serde_json::Value, trouble: &Trouble) {
        trouble.note(&self.rows.add(format!("{document}\n").as_bytes()));
    }

    /// Keeps the summaries that have changed since they were kept last, and has the rows before
    /// them reach the disk.
    pub(crate) fn save(&mut self, summaries: &[Summary], trouble: &Trouble) {
        if let Err(error) = self.rows.flush() {
            trouble.note(&Err(error));
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::super::tally::{Scores, Tally, Verdict};
    use super::*;
    use crate::serve::journal::rotating::numbered;

    fn kept(dir: &TempDir, max_bytes: u64) -> Kept {
        Kept { dir: dir.path().join("kept"), max_bytes, max_files: 3, inputs: false }
    }

    /// All lines, in the order of the files.
    fn lines(kept: &Kept) -> Vec<String> {
        let files = numbered(&kept.dir, STEM).unwrap();
        let texts = files.iter().map(|(_, path)| fs::read_to_string(path).unwrap());
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
        assert_eq!((numbered(&kept.dir, STEM).unwrap().len(), trouble.lost()), (3, 0));
        // A line that is too long for any is lost, and told.
        journal.tell(&json!("x".repeat(100)), &trouble);
        assert_eq!((lines(&kept), trouble.lost()), (expected, 1));
        assert_eq!(trouble.last().unwrap().0, "differences cannot be written: file too large");
        journal.tell(&json!("y"), &trouble);
        // It fits behind no two lines of 18 bytes, and two of them go with the oldest file.
        assert_eq!((lines(&kept).len(), trouble.last()), (5, None));
    }

    #[test]
    fn a_torn_line_is_ended_and_the_file_is_gone_on_with() {
        let (dir, trouble) = (tempfile::tempdir().unwrap(), Trouble::default());
        let kept = kept(&dir, 1 << 20);
        let mut journal = Journal::open(kept.clone()).unwrap();
        journal.tell(&json!(1), &trouble);
        drop(journal);
        let (_, path) = numbered(&kept.dir, STEM).unwrap().remove(0);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"half").unwrap();
        Journal::open(kept.clone()).unwrap().tell(&json!(3), &trouble);
        assert_eq!(lines(&kept), ["1", "{\"half", "3"]);
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
