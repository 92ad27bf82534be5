//! How rows are decided: by one threshold, or by one for each value of a column.
//!
//! Thresholds are chosen on validation, those of a value on its rows alone. A value with too few
//! rows there, or without a positive one, is decided by the threshold of all rows.

use std::collections::BTreeMap;

use super::{Predicted, Rows};
use crate::ml::metrics::{Curve, ThresholdRule};
use crate::ml::per_segment::PerSegment;
use crate::ml::table::{Column, ColumnType, Table};

/// How thresholds are to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Deciding {
    /// The rule.
    pub rule: ThresholdRule,
    /// The column whose values have thresholds of their own.
    pub per_segment: Option<String>,
    /// The fewest rows of a value that has one.
    pub min_rows: usize,
}

/// The thresholds that were chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thresholds {
    pub(super) overall: f64,
    pub(super) per_segment: Option<PerSegment>,
}

impl Deciding {
    /// One threshold for all rows.
    pub fn by(rule: ThresholdRule) -> Deciding {
        Deciding { rule, per_segment: None, min_rows: 1 }
    }

    /// The thresholds by scores on validation.
    pub(super) fn choose(&self, rows: &Rows<'_>, scores: &[f64]) -> Result<Thresholds, String> {
        let curve = Curve::new(rows.labels(), scores);
        let overall = self.rule.choose(&curve).map_err(|error| error.to_string())?;
        let mut per_segment = None;
        if let Some(name) = &self.per_segment {
            let column = texts(rows.table, name)?;
            let mut by_value: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for row in 0..column.len() {
                if let Some(value) = column.text(row) {
                    by_value.entry(value).or_default().push(row);
                }
            }
            by_value.retain(|_, of_value| of_value.len() >= self.min_rows);
            let choose = |(value, of_value): (String, Vec<usize>)| {
                let scores: Vec<f64> = of_value.iter().map(|row| scores[*row]).collect();
                let curve = Curve::new(&rows.labels_of(&of_value), &scores);
                Some((value, self.rule.choose(&curve).ok()?))
            };
            let thresholds = by_value.into_iter().filter_map(choose).collect();
            per_segment = Some(PerSegment { column: name.clone(), thresholds });
        }
        Ok(Thresholds { overall, per_segment })
    }
}

impl Thresholds {
    /// Scores of the rows of a table with what is decided about them.
    pub(super) fn decide(&self, table: &Table, scores: Vec<f64>) -> Result<Predicted, String> {
        let decided = match &self.per_segment {
            None => scores.iter().map(|score| *score >= self.overall).collect(),
            Some(per_segment) => {
                let column = texts(table, &per_segment.column)?;
                let threshold =
                    |row: usize| per_segment.of_value(column.text(row).as_deref(), self.overall);
                scores.iter().enumerate().map(|(row, score)| *score >= threshold(row)).collect()
            }
        };
        Ok(Predicted { scores, decided })
    }
}

fn texts<'t>(table: &'t Table, name: &str) -> Result<&'t Column, String> {
    let column = table.column(name).ok_or_else(|| format!("no column `{name}`"))?;
    if column.ty() != ColumnType::Text {
        return Err(format!(
            "thresholds per segment are by a column of texts: `{name}` is of type {}",
            column.ty().name()
        ));
    }
    Ok(column)
}
