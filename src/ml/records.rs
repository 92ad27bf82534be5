//! A table as the records that a request would have: one line of JSON per row.
//!
//! What predicts a file and what predicts a request then read the same texts, and cannot differ.
//! Floats are written so that they read back to their bits. Knows neither where the table comes
//! from nor who reads the lines.

use std::io::{self, Read};

use super::cell::Cell;
use super::package::input;
use super::table::{Column, ColumnType, Table, Values};
use super::table_file;

pub use super::table_file::Unusable;

/// The rows of a table, one after another.
pub struct Records {
    table: Table,
    /// The names of the columns as JSON.
    keys: Vec<String>,
    row: usize,
    /// The line that is being read, and how far.
    line: Vec<u8>,
    at: usize,
}

impl Records {
    /// The rows of a table.
    pub fn new(table: Table) -> Records {
        let keys = table.names().map(|name| serde_json::Value::from(name).to_string()).collect();
        Records { table, keys, row: 0, line: Vec::new(), at: 0 }
    }

    /// The rows of a Parquet file of a stranger, of which a table of at most so many bytes is made.
    ///
    /// # Errors
    /// When it would be larger, or the file is damaged or uses what is not supported.
    pub fn of_parquet(bytes: Vec<u8>, budget: u64) -> Result<Records, Unusable> {
        table_file::read_bounded(bytes, budget).map(Records::new)
    }

    /// The names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.table.names()
    }

    /// Appends the line of the next row; false when there is none.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> bool {
        if self.row == self.table.rows() {
            return false;
        }
        let mut before = b'{';
        for (key, column) in self.keys.iter().zip(self.table.columns()) {
            out.push(before);
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            out.extend_from_slice(value(column, self.row).as_bytes());
            before = b',';
        }
        out.extend_from_slice(if before == b'{' { b"{}\n" } else { b"}\n" });
        self.row += 1;
        true
    }
}

/// A value as JSON. An infinite number, which in a table of ours is missing, is written as one that
/// JSON has no room for, so that it is refused with its row, as it would be in a request.
fn value(column: &Column, row: usize) -> String {
    if let Values::Number(values) = &column.values
        && values[row].is_infinite()
    {
        return if values[row] > 0.0 { "1e999" } else { "-1e999" }.to_owned();
    }
    match (column.cell(row), column.ty()) {
        (Cell::Missing, _) => "null".to_owned(),
        (Cell::Text(text), _) => serde_json::Value::from(text.as_str()).to_string(),
        (Cell::Number(x), ColumnType::Boolean) => (x != 0.0).to_string(),
        (Cell::Number(x), ty) => input::number(x, ty == ColumnType::Integer).to_string(),
    }
}

impl Read for Records {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            self.next_line(&mut line);
            (self.line, self.at) = (line, 0);
        }
        let n = (&self.line[self.at..]).read(out)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_whatever_its_values_are() {
        let texts = vec![Some("a \"b\"\n".to_owned()), None];
        let table = Table::new(vec![
            Column::new("t", Values::Text(texts.into())),
            Column::new("i\"", Values::Integer(vec![Some(-3), None])),
            Column::new("x", Values::Number(vec![0.1 + 0.2, f64::NEG_INFINITY])),
            Column::new("b", Values::Boolean(vec![Some(true), Some(false)])),
        ]);
        let mut lines = String::new();
        Records::new(table.unwrap()).read_to_string(&mut lines).unwrap();
        let expected = "{\"t\":\"a \\\"b\\\"\\n\",\"i\\\"\":-3,\"x\":0.30000000000000004,\"b\":true}\n\
                        {\"t\":null,\"i\\\"\":null,\"x\":-1e999,\"b\":false}\n";
        assert_eq!(lines, expected);
    }
}
