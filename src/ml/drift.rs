//! How far a table has moved from the one that a profile was made of.
//!
//! Everything is computed from counts in bins that were fixed with the profile, so that a number
//! does not depend on what it is compared with later, and can be had row by row. Numbers below the
//! first edge and above the last, and values that were not there, have bins of their own.
//!
//! With shares `p` of the reference and `q` of the table per bin:
//!
//! | measure | definition |
//! |---|---|
//! | PSI | the sum of `(q - p) ln(q / p)`, an empty share counting as 0.0001 |
//! | Jensen-Shannon | the root of the mean divergence of both from their mean, in nats, as scipy |
//! | chi-square | of the two rows of counts, without empty bins |
//! | KS | the greatest difference of the cumulated shares; p-value by Kolmogorov's limit |
//! | Wasserstein | the area between the cumulated shares over the middles of the bins |
//!
//! The Wasserstein distance is told in standard deviations of the reference. PSI divided by
//! `1/n + 1/m`, n and m being the numbers of values, is chi-square with one degree less than there
//! are bins where nothing has moved (Yurdakul and Naranjo 2020): that gives its p-value.
//!
//! Which of them decides is Evidently's default: with at most 1000 rows in the reference a p-value
//! (KS of numbers, chi-square of categories), with more of them a distance (normed Wasserstein,
//! Jensen-Shannon). PSI is told with its p-value and the number of rows because its customary bands
//! (0.1, 0.25) mean different things for different numbers of rows.

mod psi;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::describe::{sorted_numbers, sum};
use super::profile::{Bins, ColumnProfile, Profile, count_in_bins};
use super::special::{chi_square_tail, kolmogorov_tail};
use super::table::{Column, ColumnType, Table};

pub use psi::Psi;

/// Up to so many rows of the reference, p-values decide; above them distances.
pub const SMALL_REFERENCE: usize = 1000;
/// The least standard deviation that a distance is divided by.
const LEAST_DEVIATION: f64 = 1e-3;

/// From where on a column, and a table, has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Bounds {
    /// The p-value below which a column has drifted, 0 to 1.
    pub p_value: f64,
    /// The distance from which on it has, 0 or more.
    pub distance: f64,
    /// The share of drifted columns from which on the table has drifted, 0 to 1.
    pub share: f64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { p_value: 0.05, distance: 0.1, share: 0.5 }
    }
}

/// How far a table has moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The rows of the table that the reference was made of.
    pub reference_rows: usize,
    /// Whether the share of drifted columns is at its bound.
    pub is_drift: bool,
    /// How many columns have drifted.
    pub drifted: usize,
    /// The columns that both have and that have bins, in the order of the reference.
    pub columns: Vec<ColumnDrift>,
    /// Columns that only the reference has.
    pub missing_columns: Vec<String>,
    /// Columns that only the table has.
    pub new_columns: Vec<String>,
}

/// What decides whether a column has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The p-value of the Kolmogorov-Smirnov statistic.
    Ks,
    /// The p-value of chi-square.
    ChiSquare,
    /// The normed Wasserstein distance.
    Wasserstein,
    /// The Jensen-Shannon distance.
    JensenShannon,
}

/// How far a column has moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDrift {
    /// The name.
    pub column: String,
    /// What decided.
    pub test: Test,
    /// Whether it has drifted; one without any value that can be counted has.
    pub is_drifted: bool,
    /// The share of rows of the reference without a value.
    pub reference_missing: f64,
    /// The share of rows of the table without a value.
    pub missing: f64,
    /// How many values of the table are in no bin of the reference.
    pub outside: u64,
    /// The measures; none when either side has no value to count.
    pub measures: Option<Measures>,
}

