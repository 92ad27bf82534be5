//! The input schema of a package: what one record must look like to be predicted.
//!
//! It is the training schema cut down to the model's features, in the model's order, with an
//! example per field. Where the model itself says what it takes, that stands instead of what the
//! data had: a date of any day in its format, and of categories only those that training has seen
//! where others are to be refused (`unseen = "error"`). Knows neither JSON syntax nor HTTP: a service checks requests against it,
//! and the reference rows are read by it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ml::cell::Cell;
use crate::ml::model::{DateFormat, ModelFeature};
use crate::ml::schema::{Field, FieldType, Schema};

/// The format of `schema.json`.
pub const FORMAT: &str = "pipeline.input/1";

/// Integers up to here are exact as numbers.
pub const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputField {
    /// The name in a request.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// Whether null is accepted: only where values were missing in the data.
    pub nullable: bool,
    /// The smallest value in the data, of `Integer` and `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value in the data, of `Integer` and `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The values in the data, sorted, of `Category`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// How its dates are written, of a field that holds dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<DateFormat>,
    /// A valid value.
    pub example: Value,
}

/// The fields of a record, in the model's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSchema {
    /// `FORMAT`.
    pub format: String,
    /// The fields.
    pub fields: Vec<InputField>,
}

impl InputSchema {
    /// The fields of `schema` that `features` take, with examples from `rows` (whose cells stand in
    /// the order of `features`).
    ///
    /// # Errors
    /// The name of a feature that the schema does not have.
    pub fn new(
        schema: &Schema,
        features: &[ModelFeature],
        rows: &[Vec<Cell>],
    ) -> Result<InputSchema, String> {
        let mut fields = Vec::new();
        for (i, feature) in features.iter().enumerate() {
            let found = schema.fields.iter().find(|field| field.name == feature.name);
            let field = found.ok_or_else(|| feature.name.clone())?;
            let column: Vec<&Cell> = rows.iter().filter_map(|row| row.get(i)).collect();
            fields.push(InputField::new(field, feature, &column));
        }
        Ok(InputSchema { format: FORMAT.to_owned(), fields })
    }

    /// What makes the schema unusable, if anything does.
    pub fn flaw(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!("its format is not {FORMAT}"));
        }
        if self.fields.is_empty() {
            return Some("it has no fields".to_owned());
        }
        let names: BTreeSet<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        if names.len() < self.fields.len() {
            return Some("a field is listed twice".to_owned());
        }
        let flawed = |field: &InputField| field.flaw().map(|flaw| (field.name.clone(), flaw));
        self.fields.iter().find_map(flawed).map(|(name, flaw)| format!("field '{name}' {flaw}"))
    }

    /// The example record: one valid value per field.
    pub fn example(&self) -> Value {
        let pairs = self.fields.iter().map(|field| (field.name.clone(), field.example.clone()));
        Value::Object(pairs.collect())
    }
}

impl InputField {
    fn new(field: &Field, feature: &ModelFeature, column: &[&Cell]) -> InputField {
        let mut input = InputField {
            name: field.name.clone(),
            ty: field.ty,
            nullable: field.nullable,
            min: field.min,
            max: field.max,
            categories: field.categories.clone(),
            date: None,
            example: Value::Null,
        };
        let is_text = matches!(field.ty, FieldType::Category | FieldType::Text);
        if let Some(format) = feature.date_format() {
            // Tomorrow is valid, too.
            (input.min, input.max, input.categories) = (None, None, None);
            input.date = Some(format.clone());
            input.ty = if is_text { FieldType::Text } else { field.ty };
        }
        if let Some(only) = feature.only_texts().filter(|_| is_text) {
            (input.ty, input.categories) = (FieldType::Category, Some(only));
        }
        let there = |cell: &&&Cell| ***cell != Cell::Missing && input.accepts(cell);
        input.example = match column.iter().find(there) {
            Some(cell) => input.json(cell),
            None => input.fallback(),
        };
        input
    }

