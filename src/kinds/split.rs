//! `split`: train, validation and test rows, by what names a row, by groups, by time or in folds.
//!
//! Thin: it finds the columns that matter by their roles and leaves the drawing to `ml::split`.
//! Folds and their repetitions are parameters, so that a matrix over them makes each a variant that
//! is cached.

use anyhow::Context as _;
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use super::shared;
use crate::ml::schema::{Role, Roles};
use crate::ml::split::{Method, Plan, Report, SIDES, split};
use crate::ml::table::{Column, Table};
use crate::ml::{json, table_file};

/// How far the sum of the fractions may be from 1.
const TOLERANCE: f64 = 1e-9;

/// The kind `split`.
pub struct Split;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
}

/// The method with its own parameters.
#[derive(Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
enum Declared {
    Random {
        train: f64,
        validation: f64,
        test: f64,
        stratify: Option<String>,
    },
    Group {
        group: String,
        train: f64,
        validation: f64,
        test: f64,
    },
    Time {
        time: String,
        train: f64,
        validation: f64,
        test: f64,
    },
    KFold {
        folds: u32,
        fold: u32,
        repeat: u32,
        validation: f64,
        group: Option<String>,
        stratify: Option<String>,
    },
}

impl Kind for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn about(&self) -> &'static str {
        "divide a table into train, validation and test rows, so that a new row moves no other"
    }

    fn code(&self) -> Digest {
        super::code("split")
    }

    fn params(&self) -> Type {
        let with = |own: Vec<Param>| [vec![shared::columns(), shared::task()], own].concat();
        let group = "the column of which rows of one value stay together";
        let time = "the column by whose order rows are divided: numbers, or dates as 2026-11-25";
        let of = |name, doc| Param::required(name, Type::Text, doc);
        let cases = vec![
            ("random", with([shares(), vec![stratify()]].concat())),
            ("group", with([vec![of("group", group)], shares()].concat())),
            ("time", with([vec![of("time", time)], shares()].concat())),
            ("k_fold", with(fold_params())),
        ];
        Type::Tagged { tag: "method", cases, default: Some("random") }
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        match Declared::deserialize(params) {
            Ok(Declared::KFold { folds, fold, validation, group, stratify, .. }) => {
                if fold > folds {
                    let message = format!("fold {fold} of {folds}: they are numbered from 1");
                    complaints.push(Complaint::about("fold", message));
                }
                if validation <= 0.0 || validation >= 1.0 {
                    let message = "validation needs a share above 0 and below 1 of the other folds";
                    complaints.push(Complaint::about("validation", message));
                }
                if group.is_some() && stratify.is_some() {
                    let message = "a group may have rows of several strata: remove one of the two";
                    complaints.push(Complaint::about("stratify", message));
                }
            }
            Ok(method) => check_shares(method.fractions(), &mut complaints),
            Err(_) => {}
        }
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let doc = "the table to divide, CSV, Parquet or Arrow";
        vec![Input { name: "table".into(), types: shared::TABLES, arity: Arity::One, doc }]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        let side = |name: &&str| Output::new(name, "table", &format!("{name}.parquet"));
        let report = Output::new("report", "split", "split.json");
        SIDES.iter().map(side).chain([report]).collect()
    }

    fn is_seeded(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let params: Params = context.params()?;
        let method: Declared = context.params()?;
        let table = table_file::read(context.input("table"))?;
        shared::check_roles(&params.columns, &table)?;
        let target = shared::with_role(&table, &params.columns, Role::Target).first().copied();
        let has_classes =
            context.params::<shared::Declared>()?.task == shared::Task::Classification;
        let plan = Plan {
            fractions: method.fractions(),
            method: method.method(&table)?,
            seed: context.seed(&method.seed_label()),
            ids: shared::with_role(&table, &params.columns, Role::Id),
            stratify: method.stratum(&table, target.filter(|_| has_classes))?,
            target,
            has_classes,
        };
        let (sides, report) = split(&table, &plan)?;
        for (name, rows) in SIDES.iter().zip(&sides) {
            table_file::write_parquet(&context.output(name), &table, rows)?;
        }
        remarks(&report).into_iter().for_each(|remark| context.remark(remark));
        context.write("report", &json::to_bytes(&report)?)
    }
}

impl Declared {
    /// The shares of train, validation and test.
    fn fractions(&self) -> [f64; 3] {
        match self {
            Declared::Random { train, validation, test, .. }
            | Declared::Group { train, validation, test, .. }
            | Declared::Time { train, validation, test, .. } => [*train, *validation, *test],
            Declared::KFold { folds, validation, .. } => {
                let test = 1.0 / f64::from(*folds);
                let others = 1.0 - test;
                [others * (1.0 - validation), others * validation, test]
            }
        }
    }

    fn method<'a>(&self, table: &'a Table) -> anyhow::Result<Method<'a>> {
        Ok(match self {
            Declared::Random { .. } => Method::Random,
            Declared::Group { group, .. } => Method::Group(column("group", group, table)?),
            Declared::Time { time, .. } => Method::Time(column("time", time, table)?),
            Declared::KFold { folds, fold, group, .. } => Method::Fold {
                folds: *folds,
                fold: fold - 1,
                group: group.as_deref().map(|name| column("group", name, table)).transpose()?,
            },
        })
    }

    /// The column whose values are drawn apart: the one declared, else the target of classes where
    /// rows are drawn one by one.
    fn stratum<'a>(
        &self,
        table: &'a Table,
        target: Option<&'a Column>,
    ) -> anyhow::Result<Option<&'a Column>> {
        match self {
            Declared::Random { stratify, .. } | Declared::KFold { stratify, group: None, .. } => {
                let declared = stratify.as_deref().map(|name| column("stratify", name, table));
                Ok(declared.transpose()?.or(target))
            }
            _ => Ok(None),
        }
    }

    /// The use of the seed: every repetition of the folds draws anew.
    fn seed_label(&self) -> String {
        match self {
            Declared::KFold { repeat, .. } => format!("folds {repeat}"),
            _ => "rows".to_owned(),
        }
    }
}

