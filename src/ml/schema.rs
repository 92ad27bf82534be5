//! The schema of a table: per column its roles, type, range and categories in the data.
//!
//! It is what the `profile` stage writes as `data_profile.json`, what training reads to know the
//! columns, and what a service checks requests against. It knows no single row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The format of `data_profile.json`.
pub const FORMAT: &str = "pipeline.schema/1";

/// What a column is for. A column may be a feature and a segment at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Names a row; at most one column, or several that do so together.
    Id,
    /// What is predicted; exactly one column.
    Target,
    /// What it is predicted from. Columns without a declared role are features.
    Feature,
    /// Groups of rows that are evaluated on their own.
    Segment,
    /// What a row counts, a number of at least 0; at most one column.
    Weight,
    /// Not used.
    Ignore,
}

/// Declared roles by column name; what is not listed is a feature.
pub type Roles = BTreeMap<String, Vec<Role>>;

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// `true` and `false`.
    Boolean,
    /// Texts of a small fixed set.
    Category,
    /// Any text.
    Text,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The name in the table and in requests.
    pub name: String,
    /// What it is for.
    pub roles: Vec<Role>,
    /// The type of its values.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// Whether values were missing in the data; only then may they be missing in a request.
    pub nullable: bool,
    /// The smallest value in the data, of `Integer` and `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value in the data, of `Integer` and `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The values in the data, sorted, of `Category`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
}

/// A table's columns, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// `FORMAT`.
    pub format: String,
    /// The columns.
    pub fields: Vec<Field>,
}