    /// A valid value that no row shows.
    fn fallback(&self) -> Value {
        if let Some(format) = &self.date {
            let example = format.example();
            return match self.ty {
                FieldType::Text => Value::String(example),
                _ => self.json(&Cell::Number(example.parse().unwrap_or(0.0))),
            };
        }
        match self.ty {
            FieldType::Integer | FieldType::Number => {
                self.json(&Cell::Number(self.min.or(self.max).unwrap_or(0.0)))
            }
            FieldType::Boolean => Value::Bool(false),
            FieldType::Category => {
                let first = self.categories.iter().flatten().next();
                first.map_or(Value::Null, |text| Value::String(text.clone()))
            }
            FieldType::Text => Value::String("text".to_owned()),
        }
    }

    /// Whether a value of the right type is within what the data had, or a date where such are
    /// taken.
    pub fn accepts(&self, cell: &Cell) -> bool {
        if *cell != Cell::Missing && !self.is_date(cell) {
            return false;
        }
        match (cell, self.ty) {
            (Cell::Missing, _) => self.nullable,
            (Cell::Number(x), FieldType::Integer) => x.fract() == 0.0 && self.in_range(*x),
            (Cell::Number(x), FieldType::Number) => self.in_range(*x),
            (Cell::Number(x), FieldType::Boolean) => *x == 0.0 || *x == 1.0,
            (Cell::Text(text), FieldType::Category) => self.has_category(text),
            (Cell::Text(_), FieldType::Text) => true,
            _ => false,
        }
    }

    /// Whether a value is a date, of a field that takes no others.
    pub fn is_date(&self, cell: &Cell) -> bool {
        self.date.as_ref().is_none_or(|format| format.read(cell).is_some())
    }

    /// Whether a number is within the range of the data.
    pub fn in_range(&self, x: f64) -> bool {
        x.is_finite() && self.min.is_none_or(|min| x >= min) && self.max.is_none_or(|max| x <= max)
    }

    /// Whether a text is among the categories of the data.
    pub fn has_category(&self, text: &str) -> bool {
        self.category(text).is_some()
    }

    /// The place of a text among the categories of the data.
    pub fn category(&self, text: &str) -> Option<usize> {
        let known = self.categories.as_ref()?;
        // Most texts of few differ in their lengths already.
        match known.len() {
            0..=16 => known.iter().position(|name| name == text),
            _ => known.binary_search_by(|name| name.as_str().cmp(text)).ok(),
        }
    }

    /// A cell as it stands in a request.
    pub fn json(&self, cell: &Cell) -> Value {
        match (cell, self.ty) {
            (Cell::Missing, _) => Value::Null,
            (Cell::Number(x), FieldType::Boolean) => Value::Bool(*x != 0.0),
            (Cell::Number(x), _) => number(*x, self.ty == FieldType::Integer),
            (Cell::Text(text), _) => Value::from(text.as_str()),
        }
    }

    /// The cell that a value of a request stands for; `None` when its type is wrong.
    pub fn cell(&self, value: &Value) -> Option<Cell> {
        match (value, self.ty) {
            (Value::Null, _) => Some(Cell::Missing),
            (Value::Bool(truth), FieldType::Boolean) => Some(Cell::Number(f64::from(*truth))),
            (Value::Number(number), FieldType::Integer | FieldType::Number) => {
                number.as_f64().filter(|x| x.is_finite()).map(Cell::Number)
            }
            // As in a table, where the empty text is what is not there.
            (Value::String(text), FieldType::Text) if text.is_empty() => Some(Cell::Missing),
            (Value::String(text), FieldType::Category | FieldType::Text) => {
                Some(Cell::Text(text.into()))
            }
            _ => None,
        }
    }

