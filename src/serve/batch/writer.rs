//! What is written for one record: its number, and a prediction or what is wrong.
//!
//! JSON lines say all that `/predict` says. A line of CSV, or a row of Parquet, has no place for
//! lists, so that what is wrong with a record becomes one text.

use serde::Serialize;
use serde_json::Value;

use super::Format;
use crate::ml::package::Task;
use crate::ml::results::Line;
use crate::serve::errors::{Entry, Problem};
use crate::serve::scorer::Answer;

/// The answer to a record, or why there is none.
pub(super) type Outcome<'s> = Result<Answer<'s>, Problem>;

/// The first line of answers in CSV: numbers have no column of probabilities.
pub(super) fn csv_header(task: &Task) -> &'static str {
    match task {
        Task::Classes(_) => "row,prediction,probability,model_version,error,warning\r\n",
        Task::Number => "row,prediction,model_version,error,warning\r\n",
    }
}

/// The most sentences that a text of CSV joins.
const MAX_JOINED: usize = 8;

#[derive(Serialize)]
struct Good<'a, 's> {
    row: u64,
    #[serde(flatten)]
    answer: &'a Answer<'s>,
}

#[derive(Serialize)]
struct Bad<'a> {
    row: u64,
    errors: &'a [Entry],
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The row of a record in Parquet.
pub(super) fn line<'a>(row: u64, outcome: &'a Outcome<'_>) -> Line<'a> {
    match outcome {
        Ok(Answer { prediction, probability, model_version, warnings, .. }) => Line {
            row,
            prediction: Some(prediction),
            probability: *probability,
            model_version: Some(model_version),
            warning: joined(warnings),
            ..Line::default()
        },
        Err(problem) => Line { row, error: joined(&problem.entries), ..Line::default() },
    }
}

/// Appends the line of a record, which a package of a task answered; rows of Parquet are no lines.
pub(super) fn write(
    format: Format,
    task: &Task,
    row: u64,
    outcome: &Outcome<'_>,
    out: &mut Vec<u8>,
) {
    match (format, outcome) {
        (Format::Parquet, _) => {}
        (Format::JsonLines, Ok(answer)) => json_line(&Good { row, answer }, out),
        (Format::JsonLines, Err(Problem { entries, omitted, .. })) => {
            json_line(&Bad { row, errors: entries, omitted: *omitted }, out);
        }
        (Format::Csv, Ok(answer)) => {
            let Answer { prediction, probability, model_version, warnings, .. } = answer;
            let mut prediction = csv_value(prediction);
            if let Some(probability) = probability {
                prediction.push_str(&format!(",{}", Value::from(*probability)));
            }
            let warning = quoted(&joined(warnings));
            let line = format!("{row},{prediction},{model_version},,{warning}\r\n");
            out.extend_from_slice(line.as_bytes());
        }
        (Format::Csv, Err(problem)) => {
            let error = quoted(&joined(&problem.entries));
            let nothing = match task {
                Task::Classes(_) => ",,,",
                Task::Number => ",,",
            };
            out.extend_from_slice(format!("{row}{nothing},{error},\r\n").as_bytes());
        }
    }
}

fn json_line(line: &impl Serialize, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, line).is_err() {
        // Nothing here fails to be JSON; half a line would spoil the next one.
        out.truncate(before);
        out.extend_from_slice(b"{}");
    }
    out.push(b'\n');
}

fn joined(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries.iter().take(MAX_JOINED) {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&entry.message);
    }
    if entries.len() > MAX_JOINED {
        text.push_str("; and more");
    }
    text
}

/// A scalar as a field of CSV.
pub(crate) fn csv_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text as a field of CSV, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}
