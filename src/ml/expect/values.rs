//! Expectations on each value of a column.
//!
//! Missing values are passed over, except where missing is what is asked. One stray word makes a
//! column of numbers a column of texts; its numbers are still numbers here, and only the word is
//! unexpected.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::declaration::{About, Declaration, Given, Takes, Wrong, required};
use super::range::{MAX, MIN, Range, STRICT_MAX, STRICT_MIN};
use super::reason::Reason;
use super::rule::{Finding, Rows, Rule};
use crate::ml::table::{Column, ColumnType, Values};
use crate::ml::{describe, infer};

/// The names of types.
const TYPES: Takes = Takes::Choice(&["integer", "number", "boolean", "text"]);

/// Expectations on each value of a column.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_column_values_to_not_be_null",
        doc: "no value is missing",
        about: About::Values,
        own: &[],
        make: |given| values(given, Presence { is_wanted: true }),
    },
    Declaration {
        name: "expect_column_values_to_be_null",
        doc: "every value is missing",
        about: About::Values,
        own: &[],
        make: |given| values(given, Presence { is_wanted: false }),
    },
    Declaration {
        name: "expect_column_values_to_be_between",
        doc: "every value is a number in a range",
        about: About::Values,
        own: &[MIN, MAX, STRICT_MIN, STRICT_MAX],
        make: |given| values(given, Between(Range::of(given)?)),
    },
    Declaration {
        name: "expect_column_values_to_be_in_set",
        doc: "every value is one of a set; 1, 1.0 and \"1\" are the same",
        about: About::Values,
        own: &[required("value_set", Takes::List(&Takes::Scalar), "the values that hold")],
        make: |given| values(given, InSet { set: value_set(given)?, is_wanted: true }),
    },
    Declaration {
        name: "expect_column_values_to_not_be_in_set",
        doc: "no value is one of a set",
        about: About::Values,
        own: &[required("value_set", Takes::List(&Takes::Scalar), "the values that do not hold")],
        make: |given| values(given, InSet { set: value_set(given)?, is_wanted: false }),
    },
    Declaration {
        name: "expect_column_values_to_be_unique",
        doc: "no value comes twice; all rows of one that does are unexpected",
        about: About::Values,
        own: &[],
        make: |given| values(given, Unique),
    },
    Declaration {
        name: "expect_column_values_to_be_of_type",
        doc: "every value is of a type; a whole number is a number, too",
        about: About::Values,
        own: &[required("type_", TYPES, "the type of every value")],
        make: |given| {
            let ty = given.value("type_").into_iter().collect::<Vec<_>>();
            values(given, OfType(types("type_", &ty)?))
        },
    },
    Declaration {
        name: "expect_column_values_to_be_in_type_list",
        doc: "every value is of one of several types",
        about: About::Values,
        own: &[required("type_list", Takes::List(&TYPES), "the types that hold")],
        make: |given| values(given, OfType(types("type_list", &given.list("type_list"))?)),
    },
];

/// A test on the values of a column.
pub(super) trait Test: Send + Sync {
    /// The rows, of those given, whose value does not hold, in their order.
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize>;

    /// Whether rows without a value are among those given.
    fn looks_at_missing(&self) -> bool {
        false
    }

    /// What is told beside counts.
    fn observed(&self, _column: &Column, _rows: &[usize]) -> Value {
        Value::Null
    }

    /// Why the value of a row, the first that does not hold, does not.
    fn reason(&self, _column: &Column, _row: usize) -> Option<Reason> {
        None
    }
}

/// The rule that the values of the given column pass a test.
pub(super) fn values(given: &Given<'_>, test: impl Test + 'static) -> Result<Box<dyn Rule>, Wrong> {
    let column = given.text("column").unwrap_or_default();
    let mostly = given.number("mostly").unwrap_or(1.0);
    Ok(Box::new(OnValues { column, mostly, test: Box::new(test) }))
}

