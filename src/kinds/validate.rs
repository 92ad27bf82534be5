//! `validate`: refuses a table that is not as it was declared to be.
//!
//! Thin: it declares the parameters of every expectation and leaves the checking to `ml::expect`.
//! The report is written before the stage fails, so that it stands beside the error.

use anyhow::{anyhow, bail};
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::Value;

use super::shared;
use crate::ml::expect::{self, Expectation, Severity, Validation};
use crate::ml::schema::{Role, Roles};
use crate::ml::{json, table_file};

/// The kind `validate`.
pub struct Validate;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
    expectations: Vec<Value>,
}

impl Kind for Validate {
    fn name(&self) -> &'static str {
        "validate"
    }

    fn about(&self) -> &'static str {
        "check a table against declared expectations, and fail when one does not hold"
    }

    fn code(&self) -> Digest {
        super::code("validate")
    }

    fn params(&self) -> Type {
        let doc = "what must be true of the table, with the names of Great Expectations";
        Type::Record(vec![
            shared::columns(),
            Param::required("expectations", expectation().list(), doc),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        let expectations = params.get("expectations").and_then(Value::as_array);
        for (at, declared) in expectations.into_iter().flatten().enumerate() {
            if let Err(wrong) = expect::declare(declared) {
                let mut path = vec![Step::Key("expectations".to_owned()), Step::Item(at)];
                if !wrong.param.is_empty() {
                    path.push(Step::Key(wrong.param.to_owned()));
                }
                complaints.push(Complaint::at(path, wrong.message));
            }
        }
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let doc = "the table to check, CSV or Parquet";
        vec![Input { name: "table".into(), types: shared::TABLES, arity: Arity::One, doc }]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("report", "validation", "validation.json")]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let table = table_file::read(context.input("table"))?;
        shared::check_roles(&params.columns, &table)?;
        let expectations = declared(&params.expectations)?;
        let named = expectations.iter().filter_map(Expectation::column);
        shared::check_names("expectations", named, &table)?;
        let ids = shared::with_role(&table, &params.columns, Role::Id);
        let validation = expect::validate(&table, &ids, &expectations)?;
        context.write("report", &json::to_bytes(&validation)?)?;
        remarks(&validation).into_iter().for_each(|remark| context.remark(remark));
        refuse(&validation)
    }
}

fn declared(expectations: &[Value]) -> anyhow::Result<Vec<Expectation>> {
    let declare = |(at, declared)| {
        expect::declare(declared).map_err(|wrong| anyhow!("expectations[{at}]: {}", wrong.message))
    };
    expectations.iter().enumerate().map(declare).collect()
}

fn remarks(validation: &Validation) -> Vec<String> {
    let holding = validation.results.iter().filter(|outcome| outcome.success).count();
    let mut remarks = vec![format!("{holding} of {} expectations hold", validation.results.len())];
    let failed = validation.results.iter().filter(|outcome| !outcome.success);
    let warnings = failed.filter(|outcome| outcome.severity == Severity::Warning);
    remarks.extend(warnings.map(|outcome| format!("warning: {}", outcome.sentence())));
    remarks
}

/// Fails when an expectation of severity `error` does not hold, and names all of them.
fn refuse(validation: &Validation) -> anyhow::Result<()> {
    let failed = validation.results.iter().filter(|outcome| !outcome.success);
    let errors = failed.filter(|outcome| outcome.severity == Severity::Error);
    let told: Vec<_> = errors.map(|outcome| format!("\n  {}", outcome.sentence())).collect();
    let total = validation.results.len();
    match told.len() {
        0 => Ok(()),
        1 => bail!("1 of {total} expectations does not hold:{}", told.concat()),
        many => bail!("{many} of {total} expectations do not hold:{}", told.concat()),
    }
}

/// The parameters of every expectation, chosen by its name under `expect`.
fn expectation() -> Type {
    let number = || Type::Float(f64::MIN, f64::MAX);
    let count = || Type::Int(0, i64::MAX);
    let types = Type::Choice(&["integer", "number", "boolean", "text"]);
    let strict = |name, doc| Param::new(name, Type::Bool, false, doc);
    let cases = vec![
        ("expect_column_values_to_not_be_null", on_values(vec![])),
        (
            "expect_column_values_to_be_between",
            on_values(vec![
                Param::optional("min_value", number(), "the least value that holds"),
                Param::optional("max_value", number(), "the greatest value that holds"),
                strict("strict_min", "whether values must be above `min_value`"),
                strict("strict_max", "whether values must be below `max_value`"),
            ]),
        ),
        (
            "expect_column_values_to_be_in_set",
            on_values(vec![Param::required(
                "value_set",
                Type::Scalar.list(),
                "the values that hold",
            )]),
        ),
        ("expect_column_values_to_be_unique", on_values(vec![])),
        (
            "expect_column_values_to_be_of_type",
            on_values(vec![Param::required("type_", types, "the type of every value")]),
        ),
        (
            "expect_column_values_to_match_regex",
            on_values(vec![Param::required(
                "regex",
                Type::Text,
                "found anywhere in the text of a value unless it says ^ or $",
            )]),
        ),
        (
            "expect_table_row_count_to_be_between",
            vec![
                Param::optional("min_value", count(), "the least number of rows"),
                Param::optional("max_value", count(), "the greatest number of rows"),
                severity(),
            ],
        ),
        (
            "expect_table_columns_to_match_set",
            vec![
                Param::required("column_set", Type::Text.list(), "the names of the columns"),
                Param::new("exact_match", Type::Bool, true, "whether there may be no others"),
                severity(),
            ],
        ),
        ("expect_column_to_exist", vec![column(), severity()]),
    ];
    Type::Tagged { tag: "expect", cases, default: None }
}

