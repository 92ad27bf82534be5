//! How near predicted numbers are to what came true, by scikit-learn's metrics and names.
//!
//! Sums run in the order of rows. A metric that has no value (targets that are all equal, a target
//! of 0 where an error is told in parts of it) says why instead of being NaN or arbitrary.
//! Intervals come from resamples of the rows (Efron & Tibshirani 1993, "An Introduction to the
//! Bootstrap", 13.3: percentile intervals); a resample is a weight per row, has a stream of its own
//! and its place in the result, so threads have no say. Knows no model, no table and no segment.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::bootstrap::percentiles;
use super::{Bounded, Defined, NO_ROWS};
use crate::ml::random::Random;

/// Why a metric has no value.
pub const EQUAL_TARGETS: &str = "all targets are equal";
/// Why a metric has no value.
pub const ZERO_TARGET: &str = "a target is 0, of which no error is a part";
/// Why there is no interval.
pub const FEW_ROWS: &str = "there are fewer than 10 rows";

/// Fewer rows give no interval: the same few are drawn again and again.
pub const MIN_ROWS: usize = 10;

/// A metric of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegressionMetric {
    /// The square root of the mean squared error.
    Rmse,
    /// The mean absolute error.
    Mae,
    /// The part of the squared differences from the mean that is not left as error.
    R2,
    /// The median absolute error.
    MedianAbsoluteError,
    /// The mean absolute error in parts of the target.
    Mape,
    /// As `R2`, with errors less their mean.
    ExplainedVariance,
}

impl RegressionMetric {
    /// All metrics, in the order of reports.
    pub const ALL: [RegressionMetric; 6] = [
        RegressionMetric::Rmse,
        RegressionMetric::Mae,
        RegressionMetric::R2,
        RegressionMetric::MedianAbsoluteError,
        RegressionMetric::Mape,
        RegressionMetric::ExplainedVariance,
    ];

    /// The names of all metrics, in the order of `ALL`.
    pub const NAMES: [&'static str; 6] =
        ["rmse", "mae", "r2", "median_absolute_error", "mape", "explained_variance"];

    /// Its name in parameters and documents.
    pub fn name(self) -> &'static str {
        RegressionMetric::NAMES[self as usize]
    }

    /// The metric of a name.
    pub fn of_name(name: &str) -> Option<RegressionMetric> {
        RegressionMetric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Whether a higher value is better.
    pub fn higher_is_better(self) -> bool {
        matches!(self, RegressionMetric::R2 | RegressionMetric::ExplainedVariance)
    }
}

/// Every metric of some rows.
pub type Values = BTreeMap<RegressionMetric, Defined>;

/// Rows with what came true and what was predicted, ready to be summed under any weights.
#[derive(Clone, Debug)]
pub struct Residuals {
    actual: Vec<f64>,
    /// Actual less predicted.
    errors: Vec<f64>,
    /// The rows by absolute error, the smallest first.
    order: Vec<u32>,
}

impl Residuals {
    /// The rows; what has no partner in the other slice is left out.
    pub fn new(actual: &[f64], predicted: &[f64]) -> Residuals {
        let errors: Vec<f64> = actual.iter().zip(predicted).map(|(y, p)| y - p).collect();
        let mut order: Vec<u32> = (0..errors.len() as u32).collect();
        let size = |row: &u32| errors[*row as usize].abs();
        order.sort_by(|a, b| size(a).total_cmp(&size(b)));
        Residuals { actual: actual[..errors.len()].to_vec(), errors, order }
    }

    /// Actual less predicted, per row.
    pub fn errors(&self) -> &[f64] {
        &self.errors
    }

    /// Every metric of the rows.
    pub fn values(&self) -> Values {
        let values = self.weighted(&vec![1; self.errors.len()]);
        RegressionMetric::ALL.into_iter().zip(values).collect()
    }

