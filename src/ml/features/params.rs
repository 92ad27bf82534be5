//! What can be declared of the way in which columns become numbers.
//!
//! Names, meanings and defaults are scikit-learn's where it has such a thing. A column takes the
//! parameters of its kind, numeric or categorical, except where `columns.NAME` says otherwise; what
//! does not suit the column is refused with what does. Knows no data: fitting is in `fit`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::date::DateParams;

/// What stands for a missing cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// Of a category: `None` where its code is a number of its own kind (`Encode::Code`), else
    /// `MostFrequent`.
    Auto,
    /// The median of the column; of an even count the mean of the middle two.
    Median,
    /// The mean of the column.
    Mean,
    /// The most frequent value; of several the first in order.
    MostFrequent,
    /// The value of `fill`.
    Constant,
    /// Nothing: it stays missing, for learners that know what to do with that.
    None,
}

/// A step on the way of a number, fitted to what the step before it yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// To mean 0 and standard deviation 1.
    Standard,
    /// To median 0 and a distance of 1 between the quartiles.
    Robust,
    /// To its place among the quantiles of the training rows.
    Quantile,
    /// To 0 for the smallest and 1 for the largest of the training rows.
    MinMax,
    /// `ln(1 + x)`, and `-ln(1 - x)` below 0.
    Log1p,
    /// Not at all.
    None,
}

/// What `Scale::Quantile` spreads numbers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly over [0, 1].
    #[default]
    Uniform,
    /// To a normal distribution of mean 0 and standard deviation 1.
    Normal,
}

/// How a category becomes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// One number per category: 1 for the one that it is.
    OneHot,
    /// The category's place among the sorted ones.
    Ordinal,
    /// The same, for learners that split categories into sets; NaN for none of them.
    Code,
    /// The mean of the target among its rows, drawn to the mean of all.
    Target,
}

/// What becomes of a category that was not in the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// It is none of the categories.
    #[default]
    Ignore,
    /// It is a rare one, where there are rare ones; else it is none of the categories.
    Rare,
    /// Its row is refused.
    Error,
}

/// How far the mean of a category is drawn to the mean of all rows.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Smooth {
    /// By how much the target varies within the category and over all (empirical Bayes).
    Auto,
    /// As if that many rows more had the mean of all; at least 0.
    Rows(f64),
}

impl TryFrom<Value> for Smooth {
    type Error = String;

    fn try_from(value: Value) -> Result<Smooth, String> {
        let rows = value.as_f64().filter(|rows| (0.0..=1e9).contains(rows));
        match rows {
            Some(rows) => Ok(Smooth::Rows(rows)),
            None if value == "auto" => Ok(Smooth::Auto),
            None => Err(format!("expected auto, or a number between 0 and 1e9, found {value}")),
        }
    }
}

/// The transform of numeric and boolean columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumericParams {
    /// Any but `Auto`.
    pub impute: Impute,
    /// What `Constant` stands for.
    pub fill: f64,
    /// Whether a column with missing values gets another that says where.
    pub indicator: bool,
    /// How it is scaled, step by step.
    pub scale: Vec<Scale>,
    /// How many quantiles `Scale::Quantile` knows, at least 1; never more than there are rows.
    pub n_quantiles: usize,
    /// What `Scale::Quantile` spreads to.
    pub output_distribution: Distribution,
}

impl Default for NumericParams {
    fn default() -> NumericParams {
        NumericParams {
            impute: Impute::Median,
            fill: 0.0,
            indicator: false,
            scale: vec![Scale::Standard],
            n_quantiles: 1000,
            output_distribution: Distribution::Uniform,
        }
    }
}

/// The transform of categorical columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalParams {
    /// `Auto`, `MostFrequent`, `Constant` or `None`.
    pub impute: Impute,
    /// What `Constant` stands for: a category of its own, when no row has it.
    pub fill: String,
    /// Whether a column with missing values gets another that says where.
    pub indicator: bool,
    /// How it becomes numbers.
    pub encode: Encode,
    /// A category of fewer rows is rare: a share of all rows below 1, a number of rows from 1 on.
    pub min_frequency: f64,
    /// The most categories, the rare ones together counting as one; at least 1.
    pub max_categories: Option<usize>,
    /// What becomes of a category that was not in the training rows.
    pub unseen: Unseen,
    /// How far `Encode::Target` draws to the mean of all rows.
    pub smooth: Smooth,
    /// How many folds `Encode::Target` encodes the training rows by, at least 2.
    pub cv: usize,
}

