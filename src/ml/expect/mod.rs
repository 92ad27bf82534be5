//! Expectations: what a table must be like, with the names and rules of Great Expectations.
//!
//! `declare` turns parameters into expectations that can be checked, this module checks them. It
//! does not decide what a failure means for a stage. Missing values are passed over by every
//! expectation on values except the one that there be none, and `mostly` is the least share of the
//! values looked at that must hold.

mod declare;

use std::collections::BTreeSet;

use anyhow::Context;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use declare::{Expectation, Wrong, declare};
use declare::{Rule, Test, ValueType};

use super::table::{Column, ColumnType, Table, Values};
use super::{describe, infer, json};

/// The format of `validation.json`.
pub const FORMAT: &str = "pipeline.validation/1";

/// How many unexpected rows are told of each expectation.
pub const TOLD_ROWS: usize = 10;

/// The parameters that tell expectations of one name apart, in the order in which people read them.
const SHOWN_PARAMS: [&str; 10] = [
    "min_value",
    "strict_min",
    "max_value",
    "strict_max",
    "value_set",
    "type_",
    "regex",
    "column_set",
    "exact_match",
    "mostly",
];

/// What a failed expectation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The table must not be used.
    Error,
    /// People should know.
    Warning,
}

/// The outcome of all expectations on a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// `FORMAT`.
    pub format: String,
    /// Whether every expectation of severity `error` holds.
    pub success: bool,
    /// The number of rows.
    pub rows: usize,
    /// The outcomes, in the order of the expectations.
    pub results: Vec<Outcome>,
}

/// The outcome of one expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Whether it holds.
    pub success: bool,
    /// What it means when it does not.
    pub severity: Severity,
    /// The expectation as declared, with its name under `expect` and defaults filled in.
    pub expectation: Value,
    /// What was found: a number of rows, names, a range, a type; null where counts say it all.
    pub observed: Value,
    /// How many values were looked at; 0 for expectations on the table.
    pub element_count: usize,
    /// How many values were missing and passed over.
    pub missing_count: usize,
    /// How many of the values looked at do not hold.
    pub unexpected_count: usize,
    /// The same of 100 values.
    #[serde(serialize_with = "json::finite")]
    pub unexpected_percent: f64,
    /// The first `TOLD_ROWS` rows that do not hold.
    pub unexpected_rows: Vec<UnexpectedRow>,
}

/// A row that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnexpectedRow {
    /// The row, counted from 1, the header not counted.
    pub row: usize,
    /// The value, as text; null when it is missing.
    pub value: Option<String>,
    /// The values of the columns that name the row, if any does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Checks every expectation on a table; `ids` are the columns that name a row.
///
/// # Errors
/// When an expectation on values names a column that the table does not have.
pub fn validate(
    table: &Table,
    ids: &[&Column],
    expectations: &[Expectation],
) -> anyhow::Result<Validation> {
    let outcomes: Vec<anyhow::Result<Outcome>> =
        expectations.par_iter().map(|expectation| check(table, ids, expectation)).collect();
    let results: Vec<Outcome> = outcomes.into_iter().collect::<anyhow::Result<_>>()?;
    let success =
        results.iter().all(|outcome| outcome.success || outcome.severity != Severity::Error);
    Ok(Validation { format: FORMAT.to_owned(), success, rows: table.rows(), results })
}

impl Outcome {
    /// One line for people: the expectation, and the rows and values that do not hold.
    pub fn sentence(&self) -> String {
        let told = describe_expectation(&self.expectation);
        if self.element_count == 0 {
            return format!("{told}: observed {}", self.observed);
        }
        let rows: Vec<_> = self.unexpected_rows.iter().map(UnexpectedRow::sentence).collect();
        let more = self.unexpected_count - rows.len();
        let and_more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!(
            "{told}: {} of {} values ({:.2} %) are unexpected: {}{and_more}",
            self.unexpected_count,
            self.element_count,
            self.unexpected_percent,
            rows.join("; ")
        )
    }
}

impl UnexpectedRow {
    fn sentence(&self) -> String {
        const SHOWN_CHARS: usize = 60;
        let id = self.id.as_ref().map_or(String::new(), |id| format!(" ({id})"));
        let value = self.value.as_ref().map_or("missing".to_owned(), |value| {
            format!("`{}`", value.chars().take(SHOWN_CHARS).collect::<String>())
        });
        format!("row {}{id}: {value}", self.row)
    }
}

/// The name of an expectation with its parameters, without those that say nothing.
fn describe_expectation(declared: &Value) -> String {
    let text = |key: &str| declared.get(key).and_then(Value::as_str);
    let mut told = text("expect").unwrap_or("expectation").to_owned();
    if let Some(column) = text("column") {
        told.push_str(&format!(" on `{column}`"));
    }
    let says_nothing = |key: &str, value: &Value| match key {
        "mostly" => value.as_f64() == Some(1.0),
        _ => matches!(value, Value::Null | Value::Bool(false)),
    };
    let shown = |value: &Value| match value.as_f64() {
        Some(number) => number.to_string(),
        None => value.to_string(),
    };
    let params: Vec<_> = SHOWN_PARAMS
        .into_iter()
        .filter_map(|key| declared.get(key).map(|value| (key, value)))
        .filter(|(key, value)| !says_nothing(key, value))
        .map(|(key, value)| format!("{key} {}", shown(value)))
        .collect();
    if !params.is_empty() {
        told.push_str(&format!(" ({})", params.join(", ")));
    }
    told
}