    /// Every metric, in the order of `ALL`, each row counted as often as its weight says.
    fn weighted(&self, weights: &[u32]) -> [Defined; 6] {
        let n: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        if n == 0 {
            return [Err(NO_ROWS); 6];
        }
        let n_rows = n as f64;
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            let mut sum = 0.0;
            for ((y, error), weight) in self.actual.iter().zip(&self.errors).zip(weights) {
                if *weight > 0 {
                    sum += f64::from(*weight) * of(*y, *error);
                }
            }
            sum
        };
        let squared = sum(&|_, error| error * error);
        let absolute = sum(&|_, error| error.abs());
        let mean = sum(&|y, _| y) / n_rows;
        let mean_error = sum(&|_, error| error) / n_rows;
        let total = sum(&|y, _| (y - mean) * (y - mean));
        let unexplained = sum(&|_, error| (error - mean_error) * (error - mean_error));
        let of_total =
            |part: f64| if total > 0.0 { Ok(1.0 - part / total) } else { Err(EQUAL_TARGETS) };
        let has_zero = self.actual.iter().zip(weights).any(|(y, weight)| *weight > 0 && *y == 0.0);
        let parts = || sum(&|y, error| error.abs() / y.abs()) / n_rows;
        [
            Ok((squared / n_rows).sqrt()),
            Ok(absolute / n_rows),
            of_total(squared),
            Ok(self.median(weights, n)),
            if has_zero { Err(ZERO_TARGET) } else { Ok(parts()) },
            of_total(unexplained),
        ]
    }

    /// The absolute error in the middle, or the mean of the two there.
    fn median(&self, weights: &[u32], n: u64) -> f64 {
        let (low, high) = ((n - 1) / 2, n / 2);
        let (mut below, mut lower) = (0, None);
        for row in &self.order {
            let size = self.errors[*row as usize].abs();
            below += u64::from(weights[*row as usize]);
            if below > low && lower.is_none() {
                lower = Some(size);
            }
            if below > high {
                return 0.5 * (lower.unwrap_or(size) + size);
            }
        }
        0.0
    }
}

/// The metrics of several models in every resample.
#[derive(Clone, Debug)]
pub struct Replicates {
    /// Per resample, and in it per model; NaN where a metric has no value.
    values: Vec<Vec<[f64; 6]>>,
}

/// Draws rows anew `resamples` times, with replacement, and evaluates all models on each draw. All
/// models are of the same rows.
///
/// # Errors
/// When there are fewer than `MIN_ROWS` rows.
pub fn replicate(
    models: &[&Residuals],
    resamples: usize,
    seed: &[u8; 32],
) -> Result<Replicates, &'static str> {
    let n_rows = models.first().map_or(0, |model| model.errors.len());
    if n_rows < MIN_ROWS {
        return Err(FEW_ROWS);
    }
    let draw = |weights: &mut Vec<u32>, index: usize| {
        let mut random = Random::nth(seed, index as u64);
        weights.clear();
        weights.resize(n_rows, 0);
        random.repeat_below(n_rows as u32, n_rows, |row| weights[row] += 1);
        let or_nan = |value: Defined| value.unwrap_or(f64::NAN);
        models.iter().map(|model| model.weighted(weights).map(or_nan)).collect()
    };
    let values = (0..resamples).into_par_iter().map_init(Vec::new, draw).collect();
    Ok(Replicates { values })
}

impl Replicates {
    /// Where a metric of a model lies with the probability `level`, in [0, 1).
    ///
    /// # Errors
    /// When too many resamples give no value, or all the same.
    pub fn interval(&self, model: usize, metric: RegressionMetric, level: f64) -> Bounded {
        percentiles(self.values.iter().map(|models| models[model][metric as usize]), level)
    }

    /// Where a metric of model `b` less that of model `a` on the same rows lies.
    ///
    /// # Errors
    /// When too many resamples give no value, or all the same.
    pub fn difference(&self, a: usize, b: usize, metric: RegressionMetric, level: f64) -> Bounded {
        let of = |models: &[[f64; 6]]| models[b][metric as usize] - models[a][metric as usize];
        percentiles(self.values.iter().map(|models| of(models)), level)
    }
}

#[cfg(test)]
mod tests;
