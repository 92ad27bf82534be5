//! The predictor of naive Bayes: what each feature says about the class, added up.
//!
//! The log-odds are `base + sum_j ln(p(x_j | positive) / p(x_j | negative))`, each feature taken to
//! say its own whatever the others are. A missing value says nothing and adds 0, and so does a
//! category that training has not seen. Knows nothing of fitting; what is read from a file is
//! checked by `Bayes::check`, after which every sum is finite.

use serde::{Deserialize, Serialize};

use super::LARGEST;

/// Log-odds that are a sum of what single features say.
#[derive(Clone, Debug, PartialEq)]
pub struct Bayes {
    /// The log-odds without any feature.
    pub base: f64,
    /// What each encoded feature says.
    pub evidence: Vec<Evidence>,
}

/// What one encoded feature says about the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    /// Nothing: it had no value in one of the classes, or the same in all rows.
    Nothing,
    /// A number that is normally distributed in each class.
    Gaussian(Gaussian),
    /// A code of a category, with `ln(p(code | positive) / p(code | negative))` by code.
    Categorical(Vec<f64>),
}

/// Two normal distributions, of the negative class and the positive one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "GaussianDocument", into = "GaussianDocument")]
pub struct Gaussian {
    mean: [f64; 2],
    variance: [f64; 2],
    /// `0.5 * ln(variance of the negative / variance of the positive)`.
    offset: f64,
}

/// Two normal distributions as they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GaussianDocument {
    mean: [f64; 2],
    variance: [f64; 2],
}

impl From<GaussianDocument> for Gaussian {
    fn from(GaussianDocument { mean, variance }: GaussianDocument) -> Gaussian {
        Gaussian::new(mean, variance)
    }
}

impl From<Gaussian> for GaussianDocument {
    fn from(Gaussian { mean, variance, .. }: Gaussian) -> GaussianDocument {
        GaussianDocument { mean, variance }
    }
}

impl Gaussian {
    /// The distributions with these means and variances, the negative class first.
    pub fn new(mean: [f64; 2], variance: [f64; 2]) -> Gaussian {
        let offset = 0.5 * (libm::log(variance[0]) - libm::log(variance[1]));
        Gaussian { mean, variance, offset }
    }

    /// The logarithm of the ratio of their densities, the positive class above.
    fn log_ratio(&self, x: f64) -> f64 {
        let distance = |class: usize| {
            let from_mean = x - self.mean[class];
            // Far out one distance may overflow, and two must not cancel to no number.
            (from_mean * from_mean / (2.0 * self.variance[class])).min(LARGEST)
        };
        self.offset + distance(0) - distance(1)
    }

    fn is_sound(&self) -> bool {
        // Encoded numbers are within 1e100, so a variance is within its square.
        let is_variance = |x: &f64| *x > 0.0 && *x <= LARGEST * LARGEST * 16.0;
        self.mean.iter().all(|x| x.abs() <= LARGEST) && self.variance.iter().all(is_variance)
    }
}

impl Evidence {
    /// What it adds to the log-odds for an encoded number, NaN being a missing value.
    fn log_ratio(&self, x: f64) -> f64 {
        match self {
            Evidence::Gaussian(gaussian) if !x.is_nan() => gaussian.log_ratio(x),
            Evidence::Categorical(by_code) if x >= 0.0 => {
                by_code.get(x as usize).copied().unwrap_or(0.0)
            }
            _ => 0.0,
        }
    }
}

impl Bayes {
    /// The log-odds of a row, summed in the order of the features.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        let mut sum = self.base;
        for (evidence, x) in self.evidence.iter().zip(row) {
            sum += evidence.log_ratio(*x);
        }
        sum
    }

    /// What each feature adds to the log-odds of a row.
    pub(super) fn parts(&self, row: &[f64]) -> Vec<f64> {
        self.evidence.iter().zip(row).map(|(evidence, x)| evidence.log_ratio(*x)).collect()
    }

    /// Whether it fits rows of `width` numbers, and every sum is a number.
    pub(super) fn check(&self, width: usize) -> Result<(), String> {
        if self.evidence.len() != width {
            return Err(format!("{} features for {width}", self.evidence.len()));
        }
        let is_sound = |evidence: &Evidence| match evidence {
            Evidence::Nothing => true,
            Evidence::Gaussian(gaussian) => gaussian.is_sound(),
            Evidence::Categorical(by_code) => by_code.iter().all(|x| x.abs() <= LARGEST),
        };
        if self.base.abs() <= LARGEST && self.evidence.iter().all(is_sound) {
            return Ok(());
        }
        Err(format!("a number of a distribution is beyond {LARGEST}, or a variance is not above 0"))
    }
}
