//! A log of predictions, predicted again: what this package says of the rows, beside what was said.
//!
//! Lines are read one by one, so a log of any size takes the memory of one line and of the counts,
//! which are bounded, too. A line that a kill cut off is counted and passed over; a row that does
//! not match its digest is not believed; a line of another schema ends it. Rows are checked by the
//! rules of the package that predicts now, so that it may refuse what another one took. Knows no
//! files and prints nothing.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ml::package::{Package, Prediction};
use crate::serve::batch::{Found, Splitter};
use crate::serve::complaint;
use crate::serve::errors::{Entry, Loc, Problem};
use crate::serve::metrics::OTHER;
use crate::serve::policy::Policy;
use crate::serve::predictions::{Line, SCHEMA};
use crate::serve::validation::{Row, Rows, Validator};

/// The schema of a row that was predicted again.
const ROW_SCHEMA: &str = "pipeline.replayed/1";

/// The longest line that is read. A service that takes bodies as large as that has other worries.
const MAX_LINE: usize = 64 << 20;

/// How many bytes are read at once.
const STEP: usize = 64 << 10;

/// How many versions are told apart, and how many reasons.
const MAX_TOLD: usize = 1000;

/// A log that is being predicted again.
pub struct Replay<'p> {
    package: &'p Package,
    validator: Validator,
    counts: Counts,
    versions: BTreeMap<String, Sums>,
    /// Under field and type.
    reasons: BTreeMap<(String, &'static str), Reason>,
}

/// What lines there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub lines: u64,
    /// Those that were cut off.
    pub torn: u64,
    /// Those whose row does not match its digest.
    pub altered: u64,
    /// Those without a row, so that there is nothing to predict.
    pub without_input: u64,
}

/// What came of a log.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What lines there were.
    pub counts: Counts,
    /// Of all rows.
    pub all: Compared,
    /// By the version that had answered.
    pub versions: BTreeMap<String, Compared>,
    /// Why rows were refused, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// What is said now beside what was said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// How many rows were predicted again.
    pub predicted: u64,
    /// Those of them with the very bits of the probability, and the same class.
    pub same: u64,
    /// Those with another class.
    pub class_changed: u64,
    /// How many rows were refused.
    pub refused: u64,
    /// The mean of the new probability less the old one; none without rows.
    pub mean_difference: Option<f64>,
    /// The mean size of that.
    pub mean_absolute_difference: Option<f64>,
    /// The largest size of that.
    pub max_absolute_difference: Option<f64>,
}

/// Why rows were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The field; `other` where it is none, or where there are too many to tell.
    pub field: String,
    /// The type of the error, as a 422 has it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How many rows.
    pub rows: u64,
    /// A sentence about the first of them.
    pub message: String,
}

/// Why a log could not be read to its end.
#[derive(Debug)]
pub enum Unread {
    /// Reading it, or writing rows, failed.
    Io(io::Error),
    /// A line is none of a log of predictions that this program knows.
    Foreign {
        /// Its number, from 1.
        line: u64,
        /// What it is instead.
        what: String,
    },
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Io(error)
    }
}

/// `Compared` while there may be more.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    predicted: u64,
    same: u64,
    class_changed: u64,
    refused: u64,
    difference: f64,
    absolute: f64,
    max: f64,
}

/// A row that was predicted again.
#[derive(Serialize)]
struct Again<'a> {
    schema: &'static str,
    time: &'a str,
    request_id: &'a str,
    row: u64,
    input_digest: &'a str,
    old: Said<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Said<'a>>,
    #[serde(skip_serializing_if = "<[Entry]>::is_empty")]
    errors: &'a [Entry],
}

/// What a version said.
#[derive(Serialize)]
struct Said<'a> {
    model_version: &'a str,
    prediction: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
}

