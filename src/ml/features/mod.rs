//! Features: how the cells of a row become the numbers that a learner sees.
//!
//! A `Feature` is a column with its fitted transform, an `Interaction` two of them together; an
//! `Encoder` is the list of both. The same `Encoder::encode` runs in training, in batch prediction
//! and behind HTTP, so there is no second implementation that could differ. Only fitting differs
//! (`fit`): it alone knows the target, and it shows a learner rows that were encoded by folds where
//! a transform has seen the target. Knows no learner; `table` alone knows tables.
//!
//! What is not there is explicit: a missing cell takes the imputed value, or stays NaN where
//! nothing is imputed (`may_be_missing` says where); a category that was not seen in training is
//! all zeros under one-hot, -1 under ordinal, NaN as a code and the mean of all rows under target
//! encoding (scikit-learn's `handle_unknown="ignore"`, `unknown_value=-1` and its
//! `TargetEncoder`). A cell of the wrong kind (a text where a number is expected) counts as unseen,
//! too: callers that must refuse it do so before.

mod category;
mod date;
mod fit;
mod folds;
mod interaction;
mod known;
mod number;
mod params;
mod quantile;
mod table;
mod target_means;
mod transform;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ml::cell::Cell;
use transform::Transform;

pub use category::{MAX_CATEGORIES, MAX_TEXTS};
pub(in crate::ml) use date::civil;
pub use date::{DateFormat, DateParams, DatePart, Moment, Since};
pub use fit::{Fitted, fit, fit_transform};
pub use interaction::Interaction;
pub use known::Known;
pub use params::{
    CategoricalParams, ColumnKind, ColumnParams, Distribution, Encode, FeatureParams, FitError,
    Impute, NumericParams, Scale, Smooth, Unseen,
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
    /// Whether another number says that the cell is missing: 1, else 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    indicator: bool,
}

impl Feature {
    /// How many numbers it becomes.
    pub fn width(&self) -> usize {
        self.transform.width() + usize::from(self.indicator)
    }

    /// The names of the numbers it becomes: `column`, `column=category` per category, `column.part`
    /// per part of a date, and `column is missing`.
    pub fn encoded_names(&self) -> Vec<String> {
        let mut names = self.transform.names(&self.name);
        names.extend(self.indicator.then(|| format!("{} is missing", self.name)));
        names
    }

    /// The format of the dates that it takes, if it takes dates.
    pub fn date_format(&self) -> Option<&DateFormat> {
        if let Transform::Date(dated) = &self.transform { Some(&dated.format) } else { None }
    }

    /// The only texts that it takes, sorted, where unseen ones are to be refused.
    pub fn only_texts(&self) -> Option<Vec<String>> {
        self.transform.levels().and_then(category::Levels::only)
    }

    /// Writes the numbers of a cell; `out` is `width` long.
    fn encode(&self, cell: &Cell, out: &mut [f64]) {
        let (numbers, indicator) = out.split_at_mut(self.transform.width());
        self.transform.encode(cell, self.kind, numbers);
        if let [is_missing] = indicator {
            *is_missing = f64::from(u8::from(*cell == Cell::Missing));
        }
    }

    /// What `Encoder` relies on, for features that were read from a file.
    fn check(&self) -> Result<(), String> {
        self.transform
            .check(self.kind)
            .map_err(|flaw| format!("feature `{}` has {flaw}", self.name))
    }
}

/// The fitted transforms of all features, in the order of a row's cells, and of interactions.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    features: Vec<Feature>,
    interactions: Vec<Interaction>,
    /// Per interaction the places of its two features.
    pairs: Vec<[usize; 2]>,
    width: usize,
}

impl Encoder {
    /// An encoder of checked features.
    ///
    /// # Errors
    /// What is wrong with them: a name that comes twice, categories out of order, a scale that is
    /// not positive, an interaction of what is not there, more than `MAX_WIDTH` numbers.
    pub fn new(features: Vec<Feature>, interactions: Vec<Interaction>) -> Result<Encoder, String> {
        let mut places = BTreeMap::new();
        for (place, feature) in features.iter().enumerate() {
            feature.check()?;
            if places.insert(&feature.name, place).is_some() {
                return Err(format!("feature `{}` comes twice", feature.name));
            }
        }
        let mut names = BTreeSet::new();
        let pair = |interaction: &Interaction| {
            let name = interaction.name();
            let place = |side: &String| {
                let found = places.get(side).copied();
                found.ok_or_else(|| format!("interaction `{name}` names no feature `{side}`"))
            };
            let pair = [place(&interaction.left)?, place(&interaction.right)?];
            let [left, right] = pair.map(|place| &features[place]);
            interaction
                .check(left, right)
                .map_err(|flaw| format!("interaction `{name}` has {flaw}"))?;
            if !names.insert(pair) {
                return Err(format!("interaction `{name}` comes twice"));
            }
            Ok(pair)
        };
        let pairs: Vec<[usize; 2]> = interactions.iter().map(pair).collect::<Result<_, _>>()?;
        let joined = interactions.iter().zip(&pairs);
        let width = features.iter().map(Feature::width).sum::<usize>()
            + joined.map(|(joined, [_, right])| joined.width(&features[*right])).sum::<usize>();
        if width > MAX_WIDTH {
            return Err(format!(
                "{width} encoded features; at most {MAX_WIDTH} are supported: give columns with \
                 many categories the role `ignore`, another `encode` than `one_hot`, or \
                 `max_categories`"
            ));
        }
        Ok(Encoder { features, interactions, pairs, width })
    }

