//! Scores from elsewhere, joined to rows by what names them.

use std::collections::BTreeMap;

use super::super::table::{Column, Table};

/// The reference's score of each row of a table, by the columns that name rows.
///
/// # Errors
/// No such columns; not exactly one other column in the reference; a score outside [0, 1]; a row
/// that is named twice or not at all.
pub fn scores(reference: &Table, id: &[String], table: &Table) -> Result<Vec<f64>, String> {
    if id.is_empty() {
        return Err("a reference is joined by the column with the role `id`: none has".to_owned());
    }
    let others: Vec<&Column> =
        reference.columns().iter().filter(|column| !id.contains(&column.name)).collect();
    let [scores] = others[..] else {
        return Err(format!(
            "the reference must have one column of scores beside {}, it has {}",
            id.join(", "),
            others.len()
        ));
    };
    let keys = keys(reference, id)?;
    let mut by_key: BTreeMap<&[Option<String>], f64> = BTreeMap::new();
    for (row, key) in keys.iter().enumerate() {
        let score = scores.number(row).filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or_else(|| {
            format!("the reference's `{}` is no score in [0, 1] in row {}", scores.name, row + 1)
        })?;
        if by_key.insert(key, score).is_some() {
            return Err(format!("the reference names {} twice", show(key)));
        }
    }
    let find = |key: &Vec<Option<String>>| {
        let found = by_key.get(key.as_slice()).copied();
        found.ok_or_else(|| format!("the reference has no row for {}", show(key)))
    };
    self::keys(table, id)?.iter().map(find).collect()
}

fn keys(table: &Table, id: &[String]) -> Result<Vec<Vec<Option<String>>>, String> {
    let find = |name: &String| table.column(name).ok_or_else(|| format!("no column `{name}`"));
    let columns = id.iter().map(find).collect::<Result<Vec<&Column>, String>>()?;
    let key = |row: usize| columns.iter().map(|column| column.text(row)).collect();
    Ok((0..table.rows()).map(key).collect())
}

fn show(key: &[Option<String>]) -> String {
    key.iter().map(|part| part.as_deref().unwrap_or("nothing")).collect::<Vec<_>>().join(", ")
}
