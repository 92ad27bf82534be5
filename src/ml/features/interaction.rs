//! Interactions: what two columns say together and neither says alone.
//!
//! | columns | becomes |
//! |---|---|
//! | two of numbers | the product of the two, each as it is encoded |
//! | a number and a category | one number per category: the number in its own, 0 in the others |
//! | two categories | a category of its own per pair that the training rows have |
//!
//! The first two are the products of what the columns become anyway (a category being 1 in its
//! place and 0 elsewhere) and learn nothing of their own. A crossing is encoded like any category,
//! so that it may be one-hot, a code or target-encoded, with its rare pairs put together.

use serde::{Deserialize, Serialize};

use super::category::{Levels, Place};
use super::transform::{Transform, by_category};
use super::{Feature, FeatureKind, LARGEST};
use crate::ml::cell::Cell;

/// Two columns and what becomes of them together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// The name of one column.
    pub left: String,
    /// The name of the other.
    pub right: String,
    pub(super) transform: Joined,
}

/// What becomes of two cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Joined {
    /// Number by number.
    Product,
    /// Number by category: the left is the number.
    ByCategory,
    /// Category by category.
    Cross(Transform),
}

/// A column with a cell of it.
pub(super) type Given<'a> = (&'a Feature, &'a Cell);

impl Interaction {
    /// The name under which it is encoded and may be given parameters.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.left, self.right)
    }

    /// How many numbers it becomes.
    pub(super) fn width(&self, right: &Feature) -> usize {
        match &self.transform {
            Joined::Product => 1,
            Joined::ByCategory => right.transform.levels().map_or(0, |levels| levels.len()),
            Joined::Cross(transform) => transform.width(),
        }
    }

    /// The names of these numbers.
    pub(super) fn encoded_names(&self, right: &Feature) -> Vec<String> {
        match (&self.transform, right.transform.levels()) {
            (Joined::Product, _) => vec![self.name()],
            (Joined::ByCategory, None) => Vec::new(),
            (Joined::ByCategory, Some(levels)) => by_category(&self.name(), levels),
            (Joined::Cross(transform), _) => transform.names(&self.name()),
        }
    }

    /// Writes the numbers of two cells; `out` is `width` long.
    pub(super) fn encode(&self, left: Given<'_>, right: Given<'_>, out: &mut [f64]) {
        match &self.transform {
            Joined::Product => {
                out[0] = (number(left) * number(right)).clamp(-LARGEST, LARGEST);
            }
            Joined::ByCategory => {
                out.fill(0.0);
                let levels = right.0.transform.levels();
                let place = levels.map(|levels| levels.place(right.1, right.0.kind));
                if let Some(Place::At(place)) = place {
                    out[place] = number(left);
                }
            }
            Joined::Cross(transform) => {
                transform.encode(&cross(left, right), FeatureKind::Categorical, out);
            }
        }
    }

    /// Whether one of its numbers may be NaN.
    pub(super) fn may_be_missing(&self, left: &Feature, right: &Feature) -> bool {
        match &self.transform {
            Joined::Product => left.transform.may_be_missing() || right.transform.may_be_missing(),
            Joined::ByCategory => left.transform.may_be_missing(),
            Joined::Cross(Transform::Code(_)) => true,
            Joined::Cross(transform) => {
                transform.may_be_missing() && [left, right].into_iter().any(stays_missing)
            }
        }
    }

    /// How many categories its number stands for; `None` when it is no code.
    pub(super) fn category_count(&self) -> Option<u32> {
        if let Joined::Cross(transform) = &self.transform {
            transform.category_count()
        } else {
            None
        }
    }

    /// What `encode` relies on, for one that was read from a file.
    pub(super) fn check(&self, left: &Feature, right: &Feature) -> Result<(), &'static str> {
        let fits = match &self.transform {
            Joined::Product => {
                left.transform.number().is_some() && right.transform.number().is_some()
            }
            Joined::ByCategory => {
                left.transform.number().is_some() && right.transform.levels().is_some()
            }
            Joined::Cross(transform) => {
                transform.check(FeatureKind::Categorical)?;
                [&left.transform, &right.transform, transform]
                    .iter()
                    .all(|transform| transform.levels().is_some())
            }
        };
        if fits { Ok(()) } else { Err("columns of another kind than it joins") }
    }
}

/// The number that a cell becomes.
fn number((feature, cell): Given<'_>) -> f64 {
    let given = if let Cell::Number(number) = cell { Some(*number) } else { None };
    feature.transform.number().map_or(0.0, |number| number.encode(given))
}

/// Whether a missing category of a column stays missing.
fn stays_missing(feature: &Feature) -> bool {
    feature.transform.levels().is_some_and(Levels::may_be_missing)
}

/// The pair of two categories, `left:right`; missing when one of them stays missing. A colon or a
/// backslash within a category gets a backslash before it, so that no two pairs look the same.
pub(super) fn cross(left: Given<'_>, right: Given<'_>) -> Cell {
    let text = |(feature, cell): Given<'_>| {
        let levels = feature.transform.levels()?;
        let text = levels.text(cell, feature.kind)?;
        Some(text.replace('\\', "\\\\").replace(':', "\\:"))
    };
    let is_missing = |(feature, cell): Given<'_>| *cell == Cell::Missing && stays_missing(feature);
    match (text(left), text(right)) {
        (Some(left), Some(right)) => Cell::Text(format!("{left}:{right}").into()),
        _ if is_missing(left) || is_missing(right) => Cell::Missing,
        // A cell of the wrong kind on either side is one here: it counts as unseen.
        _ => Cell::Number(0.0),
    }
}
