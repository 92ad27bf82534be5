//! `train`: fits transforms and a learner to a table and writes the model.
//!
//! Thin: ports, lines for people, and a call into `ml::training`. What learners take is declared in
//! `learners.rs`, how columns become numbers in `features.rs`.

mod features;
mod learners;
mod regression;

use anyhow::{Context as _, ensure};
use engine::digest::Digest;
use engine::kind::{Arity, Context, Goal, Input, Kind, Output};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared;
use crate::ml::columns::Columns;
use crate::ml::features::FeatureParams;
use crate::ml::metrics::{Curve, Metric};
use crate::ml::model::Model;
use crate::ml::schema::Roles;
use crate::ml::table::Table;
use crate::ml::training::{Effort, Rows, train};
use crate::ml::{table_file, target};

/// The kind `train`.
pub struct Train;

#[derive(Deserialize)]
struct Params {
    task: shared::Task,
    learner: String,
    columns: Roles,
    positive: Option<Value>,
    features: FeatureParams,
}

impl Kind for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn about(&self) -> &'static str {
        "fit feature transforms and a learner to a table"
    }

    fn code(&self) -> Digest {
        super::code("train")
    }

    fn params(&self) -> Type {
        let case = |learner: &learners::Declared| {
            (
                learner.name,
                common(
                    learner.tasks,
                    features::declare(learner.scale, learner.encode),
                    (learner.params)(),
                ),
            )
        };
        let cases = learners::DECLARED.iter().map(case).collect();
        Type::Tagged { tag: "learner", cases, default: None }
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let mut complaints = shared::check_columns(params);
        complaints.extend(features::check(params));
        if shared::is_regression(params) {
            complaints.extend(regression::check(params));
        }
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let input = |name: &'static str, arity, doc| {
            let name = name.into();
            Input { name, types: shared::TABLES, arity, doc }
        };
        vec![
            input("train", Arity::One, "the rows to learn from"),
            input(
                "validation",
                Arity::Optional,
                "rows whose metrics are told; early stopping is by them",
            ),
        ]
    }

    fn outputs(&self, params: &Value) -> Vec<Output> {
        vec![Output::new("model", shared::model_types(params)[0], "model.json")]
    }

    fn is_seeded(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let mut params: Params = context.params()?;
        params.features.seed = context.seed("folds");
        let table = table_file::read(context.input("train"))?;
        shared::check_roles(&params.columns, &table)?;
        let columns = Columns::of(&table, &params.columns).map_err(anyhow::Error::msg)?;
        if params.task == shared::Task::Regression {
            return regression::run(context, &params, &table, &columns);
        }
        let learner = learners::read(&params.learner, context)?;
        let validation = context.optional("validation").map(table_file::read).transpose()?;
        ensure!(
            validation.is_some() || !learner.stops_early(),
            "`early_stopping_rounds` needs rows to stop by: plug in `validation`"
        );
        let rows = Rows { train: &table, stop_by: validation.as_ref() };
        let trained = train(rows, &columns, params.positive.as_ref(), &params.features, &learner)?;
        let model = &trained.model;
        remarks(model.training().rows, model.encoded_names().len(), trained.effort, &trained.empty)
            .into_iter()
            .for_each(|remark| context.remark(remark));
        if let Some(validation) = &validation {
            tell_validation(context, &trained.model, validation)?;
        }
        context.write("model", &trained.model.to_bytes())
    }
}

/// What every learner takes, and its own parameters.
fn common(tasks: &'static [&'static str], features: Type, own: Vec<Param>) -> Vec<Param> {
    let task = "classification: the probability of a class; regression: a number";
    let weight = Type::Choice(&["none", "balanced"]);
    let doc = "balanced: both classes count alike, n / (2 * rows of the class) per row";
    let mut params = vec![
        shared::columns(),
        Param::new("task", Type::Choice(tasks), tasks[0], task),
        shared::positive(),
        Param::new("features", features, json!({}), "how columns become numbers"),
        Param::new("class_weight", weight, "none", doc),
    ];
    params.extend(own);
    params
}

