//! The learners that average trees: a decision tree, a random forest, and extra trees.
//!
//! A tree of a forest draws from a stream of its own, derived from the seed and its index, so trees
//! are grown in any order on any number of threads and collected by index. Probabilities are
//! averaged, as in scikit-learn; a row that a bootstrap drew twice weighs as two. Class weights
//! weigh the rows that were drawn and do not change which are (as scikit-learn before 1.9).

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::Deserialize;

use super::bins::{Binned, MAX_BINS};
use super::grow::{Growth, Member, grow};
use super::split::{CategoricalRule, Rule};
use super::sums::Units;
use super::tree::Tree;
use super::{
    Checked, ClassWeight, Dataset, FeatureHints, LearnError, Limits, Trees, check_rows, require,
};
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
    /// What is known of the encoded features.
    pub hints: FeatureHints,
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

/// The parameters of a random forest, or of extra trees.
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
    /// Whether each feature is tried at one drawn threshold (extra trees) instead of at the best.
    pub draw_thresholds: bool,
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

/// The rows that trees learn from.
struct Sample {
    binned: Binned,
    targets: Vec<bool>,
    /// What each row weighs by itself.
    weights: Vec<f64>,
    /// What a negative and a positive row weigh besides.
    class_weights: [f64; 2],
}

impl DecisionTree {
    fn sample(&self, dataset: &Dataset) -> Result<Sample, LearnError> {
        let rows = check_rows(dataset, true)?;
        let class_weights = self.class_weight.weights(&dataset.targets)?;
        let width = dataset.records.ncols();
        let binned = Binned::new(&rows, width, &self.hints.is_categorical, MAX_BINS);
        let targets = dataset.targets.to_vec();
        let weights: Vec<f64> =
            (0..targets.len()).map(|i| f64::from(dataset.weight_for(i))).collect();
        if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(LearnError::Data(format!("row {i} has the weight {}", weights[i])));
        }
        Ok(Sample { binned, targets, weights, class_weights })
    }

    fn growth(&self, width: usize, max_features: usize, class_weights: [f64; 2]) -> Growth {
        Growth {
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            max_leaves: None,
            min_samples_split: self.min_samples_split,
            features: (0..width).collect(),
            max_features,
            draw_thresholds: false,
            monotone: self.hints.monotone.clone(),
            rule: Rule {
                units: Units::of(1.0, 1.0),
                classes: Some(class_weights),
                l1: 0.0,
                l2: 0.0,
                min_samples_leaf: self.min_samples_leaf,
                min_child_weight: 0.0,
                // Even a split that gains nothing by itself can be worth it for those below.
                min_gain: f64::NEG_INFINITY,
                categorical: CategoricalRule::default(),
            },
            shrink: 1.0,
            is_parallel: true,
        }
    }
}

impl Sample {
    /// Grows a tree on the rows, each as often as it counts.
    fn grow(
        &self,
        counts: &[u32],
        mut growth: Growth,
        random: &mut Random,
    ) -> Result<Tree, LearnError> {
        let weights = self.weights.iter().zip(counts).map(|(w, n)| w * f64::from(*n));
        let largest = weights.clone().fold(0.0, f64::max);
        growth.rule.units = Units::of(largest, largest);
        let units = growth.rule.units;
        let member = |((row, weight), positive): ((u32, f64), &bool)| {
            let g = if *positive { weight } else { 0.0 };
            (weight > 0.0).then(|| Member { row, term: units.term(g, weight) })
        };
        let members = (0..).zip(weights).zip(&self.targets).filter_map(member).collect();
        let nodes = grow(&self.binned, members, &growth, random).nodes;
        Tree::new(nodes, self.binned.width()).map_err(LearnError::Data)
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<DecisionTree> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        let sample = self.0.sample(dataset)?;
        let width = sample.binned.width();
        let counts = vec![1; sample.targets.len()];
        // All features are tried at every node, so nothing is drawn.
        let tree = sample.grow(
            &counts,
            self.0.growth(width, width, sample.class_weights),
            &mut Random::new([0; 32]),
        )?;
        Ok(Trees(vec![tree]))
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<RandomForest> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        let forest = &self.0;
        let sample = forest.tree.sample(dataset)?;
        let width = sample.binned.width();
        let max_features = forest.max_features.of(width);
        let nth_tree = |index: u64| {
            let mut random = Random::nth(&forest.seed, index);
            let counts = draw_rows(forest.bootstrap, sample.targets.len(), &mut random);
            let growth = Growth {
                draw_thresholds: forest.draw_thresholds,
                // Trees are grown side by side already.
                is_parallel: false,
                ..forest.tree.growth(width, max_features, sample.class_weights)
            };
            sample.grow(&counts, growth, &mut random)
        };
        let trees: Result<Vec<Tree>, LearnError> =
            (0..u64::from(forest.n_estimators)).into_par_iter().map(nth_tree).collect();
        Ok(Trees(trees?))
    }
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
