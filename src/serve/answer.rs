//! An answer on its way out: status, body, and the headers that every answer carries.

use warp::http::StatusCode;
use warp::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use warp::reply::Response;

use crate::serve::accept;
use crate::serve::doors::Tongue;
use crate::serve::errors::Problem;
use crate::serve::page;
use crate::serve::problem_json;
use crate::serve::state::State;

pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Pages that the page opens, or that open it, get no hold of it.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// An answer without its headers.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) content: Content,
    pub(crate) allow: Option<&'static str>,
}

/// The body of an answer.
pub(crate) enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// What comes.
    Stream(Response),
}

impl Answer {
    pub(crate) fn new(content_type: &'static str, body: Vec<u8>) -> Answer {
        let content = Content::Bytes(body);
        Answer { status: StatusCode::OK, content_type, content, allow: None }
    }

    pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Answer {
        Answer { status, ..Answer::new(JSON, body) }
    }

    /// A refusal by a model version, in the tongue of a path, or by RFC 9457 where the client
    /// accepts that.
    pub(crate) fn problem(
        problem: &Problem,
        tongue: Tongue,
        headers: &HeaderMap,
        version: &str,
        id: &str,
    ) -> Answer {
        if accept::quality(headers, problem_json::MEDIA_TYPE) > 0 {
            let body = problem.rfc9457(version, id);
            let answer = Answer::new(problem_json::MEDIA_TYPE, body);
            return Answer { status: problem.status, allow: problem.allow, ..answer };
        }
        let body = tongue.body(problem, version, id);
        Answer { allow: problem.allow, ..Answer::json(tongue.status(problem), body) }
    }

    /// Puts the headers on; HEAD gets all of them and no body.
    pub(crate) fn finish(self, id: &str, is_head: bool) -> Response {
        let (mut response, length) = match self.content {
            Content::Stream(response) => (response, None),
            Content::Bytes(body) => {
                let length = body.len();
                let body = if is_head { Vec::new() } else { body };
                (Response::new(body.into()), Some(length))
            }
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
        }
        if self.content_type == HTML {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        let is_unread =
            matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
        if is_unread {
            // The rest of the body is not worth waiting for.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

/// The answer to a request that is refused before it comes to the routes.
pub(crate) fn refuse(problem: &Problem, state: &State, id: &str, is_head: bool) -> Response {
    let served = state.served();
    let headers = HeaderMap::new();
    let answer = Answer::problem(problem, Tongue::Own, &headers, served.version(), id);
    answer.finish(id, is_head)
}

/// What a probe tells those who are not to know why.
pub(crate) fn brief(status: StatusCode, id: &str, is_head: bool) -> Response {
    let word = if status == StatusCode::OK { "pass" } else { "fail" };
    let body = serde_json::json!({ "status": word }).to_string();
    Answer::json(status, body.into_bytes()).finish(id, is_head)
}

/// The answer of a path that is text and is not served by the routes.
pub(crate) fn text(media_type: &'static str, text: String, id: &str, is_head: bool) -> Response {
    Answer::new(media_type, text.into_bytes()).finish(id, is_head)
}

/// What such a path allows.
pub(crate) fn options(allow: &'static str, id: &str) -> Response {
    let answer = Answer::json(StatusCode::NO_CONTENT, Vec::new());
    Answer { allow: Some(allow), ..answer }.finish(id, false)
}
