//! The profile of a table: what each column is like, and the schema that follows from it.
//!
//! It shows what ydata-profiling shows and people read. It knows roles and limits, no files and no
//! stages. Columns are described in parallel and collected in their order. Documents of older
//! programs lack what was added since: those fields are optional.

mod alerts;
mod bins;
mod details;
mod relations;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::describe::{self, Distinct, Numbers, Top};
use super::drift::Drift;
use super::schema::{self, Field, FieldType, Role, Roles, Schema};
use super::table::{Column, ColumnType, Table};
pub use alerts::{Alert, Bounds, Name};
pub use bins::{Bins, count as count_in_bins};
pub use details::{Lengths, Shape};
pub use relations::{Correlation, MissingPattern};

/// The format of `profile.json`.
pub const FORMAT: &str = "pipeline.profile/1";

/// How much is told.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bins of each histogram, at least 1.
    pub histogram_bins: usize,
    /// How many of the commonest values are told of each column.
    pub top_values: usize,
    /// A text column with more distinct values than this is free text, not categories.
    pub max_categories: usize,
    /// Of how many columns of numbers, and of categories, correlations are told.
    pub max_correlated: usize,
    /// Over how many rows, evenly spread over the table, correlations are told.
    pub max_correlated_rows: usize,
    /// The bounds of alerts.
    pub alerts: Bounds,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            histogram_bins: 20,
            top_values: 10,
            max_categories: 100,
            max_correlated: 50,
            max_correlated_rows: 100_000,
            alerts: Bounds::default(),
        }
    }
}

/// What a table is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `FORMAT`.
    pub format: String,
    /// The number of rows.
    pub rows: usize,
    /// How many values are missing in the whole table.
    pub missing_cells: usize,
    /// The columns, in their order.
    pub columns: Vec<ColumnProfile>,
    /// How many rows equal an earlier one in every column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_rows: Option<usize>,
    /// Which columns miss their values together, the commonest patterns first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_patterns: Vec<MissingPattern>,
    /// The correlations of columns of one kind, those that are not 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlations: Vec<Correlation>,
    /// What deserves a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// How far the table has moved from a reference, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// What a column is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnProfile {
    /// The name.
    pub name: String,
    /// What it is for.
    pub roles: Vec<Role>,
    /// The type of its values.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// How many rows have a value.
    pub count: usize,
    /// How many rows have none.
    pub missing: usize,
    /// How many distinct values there are.
    pub distinct: usize,
    /// The commonest values, most frequent first, ties by value.
    pub top_values: Vec<Top>,
    /// Of columns of whole numbers and numbers with at least one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// Of the same columns: their shape and extremes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Of columns of texts with at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lengths: Option<Lengths>,
    /// Of categories and truth values: how far their counts are from equal, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imbalance: Option<f64>,
    /// Of numbers, categories and truth values: what later tables are compared by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<Bins>,
}

/// Describes a table, and derives the schema by which requests are checked.
pub fn profile(table: &Table, roles: &Roles, limits: Limits) -> (Profile, Schema) {
    let described: Vec<(ColumnProfile, Field)> = (table.columns().par_iter())
        .map(|column| describe_column(column, roles_of(&column.name, roles), limits))
        .collect();
    let (columns, fields): (Vec<_>, Vec<_>) = described.into_iter().unzip();
    let missing_cells = columns.iter().map(|column| column.missing).sum();
    let mut profile = Profile {
        format: FORMAT.to_owned(),
        rows: table.rows(),
        missing_cells,
        duplicate_rows: Some(relations::duplicate_rows(table)),
        missing_patterns: relations::missing_patterns(table),
        correlations: relations::correlations(
            table,
            &columns,
            limits.max_correlated,
            limits.max_correlated_rows,
        ),
        columns,
        alerts: Vec::new(),
        drift: None,
    };
    profile.alerts = alerts::alerts(&profile, &limits.alerts);
    (profile, Schema { format: schema::FORMAT.to_owned(), fields })
}

/// The roles of a column: the declared ones in a fixed order without doubles, or a feature.
pub fn roles_of(name: &str, roles: &Roles) -> Vec<Role> {
    let mut declared = roles.get(name).cloned().unwrap_or_default();
    declared.sort_unstable();
    declared.dedup();
    if declared.is_empty() { vec![Role::Feature] } else { declared }
}

fn describe_column(column: &Column, roles: Vec<Role>, limits: Limits) -> (ColumnProfile, Field) {
    // All categories are counted, whatever is told of them.
    let top = limits.top_values.max(limits.max_categories);
    let mut distinct = describe::distinct(column, top, limits.max_categories);
    let ty = field_type(column.ty(), &distinct, &roles);
    let is_numeric = matches!(ty, FieldType::Integer | FieldType::Number);
    let sorted = if is_numeric { describe::sorted_numbers(column) } else { Vec::new() };
    let numbers = describe::numbers(&sorted, limits.histogram_bins);
    let missing = column.missing();
    let is_class = matches!(ty, FieldType::Category | FieldType::Boolean);
    let is_counted = is_class && distinct.count > 0;
    let bins =
        if is_counted { Some(bins::of_values(&distinct)) } else { bins::of_numbers(&sorted) };
    let imbalance = if is_counted { details::imbalance(&distinct) } else { None };
    distinct.top.truncate(limits.top_values);
    let field = Field {
        name: column.name.clone(),
        roles: roles.clone(),
        ty,
        nullable: missing > 0,
        min: numbers.as_ref().map(|numbers| numbers.min),
        max: numbers.as_ref().map(|numbers| numbers.max),
        categories: distinct.texts.filter(|_| ty == FieldType::Category),
    };
    let profile = ColumnProfile {
        name: column.name.clone(),
        roles,
        ty,
        count: column.len() - missing,
        missing,
        distinct: distinct.count,
        top_values: distinct.top,
        numbers,
        shape: details::shape(column, &sorted),
        lengths: details::lengths(column),
        imbalance,
        bins,
    };
    (profile, field)
}

/// Few texts are categories, unless they name rows or there is none at all.
fn field_type(ty: ColumnType, distinct: &Distinct, roles: &[Role]) -> FieldType {
    match ty {
        ColumnType::Integer => FieldType::Integer,
        ColumnType::Number => FieldType::Number,
        ColumnType::Boolean => FieldType::Boolean,
        ColumnType::Text if distinct.texts.is_none() || distinct.count == 0 => FieldType::Text,
        ColumnType::Text if roles.contains(&Role::Id) => FieldType::Text,
        ColumnType::Text => FieldType::Category,
    }
}

#[cfg(test)]
mod tests;
