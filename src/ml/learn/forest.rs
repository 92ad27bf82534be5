//! The learners that average trees: a decision tree, a random forest, and extra trees.
//!
//! A tree of a forest draws from a stream of its own, derived from the seed and its index, so trees
//! are grown in any order on any number of threads and collected by index. Probabilities are
//! averaged, as in scikit-learn; a row that a bootstrap drew twice weighs as two. Class weights
//! weigh the rows that were drawn and do not change which are (as scikit-learn before 1.9).
//!
//! Two classes are split by Gini's criterion, numbers by the variance: the same sums over class
//! weights, or over what targets are above their mean.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::Deserialize;

use super::bins::{Binned, MAX_BINS};
use super::grow::{Growth, Member, grow};
use super::numbers::{Centred, Numbers};
use super::split::{CategoricalRule, Rule};
use super::sums::Units;
use super::tree::Tree;
use super::{
    Checked, ClassWeight, Dataset, FeatureHints, LearnError, Limits, Trees, check_rows, require,
    weighed,
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
    /// 1 for a positive row and 0 for another; for numbers what they are above their mean.
    values: Vec<f64>,
    /// No value is further from 0.
    spread: f64,
    /// What each row weighs by itself.
    weights: Vec<f64>,
    /// What a negative and a positive row weigh besides; `None` for numbers.
    classes: Option<[f64; 2]>,
    /// What every leaf's value is above what the trees say: the mean of numbers.
    offset: f64,
}

impl DecisionTree {
    fn classes(&self, dataset: &Dataset) -> Result<Sample, LearnError> {
        let rows = check_rows(dataset, true)?;
        let classes = Some(self.class_weight.weights(weighed(dataset))?);
        let targets = dataset.targets.iter();
        let values: Vec<f64> = targets.map(|positive| f64::from(u8::from(*positive))).collect();
        let weights: Vec<f64> =
            (0..values.len()).map(|i| f64::from(dataset.weight_for(i))).collect();
        if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(LearnError::Data(format!("row {i} has the weight {}", weights[i])));
        }
        let binned = self.binned(&rows, dataset.records.ncols());
        Ok(Sample { binned, values, spread: 1.0, weights, classes, offset: 0.0 })
    }

    fn numbers(&self, dataset: &Numbers) -> Result<Sample, LearnError> {
        let rows = check_rows(dataset, true)?;
        let centred = Centred::of(dataset)?;
        let spread = centred.spread();
        let Centred { targets: values, weights, mean: offset } = centred;
        let binned = self.binned(&rows, dataset.records.ncols());
        Ok(Sample { binned, values, spread, weights, classes: None, offset })
    }

    fn binned(&self, rows: &[f64], width: usize) -> Binned {
        Binned::new(rows, width, &self.hints.is_categorical, MAX_BINS)
    }

    fn growth(&self, width: usize, max_features: usize, classes: Option<[f64; 2]>) -> Growth {
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
                classes,
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

    fn grow_one(&self, sample: &Sample) -> Result<Trees, LearnError> {
        let width = sample.binned.width();
        let counts = vec![1; sample.values.len()];
        let growth = self.growth(width, width, sample.classes);
        // All features are tried at every node, so nothing is drawn.
        Ok(Trees(vec![sample.grow(&counts, growth, &mut Random::new([0; 32]))?]))
    }
}

impl Sample {
    /// What a split of numbers gains more than, as a part of what all rows could gain: whether the
    /// numbers of a node are equal is not to be seen from their sums, and equal ones seem to gain
    /// as much as the rounding of a float.
    const FEIGNED: f64 = 1.0 / (1_u64 << 48) as f64;

