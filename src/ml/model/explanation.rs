//! Why a model says what it says of a row: what each column adds, as a person would ask.
//!
//! The predictor tells what each encoded number adds (`Predictor::explain`: exact for linear
//! models, SHAP values for trees). Here the numbers that one column became, such as those of its
//! categories, are added up, which SHAP values allow: the parts of a set are the sum of its parts.
//! A pair of columns that were joined keeps a part of its own, since it belongs to neither alone.
//!
//! A calibration is a rising map of the whole probability and is no sum, so the parts are those of
//! the model before it.

use serde::Serialize;

use super::Model;
use crate::ml::cell::Cell;
use crate::ml::learn::Predictor;

/// What the parts add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The log-odds of the positive class.
    LogOdds,
    /// Its probability.
    Probability,
}

/// What one column, or one pair of them, adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The column, or `left:right`.
    pub field: String,
    /// What it adds, on the scale of the explanation.
    pub contribution: f64,
}

/// Why a row has the probability that it has: `base` and all contributions add up to it, on the
/// scale that is named and before any calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// What the parts add up to.
    pub scale: Scale,
    /// Whether the model's probability is calibrated after this.
    pub calibrated: bool,
    /// What there is without any column.
    pub base: f64,
    /// One part per column in the order of the features, then one per pair.
    pub contributions: Vec<Contribution>,
}

impl Model {
    /// What each column of a row adds to what the model says of it. A cell that `row` lacks counts
    /// as missing. Sums run in the order of the encoded numbers.
    ///
    /// # Errors
    /// Why the model cannot be explained: its trees are too deep, or do not tell how many training
    /// rows reached each node.
    pub fn explain(&self, row: &[Cell]) -> Result<Explained, &'static str> {
        let mut encoded = vec![0.0; self.encoder.width()];
        self.encoder.encode(row, &mut encoded);
        let explanation = self.predictor.explain(&encoded)?;
        let mut parts = explanation.parts.iter();
        let mut contributions = Vec::new();
        for (field, width) in self.encoder.widths() {
            let mut contribution = 0.0;
            for part in parts.by_ref().take(width) {
                contribution += part;
            }
            contributions.push(Contribution { field, contribution });
        }
        let scale = match self.predictor {
            Predictor::Linear(_) | Predictor::Boosted(_) | Predictor::Bayes(_) => Scale::LogOdds,
            Predictor::Trees(_) => Scale::Probability,
        };
        let calibrated = self.calibration.is_some();
        Ok(Explained { scale, calibrated, base: explanation.base, contributions })
    }
}

impl Explained {
    /// The probability that the parts add up to, before any calibration.
    pub fn probability(&self) -> f64 {
        let mut sum = self.base;
        for part in &self.contributions {
            sum += part.contribution;
        }
        match self.scale {
            Scale::LogOdds => crate::ml::learn::sigmoid(sum),
            Scale::Probability => sum,
        }
    }
}

#[cfg(test)]
mod tests;
