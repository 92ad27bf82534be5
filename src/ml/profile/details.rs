//! What a column is like beyond counts and quantiles: shape, extremes, lengths, dates.
//!
//! Definitions are those of pandas, as ydata-profiling shows them: variance, skewness and kurtosis
//! without bias, MAD as the median of the distances from the median.

use serde::{Deserialize, Serialize};

use crate::ml::describe::{Distinct, mean, mean_and_deviation, quantile, sum};
use crate::ml::json;
use crate::ml::table::{Column, Values};

/// How many of the least and the greatest numbers are told.
const EXTREMES: usize = 5;

/// The shape of the numbers of a column; of at least one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// How many are 0.
    pub zeros: usize,
    /// How many are below 0.
    pub negatives: usize,
    /// How many are infinite; those are counted as missing everywhere else.
    pub infinite: usize,
    /// The sum; `None` beyond the range of floats, as all below.
    pub sum: Option<f64>,
    /// The sample variance (`ddof = 1`); `None` of a single number.
    pub variance: Option<f64>,
    /// The standard deviation by the mean; `None` when the mean is 0.
    pub coefficient_of_variation: Option<f64>,
    /// The adjusted Fisher-Pearson skewness; `None` of fewer than 3 numbers or of one value only.
    pub skewness: Option<f64>,
    /// The excess kurtosis without bias; `None` of fewer than 4 numbers or of one value only.
    pub kurtosis: Option<f64>,
    /// The median of the distances from the median.
    pub median_absolute_deviation: Option<f64>,
    /// The third quartile less the first.
    pub interquartile_range: Option<f64>,
    /// The smallest numbers, ascending, at most 5, equal ones each for itself.
    pub lowest: Vec<f64>,
    /// The largest numbers, descending, at most 5.
    pub highest: Vec<f64>,
    /// Whether every number is at least the one before it, in row order.
    pub is_increasing: bool,
    /// Whether every number is at most the one before it, in row order.
    pub is_decreasing: bool,
}

/// The texts of a column; of at least one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// The least number of characters.
    pub min: usize,
    /// The greatest number of characters.
    pub max: usize,
    /// The mean number of characters.
    #[serde(serialize_with = "json::finite")]
    pub mean: f64,
    /// The median number of characters.
    #[serde(serialize_with = "json::finite")]
    pub median: f64,
    /// All characters of all texts.
    pub characters: usize,
    /// How many different ones there are among them.
    pub distinct_characters: usize,
    /// The first and the last day, when every text begins as `2026-11-25` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<[String; 2]>,
}

