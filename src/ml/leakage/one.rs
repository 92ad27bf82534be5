//! Checks of one table: its features, and its features against its target.

use rayon::prelude::*;

use super::{Finding, Subject, row_keys, share};
use crate::ml::association::{Crosstab, roc_auc, spearman};
use crate::ml::describe;
use crate::ml::table::{Column, ColumnType, Values};

/// Fewer rows than this cannot tell an id from chance.
const MIN_ROWS: usize = 20;
/// A target with more distinct values than this is a number to be predicted and no class.
const MAX_CLASSES: usize = 20;
/// How many rows a finding names.
const NAMED_ROWS: usize = 5;

pub(super) fn single_values(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let of = |column: &&Column| {
        let distinct = describe::distinct(column, 1, 0);
        let value = distinct.top.first().map_or("nothing".to_owned(), |top| top.value.to_string());
        Finding {
            about: Some(column.name.clone()),
            value: f64::from(u8::from(distinct.count <= 1)),
            told: format!("`{}` is {value} in every row that has a value", column.name),
        }
    };
    Some(subject.features().par_iter().map(of).collect())
}

pub(super) fn identifiers(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let of = |column: &&Column| {
        let present = column.len() - column.missing();
        // Numbers with fractions rarely come twice, and are no names.
        let may_name = matches!(column.ty(), ColumnType::Integer | ColumnType::Text);
        let unique = if may_name && present >= MIN_ROWS { once(column) } else { 0 };
        let value = unique as f64 / present.max(1) as f64;
        let told = format!(
            "`{}` has a value of its own in {:.2} % of rows: give it the role `id` or `ignore`",
            column.name,
            100.0 * value
        );
        Finding { about: Some(column.name.clone()), value, told }
    };
    Some(subject.features().par_iter().map(of).collect())
}

/// How many values come exactly once.
fn once(column: &Column) -> usize {
    let mut texts: Vec<String> = (0..column.len()).filter_map(|row| column.text(row)).collect();
    texts.sort_unstable();
    texts.chunk_by(|a, b| a == b).filter(|equal| equal.len() == 1).count()
}

pub(super) fn duplicates(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut columns = subject.features();
    if columns.is_empty() {
        return None;
    }
    columns.extend(subject.target());
    let rows = subject.table.rows();
    let mut keys = row_keys(&columns, rows);
    keys.par_sort_unstable();
    keys.dedup();
    let repeated = rows - keys.len();
    let told = "have the features and the target of an earlier row";
    Some(vec![share(None, repeated, rows, told)])
}

pub(super) fn conflicts(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let target = subject.target()?;
    let features = subject.features();
    if features.is_empty() {
        return None;
    }
    let rows = subject.table.rows();
    let keys = row_keys(&features, rows);
    let mut order: Vec<usize> = (0..rows).filter(|row| !target.is_missing(*row)).collect();
    order.par_sort_by_key(|row| keys[*row]);
    let groups = order.chunk_by(|a, b| keys[*a] == keys[*b]).filter(|group| {
        let first = target.text(group[0]);
        group[1..].iter().any(|row| target.text(*row) != first)
    });
    let mut conflicting: Vec<usize> = groups.flatten().copied().collect();
    conflicting.sort_unstable();
    let named: Vec<_> =
        conflicting.iter().take(NAMED_ROWS).map(|row| (row + 1).to_string()).collect();
    let told = format!(
        "have the features of another row and another `{}`, the first of them in rows {}",
        target.name,
        named.join(", ")
    );
    Some(vec![share(None, conflicting.len(), rows, &told)])
}

pub(super) fn giveaways(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let target = subject.target()?;
    let target = Target::of(target)?;
    let of = |column: &&Column| {
        let value = target.score(column, subject.max_categories);
        let told = format!("`{}` alone tells the target with a score of {value:.3}", column.name);
        Finding { about: Some(column.name.clone()), value, told }
    };
    Some(subject.features().par_iter().map(of).collect())
}

/// A target as classes by their number, or as numbers.
enum Target {
    Classes { codes: Vec<Option<u32>>, count: u32 },
    Numbers(Vec<Option<f64>>),
}

impl Target {
    fn of(column: &Column) -> Option<Target> {
        let (codes, count) = column.codes();
        match (count, &column.values) {
            (0 | 1, _) => None,
            (2.., _) if count as usize <= MAX_CLASSES => Some(Target::Classes { codes, count }),
            (_, Values::Text(_)) => None,
            _ => Some(Target::Numbers((0..column.len()).map(|row| column.number(row)).collect())),
        }
    }

    /// How well a feature alone tells the target, 0 to 1: by its values, or by which are missing.
    fn score(&self, column: &Column, max_categories: usize) -> f64 {
        let missing: Vec<Option<u32>> =
            (0..column.len()).map(|row| Some(u32::from(column.is_missing(row)))).collect();
        let by_missing = match self {
            Target::Classes { codes, .. } => by_codes(&missing, codes),
            Target::Numbers(_) => None,
        };
        let by_value = match (self, &column.values) {
            (Target::Classes { codes: classes, .. }, Values::Text(_) | Values::Boolean(_)) => {
                let (codes, count) = column.codes();
                // What has a value for every row tells everything, and that is another check.
                (count as usize <= max_categories).then(|| by_codes(&codes, classes)).flatten()
            }
            (Target::Classes { codes, count }, _) => by_auc(column, codes, *count),
            (Target::Numbers(numbers), _) => by_rank(column, numbers),
        };
        by_value.into_iter().chain(by_missing).fold(0.0, f64::max)
    }
}

fn by_codes(a: &[Option<u32>], b: &[Option<u32>]) -> Option<f64> {
    Crosstab::of(a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?)))).cramers_v(true)
}

/// The greatest |2 AUC - 1| of any class against the others.
fn by_auc(column: &Column, classes: &[Option<u32>], count: u32) -> Option<f64> {
    let rows: Vec<(f64, u32)> =
        (0..column.len()).filter_map(|row| Some((column.number(row)?, classes[row]?))).collect();
    let numbers: Vec<f64> = rows.iter().map(|row| row.0).collect();
    let of = |class: u32| {
        let is_class: Vec<bool> = rows.iter().map(|row| row.1 == class).collect();
        roc_auc(&numbers, &is_class).map(|auc| (2.0 * auc - 1.0).abs())
    };
    // Of two classes one is the opposite of the other.
    (u32::from(count == 2)..count).filter_map(of).reduce(f64::max)
}

fn by_rank(column: &Column, target: &[Option<f64>]) -> Option<f64> {
    let rows = (0..column.len()).filter_map(|row| Some((column.number(row)?, target[row]?)));
    let (a, b): (Vec<f64>, Vec<f64>) = rows.unzip();
    spearman(&a, &b).map(f64::abs)
}
