//! The flags of `pipeline serve` that are parameters of the kind `serve`.
//!
//! What is given is laid over the parameters of the stage and checked like them, so ranges are
//! declared in one place, `kinds::serve`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

/// Where the service listens, and how much one client may hold; what is not given is as the
/// pipeline's service stage says.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Limits (parameters of the stage)")]
pub struct Limits {
    /// Listen on a Unix socket instead of a port
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The permissions of the socket, as for chmod
    #[arg(long, value_name = "MODE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_mode: Option<String>,
    /// Tell of every answer on stderr: off, plain or json
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Take up another package also on `POST /admin/reload` from this machine
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// How much of the past `/drift` tells of
    #[arg(long, value_name = "HOURS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_window: Option<f64>,
    /// The largest body of a request
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<i64>,
    /// How long the head of a request may take to arrive
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_timeout: Option<f64>,
    /// How long a body may take to arrive
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_timeout: Option<f64>,
    /// How long a request may take in all
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<f64>,
    /// How long a connection may be idle
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<f64>,
    /// How long connections are still accepted after a stop
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_delay: Option<f64>,
    /// How long requests in flight have to end after that
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<f64>,
    /// The most connections at once
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<i64>,
    /// The most connections at once from one address
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections_per_address: Option<i64>,
    /// The most requests that are worked on at once
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<i64>,
    /// The largest head of a request
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_header_bytes: Option<i64>,
    /// The most headers of a request
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_headers: Option<i64>,
    /// The largest Parquet file of a batch
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_table_bytes: Option<i64>,
}

impl Limits {
    /// The parameters that were given, by their names.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(given)) => given,
            _ => Map::new(),
        }
    }
}
