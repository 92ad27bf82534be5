//! Learners: what they share.
//!
//! The vocabulary is linfa's: a learner's parameters are checked by `ParamGuard` before they can
//! `Fit` a `linfa::DatasetBase`, and what is fitted can `Predict`. The learners themselves are our
//! own, because linfa's give other bits in another process (trees) or on another CPU (logistic),
//! and take no sample weights. Names of learners and parameters are scikit-learn's.
//!
//! Knows encoded rows of numbers and a truth value or a number per row; no table, column or file.

mod abreast;
pub mod bayes;
mod bins;
pub mod boosting;
mod cholesky;
mod class_weight;
pub mod document;
pub mod elastic_net;
pub mod forest;
mod grow;
pub mod linear_svm;
pub mod logistic;
pub mod naive_bayes;
pub mod numbers;
mod objective;
pub mod ridge;
pub mod shap;
mod split;
mod sums;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;

pub use class_weight::ClassWeight;
pub use split::CategoricalRule;

use std::borrow::Cow;
use std::fmt;

use linfa::ParamGuard;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2};

use bayes::Bayes;
use class_weight::weighed;
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

/// What is known of the encoded features beside their numbers. A feature that a list lacks has
/// nothing of the kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureHints {
    /// Whether its numbers are codes of categories, whole numbers of at least 0.
    pub is_categorical: Vec<bool>,
    /// Whether the prediction must rise (1) or fall (-1) with it, other things being equal.
    pub monotone: Vec<i8>,
}

/// The rows of a dataset, one after the other: where they stand so already, as they are.
///
/// # Errors
/// A number that is not finite (NaN where `may_miss`), or more rows than trees count.
fn check_rows<T>(
    dataset: &linfa::DatasetBase<Array2<f64>, Array1<T>>,
    may_miss: bool,
) -> Result<Cow<'_, [f64]>, LearnError> {
    if u32::try_from(dataset.targets.len()).is_err() {
        return Err(LearnError::Data("trees take fewer than 2^32 rows".to_owned()));
    }
    let rows = match dataset.records.as_slice() {
        Some(rows) => Cow::Borrowed(rows),
        None => Cow::Owned(dataset.records.iter().copied().collect()),
    };
    if !rows.iter().all(|x| x.is_finite() || may_miss && x.is_nan()) {
        return Err(LearnError::Data("a feature is not finite".to_owned()));
    }
    Ok(rows)
}

/// A fitted model over encoded rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictor {
    /// Log-odds that are linear in the features.
    Linear(Linear),
    /// The mean of the trees' leaves.
    Trees(Trees),
    /// Log-odds that are a sum of the trees' leaves.
    Boosted(Boosted),
    /// Log-odds that are a sum of what single features say.
    Bayes(Bayes),
}

/// No coefficient is larger: log-odds are then finite for all encoded rows.
const LARGEST: f64 = 1e100;

/// Why a margin is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The margin without any feature.
    pub base: f64,
    /// What each encoded feature adds.
    pub parts: Vec<f64>,
}

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

