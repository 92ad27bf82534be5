//! Why an expectation fails, in the words of TensorFlow Data Validation.
//!
//! The names are those of `AnomalyInfo.Type` in its `anomalies.proto`; only those that something
//! here can find. A finding that none of them fits has no reason.

use serde::{Deserialize, Serialize};

use crate::ml::table::{Column, ColumnType};

/// Why an expectation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// A truth value is expected and a number stands there.
    BoolTypeUnexpectedFloat,
    /// A truth value is expected and another text stands there.
    BoolTypeUnexpectedString,
    /// There are fewer rows than expected.
    DatasetLowNumExamples,
    /// There are more rows than expected.
    DatasetHighNumExamples,
    /// A text is none of the set.
    EnumTypeUnexpectedStringValues,
    /// More distinct values than expected.
    FeatureTypeHighUnique,
    /// Too few rows have a value.
    FeatureTypeLowFractionPresent,
    /// Fewer distinct values than expected.
    FeatureTypeLowUnique,
    /// No row has a value.
    FeatureTypeNotPresent,
    /// A number above the range.
    FloatTypeBigFloat,
    /// A number is expected and something else stands there.
    FloatTypeNotFloat,
    /// A number below the range.
    FloatTypeSmallFloat,
    /// A number is expected and a text that is none stands there.
    FloatTypeStringNotFloat,
    /// A whole number above the range.
    IntTypeBigInt,
    /// A whole number is expected and another number stands there.
    IntTypeIntExpected,
    /// A whole number is expected and a text that is none stands there.
    IntTypeNotIntString,
    /// A whole number below the range.
    IntTypeSmallInt,
    /// A column is not there.
    SchemaMissingColumn,
    /// A column is there that is not expected.
    SchemaNewColumn,
    /// A text is expected and the column holds numbers.
    StringTypeNowFloat,
    /// A text is expected and the column holds whole numbers.
    StringTypeNowInt,
    /// Another type than expected.
    UnexpectedDataType,
}

impl Reason {
    /// A number of a column that is above or below its range.
    pub(super) fn out_of_range(column: &Column, is_above: bool) -> Reason {
        match (column.ty(), is_above) {
            (ColumnType::Integer, true) => Reason::IntTypeBigInt,
            (ColumnType::Integer, false) => Reason::IntTypeSmallInt,
            (_, true) => Reason::FloatTypeBigFloat,
            (_, false) => Reason::FloatTypeSmallFloat,
        }
    }

    /// A value where a number is expected.
    pub(super) fn no_number(column: &Column) -> Reason {
        match column.ty() {
            ColumnType::Text => Reason::FloatTypeStringNotFloat,
            _ => Reason::FloatTypeNotFloat,
        }
    }

    /// A value of a column that is none of a set.
    pub(super) fn not_in_set(column: &Column) -> Option<Reason> {
        let is_text = column.ty() == ColumnType::Text;
        is_text.then_some(Reason::EnumTypeUnexpectedStringValues)
    }

    /// The reason as it is written.
    pub fn name(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    }
}
