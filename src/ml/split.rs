//! The split of a table into train, validation and test rows.
//!
//! The side of a row follows from the seed and the row itself: a keyed hash of what names it is
//! compared with the fractions. So a row that is added, removed or moved changes the side of no
//! other row, and equal rows land on one side. The price is that sizes are those of independent
//! draws: each stratum draws for itself, its share of every side is right in expectation, and the
//! report states by how many binomial standard deviations each count is off.
//!
//! It does not know files or roles. A row is named by its id columns, or by all of its values
//! where there are none: then a corrected value may move its row. So may a corrected stratum.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::json;
use super::table::{Column, Table};

/// The format of `split.json`.
pub const FORMAT: &str = "pipeline.split/1";

/// The names of the sides, in the order of fractions and rows.
pub const SIDES: [&str; 3] = ["train", "validation", "test"];

/// How many rows an error names.
const NAMED_ROWS: usize = 5;

/// More classes than this are no strata: each would have a handful of rows on a side.
const MAX_STRATA: usize = 100;

/// How a table is to be split.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The share of rows of each side, each above 0, together 1.
    pub fractions: [f64; 3],
    /// The key of the hash.
    pub seed: [u8; 32],
    /// The columns that name a row; without any the whole row does.
    pub ids: Vec<&'a Column>,
    /// The column whose values are drawn apart.
    pub stratify: Option<&'a Column>,
    /// The column whose every value must be on every side.
    pub target: Option<&'a Column>,
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
    /// The standard deviation of its number of rows: that of a binomial draw.
    #[serde(serialize_with = "json::finite")]
    pub standard_deviation: f64,
    /// By how many standard deviations it has more rows than expected.
    #[serde(serialize_with = "json::finite")]
    pub deviations: f64,
}

/// Splits a table.
///
/// # Errors
/// When two rows have the same id or a row has none, when a side has no rows or none of some value
/// of the target, and when a row has no value of the target.
pub fn split(table: &Table, plan: &Plan<'_>) -> anyhow::Result<(Sides, Report)> {
    let columns: Vec<&Column> =
        if plan.ids.is_empty() { table.columns().iter().collect() } else { plan.ids.clone() };
    let identities: Vec<[u8; 32]> =
        (0..table.rows()).into_par_iter().map(|row| identity(&columns, row, &plan.seed)).collect();
    let repeats = repeats(&identities);
    if !plan.ids.is_empty() {
        check_ids(&plan.ids, table.rows(), &repeats)?;
    }
    let strata = plan.stratify.map(strata).transpose()?.unwrap_or_default();
    let drawn: Vec<usize> = (0..table.rows())
        .into_par_iter()
        .map(|row| draw(&identities[row], plan.stratify.and_then(|by| by.text(row)), plan))
        .collect();
    let mut sides = Sides::default();
    for (row, side) in drawn.iter().enumerate() {
        sides[*side].push(row);
    }
    check_sides(&sides, plan)?;
    let stratum = |(value, rows): (Option<String>, Vec<usize>)| {
        let count = |side: usize| rows.iter().filter(|row| drawn[**row] == side).count();
        Stratum { value, rows: rows.len(), sides: told([0, 1, 2].map(count), plan.fractions) }
    };
    let report = Report {
        format: FORMAT.to_owned(),
        method: "keyed blake3 of each row's identity within its stratum; stratified in expectation"
            .to_owned(),
        rows: table.rows(),
        identity: plan.ids.iter().map(|id| id.name.clone()).collect(),
        repeated_rows: repeats.len(),
        stratify: plan.stratify.map(|by| by.name.clone()),
        sides: told([0, 1, 2].map(|side: usize| sides[side].len()), plan.fractions),
        strata: strata.into_iter().map(stratum).collect(),
    };
    Ok((sides, report))
}

/// What names a row: the keyed hash of its values, each with its length before it.
fn identity(columns: &[&Column], row: usize, seed: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(b"pipeline.split/1 row");
    columns.iter().for_each(|column| add(&mut hasher, column.text(row).as_deref()));
    *hasher.finalize().as_bytes()
}

fn add(hasher: &mut blake3::Hasher, text: Option<&str>) {
    match text {
        None => hasher.update(&[0]),
        Some(text) => {
            hasher.update(&[1]).update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes())
        }
    };
}

