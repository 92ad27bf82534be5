//! Evaluation: several models on the same rows, overall and per segment.
//!
//! Thresholds and the champion are chosen on validation; test rows only tell how good that choice
//! was. A reference (an incumbent's scores, or the true probabilities of synthetic data) and
//! baselines are scored on the same rows and never win. How sure the figures on test are is told by
//! `certainty`, whether variants differ by `comparison`. Knows no files and no stages.

pub mod baseline;
pub mod certainty;
pub mod comparison;
pub mod contributions;
pub mod curves;
mod deciding;
pub mod document;
pub mod gates;
pub mod importance;
mod reference;
pub mod regression;
mod segments;
pub mod subject;
pub mod written;

use std::collections::BTreeMap;

use serde_json::Value;

use super::columns::Columns;
use super::metrics::bootstrap::Scored;
use super::metrics::{Confusion, Curve, Defined, Metric, Scores, weighted};
use super::model::Model;
use super::per_segment::PerSegment;
use super::table::Table;
use super::target::{self, Classes};
use super::weights;

pub use deciding::Deciding;
pub use reference::scores as reference_scores;
pub use segments::{MAX_VALUES, OVERALL, segments};

/// Metrics by segment: `overall`, `column=value`, or `column=value & other=value`.
pub type Report = BTreeMap<String, Scores>;

/// The rows that a choice is made by, and those that it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Thresholds and the champion are chosen here.
    Validation,
    /// Reported, never chosen by.
    Test,
}

impl Side {
    /// Both sides.
    pub const ALL: [Side; 2] = [Side::Validation, Side::Test];

    /// Its name in parameters and documents.
    pub fn name(self) -> &'static str {
        match self {
            Side::Validation => "validation",
            Side::Test => "test",
        }
    }
}

/// A model, the reference or a baseline, on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// From which score on the positive class is predicted.
    pub threshold: f64,
    /// Where another threshold decides.
    pub per_segment: Option<PerSegment>,
    /// The metrics on validation.
    pub validation: Report,
    /// The metrics on test.
    pub test: Report,
    /// What it says of each row, on validation and on test.
    pub predicted: [Predicted; 2],
}

/// What a model says of each row of a side.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// The scores, in [0, 1].
    pub scores: Vec<f64>,
    /// Which rows are predicted positive.
    pub decided: Vec<bool>,
}

impl Predicted {
    /// The same for some of the rows, in the order asked for.
    fn of_rows(&self, rows: &[usize]) -> Predicted {
        Predicted {
            scores: rows.iter().map(|row| self.scores[*row]).collect(),
            decided: rows.iter().map(|row| self.decided[*row]).collect(),
        }
    }

    /// The same, borrowed.
    fn scored(&self) -> Scored<'_> {
        Scored { scores: &self.scores, decided: &self.decided }
    }
}

impl Evaluated {
    /// The metrics on a side.
    pub fn on(&self, side: Side) -> &Report {
        match side {
            Side::Validation => &self.validation,
            Side::Test => &self.test,
        }
    }

    /// What it says of each row of a side.
    pub fn predicted(&self, side: Side) -> &Predicted {
        &self.predicted[side as usize]
    }

    /// A metric of all rows of a side.
    pub fn overall(&self, side: Side, metric: Metric) -> Defined {
        self.on(side)[OVERALL].values[&metric]
    }
}

/// The rows of one side, ready to be scored.
pub struct Rows<'a> {
    /// All columns.
    pub table: &'a Table,
    labels: Vec<bool>,
    /// What each row counts besides, where a column tells it.
    weights: Option<Vec<f64>>,
    groups: Vec<(String, Vec<usize>)>,
}

