//! What boosting minimises: log loss of two classes, or the squared error of numbers.
//!
//! A loss is told by its negative gradient and its curvature by the score of a row, from which the
//! trees are grown, and by itself, by which rows to stop by are watched. Knows no rows of features.

use super::super::numbers::{Centred, Numbers};
use super::super::sums::Units;
use super::super::{ClassWeight, Dataset, LearnError, sigmoid, weighed};

/// What a row costs by its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// `log(1 + exp(-z))` of a positive row (target 1), `log(1 + exp(z))` of another (target 0).
    Log,
    /// `(y - z)^2 / 2`.
    Squared,
}

/// The rows that are learnt from, without their features.
pub(super) struct Targets {
    pub(super) loss: Loss,
    pub(super) values: Vec<f64>,
    pub(super) weights: Vec<f64>,
    /// The score before any tree, which minimises the loss.
    pub(super) base: f64,
    /// What one step of the sums is worth.
    pub(super) units: Units,
}

impl Loss {
    /// The negative gradient and the curvature at a score, per unit of weight.
    pub(super) fn slope(self, score: f64, target: f64) -> (f64, f64) {
        match self {
            Loss::Log => {
                let p = sigmoid(score);
                (if target > 0.5 { 1.0 - p } else { -p }, p * (1.0 - p))
            }
            Loss::Squared => (target - score, 1.0),
        }
    }

    /// The loss at a score.
    pub(super) fn of(self, score: f64, target: f64) -> f64 {
        match self {
            Loss::Log => {
                let against = if target > 0.5 { -score } else { score };
                // log(1 + exp(x)) without overflow.
                against.max(0.0) + libm::log1p(libm::exp(-against.abs()))
            }
            Loss::Squared => 0.5 * (target - score) * (target - score),
        }
    }
}

impl Targets {
    /// Rows of two classes.
    ///
    /// # Errors
    /// A weight that is none; rows of one class.
    pub(super) fn classes(by: ClassWeight, dataset: &Dataset) -> Result<Targets, LearnError> {
        let by_class = by.weights(weighed(dataset))?;
        let mut totals = [0.0, 0.0];
        let mut weights = Vec::with_capacity(dataset.targets.len());
        for (i, positive) in dataset.targets.iter().enumerate() {
            let class = usize::from(*positive);
            let weight = f64::from(dataset.weight_for(i)) * by_class[class];
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(LearnError::Data(format!("row {i} has the weight {weight}")));
            }
            totals[class] += weight;
            weights.push(weight);
        }
        if totals.contains(&0.0) {
            return Err(LearnError::Data("all rows with a weight are of one class".to_owned()));
        }
        let base = libm::log(totals[1] / totals[0]);
        let largest = weights.iter().copied().fold(0.0, f64::max);
        // A gradient is at most a row's weight, a curvature at most a quarter of it.
        let units = Units::of(largest, 0.25 * largest);
        let values = class_values(dataset);
        Ok(Targets { loss: Loss::Log, values, weights, base, units })
    }

    /// Rows with a number each.
    ///
    /// # Errors
    /// A target or a weight that is none.
    pub(super) fn numbers(dataset: &Numbers) -> Result<Targets, LearnError> {
        let Centred { targets: _, weights, mean: base } = Centred::of(dataset)?;
        let values = dataset.targets.to_vec();
        Ok(Targets { loss: Loss::Squared, values, weights, base, units: Units::of(0.0, 0.0) })
    }

    /// The units of a round. Those of log loss never change; residuals of numbers become smaller
    /// from round to round, and the fixed point goes with them. A maximum has no order.
    pub(super) fn set_units(&mut self, scores: &[f64]) {
        if self.loss == Loss::Log {
            return;
        }
        let (mut largest_g, mut largest_h) = (0.0_f64, 0.0_f64);
        for ((value, weight), score) in self.values.iter().zip(&self.weights).zip(scores) {
            largest_g = largest_g.max((weight * (value - score)).abs());
            largest_h = largest_h.max(*weight);
        }
        self.units = Units::of(largest_g, largest_h);
    }
}

/// 1 for the positive rows, 0 for the others.
pub(super) fn class_values(dataset: &Dataset) -> Vec<f64> {
    dataset.targets.iter().map(|positive| f64::from(u8::from(*positive))).collect()
}
