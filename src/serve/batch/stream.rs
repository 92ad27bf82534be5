//! A batch behind a request: answers leave as records arrive.
//!
//! The response's body pulls: nothing is read from the request before what came out of the last
//! bytes has been taken. So a client that stops reading stops being read, and memory is bounded by
//! one part of the body, one record and their answers. What breaks under way can no longer change
//! the status; the stream then ends with an error, which closes the connection before the last
//! chunk, so that no client takes half a file for a whole one.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use warp::hyper::body::Bytes;
use warp::{Buf, Stream};

use super::{Batch, Wanted};
use crate::serve::errors::Problem;
use crate::serve::served::Served;

/// How many bytes are taken at once: other requests wait no longer than these take.
const STEP: usize = 16 << 10;

/// The same where answers are explained, which takes a thousand times as long.
const EXPLAINED_STEP: usize = 256;

/// Why a stream ended before its time.
#[derive(Debug)]
pub(crate) struct Broken(&'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

/// The answers to the records of a body, as bytes.
pub(crate) struct Answers<S, B> {
    served: Arc<Served>,
    request_id: String,
    batch: Batch,
    body: Pin<Box<S>>,
    /// The part of the body that is being taken.
    part: Option<B>,
    /// What is ready to leave.
    out: Vec<u8>,
    /// How long a part may take to arrive.
    timeout: Duration,
    patience: Pin<Box<Sleep>>,
    is_waiting: bool,
    step: usize,
    is_done: bool,
}

impl<S, B> Answers<S, B>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf + Unpin,
{
    /// Begins a batch, all of which one package answers. Returns when the header, if there is to be
    /// one, was right.
    ///
    /// # Errors
    /// 400 or 422 for the header, 408 or 400 when it did not arrive.
    pub(crate) async fn begin(
        served: Arc<Served>,
        request_id: String,
        timeout: Duration,
        wanted: Wanted,
        body: S,
    ) -> Result<Answers<S, B>, Problem> {
        let mut answers = Answers {
            batch: Batch::new(wanted),
            body: Box::pin(body),
            part: None,
            out: Vec::new(),
            timeout,
            patience: Box::pin(tokio::time::sleep(timeout)),
            is_waiting: false,
            step: if wanted.explain { EXPLAINED_STEP } else { STEP },
            is_done: false,
            served,
            request_id,
        };
        while answers.batch.awaits_header() && !answers.is_done {
            std::future::poll_fn(|cx| answers.advance(cx)).await.map_err(|stop| match stop {
                Stop::Refused(problem) => problem,
                Stop::Stalled => Problem::timeout(timeout.as_secs_f64()),
                Stop::Interrupted => Problem::interrupted(),
            })?;
        }
        Ok(answers)
    }

    /// Takes a step: some bytes that are here, or the next part of the body.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        if let Some(part) = self.part.as_mut().filter(|part| part.has_remaining()) {
            let chunk = part.chunk();
            let bytes = &chunk[..chunk.len().min(self.step)];
            let (batch, out) = (&mut self.batch, &mut self.out);
            let scorer = self.served.scorer(&self.request_id);
            let pushed = guarded(|| batch.push(scorer, bytes, out));
            return Poll::Ready(pushed.map(|n| part.advance(n)));
        }
        match self.body.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(part))) => {
                self.part = Some(part);
                self.is_waiting = false;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Err(Stop::Interrupted)),
            Poll::Ready(None) => {
                self.is_done = true;
                let (batch, out) = (&mut self.batch, &mut self.out);
                let scorer = self.served.scorer(&self.request_id);
                Poll::Ready(guarded(|| batch.finish(scorer, out)))
            }
            Poll::Pending => {
                // Counted from here: before, it was perhaps the client that was waited for.
                if !std::mem::replace(&mut self.is_waiting, true) {
                    self.patience.as_mut().reset(Instant::now() + self.timeout);
                }
                self.patience.as_mut().poll(cx).map(|()| Err(Stop::Stalled))
            }
        }
    }
}

/// Why there is no next step.
enum Stop {
    Refused(Problem),
    Stalled,
    Interrupted,
}

/// A panic ends the answer and not the service.
fn guarded<T>(step: impl FnOnce() -> Result<T, Problem>) -> Result<T, Stop> {
    let stepped = catch_unwind(AssertUnwindSafe(step));
    stepped.unwrap_or_else(|_| Err(Problem::internal())).map_err(Stop::Refused)
}

impl<S, B> Stream for Answers<S, B>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf + Unpin,
{
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if !self.out.is_empty() {
                let out = std::mem::take(&mut self.out);
                return Poll::Ready(Some(Ok(out.into())));
            }
            if self.is_done {
                return Poll::Ready(None);
            }
            let stop = match self.advance(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(stop)) => stop,
            };
            self.is_done = true;
            return Poll::Ready(Some(Err(Broken(match stop {
                Stop::Refused(_) => "the batch failed",
                Stop::Stalled => "the body stalled",
                Stop::Interrupted => "the body ended before it was complete",
            }))));
        }
    }
}