/// All measures of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// The values counted of the reference.
    pub reference_n: u64,
    /// The values counted of the table.
    pub n: u64,
    /// The population stability index.
    pub psi: f64,
    /// The probability of as much of it by chance.
    pub psi_p_value: f64,
    /// The Jensen-Shannon distance, 0 to 0.833.
    pub jensen_shannon: f64,
    /// The chi-square statistic.
    pub chi_square: f64,
    /// Its p-value.
    pub chi_square_p_value: f64,
    /// Of numbers: the Kolmogorov-Smirnov statistic at the edges of the bins, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ks: Option<f64>,
    /// Of numbers: its p-value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ks_p_value: Option<f64>,
    /// Of numbers: the Wasserstein distance in standard deviations of the reference; none beyond
    /// the range of floats, which is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<f64>,
}

/// Compares a table with the profile of another.
pub fn drift(reference: &Profile, table: &Table, bounds: &Bounds) -> Drift {
    let told: Vec<Option<ColumnDrift>> = (reference.columns.par_iter())
        .map(|profile| of_column(profile, table.column(&profile.name)?, reference.rows, bounds))
        .collect();
    let columns: Vec<ColumnDrift> = told.into_iter().flatten().collect();
    let drifted = columns.iter().filter(|column| column.is_drifted).count();
    let has = |name: &str| reference.columns.iter().any(|profile| profile.name == name);
    let lost = reference.columns.iter().filter(|profile| table.column(&profile.name).is_none());
    Drift {
        reference_rows: reference.rows,
        is_drift: drifted > 0 && drifted as f64 >= bounds.share * columns.len() as f64,
        drifted,
        missing_columns: lost.map(|profile| profile.name.clone()).collect(),
        new_columns: table.names().filter(|name| !has(name)).map(str::to_owned).collect(),
        columns,
    }
}

fn of_column(
    profile: &ColumnProfile,
    column: &Column,
    reference_rows: usize,
    bounds: &Bounds,
) -> Option<ColumnDrift> {
    let (is_numbers, counted) = match profile.bins.as_ref()? {
        Bins::Numbers { edges, counts } => (true, of_numbers(edges, counts, column)),
        Bins::Values { values, counts } => (false, of_values(values, counts, column)),
    };
    let deviation = profile.numbers.as_ref().and_then(|numbers| numbers.standard_deviation);
    let measures = measures(&counted, is_numbers.then(|| deviation.unwrap_or(0.0)));
    let is_small = reference_rows <= SMALL_REFERENCE;
    let test = match (is_numbers, is_small) {
        (true, true) => Test::Ks,
        (true, false) => Test::Wasserstein,
        (false, true) => Test::ChiSquare,
        (false, false) => Test::JensenShannon,
    };
    let is_drifted = measures.as_ref().is_none_or(|measures| match test {
        Test::Ks => measures.ks_p_value.is_some_and(|p| p < bounds.p_value),
        Test::ChiSquare => measures.chi_square_p_value < bounds.p_value,
        Test::Wasserstein => measures.wasserstein.is_none_or(|d| d >= bounds.distance),
        Test::JensenShannon => measures.jensen_shannon >= bounds.distance,
    });
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    Some(ColumnDrift {
        column: profile.name.clone(),
        test,
        is_drifted,
        reference_missing: share(profile.missing, reference_rows),
        missing: share(column.missing(), column.len()),
        outside: counted.outside,
        measures,
    })
}

/// Two rows of counts over the same bins.
#[derive(Debug, Default)]
struct Counted {
    reference: Vec<u64>,
    table: Vec<u64>,
    /// The middle of each bin, of numbers.
    middles: Vec<f64>,
    outside: u64,
}

fn of_numbers(edges: &[f64], counts: &[u64], column: &Column) -> Counted {
    // Texts are no numbers: nothing is counted, and that is drift.
    if column.ty() == ColumnType::Text {
        let outside = (column.len() - column.missing()) as u64;
        return Counted { outside, ..Counted::default() };
    }
    let sorted = sorted_numbers(column);
    let table = count_in_bins(&sorted, edges);
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else {
        return Counted::default();
    };
    let (min, max) = (sorted.first().unwrap_or(first), sorted.last().unwrap_or(last));
    let middle = |a: f64, b: f64| a / 2.0 + b / 2.0;
    let mut middles = vec![middle(min.min(*first), *first)];
    middles.extend(edges.windows(2).map(|pair| middle(pair[0], pair[1])));
    middles.push(middle(*last, max.max(*last)));
    let reference = [&[0][..], counts, &[0][..]].concat();
    let outside = table.first().unwrap_or(&0) + table.last().unwrap_or(&0);
    Counted { reference, table, middles, outside }
}

