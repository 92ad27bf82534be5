//! Features cut into at most 255 bins, once, before any tree is grown.
//!
//! A split between bins then needs only sums per bin. Up to 255 different numbers each have their
//! own bin, so nothing is lost; above, the edges are quantiles of all training rows, so that the
//! order of rows has no say. The bins of a categorical feature are its most frequent codes. A
//! missing value has a bin of its own, the last one. A tree needs nothing else of the features, so
//! that a byte per value is all that is held of them while trees are grown. Knows no classes and
//! no trees.

use rayon::prelude::*;

use super::tree::MAX_CODE;

/// The most bins of a feature, that of missing values not counted.
pub(super) const MAX_BINS: usize = 255;

/// The bins of all rows.
pub(super) struct Binned {
    n_rows: usize,
    cuts: Vec<Cut>,
    /// The bin of each row, feature after feature.
    bins: Vec<u8>,
}

/// How the values of a feature become bins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cut {
    /// The upper edges of the bins but the last, ascending: a value is in the first bin whose edge
    /// it does not exceed.
    Edges(Vec<f64>),
    /// The category code of each bin, the most frequent first, equally frequent ones by code. Rarer
    /// codes than these are in the bin of missing values.
    Codes(Vec<u32>),
}

impl Cut {
    /// How many bins there are, that of missing values not counted; it is the next one.
    pub(super) fn n_bins(&self) -> usize {
        match self {
            Cut::Edges(edges) => edges.len() + 1,
            Cut::Codes(codes) => codes.len(),
        }
    }

    fn numbers(values: &[f64], max_bins: usize) -> Cut {
        Cut::Edges(edges(
            values.iter().copied().filter(|value| !value.is_nan()).collect(),
            max_bins,
        ))
    }

    fn categories(values: &[f64], max_bins: usize) -> Cut {
        let mut codes: Vec<u32> = values.iter().filter_map(|value| code(*value)).collect();
        codes.sort_unstable();
        let mut counted: Vec<(usize, u32)> =
            codes.chunk_by(|a, b| a == b).map(|equal| (equal.len(), equal[0])).collect();
        counted.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        Cut::Codes(counted.into_iter().take(max_bins).map(|(_, code)| code).collect())
    }

    /// Writes the bin of every value.
    fn apply(&self, values: &[f64], bins: &mut [u8]) {
        let missing = self.n_bins() as u8;
        match self {
            Cut::Edges(edges) => {
                let bin = |value: &f64| {
                    if value.is_nan() {
                        missing
                    } else {
                        edges.partition_point(|edge| edge < value) as u8
                    }
                };
                values.iter().zip(bins).for_each(|(value, out)| *out = bin(value));
            }
            Cut::Codes(codes) => {
                let mut places: Vec<(u32, u8)> = codes.iter().copied().zip(0..).collect();
                places.sort_unstable();
                let bin = |value: &f64| {
                    let place = code(*value)
                        .and_then(|code| places.binary_search_by_key(&code, |place| place.0).ok());
                    place.map_or(missing, |place| places[place].1)
                };
                values.iter().zip(bins).for_each(|(value, out)| *out = bin(value));
            }
        }
    }
}

/// The category code that a number is: a whole number from 0 to `MAX_CODE`.
fn code(value: f64) -> Option<u32> {
    let code = value as u32;
    (f64::from(code) == value && code <= MAX_CODE).then_some(code)
}

impl Binned {
    /// Cuts rows of `width` numbers, one after the other in `rows`, into at most `max_bins` bins,
    /// which is 2 to `MAX_BINS`. NaN is missing. `is_categorical` tells the features whose numbers
    /// are codes of categories; one that it lacks is none.
    pub(super) fn new(
        rows: &[f64],
        width: usize,
        is_categorical: &[bool],
        max_bins: usize,
    ) -> Binned {
        let n_rows = rows.len().checked_div(width).unwrap_or(0);
        let cut = |(feature, bins): (usize, &mut [u8])| {
            let values: Vec<f64> = (0..n_rows).map(|row| rows[row * width + feature]).collect();
            let cut = if is_categorical.get(feature).copied().unwrap_or(false) {
                Cut::categories(&values, max_bins)
            } else {
                Cut::numbers(&values, max_bins)
            };
            cut.apply(&values, bins);
            cut
        };
        let mut bins = vec![0; n_rows * width];
        let mut columns: Vec<&mut [u8]> = bins.chunks_exact_mut(n_rows.max(1)).collect();
        columns.resize_with(width, Default::default);
        let cuts = columns.into_par_iter().enumerate().map(cut).collect();
        Binned { n_rows, cuts, bins }
    }

