//! Rows whose target is a number: what learners of regression share.
//!
//! Targets are taken less their mean before anything is summed in whole numbers (`sums.rs`), so
//! that a target far from 0 loses none of its digits to the fixed point. The mean itself is the
//! same in any order of rows. Knows no learner.

use ndarray::{Array1, Array2};

use super::sums::sum_in_any_order;
use super::{LearnError, Predictor, Trees};

/// Encoded rows, the number to be predicted for each, and optional weights: linfa's dataset.
pub type Numbers = linfa::DatasetBase<Array2<f64>, Array1<f64>>;

/// No target is further from 0: squares of differences are then finite.
pub const LARGEST_TARGET: f64 = 1e100;

/// No number that a tree says is larger: sums over trees are then finite.
const LARGEST_NUMBER: f64 = 1e150;

/// Targets less their mean, with the weights of the rows.
#[derive(Debug)]
pub(super) struct Centred {
    /// Per row what it is above the mean.
    pub(super) targets: Vec<f64>,
    /// What each row weighs, at least 0.
    pub(super) weights: Vec<f64>,
    /// The weighted mean of the targets.
    pub(super) mean: f64,
}

impl Centred {
    /// The targets and weights of a dataset.
    ///
    /// # Errors
    /// A target that is not finite or beyond `LARGEST_TARGET`, a weight that is below 0 or not
    /// finite, or no row that weighs anything.
    pub(super) fn of(dataset: &Numbers) -> Result<Centred, LearnError> {
        let mut targets = checked_targets(dataset)?;
        let weights: Vec<f64> =
            (0..targets.len()).map(|i| f64::from(dataset.weight_for(i))).collect();
        if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(LearnError::Data(format!("row {i} has the weight {}", weights[i])));
        }
        let total = sum_in_any_order(weights.iter().copied());
        if total <= 0.0 {
            return Err(LearnError::Data("no row has a weight".to_owned()));
        }
        let mean = sum_in_any_order(targets.iter().zip(&weights).map(|(y, w)| y * w)) / total;
        targets.iter_mut().for_each(|y| *y -= mean);
        Ok(Centred { targets, weights, mean })
    }

    /// How far a target with a weight is from the mean at most.
    pub(super) fn spread(&self) -> f64 {
        let weighing = self.targets.iter().zip(&self.weights).filter(|(_, w)| **w > 0.0);
        weighing.fold(0.0, |most, (y, _)| y.abs().max(most))
    }
}

impl Predictor {
    /// Whether every margin is finite, for a predictor of numbers over rows of `width` numbers.
    ///
    /// # Errors
    /// Why not.
    pub fn check_numbers(&self, width: usize) -> Result<(), String> {
        let is_sound = |x: f64| x.abs() <= LARGEST_NUMBER;
        let what = format!("within {LARGEST_NUMBER}");
        match self {
            Predictor::Trees(Trees(trees)) if !trees.is_empty() => {
                trees.iter().try_for_each(|tree| tree.check_values(is_sound, &what))
            }
            Predictor::Bayes(_) => Err("naive Bayes predicts no numbers".to_owned()),
            Predictor::Trees(_) | Predictor::Linear(_) | Predictor::Boosted(_) => self.check(width),
        }
    }
}

/// The targets of a dataset as they are.
///
/// # Errors
/// A target that is not finite or beyond `LARGEST_TARGET`.
pub(super) fn checked_targets(dataset: &Numbers) -> Result<Vec<f64>, LearnError> {
    let targets = dataset.targets.to_vec();
    match targets.iter().position(|y| !y.is_finite() || y.abs() > LARGEST_TARGET) {
        Some(i) => Err(LearnError::Data(format!("row {i} has the target {}", targets[i]))),
        None => Ok(targets),
    }
}

#[cfg(test)]
mod tests;
