//! Training: a table, the parts of its columns and a learner become a model.
//!
//! Transforms and learner see the rows that they are given and no others, so nothing of validation
//! or test can leak. Knows no files and no stages.

use std::collections::BTreeMap;

use anyhow::Context as _;
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2};
use serde_json::Value;

use super::columns::Columns;
use super::features::{Encoder, FeatureParams, Fitted, fit_transform};
use super::learn::boosting::GradientBoosting;
use super::learn::elastic_net::ElasticNet;
use super::learn::forest::{DecisionTree, RandomForest};
use super::learn::linear_svm::LinearSvm;
use super::learn::logistic::LogisticRegression;
use super::learn::naive_bayes::NaiveBayes;
use super::learn::tree::Tree;
use super::learn::{Dataset, Given, LearnError, Linear, Predictor};
use super::model::{Model, Training};
use super::table::Table;
use super::target;
use super::weights::{self, Weighed};

/// A learner with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Learner {
    /// Log-odds that are linear in the features.
    LogisticRegression(LogisticRegression),
    /// The same with features left out.
    ElasticNet(ElasticNet),
    /// The same from margins.
    LinearSvm(LinearSvm),
    /// Log-odds that are a sum of what single features say.
    NaiveBayes(NaiveBayes),
    /// One tree.
    DecisionTree(DecisionTree),
    /// The mean of many trees.
    RandomForest(RandomForest),
    /// The sum of many trees, each of which mends what those before it got wrong; and the columns
    /// with which the prediction must rise (1) or fall (-1), other things being equal.
    GradientBoosting(GradientBoosting, BTreeMap<String, i8>),
}

impl Learner {
    /// Its name in parameters and model files.
    pub fn name(&self) -> &'static str {
        match self {
            Learner::LogisticRegression(_) => "logistic_regression",
            Learner::ElasticNet(_) => "elastic_net",
            Learner::LinearSvm(_) => "linear_svm",
            Learner::NaiveBayes(_) => "naive_bayes",
            Learner::DecisionTree(_) => "decision_tree",
            Learner::RandomForest(forest) if forest.draw_thresholds => "extra_trees",
            Learner::RandomForest(_) => "random_forest",
            Learner::GradientBoosting(..) => "gradient_boosting",
        }
    }

    /// Whether rows to stop by have a say in the model.
    pub fn stops_early(&self) -> bool {
        matches!(self, Learner::GradientBoosting(params, _) if params.early_stopping_rounds > 0)
    }

    /// The same with what is known of the encoded features.
    ///
    /// # Errors
    /// A column that must be monotone and is not one encoded number.
    fn with_hints(mut self, encoder: &Encoder) -> anyhow::Result<Learner> {
        let is_categorical = encoder.category_counts().iter().map(Option::is_some).collect();
        match &mut self {
            Learner::LogisticRegression(_) | Learner::ElasticNet(_) | Learner::LinearSvm(_) => {}
            Learner::NaiveBayes(params) => params.hints.is_categorical = is_categorical,
            Learner::DecisionTree(tree) | Learner::RandomForest(RandomForest { tree, .. }) => {
                tree.hints.is_categorical = is_categorical;
            }
            Learner::GradientBoosting(params, monotone) => {
                params.hints.monotone = directions(encoder, monotone)?;
                params.hints.is_categorical = is_categorical;
            }
        }
        Ok(self)
    }

    /// Whether a feature adds a multiple of its number to the log-odds. NaN, which means "missing"
    /// to all other learners, has none.
    fn is_linear(&self) -> bool {
        use Learner::{ElasticNet, LinearSvm, LogisticRegression};
        matches!(self, LogisticRegression(_) | ElasticNet(_) | LinearSvm(_))
    }

    /// Fits to rows, which are let go as soon as the learner has no need of them.
    fn fit(
        &self,
        dataset: Dataset,
        stop_by: Option<&Dataset>,
    ) -> Result<(Predictor, Effort), LearnError> {
        match self {
            Learner::LogisticRegression(params) => {
                let fitted = Given::new(params.clone()).fit(&dataset)?;
                Ok(solved(fitted.linear, fitted.iterations, fitted.converged))
            }
            Learner::ElasticNet(params) => {
                let fitted = Given::new(params.clone()).fit(&dataset)?;
                Ok(solved(fitted.linear, fitted.iterations, fitted.converged))
            }
            Learner::LinearSvm(params) => {
                let fitted = Given::new(params.clone()).fit(&dataset)?;
                Ok(solved(fitted.linear, fitted.iterations, fitted.converged))
            }
            Learner::NaiveBayes(params) => {
                let bayes = Given::new(params.clone()).fit(&dataset)?;
                Ok((Predictor::Bayes(bayes), Effort::OnePass))
            }
            Learner::DecisionTree(params) => {
                let trees = Given::new(params.clone()).check()?.fit_owned(dataset)?;
                let effort = grown(&trees.0, None);
                Ok((Predictor::Trees(trees), effort))
            }
            Learner::RandomForest(params) => {
                let trees = Given::new(params.clone()).check()?.fit_owned(dataset)?;
                let effort = grown(&trees.0, None);
                Ok((Predictor::Trees(trees), effort))
            }
            Learner::GradientBoosting(params, _) => {
                let fitted = Given::new(params.clone()).check()?.fit_owned(dataset, stop_by)?;
                let effort = grown(&fitted.boosted.trees, fitted.best_round);
                Ok((Predictor::Boosted(fitted.boosted), effort))
            }
        }
    }
}

