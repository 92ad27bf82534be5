//! Training a regression: a table, the parts of its columns and a learner become a regressor.
//!
//! As `training` does for classes. The transforms see no target: an encoding by it is of classes
//! and is refused where parameters are checked. Knows no files and no stages.

use std::collections::BTreeMap;

use anyhow::Context as _;
use linfa::ParamGuard;
use linfa::traits::Fit;
use ndarray::Array1;

use super::columns::Columns;
use super::features::{Encoder, FeatureParams, Fitted, fit_transform};
use super::learn::boosting::GradientBoosting;
use super::learn::forest::{DecisionTree, RandomForest};
use super::learn::numbers::Numbers;
use super::learn::ridge::Ridge;
use super::learn::{Given, LearnError, Predictor};
use super::model::regressor::Regressor;
use super::table::Table;
use super::target;
use super::training::{Effort, Rows, column, dataset, directions, grown, weighed};
use super::weights::Weighed;

/// A learner of numbers with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum NumberLearner {
    /// A number that is linear in the features.
    Ridge(Ridge),
    /// One tree.
    DecisionTree(DecisionTree),
    /// The mean of many trees.
    RandomForest(RandomForest),
    /// The sum of many trees, each of which mends what those before it got wrong; and the columns
    /// with which the prediction must rise (1) or fall (-1), other things being equal.
    GradientBoosting(GradientBoosting, BTreeMap<String, i8>),
}

/// A regressor, and what is worth telling of its training.
#[derive(Clone, Debug)]
pub struct TrainedRegressor {
    /// The regressor.
    pub model: Regressor,
    /// What fitting took.
    pub effort: Effort,
    /// Features without any value in the rows, which therefore say nothing.
    pub empty: Vec<String>,
}

impl NumberLearner {
    /// Its name in parameters and model files.
    pub fn name(&self) -> &'static str {
        match self {
            NumberLearner::Ridge(_) => "ridge",
            NumberLearner::DecisionTree(_) => "decision_tree",
            NumberLearner::RandomForest(forest) if forest.draw_thresholds => "extra_trees",
            NumberLearner::RandomForest(_) => "random_forest",
            NumberLearner::GradientBoosting(..) => "gradient_boosting",
        }
    }

    /// Whether rows to stop by have a say in the model.
    pub fn stops_early(&self) -> bool {
        let NumberLearner::GradientBoosting(params, _) = self else { return false };
        params.early_stopping_rounds > 0
    }

    fn with_hints(mut self, encoder: &Encoder) -> anyhow::Result<NumberLearner> {
        let is_categorical = encoder.category_counts().iter().map(Option::is_some).collect();
        match &mut self {
            NumberLearner::Ridge(_) => {}
            NumberLearner::DecisionTree(tree)
            | NumberLearner::RandomForest(RandomForest { tree, .. }) => {
                tree.hints.is_categorical = is_categorical;
            }
            NumberLearner::GradientBoosting(params, monotone) => {
                params.hints.monotone = directions(encoder, monotone)?;
                params.hints.is_categorical = is_categorical;
            }
        }
        Ok(self)
    }

    /// Fits to rows, which are let go as soon as the learner has no need of them.
    fn fit(
        &self,
        rows: Numbers,
        stop_by: Option<&Numbers>,
    ) -> Result<(Predictor, Effort), LearnError> {
        match self {
            NumberLearner::Ridge(params) => {
                let linear = Given::new(params.clone()).fit(&rows)?;
                Ok((Predictor::Linear(linear), Effort::OnePass))
            }
            NumberLearner::DecisionTree(params) => {
                let trees = Given::new(params.clone()).check()?.fit_numbers_owned(rows)?;
                let effort = grown(&trees.0, None);
                Ok((Predictor::Trees(trees), effort))
            }
            NumberLearner::RandomForest(params) => {
                let trees = Given::new(params.clone()).check()?.fit_numbers_owned(rows)?;
                let effort = grown(&trees.0, None);
                Ok((Predictor::Trees(trees), effort))
            }
            NumberLearner::GradientBoosting(params, _) => {
                let checked = Given::new(params.clone()).check()?;
                let fitted = checked.fit_numbers_owned(rows, stop_by)?;
                let effort = grown(&fitted.boosted.trees, fitted.best_round);
                Ok((Predictor::Boosted(fitted.boosted), effort))
            }
        }
    }
}

/// Trains a regressor on a table.
///
/// # Errors
/// What of table, columns or parameters does not allow it.
pub fn train(
    rows: Rows<'_>,
    columns: &Columns,
    features: &FeatureParams,
    learner: &NumberLearner,
) -> anyhow::Result<TrainedRegressor> {
    let Weighed { table, weights } = weighed(rows.train, columns)?;
    let table = table.as_ref();
    let targets = targets(table, &columns.target)?;
    let Fitted { encoder, rows: encoded } = fit_transform(table, columns, &[], features)?;
    if let (NumberLearner::Ridge(_), Some(name)) = (learner, encoder.may_be_missing()) {
        anyhow::bail!(
            "column `{name}` may stay missing, and `ridge` takes no missing values: give it \
             another `impute` than \"none\", and another `encode` than \"code\""
        );
    }
    let learner = learner.clone().with_hints(&encoder)?;
    let stop_by = match rows.stop_by.filter(|_| learner.stops_early()) {
        Some(table) => {
            let Weighed { table, weights } = weighed(table, columns).context("rows to stop by")?;
            let encoded = encoder.encode_table(&table).map_err(anyhow::Error::msg)?;
            Some(dataset(encoded, self::targets(&table, &columns.target)?, weights))
        }
        None => None,
    };
    let n_rows = targets.len() as u64;
    let (predictor, effort) = learner.fit(dataset(encoded, targets, weights), stop_by.as_ref())?;
    let model = Regressor::new(learner.name(), &columns.target, encoder, predictor, n_rows)?;
    let is_empty =
        |name: &&String| table.column(name).is_some_and(|column| column.missing() == column.len());
    let empty = columns.features.iter().filter(is_empty).cloned().collect();
    Ok(TrainedRegressor { model, effort, empty })
}

fn targets(table: &Table, name: &str) -> anyhow::Result<Array1<f64>> {
    let numbers = target::numbers(column(table, name)?).map_err(anyhow::Error::msg)?;
    Ok(Array1::from_vec(numbers))
}
