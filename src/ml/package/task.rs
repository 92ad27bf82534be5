//! What a package predicts, and by what: the one place where tasks differ.
//!
//! A package of classes holds a model and the threshold that decides, one of a number a regression.
//! Whoever uses a package asks for a prediction and takes it for what it is: a class has a
//! probability, a number has none, and neither can be mistaken for the other. Another task is
//! another case of these types, and the compiler then names all that has to know it. Knows no
//! files.

use std::borrow::Cow;

use serde_json::Value;

use super::manifest::{Decision, Task};
use crate::ml::cell::Cell;
use crate::ml::features::Known;
use crate::ml::model::regressor::Regressor;
use crate::ml::model::{Explained, Model, ModelFeature};
use crate::ml::per_segment::PerSegment;

/// What a model says of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction<'a> {
    /// Which class it is of.
    Class {
        /// The class.
        class: &'a Value,
        /// The probability of the positive class, in [0, 1].
        probability: f64,
    },
    /// A number, in the unit of the target.
    Number(f64),
}

impl<'a> Prediction<'a> {
    /// What is predicted: the class as it stands in the data, or the number.
    pub fn value(&self) -> Cow<'a, Value> {
        match self {
            Prediction::Class { class, .. } => Cow::Borrowed(class),
            Prediction::Number(number) => Cow::Owned(Value::from(*number)),
        }
    }

    /// The probability of the positive class; a number has none.
    pub fn probability(&self) -> Option<f64> {
        match self {
            Prediction::Class { probability, .. } => Some(*probability),
            Prediction::Number(_) => None,
        }
    }

    /// The number by which rows are told apart: the probability, or the number that is predicted.
    pub fn score(&self) -> f64 {
        match self {
            Prediction::Class { probability, .. } => *probability,
            Prediction::Number(number) => *number,
        }
    }
}

/// A model with all that decides what it answers.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskModel {
    /// Of two classes.
    Classifier(Classifier),
    /// Of a number.
    Regressor(Regressor),
}

/// A model of two classes, and from which probability on it says the positive one.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// The model.
    pub model: Model,
    /// From which probability on the positive class is predicted; in [0, 1].
    pub threshold: f64,
    /// Where another threshold decides.
    pub thresholds: Option<PerSegment>,
}

impl Classifier {
    /// Predicts a row: one cell per feature, in their order.
    pub fn predict(&self, row: &[Cell]) -> Prediction<'_> {
        self.decide(row, self.model.probability(row))
    }

    /// The one place that turns a probability into a class: by the threshold, or by that of the
    /// row's segment.
    fn decide(&self, row: &[Cell], probability: f64) -> Prediction<'_> {
        let threshold = self.thresholds.as_ref().map_or(self.threshold, |known| {
            known.of_row(self.model.features(), row, self.threshold)
        });
        let [negative, positive] = self.model.classes();
        let class = if probability >= threshold { positive } else { negative };
        Prediction::Class { class, probability }
    }
}

impl TaskModel {
    /// Reads the model file of a package for a task.
    ///
    /// # Errors
    /// Why the bytes are no model of that task.
    pub(super) fn from_bytes(task: &Task, bytes: &[u8]) -> Result<TaskModel, String> {
        match task {
            Task::Classes(Decision { threshold, thresholds, .. }) => {
                let model = Model::from_bytes(bytes).map_err(|error| error.to_string())?;
                let (threshold, thresholds) = (*threshold, thresholds.clone());
                Ok(TaskModel::Classifier(Classifier { model, threshold, thresholds }))
            }
            Task::Number => {
                let model = Regressor::from_bytes(bytes).map_err(|error| error.to_string())?;
                Ok(TaskModel::Regressor(model))
            }
        }
    }

    /// What is predicted, as a manifest says it.
    pub fn task(&self) -> Task {
        match self {
            TaskModel::Classifier(Classifier { model, threshold, thresholds }) => {
                Task::Classes(Decision {
                    classes: model.classes().clone(),
                    threshold: *threshold,
                    thresholds: thresholds.clone(),
                })
            }
            TaskModel::Regressor(_) => Task::Number,
        }
    }

    /// What keeps it from deciding, if anything does.
    pub(super) fn flaw(&self) -> Option<String> {
        let TaskModel::Classifier(Classifier { model, thresholds, .. }) = self else { return None };
        thresholds.as_ref().and_then(|known| known.flaw(model.features()))
    }

    /// The canonical bytes of the model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            TaskModel::Classifier(of) => of.model.to_bytes(),
            TaskModel::Regressor(model) => model.to_bytes(),
        }
    }

    /// The learner's name.
    pub fn learner(&self) -> &str {
        match self {
            TaskModel::Classifier(of) => of.model.learner(),
            TaskModel::Regressor(model) => model.learner(),
        }
    }

    /// The name of the column that is predicted.
    pub fn target(&self) -> &str {
        match self {
            TaskModel::Classifier(of) => of.model.target(),
            TaskModel::Regressor(model) => model.target(),
        }
    }

    /// The cells that a row needs, in their order.
    pub fn features(&self) -> &[ModelFeature] {
        match self {
            TaskModel::Classifier(of) => of.model.features(),
            TaskModel::Regressor(model) => model.features(),
        }
    }

    /// Predicts a row: one cell per feature, in their order.
    pub fn predict(&self, row: &[Cell]) -> Prediction<'_> {
        match self {
            TaskModel::Classifier(of) => of.predict(row),
            TaskModel::Regressor(model) => Prediction::Number(model.prediction(row)),
        }
    }

    /// What `Encoder::encode_known` needs, of columns that list their categories or do not.
    pub fn known<'a>(&self, listed: impl Iterator<Item = Option<&'a [String]>>) -> Known {
        match self {
            TaskModel::Classifier(of) => of.model.known(listed),
            TaskModel::Regressor(model) => model.known(listed),
        }
    }

    /// The same bits as `predict`, of a row of which `places` has, for each cell that was found
    /// among those of `known`, where. The buffer is kept between calls.
    pub fn predict_known(
        &self,
        row: &[Cell],
        places: &[Option<u32>],
        known: &Known,
        scratch: &mut Vec<f64>,
    ) -> Prediction<'_> {
        match self {
            TaskModel::Classifier(of) => {
                of.decide(row, of.model.probability_known(row, places, known, scratch))
            }
            TaskModel::Regressor(model) => {
                Prediction::Number(model.prediction_known(row, places, known, scratch))
            }
        }
    }

    /// What each field of a row adds to what the model says of it.
    ///
    /// # Errors
    /// Why the model cannot be explained.
    pub fn explain(&self, row: &[Cell]) -> Result<Explained, &'static str> {
        match self {
            TaskModel::Classifier(of) => of.model.explain(row),
            TaskModel::Regressor(model) => model.explain(row),
        }
    }
}
