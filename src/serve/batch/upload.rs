//! A Parquet file as a body: held as a whole, because what it says of its contents stands at its
//! end, and then read like a stream of JSON lines.
//!
//! What a client may make the service hold is bounded three times: the bytes of the file, what they
//! may become when they are opened, and how many files are held at once. Which package answers is
//! decided before the file arrives, as for every request. Knows no tables: `ml::records` opens the
//! file and lends its rows.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::OwnedSemaphorePermit;
use warp::http::StatusCode;
use warp::http::header::HeaderMap;
use warp::hyper::body::Bytes;
use warp::{Buf, Stream};

use super::Columns;
use crate::ml::records::{Records, Unusable};
use crate::serve::answering::Answering;
use crate::serve::body;
use crate::serve::errors::{self, Entry, Problem};
use crate::serve::refusal;
use crate::serve::state::State;

/// How many times as large as its file a table may be.
pub(crate) const MAX_GROWTH: u64 = 16;

/// How many bytes of lines are made at once.
const STEP: usize = 16 << 10;

/// The rows of a file as lines, which hold the right to a table until they are done.
pub(crate) struct Lines {
    records: Records,
    _turn: OwnedSemaphorePermit,
}

impl Lines {
    /// Reads and opens a file.
    ///
    /// # Errors
    /// 503 while too many others are held; 413, 408 and 400 as for every body; 413 when the table
    /// would be too large, 400 when the file is damaged, 422 with every column that is missing or
    /// not known.
    pub(crate) async fn open<S, B>(
        state: &State,
        served: &Answering,
        headers: &HeaderMap,
        body: S,
    ) -> Result<Lines, Problem>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let turn = Arc::clone(&state.tables).try_acquire_owned();
        let turn = turn.map_err(|_| refusal::overloaded())?;
        let limit = state.options.limits.max_table_bytes as u64;
        let bytes = body::read_up_to(limit, state, headers, body).await?;
        let budget = limit.saturating_mul(MAX_GROWTH);
        let open = move || match Records::of_parquet(bytes, budget) {
            Ok(records) => Ok(Lines { records, _turn: turn }),
            Err(unusable) => {
                // Before the client is told, who may send another one at once.
                drop(turn);
                Err(unusable)
            }
        };
        let opened = tokio::task::spawn_blocking(open).await.map_err(|_| Problem::internal())?;
        let lines = opened.map_err(|unusable| refused(unusable, budget))?;
        let names: Vec<Cow<'_, str>> = lines.records.names().map(Cow::Borrowed).collect();
        Columns::new(&served.validator, &names)?;
        drop(names);
        Ok(lines)
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, warp::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut lines = Vec::new();
        while lines.len() < STEP && self.records.next_line(&mut lines) {}
        Poll::Ready((!lines.is_empty()).then(|| Ok(lines.into())))
    }
}

fn refused(unusable: Unusable, budget: u64) -> Problem {
    match unusable {
        Unusable::TooLarge => {
            let message = format!(
                "opened, the table would take more than {budget} bytes; send fewer rows at once"
            );
            let entry = Entry::new("too_large", errors::body(), "Content Too Large", message);
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Problem::single(status, "Content too large", entry)
        }
        Unusable::Invalid(error) => {
            let message = format!("the body is not a valid table: {}", errors::brief(&error));
            let msg = "Table could not be read";
            let entry = Entry::new("parquet_invalid", errors::body(), msg, message);
            Problem::malformed_entry(entry)
        }
    }
}
