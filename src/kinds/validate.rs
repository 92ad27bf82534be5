//! `validate`: refuses a table that is not as it was declared to be.
//!
//! Thin: it declares the parameters of every expectation and check, and leaves the checking to
//! `ml::expect` and `ml::leakage`. The report is written before the stage fails, so that it stands
//! beside the error.

use anyhow::{anyhow, bail};
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared;
use crate::ml::expect::{
    self, Declaration, Expectation, Outcome, Parameter, Presence, Severity, Takes, Validation,
};
use crate::ml::leakage::{self, Asked, Bound, CHECKS, Check, CheckOutcome, Subject};
use crate::ml::schema::{Role, Roles};
use crate::ml::{json, table_file};

/// The kind `validate`.
pub struct Validate;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
    expectations: Vec<Value>,
    checks: Vec<Value>,
    max_categories: usize,
}

/// The sides of a split that may be plugged in, with what they are for.
const SIDES: [(&str, &str); 3] = [
    ("train", "the rows to learn from, to be compared with the other sides"),
    ("validation", "the rows to make choices by"),
    ("test", "the rows to judge by"),
];

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
        let checks = "what leakage is looked for, with the names of Deepchecks: all, unless listed";
        let categories = "a text column with more distinct values than this is no category";
        Type::Record(vec![
            shared::columns(),
            Param::new("expectations", expectation().list(), json!([]), doc),
            Param::new("checks", check().list(), all_checks(), checks),
            Param::new("max_categories", Type::Int(1, 100_000), 100, categories),
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
        let doc = "the table to check, CSV, Parquet or Arrow";
        let table = Input { name: "table".into(), types: shared::TABLES, arity: Arity::One, doc };
        let side = |(name, doc): (&'static str, &'static str)| Input {
            name: name.into(),
            types: shared::TABLES,
            arity: Arity::Optional,
            doc,
        };
        std::iter::once(table).chain(SIDES.map(side)).collect()
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        vec![Output::new("report", "validation", "validation.json")]
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let table = table_file::read(context.input("table"))?;
        shared::check_roles(&params.columns, &table)?;
        let expectations = declared(&params.expectations)?;
        let named = expectations.iter().flat_map(Expectation::columns);
        shared::check_names("expectations", named, &table)?;
        let ids = shared::with_role(&table, &params.columns, Role::Id);
        let mut validation = expect::validate(&table, &ids, &expectations)?;
        let plugged = SIDES.iter().filter_map(|(name, _)| Some((*name, context.optional(name)?)));
        let sides: Vec<_> = plugged
            .map(|(name, path)| Ok((name, table_file::read(path)?)))
            .collect::<anyhow::Result<_>>()?;
        let (roles, max_categories) = (&params.columns, params.max_categories);
        let subject = Subject { table: &table, roles, sides: &sides, max_categories };
        validation.checks = leakage::check(&subject, &asked(&params.checks));
        let is_error = |check: &CheckOutcome| !check.success && check.severity == Severity::Error;
        validation.success &= !validation.checks.iter().any(is_error);
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
    let warnings = failures(validation, Severity::Warning);
    remarks.extend(warnings.into_iter().map(|sentence| format!("warning: {sentence}")));
    remarks
}

/// What does not hold, expectations before checks, one sentence each.
fn failures(validation: &Validation, severity: Severity) -> Vec<String> {
    let results = validation.results.iter().filter(|outcome| !outcome.success);
    let results = results.filter(|outcome| outcome.severity == severity);
    let checks = validation.checks.iter().filter(|check| !check.success);
    let checks = checks.filter(|check| check.severity == severity);
    results.map(Outcome::sentence).chain(checks.map(CheckOutcome::sentence)).collect()
}

/// Fails when an expectation or check of severity `error` does not hold, and names all of them.
fn refuse(validation: &Validation) -> anyhow::Result<()> {
    let failed = failures(validation, Severity::Error);
    let told: Vec<_> = failed.iter().map(|sentence| format!("\n  {sentence}")).collect();
    let total = validation.results.len();
    let noun =
        if validation.checks.is_empty() { "expectations" } else { "expectations and checks" };
    match (told.len(), total + validation.checks.len()) {
        (0, _) => Ok(()),
        (1, total) => bail!("1 of {total} {noun} does not hold:{}", told.concat()),
        (many, total) => bail!("{many} of {total} {noun} do not hold:{}", told.concat()),
    }
}

/// The checks as they are asked for.
fn asked(checks: &[Value]) -> Vec<Asked> {
    let one = |asked: &Value| {
        let check = asked.get(CHECK)?.as_str()?.to_owned();
        let declared = CHECKS.iter().find(|declared| declared.name == check)?;
        let bound = asked.get(declared.bound.name).and_then(Value::as_f64);
        let severity = asked.get("severity").and_then(|name| Severity::deserialize(name).ok());
        Some(Asked { check, bound, severity: severity.unwrap_or(Severity::Warning) })
    };
    checks.iter().filter_map(one).collect()
}

/// The key that says which check is meant.
const CHECK: &str = "check";

/// The parameters of every check, chosen by its name.
fn check() -> Type {
    let doc = "`error` fails the stage, `warning` is only told";
    let severity = Param::new("severity", Type::Choice(&["error", "warning"]), "warning", doc);
    let params = |check: &Check| {
        let Bound { name, default, doc } = check.bound;
        vec![Param::new(name, Type::Float(0.0, 1.0), default, doc), severity.clone()]
    };
    let cases = CHECKS.iter().map(|check| (check.name, params(check)));
    Type::Tagged { tag: CHECK, cases: cases.collect(), default: None }
}

fn all_checks() -> Value {
    CHECKS.iter().map(|check| json!({ CHECK: check.name })).collect()
}

/// The parameters of every expectation, chosen by its name under `expect`.
fn expectation() -> Type {
    let params = |declaration: &Declaration| declaration.parameters().map(param).collect();
    let cases = expect::declarations().map(|declaration| (declaration.name, params(declaration)));
    Type::Tagged { tag: expect::TAG, cases: cases.collect(), default: None }
}

fn param(parameter: &Parameter) -> Param {
    let (name, ty, doc) = (parameter.name, ty(&parameter.takes), parameter.doc);
    match parameter.default() {
        Some(default) => Param::new(name, ty, default, doc),
        None if matches!(parameter.presence, Presence::Required) => Param::required(name, ty, doc),
        None => Param::optional(name, ty, doc),
    }
}

fn ty(takes: &Takes) -> Type {
    match takes {
        Takes::Bool => Type::Bool,
        Takes::Count => Type::Int(0, i64::MAX),
        Takes::Number => Type::Float(f64::MIN, f64::MAX),
        Takes::Share => Type::Float(0.0, 1.0),
        Takes::Magnitude => Type::Float(0.0, f64::MAX),
        Takes::Text | Takes::Condition => Type::Text,
        Takes::Choice(options) => Type::Choice(options),
        Takes::List(item) => ty(item).list(),
        Takes::Scalar => Type::Scalar,
        Takes::Record(parameters) => Type::Record(parameters.iter().map(param).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::table::{Column, Table, Values};

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
    fn every_expectation_has_a_case_with_defaults_of_its_types() {
        let Type::Tagged { cases, .. } = expectation() else { panic!("not chosen by a name") };
        let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
        let declared: Vec<_> = expect::declarations().map(|declared| declared.name).collect();
        assert_eq!(names, declared);
        for param in cases.iter().flat_map(|(_, params)| params) {
            if let engine::params::Presence::Default(default) = &param.presence {
                assert!(param.ty.check(default).is_ok(), "{}", param.name);
            }
        }
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
             (min_value 0, max_value 5): 1 of 2 values (50.00 %) are unexpected: row 2: `7.5` [FLOAT_TYPE_BIG_FLOAT]"
        );
        let remarks = remarks(&validation);
        assert_eq!(remarks[0], "0 of 2 expectations hold");
        assert!(remarks[1].starts_with("warning: expect_column_values_to_be_between on `x`"));
    }
}
