//! What is answered without asking the routes: messages that can be doubted, and too much work.
//!
//! In the one shape of every refusal. Where hyper has not seen the request, the whole answer is
//! written here. Knows no sockets.

use warp::http::StatusCode;
use warp::http::header::{self, HeaderValue};
use warp::reply::Response;

use crate::serve::errors::{Entry, Problem, name};
use crate::serve::framing::Fault;
use crate::serve::state::State;

/// After how many seconds a client that was turned away may come back.
pub(crate) const RETRY_AFTER: u32 = 1;

fn problem(
    status: StatusCode,
    title: &'static str,
    kind: &'static str,
    part: &str,
    message: String,
) -> Problem {
    let entry = Entry::new(kind, vec![name(part)], title, message);
    Problem { status, title, entries: vec![entry], omitted: 0, allow: None }
}

/// More requests or connections than the service takes at once.
pub(crate) fn overloaded() -> Problem {
    let message = format!("the service is busy; try again in {RETRY_AFTER} second");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    problem(status, "Service overloaded", "overloaded", "server", message)
}

/// A request that its client may not make.
pub(crate) fn forbidden(message: &str) -> Problem {
    let status = StatusCode::FORBIDDEN;
    problem(status, "Forbidden", "forbidden", "client", message.to_owned())
}

/// What is to be served cannot be.
pub(crate) fn kept(version: &str, reason: &str) -> Problem {
    let message = format!("model {version} goes on answering: {reason}");
    problem(StatusCode::CONFLICT, "Not swapped", "not_swapped", "server", message)
}

/// A request that was not answered in time.
pub(crate) fn late(seconds: f64) -> Problem {
    let message = format!("the request was not answered within {seconds} seconds");
    problem(StatusCode::GATEWAY_TIMEOUT, "Request deadline", "deadline", "server", message)
}

/// A message that is no HTTP, or could be read in two ways.
pub(crate) fn faulty(fault: Fault, state: &State) -> Problem {
    let limits = &state.options.limits;
    let bad = |kind, part: &str, message: &str| {
        problem(StatusCode::BAD_REQUEST, "Malformed request", kind, part, message.to_owned())
    };
    let large = |message: String| {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        problem(status, "Headers too large", "header_too_large", "header", message)
    };
    match fault {
        Fault::LineEnd => bad("line_end", "header", "every line must end in CR LF"),
        Fault::RequestLine => {
            bad("request_line", "header", "the first line must be a method, a path and HTTP/1.1")
        }
        Fault::Header => bad("header", "header", "every header must be a name, a colon, a value"),
        Fault::Host => bad("host", "header", "there must be exactly one header 'host'"),
        Fault::Length => {
            bad("content_length", "header", "the header 'content-length' must be one number")
        }
        Fault::LengthAndEncoding => {
            let message = "'content-length' and 'transfer-encoding' must not be given both";
            bad("content_length", "header", message)
        }
        Fault::Encoding => {
            bad("transfer_encoding", "header", "the header 'transfer-encoding' must be chunked")
        }
        Fault::Chunk => bad("chunk", "body", "a chunk is not as long as it says"),
        Fault::Version => {
            let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
            let message = "the version must be HTTP/1.1 or HTTP/1.0".to_owned();
            problem(status, "HTTP version not supported", "http_version", "header", message)
        }
        Fault::HeadBytes => large(format!(
            "the first line and the headers must be at most {} bytes",
            limits.max_header_bytes
        )),
        Fault::HeadLines => large(format!("there must be at most {} headers", limits.max_headers)),
        Fault::Slow => {
            let seconds = limits.header_timeout.as_secs_f64();
            let message = format!("the headers did not arrive within {seconds} seconds");
            let status = StatusCode::REQUEST_TIMEOUT;
            problem(status, "Request timeout", "timeout", "header", message)
        }
    }
}

/// Puts on a refusal when to come again, if that is what it is about.
pub(crate) fn dress(problem: &Problem, mut response: Response) -> Response {
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    }
    response
}

/// The answer as it is written where hyper does not write it; it closes the connection.
pub(crate) fn message(problem: &Problem, state: &State) -> Vec<u8> {
    let id = state.next_id();
    let body = problem.body(state.served().version(), &id);
    let status = problem.status;
    let reason = status.canonical_reason().unwrap_or_default();
    let retry = match status {
        StatusCode::SERVICE_UNAVAILABLE => format!("retry-after: {RETRY_AFTER}\r\n"),
        _ => String::new(),
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         {retry}x-request-id: {id}\r\n\r\n",
        status.as_u16(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}
