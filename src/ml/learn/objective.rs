//! What linear learners minimise: a loss per row and a ridge, and Newton's method for it.
//!
//! The objective is `sum_i s_i * loss(y_i z_i) + 0.5 * ridge * |w|^2` with `z_i = w . x_i + b`,
//! y_i = +-1 and s_i the weight of the row. Newton's steps come from Cholesky's factorisation
//! (scikit-learn's solver `newton-cholesky`) and are halved until the objective falls; a squared
//! hinge has no second derivative where it begins, and any value between its two sides will do
//! there (Mangasarian 2002, "A finite Newton method for classification").
//!
//! Rows are summed in chunks whose boundaries depend on their number alone, and the chunks' sums
//! are added in order: any number of threads gives the same bits. Knows no learner's parameters.

use linfa::DatasetBase;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::cholesky::{Symmetric, dot};
use super::{Dataset, LearnError, Linear};

/// What a row costs by its margin `m = y z`, where z is the sum of its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// `ln(1 + exp(-m))`.
    Log,
    /// `max(0, 1 - m)^2`.
    SquaredHinge,
}

/// What is minimised. The unknowns are the coefficients and, last, that of the constant feature if
/// there is one.
pub(super) struct Problem<'a> {
    /// Encoded rows, one after the other.
    pub(super) rows: &'a [f64],
    /// How many numbers a row has.
    pub(super) width: usize,
    /// Whether each row is positive.
    pub(super) targets: Vec<bool>,
    /// What each row's loss is multiplied by; 0 for a row that is left out.
    pub(super) weights: Vec<f64>,
    /// The loss of a row.
    pub(super) loss: Loss,
    /// The factor of the penalty.
    pub(super) ridge: f64,
    /// The number that every row has in the constant feature, whose coefficient makes the
    /// intercept.
    pub(super) constant: Option<f64>,
    /// Whether the penalty is of that coefficient, too.
    pub(super) penalises_constant: bool,
}

/// The objective at one place, with its first and second derivatives.
pub(super) struct Local {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) hessian: Symmetric,
}

/// Where a solver ended.
pub(super) struct Minimum {
    pub(super) linear: Linear,
    pub(super) iterations: u32,
    pub(super) converged: bool,
}

/// By how much of itself a loss may seem to grow when it is summed.
pub(super) const ROUNDING: f64 = 16.0 * f64::EPSILON;
/// How often a step is halved.
pub(super) const MAX_HALVINGS: u32 = 40;
/// The part of the fall that a line promises which a step must keep (Armijo's rule).
pub(super) const LEAST_PART: f64 = 1e-4;

/// `factor * s_i` per row, s_i being its own weight times that of its class.
///
/// # Errors
/// A weight that is below 0 or not finite.
pub(super) fn row_weights(
    factor: f64,
    by_class: [f64; 2],
    dataset: &Dataset,
) -> Result<Vec<f64>, LearnError> {
    let weight = |(i, positive): (usize, &bool)| {
        let weight = f64::from(dataset.weight_for(i)) * by_class[usize::from(*positive)];
        if weight.is_finite() && weight >= 0.0 {
            Ok(factor * weight)
        } else {
            Err(LearnError::Data(format!("row {i} has the weight {weight}")))
        }
    };
    dataset.targets.iter().enumerate().map(weight).collect()
}

/// The rows of a dataset, one after the other, all of them finite.
///
/// # Errors
/// A number that is not finite.
pub(super) fn finite_rows<T>(
    dataset: &DatasetBase<Array2<f64>, Array1<T>>,
) -> Result<Vec<f64>, LearnError> {
    let rows = dataset.records.as_standard_layout();
    let rows = rows.as_slice().unwrap_or_default();
    if !rows.iter().all(|x| x.is_finite()) {
        return Err(LearnError::Data("a feature is not finite".to_owned()));
    }
    Ok(rows.to_vec())
}

