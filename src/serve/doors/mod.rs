//! Front doors: the protocols of other servers, over the same scorer, so that this service can
//! stand where one of them stood.
//!
//! A door reads its protocol's envelope and words its protocol's answer, and nothing else: rows are
//! checked and predicted as they are behind `/predict`. What is refused has the shape that clients
//! of the protocol read, and the status that they know.

mod frame;
pub(crate) mod invocations;
pub(crate) mod v2;

use serde_json::{Value, json};
use warp::http::StatusCode;

use crate::serve::errors::Problem;

/// The most sentences that an error of a door joins.
const MAX_SENTENCES: usize = 16;

/// Whose errors a path speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// FastAPI's, or RFC 9457.
    Own,
    /// `{"error": …}`: Open Inference Protocol V2.
    V2,
    /// `{"error_code": …, "message": …}`: MLflow.
    Mlflow,
}

impl Tongue {
    /// The status that clients of the protocol know: they have no 422.
    pub(crate) fn status(self, problem: &Problem) -> StatusCode {
        match (self, problem.status) {
            (Tongue::V2 | Tongue::Mlflow, StatusCode::UNPROCESSABLE_ENTITY) => {
                StatusCode::BAD_REQUEST
            }
            (_, status) => status,
        }
    }

    /// The body of an error.
    pub(crate) fn body(self, problem: &Problem, model_version: &str, request_id: &str) -> Vec<u8> {
        let body: Value = match self {
            Tongue::Own => return problem.body(model_version, request_id),
            Tongue::V2 => json!({ "error": sentences(problem) }),
            Tongue::Mlflow => {
                json!({ "error_code": error_code(problem.status), "message": sentences(problem) })
            }
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// MLflow's name for a status.
fn error_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "ENDPOINT_NOT_FOUND",
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::UNPROCESSABLE_ENTITY => "INVALID_PARAMETER_VALUE",
        status if status.is_server_error() => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    }
}

/// All that is wrong, as one text.
fn sentences(problem: &Problem) -> String {
    let told = problem.entries.iter().take(MAX_SENTENCES).map(|entry| entry.message.as_str());
    let text = told.collect::<Vec<_>>().join("; ");
    let more = problem.entries.len().saturating_sub(MAX_SENTENCES) + problem.omitted;
    if more > 0 { format!("{text}; and {more} more") } else { text }
}
