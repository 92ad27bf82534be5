//! Curves as data: what a plot of a model needs, and no plot.
//!
//! All follow from a `Curve`, so none depends on the order of rows; scikit-learn's names and
//! definitions. A curve of many rows is thinned: of more than `MAX_POINTS` points those at equal
//! steps of their place are kept, the first and the last among them. Areas and errors are those of
//! all points. Knows no model, no segment and no document.

use serde::Serialize;

use super::interval::between;
use super::{Confusion, Curve, Group};

/// The most points of a curve.
pub const MAX_POINTS: usize = 200;

/// How many groups of about equal size calibration is looked at in.
pub const BINS: usize = 10;

/// The true and the false positive rate from each threshold on, the highest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Roc {
    /// The fraction of negative rows that are predicted positive.
    pub fpr: Vec<f64>,
    /// The fraction of positive rows that are predicted positive.
    pub tpr: Vec<f64>,
    /// From which score on; `None` at the first point, where no row is predicted positive.
    pub threshold: Vec<Option<f64>>,
}

/// Precision and recall from each threshold on, the highest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PrecisionRecall {
    /// The fraction of rows predicted positive that are; 1 at the first point.
    pub precision: Vec<f64>,
    /// The fraction of positive rows that are predicted positive.
    pub recall: Vec<f64>,
    /// From which score on; `None` at the first point, where no row is predicted positive.
    pub threshold: Vec<Option<f64>>,
}

/// Whether probabilities can be read as rates: rows in at most `BINS` groups between quantiles of
/// the score.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// How many rows.
    pub n: Vec<u64>,
    /// Their mean score.
    pub mean_score: Vec<f64>,
    /// The fraction of them that is positive.
    pub observed: Vec<f64>,
    /// The mean distance between both, each row counting alike (Naeini et al. 2015, with bins of
    /// equal size).
    pub expected_calibration_error: f64,
}

/// What is reached by contacting the rows with the highest scores first. Of rows of equal score
/// the mean is taken over all orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gains {
    /// The fraction of rows that are contacted.
    pub fraction: Vec<f64>,
    /// How many rows that is, rounded up.
    pub contacted: Vec<u64>,
    /// The fraction of positive rows among them of all positive rows.
    pub gain: Vec<f64>,
    /// How many times more positive rows than among as many rows drawn by chance.
    pub lift: Vec<f64>,
}

impl Curve {
    /// The ROC curve, without points that lie on a line between their neighbours and as many rows
    /// apart (`drop_intermediate`; the highest score is kept). `None` unless there are rows of both
    /// classes.
    pub fn roc(&self) -> Option<Roc> {
        if self.positives == 0 || self.negatives == 0 {
            return None;
        }
        let steps: Vec<(Confusion, Option<f64>)> = self.steps().collect();
        let step =
            |i: usize| (steps[i].0.tp - steps[i - 1].0.tp, steps[i].0.fp - steps[i - 1].0.fp);
        let is_corner = |i: &usize| *i <= 1 || *i + 1 == steps.len() || step(*i) != step(*i + 1);
        let corners: Vec<usize> = (0..steps.len()).filter(is_corner).collect();
        let mut roc = Roc::default();
        for i in kept(corners.len(), MAX_POINTS).map(|i| corners[i]) {
            let (confusion, threshold) = steps[i];
            roc.fpr.push(confusion.fp as f64 / self.negatives as f64);
            roc.tpr.push(confusion.tp as f64 / self.positives as f64);
            roc.threshold.push(threshold);
        }
        Some(roc)
    }

    /// The precision-recall curve; `None` unless there are positive rows.
    pub fn precision_recall(&self) -> Option<PrecisionRecall> {
        if self.positives == 0 {
            return None;
        }
        let steps: Vec<(Confusion, Option<f64>)> = self.steps().collect();
        let mut curve = PrecisionRecall::default();
        for i in kept(steps.len(), MAX_POINTS) {
            let (confusion, threshold) = steps[i];
            curve.precision.push(confusion.precision().unwrap_or(1.0));
            curve.recall.push(confusion.tp as f64 / self.positives as f64);
            curve.threshold.push(threshold);
        }
        Some(curve)
    }

