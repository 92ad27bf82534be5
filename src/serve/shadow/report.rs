//! What is told of a shadow: `GET /shadow`, and the check at `/health`.

use serde::Serialize;
use warp::http::StatusCode;

use super::Shadow;
use super::summary::Summary;
use crate::serve::answer::{Answer, JSON};
use crate::serve::errors::{Entry, Problem, name};
use crate::serve::follow::Failure;

/// The body of `/shadow`.
#[derive(Serialize)]
pub(crate) struct Report {
    /// `comparing`, or `waiting` while there is no challenger.
    status: &'static str,
    /// The version that answers; none while there is nothing to compare it with.
    champion: Option<String>,
    /// The version that scores beside it.
    challenger: Option<String>,
    /// What is wrong with the comparison.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// From which difference on a row is kept.
    threshold: f64,
    queue: Load,
    /// The pair of now, then those of before, the newest first.
    pairs: Vec<Summary>,
}

/// How many rows wait, and how many may.
#[derive(Serialize)]
struct Load {
    rows: usize,
    capacity: usize,
}

impl Report {
    /// What is to be told now.
    pub(crate) fn of(shadow: &Shadow) -> Report {
        let pair = shadow.pairs().current();
        let (rows, capacity) = shadow.load();
        Report {
            status: if pair.is_some() { "comparing" } else { "waiting" },
            champion: pair.as_ref().map(|pair| pair.champion.version.clone()),
            challenger: pair.as_ref().map(|pair| pair.challenger.version().to_owned()),
            warnings: warnings(shadow).into_iter().map(|failure| failure.reason).collect(),
            threshold: shadow.threshold(),
            queue: Load { rows, capacity },
            pairs: shadow.pairs().tallies().iter().map(|tally| tally.summary()).collect(),
        }
    }
}

/// What is wrong with the comparison, as far as it is known since when.
pub(crate) fn warnings(shadow: &Shadow) -> Vec<Failure> {
    let misfit = shadow.pairs().current().and_then(|pair| {
        let version = pair.challenger.version();
        Some(Failure {
            reason: format!(
                "the challenger {version} is another kind of model: {}",
                pair.misfit()?
            ),
            at: pair.challenger.since,
        })
    });
    let trouble = shadow.trouble().last().map(|(reason, at)| Failure { reason, at });
    shadow.failure().into_iter().chain(misfit).chain(trouble).collect()
}

/// The answer of `/shadow`.
///
/// # Errors
/// 404 where no challenger is wanted.
pub(crate) fn answer(shadow: Option<&Shadow>) -> Result<Answer, Problem> {
    let report = Report::of(shadow.ok_or_else(unwanted)?);
    let body = serde_json::to_vec(&report).map_err(|_| Problem::internal())?;
    Ok(Answer::new(JSON, body))
}

fn unwanted() -> Problem {
    let message = "no challenger scores beside the model that answers: `shadow` of the stage, or \
                   `pipeline serve --shadow NAME`, says which is to";
    let entry = Entry::new("not_found", vec![name("path")], "Not Found", message.to_owned());
    Problem::single(StatusCode::NOT_FOUND, "No shadow", entry)
}