impl Default for CategoricalParams {
    fn default() -> CategoricalParams {
        CategoricalParams {
            impute: Impute::Auto,
            fill: "missing".to_owned(),
            indicator: false,
            encode: Encode::OneHot,
            min_frequency: 0.0,
            max_categories: None,
            unseen: Unseen::Ignore,
            smooth: Smooth::Auto,
            cv: 5,
        }
    }
}

/// What a column is taken for, whatever type it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Its whole numbers or truth values are names.
    Categorical,
}

/// What one column does differently from the others of its kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnParams {
    /// What it is taken for.
    pub kind: Option<ColumnKind>,
    /// The date that it holds, and what becomes of it.
    pub date: Option<DateParams>,
    /// Instead of the kind's `impute`.
    pub impute: Option<Impute>,
    /// Instead of the kind's `fill`: a number or a text, as the column is.
    pub fill: Option<Value>,
    /// Instead of the kind's `indicator`.
    pub indicator: Option<bool>,
    /// Instead of the numeric `scale`.
    pub scale: Option<Vec<Scale>>,
    /// Instead of the numeric `n_quantiles`.
    pub n_quantiles: Option<usize>,
    /// Instead of the numeric `output_distribution`.
    pub output_distribution: Option<Distribution>,
    /// Instead of the categorical `encode`.
    pub encode: Option<Encode>,
    /// Instead of the categorical `min_frequency`.
    pub min_frequency: Option<f64>,
    /// Instead of the categorical `max_categories`.
    pub max_categories: Option<usize>,
    /// Instead of the categorical `unseen`.
    pub unseen: Option<Unseen>,
    /// Instead of the categorical `smooth`.
    pub smooth: Option<Smooth>,
}

/// The transforms of all columns.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureParams {
    /// Of numeric and boolean columns.
    pub numeric: NumericParams,
    /// Of categorical columns.
    pub categorical: CategoricalParams,
    /// Of single columns by name, and of interactions as `LEFT:RIGHT`.
    pub columns: BTreeMap<String, ColumnParams>,
    /// Pairs of columns that say together what neither says alone.
    pub interactions: Vec<Vec<String>>,
    /// What draws the folds of `Encode::Target`.
    #[serde(skip)]
    pub seed: [u8; 32],
}

/// Why columns cannot be features: every mistake that was found.
#[derive(Debug, PartialEq)]
pub struct FitError(pub String);

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FitError {}

impl FeatureParams {
    /// What one column is declared to do differently.
    pub(super) fn own(&self, name: &str) -> ColumnParams {
        self.columns.get(name).cloned().unwrap_or_default()
    }

    /// The mistakes that names alone tell: a column that is no feature, a pair that is none.
    pub(super) fn mistakes(&self, features: &[String]) -> Vec<String> {
        let mut told = Vec::new();
        let mut pairs = BTreeSet::new();
        for pair in &self.interactions {
            let [left, right] = pair.as_slice() else {
                told.push(format!("`features.interactions` has {pair:?}, which is no pair"));
                continue;
            };
            for name in [left, right].into_iter().filter(|name| !features.contains(name)) {
                told.push(format!("`features.interactions` names `{name}`, which is no feature"));
            }
            let is_new = pairs.insert([left.min(right), left.max(right)]);
            if left == right || !is_new {
                told.push(format!("`features.interactions` has {pair:?}: two columns, once"));
            }
        }
        let is_pair = |name: &str| {
            pairs.iter().any(|[a, b]| {
                [format!("{a}:{b}"), format!("{b}:{a}")].iter().any(|pair| pair == name)
            })
        };
        for name in self.columns.keys() {
            if !features.contains(name) && !is_pair(name) {
                told.push(format!("`features.columns` names `{name}`, which is no feature"));
            }
        }
        told
    }
}

