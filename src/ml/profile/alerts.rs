//! What in a profile deserves a look, by the names and bounds of ydata-profiling.
//!
//! | alert | of | told when | bound |
//! |---|---|---|---|
//! | `CONSTANT` | column | it has one distinct value | |
//! | `CONSTANT_LENGTH` | free text | all texts are of one length | |
//! | `DUPLICATES` | table | a row equals an earlier one | |
//! | `EMPTY` | column | it has no value at all | |
//! | `HIGH_CARDINALITY` | texts | distinct values are more than | `high_cardinality`, 50 |
//! | `HIGH_CORRELATION` | two columns | a measure is at least | `high_correlation`, 0.9 |
//! | `IMBALANCE` | categories | 1 less the relative entropy is above | `imbalance`, 0.5 |
//! | `INFINITE` | numbers | the share of infinite ones is above | `noticeable`, 0.01 |
//! | `MISSING` | column | the share of missing values is above | `noticeable`, 0.01 |
//! | `SKEWED` | numbers | the skewness is beyond, either side | `skewed`, 20 |
//! | `UNIFORM` | numbers, categories | equal counts have a chi-square p-value above | 0.999 |
//! | `UNIQUE` | column | every row has a value of its own | |
//! | `ZEROS` | numbers | the share of zeros is above | `noticeable`, 0.01 |

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::{ColumnProfile, Profile};
use crate::ml::json;
use crate::ml::schema::FieldType;
use crate::ml::special::chi_square_tail;

/// Above this p-value, counts are more equal than chance makes them.
const UNIFORM: f64 = 0.999;

/// The bounds of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Bounds {
    /// The most distinct texts.
    pub high_cardinality: usize,
    /// The correlation from which on two columns say the same, 0 to 1.
    pub high_correlation: f64,
    /// The most imbalance, 0 to 1.
    pub imbalance: f64,
    /// The share of rows up to which missing values, zeros and infinite numbers are no news.
    pub noticeable: f64,
    /// The most skewness, without sign.
    pub skewed: f64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            high_cardinality: 50,
            high_correlation: 0.9,
            imbalance: 0.5,
            noticeable: 0.01,
            skewed: 20.0,
        }
    }
}

/// The name of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the table above says what each means")]
pub enum Name {
    Constant,
    ConstantLength,
    Duplicates,
    Empty,
    HighCardinality,
    HighCorrelation,
    Imbalance,
    Infinite,
    Missing,
    Skewed,
    Uniform,
    Unique,
    Zeros,
}

/// Something that deserves a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// What it is.
    pub alert: Name,
    /// The columns that it is about; none when it is about the table.
    pub columns: Vec<String>,
    /// The number that was compared with the bound: a share, a count, a measure.
    #[serde(serialize_with = "json::finite")]
    pub value: f64,
}

/// The alerts of a profile: by column in their order, then pairs, then the table.
pub(super) fn alerts(profile: &Profile, bounds: &Bounds) -> Vec<Alert> {
    let mut told = Vec::new();
    for column in &profile.columns {
        let found = of_column(column, profile.rows, bounds);
        told.extend(found.into_iter().map(|(alert, value)| Alert {
            alert,
            columns: vec![column.name.clone()],
            value,
        }));
    }
    let pairs = profile.correlations.iter();
    told.extend(pairs.filter(|pair| pair.strength() >= bounds.high_correlation).map(|pair| {
        Alert {
            alert: Name::HighCorrelation,
            columns: pair.columns.to_vec(),
            value: pair.strength(),
        }
    }));
    let duplicates = profile.duplicate_rows.filter(|rows| *rows > 0);
    told.extend(duplicates.map(|rows| Alert {
        alert: Name::Duplicates,
        columns: Vec::new(),
        value: rows as f64,
    }));
    told
}

fn of_column(column: &ColumnProfile, rows: usize, bounds: &Bounds) -> Vec<(Name, f64)> {
    let mut told = Vec::new();
    let mut tell = |alert, value: f64, is_told: bool| {
        if is_told {
            told.push((alert, value));
        }
    };
    let share = |part: usize| part as f64 / rows.max(1) as f64;
    let is_noticed = |part: usize| share(part) > bounds.noticeable;
    if column.count == 0 {
        tell(Name::Empty, 1.0, true);
        return told;
    }
    tell(Name::Missing, share(column.missing), is_noticed(column.missing));
    tell(Name::Constant, 1.0, column.distinct == 1);
    tell(Name::Unique, 1.0, column.distinct == rows && rows > 1);
    if let Some(shape) = &column.shape {
        tell(Name::Zeros, share(shape.zeros), is_noticed(shape.zeros));
        tell(Name::Infinite, share(shape.infinite), is_noticed(shape.infinite));
        let skewness = shape.skewness.unwrap_or(0.0);
        tell(Name::Skewed, skewness, skewness.abs() > bounds.skewed);
    }
    let is_text = matches!(column.ty, FieldType::Category | FieldType::Text);
    let distinct = column.distinct;
    let is_high = is_text && distinct > bounds.high_cardinality;
    tell(Name::HighCardinality, distinct as f64, is_high);
    if let Some(lengths) = &column.lengths {
        let is_constant = column.ty == FieldType::Text && lengths.min == lengths.max;
        tell(Name::ConstantLength, lengths.min as f64, is_constant && column.count > 1);
    }
    let imbalance = column.imbalance.unwrap_or(0.0);
    tell(Name::Imbalance, imbalance, imbalance > bounds.imbalance);
    let p_value = uniform_p_value(column).unwrap_or(0.0);
    tell(Name::Uniform, p_value, p_value > UNIFORM);
    told
}

/// The p-value of chi-square for the histogram, or the categories, having equal counts.
fn uniform_p_value(column: &ColumnProfile) -> Option<f64> {
    let counts: Vec<f64> = match (&column.numbers, &column.bins) {
        (Some(numbers), _) => numbers.histogram.counts.iter().map(|n| *n as f64).collect(),
        (None, Some(Bins::Values { counts, .. })) => counts.iter().map(|n| *n as f64).collect(),
        _ => return None,
    };
    let total: f64 = counts.iter().sum();
    let expected = total / counts.len() as f64;
    let value: f64 = counts.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
    (counts.len() > 1).then(|| chi_square_tail(value, counts.len() as f64 - 1.0))
}
