//! The flags of `pipeline serve` that say who may ask, how often, and by which way.
//!
//! Parameters of the kind `serve`, as those in `limits`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

/// Who may ask; what is not given is as the pipeline's service stage says.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Who may ask (parameters of the stage)")]
pub struct Access {
    /// Let in those requests alone that show a key of this file
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// Answer these paths without a key: /, /health, /metrics, /openapi.json
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// How often a key may ask, and an address without one, as in 100/m
    #[arg(long, value_name = "RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Speak TLS, with the certificate in this file (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Let in those clients alone whose certificate one of this file has signed (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_ca: Option<PathBuf>,
    /// Let pages of these origins ask, each as browsers send it; * for all
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_origins: Vec<String>,
}

impl Access {
    /// The parameters that were given, by their names.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(given)) => given,
            _ => Map::new(),
        }
    }
}
