//! Fitting a feature: what is learnt from the cells of one column of the training rows.
//!
//! Sums run in the order of the rows. Standard deviations are the population's and are taken after
//! imputing, as scikit-learn's `SimpleImputer` and `StandardScaler` in a pipeline do. A constant
//! column gets the scale 1; a column without any value becomes a constant, so that it says nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::{Feature, FeatureKind, Transform};
use crate::ml::cell::Cell;

/// A column with more categories than this is refused: it names rows and does not group them.
pub const MAX_CATEGORIES: usize = 1000;

/// What stands for a missing cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// The median of the column; of an even count the mean of the middle two.
    Median,
    /// The mean of the column.
    Mean,
    /// The most frequent category; of several the first in order.
    MostFrequent,
    /// The value of `fill`.
    Constant,
}

/// How a number is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// To mean 0 and standard deviation 1.
    Standard,
    /// Not at all.
    None,
}

/// How a category becomes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// One number per category: 1 for the one that it is.
    OneHot,
    /// The category's place among the sorted ones.
    Ordinal,
}

/// The transform of numeric and boolean columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumericParams {
    /// `Median`, `Mean` or `Constant`.
    pub impute: Impute,
    /// What `Constant` stands for.
    pub fill: f64,
    /// How it is scaled.
    pub scale: Scale,
}

/// The transform of categorical columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalParams {
    /// `MostFrequent` or `Constant`.
    pub impute: Impute,
    /// What `Constant` stands for: a category of its own, when no row has it.
    pub fill: String,
    /// How it becomes numbers.
    pub encode: Encode,
}

/// What one column does differently from the others of its kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnParams {
    /// Instead of the kind's `impute`.
    pub impute: Option<Impute>,
    /// Instead of the kind's `fill`: a number or a text, as the column is.
    pub fill: Option<Value>,
    /// Instead of the numeric `scale`.
    pub scale: Option<Scale>,
    /// Instead of the categorical `encode`.
    pub encode: Option<Encode>,
}

/// The transforms of all columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureParams {
    /// Of numeric and boolean columns.
    pub numeric: NumericParams,
    /// Of categorical columns.
    pub categorical: CategoricalParams,
    /// Of single columns by name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnParams>,
}

/// Why a column cannot be a feature.
#[derive(Debug, PartialEq)]
pub struct FitError(pub String);

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FitError {}

/// Fits the transform of a column to its cells in training.
///
/// # Errors
/// A parameter that does not suit the column's kind, or too many categories.
pub fn fit(
    name: &str,
    kind: FeatureKind,
    cells: impl Iterator<Item = Cell>,
    params: &FeatureParams,
) -> Result<Feature, FitError> {
    let own = params.columns.get(name).cloned().unwrap_or_default();
    if kind == FeatureKind::Categorical {
        let params = categorical_params(name, &params.categorical, own)?;
        fit_categorical(name, cells, &params)
    } else {
        let params = numeric_params(name, &params.numeric, own)?;
        Ok(fit_numeric(name, kind, cells, &params))
    }
}

fn numeric_params(
    name: &str,
    common: &NumericParams,
    own: ColumnParams,
) -> Result<NumericParams, FitError> {
    if own.encode.is_some() || own.impute == Some(Impute::MostFrequent) {
        return Err(FitError(format!(
            "column `{name}` holds numbers: it takes `impute` median, mean or constant, `fill` \
             and `scale`"
        )));
    }
    let fill = match &own.fill {
        None => common.fill,
        Some(value) => value.as_f64().ok_or_else(|| {
            FitError(format!("column `{name}` holds numbers, its `fill` is {value}"))
        })?,
    };
    let (impute, scale) = (own.impute.unwrap_or(common.impute), own.scale.unwrap_or(common.scale));
    Ok(NumericParams { impute, fill, scale })
}