/// The column that a parameter names.
fn column<'a>(param: &str, name: &str, table: &'a Table) -> anyhow::Result<&'a Column> {
    shared::check_names(param, std::iter::once(name), table)?;
    table.column(name).with_context(|| format!("no column `{name}`"))
}

fn shares() -> Vec<Param> {
    let share = || Type::Float(0.0, 1.0);
    vec![
        Param::new("train", share(), 0.6, "the share of rows to learn from"),
        Param::new("validation", share(), 0.2, "the share of rows to make choices by"),
        Param::new("test", share(), 0.2, "the share of rows to judge by"),
    ]
}

fn stratify() -> Param {
    let doc = "the column whose values are drawn apart; a target of classes when left out";
    Param::optional("stratify", Type::Text, doc)
}

fn fold_params() -> Vec<Param> {
    let fold = "which fold is the test side, from 1 to `folds`; for a matrix: `fold = [1, 2, 3]`";
    let repeat = "which repetition: each draws other folds; for a matrix as well";
    let validation = "the share of the rows of the other folds to make choices by";
    let group = "the column of which rows of one value stay in one fold";
    vec![
        Param::new("folds", Type::Int(2, 100), 5, "into how many parts rows are divided"),
        Param::required("fold", Type::Int(1, 100), fold),
        Param::new("repeat", Type::Int(1, 10_000), 1, repeat),
        Param::new("validation", Type::Float(0.0, 1.0), 0.2, validation),
        Param::optional("group", Type::Text, group),
        stratify(),
    ]
}

fn check_shares(fractions: [f64; 3], complaints: &mut Vec<Complaint>) {
    for (name, fraction) in SIDES.iter().zip(fractions) {
        if fraction <= 0.0 {
            complaints.push(Complaint::about(name, "every side needs a share above 0"));
        }
    }
    let sum: f64 = fractions.iter().sum();
    if (sum - 1.0).abs() > TOLERANCE {
        let shown = (sum / TOLERANCE).round() * TOLERANCE;
        let message = format!("train, validation and test are {shown} together: make them 1");
        complaints.push(Complaint::about(SIDES[0], message));
    }
}

fn remarks(report: &Report) -> Vec<String> {
    let side = |side: &crate::ml::split::Side| format!("{} {}", side.rows, side.name);
    let sides: Vec<_> = report.sides.iter().map(side).collect();
    let mut remarks = vec![format!("{} rows", sides.join(", "))];
    let groups: Vec<_> = report.sides.iter().filter_map(|side| side.groups).collect();
    if let [train, validation, test] = groups[..] {
        remarks.push(format!("{train}, {validation} and {test} groups, none on two sides"));
    }
    for side in &report.sides {
        if let Some([from, to]) = &side.span {
            remarks.push(format!("{} from {from} to {to}", side.name));
        }
    }
    if report.repeated_rows > 0 {
        remarks.push(format!(
            "{} rows repeat an earlier row and share its side",
            report.repeated_rows
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn messages(params: Value) -> Vec<String> {
        let params = Split.params().check(&params).unwrap();
        Split.check(&params).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn the_shares_must_make_up_the_whole() {
        assert_eq!(messages(json!({})), [] as [&str; 0]);
        assert_eq!(messages(json!({"train": 0.7, "validation": 0.1})), [] as [&str; 0]);
        assert_eq!(
            messages(json!({"train": 0.5})),
            ["train, validation and test are 0.9 together: make them 1"]
        );
        assert_eq!(
            messages(json!({"train": 0.8, "test": 0})),
            ["every side needs a share above 0"]
        );
    }

    #[test]
    fn a_method_brings_its_own_parameters() {
        let fold = |extra: Value| {
            let mut params = json!({"method": "k_fold", "fold": 2});
            params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            messages(params)
        };
        assert_eq!(fold(json!({})), [] as [&str; 0]);
        assert_eq!(fold(json!({"fold": 6})), ["fold 6 of 5: they are numbered from 1"]);
        assert_eq!(fold(json!({"validation": 0})).len(), 1);
        assert_eq!(fold(json!({"group": "a", "stratify": "b"})).len(), 1);
        assert_eq!(messages(json!({"method": "group", "group": "a", "test": 0.3})).len(), 1);
        let missing = Split.params().check(&json!({"method": "time"})).unwrap_err();
        assert!(missing[0].message.starts_with("missing parameter `time`"), "{missing:?}");
        let unknown = Split.params().check(&json!({"group": "a"})).unwrap_err();
        assert!(unknown[0].message.contains("for method `random`"), "{unknown:?}");
    }

    #[test]
    fn folds_make_up_the_whole_and_every_repetition_draws_anew() {
        let params = |repeat: u32| {
            let params = json!({"method": "k_fold", "folds": 4, "fold": 1, "repeat": repeat});
            Declared::deserialize(Split.params().check(&params).unwrap()).unwrap()
        };
        let fractions = params(1).fractions();
        assert!((fractions.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(fractions[2], 0.25);
        assert_ne!(params(1).seed_label(), params(2).seed_label());
    }

    #[test]
    fn there_is_a_table_for_every_side_and_a_report() {
        let outputs: Vec<_> =
            Split.outputs(&Value::Null).into_iter().map(|output| output.path).collect();
        assert_eq!(outputs, ["train.parquet", "validation.parquet", "test.parquet", "split.json"]);
    }
}
