//! One connection, from the moment that it is accepted until nobody needs it.
//!
//! hyper reads and answers; what is here is how a connection is told to end, and how it ends: a
//! fault that the guard found is answered, and a client that is still sending is listened to for a
//! moment, since a socket that is closed with unread bytes takes its last answer with it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use warp::http::Request;
use warp::hyper::body::Incoming;
use warp::hyper::server::conn::http1;
use warp::hyper::service::Service;
use warp::reply::Response;

use crate::serve::guard::Guard;
use crate::serve::listen::Stream;
use crate::serve::metrics::Labels;
use crate::serve::refusal;
use crate::serve::seat::Seat;
use crate::serve::state::State;

/// How long the last words with a client may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// The most bytes that are read to be thrown away.
const MAX_UNREAD: usize = 64 << 10;

/// How far the service has come with stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It is not stopping.
    Serving,
    /// Connections end with the request that they are in.
    Closing,
    /// Connections end as they are.
    Cut,
}

/// Serves a connection to its end.
pub(crate) async fn serve<S>(
    stream: Box<dyn Stream>,
    requests: S,
    seat: Arc<Seat>,
    state: Arc<State>,
    stage: watch::Receiver<Stage>,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Unpin,
    S::Future: Unpin,
{
    let limits = &state.options.limits;
    let guard = Guard::new(stream, &state.options, Arc::clone(&seat));
    let mut connection = http1::Builder::new()
        // What a client has sent is answered also when it sends no more.
        .half_close(true)
        // The guard counts first; hyper must only have room for what it lets pass.
        .max_headers(limits.max_headers)
        .max_buf_size(limits.max_header_bytes + (16 << 10))
        .serve_connection(TokioIo::new(guard), requests);
    let mut closing = pin!(reached(stage.clone(), Stage::Closing));
    let mut cut = pin!(reached(stage, Stage::Cut));
    let mut leaving = pin!(seat.asked());
    let (mut is_closing, mut is_leaving) = (false, false);
    let is_cut = poll_fn(|cx| {
        if !is_closing && closing.as_mut().poll(cx).is_ready() {
            is_closing = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if !is_leaving && leaving.as_mut().poll(cx).is_ready() {
            is_leaving = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if is_closing && cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        // An error is the client's: it went away, or is answered below. At its end hyper writes out
        // what it has; the guard keeps the stream open for the last words.
        Pin::new(&mut connection).poll(cx).map(|_| false)
    })
    .await;
    if is_cut {
        return;
    }
    let (stream, fault, is_unread) = connection.into_parts().io.into_inner().end();
    let problem = fault.map(|fault| refusal::faulty(fault, &state));
    let answer = problem.map(|problem| {
        state.metrics.answered(Labels::none(), problem.status, None);
        refusal::message(&problem, &state)
    });
    farewell(stream, answer.as_deref(), is_unread).await;
}

/// The stream of a client as it is to be read: through TLS, where that is spoken. Nothing comes of
/// a client that takes longer for its handshake than for a head, or that began when the service
/// was stopping.
pub(crate) async fn secured(
    stream: Box<dyn Stream>,
    state: &State,
    stage: watch::Receiver<Stage>,
) -> Option<Box<dyn Stream>> {
    let Some(tls) = state.options.access.tls() else { return Some(stream) };
    let patience = state.options.limits.header_timeout;
    let mut handshake = pin!(tokio::time::timeout(patience, tls.accept(stream)));
    let mut closing = pin!(reached(stage, Stage::Closing));
    poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.ok().flatten()),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Tells a client that is not served why, and closes.
pub(crate) async fn turn_away(
    stream: Box<dyn Stream>,
    state: &State,
    stage: watch::Receiver<Stage>,
) {
    let secured = secured(stream, state, stage);
    let Ok(Some(stream)) = tokio::time::timeout(FAREWELL, secured).await else { return };
    let answer = refusal::message(&refusal::overloaded(), state);
    farewell(stream, Some(&answer), true).await;
}

/// Writes the last answer, if there is one, and closes.
async fn farewell(mut stream: Box<dyn Stream>, answer: Option<&[u8]>, is_unread: bool) {
    let words = async {
        if let Some(answer) = answer {
            stream.write_all(answer).await?;
        }
        stream.shutdown().await?;
        if is_unread || answer.is_some() {
            let mut unread = [0; 4096];
            let mut left = MAX_UNREAD;
            while left > 0 {
                match stream.read(&mut unread).await? {
                    0 => break,
                    n => left = left.saturating_sub(n),
                }
            }
        }
        std::io::Result::Ok(())
    };
    // Whether a client that is leaving hears it is its own affair.
    let _ = tokio::time::timeout(FAREWELL, words).await;
}

/// Is done when the service has come that far.
pub(crate) async fn reached(mut stage: watch::Receiver<Stage>, goal: Stage) {
    // Without a sender the service is gone.
    let _ = stage.wait_for(|stage| *stage >= goal).await;
}
