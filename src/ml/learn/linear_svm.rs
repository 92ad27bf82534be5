//! A linear support vector machine whose margins become probabilities.
//!
//! The objective is that of scikit-learn's `LinearSVC` (liblinear's, with the squared hinge):
//! minimise `0.5 * (|w|^2 + b0^2) + C * sum_i s_i * max(0, 1 - y_i z_i)^2` with
//! `z_i = w . x_i + intercept_scaling * b0`. The intercept `intercept_scaling * b0` is penalised
//! with the rest, the less the larger `intercept_scaling` is.
//!
//! A margin is no probability. As `CalibratedClassifierCV(cv=cv, ensemble=False)` does it, each row
//! gets the margin of a machine that has not seen it, and Platt's line is fitted to those; the
//! machine itself is then fitted to all rows. A line through margins that are linear is linear, so
//! what comes out is log-odds like those of a logistic regression.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::objective::{Loss, Minimum, Problem, finite_rows, minimise, row_weights};
use super::{Checked, ClassWeight, Dataset, LearnError, Limits, Linear, require, weighed};
use crate::ml::calibration::Sigmoid;

/// The parameters of a linear support vector machine.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvm {
    /// The inverse of the strength of the penalty, above 0.
    pub c: f64,
    /// How much a row counts by its class; has no say in the calibration.
    pub class_weight: ClassWeight,
    /// The most steps per machine, at least 1.
    pub max_iter: u32,
    /// Done when no entry of the gradient, per unit of weight, is larger; above 0.
    pub tol: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// The number of the constant feature, above 0.
    pub intercept_scaling: f64,
    /// The folds that margins are calibrated by, at least 2.
    pub cv: u32,
}

impl Limits for LinearSvm {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.c > 0.0 && self.c.is_finite(), "C", "above 0")?;
        require(self.tol > 0.0 && self.tol.is_finite(), "tol", "above 0")?;
        require(self.max_iter > 0, "max_iter", "at least 1")?;
        let scaling = self.intercept_scaling;
        require(scaling > 0.0 && scaling.is_finite(), "intercept_scaling", "above 0")?;
        require(self.cv > 1, "cv", "at least 2")
    }
}

/// A fitted linear support vector machine, and how the fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedSvm {
    /// The calibrated log-odds.
    pub linear: Linear,
    /// The margin that they are made of.
    pub margin: Linear,
    /// How: `-(a * margin + b)`.
    pub sigmoid: Sigmoid,
    /// How many steps the machine of all rows took.
    pub iterations: u32,
    /// Whether the gradients of all machines got below `tol`.
    pub converged: bool,
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<LinearSvm> {
    type Object = FittedSvm;

    fn fit(&self, dataset: &Dataset) -> Result<FittedSvm, LearnError> {
        let params = &self.0;
        let rows = finite_rows(dataset)?;
        let whole = machine(params, dataset, &rows, |_| true)?;
        let folds = stratified(&dataset.targets, params.cv)?;
        let others: Vec<Minimum> = (0..params.cv)
            .into_par_iter()
            .map(|fold| machine(params, dataset, &rows, |i| folds[i] != fold))
            .collect::<Result<_, _>>()?;
        let width = dataset.records.ncols();
        let margin = |(i, fold): (usize, &u32)| {
            others[*fold as usize].linear.log_odds(&rows[i * width..(i + 1) * width])
        };
        let margins: Vec<f64> = folds.iter().enumerate().map(margin).collect();
        let weights: Vec<f64> = (0..folds.len()).map(|i| dataset.weight_for(i).into()).collect();
        let sigmoid = Sigmoid::fit_weighted(margins, &dataset.targets.to_vec(), weights);
        let Minimum { linear: margin, iterations, converged } = whole;
        let linear = Linear {
            intercept: -(sigmoid.a * margin.intercept + sigmoid.b),
            coefficients: margin.coefficients.iter().map(|w| -sigmoid.a * w).collect(),
        };
        let converged = converged && others.iter().all(|other| other.converged);
        Ok(FittedSvm { linear, margin, sigmoid, iterations, converged })
    }
}

/// The machine of the rows that `is_seen`.
fn machine(
    params: &LinearSvm,
    dataset: &Dataset,
    rows: &[f64],
    is_seen: impl Fn(usize) -> bool + Copy,
) -> Result<Minimum, LearnError> {
    let seen = weighed(dataset).enumerate().filter(|(i, _)| is_seen(*i)).map(|(_, row)| row);
    let by_class = params.class_weight.weights(seen)?;
    let mut weights = row_weights(params.c, by_class, dataset)?;
    let unseen = weights.iter_mut().enumerate().filter(|(i, _)| !is_seen(*i));
    unseen.for_each(|(_, weight)| *weight = 0.0);
    let problem = Problem {
        rows,
        width: dataset.records.ncols(),
        targets: dataset.targets.to_vec(),
        weights,
        loss: Loss::SquaredHinge,
        ridge: 1.0,
        constant: params.fit_intercept.then_some(params.intercept_scaling),
        penalises_constant: true,
    };
    Ok(minimise(&problem, params.max_iter, params.tol))
}

/// The fold of each row, by the rules of scikit-learn's `StratifiedKFold`: rows sorted by class,
/// that of the first row before the other, are dealt to the folds one by one, which tells how many
/// of a class each fold has; the rows of a class then fill the folds in their order.
fn stratified(targets: &Array1<bool>, n_folds: u32) -> Result<Vec<u32>, LearnError> {
    let Some(first) = targets.first().copied() else { return Ok(Vec::new()) };
    let n_first = targets.iter().filter(|target| **target == first).count();
    let rarer = n_first.min(targets.len() - n_first);
    if rarer < n_folds as usize {
        let message = format!("`cv` is {n_folds}, and one of the classes has {rarer} rows");
        return Err(LearnError::Data(message));
    }
    let n = n_folds as usize;
    let dealt = |from: usize, to: usize, fold: usize| (from..to).filter(|i| i % n == fold).count();
    let places = |from: usize, to: usize| {
        let of = move |fold: u32| std::iter::repeat_n(fold, dealt(from, to, fold as usize));
        (0..n_folds).flat_map(of)
    };
    let (mut of_first, mut of_second) = (places(0, n_first), places(n_first, targets.len()));
    let next = |target: &bool| {
        let place = if *target == first { of_first.next() } else { of_second.next() };
        place.unwrap_or(0)
    };
    Ok(targets.iter().map(next).collect())
}

#[cfg(test)]
mod tests;
