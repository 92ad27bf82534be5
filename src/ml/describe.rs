//! What the values of one column are like: moments, quantiles, a histogram, the commonest values.
//!
//! It does not know names or roles. Values are sorted first and summed in that order, so that a
//! result depends on the values alone, not on the order of rows and not on threads. Definitions
//! are numpy's: linear interpolation between order statistics, `ddof = 1`, bins of equal width of
//! which the last holds its upper edge, too.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;
use super::table::{Column, Values};

/// The quantiles that are told.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// What the numbers of a column are like; of at least one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The smallest.
    #[serde(serialize_with = "json::finite")]
    pub min: f64,
    /// The largest.
    #[serde(serialize_with = "json::finite")]
    pub max: f64,
    /// The arithmetic mean; `None` when it is beyond the range of floats.
    pub mean: Option<f64>,
    /// The sample standard deviation; `None` of a single number, or beyond the range of floats.
    pub standard_deviation: Option<f64>,
    /// One for each of `QUANTILES`, in that order.
    pub quantiles: Vec<Quantile>,
    /// How many numbers fall between fixed edges.
    pub histogram: Histogram,
}

/// A quantile of the numbers of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// The share of numbers that are not above it, 0 to 1.
    pub q: f64,
    /// The number.
    #[serde(serialize_with = "json::finite")]
    pub value: f64,
}

/// How many numbers fall into bins of equal width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// The edges in ascending order, one more than there are bins.
    pub edges: Vec<f64>,
    /// How many numbers are at or above an edge and below the next; the last bin holds its upper
    /// edge, too.
    pub counts: Vec<usize>,
}

/// One of the commonest values of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Top {
    /// The value: a number, a truth value or a text.
    pub value: Value,
    /// In how many rows it stands.
    pub count: usize,
}

/// The distinct values of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// How many there are, missing ones not counted.
    pub count: usize,
    /// The commonest, most frequent first, ties by value.
    pub top: Vec<Top>,
    /// All distinct texts in ascending order, when the column has texts and not more than asked.
    pub texts: Option<Vec<String>>,
}

/// Describes numbers in ascending order, all finite; `None` when there is none.
pub fn numbers(sorted: &[f64], bins: usize) -> Option<Numbers> {
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    Some(Numbers {
        min,
        max,
        mean: mean(sorted),
        standard_deviation: mean_and_deviation(sorted).map(|(_, deviation)| deviation),
        quantiles: QUANTILES.map(|q| Quantile { q, value: quantile(sorted, q) }).into(),
        histogram: histogram(sorted, min, max, bins),
    })
}

/// The arithmetic mean; `None` of no number, or beyond the range of floats.
pub fn mean(sorted: &[f64]) -> Option<f64> {
    Some(sum(sorted.iter().copied()) / sorted.len() as f64).filter(|mean| mean.is_finite())
}

/// The arithmetic mean and the sample standard deviation (`ddof = 1`); `None` of fewer than two
/// numbers, or beyond the range of floats.
pub fn mean_and_deviation(sorted: &[f64]) -> Option<(f64, f64)> {
    let mean = mean(sorted)?;
    let spread = sum(sorted.iter().map(|value| (value - mean) * (value - mean)));
    let deviation = (spread / (sorted.len() as f64 - 1.0)).sqrt();
    deviation.is_finite().then_some((mean, deviation))
}

/// The numbers of a column in ascending order, without the missing ones; none of a text column.
/// Zero has no sign here.
pub fn sorted_numbers(column: &Column) -> Vec<f64> {
    // Adding zero turns -0 into 0 and changes nothing else.
    let mut sorted: Vec<f64> =
        (0..column.len()).filter_map(|row| column.number(row)).map(|value| value + 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The distinct values of a column: the `top` commonest, and all texts if at most `max_texts`.
pub fn distinct(column: &Column, top: usize, max_texts: usize) -> Distinct {
    match &column.values {
        Values::Integer(values) => {
            let mut sorted: Vec<i64> = values.iter().flatten().copied().collect();
            sorted.sort_unstable();
            told(&runs(&sorted), top, |value| Value::from(*value))
        }
        Values::Number(_) => told(&runs(&sorted_numbers(column)), top, |value| Value::from(*value)),
        Values::Boolean(values) => {
            let mut sorted: Vec<bool> = values.iter().flatten().copied().collect();
            sorted.sort_unstable();
            told(&runs(&sorted), top, |value| Value::from(*value))
        }
        Values::Text(values) => {
            let counts = values.counts();
            let runs: Vec<(&&str, usize)> = counts.iter().map(|(text, n)| (text, *n)).collect();
            let all = || runs.iter().map(|(text, _)| (**text).to_owned()).collect();
            let texts = (runs.len() <= max_texts).then(all);
            Distinct { texts, ..told(&runs, top, |value| Value::from(*value)) }
        }
    }
}

/// Distinct values with their counts, in the order of the sorted values.
fn runs<T: PartialEq>(sorted: &[T]) -> Vec<(&T, usize)> {
    let parts = sorted.chunk_by(|a, b| a == b);
    parts.filter_map(|part| part.first().map(|value| (value, part.len()))).collect()
}

fn told<T>(runs: &[(&T, usize)], top: usize, value: fn(&T) -> Value) -> Distinct {
    let mut commonest: Vec<usize> = (0..runs.len()).collect();
    // The sort is stable and runs ascend: ties stay in the order of their values.
    commonest.sort_by_key(|at| std::cmp::Reverse(runs[*at].1));
    commonest.truncate(top);
    let told = |at: usize| Top { value: value(runs[at].0), count: runs[at].1 };
    Distinct { count: runs.len(), top: commonest.into_iter().map(told).collect(), texts: None }
}

/// The sum with Neumaier's compensation, in the order given; 0 of nothing.
pub fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() {
            (total - next) + value
        } else {
            (value - next) + total
        };
        total = next;
    }
    total + lost
}

