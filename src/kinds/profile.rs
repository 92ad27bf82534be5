//! `profile`: what is in a table, and the schema that training and serving check rows against.
//!
//! Thin: it reads the table and the roles, and leaves the describing to `ml::profile`. When the
//! profile of another table is plugged in, `ml::drift` says how far this one has moved from it.

use std::path::Path;

use anyhow::{Context as _, ensure};
use engine::digest::Digest;
use engine::kind::{Arity, Context, GateFailed, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared;
use crate::ml::drift::{self, Drift};
use crate::ml::expect::Severity;
use crate::ml::json::to_bytes;
use crate::ml::profile::{Bounds, FORMAT, Limits, Name, Profile as Report, profile};
use crate::ml::schema::Roles;
use crate::ml::table::Table;
use crate::ml::table_file;

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
    max_correlated: usize,
    max_correlated_rows: usize,
    alerts: Bounds,
    drift: DriftParams,
}

/// From where on the table has drifted, and what that means.
#[derive(Clone, Copy, Deserialize)]
struct DriftParams {
    p_value: f64,
    distance: f64,
    share: f64,
    severity: Severity,
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
            Param::new(
                "max_correlated",
                Type::Int(0, 1000),
                default.max_correlated as i64,
                "of how many columns of numbers, and of categories, correlations are told",
            ),
            Param::new(
                "max_correlated_rows",
                Type::Int(2, i64::MAX),
                default.max_correlated_rows as i64,
                "over how many rows, evenly spread over the table, correlations are told",
            ),
            Param::new("alerts", alert_bounds(), json!({}), "from where on something is an alert"),
            Param::new("drift", drift_bounds(), json!({}), "from where on the table has drifted"),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        shared::check_columns(params)
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let doc = "the table to describe, CSV, Parquet or Arrow";
        let table = Input { name: "table".into(), types: shared::TABLES, arity: Arity::One, doc };
        let doc = "the `profile.json` of the table that this one is compared with";
        let types = &[engine::kind::FILE, "profile"];
        let reference = Input { name: "reference".into(), types, arity: Arity::Optional, doc };
        vec![table, reference]
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
            max_correlated: params.max_correlated,
            max_correlated_rows: params.max_correlated_rows,
            alerts: params.alerts,
        };
        let (mut report, schema) = profile(&table, &params.columns, limits);
        context.remark(summary(&table, report.missing_cells));
        if let Some(told) = alerts_told(&report) {
            context.remark(told);
        }
        if let Some(path) = context.optional("reference") {
            let reference = read_profile(path)?;
            let DriftParams { p_value, distance, share, .. } = params.drift;
            let bounds = drift::Bounds { p_value, distance, share };
            report.drift = Some(drift::drift(&reference, &table, &bounds));
        }
        context.write("report", &to_bytes(&report)?)?;
        context.write("schema", &to_bytes(&schema)?)?;
        match &report.drift {
            None => Ok(()),
            Some(drift) => {
                let told = drift_told(drift);
                if drift.is_drift && params.drift.severity == Severity::Error {
                    return Err(GateFailed(vec![told]).into());
                }
                context.remark(told);
                Ok(())
            }
        }
    }
}

/// Reads the profile of another table.
fn read_profile(path: &Path) -> anyhow::Result<Report> {
    let bytes = std::fs::read(path).context("cannot read the reference")?;
    let wrong = "the reference is no profile: plug in the `report` of a stage of kind `profile`";
    let document: Value = serde_json::from_slice(&bytes).context(wrong)?;
    let format = &document["format"];
    ensure!(format == FORMAT, "{wrong}; its format is {format} and not `{FORMAT}`");
    serde_json::from_value(document).context(wrong)
}

fn alert_bounds() -> Type {
    let default = Bounds::default();
    let share = || Type::Float(0.0, 1.0);
    Type::Record(vec![
        Param::new(
            "high_cardinality",
            Type::Int(1, i64::MAX),
            default.high_cardinality as i64,
            "the most distinct texts of a column",
        ),
        Param::new(
            "high_correlation",
            share(),
            default.high_correlation,
            "the correlation from which on two columns say the same",
        ),
        Param::new(
            "imbalance",
            share(),
            default.imbalance,
            "the most imbalance of categories: 1 less their relative entropy",
        ),
        Param::new(
            "noticeable",
            share(),
            default.noticeable,
            "the share of rows up to which missing values, zeros and infinite numbers are no news",
        ),
        Param::new(
            "skewed",
            Type::Float(0.0, f64::MAX),
            default.skewed,
            "the most skewness, without sign",
        ),
    ])
}

fn drift_bounds() -> Type {
    let default = drift::Bounds::default();
    let share = || Type::Float(0.0, 1.0);
    Type::Record(vec![
        Param::new(
            "p_value",
            share(),
            default.p_value,
            "the p-value below which a column has drifted; decides with a reference of at most \
             1000 rows",
        ),
        Param::new(
            "distance",
            Type::Float(0.0, f64::MAX),
            default.distance,
            "the distance from which on a column has drifted; decides with a larger reference",
        ),
        Param::new(
            "share",
            share(),
            default.share,
            "the share of drifted columns from which on the table has drifted",
        ),
        Param::new(
            "severity",
            Type::Choice(&["error", "warning"]),
            "warning",
            "what a drifted table means: `error` ends the run with exit code 3",
        ),
    ])
}

/// How often each alert comes, in one line.
fn alerts_told(report: &Report) -> Option<String> {
    let mut names: Vec<_> = report.alerts.iter().map(|alert| alert.alert).collect();
    names.sort_unstable();
    let told = |equal: &[Name]| {
        let name = serde_json::to_value(equal[0]).unwrap_or_default();
        format!("{} {}", equal.len(), name.as_str().unwrap_or_default())
    };
    let told: Vec<_> = names.chunk_by(|a, b| a == b).map(told).collect();
    (!told.is_empty()).then(|| format!("alerts: {}", told.join(", ")))
}

fn drift_told(drift: &Drift) -> String {
    let drifted = drift.columns.iter().filter(|column| column.is_drifted);
    let names: Vec<_> = drifted.map(|column| format!("`{}`", column.column)).collect();
    let verdict =
        if drift.is_drift { "the table has drifted" } else { "the table has not drifted" };
    let told = format!("{verdict}: {} of {} columns", drift.drifted, drift.columns.len());
    if names.is_empty() { told } else { format!("{told} have, {}", names.join(", ")) }
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
