//! From any bytes to an answer, and what must hold of every answer: what the fuzz target tries.
//!
//! The bytes are a request as people write one down: a line with a method and a target, a line per
//! header, an empty line, and the body. It goes through all that a request goes through once it
//! has been read from a socket (`framing` and `guard`, which come before, have tests of their own).
//! That must end without a panic, with a status that the service's own OpenAPI document lists for
//! the path, in a type that it lists, within bounds, and repeat no long part of the body. Built for
//! tests, and for `fuzz/` at the top of the repository, which says how the bytes are found.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::runtime::Runtime;
use warp::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use warp::http::{Method, Request, StatusCode};
use warp::hyper::body::{Body, Bytes, Frame};
use warp::hyper::service::Service;
use warp::reply::Response;

use crate::ml::package::Package;
use crate::serve::body::PARQUET;
use crate::serve::query::decoded;
use crate::serve::requests::Requests;
use crate::serve::routes;
use crate::serve::state::{Options, Routes, State};

/// The largest refusal, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// The largest answer that is no refusal and does not grow with the request, in bytes.
const MAX_FIXED: usize = 256 << 10;

/// The most bytes of an answer to a record of a batch.
const MAX_PER_RECORD: usize = 32 << 10;

/// The largest file of predictions: a Parquet file of a few kilobytes may have many rows.
const MAX_FILE: usize = 16 << 20;

/// How many bytes of a body no answer repeats in one piece; a sentence may quote 192 characters.
const MAX_ECHO: usize = 512;

/// Bodies come in parts of so many bytes, so that records are cut anywhere.
const PART: usize = 61;

/// What answers a request.
type Asked = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// A service that is asked without sockets.
pub struct Fuzz {
    ask: Box<dyn Fn(Request<Parts>) -> Asked + Send + Sync>,
    openapi: Value,
    runtime: Runtime,
}