/// The side of a row: a number from 0 to 1 that its identity draws in its stratum.
fn draw(identity: &[u8; 32], stratum: Option<String>, plan: &Plan<'_>) -> usize {
    const BITS_OF_A_FLOAT: u32 = 53;
    let mut hasher = blake3::Hasher::new_keyed(&plan.seed);
    hasher.update(b"pipeline.split/1 side").update(identity);
    add(&mut hasher, stratum.as_deref());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    let bits = u64::from_le_bytes(first) >> (u64::BITS - BITS_OF_A_FLOAT);
    let drawn = bits as f64 / (1u64 << BITS_OF_A_FLOAT) as f64;
    let [train, validation, _] = plan.fractions;
    usize::from(drawn >= train) + usize::from(drawn >= train + validation)
}

/// Pairs of rows of the same identity, the first of which comes first in the table.
fn repeats(identities: &[[u8; 32]]) -> Vec<(usize, usize)> {
    let mut rows: Vec<usize> = (0..identities.len()).collect();
    rows.par_sort_by_key(|row| identities[*row]);
    let equal = rows.chunk_by(|a, b| identities[*a] == identities[*b]);
    let mut repeats: Vec<_> =
        equal.flat_map(|rows| rows[1..].iter().map(|row| (rows[0], *row))).collect();
    repeats.sort_unstable();
    repeats
}

fn check_ids(ids: &[&Column], rows: usize, repeats: &[(usize, usize)]) -> anyhow::Result<()> {
    let names: Vec<_> = ids.iter().map(|id| format!("`{}`", id.name)).collect();
    let names = names.join(", ");
    let unnamed: Vec<_> =
        (0..rows).filter(|row| ids.iter().any(|id| id.is_missing(*row))).collect();
    ensure!(
        unnamed.is_empty(),
        "{} without a value of {names}: every row needs one to keep its side",
        rows_told(&unnamed)
    );
    if repeats.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = repeats
        .iter()
        .take(NAMED_ROWS)
        .map(|(first, again)| {
            let id: Vec<_> = ids.iter().filter_map(|id| id.text(*first)).collect();
            format!("rows {} and {} are both `{}`", first + 1, again + 1, id.join("`, `"))
        })
        .collect();
    bail!(
        "{} rows repeat a value of {names}, so that one subject could be learnt from and tested \
         on: {}; remove the repeated rows, or give {names} another role",
        repeats.len(),
        told.join("; ")
    )
}

/// The rows of each value, in the order of the values, missing ones first.
fn strata(by: &Column) -> anyhow::Result<BTreeMap<Option<String>, Vec<usize>>> {
    let mut strata = BTreeMap::<Option<String>, Vec<usize>>::new();
    for row in 0..by.len() {
        strata.entry(by.text(row)).or_default().push(row);
    }
    ensure!(
        strata.len() <= MAX_STRATA,
        "`{}` has {} values: as a target or stratum it may have at most {MAX_STRATA}",
        by.name,
        strata.len()
    );
    Ok(strata)
}

fn check_sides(sides: &Sides, plan: &Plan<'_>) -> anyhow::Result<()> {
    for (name, rows) in SIDES.iter().zip(sides) {
        ensure!(!rows.is_empty(), "no row fell into {name}: the table is too small for its share");
    }
    let Some(target) = plan.target else { return Ok(()) };
    let unlabelled: Vec<_> = (0..target.len()).filter(|row| target.is_missing(*row)).collect();
    ensure!(
        unlabelled.is_empty(),
        "{} without a value of the target `{}`: remove them, or fill them in",
        rows_told(&unlabelled),
        target.name
    );
    for (class, rows) in strata(target)? {
        let class = class.unwrap_or_default();
        for (name, side) in SIDES.iter().zip(sides) {
            ensure!(
                rows.iter().any(|row| side.binary_search(row).is_ok()),
                "no row of class `{class}` of `{}` fell into {name}: {} rows of it are too few for \
                 this share, or another seed is needed",
                target.name,
                rows.len()
            );
        }
    }
    Ok(())
}

/// `row 3`, `rows 3, 7 and 12 more`: counted from 1.
fn rows_told(rows: &[usize]) -> String {
    let named: Vec<_> = rows.iter().take(NAMED_ROWS).map(|row| (row + 1).to_string()).collect();
    let noun = if rows.len() == 1 { "row" } else { "rows" };
    match rows.len() - named.len() {
        0 => format!("{noun} {}", named.join(", ")),
        more => format!("{noun} {} and {more} more", named.join(", ")),
    }
}