    /// Grows a tree on the rows, each as often as it counts.
    fn grow(
        &self,
        counts: &[u32],
        mut growth: Growth,
        random: &mut Random,
    ) -> Result<Tree, LearnError> {
        let counted = || self.weights.iter().zip(counts).filter(|(w, n)| **w > 0.0 && **n > 0);
        let largest = counted().fold(0.0, |most: f64, (w, _)| most.max(*w));
        let most = counted().fold(1, |most: u32, (_, n)| most.max(*n));
        let largest = largest * f64::from(most);
        growth.rule.units = Units::of(self.spread * largest, largest);
        if self.classes.is_none() {
            let all = counts.len() as f64 * self.spread * self.spread * largest;
            growth.rule.min_gain = Self::FEIGNED * all;
        }
        let units = growth.rule.units;
        // Rounded once and counted in whole numbers, so that equal rows stay equal.
        let member = |((row, weight), (count, value)): ((u32, &f64), (&u32, &f64))| {
            let term = || units.term(weight * value, *weight).times(*count);
            (*weight > 0.0 && *count > 0).then(|| Member { row, term: term() })
        };
        let rows = (0..).zip(&self.weights).zip(counts.iter().zip(&self.values));
        let members = rows.filter_map(member).collect();
        let mut nodes = grow(&self.binned, members, &growth, random).nodes;
        nodes.iter_mut().for_each(|node| node.value += self.offset);
        Tree::new(nodes, self.binned.width()).map_err(LearnError::Data)
    }
}

impl RandomForest {
    fn grow_all(&self, sample: &Sample) -> Result<Trees, LearnError> {
        let width = sample.binned.width();
        let max_features = self.max_features.of(width);
        let nth_tree = |index: u64| {
            let mut random = Random::nth(&self.seed, index);
            let counts = draw_rows(self.bootstrap, sample.values.len(), &mut random);
            let growth = Growth {
                draw_thresholds: self.draw_thresholds,
                // Trees are grown side by side already.
                is_parallel: false,
                ..self.tree.growth(width, max_features, sample.classes)
            };
            sample.grow(&counts, growth, &mut random)
        };
        let trees: Result<Vec<Tree>, LearnError> =
            (0..u64::from(self.n_estimators)).into_par_iter().map(nth_tree).collect();
        Ok(Trees(trees?))
    }
}

impl Checked<DecisionTree> {
    /// Fits as `fit` does, but the rows are let go before the tree is grown, which needs their
    /// bins alone: a byte per value where the rows have eight.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_owned(&self, dataset: Dataset) -> Result<Trees, LearnError> {
        let sample = self.0.classes(&dataset)?;
        drop(dataset);
        self.0.grow_one(&sample)
    }

    /// The same for numbers.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_numbers_owned(&self, dataset: Numbers) -> Result<Trees, LearnError> {
        let sample = self.0.numbers(&dataset)?;
        drop(dataset);
        self.0.grow_one(&sample)
    }
}

impl Checked<RandomForest> {
    /// Fits as `fit` does, but the rows are let go before the first tree is grown.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_owned(&self, dataset: Dataset) -> Result<Trees, LearnError> {
        let sample = self.0.tree.classes(&dataset)?;
        drop(dataset);
        self.0.grow_all(&sample)
    }

    /// The same for numbers.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_numbers_owned(&self, dataset: Numbers) -> Result<Trees, LearnError> {
        let sample = self.0.tree.numbers(&dataset)?;
        drop(dataset);
        self.0.grow_all(&sample)
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<DecisionTree> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        self.0.grow_one(&self.0.classes(dataset)?)
    }
}

impl Fit<Array2<f64>, Array1<f64>, LearnError> for Checked<DecisionTree> {
    type Object = Trees;

    fn fit(&self, dataset: &Numbers) -> Result<Trees, LearnError> {
        self.0.grow_one(&self.0.numbers(dataset)?)
    }
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<RandomForest> {
    type Object = Trees;

    fn fit(&self, dataset: &Dataset) -> Result<Trees, LearnError> {
        self.0.grow_all(&self.0.tree.classes(dataset)?)
    }
}

impl Fit<Array2<f64>, Array1<f64>, LearnError> for Checked<RandomForest> {
    type Object = Trees;

    fn fit(&self, dataset: &Numbers) -> Result<Trees, LearnError> {
        self.0.grow_all(&self.0.tree.numbers(dataset)?)
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
