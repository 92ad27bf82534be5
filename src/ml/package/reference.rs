//! The reference rows: a few records with the exact bits that the model gave for them.
//!
//! They are what "the model works" means: a model that is loaded anywhere must give the same bits
//! again. The number that a prediction follows from stands twice, as a decimal for people and as
//! its 64 bits for the proof: of classes the probability, of a regression the prediction itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::InputSchema;
use super::{PackageError, Prediction, REFERENCE, invalid};
use crate::ml::cell::Cell;

/// The format of `reference.json` with classes and their probability.
pub const FORMAT: &str = "pipeline.reference/1";

/// The format of `reference.json` with numbers.
pub const NUMBER_FORMAT: &str = "pipeline.reference/2";

/// Reference rows, in the order of the table they were taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `FORMAT` or `NUMBER_FORMAT`.
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
    /// The predicted class, or number.
    pub prediction: Value,
    /// A number as the 16 hex digits of its bits; of classes there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_bits: Option<String>,
    /// The probability of the positive class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The same as the 16 hex digits of its bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_bits: Option<String>,
}

impl Reference {
    /// The rows, at least one, with what `predict` says of them, all of one task.
    pub fn new<'m>(
        schema: &InputSchema,
        rows: &[Vec<Cell>],
        predict: impl Fn(&[Cell]) -> Prediction<'m>,
    ) -> Reference {
        let predicted: Vec<Prediction<'_>> = rows.iter().map(|cells| predict(cells)).collect();
        let format = predicted.first().map_or(FORMAT, format).to_owned();
        let row = |(cells, prediction): (&Vec<Cell>, &Prediction<'_>)| {
            let pairs = schema.fields.iter().zip(cells);
            let record = pairs.map(|(field, cell)| (field.name.clone(), field.json(cell)));
            ReferenceRow::of(record.collect(), prediction)
        };
        Reference { format, rows: rows.iter().zip(&predicted).map(row).collect() }
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
        if ![FORMAT, NUMBER_FORMAT].contains(&self.format.as_str()) || self.rows.is_empty() {
            let flaw = format!("it has no rows of format {FORMAT} or {NUMBER_FORMAT}");
            return Err(invalid(REFERENCE, &flaw));
        }
        for (i, row) in self.rows.iter().enumerate() {
            let no_row = || invalid(REFERENCE, &format!("row {i} is not a row of the schema"));
            let prediction = predict(&row.cells(schema).ok_or_else(no_row)?);
            if format(&prediction) != self.format {
                return Err(invalid(REFERENCE, &"its rows are those of another task"));
            }
            if !row.says(&prediction) {
                return Err(PackageError::Reference(i));
            }
        }
        Ok(())
    }
}

/// The format of rows of a prediction's task.
fn format(prediction: &Prediction<'_>) -> &'static str {
    match prediction {
        Prediction::Class { .. } => FORMAT,
        Prediction::Number(_) => NUMBER_FORMAT,
    }
}

impl ReferenceRow {
    fn of(record: Map<String, Value>, prediction: &Prediction<'_>) -> ReferenceRow {
        let probability = prediction.probability();
        let number = match prediction {
            Prediction::Class { .. } => None,
            Prediction::Number(number) => Some(*number),
        };
        ReferenceRow {
            record,
            prediction: prediction.value().into_owned(),
            prediction_bits: number.map(bits),
            probability,
            probability_bits: probability.map(bits),
        }
    }

    /// Whether a prediction is the row's own, and the row agrees with itself, to the bit.
    fn says(&self, prediction: &Prediction<'_>) -> bool {
        let again = ReferenceRow::of(self.record.clone(), prediction);
        let decimals = |row: &ReferenceRow| match prediction {
            Prediction::Class { .. } => (row.prediction.clone(), row.probability.map(bits)),
            Prediction::Number(_) => (Value::Null, row.prediction.as_f64().map(bits)),
        };
        decimals(self) == decimals(&again)
            && self.prediction_bits == again.prediction_bits
            && self.probability_bits == again.probability_bits
            && self.probability.is_some() == again.probability.is_some()
    }

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
