//! Gradient boosting of trees: for two classes with log loss, for numbers with squared error.
//!
//! Names, defaults and rules are LightGBM's (Ke et al. 2017): trees are grown leaf by leaf, the one
//! that gains most first, on at most 255 bins per feature; a leaf is a Newton step shrunk by the
//! learning rate. What differs is that sums are whole numbers (`sums.rs`): the model is the same on
//! any number of threads, in any order of rows and on any CPU. Draws of a round come from a stream
//! of its own, so that another number of rounds changes none before.

mod loss;
mod watch;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::bins::{Binned, MAX_BINS};
use super::grow::{Grown, Growth, Member, grow};
use super::numbers::Numbers;
use super::split::{CategoricalRule, Rule};
use super::tree::Tree;
use super::{
    Boosted, Checked, ClassWeight, Dataset, FeatureHints, LearnError, Limits, check_rows, require,
};
use crate::ml::random::Random;
use loss::Targets;
use watch::{Watch, Watched};

/// The parameters of gradient boosting.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientBoosting {
    /// How many trees at most, at least 1.
    pub n_estimators: u32,
    /// What a tree's values are multiplied by, above 0.
    pub learning_rate: f64,
    /// The most leaves of a tree, at least 2.
    pub num_leaves: u32,
    /// The most splits above a leaf, at least 1; `None` is no limit.
    pub max_depth: Option<u32>,
    /// No side of a split has fewer rows; at least 1.
    pub min_child_samples: u64,
    /// No side of a split has a smaller sum of curvatures, `p (1 - p)` times a row's weight; at
    /// least 0.
    pub min_child_weight: f64,
    /// The L1 penalty of a leaf's value, at least 0.
    pub reg_alpha: f64,
    /// The L2 penalty of a leaf's value, at least 0.
    pub reg_lambda: f64,
    /// A split gains more than this; at least 0.
    pub min_split_gain: f64,
    /// The share of rows that a tree sees, drawn without replacement; above 0 and at most 1.
    pub subsample: f64,
    /// The share of features that a tree sees, at least one; above 0 and at most 1.
    pub colsample_bytree: f64,
    /// The most bins of a feature, 2 to 255.
    pub max_bin: u32,
    /// How categorical features are cut.
    pub categorical: CategoricalRule,
    /// How much a row counts by its class.
    pub class_weight: ClassWeight,
    /// With rows to stop by, boosting ends when their loss did not fall for so many rounds, and
    /// the rounds since its minimum are dropped; 0 never ends early.
    pub early_stopping_rounds: u32,
    /// What is known of the encoded features.
    pub hints: FeatureHints,
    /// What all draws follow from.
    pub seed: [u8; 32],
}

impl Default for GradientBoosting {
    /// LightGBM's defaults, with an arbitrary seed.
    fn default() -> GradientBoosting {
        GradientBoosting {
            n_estimators: 100,
            learning_rate: 0.1,
            num_leaves: 31,
            max_depth: None,
            min_child_samples: 20,
            min_child_weight: 1e-3,
            reg_alpha: 0.0,
            reg_lambda: 0.0,
            min_split_gain: 0.0,
            subsample: 1.0,
            colsample_bytree: 1.0,
            max_bin: MAX_BINS as u32,
            categorical: CategoricalRule::default(),
            class_weight: ClassWeight::None,
            early_stopping_rounds: 0,
            hints: FeatureHints::default(),
            seed: [0; 32],
        }
    }
}

impl Limits for GradientBoosting {
    fn limits(&self) -> Result<(), LearnError> {
        let is_penalty = |x: f64| x >= 0.0 && x.is_finite();
        let is_share = |x: f64| x > 0.0 && x <= 1.0;
        let is_rate = self.learning_rate > 0.0 && self.learning_rate.is_finite();
        require(self.n_estimators >= 1, "n_estimators", "at least 1")?;
        require(is_rate, "learning_rate", "above 0")?;
        require(self.num_leaves >= 2, "num_leaves", "at least 2")?;
        require(self.max_depth != Some(0), "max_depth", "at least 1")?;
        require(self.min_child_samples >= 1, "min_child_samples", "at least 1")?;
        require(is_penalty(self.min_child_weight), "min_child_weight", "at least 0")?;
        require(is_penalty(self.reg_alpha), "reg_alpha", "at least 0")?;
        require(is_penalty(self.reg_lambda), "reg_lambda", "at least 0")?;
        require(is_penalty(self.min_split_gain), "min_split_gain", "at least 0")?;
        require(is_share(self.subsample), "subsample", "above 0 and at most 1")?;
        require(is_share(self.colsample_bytree), "colsample_bytree", "above 0 and at most 1")?;
        let max_bin = self.max_bin as usize;
        require((2..=MAX_BINS).contains(&max_bin), "max_bin", "between 2 and 255")
    }
}

