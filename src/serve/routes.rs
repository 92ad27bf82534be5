//! The routes: which path answers which method, and what every answer carries.
//!
//! One filter takes every request apart once, and plain functions do the rest: no rejection carries
//! an error, since combined rejections of warp answer an unknown path with 405 and a bad body with
//! 404. `recover` is a net for what warp itself rejects. Knows nothing of models.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use warp::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{Method, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Buf, Filter, Rejection, Stream};

use crate::serve::errors::Problem;
use crate::serve::health::Report;
use crate::serve::page;
use crate::serve::predict::predict;
use crate::serve::state::State;

const JSON: &str = "application/json";
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is repeated.
const MAX_ID_LEN: usize = 128;

/// All that is served, for the answer to a path that is not.
const KNOWN: &str = "POST /predict, GET /health, GET /health/ready, GET /health/live, \
                     GET /openapi.json, GET /metrics and GET /";

/// What is served at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Page,
    Predict,
    Health,
    Ready,
    Live,
    OpenApi,
}

impl Resource {
    fn of(path: &str) -> Option<Resource> {
        match path {
            "/" => Some(Resource::Page),
            "/predict" => Some(Resource::Predict),
            "/health" => Some(Resource::Health),
            "/health/ready" => Some(Resource::Ready),
            "/health/live" => Some(Resource::Live),
            "/openapi.json" => Some(Resource::OpenApi),
            _ => None,
        }
    }

    /// The methods it has, as `Allow` lists them.
    fn allow(self) -> &'static str {
        match self {
            Resource::Predict => "OPTIONS, POST",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

/// An answer without its headers.
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    allow: Option<&'static str>,
}

impl Answer {
    fn json(status: StatusCode, body: Vec<u8>) -> Answer {
        Answer { status, content_type: JSON, body, allow: None }
    }

    fn problem(problem: &Problem, state: &State, id: &str) -> Answer {
        let body = problem.body(state.package.version(), id);
        Answer { allow: problem.allow, ..Answer::json(problem.status, body) }
    }
}

/// The whole service as one filter.
pub(crate) fn api(
    state: Arc<State>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let net = Arc::clone(&state);
    warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, path, headers, body| {
            let state = Arc::clone(&state);
            async move { respond(&state, &method, &path, &headers, body).await }
        })
        .recover(move |rejection| {
            let state = Arc::clone(&net);
            async move { Ok::<_, Infallible>(caught(&state, &rejection)) }
        })
        .unify()
}

/// The answer to a request, with all its headers.
async fn respond<S, B>(
    state: &Arc<State>,
    method: &Method,
    path: &FullPath,
    headers: &HeaderMap,
    body: S,
) -> Response
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let id = request_id(state, headers.get(REQUEST_ID));
    let answered = answer(state, method, path.as_str(), headers, body).await;
    let answer = answered.unwrap_or_else(|problem| {
        state.metrics.refused(&problem);
        Answer::problem(&problem, state, &id)
    });
    finish(answer, &id, *method == Method::HEAD)
}

async fn answer<S, B>(
    state: &Arc<State>,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: S,
) -> Result<Answer, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let resource = Resource::of(path).ok_or_else(|| Problem::not_found(KNOWN))?;
    let allow = resource.allow();
    if *method == Method::OPTIONS {
        let answer = Answer::json(StatusCode::NO_CONTENT, Vec::new());
        return Ok(Answer { allow: Some(allow), ..answer });
    }
    if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
        return Err(Problem::method_not_allowed(allow));
    }
    if resource == Resource::Predict {
        check_content_type(headers)?;
        let body = read_body(state, headers, body).await?;
        let state = Arc::clone(state);
        return guarded(|| Ok(Answer::json(StatusCode::OK, predict(&state, &body)?)));
    }
    let state = Arc::clone(state);
    // A probe looks at files, which may block. A panic comes back as an error.
    let read = tokio::task::spawn_blocking(move || get(&state, resource));
    read.await.map_err(|_| Problem::internal())
}

/// What a path answers to GET.
fn get(state: &State, resource: Resource) -> Answer {
    match resource {
        Resource::Health | Resource::Ready => {
            let report = Report::of(state);
            let ready = report.is_pass();
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Answer::json(status, serde_json::to_vec(&report).unwrap_or_default())
        }
        Resource::Live => Answer::json(StatusCode::OK, b"{\"status\":\"pass\"}".to_vec()),
        Resource::OpenApi => Answer::json(StatusCode::OK, state.openapi.clone()),
        Resource::Page | Resource::Predict => Answer {
            content_type: "text/html; charset=utf-8",
            ..Answer::json(StatusCode::OK, state.page.clone().into_bytes())
        },
    }
}

