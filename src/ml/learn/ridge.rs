//! Least squares with an L2 penalty: scikit-learn's `Ridge`, in closed form.
//!
//! Minimises `sum_i s_i (y_i - w . x_i - b)^2 + alpha * |w|^2`, s_i being the weight of a row and
//! the intercept b not penalised. With features and targets less their weighted means, w solves
//! `(X' S X + alpha I) w = X' S y` (Hoerl and Kennard 1970), by Cholesky's factorisation.
//!
//! Rows are summed in chunks whose boundaries depend on their number alone, and the chunks' sums
//! are added in order: any number of threads gives the same bits.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::cholesky::{Symmetric, dot};
use super::numbers::{Centred, Numbers};
use super::objective::finite_rows;
use super::sums::sum_in_any_order;
use super::{Checked, LearnError, Limits, Linear, require};

/// The parameters of a ridge regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    /// The strength of the penalty, above 0.
    pub alpha: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
}

impl Limits for Ridge {
    fn limits(&self) -> Result<(), LearnError> {
        require(self.alpha > 0.0 && self.alpha.is_finite(), "alpha", "above 0")
    }
}

impl Fit<Array2<f64>, Array1<f64>, LearnError> for Checked<Ridge> {
    type Object = Linear;

    fn fit(&self, dataset: &Numbers) -> Result<Linear, LearnError> {
        let Ridge { alpha, fit_intercept } = self.0;
        let rows = finite_rows(dataset)?;
        let width = dataset.records.ncols();
        let Centred { mut targets, weights, mut mean } = Centred::of(dataset)?;
        let mut means = vec![0.0; width];
        if fit_intercept {
            let total = sum_in_any_order(weights.iter().copied());
            for (j, mean) in means.iter_mut().enumerate() {
                let column = rows.iter().skip(j).step_by(width);
                *mean = sum_in_any_order(column.zip(&weights).map(|(x, w)| x * w)) / total;
            }
        } else {
            targets.iter_mut().for_each(|y| *y += mean);
            mean = 0.0;
        }
        let (mut normal, right) = Equations { rows: &rows, means: &means }.sum(&targets, &weights);
        for j in 0..width {
            normal.row_mut(j)[j] += alpha;
        }
        let Some(coefficients) = normal.solve(&right) else {
            let why = "features are too large or repeat each other: scale them or raise `alpha`";
            return Err(LearnError::Data(why.to_owned()));
        };
        Ok(Linear { intercept: mean - dot(&coefficients, &means), coefficients })
    }
}

/// The rows that the equations are sums over, and what is taken from each feature.
struct Equations<'a> {
    rows: &'a [f64],
    means: &'a [f64],
}

impl Equations<'_> {
    /// At least this many rows are summed in one piece, and at most `MAX_CHUNKS` pieces are made:
    /// each holds a matrix.
    const MIN_CHUNK_ROWS: usize = 2048;
    const MAX_CHUNKS: usize = 16;

    /// `X' S X` and `X' S y`.
    fn sum(&self, targets: &[f64], weights: &[f64]) -> (Symmetric, Vec<f64>) {
        let n_rows = targets.len();
        let chunk_rows = n_rows.div_ceil(Self::MAX_CHUNKS).max(Self::MIN_CHUNK_ROWS);
        let starts: Vec<usize> = (0..n_rows).step_by(chunk_rows).collect();
        let part = |start: usize| {
            let end = n_rows.min(start + chunk_rows);
            self.sum_rows(start..end, targets, weights)
        };
        let parts: Vec<(Symmetric, Vec<f64>)> = starts.into_par_iter().map(part).collect();
        let width = self.means.len();
        let (mut normal, mut right) = (Symmetric::zeros(width), vec![0.0; width]);
        for (matrix, vector) in &parts {
            normal.add(matrix);
            right.iter_mut().zip(vector).for_each(|(sum, term)| *sum += term);
        }
        (normal, right)
    }

    fn sum_rows(
        &self,
        chunk: std::ops::Range<usize>,
        targets: &[f64],
        weights: &[f64],
    ) -> (Symmetric, Vec<f64>) {
        let width = self.means.len();
        let (mut normal, mut right) = (Symmetric::zeros(width), vec![0.0; width]);
        let mut x = vec![0.0; width];
        for i in chunk {
            let row = &self.rows[i * width..(i + 1) * width];
            for ((x, value), mean) in x.iter_mut().zip(row).zip(self.means) {
                *x = value - mean;
            }
            for (j, x_j) in x.iter().enumerate() {
                let scaled = weights[i] * x_j;
                right[j] += scaled * targets[i];
                for (entry, x_k) in normal.row_mut(j).iter_mut().zip(&x) {
                    *entry += scaled * x_k;
                }
            }
        }
        (normal, right)
    }
}