/// Newton's method from 0, in at most `max_iter` steps, until no entry of the gradient, per unit of
/// weight, is larger than `tol`.
pub(super) fn minimise(problem: &Problem<'_>, max_iter: u32, tol: f64) -> Minimum {
    let most = tol * problem.weight();
    let mut at = vec![0.0; problem.size()];
    let mut local = problem.local(&at);
    let mut iterations = 0;
    let mut converged = largest(&local.gradient) <= most;
    while !converged && iterations < max_iter {
        let Some(step) = local.hessian.clone().solve(&local.gradient) else { break };
        let Some((next_at, next)) = descend(problem, &at, &local, &step) else { break };
        (at, local) = (next_at, next);
        iterations += 1;
        converged = largest(&local.gradient) <= most;
    }
    Minimum { linear: problem.linear(at), iterations, converged }
}

/// The first of the step, its half, its quarter … that makes the objective fall enough (Armijo's
/// rule). So near the minimum that the fall drowns in rounding, a smaller gradient is enough.
fn descend(
    problem: &Problem<'_>,
    at: &[f64],
    local: &Local,
    step: &[f64],
) -> Option<(Vec<f64>, Local)> {
    let slope = dot(&local.gradient, step);
    let rounding = ROUNDING * local.loss.abs();
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

    /// How many unknowns there are.
    pub(super) fn size(&self) -> usize {
        self.width + usize::from(self.constant.is_some())
    }

    /// The weight of all rows, added in their order.
    pub(super) fn weight(&self) -> f64 {
        let mut weight = 0.0;
        for row_weight in &self.weights {
            weight += row_weight;
        }
        weight
    }

    /// The coefficients and the intercept that the unknowns stand for.
    pub(super) fn linear(&self, mut at: Vec<f64>) -> Linear {
        let constant = self.constant.and_then(|constant| Some(constant * at.pop()?));
        Linear { intercept: constant.unwrap_or(0.0), coefficients: at }
    }

    /// The objective at a place.
    pub(super) fn local(&self, at: &[f64]) -> Local {
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
        let n_penalised = if self.penalises_constant { at.len() } else { self.width };
        for (j, coefficient) in at.iter().enumerate().take(n_penalised) {
            total.loss += 0.5 * self.ridge * coefficient * coefficient;
            total.gradient[j] += self.ridge * coefficient;
            total.hessian.row_mut(j)[j] += self.ridge;
        }
        total
    }

    /// The terms of the rows from `start` to before `end`, added in their order.
    fn sum_rows(&self, at: &[f64], start: usize, end: usize) -> Local {
        let mut sum = zero(at.len());
        let mut x = vec![self.constant.unwrap_or(0.0); at.len()];
        for i in start..end {
            x[..self.width].copy_from_slice(&self.rows[i * self.width..(i + 1) * self.width]);
            let (weight, positive) = (self.weights[i], self.targets[i]);
            let (loss, slope, curve) = self.loss.of(dot(at, &x), positive);
            sum.loss += weight * loss;
            let (residual, curvature) = (weight * slope, weight * curve);
            if residual == 0.0 && curvature == 0.0 {
                continue;
            }
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

impl Loss {
    /// The loss of a row whose sum is `z`, with its first and second derivative by z.
    fn of(self, z: f64, positive: bool) -> (f64, f64, f64) {
        match self {
            Loss::Log => {
                let e = libm::exp(-z.abs());
                let (near, far) = (1.0 / (1.0 + e), e / (1.0 + e));
                let is_right = (z >= 0.0) == positive;
                let loss = libm::log1p(e) + if is_right { 0.0 } else { z.abs() };
                let error = if is_right { far } else { near };
                (loss, if positive { -error } else { error }, near * far)
            }
            Loss::SquaredHinge => {
                let sign = if positive { 1.0 } else { -1.0 };
                let lack = 1.0 - sign * z;
                if lack <= 0.0 {
                    return (0.0, 0.0, 0.0);
                }
                (lack * lack, -2.0 * sign * lack, 2.0)
            }
        }
    }
}

fn zero(size: usize) -> Local {
    Local { loss: 0.0, gradient: vec![0.0; size], hessian: Symmetric::zeros(size) }
}
