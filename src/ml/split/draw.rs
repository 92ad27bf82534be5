//! The side of each row, by the method of the plan.

use std::collections::BTreeMap;

use anyhow::ensure;
use rayon::prelude::*;

use super::check::rows_told;
use super::{Method, Plan, Sides};
use crate::ml::table::{Column, ColumnType};

/// What begins the hash of a draw, so that one kind of draw says nothing about another.
const SIDE: &[u8] = b"pipeline.split/1 side";
const FOLD: &[u8] = b"pipeline.split/1 fold";

const TEST: usize = 2;

/// The side of each row; `identities` name the rows.
pub(super) fn sides(plan: &Plan<'_>, identities: &[[u8; 32]]) -> anyhow::Result<Vec<usize>> {
    if let Method::Time(by) = plan.method {
        return by_time(by, plan.fractions);
    }
    let names: Vec<[u8; 32]> = match plan.method.group() {
        None => identities.to_vec(),
        Some(by) => {
            require(by, "its group decides its side")?;
            let rows = (0..by.len()).into_par_iter();
            rows.map(|row| identity(&[by], row, &plan.seed)).collect()
        }
    };
    let side = |row: usize| {
        let stratum = plan.stratify.and_then(|by| by.text(row));
        side(&names[row], stratum.as_deref(), plan)
    };
    Ok((0..names.len()).into_par_iter().map(side).collect())
}

fn side(name: &[u8; 32], stratum: Option<&str>, plan: &Plan<'_>) -> usize {
    let [train, validation, _] = plan.fractions;
    let drawn = |purpose| draw(purpose, name, stratum, &plan.seed);
    match plan.method {
        Method::Fold { folds, fold, .. } => {
            // Below `folds`, because what is drawn is below 1.
            let drawn_fold = (drawn(FOLD) * f64::from(folds)) as u32;
            match drawn_fold == fold {
                true => TEST,
                false => usize::from(drawn(SIDE) >= train / (train + validation)),
            }
        }
        _ => {
            let drawn = drawn(SIDE);
            usize::from(drawn >= train) + usize::from(drawn >= train + validation)
        }
    }
}

/// The oldest rows to train, the newest to test. Rows of one moment stay together, on the earlier
/// side, so that no side knows of the moments of a later one.
fn by_time(by: &Column, fractions: [f64; 3]) -> anyhow::Result<Vec<usize>> {
    require(by, "its moment decides its side")?;
    let mut order: Vec<usize> = (0..by.len()).collect();
    if by.ty() == ColumnType::Text {
        let texts: Vec<String> = (0..by.len()).filter_map(|row| by.text(row)).collect();
        let odd: Vec<usize> = (0..by.len()).filter(|row| !is_moment(&texts[*row])).collect();
        ensure!(
            odd.is_empty(),
            "{} of `{}` no date as 2026-11-25, perhaps with a time behind it: by time rows are \
             divided by numbers or such dates",
            have(&odd),
            by.name
        );
        order.sort_by(|a, b| texts[*a].cmp(&texts[*b]));
    } else {
        let numbers: Vec<f64> = (0..by.len()).filter_map(|row| by.number(row)).collect();
        order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    }
    let n = order.len();
    let mut sides = vec![0; n];
    let mut before = 0;
    for moment in order.chunk_by(|a, b| by.text(*a) == by.text(*b)) {
        // The share of rows before this moment says where its rows belong.
        let share = before as f64 / n as f64;
        let [train, validation, _] = fractions;
        // Shares are sums of decimals: what is as good as equal is equal.
        let is_reached = |bound: f64| share >= bound - 1e-9;
        let side = usize::from(is_reached(train)) + usize::from(is_reached(train + validation));
        moment.iter().for_each(|row| sides[*row] = side);
        before += moment.len();
    }
    Ok(sides)
}

/// Whether a text begins as a date of fixed width does, so that texts are in the order of time.
fn is_moment(text: &str) -> bool {
    const PATTERN: &str = "dddd-dd-dd";
    let fits = |(c, p): (u8, u8)| if p == b'd' { c.is_ascii_digit() } else { c == p };
    text.len() >= PATTERN.len() && text.bytes().zip(PATTERN.bytes()).all(fits)
}

fn require(by: &Column, why: &str) -> anyhow::Result<()> {
    let without: Vec<usize> = (0..by.len()).filter(|row| by.is_missing(*row)).collect();
    ensure!(
        without.is_empty(),
        "{} without a value of `{}`: every row needs one, because {why}",
        rows_told(&without),
        by.name
    );
    Ok(())
}

fn have(rows: &[usize]) -> String {
    format!("{} {}", rows_told(rows), if rows.len() == 1 { "has" } else { "have" })
}

/// The groups of each side.
pub(super) struct Groups {
    pub(super) counts: [usize; 3],
    /// The sum over all groups of the square of their number of rows.
    pub(super) squared_sizes: f64,
}

/// The groups of a column as they are divided.
pub(super) fn groups(by: &Column, sides: &Sides) -> Groups {
    let mut squares = 0;
    let mut count = |rows: &Vec<usize>| {
        let mut sizes = BTreeMap::<String, usize>::new();
        for group in rows.iter().filter_map(|row| by.text(*row)) {
            *sizes.entry(group).or_default() += 1;
        }
        squares += sizes.values().map(|size| size * size).sum::<usize>();
        sizes.len()
    };
    let counts = [count(&sides[0]), count(&sides[1]), count(&sides[2])];
    Groups { counts, squared_sizes: squares as f64 }
}

/// The earliest and the latest moment of some rows, as texts.
pub(super) fn span(by: &Column, rows: &[usize]) -> Option<[String; 2]> {
    let order = |a: &&usize, b: &&usize| match by.ty() {
        ColumnType::Text => by.text(**a).cmp(&by.text(**b)),
        _ => by.number(**a).unwrap_or(0.0).total_cmp(&by.number(**b).unwrap_or(0.0)),
    };
    let (first, last) = (rows.iter().min_by(order)?, rows.iter().max_by(order)?);
    Some([by.text(*first)?, by.text(*last)?])
}

/// What names a row: the keyed hash of its values, each with its length before it.
pub(super) fn identity(columns: &[&Column], row: usize, seed: &[u8; 32]) -> [u8; 32] {
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

/// A number in [0, 1) that a name draws in its stratum, for a purpose.
fn draw(purpose: &[u8], name: &[u8; 32], stratum: Option<&str>, seed: &[u8; 32]) -> f64 {
    const BITS_OF_A_FLOAT: u32 = 53;
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(purpose).update(name);
    add(&mut hasher, stratum);
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    let bits = u64::from_le_bytes(first) >> (u64::BITS - BITS_OF_A_FLOAT);
    bits as f64 / (1u64 << BITS_OF_A_FLOAT) as f64
}
