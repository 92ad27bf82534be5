//! How columns go together: correlations, values that are missing together, rows that repeat.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ColumnProfile;
use crate::ml::association::{Crosstab, pearson, spearman};
use crate::ml::schema::FieldType;
use crate::ml::table::{Column, Table, Values};

/// How many patterns of missing values are told.
const PATTERNS: usize = 20;

/// How strongly two columns go together, over the rows that have both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// The names of both columns, in the order of the table.
    pub columns: [String; 2],
    /// Pearson's correlation, -1 to 1, of two columns of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pearson: Option<f64>,
    /// Spearman's correlation, -1 to 1, of two columns of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spearman: Option<f64>,
    /// Cramér's V without bias, 0 to 1, of two columns of categories or truth values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cramers_v: Option<f64>,
}

/// Rows of which the same columns have no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingPattern {
    /// The columns without a value; none in complete rows.
    pub columns: Vec<String>,
    /// How many rows are so.
    pub rows: usize,
}

impl Correlation {
    /// The greatest of its measures, without sign.
    pub fn strength(&self) -> f64 {
        let measures = [self.pearson, self.spearman, self.cramers_v];
        measures.into_iter().flatten().map(f64::abs).fold(0.0, f64::max)
    }
}

/// The correlations of all pairs of columns of one kind; of at most `max_columns` of each kind, the
/// first ones, because pairs grow with the square, and over at most `max_rows` rows.
pub(super) fn correlations(
    table: &Table,
    profiles: &[ColumnProfile],
    max_columns: usize,
    max_rows: usize,
) -> Vec<Correlation> {
    let sample;
    let table = match table.rows() > max_rows {
        false => table,
        true => {
            sample = table.take(&spread(table.rows(), max_rows));
            &sample
        }
    };
    let of = |is: fn(FieldType) -> bool| -> Vec<&Column> {
        let told = table.columns().iter().zip(profiles);
        // A column of one value goes together with nothing.
        let told = told.filter(|(_, profile)| is(profile.ty) && profile.distinct > 1);
        told.map(|(column, _)| column).take(max_columns).collect()
    };
    let numbers = of(|ty| matches!(ty, FieldType::Integer | FieldType::Number));
    let classes = of(|ty| matches!(ty, FieldType::Category | FieldType::Boolean));
    let numbers = pairs(&numbers).into_par_iter().map(|(a, b)| of_numbers(a, b));
    let codes: Vec<Vec<Option<u32>>> = classes.par_iter().map(|column| column.codes().0).collect();
    let places: Vec<usize> = (0..classes.len()).collect();
    let classes = pairs(&places).into_par_iter().map(|(a, b)| Correlation {
        columns: [classes[*a].name.clone(), classes[*b].name.clone()],
        pearson: None,
        spearman: None,
        cramers_v: of_codes(&codes[*a], &codes[*b]),
    });
    let told = numbers.chain(classes).collect::<Vec<_>>();
    told.into_iter().filter(|told| told.strength() > 0.0).collect()
}

/// Rows evenly spread over a table.
fn spread(rows: usize, wanted: usize) -> Vec<usize> {
    let at = |i: usize| (i as u128 * rows as u128 / wanted as u128) as usize;
    (0..wanted).map(at).collect()
}

/// Every pair of two items, the first before the second.
fn pairs<T>(items: &[T]) -> Vec<(&T, &T)> {
    let with_later = |(at, a)| items[at + 1..].iter().map(move |b| (a, b));
    items.iter().enumerate().flat_map(with_later).collect()
}

fn of_numbers(a: &Column, b: &Column) -> Correlation {
    let both = (0..a.len()).filter_map(|row| Some((a.number(row)?, b.number(row)?)));
    let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
    Correlation {
        columns: [a.name.clone(), b.name.clone()],
        pearson: pearson(&x, &y),
        spearman: spearman(&x, &y),
        cramers_v: None,
    }
}

fn of_codes(a: &[Option<u32>], b: &[Option<u32>]) -> Option<f64> {
    Crosstab::of(a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?)))).cramers_v(true)
}

/// The commonest patterns of missing values, most frequent first, ties by columns; none when
/// nothing is missing.
pub(super) fn missing_patterns(table: &Table) -> Vec<MissingPattern> {
    let with: Vec<&Column> = table.columns().iter().filter(|column| column.missing() > 0).collect();
    if with.is_empty() {
        return Vec::new();
    }
    let pattern =
        |row: usize| -> Vec<bool> { with.iter().map(|column| column.is_missing(row)).collect() };
    let mut patterns: Vec<Vec<bool>> = (0..table.rows()).into_par_iter().map(pattern).collect();
    patterns.par_sort_unstable();
    let told = |rows: &[Vec<bool>]| {
        let missing = with.iter().zip(&rows[0]).filter(|(_, is_missing)| **is_missing);
        let columns = missing.map(|(column, _)| column.name.clone()).collect();
        MissingPattern { columns, rows: rows.len() }
    };
    let mut told: Vec<_> = patterns.chunk_by(|a, b| a == b).map(told).collect();
    told.sort_by_key(|pattern| std::cmp::Reverse(pattern.rows));
    told.truncate(PATTERNS);
    told
}

/// How many rows are equal to an earlier one in every column.
pub(super) fn duplicate_rows(table: &Table) -> usize {
    let key = |row: usize| {
        let mut hasher = blake3::Hasher::new();
        table.columns().iter().for_each(|column| add(&mut hasher, column, row));
        // Half of a digest is enough: that two rows share one by chance is 1 in 2^128.
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        key
    };
    let mut keys: Vec<[u8; 16]> = (0..table.rows()).into_par_iter().map(key).collect();
    keys.par_sort_unstable();
    keys.dedup();
    table.rows() - keys.len()
}

fn add(hasher: &mut blake3::Hasher, column: &Column, row: usize) {
    if column.is_missing(row) {
        hasher.update(&[0]);
        return;
    }
    hasher.update(&[1]);
    match &column.values {
        Values::Integer(values) => hasher.update(&values[row].unwrap_or(0).to_le_bytes()),
        // Zero has no sign.
        Values::Number(values) => hasher.update(&(values[row] + 0.0).to_le_bytes()),
        Values::Boolean(values) => hasher.update(&[u8::from(values[row].unwrap_or(false))]),
        Values::Text(values) => {
            let text = values.get(row).unwrap_or_default();
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes())
        }
    };
}
