//! The normal distribution: how a standard error becomes an interval, and a statistic a p-value.
//!
//! Tails come from `libm`'s complementary error function, which keeps its relative precision far
//! out, where one minus a probability would be rounded to nothing. Knows no metric.

use std::f64::consts::SQRT_2;

/// How often a standard normal number is further from 0 than `z`, in [0, 1]: the p-value of a
/// two-sided test.
pub(super) fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// How often a chi-squared number with one degree of freedom is above `x`, in [0, 1]: it is the
/// square of a standard normal one.
pub(super) fn chi_squared_tail(x: f64) -> f64 {
    two_sided(x.max(0.0).sqrt())
}

/// The distance from 0 within which a standard normal number is with the probability `level`, in
/// [0, 1): 1.96 for 0.95. Found by halving, to the last bit of what `two_sided` can tell.
pub(super) fn critical(level: f64) -> f64 {
    let outside = 1.0 - level;
    // Further out the tail is below the smallest number.
    let (mut low, mut high) = (0.0, 40.0);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return low;
        }
        if two_sided(middle) > outside { low = middle } else { high = middle }
    }
}
