//! How much of the service one client may hold, and for how long.
//!
//! Every deadline ends something that a client could otherwise keep open for ever, and every
//! maximum bounds what many clients can have together. The defaults suit a service that answers in
//! microseconds behind a load balancer whose own idle timeout is a minute: a connection must not
//! be closed by the service just as the balancer uses it. Knows no socket.

use std::time::Duration;

/// The limits of connections and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the head of a request may take to arrive, and a new connection to say anything.
    pub header_timeout: Duration,
    /// How long a connection may be idle after an answer.
    pub idle_timeout: Duration,
    /// How long a request may take in all, from the end of its head to the start of its answer.
    pub request_timeout: Duration,
    /// How long new connections are still accepted once the service is told to stop, so that load
    /// balancers can learn of it from readiness.
    pub drain_delay: Duration,
    /// The most connections at once.
    pub max_connections: usize,
    /// The most connections at once from one IP address; a Unix socket has none.
    pub max_connections_per_address: usize,
    /// The most requests that are worked on at once; probes and metrics are not counted.
    pub max_requests: usize,
    /// The largest head of a request, in bytes.
    pub max_header_bytes: usize,
    /// The most headers of a request.
    pub max_headers: usize,
    /// The largest table that is read as a whole, in bytes of its file.
    pub max_table_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            request_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            max_connections: 512,
            max_connections_per_address: 256,
            max_requests: 256,
            max_header_bytes: 16 << 10,
            max_headers: 64,
            max_table_bytes: 16 << 20,
        }
    }
}
