//! Expectations on a table as a whole, and on its rows by a condition.
//!
//! `expect_rows_to_satisfy` stands where Great Expectations takes SQL: its conditions are the small
//! language of `ml::condition`, which needs no database, gives the same answer everywhere, and is
//! read and checked before any data is.

use std::collections::BTreeSet;

use serde_json::json;

use super::declaration::{
    About, Declaration, Parameter, Presence, ROW_CONDITION, Takes, Wrong, required,
};
use super::range::{MAX_COUNT, MIN_COUNT, Range};
use super::reason::Reason;
use super::rule::{Finding, Rows, Rule};
use crate::ml::condition::Condition;
use crate::ml::table::Column;

const VALUE: Parameter = required("value", Takes::Count, "the number");

/// Expectations on a table.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_table_row_count_to_be_between",
        doc: "the number of rows is in a range",
        about: About::Table,
        own: &[MIN_COUNT, MAX_COUNT, ROW_CONDITION],
        make: |given| Ok(Box::new(Count { is_rows: true, range: Range::of(given)? })),
    },
    Declaration {
        name: "expect_table_row_count_to_equal",
        doc: "the table has so many rows",
        about: About::Table,
        own: &[VALUE, ROW_CONDITION],
        make: |given| Ok(Box::new(Count { is_rows: true, range: Range::only(given, "value") })),
    },
    Declaration {
        name: "expect_table_column_count_to_be_between",
        doc: "the number of columns is in a range",
        about: About::Table,
        own: &[MIN_COUNT, MAX_COUNT],
        make: |given| Ok(Box::new(Count { is_rows: false, range: Range::of(given)? })),
    },
    Declaration {
        name: "expect_table_column_count_to_equal",
        doc: "the table has so many columns",
        about: About::Table,
        own: &[VALUE],
        make: |given| Ok(Box::new(Count { is_rows: false, range: Range::only(given, "value") })),
    },
    Declaration {
        name: "expect_table_columns_to_match_set",
        doc: "the table has these columns, in any order",
        about: About::Table,
        own: &[
            required("column_set", Takes::List(&Takes::Text), "the names of the columns"),
            Parameter {
                name: "exact_match",
                takes: Takes::Bool,
                presence: Presence::Bool(true),
                doc: "whether there may be no others",
            },
        ],
        make: |given| {
            let names = given.texts("column_set").into_iter().collect();
            Ok(Box::new(ColumnSet { names, is_exact: given.is("exact_match") }))
        },
    },
    Declaration {
        name: "expect_table_columns_to_match_ordered_list",
        doc: "the table has these columns in this order and no others",
        about: About::Table,
        own: &[required("column_list", Takes::List(&Takes::Text), "the names of the columns")],
        make: |given| Ok(Box::new(ColumnOrder(given.texts("column_list")))),
    },
    Declaration {
        name: "expect_column_to_exist",
        doc: "the table has a column of this name",
        about: About::Table,
        own: &[required("column", Takes::Text, "the name of the column")],
        make: |given| Ok(Box::new(ColumnExists(given.text("column").unwrap_or_default()))),
    },
    Declaration {
        name: "expect_rows_to_satisfy",
        doc: "a condition is true of every row; rows of which it is unknown, because a value is \
              missing, are passed over",
        about: About::Rows,
        own: &[required(
            "condition",
            Takes::Condition,
            "what must be true, as in `charge >= 0 or plan == \"credit\"`",
        )],
        make: |given| {
            let text = given.text("condition").unwrap_or_default();
            let condition = Condition::parse(&text)
                .map_err(|mistake| Wrong::about("condition", mistake.to_string()))?;
            Ok(Box::new(Satisfy { condition, mostly: given.number("mostly").unwrap_or(1.0) }))
        },
    },
];

struct Count {
    is_rows: bool,
    range: Range,
}

impl Rule for Count {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let count = if self.is_rows { rows.len() } else { rows.table.columns().len() };
        let reason = match (self.is_rows, self.range.is_above(count as f64)) {
            (true, true) => Reason::DatasetHighNumExamples,
            (true, false) => Reason::DatasetLowNumExamples,
            (false, true) => Reason::SchemaNewColumn,
            (false, false) => Reason::SchemaMissingColumn,
        };
        Ok(Finding::whole(self.range.contains(count as f64), json!(count), Some(reason)))
    }
}

struct ColumnSet {
    names: BTreeSet<String>,
    is_exact: bool,
}

impl Rule for ColumnSet {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let present: BTreeSet<&str> = rows.table.names().collect();
        let expected: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        let missing: Vec<_> = expected.difference(&present).collect();
        let unexpected: Vec<_> = present.difference(&expected).collect();
        let holds = missing.is_empty() && (unexpected.is_empty() || !self.is_exact);
        let reason = match missing.is_empty() {
            true => Reason::SchemaNewColumn,
            false => Reason::SchemaMissingColumn,
        };
        let observed = json!({"missing": missing, "unexpected": unexpected});
        Ok(Finding::whole(holds, observed, Some(reason)))
    }
}

struct ColumnOrder(Vec<String>);

impl Rule for ColumnOrder {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let names: Vec<&str> = rows.table.names().collect();
        let is_missing = self.0.iter().any(|name| !names.contains(&name.as_str()));
        let is_new = names.iter().any(|name| !self.0.iter().any(|expected| expected == name));
        let reason = match (is_missing, is_new) {
            (true, _) => Some(Reason::SchemaMissingColumn),
            (_, true) => Some(Reason::SchemaNewColumn),
            _ => None,
        };
        Ok(Finding::whole(names == self.0, json!(names), reason))
    }
}

struct ColumnExists(String);

impl Rule for ColumnExists {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let exists = rows.table.column(&self.0).is_some();
        Ok(Finding::whole(exists, json!(exists), Some(Reason::SchemaMissingColumn)))
    }
}

struct Satisfy {
    condition: Condition,
    mostly: f64,
}

impl Rule for Satisfy {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let answers = self.condition.answers(rows.table).map_err(anyhow::Error::msg)?;
        let known = rows.iter().filter(|row| answers[*row].is_some()).count();
        let unexpected: Vec<usize> =
            rows.iter().filter(|row| answers[*row] == Some(false)).collect();
        let columns: Vec<&Column> =
            self.condition.columns().iter().filter_map(|name| rows.table.column(name)).collect();
        let shown = |row: usize| {
            let value = |column: &&Column| {
                let text = column.text(row).unwrap_or("missing".to_owned());
                format!("{} {text}", column.name)
            };
            Some(columns.iter().map(value).collect::<Vec<_>>().join(", "))
        };
        let missing = rows.len() - known;
        Ok(Finding::of_rows(known, missing, &unexpected, self.mostly, shown))
    }

    fn columns(&self) -> Vec<String> {
        self.condition.columns().into_iter().map(str::to_owned).collect()
    }
}
