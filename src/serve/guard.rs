//! A connection's stream, with deadlines and without requests that can be doubted.
//!
//! Between the socket and hyper: what arrives is followed by `framing`, and after a fault, or when
//! a client has had its time, hyper is told that the client has ended. The one who drives the
//! connection then finds the fault here and answers it. hyper's own timer for heads is not used,
//! since it also ends idle connections: what waits for a head and what waits for a next request
//! must have deadlines of their own. Deadlines are only looked at when nothing can be read or
//! written, so a client that keeps up never pays for a timer. The body's deadline is not here: who
//! reads the body can say what did not arrive.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::serve::framing::{Fault, Framing, Phase};
use crate::serve::seat::Seat;
use crate::serve::state::Options;

/// A stream that is watched over.
pub(crate) struct Guard<S> {
    stream: S,
    framing: Framing,
    fault: Option<Fault>,
    /// Nothing more is read.
    is_over: bool,
    /// When the head began, or when the connection was last of use.
    since: Instant,
    /// Since when the client takes nothing of what is written.
    stalled: Option<Instant>,
    /// Since when what was written waits to leave, in a stream that holds some of it back.
    unflushed: Option<Instant>,
    reading: Timer,
    writing: Timer,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    /// Where it is told since when a next request is waited for.
    seat: Arc<Seat>,
}

impl<S> Guard<S> {
    /// Watches over a new connection.
    pub(crate) fn new(stream: S, options: &Options, seat: Arc<Seat>) -> Guard<S> {
        let limits = &options.limits;
        Guard {
            stream,
            framing: Framing::new(limits.max_header_bytes, limits.max_headers),
            fault: None,
            is_over: false,
            since: Instant::now(),
            stalled: None,
            unflushed: None,
            reading: Timer::default(),
            writing: Timer::default(),
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            write_timeout: options.body_timeout,
            seat,
        }
    }

    /// The stream, with the fault that nobody has answered, and whether a request was cut short.
    pub(crate) fn end(self) -> (S, Option<Fault>, bool) {
        let is_cut = self.framing.phase() != Phase::Idle;
        (self.stream, self.fault, is_cut)
    }

    /// Follows the bytes that were read, and takes back those after a fault.
    fn follow(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let (phase, heads) = (self.framing.phase(), self.framing.heads);
        if let Err(broken) = self.framing.feed(&buf.filled()[before..]) {
            buf.set_filled(before + broken.whole);
            self.is_over = true;
            // In a body the one who reads it finds it incomplete, and says so.
            self.fault = (self.framing.phase() != Phase::Body).then_some(broken.fault);
            return;
        }
        let goes_on = phase == Phase::Head && self.framing.phase() == Phase::Head;
        if !goes_on || self.framing.heads > heads {
            self.used();
        }
    }

    /// Notes that the connection has just been of use.
    fn used(&mut self) {
        self.since = Instant::now();
        let waits = self.framing.phase() == Phase::Idle && self.framing.heads > 0;
        self.seat.waits(waits.then(|| self.since.into_std()));
    }

    /// Whether the client has had its time to send what must come next.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let time = match self.framing.phase() {
            Phase::Head => self.header_timeout,
            Phase::Idle if self.framing.heads == 0 => self.header_timeout,
            Phase::Idle => self.idle_timeout,
            Phase::Body => return false,
        };
        self.reading.has_passed(cx, self.since + time)
    }

    /// Fails a write that stalls for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.stalled = None;
            if self.framing.phase() == Phase::Idle {
                self.used();
            }
            return wrote;
        }
        // It waits to be read, and not for a request.
        self.seat.waits(None);
        let since = *self.stalled.get_or_insert_with(Instant::now);
        match self.writing.has_passed(cx, since + self.write_timeout) {
            true => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            self.follow(buf, before);
            return Poll::Ready(read);
        }
        if !self.is_late(cx) {
            return Poll::Pending;
        }
        self.is_over = true;
        self.fault = (self.framing.phase() == Phase::Head).then_some(Fault::Slow);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes what is written before the client has; a bare socket is always flushed.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.unflushed = None;
            return flushed;
        }
        let since = *self.unflushed.get_or_insert_with(Instant::now);
        let deadline = since + self.write_timeout;
        match self.writing.has_passed(cx, deadline) {
            true => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }

    /// Writes everything out; whoever ends the connection closes the stream.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Wakes at a deadline that usually moves on before it is reached.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Whether the deadline has passed; if not, the task is woken no later than at the deadline.
    fn has_passed(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            if sleep.deadline() >= deadline {
                return true;
            }
            // It was set for an earlier deadline, which has moved on since.
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A stream that takes what is written and never passes it on, as TLS does to a client that
    /// reads nothing.
    struct Holding;

    impl AsyncWrite for Holding {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll_flush(cx)
        }
    }

    #[test]
    fn what_a_stream_holds_back_has_a_deadline_like_what_it_does_not_take() {
        let body_timeout = Duration::from_millis(30);
        let options = Options { body_timeout, ..Options::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let flushed = runtime.block_on(async {
            let mut guard = Guard::new(Holding, &options, Arc::default());
            let wrote = poll_fn(|cx| Pin::new(&mut guard).poll_write(cx, b"answer")).await;
            assert_eq!(wrote.unwrap(), 6);
            poll_fn(|cx| Pin::new(&mut guard).poll_flush(cx)).await
        });
        assert_eq!(flushed.unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