impl<'p> Replay<'p> {
    /// Nothing has been read yet.
    pub fn new(package: &'p Package, policy: Policy) -> Replay<'p> {
        let validator = Validator::new(package.schema(), policy);
        let (versions, reasons) = (BTreeMap::new(), BTreeMap::new());
        Replay { package, validator, counts: Counts::default(), versions, reasons }
    }

    /// Reads a file of a log. Where rows are wanted, each is written as a line of JSON.
    ///
    /// # Errors
    /// When reading or writing fails, or a line is of something else.
    pub fn read(
        &mut self,
        log: &mut dyn Read,
        mut rows: Option<&mut dyn Write>,
    ) -> Result<(), Unread> {
        let mut splitter = Splitter::new(MAX_LINE, false);
        let (mut bytes, mut number) = (vec![0; STEP], 0);
        loop {
            let n = log.read(&mut bytes)?;
            let mut rest = &bytes[..n];
            while let Some(found) = splitter.next(&mut rest) {
                number += 1;
                self.take(number, &found, &mut rows)?;
            }
            if n == 0 {
                break;
            }
        }
        splitter.rest().map_or(Ok(()), |found| self.take(number + 1, &found, &mut rows))
    }

    /// What came of it.
    pub fn report(self) -> Report {
        let mut all = Sums::default();
        self.versions.values().for_each(|sums| all.add(sums));
        let mut reasons: Vec<Reason> = self.reasons.into_values().collect();
        // Stable: those that are as frequent stay in the order of their fields.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.rows));
        let versions = self.versions.into_iter();
        Report {
            counts: self.counts,
            all: all.compared(),
            versions: versions.map(|(version, sums)| (version, sums.compared())).collect(),
            reasons,
        }
    }

    fn take(
        &mut self,
        number: u64,
        found: &Found<'_>,
        rows: &mut Option<&mut dyn Write>,
    ) -> Result<(), Unread> {
        let text = match found {
            Found::Whole(text) if text.trim_ascii().is_empty() => return Ok(()),
            Found::Whole(text) => Some(*text),
            Found::TooLong => None,
        };
        self.counts.lines += 1;
        let line = text.map(|text| line(number, text)).transpose()?.flatten();
        let Some(line) = line else {
            self.counts.torn += 1;
            return Ok(());
        };
        if line.probability.is_none() == self.package.task().decision().is_some() {
            let what = "what a package of another task predicted".to_owned();
            return Err(Unread::Foreign { line: number, what });
        }
        let Some(input) = line.input.map(|input| input.get()) else {
            self.counts.without_input += 1;
            return Ok(());
        };
        if blake3::hash(input.as_bytes()).to_hex().as_str() != line.input_digest {
            self.counts.altered += 1;
            return Ok(());
        }
        let row = self.row(input);
        let outcome = row.and_then(|row| predict(self.package, &row));
        self.count(&line, &outcome);
        if let Some(rows) = rows {
            write(&line, &outcome, self.package.version(), *rows)?;
        }
        Ok(())
    }

    /// The row of a line, if this package takes it.
    fn row(&self, input: &str) -> Result<Row, Problem> {
        match self.validator.read(input.as_bytes())? {
            Rows::One(row) => Ok(row),
            Rows::Many(_) => Err(Problem::unprocessable(complaint::not_a_record())),
        }
    }

    fn count(&mut self, line: &Line<'_>, outcome: &Result<Prediction<'_>, Problem>) {
        let is_told =
            self.versions.len() < MAX_TOLD || self.versions.contains_key(&*line.model_version);
        let version = if is_told { &line.model_version } else { OTHER };
        let sums = self.versions.entry(version.to_owned()).or_default();
        match outcome {
            Ok(prediction) => sums.compare(line, prediction),
            Err(problem) => {
                sums.refused += 1;
                problem.entries.iter().for_each(|entry| self.explain(entry));
            }
        }
    }

    /// Counts why a row was refused.
    fn explain(&mut self, entry: &Entry) {
        let field = match entry.loc.as_slice() {
            [_, .., Loc::Name(name)] => name,
            _ => OTHER,
        };
        let key = (field.to_owned(), entry.kind);
        let is_told = self.reasons.len() < MAX_TOLD || self.reasons.contains_key(&key);
        let (field, kind) = if is_told { key } else { (OTHER.to_owned(), OTHER) };
        let new = || Reason { field: field.clone(), kind, rows: 0, message: entry.message.clone() };
        self.reasons.entry((field.clone(), kind)).or_insert_with(new).rows += 1;
    }
}

impl Sums {
    fn compare(&mut self, line: &Line<'_>, now: &Prediction<'_>) {
        let before = score(line);
        let is_class_same = match now {
            Prediction::Class { class, .. } => **class == *line.prediction,
            // Of a number it is the difference that tells.
            Prediction::Number(_) => true,
        };
        let is_same = is_class_same && now.score().to_bits() == before.to_bits();
        let difference = now.score() - before;
        self.predicted += 1;
        self.same += u64::from(is_same);
        self.class_changed += u64::from(!is_class_same);
        self.difference += difference;
        self.absolute += difference.abs();
        self.max = self.max.max(difference.abs());
    }

