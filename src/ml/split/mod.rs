//! The split of a table into train, validation and test rows.
//!
//! | method | what a row's side follows from |
//! |---|---|
//! | random | the seed and the row: what names it, or all of its values |
//! | group | the seed and the row's group: rows of one group share a side |
//! | time | the order of a column: the oldest rows to train, the newest to test |
//! | k-fold | the seed and the row, or its group: of `folds` parts, one is the test side |
//!
//! Where a seed decides, a keyed hash is compared with the fractions. So a row that is added,
//! removed or moved changes the side of no other row, and equal rows land on one side. The price is
//! that sizes are those of independent draws: each stratum draws for itself, its share of every
//! side is right in expectation, and the report states by how many standard deviations each count
//! is off. A split by time is exact, up to rows of the same moment, which stay together on the
//! earlier side.
//!
//! It does not know files or roles. A row is named by its id columns, or by all of its values
//! where there are none: then a corrected value may move its row. So may a corrected stratum.

mod check;
mod draw;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::json;
use super::table::{Column, Table};

/// The format of `split.json`.
pub const FORMAT: &str = "pipeline.split/1";

/// The names of the sides, in the order of fractions and rows.
pub const SIDES: [&str; 3] = ["train", "validation", "test"];

/// How a table is to be split.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The share of rows of each side, each above 0, together 1.
    pub fractions: [f64; 3],
    /// What a row's side follows from.
    pub method: Method<'a>,
    /// The key of the hash.
    pub seed: [u8; 32],
    /// The columns that name a row; without any the whole row does.
    pub ids: Vec<&'a Column>,
    /// The column whose values are drawn apart.
    pub stratify: Option<&'a Column>,
    /// The column that is predicted: no row may lack it.
    pub target: Option<&'a Column>,
    /// Whether it holds classes, each of which must be on every side.
    pub has_classes: bool,
}

/// What a row's side follows from.
#[derive(Clone, Copy, Debug)]
pub enum Method<'a> {
    /// What names the row.
    Random,
    /// The value of this column.
    Group(&'a Column),
    /// The place of the row in the order of this column: numbers, or dates as `2026-11-25`.
    Time(&'a Column),
    /// What names the row, or the value of `group`: the parts are numbered from 0.
    Fold {
        /// How many parts there are, at least 2.
        folds: u32,
        /// Which one is the test side, below `folds`.
        fold: u32,
        /// The column whose value decides, if any does.
        group: Option<&'a Column>,
    },
}

/// The rows of each side of `SIDES`, ascending.
pub type Sides = [Vec<usize>; 3];

/// How a table was split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `FORMAT`.
    pub format: String,
    /// How sides are drawn, for people.
    pub method: String,
    /// The number of rows.
    pub rows: usize,
    /// The columns that name a row; none when the whole row does.
    pub identity: Vec<String>,
    /// How many rows equal an earlier row, and share its side; 0 with id columns.
    pub repeated_rows: usize,
    /// The column whose values are drawn apart.
    pub stratify: Option<String>,
    /// The column whose rows of one value share a side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The column by whose order rows are divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Train, validation and test over all rows.
    pub sides: Vec<Side>,
    /// The same for each value of `stratify`, in the order of the values.
    pub strata: Vec<Stratum>,
}

/// The rows of one value of the stratifying column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stratum {
    /// The value, as text; null is the stratum of rows without one.
    pub value: Option<String>,
    /// How many rows have it.
    pub rows: usize,
    /// Train, validation and test within them.
    pub sides: Vec<Side>,
}

/// What one side got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// One of `SIDES`.
    pub name: String,
    /// The share that was asked for.
    #[serde(serialize_with = "json::finite")]
    pub fraction: f64,
    /// The rows it got.
    pub rows: usize,
    /// The rows it gets in expectation.
    #[serde(serialize_with = "json::finite")]
    pub expected: f64,
    /// The standard deviation of its number of rows: that of independent draws of rows, or of
    /// groups of their sizes; 0 where nothing is drawn.
    #[serde(serialize_with = "json::finite")]
    pub standard_deviation: f64,
    /// By how many standard deviations it has more rows than expected.
    #[serde(serialize_with = "json::finite")]
    pub deviations: f64,
    /// How many groups it got, when rows are divided by groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// The earliest and the latest of its moments, when rows are divided by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<[String; 2]>,
}

