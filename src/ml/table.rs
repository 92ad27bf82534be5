//! A table in memory: named columns of one type each, all of the same length.
//!
//! Plain vectors, so that all that learns from a table can be read and reasoned about alone. It
//! does not know files, roles or the library that reads them: `table_file` joins both, and nothing
//! else here depends on that library's types, kernels or order of rows.

use std::collections::BTreeSet;

use super::cell::Cell;
use super::texts::Texts;

/// A table: columns in their order, rows counted from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name, unique in its table and not empty.
    pub name: String,
    /// One value per row.
    pub values: Values,
}

/// The values of a column, all of one type.
#[derive(Clone, Debug)]
pub enum Values {
    /// Whole numbers; `None` is missing.
    Integer(Vec<Option<i64>>),
    /// Numbers; NaN is missing.
    Number(Vec<f64>),
    /// Truth values; `None` is missing.
    Boolean(Vec<Option<bool>>),
    /// Texts, each kept once; `None` and the empty text are missing.
    Text(Texts),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnType {
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating-point numbers.
    Number,
    /// `true` and `false`.
    Boolean,
    /// Texts.
    Text,
}

/// Columns that do not make a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotATable {
    /// A column has no name; its place, counted from 0.
    Unnamed(usize),
    /// Two columns have this name.
    Twice(String),
    /// This column has another number of rows than the first.
    Uneven(String),
}

impl std::fmt::Display for NotATable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotATable::Unnamed(at) => {
                write!(f, "column {} has no name: every column needs one", at + 1)
            }
            NotATable::Twice(name) => {
                write!(f, "two columns have the name `{name}`: rename or remove one of them")
            }
            NotATable::Uneven(name) => {
                write!(f, "column `{name}` has another number of rows than the first")
            }
        }
    }
}

impl std::error::Error for NotATable {}

impl ColumnType {
    /// The name that people and documents use.
    pub fn name(self) -> &'static str {
        match self {
            ColumnType::Integer => "integer",
            ColumnType::Number => "number",
            ColumnType::Boolean => "boolean",
            ColumnType::Text => "text",
        }
    }
}

impl Table {
    /// A table of columns.
    ///
    /// # Errors
    /// When a name is empty or used twice, or the columns differ in length.
    pub fn new(columns: Vec<Column>) -> Result<Table, NotATable> {
        let rows = columns.first().map_or(0, Column::len);
        let mut seen = BTreeSet::new();
        for (at, column) in columns.iter().enumerate() {
            if column.name.is_empty() {
                return Err(NotATable::Unnamed(at));
            }
            if !seen.insert(column.name.as_str()) {
                return Err(NotATable::Twice(column.name.clone()));
            }
            if column.len() != rows {
                return Err(NotATable::Uneven(column.name.clone()));
            }
        }
        Ok(Table { columns, rows })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the columns, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The rows at these indices, in this order; an index may come more than once.
    ///
    /// # Panics
    /// When an index is not below `rows()`.
    pub fn take(&self, indices: &[usize]) -> Table {
        let columns = self.columns.iter().map(|column| column.take(indices)).collect();
        Table { columns, rows: indices.len() }
    }
}

impl Column {
    /// A column of a name.
    pub fn new(name: impl Into<String>, values: Values) -> Column {
        Column { name: name.into(), values }
    }

    /// The type of the values.
    pub fn ty(&self) -> ColumnType {
        match self.values {
            Values::Integer(_) => ColumnType::Integer,
            Values::Number(_) => ColumnType::Number,
            Values::Boolean(_) => ColumnType::Boolean,
            Values::Text(_) => ColumnType::Text,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Integer(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text(texts) => texts.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a row as a model sees it: a truth value is 0 or 1; null, NaN, an infinite
    /// number and the empty text are `Missing`.
    ///
    /// # Panics
    /// When the row is not below `len()`.
    pub fn cell(&self, row: usize) -> Cell {
        match &self.values {
            Values::Text(texts) => {
                texts.get(row).map_or(Cell::Missing, |text| Cell::Text(text.into()))
            }
            _ => self.number(row).map_or(Cell::Missing, Cell::Number),
        }
    }

    /// The value of a row as a finite number, a truth value as 0 or 1; `None` when it is missing
    /// or a text.
    ///
    /// # Panics
    /// When the row is not below `len()`.
    pub fn number(&self, row: usize) -> Option<f64> {
        match &self.values {
            Values::Integer(values) => values[row].map(|value| value as f64),
            Values::Number(values) => Some(values[row]).filter(|value| value.is_finite()),
            Values::Boolean(values) => values[row].map(|value| f64::from(u8::from(value))),
            Values::Text(_) => None,
        }
    }

    /// The value of a row as text, numbers in the shortest form that reads back to the same bits;
    /// `None` when it is missing.
    ///
    /// # Panics
    /// When the row is not below `len()`.
    pub fn text(&self, row: usize) -> Option<String> {
        match &self.values {
            Values::Integer(values) => values[row].map(|value| value.to_string()),
            Values::Number(values) => {
                Some(values[row]).filter(|value| value.is_finite()).map(|value| value.to_string())
            }
            Values::Boolean(values) => values[row].map(|value| value.to_string()),
            Values::Text(texts) => texts.get(row).map(str::to_owned),
        }
    }

    /// Whether a row has no value.
    ///
    /// # Panics
    /// When the row is not below `len()`.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.values {
            Values::Integer(values) => values[row].is_none(),
            Values::Number(values) => !values[row].is_finite(),
            Values::Boolean(values) => values[row].is_none(),
            Values::Text(texts) => texts.get(row).is_none(),
        }
    }

    /// Per row the place of its value among the different ones, sorted as texts, and how many these
    /// are; `None` is missing.
    pub fn codes(&self) -> (Vec<Option<u32>>, u32) {
        let texts = match &self.values {
            Values::Text(texts) => return texts.places(),
            _ => (0..self.len()).map(|row| self.text(row)).collect::<Texts>(),
        };
        texts.places()
    }

    /// How many rows have no value.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|row| self.is_missing(*row)).count()
    }

