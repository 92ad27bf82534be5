//! Solving `A x = b` for a symmetric positive definite A, by Cholesky's factorisation.
//!
//! Plain loops in one fixed order: a matrix library would pick its kernels by CPU, and the last
//! bits with them. Knows nothing of what the equations are for.

/// A symmetric matrix: its lower triangle, row after row.
#[derive(Clone, Debug)]
pub(super) struct Symmetric {
    size: usize,
    lower: Vec<f64>,
}

impl Symmetric {
    /// All zeros.
    pub(super) fn zeros(size: usize) -> Symmetric {
        Symmetric { size, lower: vec![0.0; size * (size + 1) / 2] }
    }

    /// The entries (i, 0) to (i, i).
    pub(super) fn row(&self, i: usize) -> &[f64] {
        let start = i * (i + 1) / 2;
        &self.lower[start..=start + i]
    }

    /// The entries (i, 0) to (i, i).
    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        let start = i * (i + 1) / 2;
        &mut self.lower[start..=start + i]
    }

    /// The entry of row i and column j.
    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        self.row(i.max(j))[i.min(j)]
    }

    /// Adds `factor` times the column j to a vector.
    pub(super) fn add_column(&self, j: usize, factor: f64, sum: &mut [f64]) {
        for (i, sum) in sum.iter_mut().enumerate() {
            *sum += factor * self.at(i, j);
        }
    }

    /// Adds another matrix of the same size.
    pub(super) fn add(&mut self, other: &Symmetric) {
        for (a, b) in self.lower.iter_mut().zip(&other.lower) {
            *a += b;
        }
    }

    /// The solution of `A x = b`; `None` when A is not positive definite up to rounding.
    pub(super) fn solve(mut self, b: &[f64]) -> Option<Vec<f64>> {
        self.factorise()?;
        let mut x = b.to_vec();
        for i in 0..self.size {
            let row = self.row(i);
            let sum = x[i] - dot(&row[..i], &x[..i]);
            x[i] = sum / row[i];
        }
        for i in (0..self.size).rev() {
            let row = self.row(i);
            x[i] /= row[i];
            let solved = x[i];
            for (x, l) in x[..i].iter_mut().zip(row) {
                *x -= l * solved;
            }
        }
        x.iter().all(|x| x.is_finite()).then_some(x)
    }

    /// Replaces A by the L of `A = L L'`.
    fn factorise(&mut self) -> Option<()> {
        for i in 0..self.size {
            for j in 0..=i {
                let (row_i, row_j) = (self.row(i), self.row(j));
                let rest = row_i[j] - dot(&row_i[..j], &row_j[..j]);
                if i == j {
                    if !(rest > 0.0 && rest.is_finite()) {
                        return None;
                    }
                    self.row_mut(i)[i] = rest.sqrt();
                } else {
                    let quotient = rest / row_j[j];
                    self.row_mut(i)[j] = quotient;
                }
            }
        }
        Some(())
    }
}

/// The sum of products, from the first to the last.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(rows: &[&[f64]]) -> Symmetric {
        let mut matrix = Symmetric::zeros(rows.len());
        for (i, row) in rows.iter().enumerate() {
            matrix.row_mut(i).copy_from_slice(row);
        }
        matrix
    }

    #[test]
    fn a_known_system_is_solved() {
        let a = symmetric(&[&[4.0], &[2.0, 5.0], &[2.0, 1.0, 6.0]]);
        let x = a.solve(&[14.0, 15.0, 22.0]).unwrap();
        for (x, expected) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_solution() {
        assert_eq!(symmetric(&[&[1.0], &[2.0, 1.0]]).solve(&[1.0, 1.0]), None);
        assert_eq!(symmetric(&[&[f64::NAN]]).solve(&[1.0]), None);
        assert_eq!(symmetric(&[&[0.0]]).solve(&[1.0]), None);
    }
}
