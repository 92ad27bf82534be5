//! How sure metrics are that no formula tells: the rows are drawn anew many times, with
//! replacement, and the spread of the values is that of the metric (Efron & Tibshirani 1993, "An
//! Introduction to the Bootstrap", 13.3: percentile intervals).
//!
//! Drawn within each class, so that a resample has as many positive rows as the sample: a metric is
//! then never undefined for want of them, and how many positives there happened to be is taken as
//! given. All models are evaluated on the same resamples, so that differences are paired; what one
//! of them gets does not depend on the others. A resample is a weight per row: rows are sorted by
//! score once per model and never again. Each resample has a stream of its own, and its place in
//! the result: threads have no say. Knows no segment and no document.

use rayon::prelude::*;

use super::interval::{Bounded, Interval, quantile};
use super::{Confusion, Defined, Metric, losses};
use crate::ml::random::Random;

/// Fewer rows of a class than this give no interval: the same few rows are drawn again and again.
pub const MIN_PER_CLASS: usize = 5;

/// Why there is no interval.
pub const FEW: &str = "there are fewer than 5 rows of a class";
/// Why there is no interval.
pub const OFTEN_UNDEFINED: &str = "more than one resample in twenty gives no value";
/// Why there is no interval.
pub const NO_SPREAD: &str = "all resamples give the same value";

/// A model on some rows: its score of each, and whether it is predicted positive.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Probabilities in [0, 1].
    pub scores: &'a [f64],
    /// Decisions, as many as scores.
    pub decided: &'a [bool],
}

/// The metrics of several models in every resample.
#[derive(Clone, Debug)]
pub struct Replicates {
    /// Per resample, and in it per model; NaN where a metric has no value.
    values: Vec<Vec<[f64; Metric::ALL.len()]>>,
}

/// Draws rows anew `resamples` times and evaluates all models on each draw.
///
/// # Errors
/// When there are fewer than `MIN_PER_CLASS` rows of a class.
pub fn replicate(
    labels: &[bool],
    models: &[Scored<'_>],
    resamples: usize,
    seed: &[u8; 32],
) -> Result<Replicates, &'static str> {
    let of = |class: bool| -> Vec<u32> {
        let rows = labels.iter().enumerate().filter(|(_, label)| **label == class);
        rows.map(|(row, _)| row as u32).collect()
    };
    let classes = [of(false), of(true)];
    if classes.iter().any(|rows| rows.len() < MIN_PER_CLASS) {
        return Err(FEW);
    }
    let [n_negative, n_positive] = classes.each_ref().map(|rows| rows.len() as u64);
    let ranked: Vec<Ranked> = models.iter().map(|model| Ranked::new(labels, *model)).collect();
    let draw = |weights: &mut Vec<u32>, index: usize| {
        let mut random = Random::nth(seed, index as u64);
        weights.clear();
        weights.resize(labels.len(), 0);
        for rows in &classes {
            random.repeat_below(rows.len() as u32, rows.len(), |i| weights[rows[i] as usize] += 1);
        }
        ranked.iter().map(|model| model.values(weights, n_negative, n_positive)).collect()
    };
    let values = (0..resamples).into_par_iter().map_init(Vec::new, draw).collect();
    Ok(Replicates { values })
}

impl Replicates {
    /// Where a metric of a model lies with the probability `level`, in [0, 1).
    ///
    /// # Errors
    /// When too many resamples give no value, or all the same.
    pub fn interval(&self, model: usize, metric: Metric, level: f64) -> Bounded {
        self.percentiles(level, |models| models[model][metric as usize])
    }

    /// Where a metric of model `b` less that of model `a` on the same rows lies.
    ///
    /// # Errors
    /// When too many resamples give no value, or all the same.
    pub fn difference(&self, a: usize, b: usize, metric: Metric, level: f64) -> Bounded {
        self.percentiles(level, |models| models[b][metric as usize] - models[a][metric as usize])
    }

    fn percentiles(&self, level: f64, of: impl Fn(&[[f64; Metric::ALL.len()]]) -> f64) -> Bounded {
        percentiles(self.values.iter().map(|models| of(models)), level)
    }
}