fn remarks(rows: u64, width: usize, effort: Effort, empty: &[String]) -> Vec<String> {
    let how = match effort {
        Effort::OnePass => "fitted in one pass".to_owned(),
        Effort::Steps { iterations, converged: true } => {
            format!("converged in {iterations} iterations")
        }
        Effort::Steps { iterations, .. } => format!("stopped after {iterations} iterations"),
        Effort::Nodes { trees: 1, nodes, .. } => format!("a tree of {nodes} nodes"),
        Effort::Nodes { trees, nodes, best_round: None } => {
            format!("{trees} trees of {nodes} nodes")
        }
        Effort::Nodes { trees, nodes, .. } => {
            format!("{trees} trees of {nodes} nodes, stopped by validation")
        }
    };
    let mut remarks = vec![format!("{rows} rows, {width} encoded features, {how}")];
    if matches!(effort, Effort::Steps { converged: false, .. }) {
        remarks.push(
            "warning: not converged: raise `max_iter`, lower `C`, or scale the features".to_owned(),
        );
    }
    if !empty.is_empty() {
        let names = empty.join(", ");
        remarks.push(format!("warning: no value in any row, so nothing is learnt from: {names}"));
    }
    remarks
}

/// How good the model is on rows that it has not learnt from: what a search over parameters is
/// decided by. The threshold has no say in it.
fn tell_validation(context: &Context<'_>, model: &Model, table: &Table) -> anyhow::Result<()> {
    let column = table.column(model.target()).context("validation has no target column")?;
    let labels = target::labels(column, model.classes()).map_err(anyhow::Error::msg)?;
    let curve = Curve::new(&labels, &model.probabilities(table)?);
    context.remark(match curve.roc_auc() {
        Ok(roc_auc) => format!("roc_auc {roc_auc:.4} on validation"),
        Err(why) => format!("no roc_auc on validation: {why}"),
    });
    let metrics = [
        (Metric::RocAuc, curve.roc_auc()),
        (Metric::PrAuc, curve.average_precision()),
        (Metric::LogLoss, curve.log_loss()),
        (Metric::Brier, curve.brier()),
    ];
    for (metric, value) in metrics {
        let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
        if let Ok(value) = value {
            context.metric(format!("validation.{}", metric.name()), value, goal);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) use features::tests as transforms;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_learner_has_its_own_parameters_and_defaults() {
        let ty = Train.params();
        let checked = ty.check(&json!({"learner": "logistic_regression", "C": 2})).unwrap();
        assert_eq!(checked["C"], json!(2.0));
        assert_eq!(checked["features"]["numeric"]["scale"], json!(["standard"]));
        assert_eq!(checked["features"]["categorical"]["encode"], "one_hot");
        let checked = ty.check(&json!({"learner": "random_forest"})).unwrap();
        assert_eq!(checked["features"]["numeric"]["scale"], json!(["none"]));
        assert_eq!((&checked["n_estimators"], &checked["max_depth"]), (&json!(100), &json!(16)));
        let wrong = ty.check(&json!({"learner": "ridge", "task": "classification"})).unwrap_err();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(ty.check(&json!({"learner": "naive_bayes", "task": "regression"})).is_err());
        let wrong = ty.check(&json!({"learner": "decision_tree", "C": 1.0})).unwrap_err();
        assert_eq!(wrong[0].message, "unknown parameter `C` for learner `decision_tree`");
    }

    #[test]
    fn what_does_not_go_with_numbers_is_refused_all_at_once() {
        let own = json!({"a": {"encode": "target"}});
        let given = json!({
            "learner": "random_forest", "task": "regression", "positive": 1,
            "class_weight": "balanced",
            "features": {"categorical": {"encode": "target"}, "columns": own},
        });
        let checked = Train.params().check(&given).unwrap();
        assert_eq!(Train.check(&checked).len(), 4);
        assert_eq!(Train.outputs(&checked)[0].ty, "regressor");
        let classes = Train.params().check(&json!({"learner": "random_forest"})).unwrap();
        assert_eq!(Train.outputs(&classes)[0].ty, "model");
    }
}
