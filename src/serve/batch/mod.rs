//! Many records, one answer each: a file of any size through a bounded memory. (Of Parquet the
//! file itself is held, by `upload`, because what it says of its contents stands at its end.)
//!
//! Bytes go in as they come, answers come out as they are made, in the order of the records and
//! each with its number. A record that is wrong has an answer that says so, and the others have
//! theirs. Only a CSV header can be wrong for all of them. Knows neither HTTP nor files: `stream`
//! puts it behind a request, `offline` behind a verb.

mod columns;
pub(crate) mod offline;
mod splitter;
mod stream;
pub(crate) mod upload;
mod writer;

use std::borrow::Cow;

use crate::ml::csv;
use crate::ml::package::Task;
use crate::ml::results::Results;
use crate::serve::body::PARQUET;
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::scorer::Scorer;
use crate::serve::validation::{Row, Rows};

pub(crate) use columns::Columns;
pub(crate) use splitter::{Found, Splitter};
pub(crate) use stream::Answers;
use writer::Outcome;
pub(crate) use writer::csv_value;

/// When so many bytes are to be sent, no more records are taken.
const ENOUGH: usize = 64 << 10;

/// How records, or answers, are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values with a header, by RFC 4180.
    Csv,
    /// A Parquet file. Records are never read in it: `upload` makes JSON lines of them.
    Parquet,
}

impl Format {
    /// The media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::JsonLines => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Parquet => PARQUET,
        }
    }
}

/// What is wanted of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How the records are written.
    pub input: Format,
    /// How the answers are to be written.
    pub output: Format,
    /// Whether each answer says what each field adds; only in JSON lines.
    pub explain: bool,
    /// The longest record, in bytes.
    pub max_record_bytes: usize,
}

/// How many records there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub records: u64,
    /// Those that were not predicted.
    pub failed: u64,
}

/// A batch under way.
pub(crate) struct Batch {
    wanted: Wanted,
    splitter: Splitter,
    columns: Option<Columns>,
    counts: Counts,
    is_first_record: bool,
    /// The file that is written, of answers in Parquet.
    results: Option<Results>,
}

impl Batch {
    pub(crate) fn new(wanted: Wanted) -> Batch {
        Batch {
            splitter: Splitter::new(wanted.max_record_bytes, wanted.input == Format::Csv),
            wanted,
            columns: None,
            counts: Counts::default(),
            is_first_record: true,
            results: None,
        }
    }

    /// Whether a wrong header can still come.
    pub(crate) fn awaits_header(&self) -> bool {
        self.wanted.input == Format::Csv && self.columns.is_none()
    }

    /// How many records there were so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes of the next bytes as many as it wants, and appends the answers to the records that end
    /// in them. Returns how many it took: a short record may have a long answer, so that it stops
    /// when there is enough to be sent.
    ///
    /// # Errors
    /// 400 or 422 when the header of a CSV text is wrong; only while `awaits_header`.
    pub(crate) fn push(
        &mut self,
        scorer: Scorer<'_>,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, Problem> {
        let mut rest = bytes;
        // The splitter lends its record, so it is taken out; it is back before any way out.
        let mut splitter = std::mem::take(&mut self.splitter);
        let taken = scorer.many(|scorer| {
            let mut taken = Ok(());
            while taken.is_ok() && !rest.is_empty() && out.len() < ENOUGH {
                let found = splitter.next(&mut rest);
                taken = found.map_or(Ok(()), |found| self.take(scorer, found, out));
            }
            taken
        });
        self.splitter = splitter;
        taken.map(|()| bytes.len() - rest.len())
    }

    /// Takes what is left at the end of the stream.
    ///
    /// # Errors
    /// 400 or 422 when there is no header, or a wrong one; only while `awaits_header`.
    pub(crate) fn finish(&mut self, scorer: Scorer<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.rest().map(|found| self.take(scorer, found, out)).transpose()?;
        if self.awaits_header() {
            return Err(unreadable("the text is empty: a line with the names is expected"));
        }
        self.begin(scorer, out)?;
        match &mut self.results {
            Some(results) => results.finish(out).map_err(|_| Problem::internal()),
            None => Ok(()),
        }
    }

