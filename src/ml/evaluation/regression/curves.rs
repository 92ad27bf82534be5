//! What plots of a regression need: predicted against actual, and how errors are spread.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::{Evaluated, Rows};
use crate::ml::evaluation::Side;
use crate::ml::metrics::quantile;
use crate::ml::metrics::regression::Residuals;

/// The format of the curves of regressions.
pub const FORMAT: &str = "pipeline.regression_curves/1";

/// The most groups of rows that predictions are compared with targets in.
const MAX_GROUPS: usize = 20;
/// How many equal steps of their rank residuals are told at, less one.
const STEPS: usize = 20;

/// What plots of a regression on one side need.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// How many rows.
    pub n: usize,
    /// Rows in groups of about equal size by what is predicted, the lowest first.
    pub predicted_against_actual: Vec<Group>,
    /// Actual less predicted at equal steps of rank, from the least to the greatest.
    pub residual_quantiles: Vec<f64>,
}

/// Some rows whose predictions are next to each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// How many rows.
    pub n: usize,
    /// The mean of what is predicted.
    pub predicted: f64,
    /// The mean of what came true.
    pub actual: f64,
    /// The standard deviation of actual less predicted.
    pub residual_std: f64,
}

/// The curves of an evaluation of regressions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// `FORMAT`.
    pub format: &'static str,
    /// The column that is predicted.
    pub target: String,
    /// The name of the variant that was chosen.
    pub champion: String,
    /// By variant, then by side.
    pub variants: BTreeMap<String, BTreeMap<&'static str, Curves>>,
}

/// The curves of a regression on both sides.
pub fn curves(sides: &[Rows; 2], evaluated: &Evaluated) -> BTreeMap<&'static str, Curves> {
    let of = |side: &Side| {
        let (targets, predicted) =
            (sides[*side as usize].targets(), &evaluated.predicted[*side as usize]);
        (side.name(), Curves::of(targets, predicted))
    };
    Side::ALL.par_iter().map(of).collect()
}

impl Curves {
    fn of(targets: &[f64], predicted: &[f64]) -> Curves {
        let n = targets.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| predicted[*a].total_cmp(&predicted[*b]));
        let n_groups = MAX_GROUPS.min(n);
        let group = |i: usize| {
            let rows = &order[i * n / n_groups..(i + 1) * n / n_groups];
            let mean = |of: &dyn Fn(usize) -> f64| {
                let mut sum = 0.0;
                rows.iter().for_each(|row| sum += of(*row));
                sum / rows.len() as f64
            };
            let error = |row: usize| targets[row] - predicted[row];
            let middle = mean(&error);
            Group {
                n: rows.len(),
                predicted: mean(&|row| predicted[row]),
                actual: mean(&|row| targets[row]),
                residual_std: mean(&|row| (error(row) - middle) * (error(row) - middle)).sqrt(),
            }
        };
        let mut errors = Residuals::new(targets, predicted).errors().to_vec();
        errors.sort_unstable_by(f64::total_cmp);
        let at = |step: usize| quantile(&errors, step as f64 / STEPS as f64);
        Curves {
            n,
            predicted_against_actual: (0..n_groups).map(group).collect(),
            residual_quantiles: if n == 0 { Vec::new() } else { (0..=STEPS).map(at).collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_all_rows_in_the_order_of_what_is_predicted() {
        let targets: Vec<f64> = (0..45).map(f64::from).collect();
        let predicted: Vec<f64> = targets.iter().map(|y| y + 1.0).collect();
        let curves = Curves::of(&targets, &predicted);
        let groups = &curves.predicted_against_actual;
        assert_eq!((groups.len(), groups.iter().map(|group| group.n).sum::<usize>()), (20, 45));
        assert!(groups.is_sorted_by(|a, b| a.predicted < b.predicted));
        assert!(groups.iter().all(|group| group.predicted == group.actual + 1.0));
        assert!(groups.iter().all(|group| group.residual_std == 0.0));
        assert_eq!(curves.residual_quantiles, [-1.0; STEPS + 1]);
        assert!(Curves::of(&[], &[]).predicted_against_actual.is_empty());
    }
}
