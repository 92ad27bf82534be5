//! How good probabilities are, by scikit-learn's metrics and names.
//!
//! Labels and scores become a `Curve` once: rows grouped by equal score, highest first, with whole
//! counts. All metrics follow from it, so none depends on the order of rows. A metric that has no
//! value (no row of one class, none predicted positive) says why instead of being NaN or 0. How
//! sure a value is stands beside: `delong` for the area under the ROC curve, `bootstrap` for the
//! rest, `mcnemar` for decisions. Knows no model, no table and no segment.

pub mod bootstrap;
pub mod curves;
pub mod delong;
mod holm;
mod interval;
mod mcnemar;
mod normal;
mod profit;
pub mod regression;
mod threshold;
pub mod weighted;

use std::collections::BTreeMap;

pub use holm::holm;
pub use interval::{Bounded, Interval, quantile};
pub use mcnemar::McNemar;
pub use profit::{Budget, Profit};
pub use threshold::{ThresholdError, ThresholdRule};

/// The value of a metric, or why it has none.
pub type Defined = Result<f64, &'static str>;

/// Why a metric has no value.
pub const NO_ROWS: &str = "there are no rows";
/// Why a metric has no value.
pub const ONE_CLASS: &str = "all rows are of one class";
/// Why a metric has no value.
pub const NO_POSITIVES: &str = "no row is positive";
/// Why a metric has no value.
pub const NONE_PREDICTED: &str = "no row is predicted positive";

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The area under the ROC curve: how often a positive row scores above a negative one, ties
    /// counting half.
    RocAuc,
    /// The area under the precision-recall curve, as average precision.
    PrAuc,
    /// The mean negative logarithm of the probability of what happened.
    LogLoss,
    /// The mean squared difference between probability and outcome.
    Brier,
    /// The fraction of rows predicted rightly.
    Accuracy,
    /// The fraction of rows predicted positive that are.
    Precision,
    /// The fraction of positive rows predicted positive.
    Recall,
    /// The harmonic mean of precision and recall.
    F1,
}

impl Metric {
    /// All metrics, in the order of reports.
    pub const ALL: [Metric; 8] = [
        Metric::RocAuc,
        Metric::PrAuc,
        Metric::LogLoss,
        Metric::Brier,
        Metric::Accuracy,
        Metric::Precision,
        Metric::Recall,
        Metric::F1,
    ];

    /// The names of all metrics, in the order of `ALL`.
    pub const NAMES: [&'static str; 8] =
        ["roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "precision", "recall", "f1"];

    /// Its name in parameters and documents.
    pub fn name(self) -> &'static str {
        Metric::NAMES[self as usize]
    }

    /// The metric of a name.
    pub fn of_name(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Whether a higher value is better.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Metric::LogLoss | Metric::Brier)
    }
}

/// The rows by what they are and what they are predicted to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Negative, predicted negative.
    pub tn: u64,
    /// Negative, predicted positive.
    pub fp: u64,
    /// Positive, predicted negative.
    pub fn_: u64,
    /// Positive, predicted positive.
    pub tp: u64,
}

impl Confusion {
    /// The rows by their labels and what was decided about them.
    pub fn of(labels: &[bool], decided: &[bool]) -> Confusion {
        let mut confusion = Confusion::default();
        for (label, decided) in labels.iter().zip(decided) {
            let count = match (label, decided) {
                (false, false) => &mut confusion.tn,
                (false, true) => &mut confusion.fp,
                (true, false) => &mut confusion.fn_,
                (true, true) => &mut confusion.tp,
            };
            *count += 1;
        }
        confusion
    }

    /// How many rows are predicted positive.
    pub fn predicted(&self) -> u64 {
        self.tp + self.fp
    }

    /// The fraction of rows predicted rightly.
    pub fn accuracy(&self) -> Defined {
        fraction(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn_, NO_ROWS)
    }

    /// The fraction of rows predicted positive that are.
    pub fn precision(&self) -> Defined {
        fraction(self.tp, self.tp + self.fp, NONE_PREDICTED)
    }

    /// The fraction of positive rows predicted positive.
    pub fn recall(&self) -> Defined {
        fraction(self.tp, self.tp + self.fn_, NO_POSITIVES)
    }

    /// `2 tp / (2 tp + fp + fn)`: the harmonic mean of precision and recall.
    pub fn f1(&self) -> Defined {
        let why = "no row is positive, or predicted so";
        fraction(2 * self.tp, 2 * self.tp + self.fp + self.fn_, why)
    }
}

fn fraction(part: u64, whole: u64, why_none: &'static str) -> Defined {
    if whole == 0 { Err(why_none) } else { Ok(part as f64 / whole as f64) }
}

/// All metrics of some rows at a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// How many rows.
    pub n: u64,
    /// How many of them are positive.
    pub n_positive: u64,
    /// The rows by what they are and what they are predicted to be.
    pub confusion: Confusion,
    /// Every metric.
    pub values: BTreeMap<Metric, Defined>,
    /// Every metric with rows counted by their weights, where they have some.
    pub weighted: Option<BTreeMap<Metric, Defined>>,
}

/// The rows of one score.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Group {
    score: f64,
    positives: u64,
    negatives: u64,
}

