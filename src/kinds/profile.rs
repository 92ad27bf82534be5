//! `profile`: what is in a table, and the schema that training and serving check rows against.
//!
//! Thin: it reads the table and the roles, and leaves the describing to `ml::profile`.

use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use super::shared;
use crate::ml::profile::{Limits, profile};
use crate::ml::schema::Roles;
use crate::ml::table::Table;
use crate::ml::{json, table_file};

/// The name of the file with the schema, beside the profile.
pub const SCHEMA_FILE: &str = "data_profile.json";

/// The kind `profile`.
pub struct Profile;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
    histogram_bins: usize,
    top_values: usize,
    max_categories: usize,
}

impl Kind for Profile {
    fn name(&self) -> &'static str {
        "profile"
    }

    fn about(&self) -> &'static str {
        "describe every column of a table, and derive the schema that rows are checked against"
    }

    fn code(&self) -> Digest {
        super::code("profile")
    }

    fn params(&self) -> Type {
        let default = Limits::default();
        Type::Record(vec![
            shared::columns(),
            Param::new(
                "histogram_bins",
                Type::Int(1, 1000),
                default.histogram_bins as i64,
                "bins of each histogram",
            ),
            Param::new(
                "top_values",
                Type::Int(0, 1000),
                default.top_values as i64,
                "how many of the commonest values are told of each column",
            ),
            Param::new(
                "max_categories",
                Type::Int(1, 100_000),
                default.max_categories as i64,
                "a text column with more distinct values than this is free text, not categories",
            ),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        shared::check_columns(params)
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let doc = "the table to describe, CSV or Parquet";
        vec![Input { name: "table".into(), types: shared::TABLES, arity: Arity::One, doc }]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![
            Output::new("report", "profile", "profile.json"),
            Output::new("schema", "schema", SCHEMA_FILE),
        ]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let table = table_file::read(context.input("table"))?;
        shared::check_roles(&params.columns, &table)?;
        let limits = Limits {
            histogram_bins: params.histogram_bins,
            top_values: params.top_values,
            max_categories: params.max_categories,
        };
        let (report, schema) = profile(&table, &params.columns, limits);
        context.remark(summary(&table, report.missing_cells));
        context.write("report", &json::to_bytes(&report)?)?;
        context.write("schema", &json::to_bytes(&schema)?)
    }
}

fn summary(table: &Table, missing: usize) -> String {
    let (rows, columns) = (table.rows(), table.columns().len());
    let cells = rows * columns;
    let percent = if cells == 0 { 0.0 } else { 100.0 * missing as f64 / cells as f64 };
    format!("{rows} rows, {columns} columns, {percent:.1} % of cells missing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::{Column, Values};
    use serde_json::json;

    #[test]
    fn parameters_have_defaults_that_fit_their_struct() {
        let params = Profile.params().check(&json!({"columns": {"a": "id"}})).unwrap();
        let params = Params::deserialize(params).unwrap();
        assert_eq!((params.histogram_bins, params.max_categories), (20, 100));
        assert_eq!(params.columns.len(), 1);
    }

    #[test]
    fn the_summary_tells_rows_columns_and_what_is_missing() {
        let numbers = Values::Number(vec![1.0, f64::NAN, 2.0]);
        let table = Table::new(vec![Column::new("a", numbers)]).unwrap();
        assert_eq!(summary(&table, 1), "3 rows, 1 columns, 33.3 % of cells missing");
    }
}