/// A fitted model, and how the fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedBoosting {
    /// The trees.
    pub boosted: Boosted,
    /// The round, counted from 1, after which the loss of the rows to stop by was least; `None`
    /// without such rows.
    pub best_round: Option<u32>,
}

impl Fit<Array2<f64>, Array1<bool>, LearnError> for Checked<GradientBoosting> {
    type Object = FittedBoosting;

    fn fit(&self, dataset: &Dataset) -> Result<FittedBoosting, LearnError> {
        self.fit_until(dataset, None)
    }
}

impl Fit<Array2<f64>, Array1<f64>, LearnError> for Checked<GradientBoosting> {
    type Object = FittedBoosting;

    fn fit(&self, dataset: &Numbers) -> Result<FittedBoosting, LearnError> {
        self.fit_numbers_until(dataset, None)
    }
}

impl Checked<GradientBoosting> {
    /// Fits to two classes, and ends early by the log loss of other rows.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_until(
        &self,
        dataset: &Dataset,
        stop_by: Option<&Dataset>,
    ) -> Result<FittedBoosting, LearnError> {
        self.boost(self.classes(dataset)?, stop_by)
    }

    /// The same, but the rows are let go before the first tree is grown, which needs their bins
    /// alone: a byte per value where the rows have eight.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_owned(
        &self,
        dataset: Dataset,
        stop_by: Option<&Dataset>,
    ) -> Result<FittedBoosting, LearnError> {
        let rounds = self.classes(&dataset)?;
        drop(dataset);
        self.boost(rounds, stop_by)
    }

    /// Fits to numbers by squared error, and ends early by that of other rows. Classes have no
    /// weight here.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_numbers_until(
        &self,
        dataset: &Numbers,
        stop_by: Option<&Numbers>,
    ) -> Result<FittedBoosting, LearnError> {
        self.boost(self.numbers(dataset)?, stop_by)
    }

    /// The same, but the rows are let go as by `fit_owned`.
    ///
    /// # Errors
    /// What of the rows does not allow it.
    pub fn fit_numbers_owned(
        &self,
        dataset: Numbers,
        stop_by: Option<&Numbers>,
    ) -> Result<FittedBoosting, LearnError> {
        let rounds = self.numbers(&dataset)?;
        drop(dataset);
        self.boost(rounds, stop_by)
    }

    fn classes(&self, dataset: &Dataset) -> Result<Rounds<'_>, LearnError> {
        let rows = check_rows(dataset, true)?;
        let targets = Targets::classes(self.0.class_weight, dataset)?;
        Ok(Rounds::new(&self.0, &rows, dataset.records.ncols(), targets))
    }

    fn numbers(&self, dataset: &Numbers) -> Result<Rounds<'_>, LearnError> {
        let rows = check_rows(dataset, true)?;
        let targets = Targets::numbers(dataset)?;
        Ok(Rounds::new(&self.0, &rows, dataset.records.ncols(), targets))
    }

    /// Grows trees; with patience, until that has run out on the rows to stop by.
    fn boost<T: Watched>(
        &self,
        mut rounds: Rounds<'_>,
        stop_by: Option<&DatasetBase<Array2<f64>, Array1<T>>>,
    ) -> Result<FittedBoosting, LearnError> {
        let params = &self.0;
        let stop_by = stop_by.filter(|_| params.early_stopping_rounds > 0);
        let mut watch =
            stop_by.map(|rows| Watch::of(rows, &rounds.targets, rounds.width)).transpose()?;
        let patience = params.early_stopping_rounds;
        let mut trees = Vec::new();
        for round in 0..params.n_estimators {
            let Some(tree) = rounds.next(round)? else { break };
            if let Some(watch) = &mut watch {
                watch.see(&tree, round + 1);
            }
            trees.push(tree);
            if watch.as_ref().is_some_and(|watch| round + 1 >= watch.best_round + patience) {
                break;
            }
        }
        let best_round = watch.map(|watch| watch.best_round);
        trees.truncate(best_round.map_or(usize::MAX, |round| round as usize));
        Ok(FittedBoosting { boosted: Boosted { base: rounds.targets.base, trees }, best_round })
    }
}

