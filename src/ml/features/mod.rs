//! Features: how the cells of a row become the numbers that a learner sees.
//!
//! A `Feature` is a fitted transform of one column; an `Encoder` is the list of them. The same
//! `Encoder::encode` runs in training, in batch prediction and behind HTTP, so there is no second
//! implementation that could differ. Knows no target and no learner; fitting is in `fit.rs`, and
//! `table.rs` alone knows tables.
//!
//! What is not there is explicit: a missing cell takes the imputed value; a category that was not
//! seen in training is all zeros under one-hot and -1 under ordinal (scikit-learn's
//! `handle_unknown="ignore"` and `unknown_value=-1`). A cell of the wrong kind (a text where a
//! number is expected) counts as unseen, too: callers that must refuse it do so before.

mod fit;
mod table;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ml::cell::Cell;

pub use fit::{
    CategoricalParams, ColumnParams, Encode, FeatureParams, FitError, Impute, MAX_CATEGORIES,
    NumericParams, Scale, fit, fit_categorical, fit_numeric,
};
pub use table::Rows;

/// More encoded features than this are refused: a learner's memory grows with their square.
pub const MAX_WIDTH: usize = 2048;

/// An encoded number is cut to this, so that no sum of a model overflows.
pub const LARGEST: f64 = 1e100;

/// What cells a feature takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// `Cell::Number`, any finite value.
    Numeric,
    /// `Cell::Number`, 0 or 1.
    Boolean,
    /// `Cell::Text`.
    Categorical,
}

/// A column with its fitted transform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column's name.
    pub name: String,
    /// What cells it takes.
    pub kind: FeatureKind,
    /// What becomes of them.
    transform: Transform,
}

/// What was learnt from a column of the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Transform {
    /// `(x - mean) / scale`, with `impute` for a missing x. One number.
    Number { impute: f64, mean: f64, scale: f64 },
    /// 1 at the place of the category, 0 elsewhere. As many numbers as categories.
    OneHot { impute: Option<String>, categories: Vec<String> },
    /// The place of the category, counted from 0, -1 for an unseen one. One number.
    Ordinal { impute: Option<String>, categories: Vec<String> },
}

impl Feature {
    /// How many numbers it becomes.
    pub fn width(&self) -> usize {
        match &self.transform {
            Transform::Number { .. } | Transform::Ordinal { .. } => 1,
            Transform::OneHot { categories, .. } => categories.len(),
        }
    }

    /// The names of the numbers it becomes: `column`, or `column=category` per category.
    pub fn encoded_names(&self) -> Vec<String> {
        match &self.transform {
            Transform::Number { .. } | Transform::Ordinal { .. } => vec![self.name.clone()],
            Transform::OneHot { categories, .. } => {
                categories.iter().map(|category| format!("{}={category}", self.name)).collect()
            }
        }
    }

    /// Writes the numbers of a cell; `out` is `width` long.
    fn encode(&self, cell: &Cell, out: &mut [f64]) {
        match &self.transform {
            Transform::Number { impute, mean, scale } => {
                let number = if let Cell::Number(number) = cell { *number } else { *impute };
                out[0] = ((number - mean) / scale).clamp(-LARGEST, LARGEST);
            }
            Transform::OneHot { impute, categories } => {
                out.fill(0.0);
                if let Some(place) = place_of(cell, impute.as_deref(), categories) {
                    out[place] = 1.0;
                }
            }
            Transform::Ordinal { impute, categories } => {
                let place = place_of(cell, impute.as_deref(), categories);
                out[0] = place.map_or(-1.0, |place| place as f64);
            }
        }
    }

    /// What `Encoder::new` relies on, for features that were read from a file.
    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        match &self.transform {
            Transform::Number { impute, mean, scale } => {
                if self.kind == FeatureKind::Categorical {
                    return Err(format!("feature `{name}` is categorical, its transform numeric"));
                }
                if !(impute.is_finite() && mean.is_finite() && *scale > 0.0 && scale.is_finite()) {
                    return Err(format!("feature `{name}` has a scale that is not positive"));
                }
            }
            Transform::OneHot { categories, .. } | Transform::Ordinal { categories, .. } => {
                if self.kind != FeatureKind::Categorical {
                    return Err(format!("feature `{name}` is numeric, its transform categorical"));
                }
                if !categories.is_sorted_by(|a, b| a < b) {
                    return Err(format!("the categories of feature `{name}` are not sorted"));
                }
            }
        }
        Ok(())
    }
}

/// The place of a cell's category among the sorted ones; `None` for one that is not there.
fn place_of(cell: &Cell, impute: Option<&str>, categories: &[String]) -> Option<usize> {
    let text = match cell {
        Cell::Text(text) => text,
        Cell::Missing => impute?,
        Cell::Number(_) => return None,
    };
    categories.binary_search_by(|category| category.as_str().cmp(text)).ok()
}

/// The fitted transforms of all features, in the order of a row's cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    features: Vec<Feature>,
    width: usize,
}

impl Encoder {
    /// An encoder of checked features.
    ///
    /// # Errors
    /// What is wrong with them: a name that comes twice, categories out of order, a scale that is
    /// not positive, more than `MAX_WIDTH` numbers.
    pub fn new(features: Vec<Feature>) -> Result<Encoder, String> {
        let mut names = BTreeSet::new();
        for feature in &features {
            feature.check()?;
            if !names.insert(&feature.name) {
                return Err(format!("feature `{}` comes twice", feature.name));
            }
        }
        let width = features.iter().map(Feature::width).sum();
        if width > MAX_WIDTH {
            return Err(format!(
                "{width} encoded features; at most {MAX_WIDTH} are supported: give columns with \
                 many categories the role `ignore` or `encode = \"ordinal\"`"
            ));
        }
        Ok(Encoder { features, width })
    }

    /// The features, in the order of a row's cells.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How many numbers a row becomes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The names of the numbers, in their order.
    pub fn encoded_names(&self) -> Vec<String> {
        self.features.iter().flat_map(Feature::encoded_names).collect()
    }

    /// Writes the numbers of a row: one cell per feature, in their order. A cell that `row` lacks
    /// counts as missing. `out` is `width` long.
    pub fn encode(&self, row: &[Cell], out: &mut [f64]) {
        let mut start = 0;
        for (i, feature) in self.features.iter().enumerate() {
            let end = start + feature.width();
            feature.encode(row.get(i).unwrap_or(&Cell::Missing), &mut out[start..end]);
            start = end;
        }
    }
}

#[cfg(test)]
mod tests;
