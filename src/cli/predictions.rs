//! The flags of `pipeline serve` that say whether predictions are logged.
//!
//! Parameters of the kind `serve`, as those in `limits`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

/// The log of predictions; what is not given is as the pipeline's service stage says.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Log of predictions (parameters of the stage)")]
pub struct Predictions {
    /// Log every record that is predicted in this directory
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions: Option<PathBuf>,
    /// Log the record itself, too, so that it can be predicted again; it may be about a person
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub predictions_input: bool,
    /// The largest file of the log
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions_max_bytes: Option<i64>,
    /// The most files of the log
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions_keep: Option<i64>,
}

impl Predictions {
    /// The parameters that were given, by their names.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(given)) => given,
            _ => Map::new(),
        }
    }
}