    /// How many features there are.
    pub(super) fn width(&self) -> usize {
        self.cuts.len()
    }

    /// The bin of each row.
    pub(super) fn column(&self, feature: usize) -> &[u8] {
        &self.bins[feature * self.n_rows..(feature + 1) * self.n_rows]
    }

    /// How the values of a feature became bins.
    pub(super) fn cut(&self, feature: usize) -> &Cut {
        &self.cuts[feature]
    }
}

/// Edges halfway between neighbouring values: all of them, or those at the quantiles.
fn edges(mut values: Vec<f64>, max_bins: usize) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    if distinct.len() <= max_bins {
        return distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    }
    let mut edges = Vec::with_capacity(max_bins - 1);
    for k in 1..max_bins {
        let last = values[(k * values.len() / max_bins).saturating_sub(1)];
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

    fn edges_of(binned: &Binned) -> &[f64] {
        match binned.cut(0) {
            Cut::Edges(edges) => edges,
            Cut::Codes(_) => panic!("cut by codes"),
        }
    }

    fn numbers(values: &[f64]) -> Binned {
        Binned::new(values, 1, &[], MAX_BINS)
    }

    #[test]
    fn few_values_have_a_bin_each() {
        let binned = numbers(&[3.0, 1.0, 2.0, 1.0]);
        assert_eq!(edges_of(&binned), [1.5, 2.5]);
        assert_eq!(binned.column(0), [2, 0, 1, 0]);
    }

    #[test]
    fn a_constant_has_one_bin() {
        let binned = numbers(&[7.0; 5]);
        assert_eq!((edges_of(&binned), binned.column(0)), (&[][..], &[0; 5][..]));
    }

    #[test]
    fn what_is_missing_is_in_the_last_bin() {
        let binned = numbers(&[f64::NAN, 1.0, 2.0]);
        assert_eq!((edges_of(&binned), binned.column(0)), (&[1.5][..], &[2, 0, 1][..]));
        let nothing = numbers(&[f64::NAN; 3]);
        assert_eq!((nothing.cut(0).n_bins(), nothing.column(0)), (1, &[1; 3][..]));
    }

    #[test]
    fn many_values_share_255_bins_evenly() {
        let values: Vec<f64> = (0..10_200).map(|i| f64::from(i * i)).collect();
        let binned = numbers(&values);
        assert_eq!(edges_of(&binned).len(), 254);
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
        let binned = numbers(&values);
        assert!(edges_of(&binned).is_sorted_by(|a, b| a < b));
        assert!(edges_of(&binned).len() > 20);
    }

    #[test]
    fn fewer_bins_can_be_asked_for() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let binned = Binned::new(&values, 1, &[], 4);
        assert_eq!(edges_of(&binned), [249.5, 499.5, 749.5]);
    }

    #[test]
    fn categories_have_a_bin_each_and_the_rarest_share_that_of_missing_values() {
        let codes = [5.0, 3.0, 5.0, 9.0, 3.0, 5.0, f64::NAN];
        let binned = Binned::new(&codes, 1, &[true], MAX_BINS);
        assert_eq!(*binned.cut(0), Cut::Codes(vec![5, 3, 9]));
        assert_eq!(binned.column(0), [0, 1, 0, 2, 1, 0, 3]);
        let binned = Binned::new(&codes, 1, &[true], 2);
        assert_eq!(*binned.cut(0), Cut::Codes(vec![5, 3]));
        assert_eq!(binned.column(0), [0, 1, 0, 2, 1, 0, 2]);
    }

    #[test]
    fn a_code_is_a_whole_number_that_a_set_can_hold() {
        assert_eq!([0.0, 7.0, 4095.0].map(code), [Some(0), Some(7), Some(MAX_CODE)]);
        assert_eq!([-1.0, 0.5, 4096.0, f64::NAN].map(code), [None; 4]);
    }

    #[test]
    fn an_edge_lies_between_its_values_even_at_the_limits() {
        for (a, b) in [(f64::MIN, f64::MAX), (0.0, 5e-324), (1.0, 1.0 + f64::EPSILON)] {
            let edge = between(a, b);
            assert!(a <= edge && edge < b, "{a} {edge} {b}");
        }
    }
}
