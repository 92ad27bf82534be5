//! Logistic regression with an L2 penalty, by Newton's method.
//!
//! The objective is scikit-learn's: minimise
//! `C * sum_i s_i * log(1 + exp(-y_i z_i)) + 0.5 * |w|^2` with `z_i = w . x_i + b`, y_i = +-1, the
//! intercept b not penalised, s_i the weight of the row times that of its class. Newton's steps
//! come from Cholesky's factorisation (scikit-learn's solver `newton-cholesky`) and are halved
//! until the objective falls. The objective is strictly convex, so any solver that converges gives
//! the same coefficients; the default tolerance is far below what a prediction can show.
//!
//! Rows are summed in chunks whose boundaries depend on their number alone, and the chunks' sums
//! are added in order: any number of threads gives the same bits.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::cholesky::{Symmetric, dot};
use super::{Checked, ClassWeight, Dataset, LearnError, Limits, Linear, require};

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
        let rows = dataset.records.as_standard_layout();
        let problem = Problem {
            rows: rows.as_slice().unwrap_or_default(),
            width: dataset.records.ncols(),
            targets: dataset.targets.to_vec(),
            weights: row_weights(params, dataset)?,
            fit_intercept: params.fit_intercept,
        };
        if !problem.rows.iter().all(|x| x.is_finite()) {
            return Err(LearnError::Data("a feature is not finite".to_owned()));
        }
        Ok(minimise(&problem, params))
    }
}

/// `C * s_i` per row.
fn row_weights(params: &LogisticRegression, dataset: &Dataset) -> Result<Vec<f64>, LearnError> {
    let by_class = params.class_weight.weights(&dataset.targets)?;
    let weight = |(i, positive): (usize, &bool)| {
        let weight = f64::from(dataset.weight_for(i)) * by_class[usize::from(*positive)];
        if weight.is_finite() && weight >= 0.0 {
            Ok(params.c * weight)
        } else {
            Err(LearnError::Data(format!("row {i} has the weight {weight}")))
        }
    };
    dataset.targets.iter().enumerate().map(weight).collect()
}

/// What is minimised. The unknowns are the coefficients and, last, the intercept if there is one.
struct Problem<'a> {
    rows: &'a [f64],
    width: usize,
    targets: Vec<bool>,
    weights: Vec<f64>,
    fit_intercept: bool,
}

/// The objective at one place, with its first and second derivatives.
struct Local {
    loss: f64,
    gradient: Vec<f64>,
    hessian: Symmetric,
}

/// Newton's method from 0.
fn minimise(problem: &Problem<'_>, params: &LogisticRegression) -> FittedLogistic {
    let mut weight = 0.0;
    for row_weight in &problem.weights {
        weight += row_weight;
    }
    let mut at = vec![0.0; problem.width + usize::from(problem.fit_intercept)];
    let mut local = problem.local(&at);
    let mut iterations = 0;
    let mut converged = largest(&local.gradient) <= params.tol * weight;
    while !converged && iterations < params.max_iter {
        let Some(step) = local.hessian.clone().solve(&local.gradient) else { break };
        let Some((next_at, next)) = descend(problem, &at, &local, &step) else { break };
        (at, local) = (next_at, next);
        iterations += 1;
        converged = largest(&local.gradient) <= params.tol * weight;
    }
    let intercept = if problem.fit_intercept { at.pop().unwrap_or(0.0) } else { 0.0 };
    FittedLogistic { linear: Linear { intercept, coefficients: at }, iterations, converged }
}

/// The first of the step, its half, its quarter … that makes the objective fall enough (Armijo's
/// rule). So near the minimum that the fall drowns in rounding, a smaller gradient is enough.
fn descend(
    problem: &Problem<'_>,
    at: &[f64],
    local: &Local,
    step: &[f64],
) -> Option<(Vec<f64>, Local)> {
    const MAX_HALVINGS: u32 = 40;
    const LEAST_PART: f64 = 1e-4;
    let slope = dot(&local.gradient, step);
    let rounding = 16.0 * f64::EPSILON * local.loss.abs();
    let mut length = 1.0;
    for _ in 0..MAX_HALVINGS {
        let next_at: Vec<f64> = at.iter().zip(step).map(|(a, s)| a - length * s).collect();
        let next = problem.local(&next_at);
        let fall = local.loss - next.loss;
        let falls = fall > rounding && fall >= LEAST_PART * length * slope;
        let flattens = fall.abs() <= rounding && largest(&next.gradient) < largest(&local.gradient);
        if falls || flattens {
            return Some((next_at, next));
        }
        length *= 0.5;
    }
    None
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

impl Problem<'_> {
    /// At least this many rows are summed in one piece, and at most `MAX_CHUNKS` pieces are made:
    /// each holds a matrix.
    const MIN_CHUNK_ROWS: usize = 2048;
    const MAX_CHUNKS: usize = 16;

    fn local(&self, at: &[f64]) -> Local {
        let n_rows = self.targets.len();
        let chunk_rows = n_rows.div_ceil(Self::MAX_CHUNKS).max(Self::MIN_CHUNK_ROWS);
        let starts: Vec<usize> = (0..n_rows).step_by(chunk_rows).collect();
        let parts: Vec<Local> = starts
            .into_par_iter()
            .map(|start| self.sum_rows(at, start, n_rows.min(start + chunk_rows)))
            .collect();
        let mut total = zero(at.len());
        for part in &parts {
            total.loss += part.loss;
            for (sum, term) in total.gradient.iter_mut().zip(&part.gradient) {
                *sum += term;
            }
            total.hessian.add(&part.hessian);
        }
        for (j, coefficient) in at.iter().enumerate().take(self.width) {
            total.loss += 0.5 * coefficient * coefficient;
            total.gradient[j] += coefficient;
            total.hessian.row_mut(j)[j] += 1.0;
        }
        total
    }

    /// The terms of the rows from `start` to before `end`, added in their order.
    fn sum_rows(&self, at: &[f64], start: usize, end: usize) -> Local {
        let mut sum = zero(at.len());
        // The intercept is the coefficient of a feature that is always 1.
        let mut x = vec![1.0; at.len()];
        for i in start..end {
            x[..self.width].copy_from_slice(&self.rows[i * self.width..(i + 1) * self.width]);
            let z = dot(at, &x);
            let (weight, positive) = (self.weights[i], self.targets[i]);
            let e = libm::exp(-z.abs());
            let (near, far) = (1.0 / (1.0 + e), e / (1.0 + e));
            let is_right = (z >= 0.0) == positive;
            sum.loss += weight * (libm::log1p(e) + if is_right { 0.0 } else { z.abs() });
            let error = if is_right { far } else { near };
            let residual = weight * if positive { -error } else { error };
            let curvature = weight * near * far;
            for (j, x_j) in x.iter().enumerate() {
                // Most features of a one-hot row are 0 and add nothing.
                if *x_j == 0.0 {
                    continue;
                }
                sum.gradient[j] += residual * x_j;
                let scaled = curvature * x_j;
                for (entry, x_k) in sum.hessian.row_mut(j).iter_mut().zip(&x) {
                    *entry += scaled * x_k;
                }
            }
        }
        sum
    }
}

fn zero(size: usize) -> Local {
    Local { loss: 0.0, gradient: vec![0.0; size], hessian: Symmetric::zeros(size) }
}

#[cfg(test)]
mod tests;