/// The number at a share of the way through ascending numbers, of which there is at least one.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    between(sorted[below], sorted[above], place - place.floor())
}

/// The number at a share `t` of the way from `a` to `b`, for any finite numbers.
fn between(a: f64, b: f64, t: f64) -> f64 {
    let way = b - a;
    match (way.is_finite(), t < 0.5) {
        (false, _) => a * (1.0 - t) + b * t,
        (true, true) => a + way * t,
        // As numpy does: exact at both ends, and never beyond them.
        (true, false) => b - way * (1.0 - t),
    }
}

fn histogram(sorted: &[f64], min: f64, max: f64, bins: usize) -> Histogram {
    // Numbers that are all the same fill one bin without width.
    let bins = if min == max { 1 } else { bins.max(1) };
    let mut edges = vec![min];
    for bin in 1..bins {
        let edge = between(min, max, bin as f64 / bins as f64);
        edges.push(edge.max(edges[bin - 1]));
    }
    edges.push(max);
    let below = |bin: usize| match bin {
        0 => 0,
        _ if bin == bins => sorted.len(),
        _ => sorted.partition_point(|value| *value < edges[bin]),
    };
    let counts = (0..bins).map(|bin| below(bin + 1) - below(bin)).collect();
    Histogram { edges, counts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_and_quantiles_are_those_of_the_field() {
        // As Python's statistics.mean, stdev and quantiles(method="inclusive") tell them.
        let sorted = [1.0, 2.0, 2.0, 4.5, 7.0, 11.0];
        let told = numbers(&sorted, 4).unwrap();
        assert_eq!(told.mean, Some(4.583333333333333));
        assert_eq!(told.standard_deviation, Some(3.826443082899139));
        let quantiles: Vec<_> = told.quantiles.iter().map(|quantile| quantile.value).collect();
        assert_eq!(quantiles, [1.25, 2.0, 3.25, 6.375, 10.0]);
        assert_eq!(told.histogram.edges, [1.0, 3.5, 6.0, 8.5, 11.0]);
        assert_eq!(told.histogram.counts, [3, 1, 1, 1]);
    }

    #[test]
    fn one_number_and_equal_numbers_have_one_bin() {
        let told = numbers(&[5.0], 10).unwrap();
        assert_eq!((told.mean, told.standard_deviation), (Some(5.0), None));
        let told = numbers(&[5.0, 5.0], 10).unwrap();
        assert_eq!(told.standard_deviation, Some(0.0));
        assert_eq!(told.histogram, Histogram { edges: vec![5.0, 5.0], counts: vec![2] });
        assert_eq!(numbers(&[], 10), None);
    }

    #[test]
    fn a_sum_keeps_what_is_small_beside_what_is_large() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
    }

    #[test]
    fn the_commonest_values_are_told_and_ties_go_by_value() {
        let texts = ["b", "a", "b", "c", "a"].map(|text| Some(text.to_owned()));
        let found = distinct(&Column::new("x", Values::Text(texts.to_vec().into())), 2, 3);
        assert_eq!(found.count, 3);
        assert_eq!(found.top[0], Top { value: "a".into(), count: 2 });
        assert_eq!(found.top[1], Top { value: "b".into(), count: 2 });
        assert_eq!(found.texts.unwrap(), ["a", "b", "c"]);
        let zeros = distinct(&Column::new("x", Values::Number(vec![0.0, -0.0, f64::NAN])), 9, 9);
        assert_eq!((zeros.count, zeros.texts), (1, None));
    }

    proptest! {
        #[test]
        fn every_number_is_in_one_bin_and_every_quantile_in_range(
            mut values in proptest::collection::vec(any::<f64>(), 1..50), bins in 1usize..20) {
            values.retain(|value| value.is_finite());
            values.sort_unstable_by(f64::total_cmp);
            if let Some(told) = numbers(&values, bins) {
                prop_assert_eq!(told.histogram.counts.iter().sum::<usize>(), values.len());
                prop_assert!(told.histogram.edges.is_sorted());
                for quantile in &told.quantiles {
                    prop_assert!(quantile.value >= told.min && quantile.value <= told.max);
                }
            }
        }
    }
}