/// Between which percentiles of resampled values `level` of them lie; NaN is a resample without a
/// value.
///
/// # Errors
/// When too many resamples give no value, or all the same.
pub(super) fn percentiles(drawn: impl ExactSizeIterator<Item = f64>, level: f64) -> Bounded {
    let n_drawn = drawn.len();
    let mut values: Vec<f64> = drawn.filter(|value| !value.is_nan()).collect();
    if values.len() * 20 < n_drawn * 19 || values.is_empty() {
        return Err(OFTEN_UNDEFINED);
    }
    values.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - level) / 2.0;
    let [low, high] = [outside, 1.0 - outside].map(|fraction| quantile(&values, fraction));
    if low < high { Ok(Interval { low, high }) } else { Err(NO_SPREAD) }
}

/// The rows of one model in the order of its scores.
struct Ranked {
    /// The highest score first; of one score the positive rows first.
    rows: Vec<u32>,
    groups: Vec<Group>,
    /// The rows predicted positive: the negative ones, then the positive ones.
    decided: [Vec<u32>; 2],
}

/// The rows of one score, as places in `Ranked::rows`, and what each of them adds to a loss.
struct Group {
    positives_end: usize,
    end: usize,
    log_loss: [f64; 2],
    brier: [f64; 2],
}

impl Ranked {
    fn new(labels: &[bool], model: Scored<'_>) -> Ranked {
        let score = |row: u32| model.scores[row as usize];
        let is_positive = |row: &u32| labels[*row as usize];
        let mut rows: Vec<u32> = (0..labels.len() as u32).collect();
        // Adding 0 makes -0 and 0 the same bits, so that ties stay together.
        rows.sort_unstable_by(|a, b| {
            let by_score = (score(*b) + 0.0).total_cmp(&(score(*a) + 0.0));
            by_score.then(is_positive(b).cmp(&is_positive(a))).then(a.cmp(b))
        });
        let mut groups: Vec<Group> = Vec::new();
        let mut end = 0;
        for ties in rows.chunk_by(|a, b| score(*a) == score(*b)) {
            let positives_end = end + ties.iter().filter(|row| is_positive(row)).count();
            end += ties.len();
            let [log_loss, brier] = losses(score(ties[0]));
            groups.push(Group { positives_end, end, log_loss, brier });
        }
        let decided = [false, true].map(|class| {
            let is = |row: &u32| model.decided[*row as usize] && is_positive(row) == class;
            (0..labels.len() as u32).filter(is).collect()
        });
        Ranked { rows, groups, decided }
    }

    /// Every metric with each row counted as often as its weight says; `n_negative` and
    /// `n_positive` are the sums of the weights. The same bits as `Curve` gives for rows that are
    /// there so often.
    fn values(
        &self,
        weights: &[u32],
        n_negative: u64,
        n_positive: u64,
    ) -> [f64; Metric::ALL.len()] {
        let weigh = |rows: &[u32]| -> u64 {
            rows.iter().map(|row| u64::from(weights[*row as usize])).sum()
        };
        let (mut start, mut tp, mut above) = (0, 0, 0);
        // Twice the pairs of a positive and a negative row in which the positive one is above.
        let mut won = 0;
        let (mut precision, mut log_loss, mut brier) = (0.0, 0.0, 0.0);
        for group in &self.groups {
            let positives = weigh(&self.rows[start..group.positives_end]);
            let negatives = weigh(&self.rows[group.positives_end..group.end]);
            start = group.end;
            won += u128::from(negatives) * u128::from(2 * tp + positives);
            tp += positives;
            above += positives + negatives;
            if positives > 0 {
                precision += positives as f64 / n_positive as f64 * (tp as f64 / above as f64);
            }
            let add = |[negative, positive]: [f64; 2]| {
                positives as f64 * positive + negatives as f64 * negative
            };
            log_loss += add(group.log_loss);
            brier += add(group.brier);
        }
        let all = 2 * u128::from(n_positive) * u128::from(n_negative);
        let n = (n_positive + n_negative) as f64;
        let [fp, tp] = self.decided.each_ref().map(|rows| weigh(rows));
        let confusion = Confusion { tn: n_negative - fp, fp, fn_: n_positive - tp, tp };
        let or_nan = |value: Defined| value.unwrap_or(f64::NAN);
        Metric::ALL.map(|metric| match metric {
            Metric::RocAuc => won as f64 / all as f64,
            Metric::PrAuc => precision,
            Metric::LogLoss => log_loss / n,
            Metric::Brier => brier / n,
            Metric::Accuracy => or_nan(confusion.accuracy()),
            Metric::Precision => or_nan(confusion.precision()),
            Metric::Recall => or_nan(confusion.recall()),
            Metric::F1 => or_nan(confusion.f1()),
        })
    }
}

#[cfg(test)]
mod tests;
