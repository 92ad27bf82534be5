//! The model file: all that is needed to turn a row of cells into a probability.
//!
//! Canonical JSON, `pipeline.model/1`, and nothing that could be run: reading untrusted bytes can
//! fail, never execute, never panic, never loop (see `learn::tree` for why a walk ends). Knows
//! neither where the bytes came from nor how the model was trained.

mod explanation;
pub mod regressor;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ml::calibration::Calibration;
use crate::ml::cell::Cell;
use crate::ml::features::{Encoder, Interaction, Known, Rows};
use crate::ml::json;
use crate::ml::learn::bayes::{Bayes, Evidence};
use crate::ml::learn::document::TreeDocument;
use crate::ml::learn::tree::Tree;
use crate::ml::learn::{Boosted, Linear, Predictor, Trees};
use crate::ml::table::Table;

pub use explanation::{Contribution, Explained, Scale};

pub use crate::ml::features::{DateFormat, Feature as ModelFeature, FeatureKind};

/// The format of a model file.
pub const FORMAT: &str = "pipeline.model/1";

/// Larger files are refused unread.
pub const MAX_BYTES: usize = 256 << 20;

/// A trained model: transforms, predictor and the two classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    learner: String,
    target: String,
    classes: [Value; 2],
    encoder: Encoder,
    predictor: Predictor,
    calibration: Option<Calibration>,
    training: Training,
}

/// What is worth knowing of the rows that a model was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// How many rows.
    pub rows: u64,
    /// How many of them are of the positive class.
    pub positives: u64,
}

/// Why bytes are not a model, or a model does not fit a table.
#[derive(Debug)]
pub struct ModelError(String);

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ModelError {}

impl From<String> for ModelError {
    fn from(message: String) -> ModelError {
        ModelError(message)
    }
}

/// A model as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    learner: String,
    target: String,
    classes: [Value; 2],
    features: Vec<ModelFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interactions: Vec<Interaction>,
    predictor: PredictorDocument,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
    training: Training,
}

/// A predictor as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PredictorDocument {
    Linear { intercept: f64, coefficients: Vec<Coefficient> },
    Trees(Vec<TreeDocument>),
    Boosted { base: f64, trees: Vec<TreeDocument> },
    Bayes { base: f64, evidence: Vec<Named<Evidence>> },
}

/// Something of one encoded feature, by the name that the encoder gives it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<T> {
    feature: String,
    says: T,
}

/// The weight of one encoded feature, on the scale that the encoder yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficient {
    /// The encoded feature, by the name that the encoder gives it: `column`, `column=category`, ….
    pub feature: String,
    /// Its weight, in log-odds per unit.
    pub value: f64,
}

impl Model {
    /// A model of parts that fit each other.
    ///
    /// # Errors
    /// Which of them do not.
    pub fn new(
        learner: &str,
        target: &str,
        classes: [Value; 2],
        encoder: Encoder,
        predictor: Predictor,
        training: Training,
    ) -> Result<Model, ModelError> {
        check_classes(&classes)?;
        predictor.check(encoder.width())?;
        if let (Predictor::Linear(_), Some(name)) = (&predictor, encoder.may_be_missing()) {
            return Err(ModelError(format!("`{name}` may be missing, which has no log-odds")));
        }
        let (learner, target) = (learner.to_owned(), target.to_owned());
        let calibration = None;
        Ok(Model { learner, target, classes, encoder, predictor, calibration, training })
    }

