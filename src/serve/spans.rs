//! Spans of answered requests, for whoever follows a request through many services.
//!
//! As the access log: through a bounded queue to a thread, so that no request ever waits for a
//! collector; what does not fit, and what does not arrive, is dropped and counted. A span goes on
//! with the trace of the request's `traceparent`, unless the caller does not record it; a request
//! without one begins a trace. It has what the log has, by the names of OpenTelemetry's semantic
//! conventions for HTTP, and which model answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::serve::collector::Collector;
use crate::serve::log::Line;
use crate::serve::trace::Trace;

/// The most spans that wait to be sent; that and the next are the defaults of OpenTelemetry's own.
const MAX_WAITING: usize = 2048;

/// The most spans of one message.
const MAX_BATCH: usize = 512;

/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);

/// A span of a server, by OTLP's numbers.
const SERVER: u8 = 2;

/// That a span failed, by OTLP's numbers.
const FAILED: u8 = 2;

/// What is told of an answer.
#[derive(Debug)]
struct Span {
    trace: Option<Trace>,
    method: String,
    route: String,
    status: u16,
    end: SystemTime,
    took: Duration,
    request_id: String,
    model_version: String,
}

/// What the thread is given.
#[derive(Debug)]
enum Job {
    Send(Box<Span>),
    /// Say when all before is sent, or lost.
    Flush(SyncSender<()>),
}

/// Spans that are being sent.
#[derive(Clone, Debug)]
pub struct Spans {
    jobs: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

impl Spans {
    /// Begins to send spans to a collector. `warn` is told in a sentence when they do not arrive,
    /// and again only when some have arrived since.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(collector: Collector, warn: impl Fn(&str) + Send + 'static) -> io::Result<Spans> {
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let spans = Spans { jobs, dropped: Arc::default() };
        let dropped = Arc::clone(&spans.dropped);
        let thread = std::thread::Builder::new().name("spans".to_owned());
        thread.spawn(move || send(&collector, &waiting, &dropped, &warn))?;
        Ok(spans)
    }

    /// Tells of an answer, unless its caller does not record it or too many wait to be sent.
    pub(crate) fn tell(&self, line: &Line<'_>, model_version: &str) {
        if line.trace.is_some_and(|trace| !trace.is_sampled()) {
            return;
        }
        let span = Span {
            trace: line.trace,
            method: line.method.to_owned(),
            route: line.route.to_owned(),
            status: line.status,
            end: SystemTime::now(),
            took: line.took,
            request_id: line.request_id.to_owned(),
            model_version: model_version.to_owned(),
        };
        if self.jobs.try_send(Job::Send(Box::new(span))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many spans were dropped, or did not arrive.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was told is sent, but not for long.
    pub fn flush(&self, patience: Duration) {
        let (done, is_done) = sync_channel(1);
        if self.jobs.try_send(Job::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(patience);
        }
    }
}

/// Sends spans until nobody can tell any more.
fn send(collector: &Collector, waiting: &Receiver<Job>, dropped: &AtomicU64, warn: &dyn Fn(&str)) {
    let mut is_lost = false;
    while let Some((batch, flushed)) = next(waiting) {
        if !batch.is_empty() {
            let document = document(collector, &batch).to_string();
            let sent = collector.send(document.as_bytes());
            if let Err(error) = &sent {
                dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
                if !is_lost {
                    warn(&format!("spans do not arrive, and are dropped: {error}"));
                }
            }
            is_lost = sent.is_err();
        }
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

/// The spans of the next message, and who waits for them; `None` when there will be no more.
fn next(waiting: &Receiver<Job>) -> Option<(Vec<Span>, Option<SyncSender<()>>)> {
    let mut batch = Vec::new();
    let mut job = waiting.recv().ok()?;
    let end = Instant::now() + DELAY;
    loop {
        match job {
            Job::Flush(done) => return Some((batch, Some(done))),
            Job::Send(span) => batch.push(*span),
        }
        if batch.len() == MAX_BATCH {
            return Some((batch, None));
        }
        // Also at the end of all, which is noticed when these have been sent.
        match waiting.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(next) => job = next,
            Err(_) => return Some((batch, None)),
        }
    }
}

/// A message, in the JSON encoding of OTLP: identifiers in hex, numbers of 64 bits as texts.
fn document(collector: &Collector, batch: &[Span]) -> Value {
    let resource = collector.resource().iter();
    let resource: Vec<Value> = resource.map(|(key, value)| attribute(key, value)).collect();
    let spans: Vec<Value> = batch.iter().map(Span::document).collect();
    let scope = json!({ "name": "pipeline.serve", "version": env!("CARGO_PKG_VERSION") });
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": scope, "spans": spans }],
    }]})
}

