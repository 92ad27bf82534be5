//! Categories: which of the training rows' texts are told apart, and which one a cell has.
//!
//! What encodes categories (one-hot, ordinal, code, target) shares this: texts are sorted by their
//! bytes, and the rare ones together take the place behind the others, as scikit-learn's
//! `infrequent` ones do. A column of numbers may be one of categories, too; a number is then named
//! as it is written, a truth value `true` or `false`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FeatureKind;
use super::params::{CategoricalParams, FitError, Impute, Unseen};
use crate::ml::cell::Cell;

/// A column with more categories than this, its rare ones put together, is refused: it names rows
/// and does not group them.
pub const MAX_CATEGORIES: usize = 1000;

/// A column with more different texts than this is refused, however they are encoded.
pub const MAX_TEXTS: usize = 100_000;

/// What the place of the rare categories is called.
const RARE: &str = "(rare)";

/// The categories of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Levels {
    /// What stands for a missing one; null: it stays missing.
    impute: Option<String>,
    /// Those with a place of their own, sorted.
    categories: Vec<String>,
    /// Those that share the place behind them, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rare: Vec<String>,
    /// What becomes of any other.
    #[serde(default, skip_serializing_if = "is_default")]
    unseen: Unseen,
}

/// Where a cell belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To this category, counted from 0.
    At(usize),
    /// To none of them.
    Unseen,
    /// It is missing and not imputed.
    Missing,
}

/// How often each text comes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    texts: BTreeMap<String, u64>,
    n_missing: u64,
}

fn is_default(unseen: &Unseen) -> bool {
    *unseen == Unseen::default()
}

/// The category that a cell names in a column of a kind; `None` when it names none there.
fn name_of(cell: &Cell, kind: FeatureKind) -> Option<Cow<'_, str>> {
    match (cell, kind) {
        (Cell::Text(text), FeatureKind::Categorical) => Some(Cow::Borrowed(text)),
        (Cell::Number(truth), FeatureKind::Boolean) => {
            Some(Cow::Borrowed(if *truth == 0.0 { "false" } else { "true" }))
        }
        // 0 and -0 are one code.
        (Cell::Number(code), FeatureKind::Numeric) => Some(Cow::Owned((code + 0.0).to_string())),
        _ => None,
    }
}

impl Counts {
    /// Counts cells.
    ///
    /// # Errors
    /// More than `MAX_TEXTS` different ones, and a number that is not whole: it is no code.
    pub(super) fn of(
        name: &str,
        kind: FeatureKind,
        cells: impl Iterator<Item = Cell>,
    ) -> Result<Counts, FitError> {
        let mut counts = Counts::default();
        for cell in cells {
            if let Cell::Number(code) = &cell
                && code.fract() != 0.0
            {
                return Err(FitError(format!("column `{name}` has {code}, which is no category")));
            }
            match name_of(&cell, kind) {
                Some(text) => counts.add(&text),
                None => counts.n_missing += 1,
            }
            if counts.texts.len() > MAX_TEXTS {
                return Err(too_many(name, MAX_TEXTS));
            }
        }
        Ok(counts)
    }

    fn add(&mut self, text: &str) {
        match self.texts.get_mut(text) {
            Some(count) => *count += 1,
            None => {
                self.texts.insert(text.to_owned(), 1);
            }
        }
    }

    /// The most frequent text; of several the first.
    fn most_frequent(&self) -> Option<String> {
        let most = self.texts.values().max()?;
        self.texts.iter().find(|(_, count)| *count == most).map(|(text, _)| text.clone())
    }
}

fn too_many(name: &str, most: usize) -> FitError {
    FitError(format!(
        "column `{name}` has more than {most} different texts: give it the role `id` or `ignore`, \
         put rare ones together with `max_categories` or `min_frequency`, or use \
         `encode = \"target\"`"
    ))
}

