//! The rows to stop by: what they cost after each round, by their weights.
//!
//! Knows no round before the last and does not decide when to stop.

use std::borrow::Cow;

use linfa::DatasetBase;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::super::numbers::{Numbers, checked_targets};
use super::super::tree::Tree;
use super::super::{Dataset, LearnError, abreast, check_rows};
use super::loss::{Loss, Targets, class_values};

/// What rows to stop by are watched for.
pub(super) trait Watched: Sized {
    /// The targets as numbers.
    fn numbers(rows: &DatasetBase<Array2<f64>, Array1<Self>>) -> Result<Vec<f64>, LearnError>;
}

impl Watched for bool {
    fn numbers(rows: &Dataset) -> Result<Vec<f64>, LearnError> {
        Ok(class_values(rows))
    }
}

impl Watched for f64 {
    fn numbers(rows: &Numbers) -> Result<Vec<f64>, LearnError> {
        checked_targets(rows)
    }
}

/// The rows to stop by.
pub(super) struct Watch<'d> {
    rows: Cow<'d, [f64]>,
    width: usize,
    loss: Loss,
    targets: Vec<f64>,
    /// What each row counts, where they do not count alike.
    weights: Option<Vec<f64>>,
    scores: Vec<f64>,
    least: f64,
    /// The round, counted from 1, after which the loss was least; 0 before the first.
    pub(super) best_round: u32,
}

impl<'d> Watch<'d> {
    /// Rows to be watched while `learnt` are learnt from, `width` numbers each.
    ///
    /// # Errors
    /// Other features, no row, a target or a weight that is none.
    pub(super) fn of<T: Watched>(
        dataset: &'d DatasetBase<Array2<f64>, Array1<T>>,
        learnt: &Targets,
        width: usize,
    ) -> Result<Watch<'d>, LearnError> {
        let rows = check_rows(dataset, true)?;
        let targets = T::numbers(dataset)?;
        let weights = dataset.weights().map(|weights| weights.iter().map(|w| (*w).into()));
        let weights: Option<Vec<f64>> = weights.map(Iterator::collect);
        if weights.iter().flatten().any(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            let message = "a weight of the rows to stop by is below 0 or not finite";
            return Err(LearnError::Data(message.to_owned()));
        }
        if dataset.records.ncols() != width {
            return Err(LearnError::Data("the rows to stop by have other features".to_owned()));
        }
        if targets.is_empty() {
            return Err(LearnError::Data("there are no rows to stop by".to_owned()));
        }
        let scores = vec![learnt.base; targets.len()];
        let loss = learnt.loss;
        let least = f64::INFINITY;
        Ok(Watch { rows, width, loss, targets, weights, scores, least, best_round: 0 })
    }

    /// Adds the tree of a round to the scores.
    pub(super) fn see(&mut self, tree: &Tree, round: u32) {
        const CHUNK_ROWS: usize = 4096;
        let losses: Vec<f64> = self
            .scores
            .par_chunks_mut(CHUNK_ROWS)
            .zip(self.targets.par_chunks(CHUNK_ROWS))
            .zip(self.rows.par_chunks(CHUNK_ROWS * self.width.max(1)))
            .enumerate()
            .map(|(chunk, ((scores, targets), rows))| {
                let weights = self.weights.as_ref().map(|all| &all[chunk * CHUNK_ROWS..]);
                abreast::add_values(std::slice::from_ref(tree), rows, self.width, scores);
                let mut loss = 0.0;
                for (i, (score, target)) in scores.iter().zip(targets).enumerate() {
                    let weight = weights.map_or(1.0, |weights| weights[i]);
                    loss += weight * self.loss.of(*score, *target);
                }
                loss
            })
            .collect();
        let mut loss = 0.0;
        for part in losses {
            loss += part;
        }
        if loss < self.least {
            (self.least, self.best_round) = (loss, round);
        }
    }
}