/// The shape of a column of numbers, which are given in ascending order.
pub(super) fn shape(column: &Column, sorted: &[f64]) -> Option<Shape> {
    let finite = |number: f64| Some(number).filter(|number| number.is_finite());
    if sorted.is_empty() {
        return None;
    }
    let moments = mean_and_deviation(sorted);
    let median = quantile(sorted, 0.5);
    let mut distances: Vec<f64> = sorted.iter().map(|number| (number - median).abs()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    let infinite = match &column.values {
        Values::Number(values) => values.iter().filter(|value| value.is_infinite()).count(),
        _ => 0,
    };
    let in_order: Vec<f64> = (0..column.len()).filter_map(|row| column.number(row)).collect();
    let (skewness, kurtosis) = third_and_fourth(sorted);
    Some(Shape {
        zeros: sorted.iter().filter(|number| **number == 0.0).count(),
        negatives: sorted.iter().filter(|number| **number < 0.0).count(),
        infinite,
        sum: finite(sum(sorted.iter().copied())),
        variance: moments.and_then(|(_, deviation)| finite(deviation * deviation)),
        coefficient_of_variation: moments.and_then(|(mean, deviation)| finite(deviation / mean)),
        skewness,
        kurtosis,
        median_absolute_deviation: finite(quantile(&distances, 0.5)),
        interquartile_range: finite(quantile(sorted, 0.75) - quantile(sorted, 0.25)),
        lowest: sorted.iter().take(EXTREMES).copied().collect(),
        highest: sorted.iter().rev().take(EXTREMES).copied().collect(),
        is_increasing: in_order.is_sorted(),
        is_decreasing: in_order.is_sorted_by(|a, b| a >= b),
    })
}

/// Skewness and kurtosis without bias: `G1 = g1 √(n(n-1)) / (n-2)` and
/// `G2 = (n-1) ((n+1) g2 + 6) / ((n-2)(n-3))` (Joanes and Gill 1998), as pandas has them.
fn third_and_fourth(sorted: &[f64]) -> (Option<f64>, Option<f64>) {
    let Some(mean) = mean(sorted) else { return (None, None) };
    let n = sorted.len() as f64;
    let moment = |power: fn(f64) -> f64| sum(sorted.iter().map(|x| power(x - mean))) / n;
    let second = moment(|x| x * x);
    if sorted.first() == sorted.last() {
        return (None, None);
    }
    let third = moment(|x| x * x * x) / (second * second.sqrt());
    let fourth = moment(|x| (x * x) * (x * x)) / (second * second) - 3.0;
    let skewness = third * (n * (n - 1.0)).sqrt() / (n - 2.0);
    let kurtosis = (n - 1.0) * ((n + 1.0) * fourth + 6.0) / ((n - 2.0) * (n - 3.0));
    let of_at_least = |least: f64, value: f64| Some(value).filter(|v| n >= least && v.is_finite());
    (of_at_least(3.0, skewness), of_at_least(4.0, kurtosis))
}

/// The lengths of a column of texts.
pub(super) fn lengths(column: &Column) -> Option<Lengths> {
    let Values::Text(values) = &column.values else { return None };
    let counts = values.counts();
    let texts = || counts.iter().map(|(text, _)| *text);
    let mut lengths: Vec<(usize, usize)> =
        counts.iter().map(|(text, count)| (text.chars().count(), *count)).collect();
    lengths.sort_unstable();
    let repeat = |(length, count): (usize, usize)| std::iter::repeat_n(length as f64, count);
    let sorted: Vec<f64> = lengths.into_iter().flat_map(repeat).collect();
    let (min, max) = (*sorted.first()? as usize, *sorted.last()? as usize);
    let mut distinct: Vec<char> = Vec::new();
    for c in texts().flat_map(str::chars) {
        if let Err(at) = distinct.binary_search(&c) {
            distinct.insert(at, c);
        }
    }
    Some(Lengths {
        min,
        max,
        mean: mean(&sorted)?,
        median: quantile(&sorted, 0.5),
        // Whole numbers far below 2^53: the sum is exact.
        characters: sum(sorted.iter().copied()) as usize,
        distinct_characters: distinct.len(),
        days: days(texts()),
    })
}

/// The first and the last day, when every text begins with one.
fn days<'a>(mut texts: impl Iterator<Item = &'a str>) -> Option<[String; 2]> {
    let day = |text: &'a str| {
        const PATTERN: &str = "dddd-dd-dd";
        let fits = |(c, p): (u8, u8)| if p == b'd' { c.is_ascii_digit() } else { c == p };
        let is_day = text.len() >= PATTERN.len() && text.bytes().zip(PATTERN.bytes()).all(fits);
        is_day.then(|| &text[..PATTERN.len()])
    };
    let first = day(texts.next()?)?;
    let (min, max) = texts.try_fold((first, first), |(min, max), text| {
        let day = day(text)?;
        Some((min.min(day), max.max(day)))
    })?;
    Some([min.to_owned(), max.to_owned()])
}

/// How far the counts of values are from being equal: 1 less the entropy by its greatest value,
/// 0 to 1; `None` of one value only. As ydata-profiling's imbalance score.
pub(super) fn imbalance(distinct: &Distinct) -> Option<f64> {
    let total: usize = distinct.top.iter().map(|top| top.count).sum();
    let term = |count: usize| {
        let share = count as f64 / total as f64;
        -share * libm::log2(share)
    };
    let entropy = sum(distinct.top.iter().map(|top| term(top.count)));
    (distinct.count > 1).then(|| 1.0 - entropy / libm::log2(distinct.count as f64))
}
