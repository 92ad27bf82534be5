//! How sure an area under a ROC curve is, and whether two models on the same rows differ in it.
//!
//! DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
//! operating characteristic curves: a nonparametric approach". A row's *placement* is the fraction
//! of the other class that it stands on the right side of, ties counting half; the area is the mean
//! placement, and its variance follows from the spread of the placements of both classes. All
//! placements come from one sort, as in Sun & Xu 2014, "Fast implementation of DeLong's algorithm
//! for comparing the areas under correlated receiver operating characteristic curves". Placements
//! are kept doubled and whole, and their sums and squares are integers: nothing is lost by
//! cancellation, and the order of rows changes no bit. Knows neither thresholds nor segments.

use super::interval::{Bounded, Interval};
use super::{Defined, ONE_CLASS, normal};

/// Why there is no interval or test.
pub const FEW: &str = "there are fewer than two rows of a class";
/// Why there is no interval or test.
pub const NO_SPREAD: &str = "every row is placed alike, so that the rows tell no variance";

/// The placement of each row, doubled, each class in the order of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Placements {
    /// Per positive row twice the number of negative ones below it, ties counting half.
    positives: Vec<u32>,
    /// Per negative row twice the number of positive ones above it, ties counting half.
    negatives: Vec<u32>,
}

/// One model against another on the same rows, by the area under the ROC curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The area of the other one less that of the one.
    pub difference: f64,
    /// Where the difference lies, plain: symmetric, and within [-1, 1].
    pub interval: Interval,
    /// The difference in standard errors.
    pub z: f64,
    /// How often chance alone gives such a difference, in [0, 1].
    pub p: f64,
}

impl Placements {
    /// The placements of rows with their labels and scores; at most 2^31 rows. What has no partner
    /// in the other slice is left out.
    pub fn new(labels: &[bool], scores: &[f64]) -> Placements {
        let n = labels.len().min(scores.len());
        let mut rows: Vec<u32> = (0..n as u32).collect();
        rows.sort_unstable_by(|a, b| scores[*a as usize].total_cmp(&scores[*b as usize]));
        let n_positive = labels[..n].iter().filter(|label| **label).count() as u32;
        let mut of_rows = vec![0; n];
        let (mut positives_below, mut negatives_below) = (0, 0);
        // -0 and 0 are equal, though sorted apart.
        let is_tie = |a: &u32, b: &u32| scores[*a as usize] == scores[*b as usize];
        for ties in rows.chunk_by(is_tie) {
            let positives = ties.iter().filter(|row| labels[**row as usize]).count() as u32;
            let negatives = ties.len() as u32 - positives;
            for row in ties.iter().map(|row| *row as usize) {
                of_rows[row] = if labels[row] {
                    2 * negatives_below + negatives
                } else {
                    2 * (n_positive - positives_below) - positives
                };
            }
            positives_below += positives;
            negatives_below += negatives;
        }
        let of = |class: bool| {
            let rows = of_rows.iter().zip(labels).filter(|(_, label)| **label == class);
            rows.map(|(placement, _)| *placement).collect()
        };
        Placements { positives: of(true), negatives: of(false) }
    }

    /// The area under the ROC curve: the same bits as `Curve::roc_auc`.
    pub fn auc(&self) -> Defined {
        let pairs = self.positives.len() as u128 * self.negatives.len() as u128;
        if pairs == 0 {
            return Err(ONE_CLASS);
        }
        let won: u128 = self.positives.iter().map(|placement| u128::from(*placement)).sum();
        Ok(won as f64 / (2 * pairs) as f64)
    }

    /// DeLong's estimate of the variance of the area.
    ///
    /// # Errors
    /// When there are fewer than two rows of a class.
    pub fn variance(&self) -> Defined {
        let [positives, negatives] = [&self.positives, &self.negatives]
            .map(|class| spread(class.iter().map(|placement| i128::from(*placement))));
        self.combine(positives, negatives)
    }

    /// Where the area lies with the probability `level`, in [0, 1): symmetric around its log-odds
    /// (Pepe 2003, "The Statistical Evaluation of Medical Tests for Classification and Prediction",
    /// 5.2.3), so that it never leaves [0, 1] and keeps its level near 1, where plain intervals are
    /// too narrow on one side.
    ///
    /// # Errors
    /// When there are fewer than two rows of a class, or the variance is 0: the classes are
    /// separated completely, or all scores are equal.
    pub fn interval(&self, level: f64) -> Bounded {
        let (auc, variance) = (self.auc()?, self.variance()?);
        if variance <= 0.0 || auc <= 0.0 || auc >= 1.0 {
            return Err(NO_SPREAD);
        }
        let log_odds = libm::log(auc / (1.0 - auc));
        let reach = normal::critical(level) * variance.sqrt() / (auc * (1.0 - auc));
        let [low, high] = [log_odds - reach, log_odds + reach].map(|x| 1.0 / (1.0 + libm::exp(-x)));
        Ok(Interval { low, high })
    }

    /// Compares with another model on the same rows.
    ///
    /// # Errors
    /// When there are fewer than two rows of a class; when the models differ by the same in every
    /// row, so that there is nothing to measure the difference by.
    pub fn against(&self, other: &Placements, level: f64) -> Result<Paired, &'static str> {
        let difference = other.auc()? - self.auc()?;
        let classes = [(&self.positives, &other.positives), (&self.negatives, &other.negatives)];
        let [positives, negatives] = classes.map(|(own, theirs)| {
            spread(own.iter().zip(theirs).map(|(a, b)| i128::from(*b) - i128::from(*a)))
        });
        let variance = self.combine(positives, negatives)?;
        if variance <= 0.0 && difference != 0.0 {
            return Err(NO_SPREAD);
        }
        let error = variance.sqrt();
        let reach = normal::critical(level) * error;
        let z = if difference == 0.0 { 0.0 } else { difference / error };
        let interval = Interval { low: difference - reach, high: difference + reach };
        let interval = interval.within(-1.0, 1.0);
        Ok(Paired { difference, interval, z, p: normal::two_sided(z) })
    }

    /// The variance of the mean placement, from the spread of either class's doubled placements.
    fn combine(&self, positives: Option<f64>, negatives: Option<f64>) -> Defined {
        let (m, n) = (self.positives.len() as f64, self.negatives.len() as f64);
        let positives = positives.ok_or(FEW)? / (4.0 * n * n) / m;
        let negatives = negatives.ok_or(FEW)? / (4.0 * m * m) / n;
        Ok(positives + negatives)
    }
}

/// The sample variance of whole numbers below 2^32 in size, with one rounding; `None` for fewer
/// than two.
fn spread(values: impl Iterator<Item = i128>) -> Option<f64> {
    let (mut n, mut sum, mut squares) = (0_i128, 0_i128, 0_i128);
    for value in values {
        n += 1;
        sum += value;
        squares += value * value;
    }
    // At most 2^31 rows: n times the squares stays below 2^126.
    (n >= 2).then(|| (n * squares - sum * sum) as f64 / (n * (n - 1)) as f64)
}
