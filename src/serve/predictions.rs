//! The log of predictions: what was said of which row, when, and by which model.
//!
//! A line per record that was predicted, whatever door it came through. It names the row by a
//! digest; the row itself, which may be about a person, is in it only if the operator wants that,
//! and only then can a log be predicted again (`replay`). Lines are made where the prediction is,
//! a microsecond each, and leave by a `journal`, for which no request waits. Knows one prediction
//! at a time and no file.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ml::package::Prediction;
use crate::serve::canonical::Canonical;
use crate::serve::journal::rotating::{Bounds, Rotating, Unopened, numbered};
use crate::serve::journal::{Journal, News};
use crate::serve::validation::Row;

/// The schema of a line.
pub(crate) const SCHEMA: &str = "pipeline.prediction/1";

/// How the names of the files begin.
const STEM: &str = "predictions";

/// What a line has beside a row that is written out, roughly.
const USUAL_LINE: usize = 512;

/// How predictions are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The directory, which is made if it is not there.
    pub dir: PathBuf,
    /// Whether rows are written out, so that they can be predicted again.
    pub with_input: bool,
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// The most files, at least 1; beyond that the oldest is removed.
    pub keep: usize,
}

/// A log of predictions that is being written.
#[derive(Clone, Debug)]
pub struct Predictions {
    journal: Journal,
    with_input: bool,
}

/// A line. What is not known of it is passed over, so that later programs may say more.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'l> {
    /// `SCHEMA`.
    #[serde(borrow)]
    pub(crate) schema: Cow<'l, str>,
    /// When it was predicted: RFC 3339, UTC, in microseconds.
    #[serde(borrow)]
    pub(crate) time: Cow<'l, str>,
    /// That of the answer.
    #[serde(borrow)]
    pub(crate) request_id: Cow<'l, str>,
    /// Which record of the request it is, from 1.
    pub(crate) row: u64,
    #[serde(borrow)]
    pub(crate) model_version: Cow<'l, str>,
    /// Of the canonical text of the row.
    #[serde(borrow)]
    pub(crate) input_digest: Cow<'l, str>,
    /// The class, or the number.
    pub(crate) prediction: Cow<'l, Value>,
    /// The probability of the positive class; a number has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// How many warnings the row came with.
    pub(crate) warnings: usize,
    /// The canonical text of the row, where rows are logged.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<&'l RawValue>,
}

impl Predictions {
    /// Begins to log, or goes on with the log that is there. `tell` is called by another thread.
    ///
    /// # Errors
    /// When another service writes there, or nothing can be written there.
    pub fn open(
        logging: Logging,
        tell: impl Fn(&News) + Send + 'static,
    ) -> Result<Predictions, Unopened> {
        let Logging { dir, with_input, max_bytes, keep } = logging;
        let files = Rotating::open(Bounds { dir, stem: STEM, max_bytes, keep })?;
        Ok(Predictions { journal: Journal::start(files, tell)?, with_input })
    }

    /// The files of the log in a directory, the oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
        let found = numbered(dir, STEM)?;
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// How many lines are written.
    pub(crate) fn written(&self) -> u64 {
        self.journal.written()
    }

    /// How many predictions are not in the log: for want of room in memory, or on the disk.
    pub fn dropped(&self) -> u64 {
        self.journal.dropped()
    }

    /// Ends the log, and waits until all of it is on the disk, but not for ever. Returns whether it
    /// is.
    pub fn close(&self, patience: Duration) -> bool {
        self.journal.close(patience)
    }
}

/// Where predictions are noted, and how rows of the package that answers are written.
#[derive(Clone, Copy)]
pub(crate) struct Notes<'n> {
    pub(crate) log: &'n Predictions,
    pub(crate) canonical: &'n Canonical,
}

impl Notes<'_> {
    /// Notes a prediction of a row, under the id of the answer.
    pub(crate) fn take(
        self,
        row: &Row,
        prediction: &Prediction<'_>,
        version: &str,
        request_id: &str,
    ) {
        let log = self.log;
        let mut input = Vec::with_capacity(USUAL_LINE);
        self.canonical.write(&row.cells, &mut input);
        let digest = blake3::hash(&input).to_hex();
        let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let line = Line {
            schema: SCHEMA.into(),
            time: time.into(),
            request_id: request_id.into(),
            row: row.number,
            model_version: version.into(),
            input_digest: digest.as_str().into(),
            prediction: prediction.value(),
            probability: prediction.probability(),
            warnings: row.warnings.len() + row.more_warnings,
            input: None,
        };
        let mut text = Vec::with_capacity(2 * USUAL_LINE);
        if serde_json::to_writer(&mut text, &line).is_err() {
            // Nothing in it fails to be JSON.
            return;
        }
        if log.with_input && text.pop() == Some(b'}') {
            // As it stands: to go through `RawValue` would be to read it all again.
            text.extend_from_slice(b",\"input\":");
            text.extend_from_slice(&input);
            text.push(b'}');
        }
        log.journal.append(&text);
    }
}
