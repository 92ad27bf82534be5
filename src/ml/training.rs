//! Training: a table, the parts of its columns and a learner become a model.
//!
//! Transforms and learner see the rows that they are given and no others, so nothing of validation
//! or test can leak. Knows no files and no stages.

use linfa::traits::Fit;
use ndarray::Array1;
use serde_json::Value;

use super::columns::Columns;
use super::features::{Encoder, FeatureParams, Fitted, fit_transform};
use super::learn::forest::{DecisionTree, RandomForest};
use super::learn::logistic::LogisticRegression;
use super::learn::{Dataset, Given, LearnError, Predictor};
use super::model::{Model, Training};
use super::table::Table;
use super::target;

/// A learner with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Learner {
    /// Log-odds that are linear in the features.
    LogisticRegression(LogisticRegression),
    /// One tree.
    DecisionTree(DecisionTree),
    /// The mean of many trees.
    RandomForest(RandomForest),
}

impl Learner {
    /// Its name in parameters and model files.
    pub fn name(&self) -> &'static str {
        match self {
            Learner::LogisticRegression(_) => "logistic_regression",
            Learner::DecisionTree(_) => "decision_tree",
            Learner::RandomForest(_) => "random_forest",
        }
    }

    /// Whether NaN in an encoded row means "missing" to it.
    fn takes_missing(&self) -> bool {
        !matches!(self, Learner::LogisticRegression(_))
    }

    fn fit(&self, dataset: &Dataset) -> Result<(Predictor, Effort), LearnError> {
        match self {
            Learner::LogisticRegression(params) => {
                let fitted = Given::new(params.clone()).fit(dataset)?;
                let (iterations, converged) = (fitted.iterations, fitted.converged);
                Ok((Predictor::Linear(fitted.linear), Effort::Steps { iterations, converged }))
            }
            Learner::DecisionTree(params) => grown(Given::new(params.clone()).fit(dataset)?),
            Learner::RandomForest(params) => grown(Given::new(params.clone()).fit(dataset)?),
        }
    }
}

fn grown(trees: super::learn::Trees) -> Result<(Predictor, Effort), LearnError> {
    let nodes = trees.0.iter().map(|tree| tree.nodes().len()).sum();
    let effort = Effort::Nodes { trees: trees.0.len(), nodes };
    Ok((Predictor::Trees(trees), effort))
}

/// What fitting took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Steps of a solver.
    Steps {
        /// How many.
        iterations: u32,
        /// Whether it came to its end.
        converged: bool,
    },
    /// What was grown.
    Nodes {
        /// How many trees.
        trees: usize,
        /// How many nodes all of them have.
        nodes: usize,
    },
}

/// A model, and what is worth telling of its training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// What fitting took.
    pub effort: Effort,
    /// Features without any value in the rows, which therefore say nothing.
    pub empty: Vec<String>,
}

/// Trains a model on a table. `positive` names the positive class.
///
/// # Errors
/// What of table, columns or parameters does not allow it.
pub fn train(
    table: &Table,
    columns: &Columns,
    positive: Option<&Value>,
    features: &FeatureParams,
    learner: &Learner,
) -> anyhow::Result<Trained> {
    let target = column(table, &columns.target)?;
    let classes = target::classes(target, positive).map_err(anyhow::Error::msg)?;
    let labels = target::labels(target, &classes).map_err(anyhow::Error::msg)?;
    let Fitted { encoder, rows } = fit_transform(table, columns, &labels, features)?;
    refuse_missing(&encoder, learner)?;
    let training = Training {
        rows: labels.len() as u64,
        positives: labels.iter().filter(|positive| **positive).count() as u64,
    };
    let dataset =
        Dataset::new(rows, Array1::from_vec(labels)).with_feature_names(encoder.encoded_names());
    let (predictor, effort) = learner.fit(&dataset)?;
    let model = Model::new(learner.name(), &columns.target, classes, encoder, predictor, training)?;
    let is_empty =
        |name: &&String| table.column(name).is_some_and(|column| column.missing() == column.len());
    let empty = columns.features.iter().filter(is_empty).cloned().collect();
    Ok(Trained { model, effort, empty })
}

/// Refuses features that may stay missing where the learner has no use for that.
fn refuse_missing(encoder: &Encoder, learner: &Learner) -> anyhow::Result<()> {
    match encoder.may_be_missing() {
        Some(name) if !learner.takes_missing() => anyhow::bail!(
            "column `{name}` may stay missing, and `{}` takes no missing values: give it another \
             `impute` than \"none\", and another `encode` than \"code\"",
            learner.name()
        ),
        _ => Ok(()),
    }
}

fn column<'a>(table: &'a Table, name: &str) -> anyhow::Result<&'a super::table::Column> {
    table.column(name).ok_or_else(|| anyhow::anyhow!("the table has no column `{name}`"))
}

#[cfg(test)]
pub(crate) mod tests;