fn told(rows: [usize; 3], fractions: [f64; 3]) -> Vec<Side> {
    let total = rows.iter().sum::<usize>() as f64;
    let side = |(at, name): (usize, &&str)| {
        let (rows, fraction) = (rows[at], fractions[at]);
        let expected = total * fraction;
        let standard_deviation = (expected * (1.0 - fraction)).sqrt();
        let off = rows as f64 - expected;
        let deviations = if standard_deviation > 0.0 { off / standard_deviation } else { 0.0 };
        Side { name: (*name).to_owned(), fraction, rows, expected, standard_deviation, deviations }
    };
    SIDES.iter().enumerate().map(side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::Values;
    use proptest::prelude::*;

    const FRACTIONS: [f64; 3] = [0.6, 0.2, 0.2];

    /// Rows named by the numbers, one in three of class `yes`.
    fn table(ids: &[i64]) -> Table {
        let class = |id: &i64| Some(if id % 3 == 0 { "yes" } else { "no" }.to_owned());
        Table::new(vec![
            Column::new("id", Values::Integer(ids.iter().copied().map(Some).collect())),
            Column::new("left", Values::Text(ids.iter().map(class).collect())),
            Column::new("x", Values::Number(ids.iter().map(|id| *id as f64 / 7.0).collect())),
        ])
        .unwrap()
    }

    fn plan(table: &Table, has_ids: bool) -> Plan<'_> {
        let target = table.column("left");
        let ids = table.column("id").filter(|_| has_ids).into_iter().collect();
        Plan { fractions: FRACTIONS, seed: [7; 32], ids, stratify: target, target }
    }

    /// The side of each row, by the row's number.
    fn sides_by_id(ids: &[i64], has_ids: bool) -> BTreeMap<i64, usize> {
        let table = table(ids);
        let (sides, _) = split(&table, &plan(&table, has_ids)).unwrap();
        let of_side = |side: usize| sides[side].iter().map(move |row| (ids[*row], side));
        (0..3).flat_map(of_side).collect()
    }

    #[test]
    fn every_row_is_on_one_side_in_the_order_of_the_table() {
        let table = table(&(0..1000).collect::<Vec<_>>());
        let (sides, report) = split(&table, &plan(&table, true)).unwrap();
        assert!(sides.iter().all(|rows| rows.is_sorted()));
        let mut all = sides.concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!(report.sides[0].rows, sides[0].len());
        assert!(report.sides.iter().all(|side| side.deviations.abs() < 4.0), "{report:?}");
        assert_eq!(report.strata.len(), 2);
        assert_eq!(report.strata.iter().map(|stratum| stratum.rows).sum::<usize>(), 1000);
    }

    #[test]
    fn the_sides_are_the_same_in_every_version() {
        let table = table(&(0..200).collect::<Vec<_>>());
        let (sides, _) = split(&table, &plan(&table, true)).unwrap();
        assert_eq!(sides[2][..8], [5, 18, 19, 29, 36, 41, 52, 58]);
    }

    #[test]
    fn equal_rows_share_a_side_and_are_counted() {
        let ids: Vec<i64> = (0..300).chain(0..300).collect();
        let table = table(&ids);
        let (sides, report) = split(&table, &plan(&table, false)).unwrap();
        assert_eq!(report.repeated_rows, 300);
        for rows in &sides {
            let (first, again): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| **row < 300);
            assert_eq!(first, again.iter().map(|row| row - 300).collect::<Vec<_>>());
        }
    }

    #[track_caller]
    fn refuses(table: &Table, expected: &str) {
        let told = split(table, &plan(table, true)).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn an_id_that_is_missing_or_repeated_is_refused_with_its_rows() {
        refuses(&table(&[1, 2, 3, 2]), "rows 2 and 4 are both `2`");
        let mut columns = table(&[1, 2, 3]).columns().to_vec();
        columns[0].values = Values::Integer(vec![Some(1), None, Some(3)]);
        refuses(&Table::new(columns).unwrap(), "row 2 without a value of `id`");
    }

    #[test]
    fn a_side_without_rows_or_without_a_class_is_refused() {
        refuses(&table(&[1, 2]), "no row fell into");
        let mut columns = table(&(0..100).collect::<Vec<_>>()).columns().to_vec();
        let rare = |row: usize| Some(if row == 0 { "yes" } else { "no" }.to_owned());
        columns[1].values = Values::Text((0..100).map(rare).collect());
        refuses(&Table::new(columns.clone()).unwrap(), "no row of class `yes` of `left` fell into");
        columns[1].values =
            Values::Text((0..100).map(|row| rare(row).filter(|_| row != 4)).collect());
        refuses(&Table::new(columns).unwrap(), "row 5 without a value of the target `left`");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_row_that_is_added_moves_no_other(
            added in 10_000i64..20_000, at in 0usize..400, has_ids in any::<bool>()) {
            let mut ids: Vec<i64> = (0..400).collect();
            let before = sides_by_id(&ids, has_ids);
            ids.insert(at, added);
            let mut after = sides_by_id(&ids, has_ids);
            after.remove(&added);
            prop_assert_eq!(before, after);
        }
    }
}
