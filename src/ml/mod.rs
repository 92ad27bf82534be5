//! Tables, features, learners, metrics and model files.
//!
//! Knows neither the engine nor HTTP. Everything here gives the same bits on every thread count:
//! sums run in a fixed order, `exp` and `ln` come from `libm`, random numbers from `rand_chacha`.

pub mod cell;
pub mod schema;
