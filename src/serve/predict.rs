//! From a body to predictions: check, predict, answer.
//!
//! A plain function of the package and the bytes. Knows neither how the bytes arrived nor how the
//! answer leaves.

use serde::Serialize;
use serde_json::Value;

use crate::ml::cell::Cell;
use crate::ml::package::Prediction;
use crate::serve::errors::Problem;
use crate::serve::state::State;
use crate::serve::validation::Rows;

/// What is answered for one record.
#[derive(Serialize)]
struct Answer<'a> {
    prediction: &'a Value,
    probability: f64,
    model_version: &'a str,
}

/// The answer to a body, as JSON: one object for a record, a list for a list.
///
/// # Errors
/// What the body was refused for.
pub(crate) fn predict(state: &State, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let json = match state.validator.read(body)? {
        Rows::One(row) => serde_json::to_vec(&answer(state, &row)?),
        Rows::Many(rows) => {
            let answers: Result<Vec<_>, _> = rows.iter().map(|row| answer(state, row)).collect();
            serde_json::to_vec(&answers?)
        }
    };
    json.map_err(|_| Problem::internal())
}

fn answer<'s>(state: &'s State, row: &[Cell]) -> Result<Answer<'s>, Problem> {
    let Prediction { class, probability } = state.package.predict(row);
    if !probability.is_finite() {
        // JSON would say null, and a client might take that for an answer.
        return Err(Problem::internal());
    }
    state.metrics.predicted(class, &state.package);
    Ok(Answer { prediction: class, probability, model_version: state.package.version() })
}