fn of_values(values: &[String], counts: &[u64], column: &Column) -> Counted {
    let mut table = vec![0; values.len() + 1];
    for text in (0..column.len()).filter_map(|row| column.text(row)) {
        let at = values.binary_search(&text).unwrap_or(values.len());
        table[at] += 1;
    }
    let outside = table[values.len()];
    Counted { reference: [counts, &[0]].concat(), table, middles: Vec::new(), outside }
}

/// The measures of two rows of counts; `deviation` is that of the reference, of numbers.
fn measures(counted: &Counted, deviation: Option<f64>) -> Option<Measures> {
    let (n, m) = (counted.reference.iter().sum::<u64>(), counted.table.iter().sum::<u64>());
    if n == 0 || m == 0 {
        return None;
    }
    let (size, table_size) = (n as f64, m as f64);
    // Bins that are empty on both sides say nothing.
    let pairs: Vec<(f64, f64)> = (counted.reference.iter().zip(&counted.table))
        .filter(|(a, b)| **a + **b > 0)
        .map(|(a, b)| (*a as f64, *b as f64))
        .collect();
    let shares = || pairs.iter().map(|(a, b)| (a / size, b / table_size));
    let Psi { psi, p_value: psi_p_value } = Psi::of(&counted.reference, &counted.table)?;
    let toward = |share: f64, mean: f64| {
        if share == 0.0 { 0.0 } else { share * libm::log(share / mean) }
    };
    let divergence = sum(shares().map(|(p, q)| {
        let mean = (p + q) / 2.0;
        (toward(p, mean) + toward(q, mean)) / 2.0
    }));
    let chi_square = sum(pairs.iter().map(|(a, b)| {
        let total = a + b;
        let expected = total * size / (size + table_size);
        let other = total * table_size / (size + table_size);
        (a - expected) * (a - expected) / expected + (b - other) * (b - other) / other
    }));
    let effective = size * table_size / (size + table_size);
    let degrees = pairs.len() as f64 - 1.0;
    let tail = |value: f64| if degrees > 0.0 { chi_square_tail(value, degrees) } else { 1.0 };
    let differences = cumulated_differences(counted, size, table_size);
    let ks = differences.iter().map(|difference| difference.abs()).fold(0.0, f64::max);
    let area = sum(differences
        .iter()
        .zip(counted.middles.windows(2))
        .map(|(difference, pair)| difference.abs() * (pair[1] - pair[0])));
    Some(Measures {
        reference_n: n,
        n: m,
        psi,
        psi_p_value,
        jensen_shannon: divergence.max(0.0).sqrt(),
        chi_square,
        chi_square_p_value: tail(chi_square),
        ks: deviation.map(|_| ks),
        ks_p_value: deviation.map(|_| kolmogorov_tail(ks * effective.sqrt())),
        wasserstein: deviation
            .map(|deviation| area / deviation.max(LEAST_DEVIATION))
            .filter(|distance| distance.is_finite()),
    })
}

/// By how much the cumulated share of the table is above that of the reference after each bin.
fn cumulated_differences(counted: &Counted, size: f64, table_size: f64) -> Vec<f64> {
    let (mut before, mut table_before) = (0, 0);
    let step = |(a, b): (&u64, &u64)| {
        before += a;
        table_before += b;
        table_before as f64 / table_size - before as f64 / size
    };
    counted.reference.iter().zip(&counted.table).map(step).collect()
}

#[cfg(test)]
mod tests;