    fn add(&mut self, other: &Sums) {
        self.predicted += other.predicted;
        self.same += other.same;
        self.class_changed += other.class_changed;
        self.refused += other.refused;
        self.difference += other.difference;
        self.absolute += other.absolute;
        self.max = self.max.max(other.max);
    }

    fn compared(self) -> Compared {
        let Sums { predicted, same, class_changed, refused, difference, absolute, max } = self;
        let of_all = |x: f64| (predicted > 0).then_some(x);
        Compared {
            predicted,
            same,
            class_changed,
            refused,
            mean_difference: of_all(difference / predicted as f64),
            mean_absolute_difference: of_all(absolute / predicted as f64),
            max_absolute_difference: of_all(max),
        }
    }
}

fn predict<'p>(package: &'p Package, row: &Row) -> Result<Prediction<'p>, Problem> {
    let prediction = package.predict(&row.cells);
    match prediction.score().is_finite() {
        true => Ok(prediction),
        false => Err(Problem::internal()),
    }
}

/// The number by which rows are told apart: the probability, or the number that was predicted.
fn score(line: &Line<'_>) -> f64 {
    line.probability.or_else(|| line.prediction.as_f64()).unwrap_or(f64::NAN)
}

/// A line, unless it was cut off: half an object is no JSON.
fn line(number: u64, text: &[u8]) -> Result<Option<Line<'_>>, Unread> {
    #[derive(Deserialize)]
    struct Named {
        schema: String,
    }
    match serde_json::from_slice::<Line<'_>>(text) {
        Ok(line) if line.schema == SCHEMA => return Ok(Some(line)),
        Err(error) if error.is_syntax() || error.is_eof() => return Ok(None),
        _ => {}
    }
    let what = match serde_json::from_slice::<Named>(text) {
        Ok(Named { schema }) if schema == SCHEMA => format!("no whole `{SCHEMA}`"),
        Ok(Named { schema }) => {
            let schema: String = schema.chars().take(64).collect();
            format!("of the schema `{schema}`, and not `{SCHEMA}`")
        }
        Err(_) => "no line of a log of predictions".to_owned(),
    };
    Err(Unread::Foreign { line: number, what })
}

/// Writes what was said, and what is said now.
fn write(
    line: &Line<'_>,
    outcome: &Result<Prediction<'_>, Problem>,
    version: &str,
    rows: &mut dyn Write,
) -> io::Result<()> {
    let said =
        |model_version, class, probability| Said { model_version, prediction: class, probability };
    let now = outcome.as_ref().ok().map(|now| (now.value(), now.probability()));
    let again = Again {
        schema: ROW_SCHEMA,
        time: &line.time,
        request_id: &line.request_id,
        row: line.row,
        input_digest: &line.input_digest,
        old: said(&line.model_version, &line.prediction, line.probability),
        new: now.as_ref().map(|(value, probability)| said(version, value, *probability)),
        errors: outcome.as_ref().err().map_or(&[], |problem| problem.entries.as_slice()),
    };
    let mut text = serde_json::to_vec(&again)?;
    text.push(b'\n');
    rows.write_all(&text)
}

#[cfg(test)]
mod tests;
