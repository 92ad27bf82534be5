//! The one way from a checked row to a prediction, whatever door the row came through.
//!
//! A view of what predicting needs: the package, the rules, the counters and the log. Every answer
//! is made here, so that no door can say anything else than another. Knows no request.

use std::borrow::Cow;
use std::cell::RefCell;

use serde::Serialize;
use serde_json::Value;

use crate::ml::model::Explained;
use crate::ml::package::{Package, Prediction};
use crate::serve::counts::Counts;
use crate::serve::drift::{Apart, Drift};
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::predictions::Notes;
use crate::serve::shadow::Tap;
use crate::serve::validation::{Row, Validator};

/// What predicting needs.
#[derive(Clone, Copy)]
pub(crate) struct Scorer<'s> {
    pub(crate) package: &'s Package,
    pub(crate) validator: &'s Validator,
    pub(crate) counts: &'s Counts,
    /// Where rows are counted by their values, if they are.
    pub(crate) drift: Option<&'s Drift>,
    /// What they share while they are many.
    pub(crate) shared: Option<&'s Shared<'s>>,
    /// Where predictions are noted, if they are.
    pub(crate) notes: Option<Notes<'s>>,
    /// Where rows go that a challenger is to score, too, if there is one.
    pub(crate) tap: Option<&'s Tap>,
    /// The id of the request whose rows they are.
    pub(crate) request_id: &'s str,
}

/// What the predictions of one request share.
pub(crate) struct Shared<'s> {
    /// Where their rows are counted, if they are.
    apart: Option<Apart<'s>>,
    encoded: RefCell<Vec<f64>>,
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
    /// What many predictions yield, whose rows are counted together at the end.
    pub(crate) fn many<T>(self, predict: impl FnOnce(Scorer<'_>) -> T) -> T {
        let shared = Shared { apart: self.drift.map(Drift::apart), encoded: RefCell::default() };
        predict(Scorer { shared: Some(&shared), ..self })
    }

    /// The prediction of a row, which is counted and noted.
    ///
    /// # Errors
    /// When the model's answer is no number.
    pub(crate) fn predict(self, row: &Row) -> Result<Prediction<'s>, Problem> {
        self.counts.tally.warn(row.warnings.len() + row.more_warnings);
        self.counts.tally.ignore(row.ignored);
        let Row { cells, places, .. } = row;
        let prediction = match self.shared {
            Some(Shared { encoded, .. }) => {
                self.package.predict_known(cells, places, &mut encoded.borrow_mut())
            }
            None => self.package.predict_known(cells, places, &mut Vec::new()),
        };
        if !prediction.score().is_finite() {
            // JSON would say null, and a client might take that for an answer.
            return Err(Problem::internal());
        }
        self.counts.predicted(&prediction);
        match (self.shared.and_then(|shared| shared.apart.as_ref()), self.drift) {
            (Some(apart), _) => apart.count(row, prediction.score()),
            (None, Some(drift)) => drift.count(row, prediction.score()),
            (None, None) => {}
        }
        if let Some(notes) = self.notes {
            notes.take(row, &prediction, self.package.version(), self.request_id);
        }
        if let Some(tap) = self.tap {
            tap.offer(row, &prediction, self.request_id);
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