    /// The same model with what its probabilities become; a calibration that it has is replaced.
    ///
    /// # Errors
    /// A calibration that is none.
    pub fn calibrated(self, calibration: Calibration) -> Result<Model, ModelError> {
        calibration.check().map_err(|flaw| ModelError(flaw.to_owned()))?;
        Ok(Model { calibration: Some(calibration), ..self })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// Why the bytes are not a model that can predict.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
        if bytes.len() > MAX_BYTES {
            return Err(ModelError(format!("the model is larger than {MAX_BYTES} bytes")));
        }
        // serde_json refuses more than 128 levels and numbers that are not finite.
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| ModelError(format!("not a model: {error}")))?;
        if document.format != FORMAT {
            return Err(ModelError(format!(
                "not a model of format {FORMAT}: it says `{}`",
                document.format.chars().take(40).collect::<String>()
            )));
        }
        let encoder = Encoder::new(document.features, document.interactions)?;
        let predictor = read_predictor(document.predictor, &encoder)?;
        let Document { learner, target, classes, calibration, training, .. } = document;
        let model = Model::new(&learner, &target, classes, encoder, predictor, training)?;
        match calibration {
            Some(calibration) => model.calibrated(calibration),
            None => Ok(model),
        }
    }

    /// The canonical bytes of the model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = Document {
            format: FORMAT.to_owned(),
            learner: self.learner.clone(),
            target: self.target.clone(),
            classes: self.classes.clone(),
            features: self.encoder.features().to_vec(),
            interactions: self.encoder.interactions().to_vec(),
            predictor: predictor_document(&self.predictor, &self.encoder),
            calibration: self.calibration.clone(),
            training: self.training.clone(),
        };
        json::to_bytes(&document).expect("a checked model is JSON")
    }

    /// The cells that a row needs, in their order.
    pub fn features(&self) -> &[ModelFeature] {
        self.encoder.features()
    }

    /// The names of the numbers that a row is encoded to, in their order.
    pub fn encoded_names(&self) -> Vec<String> {
        self.encoder.encoded_names()
    }

    /// The name of the column that is predicted.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The negative and the positive class, typed as in the data.
    pub fn classes(&self) -> &[Value; 2] {
        &self.classes
    }

    /// The learner's name, such as `logistic_regression`.
    pub fn learner(&self) -> &str {
        &self.learner
    }

    /// What is worth knowing of the training rows.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// What computes the probability from the encoded row.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// What becomes of the predictor's probability, if anything does.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The numbers that the predictor is given for every row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    pub fn encoded(&self, table: &Table) -> Result<Vec<Vec<f64>>, ModelError> {
        encoded(&self.encoder, table)
    }

    /// The weights of a linear model by encoded feature, in log-odds before any calibration; `None`
    /// for another model.
    pub fn coefficients(&self) -> Option<Vec<Coefficient>> {
        let Predictor::Linear(linear) = &self.predictor else { return None };
        Some(coefficients(linear, &self.encoder))
    }

    /// The probability of the positive class, in [0, 1], for one cell per feature in their order.
    /// The same bits as in `probabilities`. A cell that `row` lacks counts as missing.
    pub fn probability(&self, row: &[Cell]) -> f64 {
        self.probability_with(row, &mut Vec::new())
    }

    /// The same, in a buffer that is kept between calls.
    pub fn probability_with(&self, row: &[Cell], scratch: &mut Vec<f64>) -> f64 {
        scratch.resize(self.encoder.width(), 0.0);
        self.encoder.encode(row, scratch);
        self.probability_of(scratch)
    }

    /// What `Encoder::encode_known` needs, of columns that list their categories or do not.
    pub fn known<'a>(&self, listed: impl Iterator<Item = Option<&'a [String]>>) -> Known {
        Known::new(&self.encoder, listed)
    }

    /// The same bits as `probability`, of a row whose categories were found among those of `known`,
    /// in a buffer that is kept between calls.
    pub fn probability_known(
        &self,
        row: &[Cell],
        places: &[Option<u32>],
        known: &Known,
        scratch: &mut Vec<f64>,
    ) -> f64 {
        scratch.resize(self.encoder.width(), 0.0);
        self.encoder.encode_known(row, places, known, scratch);
        self.probability_of(scratch)
    }

    fn probability_of(&self, encoded: &[f64]) -> f64 {
        let probability = self.predictor.probability(encoded);
        self.calibration.as_ref().map_or(probability, |calibration| calibration.apply(probability))
    }

    /// The probability of the positive class for every row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    pub fn probabilities(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        by_chunks(&self.encoder, table, |encoded, probabilities| {
            self.predictor.probabilities(encoded, self.encoder.width(), probabilities);
            if let Some(calibration) = &self.calibration {
                probabilities.iter_mut().for_each(|p| *p = calibration.apply(*p));
            }
        })
    }
}

