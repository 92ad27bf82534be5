//! The one way from a checked row to a prediction, whatever door the row came through.
//!
//! A view of what predicting needs: the package, the rules and the counters. Every answer is made
//! here, so that no door can say anything else than another. Knows no request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::ml::model::Explained;
use crate::ml::package::{Package, Prediction};
use crate::serve::counts::Counts;
use crate::serve::drift::Drift;
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::validation::{Row, Validator};

/// What predicting needs.
#[derive(Clone, Copy)]
pub(crate) struct Scorer<'s> {
    pub(crate) package: &'s Package,
    pub(crate) validator: &'s Validator,
    pub(crate) counts: &'s Counts,
    /// Where rows are counted by their values, if they are.
    pub(crate) drift: Option<&'s Drift>,
}

/// What is answered for one record.
#[derive(Serialize)]
pub(crate) struct Answer<'s> {
    pub(crate) prediction: Cow<'s, Value>,
    /// Of the positive class; a number has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    pub(crate) model_version: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Explained>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<Entry>,
    #[serde(skip_serializing_if = "is_zero")]
    warnings_omitted: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl<'s> Scorer<'s> {
    /// The prediction of a row, which is counted.
    ///
    /// # Errors
    /// When the model's answer is no number.
    pub(crate) fn predict(self, row: &Row) -> Result<Prediction<'s>, Problem> {
        self.counts.tally.warn(row.warnings.len() + row.more_warnings);
        self.counts.tally.ignore(row.ignored);
        let prediction = self.package.predict(&row.cells);
        if !prediction.score().is_finite() {
            // JSON would say null, and a client might take that for an answer.
            return Err(Problem::internal());
        }
        self.counts.predicted(&prediction);
        if let Some(drift) = self.drift {
            drift.count(row, prediction.score());
        }
        Ok(prediction)
    }

    /// The answer to a row, with what each field adds if that is wanted.
    ///
    /// # Errors
    /// When the model's answer is no number, or it cannot be explained.
    pub(crate) fn answer(self, row: Row, explain: bool) -> Result<Answer<'s>, Problem> {
        let prediction = self.predict(&row)?;
        let explained = || self.package.explain(&row.cells).map_err(unexplained);
        let explanation = explain.then(explained).transpose()?;
        Ok(Answer {
            prediction: prediction.value(),
            probability: prediction.probability(),
            model_version: self.package.version(),
            explanation,
            warnings: row.warnings,
            warnings_omitted: row.more_warnings,
        })
    }
}

fn unexplained(reason: &'static str) -> Problem {
    let loc = vec![errors::name("query"), errors::name("explain")];
    let message = format!("this model cannot be explained: {reason}");
    Problem::unprocessable(Entry::new("not_explainable", loc, "Model has no explanation", message))
}
