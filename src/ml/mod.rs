//! Tables, features, learners, metrics and model files.
//!
//! Knows neither the engine nor HTTP. Everything here gives the same bits on every thread count:
//! sums run in a fixed order, `exp` and `ln` come from `libm`, random numbers from `rand_chacha`.

pub mod calibration;
pub mod cell;
pub mod columns;
pub mod csv;
pub mod describe;
pub mod evaluation;
pub mod expect;
pub mod features;
pub mod infer;
pub mod json;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod package;
pub mod profile;
pub mod random;
pub mod schema;
pub mod split;
pub mod table;
pub mod table_file;
pub mod target;
pub mod training;
