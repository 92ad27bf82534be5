//! The model file of a regression: a row of cells becomes a number.
//!
//! The same parts as a model of classes, without classes, probabilities and calibration, and under
//! a format of its own: whoever expects a probability cannot take a number for one. What is said of
//! reading untrusted bytes in `model` holds here, too.

use serde::{Deserialize, Serialize};

use super::{
    Interaction, MAX_BYTES, ModelError, ModelFeature, PredictorDocument, by_chunks, encoded, json,
    predictor_document, read_predictor,
};
use crate::ml::cell::Cell;
use crate::ml::features::{Encoder, Known};
use crate::ml::learn::Predictor;
use crate::ml::table::Table;

/// The format of the model file of a regression.
pub const FORMAT: &str = "pipeline.regressor/1";

/// A trained regression: transforms and predictor.
#[derive(Clone, Debug, PartialEq)]
pub struct Regressor {
    learner: String,
    target: String,
    pub(super) encoder: Encoder,
    pub(super) predictor: Predictor,
    rows: u64,
}

/// A regression as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    learner: String,
    target: String,
    features: Vec<ModelFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interactions: Vec<Interaction>,
    predictor: PredictorDocument,
    training: TrainingRows,
}

/// What is worth knowing of the training rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingRows {
    rows: u64,
}

impl Regressor {
    /// A regression of parts that fit each other; `rows` is how many it was trained on.
    ///
    /// # Errors
    /// Which of them do not.
    pub fn new(
        learner: &str,
        target: &str,
        encoder: Encoder,
        predictor: Predictor,
        rows: u64,
    ) -> Result<Regressor, ModelError> {
        predictor.check_numbers(encoder.width())?;
        if let (Predictor::Linear(_), Some(name)) = (&predictor, encoder.may_be_missing()) {
            return Err(ModelError(format!("`{name}` may be missing, which has no coefficient")));
        }
        let (learner, target) = (learner.to_owned(), target.to_owned());
        Ok(Regressor { learner, target, encoder, predictor, rows })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// Why the bytes are not a regression that can predict.
    pub fn from_bytes(bytes: &[u8]) -> Result<Regressor, ModelError> {
        if bytes.len() > MAX_BYTES {
            return Err(ModelError(format!("the model is larger than {MAX_BYTES} bytes")));
        }
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| ModelError(format!("not a regression: {error}")))?;
        if document.format != FORMAT {
            return Err(ModelError(format!("not a model of format {FORMAT}")));
        }
        let encoder = Encoder::new(document.features, document.interactions)?;
        let predictor = read_predictor(document.predictor, &encoder)?;
        let Document { learner, target, training, .. } = document;
        Regressor::new(&learner, &target, encoder, predictor, training.rows)
    }

    /// The canonical bytes of the model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = Document {
            format: FORMAT.to_owned(),
            learner: self.learner.clone(),
            target: self.target.clone(),
            features: self.encoder.features().to_vec(),
            interactions: self.encoder.interactions().to_vec(),
            predictor: predictor_document(&self.predictor, &self.encoder),
            training: TrainingRows { rows: self.rows },
        };
        json::to_bytes(&document).expect("a checked model is JSON")
    }

    /// The name of the column that is predicted.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The learner's name, such as `ridge`.
    pub fn learner(&self) -> &str {
        &self.learner
    }

    /// How many rows it was trained on.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The cells that a row needs, in their order.
    pub fn features(&self) -> &[ModelFeature] {
        self.encoder.features()
    }

    /// What computes the number from the encoded row.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// The numbers that the predictor is given for every row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    pub fn encoded(&self, table: &Table) -> Result<Vec<Vec<f64>>, ModelError> {
        encoded(&self.encoder, table)
    }

    /// The names of the numbers that a row is encoded to, in their order.
    pub fn encoded_names(&self) -> Vec<String> {
        self.encoder.encoded_names()
    }

    /// The number for one cell per feature in their order. The same bits as in `predictions`. A
    /// cell that `row` lacks counts as missing.
    pub fn prediction(&self, row: &[Cell]) -> f64 {
        let mut encoded = vec![0.0; self.encoder.width()];
        self.encoder.encode(row, &mut encoded);
        self.predictor.margin(&encoded)
    }

    /// What `Encoder::encode_known` needs, of columns that list their categories or do not.
    pub fn known<'a>(&self, listed: impl Iterator<Item = Option<&'a [String]>>) -> Known {
        Known::new(&self.encoder, listed)
    }

    /// The same bits as `prediction`, of a row whose categories were found among those of `known`,
    /// in a buffer that is kept between calls.
    pub fn prediction_known(
        &self,
        row: &[Cell],
        places: &[Option<u32>],
        known: &Known,
        scratch: &mut Vec<f64>,
    ) -> f64 {
        scratch.resize(self.encoder.width(), 0.0);
        self.encoder.encode_known(row, places, known, scratch);
        self.predictor.margin(scratch)
    }

    /// The number for every row of a table, in their order.
    ///
    /// # Errors
    /// When the table lacks a feature or holds one of another kind.
    pub fn predictions(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        by_chunks(&self.encoder, table, |encoded, numbers| {
            self.predictor.margins(encoded, self.encoder.width(), numbers);
        })
    }
}
