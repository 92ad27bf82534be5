//! What was learnt from a column of the training rows, and what a cell becomes by it.
//!
//! One `Transform` per column, and one per crossing of two; `Feature` and `Interaction` give it its
//! cells. Knows nothing of how it was fitted.

use serde::{Deserialize, Serialize};

use super::FeatureKind;
use super::category::{Levels, Place};
use super::date::Dated;
use super::number::Number;
use super::target_means::TargetMeans;
use crate::ml::cell::Cell;

/// What becomes of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Transform {
    /// One number.
    Number(Number),
    /// 1 at the place of the category, 0 elsewhere. As many numbers as places.
    OneHot(Levels),
    /// The place of the category, counted from 0, -1 for an unseen one. One number.
    Ordinal(Levels),
    /// The place of the category as a code, NaN for an unseen or missing one. One number.
    Code(Levels),
    /// The mean of the target in the category. One number.
    Target(TargetMeans),
    /// One number per part of the date.
    Date(Dated),
}

impl Transform {
    /// How many numbers a cell becomes.
    pub(super) fn width(&self) -> usize {
        match self {
            Transform::OneHot(levels) => levels.len(),
            Transform::Date(dated) => dated.len(),
            _ => 1,
        }
    }

    /// The names of these numbers.
    pub(super) fn names(&self, column: &str) -> Vec<String> {
        match self {
            Transform::OneHot(levels) => by_category(column, levels),
            Transform::Date(dated) => {
                dated.names().map(|part| format!("{column}.{part}")).collect()
            }
            _ => vec![column.to_owned()],
        }
    }

    /// Writes the numbers of a cell of a column of a kind; `out` is `width` long.
    pub(super) fn encode(&self, cell: &Cell, kind: FeatureKind, out: &mut [f64]) {
        match self {
            Transform::Number(number) => {
                let given = if let Cell::Number(number) = cell { Some(*number) } else { None };
                out[0] = number.encode(given);
            }
            Transform::OneHot(levels) => {
                out.fill(0.0);
                if let Place::At(place) = levels.place(cell, kind) {
                    out[place] = 1.0;
                }
            }
            Transform::Ordinal(levels) => {
                out[0] = match levels.place(cell, kind) {
                    Place::At(place) => place as f64,
                    Place::Unseen => -1.0,
                    Place::Missing => f64::NAN,
                };
            }
            Transform::Code(levels) => {
                out[0] = match levels.place(cell, kind) {
                    Place::At(place) => place as f64,
                    Place::Unseen | Place::Missing => f64::NAN,
                };
            }
            Transform::Target(means) => out[0] = means.encode(cell, kind),
            Transform::Date(dated) => dated.encode(cell, out),
        }
    }

    /// Whether one of its numbers may be NaN.
    pub(super) fn may_be_missing(&self) -> bool {
        match self {
            Transform::Number(number) => number.may_be_missing(),
            Transform::OneHot(_) => false,
            Transform::Ordinal(levels) => levels.may_be_missing(),
            Transform::Code(_) => true,
            Transform::Target(means) => means.levels.may_be_missing(),
            Transform::Date(dated) => dated.may_be_missing(),
        }
    }

    /// How many categories its number stands for; `None` when it is no code.
    pub(super) fn category_count(&self) -> Option<u32> {
        if let Transform::Code(levels) = self { Some(levels.len() as u32) } else { None }
    }

    /// The number that a column becomes, of one of numbers.
    pub(super) fn number(&self) -> Option<&Number> {
        if let Transform::Number(number) = self { Some(number) } else { None }
    }

    /// The categories, of a column of such.
    pub(super) fn levels(&self) -> Option<&Levels> {
        match self {
            Transform::OneHot(levels) | Transform::Ordinal(levels) | Transform::Code(levels) => {
                Some(levels)
            }
            Transform::Target(means) => Some(&means.levels),
            Transform::Number(_) | Transform::Date(_) => None,
        }
    }

    /// What `encode` relies on, for one that was read from a file.
    pub(super) fn check(&self, kind: FeatureKind) -> Result<(), &'static str> {
        match self {
            Transform::Number(_) if kind == FeatureKind::Categorical => {
                Err("texts, and a transform of numbers")
            }
            Transform::Date(_) if kind == FeatureKind::Boolean => {
                Err("truth values, and a transform of dates")
            }
            Transform::Number(number) => number.check(),
            Transform::Date(dated) => dated.check(),
            Transform::Target(means) => means.check(),
            Transform::OneHot(levels) | Transform::Ordinal(levels) | Transform::Code(levels) => {
                levels.check()
            }
        }
    }
}

/// The names of one number per category: `column=category`.
pub(super) fn by_category(column: &str, levels: &Levels) -> Vec<String> {
    levels.names().map(|category| format!("{column}={category}")).collect()
}
