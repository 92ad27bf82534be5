//! A model that is looked at, of whichever task: what it answers, and how good that is.
//!
//! What is asked of models is the same for all tasks (how much worse one gets when a column is
//! shuffled, what it answers as a column changes, what its answers are made of); what an answer is,
//! and how good answers are, is not. Knows no file and no stage.

use serde::Serialize;

use crate::ml::learn::Predictor;
use crate::ml::metrics::Curve;
use crate::ml::metrics::regression::{RegressionMetric, Residuals};
use crate::ml::model::regressor::Regressor;
use crate::ml::model::{Model, ModelError, ModelFeature};
use crate::ml::table::Table;

/// A model that is looked at.
pub trait Subject: Sync {
    /// What came true of a row.
    type Outcome: Copy + Sync;

    /// The format of the document that tells what it looks at.
    const FORMAT: &'static str;

    /// The cells that a row needs, in their order.
    fn features(&self) -> &[ModelFeature];

    /// What computes the answer from an encoded row.
    fn predictor(&self) -> &Predictor;

    /// The names of the numbers that a row is encoded to, in their order.
    fn encoded_names(&self) -> Vec<String>;

    /// The numbers that the predictor is given for every row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    fn encoded(&self, table: &Table) -> Result<Vec<Vec<f64>>, ModelError>;

    /// One answer per row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    fn answers(&self, table: &Table) -> Result<Vec<f64>, ModelError>;

    /// How good answers are, the higher the better.
    fn quality(outcomes: &[Self::Outcome], answers: &[f64]) -> Quality;

    /// What its parts add up to, as documents call it.
    fn unit(&self) -> &'static str;
}

/// How good answers are, under the name of the metric; `None` where it is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Quality {
    /// The area under the ROC curve.
    #[serde(rename = "roc_auc")]
    RocAuc(Option<f64>),
    /// The part of the squared differences from the mean that is not left as error.
    #[serde(rename = "r2")]
    R2(Option<f64>),
}

impl Quality {
    /// The value of the metric.
    pub fn value(self) -> Option<f64> {
        let (Quality::RocAuc(value) | Quality::R2(value)) = self;
        value
    }

    /// The name of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Quality::RocAuc(_) => "roc_auc",
            Quality::R2(_) => "r2",
        }
    }
}

impl Subject for Model {
    /// Whether it is of the positive class.
    type Outcome = bool;

    const FORMAT: &'static str = "pipeline.importance/1";

    fn features(&self) -> &[ModelFeature] {
        self.features()
    }

    fn predictor(&self) -> &Predictor {
        self.predictor()
    }

    fn encoded_names(&self) -> Vec<String> {
        self.encoded_names()
    }

    fn encoded(&self, table: &Table) -> Result<Vec<Vec<f64>>, ModelError> {
        self.encoded(table)
    }

    fn answers(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        self.probabilities(table)
    }

    fn quality(outcomes: &[bool], answers: &[f64]) -> Quality {
        Quality::RocAuc(Curve::new(outcomes, answers).roc_auc().ok())
    }

    fn unit(&self) -> &'static str {
        if self.predictor().averages() { "probability" } else { "log_odds" }
    }
}

impl Subject for Regressor {
    /// The number.
    type Outcome = f64;

    const FORMAT: &'static str = "pipeline.regression_importance/1";

    fn features(&self) -> &[ModelFeature] {
        self.features()
    }

    fn predictor(&self) -> &Predictor {
        self.predictor()
    }

    fn encoded_names(&self) -> Vec<String> {
        self.encoded_names()
    }

    fn encoded(&self, table: &Table) -> Result<Vec<Vec<f64>>, ModelError> {
        self.encoded(table)
    }

    fn answers(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        self.predictions(table)
    }

    fn quality(outcomes: &[f64], answers: &[f64]) -> Quality {
        Quality::R2(Residuals::new(outcomes, answers).values()[&RegressionMetric::R2].ok())
    }

    fn unit(&self) -> &'static str {
        "target"
    }
}