fn check(table: &Table, ids: &[&Column], expectation: &Expectation) -> anyhow::Result<Outcome> {
    let (success, observed) = match &expectation.rule {
        Rule::Values { column, mostly, test } => {
            let column = table.column(column).with_context(|| format!("no column `{column}`"))?;
            return Ok(check_values(column, ids, *mostly, test, expectation));
        }
        Rule::RowCount { min, max } => {
            let rows = table.rows() as u64;
            let holds = min.is_none_or(|min| rows >= min) && max.is_none_or(|max| rows <= max);
            (holds, json!(rows))
        }
        Rule::ColumnSet { names, is_exact } => {
            let present: BTreeSet<&str> = table.names().collect();
            let expected: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let missing: Vec<_> = expected.difference(&present).collect();
            let unexpected: Vec<_> = present.difference(&expected).collect();
            let holds = missing.is_empty() && (unexpected.is_empty() || !is_exact);
            (holds, json!({"missing": missing, "unexpected": unexpected}))
        }
        Rule::ColumnExists(name) => {
            let exists = table.column(name).is_some();
            (exists, json!(exists))
        }
    };
    Ok(Outcome {
        success,
        severity: expectation.severity,
        expectation: expectation.declared.clone(),
        observed,
        element_count: 0,
        missing_count: 0,
        unexpected_count: 0,
        unexpected_percent: 0.0,
        unexpected_rows: Vec::new(),
    })
}

fn check_values(
    column: &Column,
    ids: &[&Column],
    mostly: f64,
    test: &Test,
    expectation: &Expectation,
) -> Outcome {
    let missing = column.missing();
    let passed_over = if matches!(test, Test::NotNull) { 0 } else { missing };
    let looked_at = column.len() - passed_over;
    let rows = unexpected(column, test);
    let share = if looked_at == 0 { 0.0 } else { rows.len() as f64 / looked_at as f64 };
    let holding = (looked_at - rows.len()) as f64;
    let told = |row: &usize| UnexpectedRow {
        row: row + 1,
        value: column.text(*row),
        id: name_of(ids, *row),
    };
    Outcome {
        success: looked_at == 0 || holding / looked_at as f64 >= mostly,
        severity: expectation.severity,
        expectation: expectation.declared.clone(),
        observed: observed(column, test),
        element_count: looked_at,
        missing_count: missing,
        unexpected_count: rows.len(),
        unexpected_percent: 100.0 * share,
        unexpected_rows: rows.iter().take(TOLD_ROWS).map(told).collect(),
    }
}

/// What names a row for people; `None` when no column does.
fn name_of(ids: &[&Column], row: usize) -> Option<String> {
    let parts: Vec<_> = ids
        .iter()
        .map(|id| format!("{} {}", id.name, id.text(row).as_deref().unwrap_or("missing")))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The rows whose value does not hold, ascending.
fn unexpected(column: &Column, test: &Test) -> Vec<usize> {
    let present = (0..column.len()).filter(|row| !column.is_missing(*row));
    let text = |row: usize| column.text(row).unwrap_or_default();
    match test {
        Test::NotNull => (0..column.len()).filter(|row| column.is_missing(*row)).collect(),
        Test::Between(range) => present
            .filter(|row| !number(column, *row).is_some_and(|number| range.contains(number)))
            .collect(),
        Test::InSet(set) => present.filter(|row| !set.contains(&text(*row))).collect(),
        Test::OfType(ty) => present.filter(|row| !is_of_type(column, *row, *ty)).collect(),
        Test::MatchesRegex(regex) => present.filter(|row| !regex.is_match(&text(*row))).collect(),
        Test::Unique => {
            let mut named: Vec<(String, usize)> = present.map(|row| (text(row), row)).collect();
            named.sort_unstable();
            let doubled = named.chunk_by(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1);
            let mut rows: Vec<usize> = doubled.flatten().map(|(_, row)| *row).collect();
            rows.sort_unstable();
            rows
        }
    }
}

/// The number in a row. One stray word makes a column of numbers a column of texts; its numbers
/// are still numbers, and only the word is unexpected.
fn number(column: &Column, row: usize) -> Option<f64> {
    match &column.values {
        Values::Text(values) => values[row].as_deref().and_then(infer::as_number),
        _ => column.number(row),
    }
}

fn is_of_type(column: &Column, row: usize, ty: ValueType) -> bool {
    match (ty, &column.values) {
        (ValueType::Text, _) => column.ty() == ColumnType::Text,
        (ValueType::Boolean, Values::Text(values)) => {
            values[row].as_deref().is_some_and(infer::is_boolean)
        }
        (ValueType::Boolean, _) => column.ty() == ColumnType::Boolean,
        (_, Values::Boolean(_)) => false,
        (ValueType::Number, _) => number(column, row).is_some(),
        (ValueType::Integer, _) => number(column, row).is_some_and(|number| number.fract() == 0.0),
    }
}

fn observed(column: &Column, test: &Test) -> Value {
    match test {
        Test::Between(_) => {
            let numbers = (0..column.len()).filter_map(|row| number(column, row));
            let range = numbers.fold(None, |range: Option<(f64, f64)>, number| match range {
                None => Some((number, number)),
                Some((min, max)) => Some((min.min(number), max.max(number))),
            });
            range.map_or(Value::Null, |(min, max)| json!({"min": min, "max": max}))
        }
        Test::OfType(_) => json!(column.ty().name()),
        Test::Unique => json!({"distinct": describe::distinct(column, 0, 0).count}),
        Test::NotNull | Test::InSet(_) | Test::MatchesRegex(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests;
