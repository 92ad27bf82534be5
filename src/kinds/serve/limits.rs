//! The parameters of `serve` that bound what clients may hold, and for how long.
//!
//! Declared beside the others and read into what the service knows; each default is the service's
//! own. Times are in seconds.

use std::time::Duration;

use engine::params::{Param, Type};
use serde::Deserialize;

use crate::serve::{Limits, Options};

/// The longest time that can be set: a day.
const DAY: f64 = 86_400.0;

/// The limits as they are written.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    header_timeout: f64,
    body_timeout: f64,
    request_timeout: f64,
    idle_timeout: f64,
    drain_delay: f64,
    drain_timeout: f64,
    max_connections: usize,
    max_connections_per_address: usize,
    max_requests: usize,
    max_header_bytes: usize,
    max_headers: usize,
    max_table_bytes: usize,
}

impl Params {
    /// Lays the limits over the options of a service.
    pub fn lay(&self, options: Options) -> Options {
        let time = Duration::from_secs_f64;
        Options {
            body_timeout: time(self.body_timeout),
            drain_timeout: time(self.drain_timeout),
            limits: Limits {
                header_timeout: time(self.header_timeout),
                idle_timeout: time(self.idle_timeout),
                request_timeout: time(self.request_timeout),
                drain_delay: time(self.drain_delay),
                max_connections: self.max_connections,
                max_connections_per_address: self.max_connections_per_address,
                max_requests: self.max_requests,
                max_header_bytes: self.max_header_bytes,
                max_headers: self.max_headers,
                max_table_bytes: self.max_table_bytes,
            },
            ..options
        }
    }
}

/// What is declared of them.
pub(super) fn declared() -> Vec<Param> {
    let options = Options::default();
    [times(&options), counts(&options.limits)].concat()
}

fn times(options: &Options) -> Vec<Param> {
    let limits = &options.limits;
    let time = |name, least: f64, default: Duration, doc| {
        Param::new(name, Type::Float(least, DAY), default.as_secs_f64(), doc)
    };
    vec![
        time(
            "header_timeout",
            0.01,
            limits.header_timeout,
            "how many seconds the head of a request may take to arrive, and a new connection to \
             say anything; then the answer is 408, or none",
        ),
        time(
            "body_timeout",
            0.01,
            options.body_timeout,
            "how many seconds a body may take to arrive, then the answer is 408; and how long a \
             client may take nothing of an answer",
        ),
        time(
            "request_timeout",
            0.01,
            limits.request_timeout,
            "how many seconds a request may take in all, body included; then the answer is 504",
        ),
        time(
            "idle_timeout",
            0.01,
            limits.idle_timeout,
            "how many seconds a connection may be idle after an answer; longer than a load \
             balancer in front keeps its own",
        ),
        time(
            "drain_delay",
            0.0,
            limits.drain_delay,
            "how many seconds connections are still accepted after a stop, while readiness fails",
        ),
        time(
            "drain_timeout",
            0.0,
            options.drain_timeout,
            "how many seconds requests in flight have to end after that",
        ),
    ]
}

fn counts(limits: &Limits) -> Vec<Param> {
    let count = |name, least, most, default: usize, doc| {
        // Defaults are small.
        Param::new(name, Type::Int(least, most), default as i64, doc)
    };
    let per_address = limits.max_connections_per_address;
    vec![
        count(
            "max_connections",
            1,
            1 << 20,
            limits.max_connections,
            "the most connections at once",
        ),
        count(
            "max_connections_per_address",
            1,
            1 << 20,
            per_address,
            "the most connections at once from one IP address; all that come by one proxy have its \
             address, and those of a Unix socket none",
        ),
        count(
            "max_requests",
            1,
            1 << 20,
            limits.max_requests,
            "the most requests that are worked on at once, health and metrics not counted; above \
             that the answer is 503 with `retry-after`",
        ),
        count(
            "max_header_bytes",
            256,
            1 << 20,
            limits.max_header_bytes,
            "the largest head of a request, in bytes; above that the answer is 431",
        ),
        count("max_headers", 4, 1000, limits.max_headers, "the most headers of a request"),
        count(
            "max_table_bytes",
            64,
            1 << 30,
            limits.max_table_bytes,
            "the largest Parquet file of a batch, in bytes; opened it may be 16 times as large",
        ),
    ]
}