    /// Takes a record, or the header.
    fn take(
        &mut self,
        scorer: Scorer<'_>,
        found: Found<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        // As in a table, where a blank line is a value when there is one column.
        let is_single = self.columns.as_ref().is_some_and(Columns::is_single);
        if let Found::Whole(record) = &found
            && !is_single
            && is_blank(record)
        {
            return Ok(());
        }
        if self.awaits_header() {
            let Found::Whole(record) = found else {
                return Err(unreadable("the header is longer than a record may be"));
            };
            let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
            let header = csv::fields(record, b',').map_err(|error| unreadable(&error.message))?;
            self.columns = Some(Columns::new(scorer.validator, &header)?);
            return Ok(());
        }
        self.begin(scorer, out)?;
        self.counts.records += 1;
        let outcome = match found {
            Found::Whole(record) => self.answer(scorer, record),
            Found::TooLong => {
                let max = self.wanted.max_record_bytes;
                Err(malformed("too_long", format!("the record is longer than {max} bytes")))
            }
        };
        self.counts.failed += u64::from(outcome.is_err());
        let (task, row) = (scorer.package.task(), self.counts.records);
        if let Some(results) = &mut self.results {
            let pushed = results.push(writer::line(row, &outcome), out);
            return pushed.map_err(|_| Problem::internal());
        }
        writer::write(self.wanted.output, task, row, &outcome, out);
        Ok(())
    }

    /// Writes what stands before the first answer.
    fn begin(&mut self, scorer: Scorer<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
        if !std::mem::take(&mut self.is_first_record) {
            return Ok(());
        }
        match self.wanted.output {
            Format::JsonLines => {}
            Format::Csv => {
                out.extend_from_slice(writer::csv_header(scorer.package.task()).as_bytes());
            }
            Format::Parquet => {
                let begun = match scorer.package.task() {
                    Task::Classes(decision) => Results::of_classes(&decision.classes),
                    Task::Number => Results::of_numbers(),
                };
                self.results = Some(begun.map_err(|_| Problem::internal())?);
            }
        }
        Ok(())
    }

    fn answer<'s>(&self, scorer: Scorer<'s>, record: &[u8]) -> Outcome<'s> {
        let row = match &self.columns {
            Some(columns) => texts(scorer, columns, record)?,
            None => match scorer.validator.read(record)? {
                Rows::One(row) => row,
                Rows::Many(_) => {
                    return Err(Problem::unprocessable(crate::serve::complaint::not_a_record()));
                }
            },
        };
        scorer.answer(Row { number: self.counts.records, ..row }, self.wanted.explain)
    }
}

/// A row of CSV.
fn texts(scorer: Scorer<'_>, columns: &Columns, record: &[u8]) -> Result<Row, Problem> {
    let fields =
        csv::fields(record, b',').map_err(|error| malformed("csv_invalid", error.message))?;
    let texts = columns.texts(&fields).map_err(|message| malformed("csv_invalid", message))?;
    let row = scorer.validator.read_texts(&texts)?;
    Ok(Row { ignored: columns.n_ignored(), ..row })
}

/// The records of a whole CSV text, each as its fields, for callers that hold it anyway.
///
/// # Errors
/// 400 with the first record that is none.
pub(crate) fn records(body: &[u8]) -> Result<Vec<Vec<Cow<'_, str>>>, Problem> {
    let mut splitter = Splitter::new(body.len(), true);
    let (mut rest, mut at, mut spans) = (body, 0, Vec::new());
    while !rest.is_empty() {
        let is_whole = splitter.next(&mut rest).is_some();
        let end = body.len() - rest.len();
        spans.extend((is_whole || rest.is_empty()).then_some(at..end));
        at = end;
    }
    let texts = spans.into_iter().map(|span| &body[span]);
    let texts: Vec<&[u8]> = texts.skip_while(|record| is_blank(record)).collect();
    let read = |text| csv::fields(text, b',').map_err(|error| unreadable(&error.message));
    let header = texts.first().copied().map(read).transpose()?;
    let is_single = header.is_some_and(|header| header.len() == 1);
    let wanted = texts.into_iter().filter(|text| is_single || !is_blank(text));
    wanted.map(read).collect()
}

fn is_blank(record: &[u8]) -> bool {
    record.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

/// A text that is no CSV from its start.
fn unreadable(message: &str) -> Problem {
    malformed("csv_invalid", format!("the body is not valid CSV: {message}"))
}

fn malformed(kind: &'static str, message: String) -> Problem {
    let entry = Entry::new(kind, errors::body(), "Record could not be read", message);
    Problem::malformed_entry(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_records_of_a_text_are_those_of_the_reader_of_tables(
            text in "[ab\",\n]{0,30}", header in prop::sample::select(vec!["x,y\n", "x\n"]),
        ) {
            let text = format!("{header}{text}");
            if let Ok(shape) = csv::scan(text.as_bytes(), b',') {
                prop_assert_eq!(records(text.as_bytes()).unwrap().len(), shape.rows + 1);
            }
        }
    }
}
