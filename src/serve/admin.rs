//! `POST /admin/reload`: whoever runs the service asks it to look for another package, and is told
//! what came of it.
//!
//! Off unless it was asked for, and then for this machine alone: the client comes from a loopback
//! address or by the Unix socket, and speaks for itself. A proxy on this machine forwards strangers
//! and a browser here runs their scripts; both say so in a header.

use std::sync::Arc;

use serde_json::json;
use warp::http::header::{FORWARDED, HeaderMap, ORIGIN};
use warp::http::{Method, StatusCode};

use crate::serve::answer::{Answer, JSON};
use crate::serve::errors::Problem;
use crate::serve::follow::{Found, Look};
use crate::serve::refusal;
use crate::serve::state::State;

/// The path.
pub(crate) const RELOAD: &str = "/admin/reload";

/// Its methods, as `Allow` lists them.
pub(crate) const ALLOWED: &str = "OPTIONS, POST";

/// The header by which proxies without `forwarded` say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whether a request may ask for a look.
///
/// # Errors
/// 405 for another method, 403 for a client that is, or may be, elsewhere.
pub(crate) fn admit(method: &Method, headers: &HeaderMap, is_near: bool) -> Result<(), Problem> {
    if *method != Method::POST {
        return Err(Problem::method_not_allowed(ALLOWED));
    }
    if !is_near {
        return Err(refusal::forbidden("this path is for clients on the service's own machine"));
    }
    if headers.contains_key(FORWARDED) || headers.contains_key(FORWARDED_FOR) {
        return Err(refusal::forbidden("this path is for no request that a proxy forwards"));
    }
    if headers.contains_key(ORIGIN) {
        return Err(refusal::forbidden("this path is for no script of a browser"));
    }
    Ok(())
}

/// Looks, whatever was seen before.
///
/// # Errors
/// 409 when something else is to be served and cannot be.
pub(crate) async fn reload(state: Arc<State>) -> Result<Answer, Problem> {
    let look = move || {
        let follow = state.follow.as_ref();
        let found = follow.map_or(Found::Same, |follow| follow.look(&state, Look::Asked));
        let version = state.served().version().to_owned();
        let (status, before) = match found {
            Found::Same => ("unchanged", None),
            Found::Swapped { from, .. } => ("swapped", Some(from)),
            Found::Kept(reason) => return Err(refusal::kept(&version, &reason)),
        };
        let body = json!({ "status": status, "model_version": version, "before": before });
        Ok(Answer { status: StatusCode::OK, ..Answer::new(JSON, body.to_string().into_bytes()) })
    };
    tokio::task::spawn_blocking(look).await.map_err(|_| Problem::internal())?
}
