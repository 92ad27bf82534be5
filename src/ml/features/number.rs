//! What becomes of a number: imputed first, then scaled step by step.
//!
//! Sums run in the order of the rows. Steps are fitted to imputed values, each to what the one
//! before it yields, as scikit-learn's `SimpleImputer` and scalers in a pipeline are; where nothing
//! is imputed, missing values take no part in fitting and stay NaN. A constant column gets the
//! scale 1; a column without any value becomes a constant, so that it says nothing.

use serde::{Deserialize, Serialize};

use super::LARGEST;
use super::params::{Impute, NumericParams, Scale};
use super::quantile::{Quantiles, percentile};

/// The fitted way of a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document")]
pub(super) struct Number {
    /// What stands for a missing one; null: it stays missing.
    impute: Option<f64>,
    /// What is done to it, in this order.
    steps: Vec<Step>,
}

/// One fitted step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    /// `(x - center) / scale`.
    Affine { center: f64, scale: f64 },
    /// `ln(1 + x)`, and `-ln(1 - x)` below 0: defined and ascending everywhere.
    Log1p,
    /// Its place among quantiles.
    Quantile(Quantiles),
}

/// A number as it may be written: files of earlier programs have `mean` and `scale`, the one step
/// that they knew, in place of `steps`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    impute: Option<f64>,
    steps: Option<Vec<Step>>,
    mean: Option<f64>,
    scale: Option<f64>,
}

impl TryFrom<Document> for Number {
    type Error = &'static str;

    fn try_from(document: Document) -> Result<Number, &'static str> {
        let Document { impute, steps, mean, scale } = document;
        let steps = match (steps, mean, scale) {
            (Some(steps), None, None) => steps,
            (None, Some(center), Some(scale)) => vec![Step::Affine { center, scale }],
            _ => return Err("a number has `steps`, or `mean` and `scale`"),
        };
        Ok(Number { impute, steps })
    }
}

impl Number {
    /// Fits it to the cells of a column; `None` is a missing one.
    pub(super) fn fit(cells: &[Option<f64>], params: &NumericParams) -> Number {
        let impute = impute(cells, params);
        let mut values: Vec<f64> = cells.iter().filter_map(|cell| cell.or(impute)).collect();
        let mut steps = Vec::new();
        for scale in &params.scale {
            let step = match scale {
                Scale::None => continue,
                Scale::Standard => affine(mean_and_scale(&values)),
                Scale::Robust => affine(median_and_quartiles(&values)),
                Scale::MinMax => affine(smallest_and_range(&values)),
                Scale::Log1p => Step::Log1p,
                Scale::Quantile => {
                    let most = params.n_quantiles.min(cells.len()).max(1);
                    Step::Quantile(Quantiles::fit(&values, most, params.output_distribution))
                }
            };
            values.iter_mut().for_each(|value| *value = step.apply(*value));
            steps.push(step);
        }
        Number { impute, steps }
    }

    /// What a number becomes; NaN for a missing one that is not imputed.
    pub(super) fn encode(&self, number: Option<f64>) -> f64 {
        let start = number.or(self.impute).unwrap_or(f64::NAN);
        let end = self.steps.iter().fold(start, |x, step| step.apply(x));
        end.clamp(-LARGEST, LARGEST)
    }

    /// Whether it may become NaN.
    pub(super) fn may_be_missing(&self) -> bool {
        self.impute.is_none()
    }

    /// What `encode` relies on, for one that was read from a file.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.impute.is_some_and(|impute| !impute.is_finite()) {
            return Err("an `impute` that is not finite");
        }
        self.steps.iter().try_for_each(|step| match step {
            Step::Affine { center, scale } => {
                let is_sound = center.is_finite() && *scale > 0.0 && scale.is_finite();
                if is_sound { Ok(()) } else { Err("a scale that is not positive") }
            }
            Step::Log1p => Ok(()),
            Step::Quantile(quantiles) => quantiles.check(),
        })
    }
}

impl Step {
    /// NaN stays NaN; no other number becomes NaN.
    fn apply(&self, x: f64) -> f64 {
        match self {
            Step::Affine { center, scale } => (x - center) / scale,
            Step::Log1p if x < 0.0 => -libm::log1p(-x),
            Step::Log1p => libm::log1p(x),
            Step::Quantile(quantiles) => quantiles.place(x.clamp(-LARGEST, LARGEST)),
        }
    }
}

fn affine((center, scale): (f64, f64)) -> Step {
    Step::Affine { center, scale }
}

fn impute(cells: &[Option<f64>], params: &NumericParams) -> Option<f64> {
    let present: Vec<f64> = cells.iter().flatten().copied().collect();
    match params.impute {
        Impute::None => None,
        Impute::Constant => Some(params.fill),
        // A column without any value becomes a constant.
        _ if present.is_empty() => Some(0.0),
        Impute::Mean => Some(mean(&present)),
        Impute::MostFrequent => Some(most_frequent(present)),
        Impute::Median | Impute::Auto => Some(median(present)),
    }
}

fn mean(values: &[f64]) -> f64 {
    let mut sum = 0.0;
    for value in values {
        sum += value;
    }
    sum / values.len() as f64
}

/// Of a list that is not empty.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values[values.len() / 2];
    if values.len() % 2 == 1 { upper } else { 0.5 * (values[values.len() / 2 - 1] + upper) }
}

/// Of a list that is not empty: the smallest of the most frequent values.
fn most_frequent(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let mut most = &values[..1];
    for equal in values.chunk_by(|a, b| a == b) {
        if equal.len() > most.len() {
            most = equal;
        }
    }
    most[0]
}

/// The mean and the population's standard deviation; 1 where that is 0 up to rounding, by
/// scikit-learn's bound for constant columns.
fn mean_and_scale(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let n = values.len() as f64;
    let mean = mean(values);
    let mut sum = 0.0;
    for value in values {
        sum += (value - mean) * (value - mean);
    }
    let variance = sum / n;
    let rounding = n * mean * f64::EPSILON;
    let is_constant = variance <= n * f64::EPSILON * variance + rounding * rounding;
    (mean, if is_constant { 1.0 } else { variance.sqrt() })
}

/// The median, and the distance between the quartiles.
fn median_and_quartiles(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let range = percentile(&sorted, 0.75) - percentile(&sorted, 0.25);
    (median(sorted), not_zero(range))
}

/// The smallest, and its distance to the largest.
fn smallest_and_range(values: &[f64]) -> (f64, f64) {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.is_empty() { (0.0, 1.0) } else { (smallest, not_zero(largest - smallest)) }
}

/// 1 for a range of a column that is constant up to rounding, by scikit-learn's bound.
fn not_zero(range: f64) -> f64 {
    if range < 10.0 * f64::EPSILON { 1.0 } else { range.min(f64::MAX) }
}
