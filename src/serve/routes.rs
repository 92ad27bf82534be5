//! The routes: every request is taken apart once, and plain functions do the rest.
//!
//! No rejection carries an error, since combined rejections of warp answer an unknown path with 405
//! and a bad body with 404. `recover` is a net for what warp itself rejects. Knows nothing of
//! models.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Value, json};
use warp::http::header::{HeaderMap, HeaderValue};
use warp::http::{Method, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Buf, Filter, Rejection, Stream};

use crate::serve::accept;
use crate::serve::answer::{self, Answer, Content, HTML, JSON, REQUEST_ID};
use crate::serve::answering::Answering;
use crate::serve::batch::upload::Lines;
use crate::serve::batch::{Answers, Format, Wanted};
use crate::serve::body::{self, MediaType, PARQUET};
use crate::serve::doors::{invocations, v2};
use crate::serve::drift::report;
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::health::Report;
use crate::serve::predict::predict;
use crate::serve::query::Query;
use crate::serve::refusal;
use crate::serve::resource::{self, KNOWN, Resource};
use crate::serve::scorer::Scorer;
use crate::serve::served::Served;
use crate::serve::shadow;
use crate::serve::state::State;

/// The longest request id that is repeated.
const MAX_ID_LEN: usize = 128;

/// A request but for its body.
struct Head {
    method: Method,
    path: FullPath,
    query: String,
    headers: HeaderMap,
}

/// The whole service as one filter.
pub(crate) fn api(
    state: Arc<State>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let net = Arc::clone(&state);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, path, query, headers, body| {
            let state = Arc::clone(&state);
            let head = Head { method, path, query, headers };
            async move { respond(&state, &head, body).await }
        })
        .recover(move |rejection| {
            let state = Arc::clone(&net);
            async move { Ok::<_, Infallible>(caught(&state, &rejection)) }
        })
        .unify()
}

/// The answer to a request, with all its headers.
async fn respond<S, B>(state: &Arc<State>, head: &Head, body: S) -> Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send + Sync + 'static,
    B: Buf + Unpin + Send + Sync + 'static,
{
    let id = request_id(state, head.headers.get(REQUEST_ID));
    // The one that answers from here to the end, whatever is taken up meanwhile.
    let served = Answering::new(state, &id);
    let path = head.path.as_str();
    let resource = Resource::of(path, &state.options.routes, &served.package);
    let is_head = head.method == Method::HEAD;
    match answer(state, &served, head, resource, body).await {
        Ok(answer) => answer.finish(&id, is_head),
        Err(problem) => {
            served.counts.refused(&problem);
            let tongue = resource::tongue(path, resource);
            let answer = Answer::problem(&problem, tongue, &head.headers, served.version(), &id);
            refusal::dress(&problem, answer.finish(&id, is_head))
        }
    }
}

async fn answer<S, B>(
    state: &Arc<State>,
    served: &Answering,
    head: &Head,
    resource: Option<Resource>,
    body: S,
) -> Result<Answer, Problem>
where
    S: Stream<Item = Result<B, warp::Error>> + Send + Sync + 'static,
    B: Buf + Unpin + Send + Sync + 'static,
{
    let resource = resource.ok_or_else(|| Problem::not_found(KNOWN))?;
    let allow = resource.allow();
    if head.method == Method::OPTIONS {
        let answer = Answer::json(StatusCode::NO_CONTENT, Vec::new());
        return Ok(Answer { allow: Some(allow), ..answer });
    }
    if !allow.split(", ").any(|allowed| allowed == head.method.as_str()) {
        return Err(Problem::method_not_allowed(allow));
    }
    let headers = &head.headers;
    match resource {
        Resource::Predict => {
            let query = Query::read(&head.query)?;
            expect(headers, &[MediaType::Json], JSON)?;
            let body = body::read(state, headers, body).await?;
            predicted(served, body, query).await
        }
        Resource::Batch => batch(state, served, head, body).await,
        Resource::Invocations => {
            let takes = [MediaType::Json, MediaType::Csv];
            let media_type = expect(headers, &takes, "application/json or text/csv")?;
            let body = body::read(state, headers, body).await?;
            guarded(|| invoked(served.scorer(), headers, media_type, &body))
        }
        Resource::V2Infer => {
            if headers.contains_key("inference-header-content-length") {
                return Err(binary_tensors());
            }
            // Clients of this protocol send no type, or `application/octet-stream`.
            let body = body::read(state, headers, body).await?;
            guarded(|| Ok(Answer::new(JSON, v2::infer(served.scorer(), &body)?)))
        }
        Resource::Shadow => shadow::report::answer(state.options.shadow.as_ref()),
        _ => {
            let (state, served) = (Arc::clone(state), served.clone());
            // A probe looks at files, which may block. A panic comes back as an error.
            let read = tokio::task::spawn_blocking(move || get(&state, &served, resource));
            read.await.map_err(|_| Problem::internal())
        }
    }
}