/// The directions of all encoded features, 0 for those that may go either way.
pub(super) fn directions(
    encoder: &Encoder,
    monotone: &BTreeMap<String, i8>,
) -> anyhow::Result<Vec<i8>> {
    let names = encoder.encoded_names();
    let counts = encoder.category_counts();
    let numbers = names.iter().zip(&counts).filter(|(_, count)| count.is_none());
    let numbers: Vec<&String> = numbers.map(|(name, _)| name).collect();
    for name in monotone.keys() {
        anyhow::ensure!(
            numbers.contains(&name),
            "`monotone_constraints` names `{name}`, which is no number that the trees see: they see \
             {}",
            numbers.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(names.iter().map(|name| monotone.get(name).copied().unwrap_or(0)).collect())
}

fn solved(linear: Linear, iterations: u32, converged: bool) -> (Predictor, Effort) {
    (Predictor::Linear(linear), Effort::Steps { iterations, converged })
}

pub(super) fn grown(trees: &[Tree], best_round: Option<u32>) -> Effort {
    let nodes = trees.iter().map(Tree::n_nodes).sum();
    Effort::Nodes { trees: trees.len(), nodes, best_round }
}

/// What fitting took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// One look at every row.
    OnePass,
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
        /// The round at which boosting was stopped by other rows.
        best_round: Option<u32>,
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

/// The rows that a model may see.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Those that it learns from.
    pub train: &'a Table,
    /// Those that tell when to stop, for learners that stop early; transforms never see them.
    pub stop_by: Option<&'a Table>,
}

/// Trains a model on a table. `positive` names the positive class.
///
/// # Errors
/// What of table, columns or parameters does not allow it.
pub fn train(
    rows: Rows<'_>,
    columns: &Columns,
    positive: Option<&Value>,
    features: &FeatureParams,
    learner: &Learner,
) -> anyhow::Result<Trained> {
    let Weighed { table, weights } = weighed(rows.train, columns)?;
    let table = table.as_ref();
    let target = column(table, &columns.target)?;
    let classes = target::classes(target, positive).map_err(anyhow::Error::msg)?;
    let labels = target::labels(target, &classes).map_err(anyhow::Error::msg)?;
    // The training rows as the learner may see them: out of fold, where the target was used.
    let Fitted { encoder, rows: encoded } = fit_transform(table, columns, &labels, features)?;
    refuse_missing(&encoder, learner)?;
    let learner = learner.clone().with_hints(&encoder)?;
    let training = Training {
        rows: labels.len() as u64,
        positives: labels.iter().filter(|positive| **positive).count() as u64,
    };
    let stop_by = match rows.stop_by.filter(|_| learner.stops_early()) {
        Some(table) => {
            let Weighed { table, weights } = weighed(table, columns).context("rows to stop by")?;
            let target = column(&table, &columns.target)?;
            let labels = target::labels(target, &classes).map_err(anyhow::Error::msg)?;
            let encoded = encoder.encode_table(&table).map_err(anyhow::Error::msg)?;
            Some(dataset(encoded, Array1::from_vec(labels), weights))
        }
        None => None,
    };
    let dataset = dataset(encoded, Array1::from_vec(labels), weights);
    let (predictor, effort) = learner.fit(dataset, stop_by.as_ref())?;
    let model = Model::new(learner.name(), &columns.target, classes, encoder, predictor, training)?;
    let is_empty =
        |name: &&String| table.column(name).is_some_and(|column| column.missing() == column.len());
    let empty = columns.features.iter().filter(is_empty).cloned().collect();
    Ok(Trained { model, effort, empty })
}

/// The rows that count.
pub(super) fn weighed<'a>(table: &'a Table, columns: &Columns) -> anyhow::Result<Weighed<'a>> {
    weights::weighed(table, columns.weight.as_deref()).map_err(anyhow::Error::msg)
}

/// linfa's dataset of encoded rows, their targets and, where they do not count alike, weights.
pub(super) fn dataset<T>(
    rows: Array2<f64>,
    targets: Array1<T>,
    weights: Option<Array1<f32>>,
) -> DatasetBase<Array2<f64>, Array1<T>> {
    let dataset = DatasetBase::new(rows, targets);
    match weights {
        Some(weights) => dataset.with_weights(weights),
        None => dataset,
    }
}

/// Refuses features that may stay missing where the learner has no use for that.
fn refuse_missing(encoder: &Encoder, learner: &Learner) -> anyhow::Result<()> {
    match encoder.may_be_missing() {
        Some(name) if learner.is_linear() => anyhow::bail!(
            "column `{name}` may stay missing, and `{}` takes no missing values: give it another \
             `impute` than \"none\", and another `encode` than \"code\"",
            learner.name()
        ),
        _ => Ok(()),
    }
}

pub(super) fn column<'a>(table: &'a Table, name: &str) -> anyhow::Result<&'a super::table::Column> {
    table.column(name).ok_or_else(|| anyhow::anyhow!("the table has no column `{name}`"))
}

#[cfg(test)]
pub(crate) mod tests;