fn categorical_params(
    name: &str,
    common: &CategoricalParams,
    own: ColumnParams,
) -> Result<CategoricalParams, FitError> {
    if own.scale.is_some() || matches!(own.impute, Some(Impute::Median | Impute::Mean)) {
        return Err(FitError(format!(
            "column `{name}` holds texts: it takes `impute` most_frequent or constant, `fill` \
             and `encode`"
        )));
    }
    let fill = match own.fill {
        None => common.fill.clone(),
        Some(Value::String(text)) => text,
        Some(value) => {
            return Err(FitError(format!("column `{name}` holds texts, its `fill` is {value}")));
        }
    };
    let impute = own.impute.unwrap_or(common.impute);
    let encode = own.encode.unwrap_or(common.encode);
    Ok(CategoricalParams { impute, fill, encode })
}

/// Fits a numeric or boolean column.
pub fn fit_numeric(
    name: &str,
    kind: FeatureKind,
    cells: impl Iterator<Item = Cell>,
    params: &NumericParams,
) -> Feature {
    let cells: Vec<Option<f64>> = cells
        .map(|cell| if let Cell::Number(number) = cell { Some(number) } else { None })
        .collect();
    let present: Vec<f64> = cells.iter().flatten().copied().collect();
    let impute = match params.impute {
        Impute::Constant => params.fill,
        // A column without any value becomes a constant.
        _ if present.is_empty() => 0.0,
        Impute::Mean => mean(&present),
        Impute::Median | Impute::MostFrequent => median(present),
    };
    let (mean, scale) = match params.scale {
        Scale::None => (0.0, 1.0),
        Scale::Standard => {
            let values: Vec<f64> = cells.iter().map(|cell| cell.unwrap_or(impute)).collect();
            mean_and_scale(&values)
        }
    };
    Feature { name: name.to_owned(), kind, transform: Transform::Number { impute, mean, scale } }
}

/// Fits a categorical column.
///
/// # Errors
/// More than `MAX_CATEGORIES` of them.
pub fn fit_categorical(
    name: &str,
    cells: impl Iterator<Item = Cell>,
    params: &CategoricalParams,
) -> Result<Feature, FitError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut n_missing = 0;
    for cell in cells {
        match cell {
            Cell::Text(text) => *counts.entry(text).or_default() += 1,
            Cell::Missing | Cell::Number(_) => n_missing += 1,
        }
        if counts.len() > MAX_CATEGORIES {
            return Err(FitError(format!(
                "column `{name}` has more than {MAX_CATEGORIES} different texts: give it the \
                 role `id` or `ignore`"
            )));
        }
    }
    let impute = match params.impute {
        Impute::Constant => Some(params.fill.clone()),
        // Sorted by name, so the first of the most frequent ones.
        _ => most_frequent(&counts),
    };
    if let Some(impute) = impute.as_ref().filter(|_| n_missing > 0) {
        counts.entry(impute.clone()).or_default();
    }
    let categories = counts.into_keys().collect();
    let transform = match params.encode {
        Encode::OneHot => Transform::OneHot { impute, categories },
        Encode::Ordinal => Transform::Ordinal { impute, categories },
    };
    Ok(Feature { name: name.to_owned(), kind: FeatureKind::Categorical, transform })
}

fn most_frequent(counts: &BTreeMap<String, u64>) -> Option<String> {
    let most = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(text, _)| text.clone())
}

fn mean(values: &[f64]) -> f64 {
    let mut sum = 0.0;
    for value in values {
        sum += value;
    }
    sum / values.len() as f64
}

/// Of a list that is not empty.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values[values.len() / 2];
    if values.len() % 2 == 1 { upper } else { 0.5 * (values[values.len() / 2 - 1] + upper) }
}

/// The mean and the population's standard deviation; 1 where that is 0 up to rounding, by
/// scikit-learn's bound for constant columns.
fn mean_and_scale(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let n = values.len() as f64;
    let mean = mean(values);
    let mut sum = 0.0;
    for value in values {
        sum += (value - mean) * (value - mean);
    }
    let variance = sum / n;
    let rounding = n * mean * f64::EPSILON;
    let is_constant = variance <= n * f64::EPSILON * variance + rounding * rounding;
    (mean, if is_constant { 1.0 } else { variance.sqrt() })
}
