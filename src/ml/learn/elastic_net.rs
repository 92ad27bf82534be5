//! Logistic regression with a penalty between L1 and L2, by a proximal Newton method.
//!
//! The objective is scikit-learn's for `l1_ratio`: minimise
//! `C * sum_i s_i * log(1 + exp(-y_i z_i)) + (1 - l1_ratio) * 0.5 * |w|^2 + l1_ratio * |w|_1`, the
//! intercept not penalised. Each step minimises the quadratic model of the smooth part plus the L1
//! penalty by coordinate descent in the order of the features (Friedman, Hastie, Tibshirani 2010,
//! "Regularization paths for generalized linear models via coordinate descent"), and then, which
//! coefficients are not 0 being known, by solving for those exactly; a line search makes the
//! objective fall (Lee, Sun, Saunders 2014, "Proximal Newton-type methods").
//!
//! Under `l1_ratio = 1` several minima may be as low, where features say the same: the order of the
//! features decides, and nothing else.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};

use super::cholesky::{Symmetric, dot};
use super::objective::{
    LEAST_PART, Local, Loss, MAX_HALVINGS, Minimum, Problem, ROUNDING, finite_rows, row_weights,
};
use super::{Checked, ClassWeight, Dataset, LearnError, Limits, Linear, require, weighed};

/// The parameters of a logistic regression with an elastic net.
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticNet {
    /// The inverse of the strength of the penalty, above 0.
    pub c: f64,
    /// The share of the L1 penalty, from 0 to 1.
    pub l1_ratio: f64,
    /// How much a row counts by its class.
    pub class_weight: ClassWeight,
    /// The most steps, at least 1.
    pub max_iter: u32,
    /// Done when no entry of the least subgradient, per unit of weight, is larger; above 0.
    pub tol: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
}

impl Limits for ElasticNet {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.c > 0.0 && self.c.is_finite(), "C", "above 0")?;
        require((0.0..=1.0).contains(&self.l1_ratio), "l1_ratio", "between 0 and 1")?;
        require(self.tol > 0.0 && self.tol.is_finite(), "tol", "above 0")?;
        require(self.max_iter > 0, "max_iter", "at least 1")
    }
}

/// A fitted elastic net, and how the fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedElasticNet {
    /// The coefficients, exactly 0 where the feature is left out.
    pub linear: Linear,
    /// How many steps were taken.
    pub iterations: u32,
    /// Whether the least subgradient got below `tol`.
    pub converged: bool,
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<ElasticNet> {
    type Object = FittedElasticNet;

    fn fit(&self, dataset: &Dataset) -> Result<FittedElasticNet, LearnError> {
        let params = &self.0;
        let by_class = params.class_weight.weights(weighed(dataset))?;
        let smooth = Problem {
            rows: &finite_rows(dataset)?,
            width: dataset.records.ncols(),
            targets: dataset.targets.to_vec(),
            weights: row_weights(params.c, by_class, dataset)?,
            loss: Loss::Log,
            ridge: 1.0 - params.l1_ratio,
            constant: params.fit_intercept.then_some(1.0),
            penalises_constant: false,
        };
        let net = Net { smooth, lasso: params.l1_ratio };
        let Minimum { linear, iterations, converged } = net.minimise(params.max_iter, params.tol);
        Ok(FittedElasticNet { linear, iterations, converged })
    }
}

/// The smooth part of the objective, and the factor of its L1 penalty.
struct Net<'a> {
    smooth: Problem<'a>,
    lasso: f64,
}

