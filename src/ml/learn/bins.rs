//! Features cut into at most 255 bins, once, before any tree is grown.
//!
//! A split between two bins then needs only whole counts per bin, which add up to the same in any
//! order: no thread count and no summation order can change a tree. Up to 255 different values
//! each have their own bin, so nothing is lost; above, the edges are quantiles of the training
//! rows. Knows no classes and no trees.

use rayon::prelude::*;

/// The most bins of a feature.
const MAX_BINS: usize = 255;

/// The bins of all rows.
pub(super) struct Binned {
    n_rows: usize,
    /// Per feature the upper edges of its bins but the last, ascending: a value is in the first
    /// bin whose edge it does not exceed.
    edges: Vec<Vec<f64>>,
    /// The bin of each row, feature after feature.
    bins: Vec<u8>,
}

impl Binned {
    /// Cuts rows of `width` finite numbers, one after the other in `rows`.
    pub(super) fn new(rows: &[f64], width: usize) -> Binned {
        let n_rows = rows.len().checked_div(width).unwrap_or(0);
        let cut = |feature: usize| {
            let values: Vec<f64> = (0..n_rows).map(|row| rows[row * width + feature]).collect();
            let edges = edges(values.clone());
            let bin = |value: &f64| edges.partition_point(|edge| edge < value) as u8;
            let bins: Vec<u8> = values.iter().map(bin).collect();
            (edges, bins)
        };
        let columns: Vec<(Vec<f64>, Vec<u8>)> = (0..width).into_par_iter().map(cut).collect();
        let (edges, bins): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        Binned { n_rows, edges, bins: bins.concat() }
    }

    /// How many features there are.
    pub(super) fn width(&self) -> usize {
        self.edges.len()
    }

    /// The bin of each row.
    pub(super) fn column(&self, feature: usize) -> &[u8] {
        &self.bins[feature * self.n_rows..(feature + 1) * self.n_rows]
    }

    /// The upper edges of the bins but the last.
    pub(super) fn edges(&self, feature: usize) -> &[f64] {
        &self.edges[feature]
    }
}

/// Edges halfway between neighbouring values: all of them, or those at the quantiles.
fn edges(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    if distinct.len() <= MAX_BINS {
        return distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    }
    let mut edges = Vec::with_capacity(MAX_BINS - 1);
    for k in 1..MAX_BINS {
        let last = values[k * values.len() / MAX_BINS - 1];
        let above = distinct.partition_point(|value| *value <= last);
        if let Some(next) = distinct.get(above) {
            edges.push(between(last, *next));
        }
    }
    edges.dedup();
    edges
}

/// The middle of two numbers, at least the lower and below the upper.
fn between(lower: f64, upper: f64) -> f64 {
    let middle = 0.5 * lower + 0.5 * upper;
    if middle >= lower && middle < upper { middle } else { lower }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let binned = Binned::new(&[3.0, 1.0, 2.0, 1.0], 1);
        assert_eq!(binned.edges(0), [1.5, 2.5]);
        assert_eq!(binned.column(0), [2, 0, 1, 0]);
    }

    #[test]
    fn a_constant_has_one_bin() {
        let binned = Binned::new(&[7.0; 5], 1);
        assert_eq!((binned.edges(0), binned.column(0)), (&[][..], &[0; 5][..]));
    }

    #[test]
    fn many_values_share_255_bins_evenly() {
        let values: Vec<f64> = (0..10_200).map(|i| f64::from(i * i)).collect();
        let binned = Binned::new(&values, 1);
        assert_eq!(binned.edges(0).len(), 254);
        let mut counts = [0; 255];
        for bin in binned.column(0) {
            counts[usize::from(*bin)] += 1;
        }
        assert_eq!(counts, [40; 255]);
    }

    #[test]
    fn one_frequent_value_does_not_repeat_an_edge() {
        let mut values = vec![0.0; 9_000];
        values.extend((0..1_000).map(f64::from));
        let binned = Binned::new(&values, 1);
        assert!(binned.edges(0).is_sorted_by(|a, b| a < b));
        assert!(binned.edges(0).len() > 20);
    }

    #[test]
    fn an_edge_lies_between_its_values_even_at_the_limits() {
        for (a, b) in [(f64::MIN, f64::MAX), (0.0, 5e-324), (1.0, 1.0 + f64::EPSILON)] {
            let edge = between(a, b);
            assert!(a <= edge && edge < b, "{a} {edge} {b}");
        }
    }
}