struct OnValues {
    column: String,
    mostly: f64,
    test: Box<dyn Test>,
}

impl Rule for OnValues {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let looks_at_missing = self.test.looks_at_missing();
        let looked_at: Vec<usize> =
            rows.iter().filter(|row| looks_at_missing || !column.is_missing(*row)).collect();
        let missing = match looks_at_missing {
            true => rows.iter().filter(|row| column.is_missing(*row)).count(),
            false => rows.len() - looked_at.len(),
        };
        let unexpected = self.test.unexpected(column, &looked_at);
        let shown = |row: usize| column.text(row);
        let mut finding =
            Finding::of_rows(looked_at.len(), missing, &unexpected, self.mostly, shown);
        finding.observed = self.test.observed(column, &looked_at);
        let first = unexpected.first().filter(|_| !finding.success);
        finding.reason = first.and_then(|row| self.test.reason(column, *row));
        if finding.reason == Some(Reason::FeatureTypeLowFractionPresent)
            && unexpected.len() == looked_at.len()
        {
            finding.reason = Some(Reason::FeatureTypeNotPresent);
        }
        Ok(finding)
    }
}

/// The rows of which something does not hold, found in parallel and kept in their order.
pub(super) fn failing(rows: &[usize], holds: impl Fn(usize) -> bool + Sync) -> Vec<usize> {
    rows.par_iter().copied().filter(|row| !holds(*row)).collect()
}

/// The text of a value that is there.
pub(super) fn text(column: &Column, row: usize) -> Cow<'_, str> {
    match &column.values {
        Values::Text(values) => Cow::Borrowed(values.get(row).unwrap_or_default()),
        _ => Cow::Owned(column.text(row).unwrap_or_default()),
    }
}

/// The number in a row; of a text, what it is written as.
pub(super) fn number(column: &Column, row: usize) -> Option<f64> {
    match &column.values {
        Values::Text(values) => values.get(row).and_then(infer::as_number),
        _ => column.number(row),
    }
}

/// Scalars as the texts of column values: `1`, `1.0` and `"1"` are the same.
pub(super) fn scalar_text(value: &Value) -> String {
    match (value, value.as_i64(), value.as_f64()) {
        (Value::String(text), ..) => text.clone(),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, Some(number)) => number.to_string(),
        (other, ..) => other.to_string(),
    }
}

/// The parameter `value_set` as texts.
///
/// # Errors
/// When it is empty.
pub(super) fn value_set(given: &Given<'_>) -> Result<BTreeSet<String>, Wrong> {
    let set: BTreeSet<String> = given.list("value_set").iter().map(scalar_text).collect();
    match set.is_empty() {
        true => Err(Wrong::about("value_set", "the set is empty: give at least one value")),
        false => Ok(set),
    }
}

struct Presence {
    is_wanted: bool,
}

impl Test for Presence {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        failing(rows, |row| column.is_missing(row) != self.is_wanted)
    }

    fn looks_at_missing(&self) -> bool {
        true
    }

    fn reason(&self, _column: &Column, _row: usize) -> Option<Reason> {
        self.is_wanted.then_some(Reason::FeatureTypeLowFractionPresent)
    }
}

struct Between(Range);

impl Test for Between {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        failing(rows, |row| number(column, row).is_some_and(|number| self.0.contains(number)))
    }

    fn observed(&self, column: &Column, rows: &[usize]) -> Value {
        let numbers = rows.iter().filter_map(|row| number(column, *row));
        let range = numbers.fold(None, |range: Option<(f64, f64)>, number| match range {
            None => Some((number, number)),
            Some((min, max)) => Some((min.min(number), max.max(number))),
        });
        range.map_or(Value::Null, |(min, max)| json!({"min": min, "max": max}))
    }

    fn reason(&self, column: &Column, row: usize) -> Option<Reason> {
        Some(match number(column, row) {
            None => Reason::no_number(column),
            Some(number) => Reason::out_of_range(column, self.0.is_above(number)),
        })
    }
}

