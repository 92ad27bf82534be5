//! The learners that grow trees: a decision tree and a random forest.
//!
//! A tree of a forest draws from a stream of its own, derived from the seed and its index, so trees
//! are grown in any order on any number of threads and collected by index. Probabilities are
//! averaged, as in scikit-learn; a row that a bootstrap drew twice weighs as two. Class weights
//! weigh the rows that were drawn and do not change which are (as scikit-learn before 1.9).

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::Deserialize;

use super::bins::Binned;
use super::grow::{Growth, Sample, grow};
use super::tree::Tree;
use super::{Checked, ClassWeight, Dataset, LearnError, Limits, Trees, require};
use crate::ml::random::Random;

/// The parameters of a decision tree.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTree {
    /// The most splits above a leaf, at least 1; `None` is no limit.
    pub max_depth: Option<u32>,
    /// A node of fewer rows is a leaf; at least 2.
    pub min_samples_split: u64,
    /// No side of a split has fewer rows; at least 1.
    pub min_samples_leaf: u64,
    /// How much a row counts by its class.
    pub class_weight: ClassWeight,
}

/// How many features are tried at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFeatures {
    /// The square root of their number, rounded down.
    Sqrt,
    /// The binary logarithm of their number, rounded down.
    Log2,
    /// All of them.
    All,
}

/// The parameters of a random forest.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomForest {
    /// How many trees, at least 1.
    pub n_estimators: u32,
    /// What each tree is like.
    pub tree: DecisionTree,
    /// How many features are tried at a node.
    pub max_features: MaxFeatures,
    /// Whether each tree sees as many rows as there are, drawn with replacement.
    pub bootstrap: bool,
    /// What all draws follow from.
    pub seed: [u8; 32],
}

impl Limits for DecisionTree {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.max_depth != Some(0), "max_depth", "at least 1")?;
        require(self.min_samples_split >= 2, "min_samples_split", "at least 2")?;
        require(self.min_samples_leaf >= 1, "min_samples_leaf", "at least 1")
    }
}

impl Limits for RandomForest {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.n_estimators >= 1, "n_estimators", "at least 1")?;
        self.tree.limits()
    }
}

impl MaxFeatures {
    fn of(self, width: usize) -> usize {
        match self {
            MaxFeatures::Sqrt => width.isqrt().max(1),
            MaxFeatures::Log2 => width.checked_ilog2().unwrap_or(0).max(1) as usize,
            MaxFeatures::All => width,
        }
    }
}

impl DecisionTree {
    fn growth(&self, dataset: &Dataset, max_features: usize) -> Result<Growth, LearnError> {
        Ok(Growth {
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            max_features,
            class_weights: self.class_weight.weights(&dataset.targets)?,
        })
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<DecisionTree> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        let (binned, targets) = prepare(dataset)?;
        let growth = self.0.growth(dataset, binned.width())?;
        let counts = vec![1; targets.len()];
        let sample = Sample { binned: &binned, targets: &targets, counts: &counts };
        // All features are tried at every node, so nothing is drawn.
        let nodes = grow(&sample, &growth, &mut Random::new([0; 32]));
        Ok(Trees(vec![Tree::new(nodes, binned.width()).map_err(LearnError::Data)?]))
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<RandomForest> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        let forest = &self.0;
        let (binned, targets) = prepare(dataset)?;
        let growth = forest.tree.growth(dataset, forest.max_features.of(binned.width()))?;
        let nth_tree = |index: u64| {
            let mut random = Random::nth(&forest.seed, index);
            let counts = draw_rows(forest.bootstrap, targets.len(), &mut random);
            let sample = Sample { binned: &binned, targets: &targets, counts: &counts };
            let nodes = grow(&sample, &growth, &mut random);
            Tree::new(nodes, binned.width()).map_err(LearnError::Data)
        };
        let trees: Result<Vec<Tree>, LearnError> =
            (0..u64::from(forest.n_estimators)).into_par_iter().map(nth_tree).collect();
        Ok(Trees(trees?))
    }
}

/// The rows cut into bins, and their classes.
fn prepare(dataset: &Dataset) -> Result<(Binned, Vec<bool>), LearnError> {
    if dataset.weights().is_some() {
        return Err(LearnError::Data("trees take no row weights".to_owned()));
    }
    if u32::try_from(dataset.targets.len()).is_err() {
        return Err(LearnError::Data("trees take fewer than 2^32 rows".to_owned()));
    }
    let rows = dataset.records.as_standard_layout();
    let rows = rows.as_slice().unwrap_or_default();
    if !rows.iter().all(|x| x.is_finite()) {
        return Err(LearnError::Data("a feature is not finite".to_owned()));
    }
    Ok((Binned::new(rows, dataset.records.ncols()), dataset.targets.to_vec()))
}

/// How often each row counts.
fn draw_rows(bootstrap: bool, n_rows: usize, random: &mut Random) -> Vec<u32> {
    if !bootstrap {
        return vec![1; n_rows];
    }
    let mut counts = vec![0; n_rows];
    for _ in 0..n_rows {
        counts[random.below(n_rows as u64) as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