    /// Calibration by quantiles of the score, as `calibration_curve(strategy="quantile")` makes
    /// them; groups without rows are left out. `None` without rows.
    pub fn calibration(&self) -> Option<Calibration> {
        let last = self.n().checked_sub(1)?;
        // The scores at places counted from the lowest, and the linear way between two of them.
        let edge = |bin: u64| {
            let place = u128::from(bin) * u128::from(last);
            let (below, rest) = (place / BINS as u128, place % BINS as u128);
            let (a, b) = (self.nth_lowest(below as u64), self.nth_lowest(below as u64 + 1));
            between(a, b, rest as f64 / BINS as f64)
        };
        let edges: Vec<f64> = (1..BINS as u64).map(edge).collect();
        let mut sums = [(0_u64, 0_u64, 0.0); BINS];
        for group in self.groups.iter().rev() {
            let (n, positives, scores) =
                &mut sums[edges.partition_point(|edge| *edge < group.score)];
            let rows = group.positives + group.negatives;
            *n += rows;
            *positives += group.positives;
            *scores += group.score * rows as f64;
        }
        let mut calibration = Calibration::default();
        for (n, positives, scores) in sums.into_iter().filter(|(n, ..)| *n > 0) {
            let (mean, observed) = (scores / n as f64, positives as f64 / n as f64);
            calibration.n.push(n);
            calibration.mean_score.push(mean);
            calibration.observed.push(observed);
            calibration.expected_calibration_error +=
                n as f64 / self.n() as f64 * (mean - observed).abs();
        }
        Some(calibration)
    }

    /// Gains and lift for every whole percent of the rows; `None` unless there are positive rows.
    pub fn gains(&self) -> Option<Gains> {
        const STEPS: u64 = 100;
        if self.positives == 0 {
            return None;
        }
        let mut gains = Gains::default();
        let mut groups = self.groups.iter().peekable();
        let (mut above, mut found) = (0, 0);
        for step in 1..=STEPS {
            let contacted = (u128::from(self.n()) * u128::from(step)).div_ceil(STEPS.into()) as u64;
            let rows = |group: &Group| group.positives + group.negatives;
            while let Some(group) = groups.next_if(|group| above + rows(group) <= contacted) {
                above += rows(group);
                found += group.positives;
            }
            let within = groups.peek().map_or(0.0, |group| {
                group.positives as f64 * ((contacted - above) as f64 / rows(group) as f64)
            });
            let gain = (found as f64 + within) / self.positives as f64;
            gains.fraction.push(step as f64 / STEPS as f64);
            gains.contacted.push(contacted);
            gains.gain.push(gain);
            gains.lift.push(gain / (contacted as f64 / self.n() as f64));
        }
        Some(gains)
    }

    /// What no threshold and then each score decides, the highest first.
    pub(super) fn steps(&self) -> impl Iterator<Item = (Confusion, Option<f64>)> + '_ {
        let mut confusion = Confusion { tn: self.negatives, fp: 0, fn_: self.positives, tp: 0 };
        let first = (confusion, None);
        let step = move |group: &Group| {
            confusion.tp += group.positives;
            confusion.fn_ -= group.positives;
            confusion.fp += group.negatives;
            confusion.tn -= group.negatives;
            (confusion, Some(group.score))
        };
        std::iter::once(first).chain(self.groups.iter().map(step))
    }

    /// The score that has so many below it in sorted order; the highest for more.
    fn nth_lowest(&self, place: u64) -> f64 {
        let mut below = 0;
        for group in self.groups.iter().rev() {
            below += group.positives + group.negatives;
            if place < below {
                return group.score;
            }
        }
        self.groups.first().map_or(0.0, |group| group.score)
    }
}

/// The places that are kept of `n`: all, or `most` of them at equal steps, both ends among them.
fn kept(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = n.min(most);
    (0..count).map(move |i| if n <= most { i } else { i * (n - 1) / (most - 1) })
}

#[cfg(test)]
mod tests;
