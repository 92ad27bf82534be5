//! The profile of a table: what each column is like, and the schema that follows from it.
//!
//! It knows roles and limits, no files and no stages. Columns are described in parallel and
//! collected in their order.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::describe::{self, Distinct, Numbers, Top};
use super::schema::{self, Field, FieldType, Role, Roles, Schema};
use super::table::{Column, ColumnType, Table};

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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { histogram_bins: 20, top_values: 10, max_categories: 100 }
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
}

/// Describes a table, and derives the schema by which requests are checked.
pub fn profile(table: &Table, roles: &Roles, limits: Limits) -> (Profile, Schema) {
    let described: Vec<(ColumnProfile, Field)> = (table.columns().par_iter())
        .map(|column| describe_column(column, roles_of(&column.name, roles), limits))
        .collect();
    let (columns, fields): (Vec<_>, Vec<_>) = described.into_iter().unzip();
    let missing_cells = columns.iter().map(|column| column.missing).sum();
    let profile = Profile { format: FORMAT.to_owned(), rows: table.rows(), missing_cells, columns };
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
    let distinct = describe::distinct(column, limits.top_values, limits.max_categories);
    let ty = field_type(column.ty(), &distinct, &roles);
    let is_numeric = matches!(ty, FieldType::Integer | FieldType::Number);
    let sorted = if is_numeric { describe::sorted_numbers(column) } else { Vec::new() };
    let numbers = describe::numbers(&sorted, limits.histogram_bins);
    let missing = column.missing();
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
mod tests {
    use super::*;
    use crate::ml::table::Values;

    const LIMITS: Limits = Limits { histogram_bins: 4, top_values: 2, max_categories: 2 };

    fn table() -> Table {
        let texts = |texts: [&str; 4]| Values::Text(texts.map(|text| Some(text.to_owned())).into());
        Table::new(vec![
            Column::new("code", texts(["x", "y", "x", "y"])),
            Column::new("plan", texts(["b", "a", "b", ""])),
            Column::new("note", texts(["p", "q", "r", "s"])),
            Column::new("months", Values::Integer(vec![Some(72), Some(1), None, Some(5)])),
            Column::new("left", Values::Boolean(vec![Some(true), Some(false), Some(true), None])),
            Column::new("empty", Values::Text(vec![None; 4])),
        ])
        .unwrap()
    }

    fn roles() -> Roles {
        Roles::from([
            ("code".to_owned(), vec![Role::Id]),
            ("plan".to_owned(), vec![Role::Segment, Role::Feature, Role::Segment]),
        ])
    }

    #[test]
    fn the_schema_has_types_roles_ranges_and_categories() {
        let (_, schema) = profile(&table(), &roles(), LIMITS);
        let types: Vec<_> = schema.fields.iter().map(|field| field.ty).collect();
        use FieldType::{Boolean, Category, Integer, Text};
        assert_eq!(types, [Text, Category, Text, Integer, Boolean, Text]);
        let plan = &schema.fields[1];
        assert_eq!(plan.roles, [Role::Feature, Role::Segment]);
        assert_eq!(plan.categories.as_deref(), Some(["a".to_owned(), "b".to_owned()].as_slice()));
        let months = &schema.fields[3];
        assert_eq!((months.min, months.max, months.nullable), (Some(1.0), Some(72.0), true));
        assert_eq!(months.roles, [Role::Feature]);
        assert!(!schema.fields[0].nullable && schema.fields[0].categories.is_none());
    }

    #[test]
    fn the_profile_counts_what_is_there_and_what_is_not() {
        let (profile, _) = profile(&table(), &roles(), LIMITS);
        assert_eq!((profile.rows, profile.missing_cells), (4, 7));
        let plan = &profile.columns[1];
        assert_eq!((plan.count, plan.missing, plan.distinct), (3, 1, 2));
        assert_eq!(plan.top_values[0], Top { value: "b".into(), count: 2 });
        let left = &profile.columns[4];
        assert_eq!(left.top_values[0], Top { value: true.into(), count: 2 });
        assert_eq!(left.numbers, None);
    }

    #[test]
    fn the_documents_read_back_as_they_were_written() {
        let (profile, schema) = profile(&table(), &roles(), LIMITS);
        let bytes = crate::ml::json::to_bytes(&profile).unwrap();
        assert_eq!(serde_json::from_slice::<Profile>(&bytes).unwrap(), profile);
        let bytes = crate::ml::json::to_bytes(&schema).unwrap();
        assert_eq!(serde_json::from_slice::<Schema>(&bytes).unwrap(), schema);
    }
}
