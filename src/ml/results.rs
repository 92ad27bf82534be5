//! Predictions as a Parquet file, written while they are made.
//!
//! The columns are those of predictions in CSV: `row`, `prediction`, `probability` (of classes),
//! `model_version`, `error` and `warning`. A class has the type that all classes have, or is a
//! text. Rows are held until there are enough for a group, so that memory is bounded however many
//! there are. Knows neither models nor why there is no prediction.

use serde_json::Value;

use super::table::{Column, Table, Values};
use super::table_file::Groups;

/// The most rows of a group.
const GROUP_ROWS: usize = 1 << 14;

/// The most bytes of texts of a group.
const GROUP_BYTES: usize = 1 << 20;

/// What there is to write of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line<'l> {
    /// Its number, from 1.
    pub row: u64,
    /// The class or the number, where there is a prediction.
    pub prediction: Option<&'l Value>,
    /// Of the positive class; a number has none.
    pub probability: Option<f64>,
    /// Which model predicted.
    pub model_version: Option<&'l str>,
    /// Why there is no prediction.
    pub error: String,
    /// What the caller should know of it.
    pub warning: String,
}

/// A file of predictions under way.
pub struct Results {
    groups: Groups,
    held: Held,
}

/// The rows of a group, column by column.
struct Held {
    row: Vec<Option<i64>>,
    prediction: Said,
    /// Of numbers there is no such column.
    probability: Option<Vec<f64>>,
    model_version: Vec<Option<String>>,
    error: Vec<Option<String>>,
    warning: Vec<Option<String>>,
    n_bytes: usize,
}

/// What is predicted, by the type that all of it has.
enum Said {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Number(Vec<f64>),
    Text(Vec<Option<String>>),
}

impl Results {
    /// Begins a file of predictions of these classes.
    ///
    /// # Errors
    /// None that is known of: Parquet has these columns.
    pub fn of_classes(classes: &[Value]) -> anyhow::Result<Results> {
        Results::begin(Held::of(classes))
    }

    /// Begins a file of predictions that are numbers.
    ///
    /// # Errors
    /// None that is known of: Parquet has these columns.
    pub fn of_numbers() -> anyhow::Result<Results> {
        Results::begin(Held {
            prediction: Said::Number(Vec::new()),
            probability: None,
            ..Held::of(&[])
        })
    }

    fn begin(held: Held) -> anyhow::Result<Results> {
        Ok(Results { groups: Groups::begin(&held.emptied().table()?)?, held })
    }

    /// Takes a row, and appends the bytes that are complete with it, usually none.
    ///
    /// # Errors
    /// None that is known of.
    pub fn push(&mut self, line: Line<'_>, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.held.push(line);
        if self.held.row.len() < GROUP_ROWS && self.held.n_bytes < GROUP_BYTES {
            return Ok(());
        }
        self.flush(out)
    }

    /// Appends the end of the file; nothing may follow.
    ///
    /// # Errors
    /// None that is known of.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.flush(out)?;
        self.groups.finish()?;
        self.groups.take(out);
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        if !self.held.row.is_empty() {
            let empty = self.held.emptied();
            self.groups.push(&std::mem::replace(&mut self.held, empty).table()?)?;
        }
        self.groups.take(out);
        Ok(())
    }
}

impl Held {
    fn of(classes: &[Value]) -> Held {
        let prediction = if classes.iter().all(Value::is_boolean) {
            Said::Boolean(Vec::new())
        } else if classes.iter().all(Value::is_i64) {
            Said::Integer(Vec::new())
        } else if classes.iter().all(Value::is_number) {
            Said::Number(Vec::new())
        } else {
            Said::Text(Vec::new())
        };
        Held {
            row: Vec::new(),
            prediction,
            probability: Some(Vec::new()),
            model_version: Vec::new(),
            error: Vec::new(),
            warning: Vec::new(),
            n_bytes: 0,
        }
    }

    fn emptied(&self) -> Held {
        let prediction = match self.prediction {
            Said::Boolean(_) => Said::Boolean(Vec::new()),
            Said::Integer(_) => Said::Integer(Vec::new()),
            Said::Number(_) => Said::Number(Vec::new()),
            Said::Text(_) => Said::Text(Vec::new()),
        };
        let probability = self.probability.as_ref().map(|_| Vec::new());
        Held { prediction, probability, ..Held::of(&[]) }
    }

