//! Thresholds that differ by the value of a column.
//!
//! One threshold for all rows suits the largest group of them. What is kept is what a service
//! needs: a column of texts that a request has, and a threshold for some of its values; every other
//! value, and none, is decided by the threshold of all rows. Knows no table and no rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::features::{Feature, FeatureKind};

/// A threshold for some values of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerSegment {
    /// The column, one of texts.
    pub column: String,
    /// By value, from which probability on the positive class is predicted; in [0, 1].
    pub thresholds: BTreeMap<String, f64>,
}

impl PerSegment {
    /// The threshold of a value; `overall` for values without one of their own.
    pub fn of_value(&self, value: Option<&str>, overall: f64) -> f64 {
        value.and_then(|value| self.thresholds.get(value)).copied().unwrap_or(overall)
    }

    /// The threshold of a row of cells, one per feature; `overall` where the column is no feature.
    pub fn of_row(&self, features: &[Feature], row: &[Cell], overall: f64) -> f64 {
        let at = features.iter().position(|feature| feature.name == self.column);
        match at.and_then(|at| row.get(at)) {
            Some(Cell::Text(value)) => self.of_value(Some(value), overall),
            _ => overall,
        }
    }

    /// The thresholds by the names of segments, `column=value`.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        let named =
            |(value, threshold): (&String, &f64)| (format!("{}={value}", self.column), *threshold);
        self.thresholds.iter().map(named)
    }

    /// What keeps it from deciding about rows of these features.
    pub fn flaw(&self, features: &[Feature]) -> Option<String> {
        let is_column = |feature: &&Feature| {
            feature.name == self.column && feature.kind == FeatureKind::Categorical
        };
        if !features.iter().any(|feature| is_column(&feature)) {
            return Some(format!("its thresholds are by `{}`, no feature of texts", self.column));
        }
        let is_outside = |threshold: &&f64| !(0.0..=1.0).contains(*threshold);
        let outside = self.thresholds.values().any(|threshold| is_outside(&threshold));
        outside.then(|| "a threshold of it is not between 0 and 1".to_owned())
    }
}
