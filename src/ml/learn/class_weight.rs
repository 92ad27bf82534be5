//! What the rows of a class count, beside what each of them counts by itself.
//!
//! Knows no learner: those multiply both.

use serde::Deserialize;

use super::sums::sum_in_any_order;
use super::{Dataset, LearnError};

/// How much a row counts by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// All rows alike.
    None,
    /// Both classes alike: the weight of all rows / (2 * that of the class's rows), as in
    /// scikit-learn's `compute_class_weight` with `sample_weight`.
    Balanced,
}

impl ClassWeight {
    /// What a negative and a positive row weigh beside their own weights, which are given with
    /// whether a row is positive.
    ///
    /// # Errors
    /// When one of the classes has no row, or none that weighs anything where that is asked for.
    pub(super) fn weights(
        self,
        rows: impl Iterator<Item = (bool, f64)> + Clone,
    ) -> Result<[f64; 2], LearnError> {
        let of = |class: bool| rows.clone().filter(move |(is_positive, _)| *is_positive == class);
        if [false, true].into_iter().any(|class| of(class).next().is_none()) {
            return Err(LearnError::Data("all rows are of one class".to_owned()));
        }
        if self == ClassWeight::None {
            return Ok([1.0, 1.0]);
        }
        let totals = [false, true].map(|class| sum_in_any_order(of(class).map(|(_, w)| w)));
        if !totals.iter().all(|total| *total > 0.0) {
            return Err(LearnError::Data("all rows with a weight are of one class".to_owned()));
        }
        Ok(totals.map(|total| (totals[0] + totals[1]) / (2.0 * total)))
    }
}

/// Whether each row is positive, and its own weight.
pub(super) fn weighed(dataset: &Dataset) -> impl Iterator<Item = (bool, f64)> + Clone {
    dataset.targets.iter().enumerate().map(|(i, y)| (*y, f64::from(dataset.weight_for(i))))
}
