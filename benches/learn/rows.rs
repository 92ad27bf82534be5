//! The tables that are learnt from: 20 numbers per row and a class, by a formula with what real
//! tables have: effects that are straight, bent, and only there in company of another.
//!
//! Written as raw little-endian 64-bit floats, all features of a row, then its class as 0 or 1, so
//! that every tool reads them at once and the same way.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use pipeline::ml::random::Random;

/// Features of a row.
pub(crate) const WIDTH: usize = 20;

/// Rows to be judged by.
const TEST_ROWS: usize = 100_000;

/// Where the rows are.
pub(crate) struct Files {
    /// Those to learn from.
    pub(crate) train: PathBuf,
    /// Those to be judged by.
    pub(crate) test: PathBuf,
}

/// Writes rows to learn from, and others to be judged by.
pub(crate) fn write(dir: &Path, n_rows: usize) -> anyhow::Result<Files> {
    let files = Files { train: dir.join(format!("train-{n_rows}")), test: dir.join("test") };
    write_file(&files.train, n_rows, 1)?;
    write_file(&files.test, TEST_ROWS, 2)?;
    Ok(files)
}

fn write_file(path: &Path, n_rows: usize, seed: u8) -> anyhow::Result<()> {
    let mut random = Random::new([seed; 32]);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..n_rows {
        let mut row = [0.0; WIDTH];
        for (j, x) in row.iter_mut().enumerate() {
            // Sums of uniform numbers, some rounded: bell shapes, and columns of few values.
            *x = (0..4).map(|_| random.uniform()).sum::<f64>() * 2.0 - 4.0;
            if j % 5 == 4 {
                *x = (*x * 2.0).round();
            }
        }
        let [a, b, c, d, e, f, g, h, i, j, ..] = row;
        let score = 0.7 * a - 0.5 * b + 0.4 * c + 0.8 * d * e - 0.6 * f.abs() * g
            + 0.5 * (h * h - 1.0)
            + if i > 0.5 && j < 1.0 { 0.9 } else { -0.3 }
            - 0.6;
        let class = random.uniform() < 1.0 / (1.0 + libm::exp(-score));
        for x in row.into_iter().chain([f64::from(u8::from(class))]) {
            file.write_all(&x.to_le_bytes())?;
        }
    }
    Ok(file.flush()?)
}

/// The features of all rows, and their classes.
pub(crate) fn read(path: &Path) -> anyhow::Result<(Vec<f64>, Vec<bool>)> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    ensure!(bytes.len() % ((WIDTH + 1) * 8) == 0, "{} is cut off", path.display());
    let number = |bytes: &[u8]| bytes.try_into().map(f64::from_le_bytes).unwrap_or(f64::NAN);
    let numbers: Vec<f64> = bytes.chunks_exact(8).map(number).collect();
    let (mut features, mut classes) = (Vec::new(), Vec::new());
    for row in numbers.chunks_exact(WIDTH + 1) {
        features.extend_from_slice(&row[..WIDTH]);
        classes.push(row[WIDTH] == 1.0);
    }
    Ok((features, classes))
}
