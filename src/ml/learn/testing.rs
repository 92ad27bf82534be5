//! Rows for the tests of the learners, from the formula of `tests/golden/logistic.py`.

use ndarray::{Array1, Array2};

use super::Dataset;

/// A number in [0, 1) from two integers.
pub(super) fn unit(i: u64, j: u64) -> f64 {
    let mixed = (i * 31 + j + 1).wrapping_mul(2_654_435_761) % (1 << 32);
    let mixed = ((mixed ^ (mixed >> 15)) * 2_246_822_519) % (1 << 32);
    ((mixed ^ (mixed >> 13)) % 10_000) as f64 / 10_000.0
}

/// Rows whose class depends on the first three features; the fourth is 1 minus the third.
pub(super) fn dataset(n_rows: usize, width: usize) -> Dataset {
    let mut x =
        Array2::from_shape_fn((n_rows, width), |(i, j)| unit(i as u64, j as u64) * 4.0 - 2.0);
    let mut targets = Vec::new();
    for (i, mut row) in x.rows_mut().into_iter().enumerate() {
        row[2] = f64::from(u8::from(row[2] > 0.5));
        row[3] = 1.0 - row[2];
        let score = 1.3 * row[0] - 0.7 * row[1] + 0.9 * row[2] - 1.5;
        targets.push(unit(i as u64, 100) < 1.0 / (1.0 + libm::exp(-score)));
    }
    Dataset::new(x, Array1::from_vec(targets))
}

/// The rows of `tests/golden/linear.py`: the same without a feature that repeats another.
pub(super) fn unrepeated() -> Dataset {
    let mut data = dataset(600, 6);
    for (i, mut row) in data.records.rows_mut().into_iter().enumerate() {
        row[3] = unit(i as u64, 202) * 4.0 - 2.0;
    }
    data
}

/// The dataset, with the weights of the golden scripts where they are asked for.
pub(super) fn weighted(data: &Dataset, is_weighted: bool) -> Dataset {
    let weights = (0..data.targets.len()).map(|i| (1 + i % 3) as f32).collect();
    if is_weighted { data.clone().with_weights(weights) } else { data.clone() }
}

/// The same with holes in the first feature, codes of categories in the fifth, and no feature that
/// says the same as another.
pub(super) fn holed(n_rows: usize) -> Dataset {
    let mut data = dataset(n_rows, 6);
    for (i, mut row) in data.records.rows_mut().into_iter().enumerate() {
        row[3] = unit(i as u64, 202) * 4.0 - 2.0;
        row[4] = f64::from((unit(i as u64, 200) * 9.0) as u32);
        if unit(i as u64, 201) < 0.2 {
            row[0] = f64::NAN;
        }
    }
    data
}

/// The rows of a dataset at these indices.
pub(super) fn take(dataset: &Dataset, indices: &[usize]) -> Dataset {
    let records = dataset.records.select(ndarray::Axis(0), indices);
    let targets = indices.iter().map(|i| dataset.targets[*i]).collect();
    Dataset::new(records, targets)
}
