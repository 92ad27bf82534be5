//! Isotonic calibration: the rising steps that are closest to what happened.
//!
//! Pool adjacent violators (Ayer et al. 1955): rows of one probability are one pool, and as long as
//! a pool has a larger share of positives than the next, the two become one. Shares are compared as
//! fractions of whole numbers, so that no rounding decides which pools are joined. Between two
//! steps it is interpolated; beyond the outermost, the outermost holds.

use serde::{Deserialize, Serialize};

/// Known points, joined by lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isotonic {
    /// What the model says, ascending.
    pub x: Vec<f64>,
    /// The share of positive rows, never descending.
    pub y: Vec<f64>,
}

/// Rows that get one share.
#[derive(Clone, Copy, Debug)]
struct Pool {
    positives: u64,
    rows: u64,
    /// How many different probabilities they have.
    points: usize,
}

impl Pool {
    fn share(self) -> f64 {
        self.positives as f64 / self.rows as f64
    }

    fn is_above(self, other: Pool) -> bool {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        product(self.positives, other.rows) > product(other.positives, self.rows)
    }
}

impl Isotonic {
    /// Fits it to probabilities and whether each row was positive; there is at least one.
    pub(super) fn fit(probabilities: &[f64], labels: &[bool]) -> Isotonic {
        let mut rows: Vec<(f64, bool)> =
            probabilities.iter().copied().zip(labels.iter().copied()).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut x, mut pools) = (Vec::new(), Vec::<Pool>::new());
        for equal in rows.chunk_by(|a, b| a.0 == b.0) {
            x.push(equal[0].0);
            let positives = equal.iter().filter(|(_, label)| *label).count() as u64;
            pools.push(Pool { positives, rows: equal.len() as u64, points: 1 });
            while let [.., before, last] = pools[..]
                && before.is_above(last)
            {
                pools.pop();
                if let Some(before) = pools.last_mut() {
                    before.positives += last.positives;
                    before.rows += last.rows;
                    before.points += last.points;
                }
            }
        }
        let of_pool = |pool: &Pool| std::iter::repeat_n(pool.share(), pool.points);
        let y: Vec<f64> = pools.iter().flat_map(of_pool).collect();
        Isotonic::without_inner(&x, &y)
    }

    /// The same lines without the points within a step.
    fn without_inner(x: &[f64], y: &[f64]) -> Isotonic {
        let n = x.len();
        let is_kept = |i: &usize| {
            let i = *i;
            i == 0 || i + 1 == n || y[i] != y[i - 1] || y[i] != y[i + 1]
        };
        let kept: Vec<usize> = (0..n).filter(is_kept).collect();
        let of = |list: &[f64]| kept.iter().map(|i| list[*i]).collect();
        Isotonic { x: of(x), y: of(y) }
    }

    /// The calibrated probability.
    pub(super) fn apply(&self, probability: f64) -> f64 {
        let (x, y) = (&self.x, &self.y);
        let above = x.partition_point(|x| *x <= probability);
        match above {
            0 => y[0],
            _ if above == x.len() => y[above - 1],
            _ => {
                // Divided first: two points may be too close for a slope.
                let part = (probability - x[above - 1]) / (x[above] - x[above - 1]);
                let between = y[above - 1] + (y[above] - y[above - 1]) * part;
                // Rounding must not leave the step.
                between.clamp(y[above - 1], y[above])
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_share = |list: &[f64]| list.iter().all(|p| (0.0..=1.0).contains(p));
        if self.x.is_empty() || self.x.len() != self.y.len() {
            return Err("a calibration without points, or whose lists differ in length");
        }
        if !is_share(&self.x) || !is_share(&self.y) {
            return Err("a calibration with a point that is not between 0 and 1");
        }
        if self.x.is_sorted_by(|a, b| a < b) && self.y.is_sorted() {
            Ok(())
        } else {
            Err("a calibration that does not rise")
        }
    }
}
