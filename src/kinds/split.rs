//! `split`: train, validation and test rows, drawn by what names a row.
//!
//! Thin: it finds the columns that matter by their roles and leaves the drawing to `ml::split`.

use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use super::shared;
use crate::ml::schema::{Role, Roles};
use crate::ml::split::{Plan, Report, SIDES, split};
use crate::ml::{json, table_file};

/// How far the sum of the fractions may be from 1.
const TOLERANCE: f64 = 1e-9;

/// The kind `split`.
pub struct Split;

#[derive(Deserialize)]
struct Params {
    columns: Roles,
    train: f64,
    validation: f64,
    test: f64,
    stratify: Option<String>,
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
        let share = || Type::Float(0.0, 1.0);
        Type::Record(vec![
            shared::columns(),
            Param::new("train", share(), 0.6, "the share of rows to learn from"),
            Param::new("validation", share(), 0.2, "the share of rows to make choices by"),
            Param::new("test", share(), 0.2, "the share of rows to judge by"),
            Param::optional(
                "stratify",
                Type::Text,
                "the column whose values are drawn apart; the target when left out",
            ),
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        let Ok(params) = Params::deserialize(params) else { return complaints };
        let fractions = params.fractions();
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
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let doc = "the table to divide, CSV or Parquet";
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
        let table = table_file::read(context.input("table"))?;
        shared::check_roles(&params.columns, &table)?;
        shared::check_names("stratify", params.stratify.as_deref().into_iter(), &table)?;
        let target = shared::with_role(&table, &params.columns, Role::Target).first().copied();
        let declared = params.stratify.as_deref().and_then(|name| table.column(name));
        let plan = Plan {
            fractions: params.fractions(),
            seed: context.seed("rows"),
            ids: shared::with_role(&table, &params.columns, Role::Id),
            stratify: declared.or(target),
            target,
        };
        let (sides, report) = split(&table, &plan)?;
        for (name, rows) in SIDES.iter().zip(&sides) {
            table_file::write_parquet(&context.output(name), &table.take(rows))?;
        }
        remarks(&report).into_iter().for_each(|remark| context.remark(remark));
        context.write("report", &json::to_bytes(&report)?)
    }
}

impl Params {
    fn fractions(&self) -> [f64; 3] {
        [self.train, self.validation, self.test]
    }
}

fn remarks(report: &Report) -> Vec<String> {
    let side = |side: &crate::ml::split::Side| format!("{} {}", side.rows, side.name);
    let sides: Vec<_> = report.sides.iter().map(side).collect();
    let mut remarks = vec![format!("{} rows", sides.join(", "))];
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
    fn there_is_a_table_for_every_side_and_a_report() {
        let outputs: Vec<_> =
            Split.outputs(&Value::Null).into_iter().map(|output| output.path).collect();
        assert_eq!(outputs, ["train.parquet", "validation.parquet", "test.parquet", "split.json"]);
    }
}
