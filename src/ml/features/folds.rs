//! Which fold each training row is in: drawn by what names it, as `split` draws sides.
//!
//! A row's fold follows from the seed and the row itself, never from its target, so a row that is
//! added moves no other and a changed target moves none. Rows of one id share a fold: what is known
//! of a subject is never used to encode another row of it. Without id columns a row is named by
//! all its values but the target, and equal rows by their order, so that they are not in one fold.

use rayon::prelude::*;

use crate::ml::columns::Columns;
use crate::ml::table::{Column, Table};

/// The fold of each row, each below `n`.
///
/// # Errors
/// When all rows are in one fold.
pub(super) fn folds(
    table: &Table,
    columns: &Columns,
    n: usize,
    seed: &[u8; 32],
) -> Result<Vec<usize>, String> {
    let is_name = |column: &&Column| {
        let name = &column.name;
        if columns.id.is_empty() { *name != columns.target } else { columns.id.contains(name) }
    };
    let names: Vec<&Column> = table.columns().iter().filter(is_name).collect();
    let identities: Vec<[u8; 32]> =
        (0..table.rows()).into_par_iter().map(|row| identity(&names, row, seed)).collect();
    let orders = if columns.id.is_empty() { orders(&identities) } else { vec![0; table.rows()] };
    let draw = |(identity, order): (&[u8; 32], &u64)| {
        let mut hasher = blake3::Hasher::new_keyed(seed);
        hasher.update(b"pipeline fold").update(identity).update(&order.to_le_bytes());
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        // The n equal parts of 2^64.
        ((u128::from(u64::from_le_bytes(first)) * n as u128) >> 64) as usize
    };
    let folds: Vec<usize> = identities.par_iter().zip(&orders).map(draw).collect();
    match folds.first() {
        Some(first) if folds.iter().all(|fold| fold == first) => Err(format!(
            "target encoding needs rows in at least two of its {n} folds: there are too few rows, \
             or too few different ids"
        )),
        _ => Ok(folds),
    }
}

/// What names a row: the keyed hash of its values, each with its length before it.
fn identity(columns: &[&Column], row: usize, seed: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(b"pipeline fold row");
    for column in columns {
        match column.text(row) {
            None => hasher.update(&[0]),
            Some(text) => {
                let length = (text.len() as u64).to_le_bytes();
                hasher.update(&[1]).update(&length).update(text.as_bytes())
            }
        };
    }
    *hasher.finalize().as_bytes()
}

/// How many earlier rows are equal to each row.
fn orders(identities: &[[u8; 32]]) -> Vec<u64> {
    let mut rows: Vec<usize> = (0..identities.len()).collect();
    rows.par_sort_unstable_by_key(|row| (identities[*row], *row));
    let mut orders = vec![0; identities.len()];
    for equal in rows.chunk_by(|a, b| identities[*a] == identities[*b]) {
        for (order, row) in (0..).zip(equal) {
            orders[*row] = order;
        }
    }
    orders
}
