//! Calibration: what a model says becomes what happens.
//!
//! A model that was fitted to weighted rows, or whose trees average few leaves, ranks well and
//! means nothing by its 0.7. A calibration is a rising map from its probabilities to those that
//! rows it was not trained on have shown. It changes no order (isotonic may make ties of it), so
//! ROC AUC stays; log loss and Brier score are what it is for. Knows no model and no table.
//!
//! Names and rules are scikit-learn's: `sigmoid` is Platt's, `isotonic` is that of
//! `IsotonicRegression` with values beyond the known ones clipped.

mod isotonic;
mod sigmoid;

use serde::{Deserialize, Serialize};

pub use isotonic::Isotonic;
pub use sigmoid::{Sigmoid, log_odds};

/// How a calibration is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Two numbers: for few rows, or where the model is off by a shift and a stretch.
    Sigmoid,
    /// Steps: for many rows, whatever the model's error looks like.
    Isotonic,
}

/// A fitted calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// Platt's.
    Sigmoid(Sigmoid),
    /// By pools of adjacent rows.
    Isotonic(Isotonic),
}

impl Calibration {
    /// Fits a calibration to probabilities in [0, 1] of rows and whether each was positive.
    ///
    /// # Errors
    /// When there is no row of one of the classes, or lengths differ.
    pub fn fit(
        method: Method,
        probabilities: &[f64],
        labels: &[bool],
    ) -> Result<Calibration, &'static str> {
        if probabilities.len() != labels.len() {
            return Err("there is not one probability per row");
        }
        if !labels.contains(&true) || !labels.contains(&false) {
            return Err("all rows are of one class: there is nothing to calibrate by");
        }
        Ok(match method {
            Method::Sigmoid => Calibration::Sigmoid(Sigmoid::fit(probabilities, labels)),
            Method::Isotonic => Calibration::Isotonic(Isotonic::fit(probabilities, labels)),
        })
    }

    /// The calibrated probability, in [0, 1], for a probability in [0, 1].
    pub fn apply(&self, probability: f64) -> f64 {
        match self {
            Calibration::Sigmoid(sigmoid) => sigmoid.apply(probability),
            Calibration::Isotonic(isotonic) => isotonic.apply(probability),
        }
    }

    /// What `apply` relies on, for one that was read from a file.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Calibration::Sigmoid(sigmoid) => sigmoid.check(),
            Calibration::Isotonic(isotonic) => isotonic.check(),
        }
    }
}

#[cfg(test)]
mod tests;