/// Turns a panic of a handler into an answer: the connection and the service live on.
fn guarded(handler: impl FnOnce() -> Result<Answer, Problem>) -> Result<Answer, Problem> {
    // Nothing is shared with the handler but atomics and a lock that tells of its own poison.
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| Err(Problem::internal()))
}

/// The answer to a request that is refused before it comes to the routes.
pub(crate) fn refuse(problem: &Problem, state: &State, id: &str, is_head: bool) -> Response {
    finish(Answer::problem(problem, state, id), id, is_head)
}

/// The answer of a path that is text and is not served here.
pub(crate) fn text(media_type: &'static str, text: String, id: &str, is_head: bool) -> Response {
    let answer = Answer::json(StatusCode::OK, text.into_bytes());
    finish(Answer { content_type: media_type, ..answer }, id, is_head)
}

/// What such a path allows.
pub(crate) fn options(allow: &'static str, id: &str) -> Response {
    let answer = Answer::json(StatusCode::NO_CONTENT, Vec::new());
    finish(Answer { allow: Some(allow), ..answer }, id, false)
}

/// What warp itself rejects, which after routing by hand is nothing that a client should see.
fn caught(state: &State, _rejection: &Rejection) -> Response {
    let id = state.next_id();
    finish(Answer::problem(&Problem::internal(), state, &id), &id, false)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let is_utf8 = |parameter: &str| {
        let parameter = parameter.trim().to_ascii_lowercase();
        let charset = parameter.strip_prefix("charset=");
        charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8")
    };
    if essence.eq_ignore_ascii_case(JSON) && parts.all(is_utf8) {
        return Ok(());
    }
    Err(Problem::unsupported_type())
}

/// Reads a body as far as the limit and the time allow.
async fn read_body<S, B>(state: &State, headers: &HeaderMap, body: S) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let limit = state.options.max_body_bytes;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limit) {
        return Err(Problem::too_large(limit));
    }
    let time = state.options.body_timeout;
    let read = tokio::time::timeout(time, collect(body, limit)).await;
    read.unwrap_or_else(|_| Err(Problem::timeout(time.as_secs_f64())))
}

async fn collect<S, B>(body: S, limit: u64) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(part) = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let mut part = part.map_err(|_| Problem::interrupted())?;
        if (bytes.len() + part.remaining()) as u64 > limit {
            return Err(Problem::too_large(limit));
        }
        while part.has_remaining() {
            let chunk = part.chunk();
            let len = chunk.len();
            bytes.extend_from_slice(chunk);
            part.advance(len);
        }
    }
    Ok(bytes)
}

/// The client's request id when it is one that a log can hold, a new one otherwise.
pub(crate) fn request_id(state: &State, given: Option<&HeaderValue>) -> String {
    let given = given.and_then(|value| value.to_str().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=".contains(c);
    let usable = |id: &&str| !id.is_empty() && id.len() <= MAX_ID_LEN && id.chars().all(is_plain);
    given.filter(usable).map_or_else(|| state.next_id(), str::to_owned)
}

/// Puts the headers on an answer; HEAD gets all of them and no body.
fn finish(answer: Answer, id: &str, is_head: bool) -> Response {
    let length = answer.body.len();
    let body = if is_head { Vec::new() } else { answer.body };
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if answer.status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if answer.content_type != JSON {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    }
    if let Some(allow) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    let is_unread =
        matches!(answer.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    if is_unread {
        // The rest of the body is not worth waiting for.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};
    use std::time::Duration;

    use warp::hyper::body::Bytes;

    use super::*;
    use crate::ml::package::tests::small_package;
    use crate::serve::state::Options;

    #[test]
    fn a_panic_becomes_an_answer() {
        let problem = guarded(|| panic!("a secret")).err().unwrap();
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
        let body = String::from_utf8(problem.body("v", "r")).unwrap();
        assert!(body.contains("internal_error") && !body.contains("secret"), "{body}");
    }

    #[test]
    fn a_stalled_body_is_given_up() {
        let dir = small_package();
        let options = Options { body_timeout: Duration::from_millis(20), ..Options::default() };
        let package = crate::ml::package::Package::load(dir.path()).unwrap();
        let state = State::new(package, dir.path().to_owned(), options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let headers = HeaderMap::new();
        let read = read_body(&state, &headers, Pending);
        let problem = runtime.block_on(read).unwrap_err();
        assert_eq!(problem.status, StatusCode::REQUEST_TIMEOUT);
    }

    /// A body of which nothing ever arrives.
    struct Pending;

    impl Stream for Pending {
        type Item = Result<Bytes, warp::Error>;

        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }
}