/// Rows grouped by equal score, the highest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    groups: Vec<Group>,
    positives: u64,
    negatives: u64,
}

impl Curve {
    /// The curve of rows with their labels and their scores, probabilities in [0, 1]. What has no
    /// partner in the other slice is left out.
    pub fn new(labels: &[bool], scores: &[f64]) -> Curve {
        let mut rows: Vec<(f64, bool)> =
            scores.iter().copied().zip(labels.iter().copied()).collect();
        rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut groups: Vec<Group> = Vec::new();
        for (score, positive) in rows {
            let (positives, negatives) = (u64::from(positive), u64::from(!positive));
            match groups.last_mut() {
                // -0 and 0 are equal, though sorted apart.
                Some(group) if group.score == score => {
                    group.positives += positives;
                    group.negatives += negatives;
                }
                _ => groups.push(Group { score, positives, negatives }),
            }
        }
        let positives = groups.iter().map(|group| group.positives).sum();
        let negatives = groups.iter().map(|group| group.negatives).sum();
        Curve { groups, positives, negatives }
    }

    /// How many rows.
    pub fn n(&self) -> u64 {
        self.positives + self.negatives
    }

    /// How many positive rows.
    pub fn n_positive(&self) -> u64 {
        self.positives
    }

    /// All metrics, those of decisions at a threshold: a row is predicted positive when its score
    /// is at least that.
    pub fn scores(&self, threshold: f64) -> Scores {
        self.scores_of(self.confusion(threshold))
    }

    /// All metrics, those of decisions from what was decided about the same rows.
    pub fn scores_of(&self, confusion: Confusion) -> Scores {
        let value = |metric| match metric {
            Metric::RocAuc => self.roc_auc(),
            Metric::PrAuc => self.average_precision(),
            Metric::LogLoss => self.log_loss(),
            Metric::Brier => self.brier(),
            Metric::Accuracy => confusion.accuracy(),
            Metric::Precision => confusion.precision(),
            Metric::Recall => confusion.recall(),
            Metric::F1 => confusion.f1(),
        };
        Scores {
            n: self.n(),
            n_positive: self.n_positive(),
            confusion,
            values: Metric::ALL.into_iter().map(|metric| (metric, value(metric))).collect(),
            weighted: None,
        }
    }

    /// The rows by what they are and whether their score is at least the threshold.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        let (mut tp, mut fp) = (0, 0);
        for group in self.groups.iter().take_while(|group| group.score >= threshold) {
            tp += group.positives;
            fp += group.negatives;
        }
        Confusion { tn: self.negatives - fp, fp, fn_: self.positives - tp, tp }
    }

    /// The area under the ROC curve, from midranks: pairs of a positive and a negative row, where
    /// the positive scores higher, and half of those where both score the same.
    pub fn roc_auc(&self) -> Defined {
        if self.positives == 0 || self.negatives == 0 {
            return Err(ONE_CLASS);
        }
        let mut negatives_below = u128::from(self.negatives);
        // Twice the number, so that it stays whole.
        let mut pairs = 0;
        for group in &self.groups {
            negatives_below -= u128::from(group.negatives);
            let ties = u128::from(group.negatives);
            pairs += u128::from(group.positives) * (2 * negatives_below + ties);
        }
        let all = 2 * u128::from(self.positives) * u128::from(self.negatives);
        Ok(pairs as f64 / all as f64)
    }

    /// Average precision: the sum over the scores of recall gained times precision there.
    pub fn average_precision(&self) -> Defined {
        if self.positives == 0 {
            return Err(NO_POSITIVES);
        }
        let (mut tp, mut n_above, mut sum) = (0, 0, 0.0);
        for group in &self.groups {
            tp += group.positives;
            n_above += group.positives + group.negatives;
            let gained = group.positives as f64 / self.positives as f64;
            sum += gained * (tp as f64 / n_above as f64);
        }
        Ok(sum)
    }

    /// The mean negative logarithm of the probability of what happened, clipped to
    /// [eps, 1 - eps] with the machine's eps as scikit-learn does.
    pub fn log_loss(&self) -> Defined {
        self.mean(|score| losses(score)[0])
    }

    /// The mean squared difference between probability and outcome.
    pub fn brier(&self) -> Defined {
        self.mean(|score| losses(score)[1])
    }

    /// The mean of what each row costs by its score: a negative one, and a positive one.
    fn mean(&self, costs: impl Fn(f64) -> [f64; 2]) -> Defined {
        if self.n() == 0 {
            return Err(NO_ROWS);
        }
        let mut sum = 0.0;
        for group in &self.groups {
            let [negative, positive] = costs(group.score);
            sum += group.positives as f64 * positive + group.negatives as f64 * negative;
        }
        Ok(sum / self.n() as f64)
    }
}

/// What a negative and what a positive row of a score cost: by log loss, and by Brier.
fn losses(score: f64) -> [[f64; 2]; 2] {
    const EPS: f64 = f64::EPSILON;
    let loss = |p: f64| -libm::log(p.clamp(EPS, 1.0 - EPS));
    let miss = 1.0 - score;
    [[loss(1.0 - score), loss(score)], [score * score, miss * miss]]
}

#[cfg(test)]
mod comparison_tests;
#[cfg(test)]
mod tests;