    fn flaw(&self) -> Option<&'static str> {
        let bounds = [self.min, self.max];
        if bounds.iter().flatten().any(|bound| !bound.is_finite()) {
            return Some("has a bound that is not a number");
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            return Some("has its smallest value above its largest");
        }
        let is_number = matches!(self.ty, FieldType::Integer | FieldType::Number);
        if !is_number && bounds.iter().any(Option::is_some) {
            return Some("has a range and is not a number");
        }
        if self.categories.is_some() != (self.ty == FieldType::Category) {
            return Some("must list its categories exactly when it is one of them");
        }
        let sorted = |names: &Vec<String>| names.windows(2).all(|pair| pair[0] < pair[1]);
        if !self.categories.as_ref().is_none_or(sorted) {
            return Some("must list its categories sorted and once each");
        }
        if self.date.is_some() && matches!(self.ty, FieldType::Boolean | FieldType::Category) {
            return Some("holds dates and is neither a text nor a number");
        }
        let example = self.cell(&self.example);
        (!example.is_some_and(|cell| self.accepts(&cell))).then_some("has an invalid example")
    }
}

/// A number as JSON: an integer without a point where it is one.
pub fn number(x: f64, whole: bool) -> Value {
    if whole && x.fract() == 0.0 && x.abs() <= MAX_EXACT_INTEGER {
        // Exact: the value is whole and within 53 bits.
        return Value::from(x as i64);
    }
    Value::from(x)
}

/// A number as people write it: `200`, not `200.0`.
pub fn plain(number: &Value) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(ty: FieldType) -> InputField {
        let (min, max) = match ty {
            FieldType::Integer | FieldType::Number => (Some(1.0), Some(9.0)),
            _ => (None, None),
        };
        let categories = (ty == FieldType::Category).then(|| vec!["a".into(), "b".into()]);
        let (date, example) = (None, Value::Null);
        let (name, nullable) = ("x".into(), false);
        let mut field = InputField { name, ty, nullable, min, max, categories, date, example };
        field.example = field.fallback();
        field
    }

    #[test]
    fn a_fallback_example_is_valid() {
        for ty in [FieldType::Integer, FieldType::Number, FieldType::Boolean, FieldType::Category] {
            assert_eq!(field(ty).flaw(), None, "{ty:?}");
        }
    }

    #[test]
    fn a_date_of_any_day_is_valid_and_nothing_else_is() {
        let with = |format: &str, ty| {
            let date = DateFormat::try_from(format.to_owned()).ok();
            let mut field = InputField { min: None, max: None, date, ..field(ty) };
            field.example = field.fallback();
            field
        };
        let texts = with("%d.%m.%Y", FieldType::Text);
        assert_eq!((texts.flaw(), &texts.example), (None, &json!("01.01.2000")));
        assert!(texts.accepts(&Cell::Text("31.12.2199".into())));
        assert!(!texts.accepts(&Cell::Text("31.02.2199".into())));
        let numbers = with("%Y%m%d", FieldType::Integer);
        assert_eq!((numbers.flaw(), &numbers.example), (None, &json!(20_000_101)));
        assert!(!numbers.accepts(&Cell::Number(20_001_301.0)));
        assert_eq!(with("epoch_seconds", FieldType::Number).example, json!(0.0));
        assert!(with("%Y", FieldType::Category).flaw().is_some());
    }

    #[test]
    fn a_cell_survives_json() {
        let cases = [
            (FieldType::Integer, Cell::Number(3.0), json!(3)),
            (FieldType::Number, Cell::Number(3.0), json!(3.0)),
            (FieldType::Boolean, Cell::Number(1.0), json!(true)),
            (FieldType::Category, Cell::Text("b".into()), json!("b")),
            (FieldType::Category, Cell::Missing, json!(null)),
        ];
        for (ty, cell, value) in cases {
            assert_eq!(field(ty).json(&cell), value);
            assert_eq!(field(ty).cell(&value), Some(cell));
        }
    }

    #[test]
    fn flaws_are_told() {
        let mut unsorted = field(FieldType::Category);
        unsorted.categories = Some(vec!["b".into(), "a".into()]);
        let mut reversed = field(FieldType::Number);
        reversed.max = Some(0.0);
        let mut example = field(FieldType::Number);
        example.example = json!(99);
        for (flawed, words) in [(unsorted, "sorted"), (reversed, "above"), (example, "example")] {
            let schema = InputSchema { format: FORMAT.into(), fields: vec![flawed] };
            assert!(schema.flaw().unwrap().contains(words), "{words}");
        }
    }
}
