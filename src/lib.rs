//! `pipeline`: reproducible machine-learning pipelines in one binary.
//!
//! Layout, in the order of dependence: `ml` learns and predicts and knows neither the engine nor
//! HTTP; `kinds` joins the engine's `Kind` with `ml`; `serve` answers HTTP with `ml` and does not
//! know polars; `tuning` says which parameters are tried; `terminal` is the only place that prints;
//! `commands` has one file per verb and uses all of them.

pub mod cli;
pub mod commands;
pub mod kinds;
pub mod ml;
pub mod serve;
pub mod terminal;
pub mod tuning;
