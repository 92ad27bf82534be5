//! Learners: what they share.
//!
//! The vocabulary is linfa's: a learner's parameters are checked by `ParamGuard` before they can
//! `Fit` a `linfa::DatasetBase`, and what is fitted can `Predict`. The learners themselves are our
//! own, because linfa's give other bits in another process (trees) or on another CPU (logistic),
//! and take no sample weights. Names of learners and parameters are scikit-learn's.
//!
//! Knows encoded rows of numbers and a truth value per row; no table, no column, no file.

mod bins;
mod cholesky;
pub mod forest;
mod grow;
pub mod logistic;
#[cfg(test)]
mod testing;
pub mod tree;

use std::fmt;

use linfa::ParamGuard;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2};
use serde::Deserialize;

use tree::Tree;

/// Encoded rows, whether each is positive, and optional weights: linfa's dataset.
pub type Dataset = linfa::DatasetBase<Array2<f64>, Array1<bool>>;

/// Why nothing could be learnt.
#[derive(Debug)]
pub enum LearnError {
    /// A parameter is out of its range.
    Param(String),
    /// The rows do not allow it.
    Data(String),
    /// What linfa's own traits may give.
    Linfa(linfa::Error),
}

impl fmt::Display for LearnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LearnError::Param(message) | LearnError::Data(message) => f.write_str(message),
            LearnError::Linfa(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LearnError {}

impl From<linfa::Error> for LearnError {
    fn from(error: linfa::Error) -> LearnError {
        LearnError::Linfa(error)
    }
}

/// The ranges of a learner's parameters.
pub trait Limits {
    /// Checks every parameter.
    ///
    /// # Errors
    /// `LearnError::Param` with the parameter that is out of its range.
    fn limits(&self) -> Result<(), LearnError>;
}

/// Parameters that are within their ranges: only these can fit.
#[derive(Clone, Debug)]
pub struct Checked<P>(P);

/// Parameters as they were given; fitting checks them first.
#[derive(Clone, Debug)]
pub struct Given<P>(Checked<P>);

impl<P> Given<P> {
    /// Parameters that are yet to be checked.
    pub fn new(params: P) -> Given<P> {
        Given(Checked(params))
    }
}

impl<P: Limits> ParamGuard for Given<P> {
    type Checked = Checked<P>;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&Checked<P>, LearnError> {
        self.0.0.limits()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<Checked<P>, LearnError> {
        self.0.0.limits()?;
        Ok(self.0)
    }
}

/// For `Limits`: a parameter that does not hold is named with what it takes.
fn require(holds: bool, name: &str, takes: &str) -> Result<(), LearnError> {
    if holds { Ok(()) } else { Err(LearnError::Param(format!("`{name}` must be {takes}"))) }
}

/// How much a row counts by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// All rows alike.
    None,
    /// Both classes alike: n / (2 * rows of the class).
    Balanced,
}

impl ClassWeight {
    /// The weights of a negative and a positive row.
    ///
    /// # Errors
    /// When one of the classes has no row.
    fn weights(self, targets: &Array1<bool>) -> Result<[f64; 2], LearnError> {
        let n_positive = targets.iter().filter(|positive| **positive).count();
        let counts = [targets.len() - n_positive, n_positive];
        if counts.contains(&0) {
            return Err(LearnError::Data("all rows are of one class".to_owned()));
        }
        let balanced = |count: usize| targets.len() as f64 / (2.0 * count as f64);
        match self {
            ClassWeight::None => Ok([1.0, 1.0]),
            ClassWeight::Balanced => Ok(counts.map(balanced)),
        }
    }
}

/// A fitted model over encoded rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictor {
    /// Log-odds that are linear in the features.
    Linear(Linear),
    /// The mean of the trees' leaves.
    Trees(Trees),
}

/// No coefficient is larger: log-odds are then finite for all encoded rows.
const LARGEST: f64 = 1e100;

/// `p = 1 / (1 + exp(-(intercept + sum of coefficient * feature)))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// The log-odds where all features are 0.
    pub intercept: f64,
    /// One per encoded feature.
    pub coefficients: Vec<f64>,
}

/// Trees whose leaves are averaged, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Trees(pub Vec<Tree>);

impl Linear {
    /// The log-odds of a row, summed in the order of the features.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        let mut sum = self.intercept;
        for (coefficient, x) in self.coefficients.iter().zip(row) {
            sum += coefficient * x;
        }
        sum
    }
}

impl Predictor {
    /// The probability of the positive class for an encoded row, in [0, 1].
    pub fn probability(&self, row: &[f64]) -> f64 {
        match self {
            Predictor::Linear(linear) => sigmoid(linear.log_odds(row)),
            Predictor::Trees(Trees(trees)) => {
                let mut sum = 0.0;
                for tree in trees {
                    sum += tree.value(row);
                }
                sum / trees.len() as f64
            }
        }
    }

    /// Whether rows of `width` numbers can be given to it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, width: usize) -> Result<(), String> {
        match self {
            Predictor::Linear(Linear { intercept, coefficients }) => {
                if coefficients.len() != width {
                    return Err(format!("{} coefficients for {width}", coefficients.len()));
                }
                let is_sound = |c: &f64| c.abs() <= LARGEST;
                if !is_sound(intercept) || !coefficients.iter().all(is_sound) {
                    return Err(format!("a coefficient is beyond {LARGEST}"));
                }
                Ok(())
            }
            Predictor::Trees(Trees(trees)) if trees.is_empty() => {
                Err("the model has no tree".to_owned())
            }
            Predictor::Trees(Trees(trees)) => trees.iter().try_for_each(|tree| tree.check(width)),
        }
    }
}

impl PredictInplace<Array2<f64>, Array1<f64>> for Predictor {
    fn predict_inplace<'a>(&'a self, rows: &'a Array2<f64>, probabilities: &mut Array1<f64>) {
        let mut buffer = Vec::with_capacity(rows.ncols());
        for (row, probability) in rows.rows().into_iter().zip(probabilities) {
            buffer.clear();
            buffer.extend(row.iter());
            *probability = self.probability(&buffer);
        }
    }

    fn default_target(&self, rows: &Array2<f64>) -> Array1<f64> {
        Array1::zeros(rows.nrows())
    }
}

/// `1 / (1 + exp(-z))` without overflow.
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + libm::exp(-z))
    } else {
        let e = libm::exp(z);
        e / (1.0 + e)
    }
}
