//! Expectations: what a table must be like, with the names and rules of Great Expectations.
//!
//! Each group of names has a file with its declarations and the code behind them; `declarations`
//! lists them all, and parameters, docs and dispatch follow from that list. This module makes
//! expectations that can be checked, checks them, and tells what was found. It does not decide what
//! a failure means for a stage. Missing values are passed over by every expectation on values
//! except those about missing ones, and `mostly` is the least share of the values looked at that
//! must hold.

mod aggregates;
mod declaration;
mod distribution;
mod order;
mod pairs;
mod range;
mod reason;
mod rule;
mod sets;
mod strftime;
mod tables;
mod texts;
mod values;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::Condition;
use super::json;
use super::leakage::CheckOutcome;
use super::table::{Column, Table};
use declaration::Given;
pub use declaration::{About, Declaration, Parameter, Presence, Takes, Wrong};
pub use reason::Reason;
use rule::{Rows, Rule};

/// The format of `validation.json`.
pub const FORMAT: &str = "pipeline.validation/1";

/// How many unexpected rows are told of each expectation.
pub const TOLD_ROWS: usize = 10;

/// The key that says which expectation is meant.
pub const TAG: &str = "expect";

const GROUPS: [&[Declaration]; 8] = [
    values::DECLARATIONS,
    order::DECLARATIONS,
    texts::DECLARATIONS,
    aggregates::DECLARATIONS,
    sets::DECLARATIONS,
    distribution::DECLARATIONS,
    pairs::DECLARATIONS,
    tables::DECLARATIONS,
];

/// All expectations, by what they look at.
pub fn declarations() -> impl Iterator<Item = &'static Declaration> {
    GROUPS.into_iter().flatten()
}

/// An expectation that can be checked.
pub struct Expectation {
    rule: Box<dyn Rule>,
    condition: Option<Condition>,
    severity: Severity,
    declared: Value,
    columns: Vec<String>,
}

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
    /// Whether every expectation and check of severity `error` holds.
    pub success: bool,
    /// The number of rows.
    pub rows: usize,
    /// The outcomes, in the order of the expectations.
    pub results: Vec<Outcome>,
    /// What checks for leakage found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
}

/// The outcome of one expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Whether it holds.
    pub success: bool,
    /// Why it does not, where that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
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

/// The expectation that parameters declare, with its name under `expect`.
///
/// # Errors
/// What is wrong with a parameter, the first mistake only.
pub fn declare(declared: &Value) -> Result<Expectation, Wrong> {
    let name = declared.get(TAG).and_then(Value::as_str).unwrap_or_default();
    let (Some(declaration), Some(params)) = (find(name), declared.as_object()) else {
        return Err(Wrong { param: TAG, message: format!("no expectation is named `{name}`") });
    };
    let given = Given::new(declaration, params)?;
    let condition =
        match given.text("row_condition") {
            None => None,
            Some(text) => Some(Condition::parse(&text).map_err(|mistake| Wrong {
                param: "row_condition",
                message: mistake.to_string(),
            })?),
        };
    let severity = given.value("severity").and_then(|name| Severity::deserialize(name).ok());
    let rule = (declaration.make)(&given)?;
    let mut columns = given.columns();
    columns.extend(rule.columns());
    columns.extend(condition.iter().flat_map(Condition::columns).map(str::to_owned));
    Ok(Expectation {
        rule,
        condition,
        severity: severity.unwrap_or(Severity::Error),
        declared: declared.clone(),
        columns,
    })
}

fn find(name: &str) -> Option<&'static Declaration> {
    declarations().find(|declaration| declaration.name == name)
}

impl Expectation {
    /// The columns that the table must have for the expectation to be checked at all.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }
}

/// Checks every expectation on a table; `ids` are the columns that name a row.
///
/// # Errors
/// When an expectation names a column that the table does not have, or a condition does not fit the
/// types of the columns.
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
    Ok(Validation {
        format: FORMAT.to_owned(),
        success,
        rows: table.rows(),
        results,
        checks: Vec::new(),
    })
}

impl Outcome {
    /// One line for people: the expectation, and the rows and values that do not hold.
    pub fn sentence(&self) -> String {
        let reason = self.reason.map_or(String::new(), |reason| format!(" [{}]", reason.name()));
        let told = describe_expectation(&self.expectation);
        if self.element_count == 0 {
            return format!("{told}: observed {}{reason}", self.observed);
        }
        let rows: Vec<_> = self.unexpected_rows.iter().map(UnexpectedRow::sentence).collect();
        let more = self.unexpected_count - rows.len();
        let and_more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!(
            "{told}: {} of {} values ({:.2} %) are unexpected: {}{and_more}{reason}",
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
    let mut told = text(TAG).unwrap_or("expectation").to_owned();
    let Some(declaration) = find(&told) else { return told };
    let shown = |value: &Value| match value.as_f64() {
        Some(number) => number.to_string(),
        None => value.to_string(),
    };
    let mut columns = Vec::new();
    let mut params = Vec::new();
    for parameter in declaration.parameters() {
        let value = declared.get(parameter.name).unwrap_or(&Value::Null);
        match (parameter.name, value) {
            (_, Value::Null) | ("severity", _) => {}
            ("column" | "column_A" | "column_B", value) => columns.extend(value.as_str()),
            ("column_list", Value::Array(names)) => {
                columns.extend(names.iter().filter_map(Value::as_str));
            }
            (_, value) if Some(value) == parameter.default().as_ref() => {}
            (name, value) => params.push(format!("{name} {}", shown(value))),
        }
    }
    if !columns.is_empty() {
        told.push_str(&format!(" on `{}`", columns.join("`, `")));
    }
    if !params.is_empty() {
        told.push_str(&format!(" ({})", params.join(", ")));
    }
    told
}

fn check(table: &Table, ids: &[&Column], expectation: &Expectation) -> anyhow::Result<Outcome> {
    let chosen = match &expectation.condition {
        None => None,
        Some(condition) => {
            let answers = condition.answers(table).map_err(|mistake| {
                let told = describe_expectation(&expectation.declared);
                anyhow::anyhow!("the row_condition of {told} does not fit the table: {mistake}")
            })?;
            Some((0..answers.len()).filter(|row| answers[*row] == Some(true)).collect())
        }
    };
    let found = expectation.rule.check(&Rows { table, chosen })?;
    let share = match found.looked_at {
        0 => 0.0,
        looked_at => found.unexpected as f64 / looked_at as f64,
    };
    let told = |(row, value): (usize, Option<String>)| UnexpectedRow {
        row: row + 1,
        value,
        id: name_of(ids, row),
    };
    Ok(Outcome {
        success: found.success,
        reason: found.reason.filter(|_| !found.success),
        severity: expectation.severity,
        expectation: expectation.declared.clone(),
        observed: found.observed,
        element_count: found.looked_at,
        missing_count: found.missing,
        unexpected_count: found.unexpected,
        unexpected_percent: 100.0 * share,
        unexpected_rows: found.told.into_iter().map(told).collect(),
    })
}

/// What names a row for people; `None` when no column does.
fn name_of(ids: &[&Column], row: usize) -> Option<String> {
    let parts: Vec<_> = ids
        .iter()
        .map(|id| format!("{} {}", id.name, id.text(row).as_deref().unwrap_or("missing")))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests;
