//! The reference rows: a few records with the exact bits that the model gave for them.
//!
//! They are what "the model works" means: a model that is loaded anywhere must give the same bits
//! again. The probability stands twice, as a decimal for people and as its 64 bits for the proof.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::InputSchema;
use super::{PackageError, Prediction, REFERENCE, invalid};
use crate::ml::cell::Cell;

/// The format of `reference.json`.
pub const FORMAT: &str = "pipeline.reference/1";

/// Reference rows, in the order of the table they were taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `FORMAT`.
    pub format: String,
    /// The rows; at least one.
    pub rows: Vec<ReferenceRow>,
}

/// A record and what the model says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRow {
    /// The record, as it would stand in a request.
    pub record: Map<String, Value>,
    /// The predicted class.
    pub prediction: Value,
    /// The probability of the positive class.
    pub probability: f64,
    /// The same as the 16 hex digits of its bits.
    pub probability_bits: String,
}

impl Reference {
    /// The rows with what `predict` says of them.
    pub fn new<'m>(
        schema: &InputSchema,
        rows: &[Vec<Cell>],
        predict: impl Fn(&[Cell]) -> Prediction<'m>,
    ) -> Reference {
        let row = |cells: &Vec<Cell>| {
            let Prediction { class, probability } = predict(cells);
            let pairs = schema.fields.iter().zip(cells);
            ReferenceRow {
                record: pairs.map(|(field, cell)| (field.name.clone(), field.json(cell))).collect(),
                prediction: class.clone(),
                probability,
                probability_bits: bits(probability),
            }
        };
        Reference { format: FORMAT.to_owned(), rows: rows.iter().map(row).collect() }
    }

    /// Predicts every row anew.
    ///
    /// # Errors
    /// The first row that gives other bits or another class, or that is no row.
    pub fn prove<'m>(
        &self,
        schema: &InputSchema,
        predict: impl Fn(&[Cell]) -> Prediction<'m>,
    ) -> Result<(), PackageError> {
        if self.format != FORMAT || self.rows.is_empty() {
            return Err(invalid(REFERENCE, &format!("it has no rows of format {FORMAT}")));
        }
        for (i, row) in self.rows.iter().enumerate() {
            let no_row = || invalid(REFERENCE, &format!("row {i} is not a row of the schema"));
            let cells = row.cells(schema).ok_or_else(no_row)?;
            let Prediction { class, probability } = predict(&cells);
            let is_same = bits(probability) == row.probability_bits
                && bits(row.probability) == row.probability_bits
                && *class == row.prediction;
            if !is_same {
                return Err(PackageError::Reference(i));
            }
        }
        Ok(())
    }
}

impl ReferenceRow {
    fn cells(&self, schema: &InputSchema) -> Option<Vec<Cell>> {
        if self.record.len() != schema.fields.len() {
            return None;
        }
        let cell = |field: &super::input::InputField| field.cell(self.record.get(&field.name)?);
        schema.fields.iter().map(cell).collect()
    }
}

/// The bits of a float as 16 hex digits.
fn bits(x: f64) -> String {
    format!("{:016x}", x.to_bits())
}
