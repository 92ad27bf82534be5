//! Tables, features, learners, metrics and model files.
//!
//! Knows neither the engine nor HTTP. Everything here gives the same bits on every thread count:
//! sums run in a fixed order, `exp` and `ln` come from `libm`, random numbers from `rand_chacha`.

pub mod association;
pub mod calibration;
pub mod cell;
pub mod columns;
pub mod condition;
pub mod csv;
pub mod describe;
pub mod drift;
pub mod evaluation;
pub mod expect;
pub mod features;
pub mod infer;
pub mod json;
pub mod leakage;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod package;
pub mod per_segment;
pub mod profile;
pub mod random;
pub mod records;
pub mod regression;
pub mod results;
pub mod schema;
pub mod special;
pub mod split;
pub mod suggest;
pub mod table;
pub mod table_file;
pub mod target;
pub mod texts;
pub mod training;
pub mod weights;