/// Splits a table.
///
/// # Errors
/// When two rows have the same id or a row has none, when a row has no group or no moment, when a
/// side has no rows or none of some value of the target, and when a row has no value of the target.
pub fn split(table: &Table, plan: &Plan<'_>) -> anyhow::Result<(Sides, Report)> {
    let columns: Vec<&Column> =
        if plan.ids.is_empty() { table.columns().iter().collect() } else { plan.ids.clone() };
    let identities: Vec<[u8; 32]> = (0..table.rows())
        .into_par_iter()
        .map(|row| draw::identity(&columns, row, &plan.seed))
        .collect();
    let repeats = check::repeats(&identities);
    if !plan.ids.is_empty() {
        check::ids(&plan.ids, table.rows(), &repeats)?;
    }
    let strata = plan.stratify.map(check::strata).transpose()?.unwrap_or_default();
    let drawn = draw::sides(plan, &identities)?;
    let mut sides = Sides::default();
    for (row, side) in drawn.iter().enumerate() {
        sides[*side].push(row);
    }
    check::sides(&sides, plan)?;
    let stratum = |(value, rows): (Option<String>, Vec<usize>)| {
        let count = |side: usize| rows.iter().filter(|row| drawn[**row] == side).count();
        let sides = told([0, 1, 2].map(count), plan.fractions, rows.len() as f64);
        Stratum { value, rows: rows.len(), sides }
    };
    let report = Report {
        format: FORMAT.to_owned(),
        method: plan.method.told().to_owned(),
        rows: table.rows(),
        identity: plan.ids.iter().map(|id| id.name.clone()).collect(),
        repeated_rows: repeats.len(),
        stratify: plan.stratify.map(|by| by.name.clone()),
        group: plan.method.group().map(|by| by.name.clone()),
        time: plan.method.time().map(|by| by.name.clone()),
        sides: all_told(plan, &sides),
        strata: strata.into_iter().map(stratum).collect(),
    };
    Ok((sides, report))
}

impl<'a> Method<'a> {
    /// The column whose rows of one value share a side.
    pub fn group(self) -> Option<&'a Column> {
        match self {
            Method::Group(by) => Some(by),
            Method::Fold { group, .. } => group,
            Method::Random | Method::Time(_) => None,
        }
    }

    /// The column by whose order rows are divided.
    pub fn time(self) -> Option<&'a Column> {
        match self {
            Method::Time(by) => Some(by),
            _ => None,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Method::Random => {
                "keyed blake3 of each row's identity within its stratum; stratified in expectation"
            }
            Method::Group(_) => "keyed blake3 of each row's group; rows of a group share a side",
            Method::Time(_) => "by time: the oldest rows to train, the newest to test",
            Method::Fold { group: None, .. } => {
                "k-fold by keyed blake3 of each row's identity within its stratum"
            }
            Method::Fold { group: Some(_), .. } => {
                "k-fold by keyed blake3 of each row's group; rows of a group share a fold"
            }
        }
    }
}

/// The sides over all rows, with what a method adds.
fn all_told(plan: &Plan<'_>, sides: &Sides) -> Vec<Side> {
    let counts = [0, 1, 2].map(|side: usize| sides[side].len());
    let total = counts.iter().sum::<usize>() as f64;
    let groups = plan.method.group().map(|by| draw::groups(by, sides));
    // The variance of a sum of independent draws: f (1 - f) times the sum of the squared sizes.
    let squares = match (&groups, plan.method) {
        (Some(groups), _) => groups.squared_sizes,
        (None, Method::Time(_)) => 0.0,
        (None, _) => total,
    };
    let mut told = told(counts, plan.fractions, squares);
    for (at, side) in told.iter_mut().enumerate() {
        side.groups = groups.as_ref().map(|groups| groups.counts[at]);
        side.span = plan.method.time().and_then(|by| draw::span(by, &sides[at]));
    }
    told
}

fn told(rows: [usize; 3], fractions: [f64; 3], squared_sizes: f64) -> Vec<Side> {
    let total = rows.iter().sum::<usize>() as f64;
    let side = |(at, name): (usize, &&str)| {
        let (rows, fraction) = (rows[at], fractions[at]);
        let expected = total * fraction;
        let standard_deviation = (squared_sizes * fraction * (1.0 - fraction)).sqrt();
        let off = rows as f64 - expected;
        let deviations = if standard_deviation > 0.0 { off / standard_deviation } else { 0.0 };
        Side {
            name: (*name).to_owned(),
            fraction,
            rows,
            expected,
            standard_deviation,
            deviations,
            groups: None,
            span: None,
        }
    };
    SIDES.iter().enumerate().map(side).collect()
}

#[cfg(test)]
mod tests;
