//! Target encoding: a category becomes the mean of the target among its rows, drawn to the mean of
//! all rows the more the fewer it has. scikit-learn's `TargetEncoder`.
//!
//! The mean of a category contains the target of each of its rows, so a learner must not see a row
//! by a mean that its own target is part of: training rows are encoded by the folds that they are
//! not in (`fit`), all others by all training rows. Everything is counted in integers, so that no
//! order of rows has a say.

use serde::{Deserialize, Serialize};

use super::FeatureKind;
use super::category::{Levels, Place};
use super::params::Smooth;
use crate::ml::cell::Cell;

/// Categories with the means of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetMeans {
    pub(super) levels: Levels,
    /// Of all rows: what an unseen category becomes.
    mean: f64,
    /// Of each place of `levels`.
    means: Vec<f64>,
}

impl TargetMeans {
    /// The means among rows: where each belongs, and whether it is positive.
    pub(super) fn fit(
        levels: Levels,
        rows: impl Iterator<Item = (Place, bool)>,
        smooth: Smooth,
    ) -> TargetMeans {
        let mut counts = vec![[0_u64; 2]; levels.len()];
        let mut all = [0_u64; 2];
        for (place, is_positive) in rows {
            all[usize::from(is_positive)] += 1;
            if let Place::At(place) = place {
                counts[place][usize::from(is_positive)] += 1;
            }
        }
        let (mean, variance) = mean_and_variance(all);
        let means = counts.into_iter().map(|of| drawn(of, mean, variance, smooth)).collect();
        TargetMeans { levels, mean, means }
    }

    /// The same categories with the means among other rows.
    pub(super) fn refit(
        &self,
        rows: impl Iterator<Item = (Place, bool)>,
        smooth: Smooth,
    ) -> TargetMeans {
        TargetMeans::fit(self.levels.clone(), rows, smooth)
    }

    /// What a cell becomes; NaN for a missing one that is not imputed.
    pub(super) fn encode(&self, cell: &Cell, kind: FeatureKind) -> f64 {
        match self.levels.place(cell, kind) {
            Place::At(place) => self.means[place],
            Place::Unseen => self.mean,
            Place::Missing => f64::NAN,
        }
    }

    /// What `encode` relies on, for one that was read from a file.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.levels.check()?;
        let is_sound = |mean: &f64| (0.0..=1.0).contains(mean);
        if self.means.len() != self.levels.len() {
            return Err("another number of means than of categories");
        }
        if is_sound(&self.mean) && self.means.iter().all(is_sound) {
            Ok(())
        } else {
            Err("a mean that is not between 0 and 1")
        }
    }
}

/// Of a number of negative and of positive rows; 0 of none.
fn mean_and_variance([negative, positive]: [u64; 2]) -> (f64, f64) {
    let n = (negative + positive).max(1) as f64;
    let mean = positive as f64 / n;
    (mean, mean * (1.0 - mean))
}

/// The mean of a category, drawn to the mean of all rows: Micci-Barreca (2001), "A preprocessing
/// scheme for high-cardinality categorical attributes", equations 5 and 6 for `Auto`, 7 for `Rows`.
fn drawn(counts: [u64; 2], mean: f64, variance: f64, smooth: Smooth) -> f64 {
    let n = (counts[0] + counts[1]) as f64;
    let (own_mean, own_variance) = mean_and_variance(counts);
    match smooth {
        Smooth::Rows(rows) if n + rows > 0.0 => (counts[1] as f64 + rows * mean) / (n + rows),
        Smooth::Auto if n > 0.0 && variance * n + own_variance > 0.0 => {
            let weight = variance * n / (variance * n + own_variance);
            weight * own_mean + (1.0 - weight) * mean
        }
        _ => mean,
    }
}