/// The parameters of an expectation on the values of a column, around its own.
fn on_values(own: Vec<Param>) -> Vec<Param> {
    let doc = "the least share of values that must hold, 0 to 1; missing ones are passed over";
    let mostly = Param::new("mostly", Type::Float(0.0, 1.0), 1.0, doc);
    [vec![column()], own, vec![mostly, severity()]].concat()
}

fn column() -> Param {
    Param::required("column", Type::Text, "the name of the column")
}

fn severity() -> Param {
    let doc = "`error` fails the stage, `warning` is only told";
    Param::new("severity", Type::Choice(&["error", "warning"]), "error", doc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::{Column, Table, Values};
    use serde_json::json;

    fn checked(expectations: Value) -> Value {
        Validate.params().check(&json!({"expectations": expectations})).unwrap()
    }

    fn between(min: f64, max: f64) -> Value {
        json!({"expect": "expect_column_values_to_be_between", "column": "x",
            "min_value": min, "max_value": max})
    }

    #[test]
    fn every_expectation_can_be_declared_with_its_least_parameters() {
        let params = checked(json!([
            {"expect": "expect_column_values_to_not_be_null", "column": "x"},
            {"expect": "expect_column_values_to_be_between", "column": "x", "min_value": 1},
            {"expect": "expect_column_values_to_be_in_set", "column": "x", "value_set": [1, "a"]},
            {"expect": "expect_column_values_to_be_unique", "column": "x"},
            {"expect": "expect_column_values_to_be_of_type", "column": "x", "type_": "integer"},
            {"expect": "expect_column_values_to_match_regex", "column": "x", "regex": "^a+$"},
            {"expect": "expect_table_row_count_to_be_between", "max_value": 10},
            {"expect": "expect_table_columns_to_match_set", "column_set": ["x"]},
            {"expect": "expect_column_to_exist", "column": "x", "severity": "warning"},
        ]));
        assert_eq!(Validate.check(&params), []);
        let params = Params::deserialize(params).unwrap();
        assert_eq!(declared(&params.expectations).unwrap().len(), 9);
    }

    #[test]
    fn a_mistake_leads_to_its_parameter() {
        let regex =
            json!({"expect": "expect_column_values_to_match_regex", "column": "x", "regex": "["});
        let complaints =
            Validate.check(&checked(json!([between(1.0, 2.0), between(2.0, 1.0), regex])));
        let paths: Vec<_> =
            complaints.iter().map(|complaint| complaint.path[1..].to_vec()).collect();
        let path = |at, key: &str| vec![Step::Item(at), Step::Key(key.to_owned())];
        assert_eq!(paths, [path(1, "min_value"), path(2, "regex")]);
        let mut share = between(1.0, 2.0);
        share["mostly"] = 1.5.into();
        assert!(Validate.params().check(&json!({"expectations": [share]})).is_err());
        let misspelt = json!([{"expect": "expect_column_values_to_be_uniqe", "column": "x"}]);
        let complaints = Validate.params().check(&json!({"expectations": misspelt})).unwrap_err();
        let hint = "did you mean `expect_column_values_to_be_unique`?";
        assert_eq!(complaints[0].hint.as_deref(), Some(hint));
    }

    #[test]
    fn an_error_fails_with_all_its_rows_and_a_warning_is_a_remark() {
        let mut warning = between(0.0, 1.0);
        warning["severity"] = "warning".into();
        let params = Params::deserialize(checked(json!([between(0.0, 5.0), warning]))).unwrap();
        let numbers = Values::Number(vec![1.0, 7.5, f64::NAN]);
        let table = Table::new(vec![Column::new("x", numbers)]).unwrap();
        let expectations = declared(&params.expectations).unwrap();
        let validation = expect::validate(&table, &[], &expectations).unwrap();
        let told = refuse(&validation).unwrap_err().to_string();
        assert_eq!(
            told,
            "1 of 2 expectations does not hold:\n  expect_column_values_to_be_between on `x` \
             (min_value 0, max_value 5): 1 of 2 values (50.00 %) are unexpected: row 2: `7.5`"
        );
        let remarks = remarks(&validation);
        assert_eq!(remarks[0], "0 of 2 expectations hold");
        assert!(remarks[1].starts_with("warning: expect_column_values_to_be_between on `x`"));
    }
}