impl<'a> Rows<'a> {
    /// The rows of a table, with their labels, the segments of the columns of that role, and the
    /// intersections of some of those columns.
    ///
    /// # Errors
    /// A column that is not there, a target that is neither class, a weight that is none, a segment
    /// of too many values.
    pub fn new(
        table: &'a Table,
        columns: &Columns,
        classes: &Classes,
        intersect: &[Vec<String>],
    ) -> Result<Rows<'a>, String> {
        let target = &columns.target;
        let column = table.column(target).ok_or_else(|| format!("no column `{target}`"))?;
        let labels = target::labels(column, classes)?;
        let weights = weights_of(table, columns)?;
        let groups = segments(table, &columns.segments, intersect)?;
        Ok(Rows { table, labels, weights, groups })
    }

    /// Whether each row is positive.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The labels of some of the rows, in the order asked for.
    fn labels_of(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter().map(|row| self.labels[*row]).collect()
    }

    fn report(&self, predicted: &Predicted) -> Report {
        let of = |rows: &Vec<usize>| {
            let labels = self.labels_of(rows);
            let Predicted { scores, decided } = predicted.of_rows(rows);
            let known = Curve::new(&labels, &scores).scores_of(Confusion::of(&labels, &decided));
            let weighted = self.weights.as_ref().map(|weights| {
                let weights: Vec<f64> = rows.iter().map(|row| weights[*row]).collect();
                weighted::of_classes(&labels, &scores, &decided, &weights)
            });
            Scores { weighted, ..known }
        };
        self.groups.iter().map(|(name, rows)| (name.clone(), of(rows))).collect()
    }
}

/// What each row counts, where a column tells it.
fn weights_of(table: &Table, columns: &Columns) -> Result<Option<Vec<f64>>, String> {
    let weights = columns.weight.as_ref().map(|name| weights::of_rows(table, name)).transpose()?;
    Ok(weights.map(|weights| weights.into_iter().map(f64::from).collect()))
}

/// Scores on both sides become metrics; `scores` are those of validation and of test, one per row.
///
/// # Errors
/// When the rule yields no threshold for all rows; when thresholds are to be by a column that is
/// not there or not of texts.
pub fn evaluate(
    sides: &[Rows<'_>; 2],
    scores: [Vec<f64>; 2],
    deciding: &Deciding,
) -> Result<Evaluated, String> {
    let thresholds = deciding.choose(&sides[0], &scores[0])?;
    let [on_validation, on_test] = scores;
    let predicted = [
        thresholds.decide(sides[0].table, on_validation)?,
        thresholds.decide(sides[1].table, on_test)?,
    ];
    let [validation, test] = [0, 1].map(|side| sides[side].report(&predicted[side]));
    let deciding::Thresholds { overall: threshold, per_segment } = thresholds;
    Ok(Evaluated { threshold, per_segment, validation, test, predicted })
}

/// The index of the best on validation; of equally good ones the first.
///
/// # Errors
/// Why none of them has the metric.
pub fn champion(evaluated: &[&Evaluated], metric: Metric) -> Result<usize, String> {
    let values = evaluated.iter().map(|model| model.overall(Side::Validation, metric));
    best(values, metric.name(), metric.higher_is_better())
}

/// The index of the best value of a metric; of equally good ones the first.
fn best(
    values: impl Iterator<Item = Result<f64, &'static str>>,
    metric: &str,
    higher_is_better: bool,
) -> Result<usize, String> {
    let mut best: Option<(usize, f64)> = None;
    let mut why = "there is no model";
    for (i, value) in values.enumerate() {
        match value {
            Ok(value) => {
                let is_better = |(_, best): (usize, f64)| {
                    if higher_is_better { value > best } else { value < best }
                };
                if best.is_none_or(is_better) {
                    best = Some((i, value));
                }
            }
            Err(reason) => why = reason,
        }
    }
    let none = || format!("no champion: {metric} on validation is undefined: {why}");
    best.map(|(i, _)| i).ok_or_else(none)
}

/// Checks that models can be compared: one target, the same classes, and those that were declared.
///
/// # Errors
/// Which model is trained for something else.
pub fn check_models<'a>(
    models: impl Iterator<Item = (&'a str, &'a Model)>,
    target: &str,
    positive: Option<&Value>,
) -> Result<Classes, String> {
    let mut common: Option<Classes> = None;
    for (name, model) in models {
        if model.target() != target {
            return Err(format!(
                "model `{name}` predicts `{}`, but the target is `{target}`",
                model.target()
            ));
        }
        let classes = model.classes();
        let expected = common.get_or_insert_with(|| classes.clone());
        let is_common = classes.iter().zip(&*expected).all(|(a, b)| target::is_same(a, b));
        let is_declared = positive.is_none_or(|value| target::is_same(value, &classes[1]));
        if !is_common || !is_declared {
            return Err(format!(
                "model `{name}` predicts {}, not {}: give `positive` to every stage alike",
                classes[1],
                positive.unwrap_or(&expected[1])
            ));
        }
    }
    common.ok_or_else(|| "there is no model".to_owned())
}

#[cfg(test)]
mod tests;