/// The answer of `/predict`. Explanations may take long, so they are worked out where that holds
/// no other request up.
async fn predicted(served: &Answering, body: Vec<u8>, query: Query) -> Result<Answer, Problem> {
    let served = served.clone();
    let work = move || guarded(|| Ok(Answer::new(JSON, predict(served.scorer(), &body, query)?)));
    if !query.explain {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?
}

/// The answer of `/predict/batch`: a stream, once the header was right.
async fn batch<S, B>(
    state: &State,
    served: &Answering,
    head: &Head,
    body: S,
) -> Result<Answer, Problem>
where
    S: Stream<Item = Result<B, warp::Error>> + Send + Sync + 'static,
    B: Buf + Unpin + Send + Sync + 'static,
{
    let Query { explain } = Query::read(&head.query)?;
    let takes = [MediaType::JsonLines, MediaType::Csv, MediaType::Parquet];
    let names = format!("application/x-ndjson, text/csv or {PARQUET}");
    let media_type = expect(&head.headers, &takes, &names)?;
    let output = batch_output(&head.headers);
    if explain && output != Format::JsonLines {
        let loc = vec![errors::name("query"), errors::name("explain")];
        let message = "explanations are lists, which only application/x-ndjson can hold".to_owned();
        let msg = "CSV and Parquet have no explanations";
        return Err(Problem::unprocessable(Entry::new("not_explainable", loc, msg, message)));
    }
    let input = match media_type {
        MediaType::Csv => Format::Csv,
        _ => Format::JsonLines,
    };
    let options = &state.options;
    let max_record_bytes = usize::try_from(options.max_body_bytes).unwrap_or(usize::MAX);
    let wanted = Wanted { input, output, explain, max_record_bytes };
    let (served, patience) = (served.clone(), options.body_timeout);
    let answers = if media_type == MediaType::Parquet {
        let lines = Lines::open(state, &served, &head.headers, body).await?;
        warp::reply::stream(Answers::begin(served, patience, wanted, lines).await?).into_response()
    } else {
        warp::reply::stream(Answers::begin(served, patience, wanted, body).await?).into_response()
    };
    Ok(Answer { content: Content::Stream(answers), ..Answer::new(output.media_type(), Vec::new()) })
}

/// How the answers to a batch are written: as it is accepted, in doubt as JSON lines.
fn batch_output(headers: &HeaderMap) -> Format {
    let weight = |media_type: &str| accept::quality(headers, media_type);
    let mut best = (Format::JsonLines, weight("application/x-ndjson"));
    for (format, media_type) in [(Format::Csv, "text/csv"), (Format::Parquet, PARQUET)] {
        if weight(media_type) > best.1 {
            best = (format, weight(media_type));
        }
    }
    best.0
}

/// The answer of `/invocations`.
fn invoked(
    scorer: Scorer<'_>,
    headers: &HeaderMap,
    media_type: MediaType,
    body: &[u8],
) -> Result<Answer, Problem> {
    if media_type != MediaType::Csv {
        return Ok(Answer::new(JSON, invocations::json(scorer, body)?));
    }
    let as_csv = accept::quality(headers, "text/csv") > accept::quality(headers, JSON);
    let content_type = if as_csv { Format::Csv.media_type() } else { JSON };
    Ok(Answer::new(content_type, invocations::csv(scorer, body, as_csv)?))
}

/// What a path answers to GET.
fn get(state: &State, served: &Served, resource: Resource) -> Answer {
    let ok = |value: Value| Answer::new(JSON, value.to_string().into_bytes());
    let reported = |body: fn(&Report, &Served) -> Vec<u8>| {
        let report = Report::of(state);
        let ready = report.is_pass();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Answer::json(status, body(&report, served))
    };
    match resource {
        Resource::Live => ok(json!({ "status": "pass" })),
        Resource::Drift => Answer::new(JSON, report::body(served.drift.as_ref(), served.version())),
        Resource::OpenApi => Answer::new(JSON, served.openapi(&state.options).to_vec()),
        Resource::Version => ok(json!({ "version": env!("CARGO_PKG_VERSION") })),
        Resource::V2Server => ok(v2::server()),
        Resource::V2Model => ok(v2::model(&served.package)),
        Resource::V2Live => ok(json!({ "live": true })),
        Resource::V2Ready => {
            reported(|report, _| json!({ "ready": report.is_pass() }).to_string().into_bytes())
        }
        Resource::V2ModelReady => reported(|report, served| {
            let name = &served.package.manifest().name;
            json!({ "name": name, "ready": report.is_pass() }).to_string().into_bytes()
        }),
        Resource::Page => Answer::new(HTML, served.page.clone().into_bytes()),
        // The others take no GET, and none of them comes here.
        _ => reported(|report, _| serde_json::to_vec(report).unwrap_or_default()),
    }
}

/// Turns a panic of a handler into an answer: the connection and the service live on.
fn guarded(handler: impl FnOnce() -> Result<Answer, Problem>) -> Result<Answer, Problem> {
    // Nothing is shared with the handler but atomics and a lock that tells of its own poison.
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| Err(Problem::internal()))
}

/// What warp itself rejects, which after routing by hand is nothing that a client should see.
fn caught(state: &State, _rejection: &Rejection) -> Response {
    answer::refuse(&Problem::internal(), state, &state.next_id(), false)
}

/// The type of a body, if it is one of those that are taken.
fn expect(headers: &HeaderMap, takes: &[MediaType], names: &str) -> Result<MediaType, Problem> {
    let found = MediaType::of(headers).filter(|found| takes.contains(found));
    found.ok_or_else(|| Problem::unsupported_type(names))
}

/// Triton's extension, of which clients turn off what they ask this service.
fn binary_tensors() -> Problem {
    let message = "tensors are read as JSON: send `data`, as with `binary_data=False`".to_owned();
    let entry = Entry::new("value_error", errors::body(), "Value error", message);
    Problem::unprocessable(entry)
}

/// The client's request id when it is one that a log can hold, a new one otherwise.
pub(crate) fn request_id(state: &State, given: Option<&HeaderValue>) -> String {
    let given = given.and_then(|value| value.to_str().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=".contains(c);
    let usable = |id: &&str| !id.is_empty() && id.len() <= MAX_ID_LEN && id.chars().all(is_plain);
    given.filter(usable).map_or_else(|| state.next_id(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_answer() {
        let problem = guarded(|| panic!("a secret")).err().unwrap();
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
        let body = String::from_utf8(problem.body("v", "r")).unwrap();
        assert!(body.contains("internal_error") && !body.contains("secret"), "{body}");
    }
}
