//! The flags of `pipeline serve` that have a challenger score beside the package that answers.
//!
//! Parameters of the kind `serve`, as those in `limits`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

/// What scores beside the package that answers; what is not given is as the pipeline's service
/// stage says.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "A challenger beside (parameters of the stage)")]
pub struct Shadow {
    /// Have the package that was promoted under this name score every row, too, or that of a
    /// directory, which is written with a slash
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<String>,
    /// Keep rows that differ, and what came of all of them, in this directory
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_log: Option<PathBuf>,
    /// From which difference of the probabilities on a row is kept
    #[arg(long, value_name = "DIFFERENCE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_threshold: Option<f64>,
    /// Keep the record of such a row with it
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow_inputs: bool,
    /// The largest file of rows that differ
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_log_bytes: Option<u64>,
    /// The most such files
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_log_files: Option<u64>,
    /// The most rows that wait for the challenger; above that they are dropped
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_queue: Option<u64>,
}

impl Shadow {
    /// The parameters that were given, by their names.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(given)) => given,
            _ => Map::new(),
        }
    }
}
