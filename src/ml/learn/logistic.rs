//! Logistic regression with an L2 penalty, by Newton's method.
//!
//! The objective is scikit-learn's: minimise
//! `C * sum_i s_i * log(1 + exp(-y_i z_i)) + 0.5 * |w|^2` with `z_i = w . x_i + b`, y_i = +-1, the
//! intercept b not penalised, s_i the weight of the row times that of its class. The objective is
//! strictly convex, so any solver that converges gives the same coefficients; the default tolerance
//! is far below what a prediction can show. How it is minimised stands in `objective.rs`.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};

use super::objective::{Loss, Minimum, Problem, finite_rows, minimise, row_weights};
use super::{Checked, ClassWeight, Dataset, LearnError, Limits, Linear, require, weighed};

/// The parameters of a logistic regression.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticRegression {
    /// The inverse of the strength of the penalty, above 0.
    pub c: f64,
    /// How much a row counts by its class.
    pub class_weight: ClassWeight,
    /// The most steps, at least 1.
    pub max_iter: u32,
    /// Done when no entry of the gradient, per unit of weight, is larger; above 0.
    pub tol: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
}

impl Limits for LogisticRegression {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.c > 0.0 && self.c.is_finite(), "C", "above 0")?;
        require(self.tol > 0.0 && self.tol.is_finite(), "tol", "above 0")?;
        require(self.max_iter > 0, "max_iter", "at least 1")
    }
}

/// A fitted logistic regression, and how the fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedLogistic {
    /// The coefficients.
    pub linear: Linear,
    /// How many steps were taken.
    pub iterations: u32,
    /// Whether the gradient got below `tol`.
    pub converged: bool,
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<LogisticRegression> {
    type Object = FittedLogistic;

    fn fit(&self, dataset: &Dataset) -> Result<FittedLogistic, LearnError> {
        let params = &self.0;
        let by_class = params.class_weight.weights(weighed(dataset))?;
        let problem = Problem {
            rows: &finite_rows(dataset)?,
            width: dataset.records.ncols(),
            targets: dataset.targets.to_vec(),
            weights: row_weights(params.c, by_class, dataset)?,
            loss: Loss::Log,
            ridge: 1.0,
            constant: params.fit_intercept.then_some(1.0),
            penalises_constant: false,
        };
        let Minimum { linear, iterations, converged } =
            minimise(&problem, params.max_iter, params.tol);
        Ok(FittedLogistic { linear, iterations, converged })
    }
}

#[cfg(test)]
mod tests;
