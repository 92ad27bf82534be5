//! Segments: the rows of each value of some columns, and of each combination of values.

use std::collections::BTreeMap;

use super::super::table::{Column, Table};

/// The name of the segment of all rows.
pub const OVERALL: &str = "overall";

/// A column with more values than this is refused as a segment: it does not group rows.
pub const MAX_VALUES: usize = 100;

/// An intersection with more combinations than this that occur is refused.
const MAX_COMBINATIONS: usize = 1000;

/// The segment of rows without a value is named after the column and this.
const MISSING: &str = "(missing)";

/// All rows; then the rows of each value of each column, as `column=value` in sorted order; then
/// those of each combination of values that occurs, as `column=value & other=value`.
///
/// # Errors
/// A column that is not there, one of more than `MAX_VALUES` values, or an intersection of more
/// than `MAX_COMBINATIONS`.
pub fn segments(
    table: &Table,
    columns: &[String],
    intersect: &[Vec<String>],
) -> Result<Vec<(String, Vec<usize>)>, String> {
    let mut segments = vec![(OVERALL.to_owned(), (0..table.rows()).collect())];
    for name in columns {
        let found = group(table, std::slice::from_ref(name), MAX_VALUES);
        segments.extend(found?.ok_or_else(|| {
            format!("column `{name}` has more than {MAX_VALUES} values: it is no segment")
        })?);
    }
    for names in intersect {
        segments.extend(group(table, names, MAX_COMBINATIONS)?.ok_or_else(|| {
            let names = names.join(", ");
            format!("the intersection of {names} has more than {MAX_COMBINATIONS} combinations")
        })?);
    }
    Ok(segments)
}

/// The rows of each combination of values of some columns; `None` when there are more than `most`.
fn group(
    table: &Table,
    names: &[String],
    most: usize,
) -> Result<Option<BTreeMap<String, Vec<usize>>>, String> {
    let find = |name: &String| table.column(name).ok_or_else(|| format!("no column `{name}`"));
    let columns = names.iter().map(find).collect::<Result<Vec<&Column>, String>>()?;
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in 0..table.rows() {
        groups.entry(segment_of(&columns, row)).or_default().push(row);
        if groups.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(groups))
}

/// The name of the segment that a row is in by some columns.
fn segment_of(columns: &[&Column], row: usize) -> String {
    let part = |column: &&Column| {
        let value = column.text(row).unwrap_or_else(|| MISSING.to_owned());
        format!("{}={value}", column.name)
    };
    columns.iter().map(part).collect::<Vec<_>>().join(" & ")
}
