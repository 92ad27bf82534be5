//! Segments: the rows of each value of some columns.

use std::collections::BTreeMap;

use super::super::table::Table;

/// The name of the segment of all rows.
pub const OVERALL: &str = "overall";

/// A column with more values than this is refused as a segment: it does not group rows.
pub const MAX_VALUES: usize = 100;

/// The segment of rows without a value is named after the column and this.
const MISSING: &str = "(missing)";

/// All rows, then the rows of each value of each column, as `column=value` in sorted order.
///
/// # Errors
/// A column that is not there, or one of more than `MAX_VALUES` values.
pub fn segments(table: &Table, columns: &[String]) -> Result<Vec<(String, Vec<usize>)>, String> {
    let mut segments = vec![(OVERALL.to_owned(), (0..table.rows()).collect())];
    for name in columns {
        let column = table.column(name).ok_or_else(|| format!("no column `{name}`"))?;
        let mut by_value: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..column.len() {
            let value = column.text(row).unwrap_or_else(|| MISSING.to_owned());
            by_value.entry(value).or_default().push(row);
            if by_value.len() > MAX_VALUES {
                return Err(format!(
                    "column `{name}` has more than {MAX_VALUES} values: it is no segment"
                ));
            }
        }
        let named = |(value, rows)| (format!("{name}={value}"), rows);
        segments.extend(by_value.into_iter().map(named));
    }
    Ok(segments)
}
