//! From a body to predictions: check, predict, answer.
//!
//! A plain function of the package and the bytes. Knows neither how the bytes arrived nor how the
//! answer leaves.

use crate::serve::complaint;
use crate::serve::errors::Problem;
use crate::serve::query::Query;
use crate::serve::scorer::Scorer;
use crate::serve::validation::{Row, Rows};

/// The most records of one request that are explained: a row of many deep trees costs a thousand
/// times what its prediction does.
pub(crate) const MAX_EXPLAINED: usize = 64;

/// The answer to a body, as JSON: one object for a record, a list for a list.
///
/// # Errors
/// What the body was refused for.
pub(crate) fn predict(scorer: Scorer<'_>, body: &[u8], query: Query) -> Result<Vec<u8>, Problem> {
    let json = match scorer.validator.read(body)? {
        Rows::One(row) => serde_json::to_vec(&scorer.answer(row, query.explain)?),
        Rows::Many(rows) if query.explain && rows.len() > MAX_EXPLAINED => {
            let message = format!("at most {MAX_EXPLAINED} records are explained at once");
            let entry = complaint::too_long(MAX_EXPLAINED, rows.len(), message);
            return Err(Problem::unprocessable(entry));
        }
        Rows::Many(rows) => scorer.many(|scorer| {
            let answer = |row: Row| scorer.answer(row, query.explain);
            let answers: Result<Vec<_>, _> = rows.into_iter().map(answer).collect();
            Ok(serde_json::to_vec(&answers?))
        })?,
    };
    json.map_err(|_| Problem::internal())
}