struct InSet {
    set: BTreeSet<String>,
    is_wanted: bool,
}

impl Test for InSet {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        failing(rows, |row| self.set.contains(text(column, row).as_ref()) == self.is_wanted)
    }

    fn reason(&self, column: &Column, _row: usize) -> Option<Reason> {
        Reason::not_in_set(column)
    }
}

struct Unique;

impl Test for Unique {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        repeated(rows, |row| text(column, row))
    }

    fn observed(&self, column: &Column, rows: &[usize]) -> Value {
        let distinct = match rows.len() + column.missing() == column.len() {
            true => describe::distinct(column, 0, 0).count,
            false => rows.iter().map(|row| text(column, *row)).collect::<BTreeSet<_>>().len(),
        };
        json!({ "distinct": distinct })
    }

    fn reason(&self, _column: &Column, _row: usize) -> Option<Reason> {
        Some(Reason::FeatureTypeLowUnique)
    }
}

/// All rows whose key another row has, too, ascending.
pub(super) fn repeated<K: Ord + Send>(
    rows: &[usize],
    key: impl Fn(usize) -> K + Sync,
) -> Vec<usize> {
    let mut named: Vec<(K, usize)> = rows.par_iter().map(|row| (key(*row), *row)).collect();
    named.par_sort_unstable();
    let equal = named.chunk_by(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1);
    let mut rows: Vec<usize> = equal.flatten().map(|(_, row)| *row).collect();
    rows.sort_unstable();
    rows
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValueType {
    Integer,
    Number,
    Boolean,
    Text,
}

struct OfType(Vec<ValueType>);

fn types(param: &'static str, names: &[Value]) -> Result<Vec<ValueType>, Wrong> {
    let types: Result<Vec<_>, _> = names.iter().map(ValueType::deserialize).collect();
    let types = types.map_err(|error| Wrong::about(param, error.to_string()))?;
    match types.is_empty() {
        true => Err(Wrong::about(param, "the list is empty: no value can hold")),
        false => Ok(types),
    }
}

impl Test for OfType {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        failing(rows, |row| self.0.iter().any(|ty| is_of_type(column, row, *ty)))
    }

    fn observed(&self, column: &Column, _rows: &[usize]) -> Value {
        json!(column.ty().name())
    }

    fn reason(&self, column: &Column, row: usize) -> Option<Reason> {
        let [ty] = self.0[..] else { return Some(Reason::UnexpectedDataType) };
        Some(match (ty, column.ty()) {
            (ValueType::Text, ColumnType::Integer) => Reason::StringTypeNowInt,
            (ValueType::Text, ColumnType::Number) => Reason::StringTypeNowFloat,
            (ValueType::Boolean, ColumnType::Text) => Reason::BoolTypeUnexpectedString,
            (ValueType::Boolean, ColumnType::Number) => Reason::BoolTypeUnexpectedFloat,
            (ValueType::Integer, ColumnType::Text) if number(column, row).is_none() => {
                Reason::IntTypeNotIntString
            }
            (ValueType::Integer, ColumnType::Text | ColumnType::Number) => {
                Reason::IntTypeIntExpected
            }
            (ValueType::Number, _) => Reason::no_number(column),
            _ => Reason::UnexpectedDataType,
        })
    }
}

fn is_of_type(column: &Column, row: usize, ty: ValueType) -> bool {
    match (ty, &column.values) {
        (ValueType::Text, _) => column.ty() == ColumnType::Text,
        (ValueType::Boolean, Values::Text(values)) => {
            values.get(row).is_some_and(infer::is_boolean)
        }
        (ValueType::Boolean, _) => column.ty() == ColumnType::Boolean,
        (_, Values::Boolean(_)) => false,
        (ValueType::Number, _) => number(column, row).is_some(),
        (ValueType::Integer, _) => number(column, row).is_some_and(|number| number.fract() == 0.0),
    }
}
