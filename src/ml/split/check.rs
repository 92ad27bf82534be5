//! What must hold for a split to be one: ids that name rows, sides that have rows of every class.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use rayon::prelude::*;

use super::{Plan, SIDES, Sides};
use crate::ml::table::Column;

/// How many rows an error names.
const NAMED_ROWS: usize = 5;

/// More classes than this are no strata: each would have a handful of rows on a side.
const MAX_STRATA: usize = 100;

/// Pairs of rows of the same identity, the first of which comes first in the table.
pub(super) fn repeats(identities: &[[u8; 32]]) -> Vec<(usize, usize)> {
    let mut rows: Vec<usize> = (0..identities.len()).collect();
    rows.par_sort_by_key(|row| identities[*row]);
    let equal = rows.chunk_by(|a, b| identities[*a] == identities[*b]);
    let mut repeats: Vec<_> =
        equal.flat_map(|rows| rows[1..].iter().map(|row| (rows[0], *row))).collect();
    repeats.sort_unstable();
    repeats
}

/// Checks that every row has an id of its own.
pub(super) fn ids(ids: &[&Column], rows: usize, repeats: &[(usize, usize)]) -> anyhow::Result<()> {
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
pub(super) fn strata(by: &Column) -> anyhow::Result<BTreeMap<Option<String>, Vec<usize>>> {
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

/// Checks that every side has rows, and rows of every class of the target.
pub(super) fn sides(sides: &Sides, plan: &Plan<'_>) -> anyhow::Result<()> {
    for (name, rows) in SIDES.iter().zip(sides) {
        let what =
            if plan.method.time().is_some() { "has too few moments" } else { "is too small" };
        ensure!(!rows.is_empty(), "no row fell into {name}: the table {what} for its share");
    }
    let Some(target) = plan.target else { return Ok(()) };
    let unlabelled: Vec<_> = (0..target.len()).filter(|row| target.is_missing(*row)).collect();
    ensure!(
        unlabelled.is_empty(),
        "{} without a value of the target `{}`: remove them, or fill them in",
        rows_told(&unlabelled),
        target.name
    );
    if !plan.has_classes {
        return Ok(());
    }
    for (class, rows) in strata(target)? {
        let class = class.unwrap_or_default();
        for (name, side) in SIDES.iter().zip(sides) {
            ensure!(
                rows.iter().any(|row| side.binary_search(row).is_ok()),
                "no row of class `{class}` of `{}` fell into {name}: {} rows of it are too few for \
                 this share{}",
                target.name,
                rows.len(),
                if plan.method.time().is_some() { "" } else { ", or another seed is needed" }
            );
        }
    }
    Ok(())
}

/// `row 3`, `rows 3, 7 and 12 more`: counted from 1.
pub(super) fn rows_told(rows: &[usize]) -> String {
    let named: Vec<_> = rows.iter().take(NAMED_ROWS).map(|row| (row + 1).to_string()).collect();
    let noun = if rows.len() == 1 { "row" } else { "rows" };
    match rows.len() - named.len() {
        0 => format!("{noun} {}", named.join(", ")),
        more => format!("{noun} {} and {more} more", named.join(", ")),
    }
}