impl ColumnParams {
    /// The names of the parameters that only numbers take.
    fn numeric_only(&self) -> [(&'static str, bool); 3] {
        [
            ("scale", self.scale.is_some()),
            ("n_quantiles", self.n_quantiles.is_some()),
            ("output_distribution", self.output_distribution.is_some()),
        ]
    }

    /// The names of the parameters that only categories take.
    fn categorical_only(&self) -> [(&'static str, bool); 6] {
        [
            ("kind", self.kind.is_some()),
            ("encode", self.encode.is_some()),
            ("min_frequency", self.min_frequency.is_some()),
            ("max_categories", self.max_categories.is_some()),
            ("unseen", self.unseen.is_some()),
            ("smooth", self.smooth.is_some()),
        ]
    }
}

/// The parameters of a column of numbers.
///
/// # Errors
/// What it was given and does not take.
pub(super) fn numeric(
    name: &str,
    common: &NumericParams,
    own: &ColumnParams,
) -> Result<NumericParams, FitError> {
    let holds = if own.date.is_some() { "dates" } else { "numbers" };
    let is_wrong = own.impute == Some(Impute::Auto);
    if is_wrong || own.categorical_only().iter().any(|(_, is_given)| *is_given) {
        return Err(FitError(format!(
            "column `{name}` holds {holds}: it takes `impute` median, mean, most_frequent, \
             constant or none, `fill`, `indicator`, `scale`, `n_quantiles` and \
             `output_distribution`, unless `kind = \"categorical\"`"
        )));
    }
    let fill = match &own.fill {
        None => common.fill,
        Some(value) => value.as_f64().ok_or_else(|| {
            FitError(format!("column `{name}` holds {holds}, its `fill` is {value}"))
        })?,
    };
    Ok(NumericParams {
        impute: own.impute.unwrap_or(common.impute),
        fill,
        indicator: own.indicator.unwrap_or(common.indicator),
        scale: own.scale.clone().unwrap_or_else(|| common.scale.clone()),
        n_quantiles: own.n_quantiles.unwrap_or(common.n_quantiles),
        output_distribution: own.output_distribution.unwrap_or(common.output_distribution),
    })
}

/// The parameters of a column of categories; `Impute::Auto` is decided.
///
/// # Errors
/// What it was given and does not take.
pub(super) fn categorical(
    name: &str,
    common: &CategoricalParams,
    own: &ColumnParams,
) -> Result<CategoricalParams, FitError> {
    let is_wrong = matches!(own.impute, Some(Impute::Median | Impute::Mean));
    if is_wrong || own.numeric_only().iter().any(|(_, is_given)| *is_given) {
        return Err(FitError(format!(
            "column `{name}` holds texts: it takes `impute` most_frequent, constant or none, \
             `fill`, `indicator`, `encode`, `min_frequency`, `max_categories`, `unseen` and \
             `smooth`"
        )));
    }
    let fill = match &own.fill {
        None => common.fill.clone(),
        Some(Value::String(text)) => text.clone(),
        // Of a column whose numbers are names.
        Some(value) if own.kind.is_some() => value.to_string(),
        Some(value) => {
            return Err(FitError(format!("column `{name}` holds texts, its `fill` is {value}")));
        }
    };
    let encode = own.encode.unwrap_or(common.encode);
    let impute = match own.impute.unwrap_or(common.impute) {
        Impute::Auto if encode == Encode::Code => Impute::None,
        Impute::Auto => Impute::MostFrequent,
        impute => impute,
    };
    Ok(CategoricalParams {
        impute,
        fill,
        indicator: own.indicator.unwrap_or(common.indicator),
        encode,
        min_frequency: own.min_frequency.unwrap_or(common.min_frequency),
        max_categories: own.max_categories.or(common.max_categories),
        unseen: own.unseen.unwrap_or(common.unseen),
        smooth: own.smooth.unwrap_or(common.smooth),
        cv: common.cv,
    })
}