/// A body, part by part.
struct Parts(VecDeque<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

/// What was answered.
struct Answered {
    status: StatusCode,
    content_type: String,
    body: Vec<u8>,
}

impl Fuzz {
    /// A service of the package in a directory, with every path that a service may have.
    ///
    /// # Panics
    /// When there is no package.
    pub fn new(dir: &Path) -> Fuzz {
        let package = Package::load(dir).expect("a package");
        let routes = Routes {
            health: Some("/vertex/health".to_owned()),
            predict: Some("/vertex/predict".to_owned()),
        };
        let options = Options { admin: true, routes, ..Options::default() };
        let state = Arc::new(State::new(package, dir.to_owned(), None, options));
        let openapi =
            serde_json::from_slice(state.served().openapi(&state.options)).expect("a document");
        let routes = warp::service(routes::api(Arc::clone(&state)));
        let requests = Requests { routes, state, address: None, seat: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Fuzz {
            ask: Box::new(move |request| requests.call(request)),
            openapi,
            runtime: runtime.expect("a runtime"),
        }
    }

    /// Asks what the bytes say, and returns the status of the answer; `None` when no request can
    /// be made of them.
    ///
    /// # Errors
    /// When a promise is broken: which, with the bytes and the answer.
    pub fn ask(&self, bytes: &[u8]) -> Result<Option<u16>, String> {
        let Some((request, body)) = request(bytes) else { return Ok(None) };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answered = self.runtime.block_on(async {
            let response = match (self.ask)(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            whole(response).await
        });
        let (reason, told) = match answered {
            Err(reason) => (reason, Vec::new()),
            Ok(answered) => match self.check(&method, &path, body, &answered) {
                Ok(()) => return Ok(Some(answered.status.as_u16())),
                Err(reason) => (reason, answered.body),
            },
        };
        let (asked, told) = (bytes.escape_ascii(), told.escape_ascii().to_string());
        Err(format!("{reason}\nasked: {asked}\nanswered: {told:.4096}"))
    }

    /// Looks whether an answer is one that was promised.
    fn check(
        &self,
        method: &Method,
        path: &str,
        asked: &[u8],
        answered: &Answered,
    ) -> Result<(), String> {
        let Answered { status, content_type, body } = answered;
        if *status == StatusCode::INTERNAL_SERVER_ERROR {
            return Err("the service failed".to_owned());
        }
        let is_head = *method == Method::HEAD;
        if (is_head || *status == StatusCode::NO_CONTENT) && !body.is_empty() {
            return Err(format!("{} bytes where none are allowed", body.len()));
        }
        self.check_documented(method, path, *status, content_type)?;
        if is_head || *status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        check_size(asked, answered)?;
        check_content(content_type, body)?;
        let piece = asked.chunks_exact(MAX_ECHO).find(|piece| {
            piece.first() != piece.last() && body.windows(MAX_ECHO).any(|window| window == *piece)
        });
        piece.map_or(Ok(()), |piece| Err(format!("it repeats {}", piece.escape_ascii())))
    }

    /// Whether the document says that a path answers so.
    fn check_documented(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        content_type: &str,
    ) -> Result<(), String> {
        let wrong = || format!("{method} {path}: {status} as {content_type} is not documented");
        let expect = |is_so: bool| if is_so { Ok(()) } else { Err(wrong()) };
        let Some(item) = self.item(path) else { return expect(status == StatusCode::NOT_FOUND) };
        let name = if *method == Method::HEAD { "get" } else { &method.as_str().to_lowercase() };
        // Methods are told apart by their case.
        let is_plain = method.as_str().bytes().all(|byte| byte.is_ascii_uppercase());
        let Some(operation) = item.get(name).filter(|_| is_plain) else {
            let is_question = *method == Method::OPTIONS && status == StatusCode::NO_CONTENT;
            return expect(is_question || status == StatusCode::METHOD_NOT_ALLOWED);
        };
        let Some(response) = operation["responses"].get(status.as_str()) else {
            return Err(wrong());
        };
        let essence = content_type.split(';').next().unwrap_or_default();
        expect(response["content"].get(essence).is_some())
    }

    /// What the document has of a path, step by step without its percents.
    fn item(&self, path: &str) -> Option<&Value> {
        let items = self.openapi["paths"].as_object()?;
        let steps = |path: &str| -> Vec<Option<String>> { path.split('/').map(decoded).collect() };
        // Only names in a path may be written in several ways.
        let is_free = path.starts_with("/v2/models/");
        items.get(path).or_else(|| {
            let mut items = items.iter().filter(|_| is_free);
            items.find(|(known, _)| steps(known) == steps(path)).map(|(_, item)| item)
        })
    }
}

/// A request that was written down, and its body.
fn request(bytes: &[u8]) -> Option<(Request<Parts>, &[u8])> {
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    };
    let mut words = line().splitn(2, |byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut builder = Request::builder().method(method).uri(target);
    loop {
        let line = line();
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        if name != CONTENT_LENGTH {
            builder = builder.header(name, value);
        }
    }
    let is_chunked = builder.headers_ref()?.contains_key(TRANSFER_ENCODING);
    if !is_chunked {
        builder = builder.header(CONTENT_LENGTH, rest.len());
    }
    let parts = rest.chunks(PART).map(Bytes::copy_from_slice).collect();
    Some((builder.body(Parts(parts)).ok()?, rest))
}

/// An answer with all of its body.
async fn whole(response: Response) -> Result<Answered, String> {
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    Ok(Answered { status: head.status, content_type, body: bytes })
}

fn check_size(asked: &[u8], answered: &Answered) -> Result<(), String> {
    let Answered { status, content_type, body } = answered;
    let records = 1 + asked.iter().filter(|byte| matches!(byte, b'\n' | b'\r' | b'{')).count();
    let max = match content_type.as_str() {
        _ if *status != StatusCode::OK => MAX_REFUSAL,
        PARQUET => MAX_FILE,
        _ if asked.starts_with(b"PAR1") => MAX_FILE,
        _ => MAX_FIXED + records * MAX_PER_RECORD,
    };
    if body.len() <= max { Ok(()) } else { Err(format!("{} bytes, above {max}", body.len())) }
}

fn check_content(content_type: &str, body: &[u8]) -> Result<(), String> {
    let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    let is_well = match content_type {
        "application/json" | "application/problem+json" => is_json(body),
        "application/x-ndjson" => {
            body.is_empty()
                || body
                    .strip_suffix(b"\n")
                    .is_some_and(|lines| lines.split(|byte| *byte == b'\n').all(is_json))
        }
        PARQUET => body.starts_with(b"PAR1") && body.ends_with(b"PAR1"),
        _ => std::str::from_utf8(body).is_ok(),
    };
    if is_well { Ok(()) } else { Err(format!("it is no {content_type}")) }
}