/// Boosting, round by round.
struct Rounds<'a> {
    params: &'a GradientBoosting,
    width: usize,
    binned: Binned,
    targets: Targets,
    /// The score of each row after the rounds so far.
    scores: Vec<f64>,
}

impl<'a> Rounds<'a> {
    fn new(
        params: &'a GradientBoosting,
        rows: &[f64],
        width: usize,
        targets: Targets,
    ) -> Rounds<'a> {
        let max_bin = params.max_bin as usize;
        let binned = Binned::new(rows, width, &params.hints.is_categorical, max_bin);
        let scores = vec![targets.base; targets.values.len()];
        Rounds { params, width, binned, targets, scores }
    }

    /// The tree of the next round; `None` when no further round could find one.
    fn next(&mut self, round: u32) -> Result<Option<Tree>, LearnError> {
        let params = self.params;
        let n_rows = self.scores.len();
        self.targets.set_units(&self.scores);
        let mut random = Random::nth(&params.seed, u64::from(round));
        let drawn = draw(n_rows, params.subsample, &mut random);
        let features = draw(self.width, params.colsample_bytree, &mut random);
        let is_drawn = drawn.len() < n_rows || features.len() < self.width;
        let members: Vec<Member> =
            drawn.par_iter().with_min_len(MIN_ROWS).map(|row| self.member(*row)).collect();
        let grown = grow(&self.binned, members, &self.growth(features), &mut random);
        if grown.nodes.len() == 1 && !is_drawn {
            return Ok(None);
        }
        self.add(&grown);
        if grown.members.len() < n_rows {
            for row in self.left_out(&drawn) {
                self.scores[row] += grown.value(&self.binned, row);
            }
        }
        let tree = Tree::new(grown.nodes, self.width).map_err(LearnError::Data)?;
        Ok(Some(tree))
    }

    fn member(&self, row: usize) -> Member {
        let Targets { loss, values, weights, units, .. } = &self.targets;
        let (slope, curvature) = loss.slope(self.scores[row], values[row]);
        let term = units.term(weights[row] * slope, weights[row] * curvature);
        Member { row: row as u32, term }
    }

    fn growth(&self, features: Vec<usize>) -> Growth {
        let params = self.params;
        Growth {
            max_depth: params.max_depth.unwrap_or(u32::MAX),
            max_leaves: Some(params.num_leaves as usize),
            min_samples_split: 2,
            max_features: features.len(),
            features,
            draw_thresholds: false,
            monotone: params.hints.monotone.clone(),
            rule: Rule {
                units: self.targets.units,
                classes: None,
                l1: params.reg_alpha,
                l2: params.reg_lambda,
                min_samples_leaf: params.min_child_samples,
                min_child_weight: params.min_child_weight,
                min_gain: params.min_split_gain,
                categorical: params.categorical,
            },
            shrink: params.learning_rate,
            is_parallel: true,
        }
    }

    /// Adds the values of the leaves to the rows that are in them.
    fn add(&mut self, grown: &Grown) {
        let mut start = 0;
        let mut leaves = grown.leaves.clone();
        leaves.sort_unstable_by_key(|(end, _)| *end);
        for (end, value) in leaves {
            for member in &grown.members[start..end] {
                self.scores[member.row as usize] += value;
            }
            start = end;
        }
    }

    /// The rows that were not drawn, ascending.
    fn left_out(&self, drawn: &[usize]) -> Vec<usize> {
        let mut is_in = vec![false; self.scores.len()];
        drawn.iter().for_each(|row| is_in[*row] = true);
        (0..is_in.len()).filter(|row| !is_in[*row]).collect()
    }
}

/// Fewer rows are not worth a thread.
const MIN_ROWS: usize = 1 << 12;

/// A share of the numbers below `n`, at least one, in ascending order.
fn draw(n: usize, share: f64, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    if share < 1.0 {
        let n_drawn = ((n as f64 * share) as usize).max(1);
        random.draw(&mut all, n_drawn);
        all.truncate(n_drawn);
        all.sort_unstable();
    }
    all
}

#[cfg(test)]
mod tests;
