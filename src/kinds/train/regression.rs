//! `train` of regressions: what does not go with numbers, and how one is fitted.

use anyhow::{Context as _, ensure};
use engine::kind::{Context, Goal};
use engine::params::{Complaint, Param, Step, Type};
use serde::Deserialize;
use serde_json::Value;

use super::Params;
use super::learners;
use crate::ml::columns::Columns;
use crate::ml::learn::ridge::Ridge;
use crate::ml::metrics::regression::{RegressionMetric, Residuals};
use crate::ml::model::regressor::Regressor;
use crate::ml::regression::{NumberLearner, train};
use crate::ml::table::Table;
use crate::ml::training::{Learner, Rows};
use crate::ml::{table_file, target};

#[derive(Deserialize)]
pub(super) struct RidgeParams {
    alpha: f64,
    fit_intercept: bool,
}

/// The parameters of the learner of numbers alone.
pub(super) fn ridge() -> Vec<Param> {
    vec![
        Param::new("alpha", Type::Float(1e-9, 1e9), 1.0, "the strength of the L2 penalty"),
        Param::new("fit_intercept", Type::Bool, true, "whether there is an intercept"),
    ]
}

/// What does not go with numbers: classes, their weights, and what is encoded by them.
pub(super) fn check(params: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut refuse = |path: &[&str], message: &str| {
        let path = path.iter().map(|key| Step::Key((*key).to_owned())).collect();
        complaints.push(Complaint::at(path, message));
    };
    if !params["positive"].is_null() {
        refuse(&["positive"], "a regression has no positive class: remove it");
    }
    if params["class_weight"] == "balanced" {
        refuse(&["class_weight"], "a regression has no classes to weigh: remove it");
    }
    let by_target = "a regression cannot encode by its target: take another `encode`";
    if params["features"]["categorical"]["encode"] == "target" {
        refuse(&["features", "categorical", "encode"], by_target);
    }
    for (name, column) in params["features"]["columns"].as_object().into_iter().flatten() {
        if column["encode"] == "target" {
            refuse(&["features", "columns", name, "encode"], by_target);
        }
    }
    complaints
}

/// Fits, tells and writes.
pub(super) fn run(
    context: &Context<'_>,
    params: &Params,
    table: &Table,
    columns: &Columns,
) -> anyhow::Result<()> {
    let learner = read(&params.learner, context)?;
    let validation = context.optional("validation").map(table_file::read).transpose()?;
    ensure!(
        validation.is_some() || !learner.stops_early(),
        "`early_stopping_rounds` needs rows to stop by: plug in `validation`"
    );
    let rows = Rows { train: table, stop_by: validation.as_ref() };
    let trained = train(rows, columns, &params.features, &learner)?;
    let model = &trained.model;
    let width = model.encoded_names().len();
    super::remarks(model.rows(), width, trained.effort, &trained.empty)
        .into_iter()
        .for_each(|remark| context.remark(remark));
    if let Some(validation) = &validation {
        tell_validation(context, model, validation)?;
    }
    context.write("model", &model.to_bytes())
}

/// How good it is on rows that it has not learnt from: what a search over parameters is decided by.
fn tell_validation(context: &Context<'_>, model: &Regressor, table: &Table) -> anyhow::Result<()> {
    let column = table.column(model.target()).context("validation has no target column")?;
    let targets = target::numbers(column).map_err(anyhow::Error::msg)?;
    for (metric, value) in Residuals::new(&targets, &model.predictions(table)?).values() {
        let goal = if metric.higher_is_better() { Goal::Max } else { Goal::Min };
        let Ok(value) = value else { continue };
        if metric == RegressionMetric::Rmse {
            context.remark(format!("rmse {value:.4} on validation"));
        }
        context.metric(format!("validation.{}", metric.name()), value, goal);
    }
    Ok(())
}

/// The learner of numbers of a name, with its parameters.
fn read(name: &str, context: &Context<'_>) -> anyhow::Result<NumberLearner> {
    if name == "ridge" {
        let RidgeParams { alpha, fit_intercept } = context.params()?;
        return Ok(NumberLearner::Ridge(Ridge { alpha, fit_intercept }));
    }
    match learners::read(name, context)? {
        Learner::DecisionTree(tree) => Ok(NumberLearner::DecisionTree(tree)),
        Learner::RandomForest(forest) => Ok(NumberLearner::RandomForest(forest)),
        Learner::GradientBoosting(params, monotone) => {
            Ok(NumberLearner::GradientBoosting(params, monotone))
        }
        other => anyhow::bail!("`{}` predicts no numbers", other.name()),
    }
}