impl Net<'_> {
    /// The most times that coordinate descent goes through the features for one step.
    const MAX_SWEEPS: u32 = 200;
    /// Coordinate descent ends when it moves less than this part of what the step is to mend.
    const SWEEP_PART: f64 = 0.01;

    fn minimise(&self, max_iter: u32, tol: f64) -> Minimum {
        let most = tol * self.smooth.weight();
        let mut at = vec![0.0; self.smooth.size()];
        let mut local = self.smooth.local(&at);
        let mut iterations = 0;
        let mut violation = self.violation(&at, &local.gradient);
        while violation > most && iterations < max_iter {
            let swept = self.sweep(&at, &local, Self::SWEEP_PART * violation);
            let solved = self.solve(&at, &local, &swept);
            let aim = solved.as_deref().unwrap_or(&swept);
            let next = self.descend(&at, &local, aim).or_else(|| {
                // An exact solution that is no improvement does not keep the other from being one.
                solved.as_ref().and_then(|_| self.descend(&at, &local, &swept))
            });
            let Some((next_at, next_local)) = next else { break };
            (at, local) = (next_at, next_local);
            iterations += 1;
            violation = self.violation(&at, &local.gradient);
        }
        Minimum { linear: self.smooth.linear(at), iterations, converged: violation <= most }
    }

    /// The factor of the L1 penalty for an unknown: the constant feature has none.
    fn lasso(&self, j: usize) -> f64 {
        if j < self.smooth.width { self.lasso } else { 0.0 }
    }

    /// The largest entry of the least subgradient; 0 at the minimum.
    fn violation(&self, at: &[f64], gradient: &[f64]) -> f64 {
        let entry = |(j, (w, g)): (usize, (&f64, &f64))| {
            let lasso = self.lasso(j);
            if *w == 0.0 { (g.abs() - lasso).max(0.0) } else { (g + lasso * w.signum()).abs() }
        };
        at.iter().zip(gradient).enumerate().map(entry).fold(0.0, f64::max)
    }

    /// The L1 penalty at a place.
    fn penalty(&self, at: &[f64]) -> f64 {
        let mut sum = 0.0;
        for w in at.iter().take(self.smooth.width) {
            sum += w.abs();
        }
        self.lasso * sum
    }

    /// Where coordinate descent on the quadratic model ends when it moves no gradient by more than
    /// `most`.
    fn sweep(&self, at: &[f64], local: &Local, most: f64) -> Vec<f64> {
        let hessian = &local.hessian;
        let mut aim = at.to_vec();
        let mut gradient = local.gradient.clone();
        for _ in 0..Self::MAX_SWEEPS {
            let mut moved: f64 = 0.0;
            for j in 0..aim.len() {
                let curvature = hessian.at(j, j);
                // A feature that is 0 in every row says nothing.
                if curvature <= 0.0 {
                    continue;
                }
                let pull = curvature * aim[j] - gradient[j];
                let next = shrunk(pull, self.lasso(j)) / curvature;
                let change = next - aim[j];
                if change != 0.0 {
                    aim[j] = next;
                    hessian.add_column(j, change, &mut gradient);
                    moved = moved.max(change.abs() * curvature);
                }
            }
            if moved <= most {
                break;
            }
        }
        aim
    }

    /// The minimum of the quadratic model among the coefficients that `swept` has not at 0, which
    /// are to keep their signs; `None` when it has no such minimum.
    fn solve(&self, at: &[f64], local: &Local, swept: &[f64]) -> Option<Vec<f64>> {
        let is_free = |j: &usize| swept[*j] != 0.0 || *j >= self.smooth.width;
        let free: Vec<usize> = (0..at.len()).filter(is_free).collect();
        let mut hessian = Symmetric::zeros(free.len());
        for (row, j) in free.iter().enumerate() {
            for (entry, k) in hessian.row_mut(row).iter_mut().zip(&free) {
                *entry = local.hessian.at(*j, *k);
            }
        }
        // The gradient of the model where the others are 0 and the free ones as they are now.
        let mut gradient = local.gradient.clone();
        for j in (0..at.len()).filter(|j| !is_free(j)) {
            local.hessian.add_column(j, -at[j], &mut gradient);
        }
        let slope = |j: &usize| {
            let lasso = self.lasso(*j);
            gradient[*j] + if lasso == 0.0 { 0.0 } else { lasso * swept[*j].signum() }
        };
        let step = hessian.solve(&free.iter().map(slope).collect::<Vec<_>>())?;
        let mut aim = vec![0.0; at.len()];
        for (j, step) in free.iter().zip(step) {
            aim[*j] = at[*j] - step;
            if self.lasso(*j) > 0.0 && aim[*j] * swept[*j] <= 0.0 {
                return None;
            }
        }
        Some(aim)
    }

    /// The first of all the way to the aim, half of it, a quarter … where the objective has fallen
    /// enough; near the minimum, where the fall drowns in rounding, a smaller violation is enough.
    fn descend(&self, at: &[f64], local: &Local, aim: &[f64]) -> Option<(Vec<f64>, Local)> {
        let way: Vec<f64> = aim.iter().zip(at).map(|(aim, at)| aim - at).collect();
        let before = local.loss + self.penalty(at);
        let promised = -dot(&local.gradient, &way) + self.penalty(at) - self.penalty(aim);
        let rounding = ROUNDING * before.abs();
        let violation = self.violation(at, &local.gradient);
        let mut length = 1.0;
        for _ in 0..MAX_HALVINGS {
            let part = |(at, way): (&f64, &f64)| at + length * way;
            let whole = length == 1.0;
            let next_at: Vec<f64> =
                if whole { aim.to_vec() } else { at.iter().zip(&way).map(part).collect() };
            let next = self.smooth.local(&next_at);
            let fall = before - (next.loss + self.penalty(&next_at));
            let falls = fall > rounding && fall >= LEAST_PART * length * promised;
            let flattens =
                fall.abs() <= rounding && self.violation(&next_at, &next.gradient) < violation;
            if falls || flattens {
                return Some((next_at, next));
            }
            length *= 0.5;
        }
        None
    }
}

/// A number drawn towards 0 by `by`, and 0 when it is nearer.
fn shrunk(x: f64, by: f64) -> f64 {
    if x > by {
        x - by
    } else if x < -by {
        x + by
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
