//! Why a model says what it says of a row: what each column adds, as a person would ask.
//!
//! The predictor tells what each encoded number adds (`Predictor::explain`: exact for linear
//! models, SHAP values for trees). Here the numbers that one column became, such as those of its
//! categories, are added up, which SHAP values allow: the parts of a set are the sum of its parts.
//! A pair of columns that were joined keeps a part of its own, since it belongs to neither alone.
//! Of a regression the parts add up to the number itself.
//!
//! A calibration is a rising map of the whole probability and is no sum, so the parts are those of
//! the model before it.

use serde::Serialize;

use super::Model;
use super::regressor::Regressor;
use crate::ml::cell::Cell;
use crate::ml::features::Encoder;
use crate::ml::learn::Predictor;

/// What the parts add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The log-odds of the positive class.
    LogOdds,
    /// Its probability.
    Probability,
    /// The number that a regression predicts, in the unit of its target.
    Target,
}

/// What one column, or one pair of them, adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The column, or `left:right`.
    pub field: String,
    /// What it adds, on the scale of the explanation.
    pub contribution: f64,
}

/// Why a row is answered as it is: `base` and all contributions add up to the answer, on the scale
/// that is named and before any calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// What the parts add up to.
    pub scale: Scale,
    /// Whether the model's probability is calibrated after this; a number never is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
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
        let scale = match self.predictor {
            Predictor::Linear(_) | Predictor::Boosted(_) | Predictor::Bayes(_) => Scale::LogOdds,
            Predictor::Trees(_) => Scale::Probability,
        };
        let calibrated = Some(self.calibration.is_some());
        let (base, contributions) = by_column(&self.encoder, &self.predictor, row)?;
        Ok(Explained { scale, calibrated, base, contributions })
    }
}

impl Regressor {
    /// What each column of a row adds to the number that is predicted of it. A cell that `row`
    /// lacks counts as missing. Sums run in the order of the encoded numbers.
    ///
    /// # Errors
    /// As for a model of classes.
    pub fn explain(&self, row: &[Cell]) -> Result<Explained, &'static str> {
        let (base, contributions) = by_column(&self.encoder, &self.predictor, row)?;
        Ok(Explained { scale: Scale::Target, calibrated: None, base, contributions })
    }
}

/// What there is without any column, and what each column, then each pair, adds to the margin.
fn by_column(
    encoder: &Encoder,
    predictor: &Predictor,
    row: &[Cell],
) -> Result<(f64, Vec<Contribution>), &'static str> {
    let mut encoded = vec![0.0; encoder.width()];
    encoder.encode(row, &mut encoded);
    let explanation = predictor.explain(&encoded)?;
    let mut parts = explanation.parts.iter();
    let mut contributions = Vec::new();
    for (field, width) in encoder.widths() {
        let mut contribution = 0.0;
        for part in parts.by_ref().take(width) {
            contribution += part;
        }
        contributions.push(Contribution { field, contribution });
    }
    Ok((explanation.base, contributions))
}

impl Explained {
    /// What the parts add up to before any calibration: a probability, or the number of a
    /// regression.
    pub fn answer(&self) -> f64 {
        let mut sum = self.base;
        for part in &self.contributions {
            sum += part.contribution;
        }
        match self.scale {
            Scale::LogOdds => crate::ml::learn::sigmoid(sum),
            Scale::Probability | Scale::Target => sum,
        }
    }
}

#[cfg(test)]
mod tests;