    fn push(&mut self, line: Line<'_>) {
        self.n_bytes += line.error.len() + line.warning.len();
        // No file has 2^63 rows.
        self.row.push(i64::try_from(line.row).ok());
        let class = line.prediction;
        match &mut self.prediction {
            Said::Boolean(values) => values.push(class.and_then(Value::as_bool)),
            Said::Integer(values) => values.push(class.and_then(Value::as_i64)),
            Said::Number(values) => {
                values.push(class.and_then(Value::as_f64).unwrap_or(f64::NAN));
            }
            Said::Text(values) => values.push(class.map(|class| match class {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })),
        }
        if let Some(probability) = &mut self.probability {
            probability.push(line.probability.unwrap_or(f64::NAN));
        }
        self.model_version.push(line.model_version.map(str::to_owned));
        let or_none = |text: String| Some(text).filter(|text| !text.is_empty());
        self.error.push(or_none(line.error));
        self.warning.push(or_none(line.warning));
    }

    fn table(self) -> anyhow::Result<Table> {
        let prediction = match self.prediction {
            Said::Boolean(values) => Values::Boolean(values),
            Said::Integer(values) => Values::Integer(values),
            Said::Number(values) => Values::Number(values),
            Said::Text(values) => Values::Text(values.into()),
        };
        let probability = self.probability.map(Values::Number);
        let columns = [
            ("row", Some(Values::Integer(self.row))),
            ("prediction", Some(prediction)),
            ("probability", probability),
            ("model_version", Some(Values::Text(self.model_version.into()))),
            ("error", Some(Values::Text(self.error.into()))),
            ("warning", Some(Values::Text(self.warning.into()))),
        ];
        let there =
            columns.into_iter().filter_map(|(name, values)| Some(Column::new(name, values?)));
        Ok(Table::new(there.collect())?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ml::table_file::read_bounded;

    fn written(classes: &[Value], n_rows: u64) -> Vec<u8> {
        let mut results = Results::of_classes(classes).unwrap();
        let mut out = Vec::new();
        for row in 1..=n_rows {
            let error = if row % 2 == 0 { format!("row {row} is wrong") } else { String::new() };
            let prediction = classes.get(row as usize % 2).filter(|_| error.is_empty());
            let probability = prediction.map(|_| row as f64 / 8.0);
            let line = Line { row, prediction, probability, error, ..Line::default() };
            results.push(line, &mut out).unwrap();
        }
        results.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn a_file_is_read_back_whatever_the_classes_are() {
        let text = |column: &Column, row| column.text(row);
        for (classes, first) in [
            ([json!(false), json!(true)], "true"),
            ([json!(0), json!(1)], "1"),
            ([json!(0.5), json!(1.5)], "1.5"),
            ([json!("no"), json!("yes")], "yes"),
            ([json!(0), json!("yes")], "yes"),
        ] {
            let table = read_bounded(written(&classes, 3), 1 << 20).unwrap();
            let column = |name: &str| table.column(name).unwrap();
            assert_eq!(table.rows(), 3);
            assert_eq!(text(column("prediction"), 0).as_deref(), Some(first));
            assert_eq!(text(column("prediction"), 1), None);
            assert_eq!(column("probability").number(2), Some(0.375));
            assert_eq!(text(column("error"), 1).as_deref(), Some("row 2 is wrong"));
            assert_eq!(text(column("error"), 2), None);
        }
    }

    #[test]
    fn a_file_has_many_groups_or_none() {
        let classes = [json!(false), json!(true)];
        let n = 2 * GROUP_ROWS as u64 + 5;
        let many = written(&classes, n);
        let table = read_bounded(many.clone(), 1 << 26).unwrap();
        assert_eq!(table.rows() as u64, n);
        assert_eq!(table.column("row").unwrap().number(table.rows() - 1), Some(n as f64));
        assert_eq!(many, written(&classes, n), "the same bytes for the same rows");
        assert_eq!(read_bounded(written(&classes, 0), 1 << 20).unwrap().rows(), 0);
    }
}