fn attribute(key: &str, text: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": text } })
}

impl Span {
    fn document(&self) -> Value {
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            since.as_nanos().to_string()
        };
        let start = self.end.checked_sub(self.took).unwrap_or(self.end);
        let mut document = json!({
            "traceId": self.trace.map_or_else(drawn::<16>, |trace| trace.trace_id().to_owned()),
            "spanId": drawn::<8>(),
            "name": format!("{} {}", self.method, self.route),
            "kind": SERVER,
            "startTimeUnixNano": nanoseconds(start),
            "endTimeUnixNano": nanoseconds(self.end),
            "attributes": [
                attribute("http.request.method", &self.method),
                attribute("http.route", &self.route),
                {
                    "key": "http.response.status_code",
                    "value": { "intValue": self.status.to_string() },
                },
                attribute("pipeline.model.version", &self.model_version),
                attribute("pipeline.request.id", &self.request_id),
            ],
            "status": {},
        });
        if let Some(trace) = self.trace {
            document["parentSpanId"] = trace.parent_id().into();
        }
        if self.status >= 500 {
            document["status"] = json!({ "code": FAILED });
        }
        document
    }
}

/// So many random bytes in hex. Without randomness there are none, and the collector says so.
fn drawn<const N: usize>() -> String {
    let mut bytes = [0_u8; N];
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;

    fn line(trace: Option<&str>) -> Line<'static> {
        let (request_id, method, route) = ("r-1", "POST", "/predict");
        let (trace, took) = (trace.and_then(Trace::read), Duration::from_micros(42));
        Line { request_id, trace, method, route, status: 200, took, key: None }
    }

    fn collector(address: &str) -> Collector {
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let of = |asked: &str| (asked == name).then(|| format!("http://{address}"));
        Collector::of(&of).unwrap().unwrap()
    }

    #[test]
    fn a_collector_that_is_stuck_costs_spans_and_no_time() {
        // It is never accepted from, so that nothing is ever answered.
        let stuck = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = stuck.local_addr().unwrap().to_string();
        let spans = Spans::start(collector(&address), |_| {}).unwrap();
        let start = Instant::now();
        (0..3 * MAX_WAITING).for_each(|_| spans.tell(&line(None), "v"));
        spans.flush(Duration::from_millis(10));
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(spans.dropped() >= MAX_WAITING as u64 - MAX_BATCH as u64, "{}", spans.dropped());
    }

    #[test]
    fn a_collector_that_is_gone_is_told_once_and_what_is_lost_is_counted() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&told);
        let warn = move |sentence: &str| heard.lock().unwrap().push(sentence.to_owned());
        let spans = Spans::start(collector(&gone), warn).unwrap();
        for n in 1..=3 {
            spans.tell(&line(None), "v");
            spans.flush(Duration::from_secs(20));
            assert_eq!(spans.dropped(), n);
        }
        assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
        let unrecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        spans.tell(&line(Some(unrecorded)), "v");
        spans.flush(Duration::from_secs(20));
        assert_eq!(spans.dropped(), 3, "what nobody records is not sent");
    }
}