impl Levels {
    /// The categories of counted cells.
    pub(super) fn fit(counts: Counts, params: &CategoricalParams) -> Levels {
        let n_rows = counts.texts.values().sum::<u64>() + counts.n_missing;
        let impute = match params.impute {
            Impute::None => None,
            Impute::Constant => Some(params.fill.clone()),
            _ => counts.most_frequent(),
        };
        let mut texts = counts.texts;
        // Imputed first: a missing cell counts as what stands for it.
        if let Some(impute) = impute.as_ref().filter(|_| counts.n_missing > 0) {
            *texts.entry(impute.clone()).or_default() += counts.n_missing;
        }
        let is_rare = rare(&texts.values().copied().collect::<Vec<_>>(), n_rows, params);
        let (mut categories, mut rare) = (Vec::new(), Vec::new());
        for (text, is_rare) in texts.into_keys().zip(is_rare) {
            if is_rare { rare.push(text) } else { categories.push(text) }
        }
        Levels { impute, categories, rare, unseen: params.unseen }
    }

    /// Refuses so many of them that they name rows.
    ///
    /// # Errors
    /// When there are more than `MAX_CATEGORIES`.
    pub(super) fn limited(self, name: &str) -> Result<Levels, FitError> {
        if self.len() > MAX_CATEGORIES { Err(too_many(name, MAX_CATEGORIES)) } else { Ok(self) }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.categories.len() + usize::from(!self.rare.is_empty())
    }

    /// The names of the places: the categories, and `(rare)`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let rare = (!self.rare.is_empty()).then_some(RARE);
        self.categories.iter().map(String::as_str).chain(rare)
    }

    /// The text of a cell after imputing.
    pub(super) fn text<'c>(&'c self, cell: &'c Cell, kind: FeatureKind) -> Option<Cow<'c, str>> {
        match cell {
            Cell::Missing => self.impute.as_deref().map(Cow::Borrowed),
            _ => name_of(cell, kind),
        }
    }

    /// Where a cell belongs.
    pub(super) fn place(&self, cell: &Cell, kind: FeatureKind) -> Place {
        match self.text(cell, kind) {
            Some(text) => self.find(&text).map_or(Place::Unseen, Place::At),
            None if *cell == Cell::Missing && self.len() > 0 => Place::Missing,
            None => Place::Unseen,
        }
    }

    fn find(&self, text: &str) -> Option<usize> {
        let place = |sorted: &[String]| sorted.binary_search_by(|it| it.as_str().cmp(text)).ok();
        if let Some(place) = place(&self.categories) {
            return Some(place);
        }
        let is_rare = self.unseen == Unseen::Rare || place(&self.rare).is_some();
        (is_rare && !self.rare.is_empty()).then_some(self.categories.len())
    }

    /// The only texts that it takes, sorted; `None` when it takes any.
    pub(super) fn only(&self) -> Option<Vec<String>> {
        let mut all: Vec<String> = self.categories.iter().chain(&self.rare).cloned().collect();
        all.sort_unstable();
        (self.unseen == Unseen::Error).then_some(all)
    }

    /// Whether a missing cell stays missing.
    pub(super) fn may_be_missing(&self) -> bool {
        self.impute.is_none() && self.len() > 0
    }

    /// What `place` relies on, for categories that were read from a file.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_sorted = |names: &[String]| names.is_sorted_by(|a, b| a < b);
        if is_sorted(&self.categories) && is_sorted(&self.rare) {
            Ok(())
        } else {
            Err("categories that are not sorted")
        }
    }
}

/// Which of sorted categories are rare, by how often they come: scikit-learn's rule
/// (`_identify_infrequent` of its encoders). Of equally frequent ones the last are kept.
fn rare(counts: &[u64], n_rows: u64, params: &CategoricalParams) -> Vec<bool> {
    let least = params.min_frequency;
    let least = if least < 1.0 { least * n_rows as f64 } else { least };
    let mut is_rare: Vec<bool> = counts.iter().map(|count| (*count as f64) < least).collect();
    let n_others = is_rare.iter().filter(|is_rare| !**is_rare).count();
    if let Some(most) = params.max_categories.filter(|most| *most < n_others + 1) {
        let mut ascending: Vec<usize> = (0..counts.len()).collect();
        ascending.sort_by_key(|category| counts[*category]);
        let n_kept = most.saturating_sub(1).min(ascending.len());
        let n_rare = ascending.len() - n_kept;
        ascending[..n_rare].iter().for_each(|category| is_rare[*category] = true);
    }
    is_rare
}
