//! Whether two models decide equally well on the same rows (McNemar 1947, "Note on the sampling
//! error of the difference between correlated proportions or percentages").
//!
//! Only rows that one model decides rightly and the other wrongly say anything. Knows neither
//! scores nor thresholds.

use super::normal;

/// From this many disagreements on the p-value is the chi-squared one.
const FEW: u64 = 25;

/// What the disagreements of two models tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Rows that only the first model decides rightly.
    pub only_a: u64,
    /// Rows that only the second model decides rightly.
    pub only_b: u64,
    /// The statistic with continuity correction (Edwards 1948); `None` for the exact test, which
    /// is made of fewer than `FEW` disagreements.
    pub chi_squared: Option<f64>,
    /// How often chance alone gives such a difference, in [0, 1].
    pub p: f64,
}

impl McNemar {
    /// The test of so many rows that only one of both models decides rightly.
    pub fn new(only_a: u64, only_b: u64) -> McNemar {
        let n = only_a + only_b;
        if n < FEW {
            return McNemar { only_a, only_b, chi_squared: None, p: exact(only_a.min(only_b), n) };
        }
        let excess = only_a.abs_diff(only_b).saturating_sub(1) as f64;
        let chi_squared = excess * excess / n as f64;
        let p = normal::chi_squared_tail(chi_squared);
        McNemar { only_a, only_b, chi_squared: Some(chi_squared), p }
    }

    /// The test of decisions on the same rows, each right or wrong by the labels.
    pub fn of(labels: &[bool], a: &[bool], b: &[bool]) -> McNemar {
        let (mut only_a, mut only_b) = (0, 0);
        for ((label, a), b) in labels.iter().zip(a).zip(b) {
            only_a += u64::from(a == label && b != label);
            only_b += u64::from(b == label && a != label);
        }
        McNemar::new(only_a, only_b)
    }
}

/// Twice the probability of at most `k` heads in `n` throws of a fair coin, at most 1; `n` is below
/// `FEW`, so all is whole.
fn exact(k: u64, n: u64) -> f64 {
    let (mut ways, mut sum) = (1, 0);
    for i in 0..=k {
        sum += ways;
        ways = ways * (n - i) / (i + 1);
    }
    (2.0 * sum as f64 / (1_u64 << n) as f64).min(1.0)
}
