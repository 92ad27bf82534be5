//! Expectations on the values that several columns have in one row.
//!
//! Which rows are passed over is said by `ignore_row_if`; in the others a missing value equals
//! nothing, except another missing one where distinct rows or values are asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::declaration::{About, Declaration, Given, Takes, Wrong, flag, required};
use super::rule::{Finding, Rows, Rule};
use super::values::{failing, number, repeated, scalar_text};
use crate::ml::table::{Column, ColumnType};

/// Expectations on two or more columns.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_column_pair_values_to_be_equal",
        doc: "both columns have the same value in every row",
        about: About::Pair,
        own: &[],
        make: |given| {
            each(given, |columns, row| {
                let a = columns[0].text(row);
                a.is_some() && a == columns[1].text(row)
            })
        },
    },
    Declaration {
        name: "expect_column_pair_values_a_to_be_greater_than_b",
        doc: "the first column is above the second in every row; two columns of texts by their \
              bytes, so that dates as 2026-11-25 compare as dates",
        about: About::Pair,
        own: &[flag("or_equal", "whether both may be equal")],
        make: |given| {
            let or_equal = given.is("or_equal");
            each(given, move |columns, row| {
                let order = order(columns[0], columns[1], row);
                order.is_some_and(|order| order.is_gt() || or_equal && order.is_eq())
            })
        },
    },
    Declaration {
        name: "expect_column_pair_values_to_be_in_set",
        doc: "the values of both columns in a row are one of several pairs",
        about: About::Pair,
        own: &[required(
            "value_pairs_set",
            Takes::List(&Takes::List(&Takes::Scalar)),
            "the pairs that hold, as in [[\"a\", 1], [\"b\", 2]]",
        )],
        make: |given| {
            let pairs = pairs(given)?;
            each(given, move |columns, row| {
                let pair = columns[0].text(row).zip(columns[1].text(row));
                pair.is_some_and(|pair| pairs.contains(&pair))
            })
        },
    },
    Declaration {
        name: "expect_compound_columns_to_be_unique",
        doc: "no two rows have the same values in all of several columns",
        about: About::Columns,
        own: &[],
        make: |given| {
            on_rows(given, |columns, rows| {
                let key = |row| columns.iter().map(|column| column.text(row)).collect::<Vec<_>>();
                repeated(rows, key)
            })
        },
    },
    Declaration {
        name: "expect_multicolumn_sum_to_equal",
        doc: "the numbers of several columns, added in this order, are exactly a number in every row",
        about: About::Columns,
        own: &[required("sum_total", Takes::Number, "the sum")],
        make: |given| {
            let total = given.number("sum_total").unwrap_or_default();
            each(given, move |columns, row| {
                let sum =
                    columns.iter().try_fold(0.0, |sum, column| Some(sum + number(column, row)?));
                sum == Some(total)
            })
        },
    },
    Declaration {
        name: "expect_select_column_values_to_be_unique_within_record",
        doc: "no two of several columns have the same value in one row",
        about: About::Columns,
        own: &[],
        make: |given| {
            each(given, |columns, row| {
                let texts: BTreeSet<_> = columns.iter().map(|column| column.text(row)).collect();
                texts.len() == columns.len()
            })
        },
    },
];

/// Finds the rows, of those given, that do not hold.
type Unexpected = dyn Fn(&[&Column], &[usize]) -> Vec<usize> + Send + Sync;

struct OnRows {
    columns: Vec<String>,
    /// Whether a row is passed over when all, or any, of its values are missing.
    ignores_all: bool,
    ignores_any: bool,
    mostly: f64,
    unexpected: Box<Unexpected>,
}

fn on_rows(
    given: &Given<'_>,
    unexpected: impl Fn(&[&Column], &[usize]) -> Vec<usize> + Send + Sync + 'static,
) -> Result<Box<dyn Rule>, Wrong> {
    let columns = given.columns();
    let distinct: BTreeSet<_> = columns.iter().collect();
    if columns.len() < 2 || distinct.len() < columns.len() {
        let param = if given.text("column_B").is_some() { "column_B" } else { "column_list" };
        return Err(Wrong::about(param, "two or more columns are needed, each once"));
    }
    let ignored = given.text("ignore_row_if").unwrap_or_default();
    Ok(Box::new(OnRows {
        columns,
        ignores_all: matches!(&*ignored, "both_values_are_missing" | "all_values_are_missing"),
        ignores_any: matches!(&*ignored, "either_value_is_missing" | "any_value_is_missing"),
        mostly: given.number("mostly").unwrap_or(1.0),
        unexpected: Box::new(unexpected),
    }))
}

/// The rule that something is true of the values of each row.
fn each(
    given: &Given<'_>,
    holds: impl Fn(&[&Column], usize) -> bool + Send + Sync + 'static,
) -> Result<Box<dyn Rule>, Wrong> {
    on_rows(given, move |columns, rows| failing(rows, |row| holds(columns, row)))
}

impl Rule for OnRows {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let columns: Vec<&Column> =
            self.columns.iter().map(|name| rows.column(name)).collect::<anyhow::Result<_>>()?;
        let is_ignored = |row: usize| {
            let mut missing = columns.iter().map(|column| column.is_missing(row));
            match (self.ignores_all, self.ignores_any) {
                (true, _) => missing.all(|is_missing| is_missing),
                (_, true) => missing.any(|is_missing| is_missing),
                _ => false,
            }
        };
        let looked_at: Vec<usize> = rows.iter().filter(|row| !is_ignored(*row)).collect();
        let unexpected = (self.unexpected)(&columns, &looked_at);
        let ignored = rows.len() - looked_at.len();
        let shown = |row: usize| {
            let texts = columns.iter().map(|column| column.text(row));
            let texts: Vec<_> = texts.map(|text| text.unwrap_or("missing".to_owned())).collect();
            Some(texts.join(", "))
        };
        Ok(Finding::of_rows(looked_at.len(), ignored, &unexpected, self.mostly, shown))
    }
}

/// How two values compare; `None` when one is missing or they are of different types.
fn order(a: &Column, b: &Column, row: usize) -> Option<std::cmp::Ordering> {
    match (a.ty(), b.ty()) {
        (ColumnType::Text, ColumnType::Text) => Some(a.text(row)?.cmp(&b.text(row)?)),
        _ => number(a, row)?.partial_cmp(&number(b, row)?),
    }
}

fn pairs(given: &Given<'_>) -> Result<BTreeSet<(String, String)>, Wrong> {
    let wrong = |message: &str| Wrong::about("value_pairs_set", message);
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([a, b]) => Ok((scalar_text(a), scalar_text(b))),
        _ => Err(wrong("every item must be a list of two values")),
    };
    let pairs: BTreeSet<_> =
        given.list("value_pairs_set").iter().map(pair).collect::<Result<_, _>>()?;
    if pairs.is_empty() {
        Err(wrong("the set is empty: give at least one pair"))
    } else {
        Ok(pairs)
    }
}
