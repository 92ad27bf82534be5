//! The access log: a line per answer, which no request ever waits for.
//!
//! Lines go through a bounded queue to a thread that writes them, so a reader that is slow costs
//! lines, never answers: what does not fit is dropped and counted. A line has what tells requests
//! apart and nothing that a client sent but its ids: no query, no body, no other header; of a key
//! its name. The
//! `tracing` crates would do as much with a collector, a formatter and a worker between, and
//! block or drop without saying how much. Where the lines go is given from outside.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::serve::trace::Trace;

/// The most lines that wait to be written.
const MAX_WAITING: usize = 1024;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Plain,
    /// A JSON object per line.
    Json,
}

/// What is told of an answer.
pub(crate) struct Line<'l> {
    pub(crate) request_id: &'l str,
    pub(crate) trace: Option<Trace>,
    pub(crate) method: &'l str,
    pub(crate) route: &'l str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    /// The name of the key that came with the request.
    pub(crate) key: Option<&'l str>,
}

#[derive(Serialize)]
struct Document<'l> {
    time: String,
    method: &'l str,
    route: &'l str,
    status: u16,
    duration_us: u64,
    request_id: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'l str>,
}

/// What the thread is given.
enum Job {
    Write(String),
    /// Say when all before is written.
    Flush(SyncSender<()>),
}

/// A log that is being written.
#[derive(Clone, Debug)]
pub struct Log {
    format: Format,
    jobs: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Begins a log.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(format: Format, sink: impl Write + Send + 'static) -> io::Result<Log> {
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write(&waiting, sink))?;
        Ok(Log { format, jobs, dropped: Arc::default() })
    }

    /// Tells of an answer, unless too much is waiting to be told.
    pub(crate) fn tell(&self, line: &Line<'_>) {
        let time = humantime::format_rfc3339_micros(SystemTime::now());
        let Line { request_id, method, route, status, took, key, .. } = *line;
        let trace = line.trace.as_ref();
        let text = match self.format {
            Format::Plain => {
                let trace = trace.map(|trace| format!(" {}", trace.trace_id())).unwrap_or_default();
                let key = key.map(|key| format!(" by {key}")).unwrap_or_default();
                format!("{time} {status} {method} {route} {took:.0?} {request_id}{trace}{key}\n")
            }
            Format::Json => {
                let document = Document {
                    time: time.to_string(),
                    method,
                    route,
                    status,
                    // No request takes half a million years.
                    duration_us: took.as_micros() as u64,
                    request_id,
                    key,
                    trace_id: trace.map(Trace::trace_id),
                    parent_id: trace.map(Trace::parent_id),
                };
                serde_json::to_string(&document).unwrap_or_default() + "\n"
            }
        };
        if self.jobs.try_send(Job::Write(text)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was told is written, but not for long.
    pub fn flush(&self, patience: Duration) {
        let (done, is_done) = sync_channel(1);
        if self.jobs.try_send(Job::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(patience);
        }
    }
}

/// Writes lines until nobody can tell any more.
fn write(waiting: &Receiver<Job>, sink: impl Write) {
    let mut sink = io::BufWriter::new(sink);
    loop {
        let job = match waiting.try_recv() {
            Ok(job) => job,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                // What cannot be written is not told elsewhere, either.
                let _ = sink.flush();
                let Ok(job) = waiting.recv() else { return };
                job
            }
        };
        match job {
            Job::Write(line) => drop(sink.write_all(line.as_bytes())),
            Job::Flush(done) => {
                let _ = sink.flush();
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    /// A sink that tests can read.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A sink whose reader takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(trace: Option<Trace>) -> Line<'static> {
        let (request_id, method, route) = ("r-1", "POST", "/predict");
        let took = Duration::from_micros(42);
        Line { request_id, trace, method, route, status: 200, took, key: Some("batch") }
    }

    fn told(format: Format) -> String {
        let sink = Sink::default();
        let log = Log::start(format, sink.clone()).unwrap();
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        log.tell(&line(Trace::read(trace)));
        log.tell(&line(None));
        log.flush(Duration::from_secs(10));
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_an_object_with_the_ids() {
        let told = told(Format::Json);
        let lines: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(lines[0]["parent_id"], "00f067aa0ba902b7");
        assert_eq!((&lines[0]["status"], &lines[0]["duration_us"]), (&200.into(), &42.into()));
        assert!(humantime::parse_rfc3339(lines[0]["time"].as_str().unwrap()).is_ok());
        assert!(lines[1].get("trace_id").is_none());
        assert_eq!(lines[1]["key"], "batch");
    }

    #[test]
    fn a_line_for_people_has_a_time_and_what_was_answered() {
        let told = told(Format::Plain);
        let (_, rest) = told.lines().next().unwrap().split_once(' ').unwrap();
        let expected = "200 POST /predict 42µs r-1 4bf92f3577b34da6a3ce929d0e0e4736 by batch";
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_reader_that_is_stuck_costs_lines_and_no_time() {
        let (go, stuck) = mpsc::channel();
        let log = Log::start(Format::Json, Stuck(stuck)).unwrap();
        let start = std::time::Instant::now();
        (0..3 * MAX_WAITING).for_each(|_| log.tell(&line(None)));
        log.flush(Duration::from_millis(10));
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(log.dropped() >= MAX_WAITING as u64, "{}", log.dropped());
        drop(go);
    }
}