    /// The features, in the order of a row's cells.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The interactions, in the order of their numbers.
    pub fn interactions(&self) -> &[Interaction] {
        &self.interactions
    }

    /// How many numbers a row becomes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The names of the numbers, in their order: those of features, then those of interactions.
    pub fn encoded_names(&self) -> Vec<String> {
        let joined = self.joined().flat_map(|(joined, _, right)| joined.encoded_names(right));
        self.features.iter().flat_map(Feature::encoded_names).chain(joined).collect()
    }

    /// Whose numbers follow each other, and how many each has: the features by their names, then
    /// the interactions, as `left:right`.
    pub fn widths(&self) -> Vec<(String, usize)> {
        let of_feature = |feature: &Feature| (feature.name.clone(), feature.width());
        let joined = self.joined().map(|(joined, _, right)| (joined.name(), joined.width(right)));
        self.features.iter().map(of_feature).chain(joined).collect()
    }

    /// For each number of a row: of how many categories it is the code (0, 1, … or NaN); `None`
    /// for one that is no code. Codes have no order: a tree may split them into any two sets.
    pub fn category_counts(&self) -> Vec<Option<u32>> {
        let of_feature = |feature: &Feature| {
            let mut counts = vec![None; feature.width()];
            if let Some(count) = counts.first_mut() {
                *count = feature.transform.category_count();
            }
            counts
        };
        let of_joined = |(joined, _, right): (&Interaction, &Feature, &Feature)| {
            vec![joined.category_count(); joined.width(right)]
        };
        let joined = self.joined().flat_map(of_joined);
        self.features.iter().flat_map(of_feature).chain(joined).collect()
    }

    /// The first column, or pair of columns, whose numbers may be NaN: only a learner that takes
    /// missing values may see them.
    pub fn may_be_missing(&self) -> Option<String> {
        let feature = self.features.iter().find(|feature| feature.transform.may_be_missing());
        let joined = || {
            let (joined, ..) =
                self.joined().find(|(joined, left, right)| joined.may_be_missing(left, right))?;
            Some(joined.name())
        };
        feature.map(|feature| feature.name.clone()).or_else(joined)
    }

    fn joined(&self) -> impl Iterator<Item = (&Interaction, &Feature, &Feature)> {
        let pairs = self.interactions.iter().zip(&self.pairs);
        pairs.map(|(joined, [left, right])| (joined, &self.features[*left], &self.features[*right]))
    }

    /// Writes the numbers of a row: one cell per feature, in their order. A cell that `row` lacks
    /// counts as missing. `out` is `width` long.
    pub fn encode(&self, row: &[Cell], out: &mut [f64]) {
        self.encode_by(row, out, |_, feature, cell, own| feature.encode(cell, own));
    }

    /// Writes the numbers of a row, those of each feature by `one`, which gets its place, itself,
    /// its cell, and where its numbers go.
    fn encode_by(
        &self,
        row: &[Cell],
        out: &mut [f64],
        one: impl Fn(usize, &Feature, &Cell, &mut [f64]),
    ) {
        let cell = |i: usize| row.get(i).unwrap_or(&Cell::Missing);
        let mut rest = out;
        for (i, feature) in self.features.iter().enumerate() {
            let (own, others) = rest.split_at_mut(feature.width());
            one(i, feature, cell(i), own);
            rest = others;
        }
        for ((joined, left, right), [i, j]) in self.joined().zip(&self.pairs) {
            let (own, others) = rest.split_at_mut(joined.width(right));
            joined.encode((left, cell(*i)), (right, cell(*j)), own);
            rest = others;
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[path = "golden/tests.rs"]
mod golden;

#[cfg(test)]
#[path = "leakage/tests.rs"]
mod leakage;