    fn take(&self, indices: &[usize]) -> Column {
        let values = match &self.values {
            Values::Integer(values) => Values::Integer(pick(values, indices)),
            Values::Number(values) => Values::Number(pick(values, indices)),
            Values::Boolean(values) => Values::Boolean(pick(values, indices)),
            Values::Text(texts) => Values::Text(texts.take(indices)),
        };
        Column { name: self.name.clone(), values }
    }
}

/// Missing equals missing, and numbers are equal when their bits are.
impl PartialEq for Values {
    fn eq(&self, other: &Values) -> bool {
        match (self, other) {
            (Values::Integer(a), Values::Integer(b)) => a == b,
            (Values::Number(a), Values::Number(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
            }
            (Values::Boolean(a), Values::Boolean(b)) => a == b,
            (Values::Text(a), Values::Text(b)) => a == b,
            _ => false,
        }
    }
}

fn pick<T: Clone>(values: &[T], indices: &[usize]) -> Vec<T> {
    indices.iter().map(|index| values[*index].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Table {
        Table::new(vec![
            Column::new("whole", Values::Integer(vec![Some(3), None, Some(-1)])),
            Column::new("real", Values::Number(vec![0.5, f64::NAN, f64::INFINITY])),
            Column::new("truth", Values::Boolean(vec![Some(true), Some(false), None])),
            Column::new("words", Values::Text(vec![Some("a b"), Some(""), None].into())),
        ])
        .unwrap()
    }

    #[test]
    fn a_cell_is_missing_when_null_not_finite_or_empty() {
        let table = small();
        let cells = |name: &str| {
            let column = table.column(name).unwrap();
            (0..3).map(|row| column.cell(row)).collect::<Vec<_>>()
        };
        assert_eq!(cells("whole"), [Cell::Number(3.0), Cell::Missing, Cell::Number(-1.0)]);
        assert_eq!(cells("real"), [Cell::Number(0.5), Cell::Missing, Cell::Missing]);
        assert_eq!(cells("truth"), [Cell::Number(1.0), Cell::Number(0.0), Cell::Missing]);
        assert_eq!(cells("words"), [Cell::Text("a b".into()), Cell::Missing, Cell::Missing]);
        let missing: Vec<_> = table.columns().iter().map(Column::missing).collect();
        assert_eq!(missing, [1, 2, 1, 2]);
    }

    #[test]
    fn rows_are_taken_in_the_order_asked_for() {
        let taken = small().take(&[2, 0, 0]);
        assert_eq!(taken.rows(), 3);
        let whole = taken.column("whole").unwrap();
        assert_eq!(whole.values, Values::Integer(vec![Some(-1), Some(3), Some(3)]));
        assert_eq!(taken.names().collect::<Vec<_>>(), ["whole", "real", "truth", "words"]);
    }

    #[test]
    fn a_table_without_rows_keeps_its_columns() {
        let none = small().take(&[]);
        assert_eq!((none.rows(), none.columns().len()), (0, 4));
        assert!(none.columns()[0].is_empty());
    }

    #[test]
    fn columns_must_have_distinct_names_and_one_length() {
        let column = |name: &str, rows: usize| Column::new(name, Values::Number(vec![1.0; rows]));
        let wrong = |columns| Table::new(columns).unwrap_err();
        assert_eq!(wrong(vec![column("a", 1), column("a", 1)]), NotATable::Twice("a".to_owned()));
        assert_eq!(wrong(vec![column("a", 1), column("", 1)]), NotATable::Unnamed(1));
        assert_eq!(wrong(vec![column("a", 1), column("b", 2)]), NotATable::Uneven("b".to_owned()));
    }

    #[test]
    fn codes_are_the_places_of_sorted_texts() {
        let column = Column::new("x", Values::Integer([10, 9, 10, -1].map(Some).to_vec()));
        assert_eq!(column.codes(), (vec![Some(1), Some(2), Some(1), Some(0)], 3));
        let texts = Values::Text(vec![Some("b"), None, Some("a")].into());
        let taken = Column::new("x", texts).take(&[2, 1, 2]);
        assert_eq!(taken.codes(), (vec![Some(0), None, Some(0)], 1));
    }

    #[test]
    fn a_value_is_told_in_its_shortest_form() {
        let table = small();
        let told: Vec<_> = table.columns().iter().map(|column| column.text(0)).collect();
        assert_eq!(told.iter().flatten().collect::<Vec<_>>(), ["3", "0.5", "true", "a b"]);
    }
}