fn encoded(encoder: &Encoder, table: &Table) -> Result<Vec<Vec<f64>>, ModelError> {
    let rows = encoder.encode_table(table)?;
    Ok(rows.rows().into_iter().map(|row| row.to_vec()).collect())
}

/// One number per row of a table, in their order: `predict` fills in those of a chunk of encoded
/// rows.
fn by_chunks(
    encoder: &Encoder,
    table: &Table,
    predict: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<Vec<f64>, ModelError> {
    let rows = Rows::new(encoder.features(), table)?;
    Ok(rows.map_chunks(|first, n_rows| {
        let width = encoder.width();
        let (mut cells, mut encoded) = (Vec::new(), vec![0.0; n_rows * width]);
        for row in 0..n_rows {
            rows.cells(first + row, &mut cells);
            encoder.encode(&cells, &mut encoded[row * width..(row + 1) * width]);
        }
        let mut numbers = vec![0.0; n_rows];
        predict(&encoded, &mut numbers);
        numbers
    }))
}

fn coefficients(linear: &Linear, encoder: &Encoder) -> Vec<Coefficient> {
    let named = encoder.encoded_names().into_iter().zip(&linear.coefficients);
    named.map(|(feature, value)| Coefficient { feature, value: *value }).collect()
}

fn predictor_document(predictor: &Predictor, encoder: &Encoder) -> PredictorDocument {
    let documents = |trees: &[Tree]| trees.iter().map(TreeDocument::of).collect();
    match predictor {
        Predictor::Linear(linear) => PredictorDocument::Linear {
            intercept: linear.intercept,
            coefficients: coefficients(linear, encoder),
        },
        Predictor::Trees(Trees(trees)) => PredictorDocument::Trees(documents(trees)),
        Predictor::Boosted(Boosted { base, trees }) => {
            PredictorDocument::Boosted { base: *base, trees: documents(trees) }
        }
        Predictor::Bayes(Bayes { base, evidence }) => {
            let named = encoder.encoded_names().into_iter().zip(evidence.iter().cloned());
            let evidence = named.map(|(feature, says)| Named { feature, says }).collect();
            PredictorDocument::Bayes { base: *base, evidence }
        }
    }
}

/// Two different scalars.
fn check_classes(classes: &[Value; 2]) -> Result<(), ModelError> {
    let scalar = |value: &Value| value.is_boolean() || value.is_number() || value.is_string();
    if classes.iter().all(scalar) && classes[0] != classes[1] {
        return Ok(());
    }
    Err(ModelError("the classes are not two different scalars".to_owned()))
}

fn read_predictor(document: PredictorDocument, encoder: &Encoder) -> Result<Predictor, ModelError> {
    match document {
        PredictorDocument::Linear { intercept, coefficients } => {
            let names = encoder.encoded_names();
            if !coefficients.iter().map(|c| &c.feature).eq(&names) {
                return Err(ModelError("the coefficients do not name the features".to_owned()));
            }
            let coefficients = coefficients.into_iter().map(|c| c.value).collect();
            Ok(Predictor::Linear(Linear { intercept, coefficients }))
        }
        PredictorDocument::Trees(trees) => Ok(Predictor::Trees(Trees(read_trees(trees, encoder)?))),
        PredictorDocument::Boosted { base, trees } => {
            Ok(Predictor::Boosted(Boosted { base, trees: read_trees(trees, encoder)? }))
        }
        PredictorDocument::Bayes { base, evidence } => {
            if !evidence.iter().map(|e| &e.feature).eq(&encoder.encoded_names()) {
                return Err(ModelError("the evidence does not name the features".to_owned()));
            }
            let evidence = evidence.into_iter().map(|e| e.says).collect();
            Ok(Predictor::Bayes(Bayes { base, evidence }))
        }
    }
}

fn read_trees(trees: Vec<TreeDocument>, encoder: &Encoder) -> Result<Vec<Tree>, ModelError> {
    let trees = trees.into_iter().map(|tree| tree.into_tree(encoder.width()));
    Ok(trees.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