/// `p = 1 / (1 + exp(-(base + sum of the trees' leaves)))`, summed in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosted {
    /// The log-odds before any tree.
    pub base: f64,
    /// Trees whose leaves are log-odds to add.
    pub trees: Vec<Tree>,
}

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
        let margin = self.margin(row);
        if self.averages() { margin } else { sigmoid(margin) }
    }

    /// The mean or the sum of what is said of an encoded row: the number that a regression
    /// predicts, and what `explain` takes apart.
    pub fn margin(&self, row: &[f64]) -> f64 {
        let sum_of = |start: f64, trees: &[Tree]| {
            let mut sum = start;
            for tree in trees {
                sum += tree.value(row);
            }
            sum
        };
        match self {
            Predictor::Linear(linear) => linear.log_odds(row),
            Predictor::Trees(Trees(trees)) => sum_of(0.0, trees) / trees.len() as f64,
            Predictor::Boosted(Boosted { base, trees }) => sum_of(*base, trees),
            Predictor::Bayes(bayes) => bayes.log_odds(row),
        }
    }

    /// The same for rows of `width` numbers, one after the other, as many as there are
    /// probabilities: the same bits, several times faster.
    pub fn probabilities(&self, rows: &[f64], width: usize, probabilities: &mut [f64]) {
        self.margins(rows, width, probabilities);
        if !self.averages() {
            probabilities.iter_mut().for_each(|p| *p = sigmoid(*p));
        }
    }

    /// The margins of rows of `width` numbers, one after the other: the same bits as `margin`.
    pub fn margins(&self, rows: &[f64], width: usize, margins: &mut [f64]) {
        let sum_up = |start: f64, trees: &[Tree], sums: &mut [f64]| {
            sums.fill(start);
            abreast::add_values(trees, rows, width, sums);
        };
        let each = |log_odds: &dyn Fn(&[f64]) -> f64, margins: &mut [f64]| {
            for (i, margin) in margins.iter_mut().enumerate() {
                *margin = log_odds(&rows[i * width..(i + 1) * width]);
            }
        };
        match self {
            Predictor::Linear(linear) => each(&|row| linear.log_odds(row), margins),
            Predictor::Bayes(bayes) => each(&|row| bayes.log_odds(row), margins),
            Predictor::Trees(Trees(trees)) => {
                sum_up(0.0, trees, margins);
                margins.iter_mut().for_each(|sum| *sum /= trees.len() as f64);
            }
            Predictor::Boosted(Boosted { base, trees }) => sum_up(*base, trees, margins),
        }
    }

    /// What each encoded feature adds to the margin of a row, and what there is without any: their
    /// sum is the margin. The margin of trees that are averaged is the probability, of the others
    /// the log-odds. Exact for linear predictors, where a feature adds its coefficient times its
    /// number, and for naive Bayes, where it adds what it says; SHAP values for trees.
    ///
    /// # Errors
    /// Why the trees cannot be explained.
    pub fn explain(&self, row: &[f64]) -> Result<Explanation, &'static str> {
        match self {
            Predictor::Linear(Linear { intercept, coefficients }) => {
                let parts = coefficients.iter().zip(row).map(|(c, x)| c * x).collect();
                Ok(Explanation { base: *intercept, parts })
            }
            Predictor::Trees(Trees(trees)) => {
                let mut explanation = explain_trees(trees, row)?;
                let n_trees = trees.len() as f64;
                explanation.base /= n_trees;
                explanation.parts.iter_mut().for_each(|part| *part /= n_trees);
                Ok(explanation)
            }
            Predictor::Boosted(Boosted { base, trees }) => {
                let mut explanation = explain_trees(trees, row)?;
                explanation.base += base;
                Ok(explanation)
            }
            Predictor::Bayes(bayes) => {
                Ok(Explanation { base: bayes.base, parts: bayes.parts(row) })
            }
        }
    }

    /// Whether its margin is a probability; else it is log-odds.
    pub fn averages(&self) -> bool {
        matches!(self, Predictor::Trees(_))
    }

    /// Whether the numbers of a predictor are such that every probability is one; whether it fits
    /// rows of `width` numbers is checked where its trees are made.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, width: usize) -> Result<(), String> {
        let is_sound = |x: f64| x.abs() <= LARGEST;
        match self {
            Predictor::Linear(Linear { intercept, coefficients }) => {
                if coefficients.len() != width {
                    return Err(format!("{} coefficients for {width}", coefficients.len()));
                }
                if !is_sound(*intercept) || !coefficients.iter().copied().all(is_sound) {
                    return Err(format!("a coefficient is beyond {LARGEST}"));
                }
                Ok(())
            }
            Predictor::Trees(Trees(trees)) if trees.is_empty() => {
                Err("the model has no tree".to_owned())
            }
            Predictor::Trees(Trees(trees)) => {
                let is_fraction = |value: f64| (0.0..=1.0).contains(&value);
                trees.iter().try_for_each(|tree| tree.check_values(is_fraction, "a fraction"))
            }
            Predictor::Boosted(Boosted { base, trees }) => {
                if !is_sound(*base) {
                    return Err(format!("the base is beyond {LARGEST}"));
                }
                let what = format!("within {LARGEST}");
                trees.iter().try_for_each(|tree| tree.check_values(is_sound, &what))
            }
            Predictor::Bayes(bayes) => bayes.check(width),
        }
    }
}

/// The sums over trees of what is expected and of what features add.
fn explain_trees(trees: &[Tree], row: &[f64]) -> Result<Explanation, &'static str> {
    let (mut base, mut parts) = (0.0, vec![0.0; row.len()]);
    for tree in trees {
        base += tree.expected().ok_or("the trees do not tell how many rows reached each node")?;
        tree.contribute(row, &mut parts)?;
    }
    Ok(Explanation { base, parts })
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
