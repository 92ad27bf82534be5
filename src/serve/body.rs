//! The body of a request: its type, and its bytes as far as the limits allow.
//!
//! Knows headers and bytes, and not what they say.

use std::pin::pin;

use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use warp::{Buf, Stream};

use crate::serve::errors::Problem;
use crate::serve::state::State;

/// The types of a body that some path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`.
    Json,
    /// One JSON value per line, under any of its usual names.
    JsonLines,
    /// `text/csv`.
    Csv,
    /// `application/vnd.apache.parquet`, or the name that it had before it was registered.
    Parquet,
}

/// The registered name of Parquet.
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";

impl MediaType {
    /// The type of a body; `None` for another one, or another encoding than UTF-8.
    pub(crate) fn of(headers: &HeaderMap) -> Option<MediaType> {
        let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_utf8 = |parameter: &str| {
            let parameter = parameter.trim().to_ascii_lowercase();
            let charset = parameter.strip_prefix("charset=");
            charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"))
        };
        let media_type = match essence.as_str() {
            "application/json" => MediaType::Json,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/jsonlines"
            | "application/x-jsonlines" => MediaType::JsonLines,
            "text/csv" => MediaType::Csv,
            PARQUET | "application/x-parquet" => MediaType::Parquet,
            _ => return None,
        };
        parts.all(is_utf8).then_some(media_type)
    }
}

/// Reads a body as far as the limit of requests and the time allow.
///
/// # Errors
/// 413 above the limit, 408 when it takes too long, 400 when it ends too early.
pub(crate) async fn read<S, B>(
    state: &State,
    headers: &HeaderMap,
    body: S,
) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    read_up_to(state.options.max_body_bytes, state, headers, body).await
}

/// The same with a limit of its own.
pub(crate) async fn read_up_to<S, B>(
    limit: u64,
    state: &State,
    headers: &HeaderMap,
    body: S,
) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};
    use std::time::Duration;

    use warp::http::StatusCode;
    use warp::hyper::body::Bytes;

    use super::*;
    use crate::ml::package::tests::small_package;
    use crate::serve::state::Options;

    #[test]
    fn a_stalled_body_is_given_up() {
        let dir = small_package();
        let options = Options { body_timeout: Duration::from_millis(20), ..Options::default() };
        let package = crate::ml::package::Package::load(dir.path()).unwrap();
        let state = State::new(package, dir.path().to_owned(), None, options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let headers = HeaderMap::new();
        let problem = runtime.block_on(read(&state, &headers, Pending)).unwrap_err();
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
