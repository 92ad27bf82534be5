//! Expectations as written, and as meant: only those that make sense can be checked.
//!
//! It knows the parameters of each expectation, after their types were checked and defaults filled
//! in, and no table.

use std::collections::BTreeSet;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::Severity;

/// An expectation that can be checked.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub(super) rule: Rule,
    pub(super) severity: Severity,
    pub(super) declared: Value,
}

/// What is wrong with one parameter of an expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// The parameter; empty when the expectation as a whole is meant.
    pub param: &'static str,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    Values { column: String, mostly: f64, test: Test },
    RowCount { min: Option<u64>, max: Option<u64> },
    ColumnSet { names: Vec<String>, is_exact: bool },
    ColumnExists(String),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    NotNull,
    Between(Range),
    InSet(BTreeSet<String>),
    Unique,
    OfType(ValueType),
    MatchesRegex(Regex),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    min: Option<f64>,
    max: Option<f64>,
    is_min_strict: bool,
    is_max_strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ValueType {
    Integer,
    Number,
    Boolean,
    Text,
}

/// The common parameters of an expectation on the values of a column.
#[derive(Debug)]
struct OnValues {
    column: String,
    mostly: f64,
    severity: Severity,
}

/// The parameters as written. The names are those of Great Expectations.
#[derive(Debug, Deserialize)]
#[serde(tag = "expect", deny_unknown_fields)]
enum Written {
    #[serde(rename = "expect_column_values_to_not_be_null")]
    NotNull { column: String, mostly: f64, severity: Severity },
    #[serde(rename = "expect_column_values_to_be_between")]
    Between {
        column: String,
        min_value: Option<f64>,
        max_value: Option<f64>,
        strict_min: bool,
        strict_max: bool,
        mostly: f64,
        severity: Severity,
    },
    #[serde(rename = "expect_column_values_to_be_in_set")]
    InSet { column: String, value_set: Vec<Value>, mostly: f64, severity: Severity },
    #[serde(rename = "expect_column_values_to_be_unique")]
    Unique { column: String, mostly: f64, severity: Severity },
    #[serde(rename = "expect_column_values_to_be_of_type")]
    OfType { column: String, type_: ValueType, mostly: f64, severity: Severity },
    #[serde(rename = "expect_column_values_to_match_regex")]
    MatchesRegex { column: String, regex: String, mostly: f64, severity: Severity },
    #[serde(rename = "expect_table_row_count_to_be_between")]
    RowCount { min_value: Option<u64>, max_value: Option<u64>, severity: Severity },
    #[serde(rename = "expect_table_columns_to_match_set")]
    ColumnSet { column_set: Vec<String>, exact_match: bool, severity: Severity },
    #[serde(rename = "expect_column_to_exist")]
    ColumnExists { column: String, severity: Severity },
}

/// The expectation that parameters declare.
///
/// # Errors
/// What is wrong with a parameter, the first mistake only.
pub fn declare(declared: &Value) -> Result<Expectation, Wrong> {
    let written = Written::deserialize(declared)
        .map_err(|error| Wrong { param: "", message: error.to_string() })?;
    let (rule, severity) = meant(written)?;
    Ok(Expectation { rule, severity, declared: declared.clone() })
}

impl Expectation {
    /// The column that the table must have for the expectation to be checked at all.
    pub fn column(&self) -> Option<&str> {
        match &self.rule {
            Rule::Values { column, .. } => Some(column),
            _ => None,
        }
    }
}

fn meant(written: Written) -> Result<(Rule, Severity), Wrong> {
    let (on, test) = match written {
        Written::NotNull { column, mostly, severity } => {
            (OnValues { column, mostly, severity }, Test::NotNull)
        }
        Written::Unique { column, mostly, severity } => {
            (OnValues { column, mostly, severity }, Test::Unique)
        }
        Written::OfType { column, type_, mostly, severity } => {
            (OnValues { column, mostly, severity }, Test::OfType(type_))
        }
        Written::Between {
            column,
            min_value,
            max_value,
            strict_min,
            strict_max,
            mostly,
            severity,
        } => {
            let range = Range {
                min: min_value,
                max: max_value,
                is_min_strict: strict_min,
                is_max_strict: strict_max,
            };
            (OnValues { column, mostly, severity }, Test::Between(range.checked()?))
        }
        Written::InSet { column, value_set, mostly, severity } => {
            (OnValues { column, mostly, severity }, Test::InSet(text_set(&value_set)?))
        }
        Written::MatchesRegex { column, regex, mostly, severity } => {
            (OnValues { column, mostly, severity }, Test::MatchesRegex(compiled(&regex)?))
        }
        Written::RowCount { min_value: min, max_value: max, severity } => {
            check_bounds(min.map(|min| min as f64), max.map(|max| max as f64), false)?;
            return Ok((Rule::RowCount { min, max }, severity));
        }
        Written::ColumnSet { column_set: names, exact_match: is_exact, severity } => {
            return Ok((Rule::ColumnSet { names, is_exact }, severity));
        }
        Written::ColumnExists { column, severity } => {
            return Ok((Rule::ColumnExists(column), severity));
        }
    };
    Ok((Rule::Values { column: on.column, mostly: on.mostly, test }, on.severity))
}

impl Range {
    pub(super) fn contains(&self, number: f64) -> bool {
        let above = |min: f64| if self.is_min_strict { number > min } else { number >= min };
        let below = |max: f64| if self.is_max_strict { number < max } else { number <= max };
        self.min.is_none_or(above) && self.max.is_none_or(below)
    }

    fn checked(self) -> Result<Range, Wrong> {
        check_bounds(self.min, self.max, self.is_min_strict || self.is_max_strict)?;
        Ok(self)
    }
}

fn check_bounds(min: Option<f64>, max: Option<f64>, is_strict: bool) -> Result<(), Wrong> {
    match (min, max) {
        (None, None) => {
            let message =
                "neither `min_value` nor `max_value` is given: give one of them".to_owned();
            Err(Wrong { param: "", message })
        }
        (Some(min), Some(max)) if min > max => {
            let message = format!("{min} is above `max_value` {max}: no value can hold");
            Err(Wrong { param: "min_value", message })
        }
        (Some(min), Some(max)) if min == max && is_strict => {
            let message = format!("no value lies strictly between {min} and {max}");
            Err(Wrong { param: "min_value", message })
        }
        _ => Ok(()),
    }
}

/// Scalars as the texts of column values: `1`, `1.0` and `"1"` are the same.
fn text_set(values: &[Value]) -> Result<BTreeSet<String>, Wrong> {
    if values.is_empty() {
        let message = "the set is empty: no value can hold".to_owned();
        return Err(Wrong { param: "value_set", message });
    }
    let text = |value: &Value| match (value, value.as_i64(), value.as_f64()) {
        (Value::String(text), ..) => text.clone(),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, Some(number)) => number.to_string(),
        (other, ..) => other.to_string(),
    };
    Ok(values.iter().map(text).collect())
}

fn compiled(regex: &str) -> Result<Regex, Wrong> {
    Regex::new(regex).map_err(|error| {
        // The library's text draws the expression over several lines; the last says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        Wrong {
            param: "regex",
            message: format!("`{regex}` is not a regular expression: {reason}"),
        }
    })
}
