//! Ranges of numbers, open or closed at either end.

use super::declaration::{Given, Parameter, Takes, Wrong, flag, optional};

/// The least number of a range of numbers.
pub(super) const MIN: Parameter =
    optional("min_value", Takes::Number, "the least value that holds");
/// The greatest number of a range of numbers.
pub(super) const MAX: Parameter =
    optional("max_value", Takes::Number, "the greatest value that holds");
/// The least number of a range of counts.
pub(super) const MIN_COUNT: Parameter =
    optional("min_value", Takes::Count, "the least number that holds");
/// The greatest number of a range of counts.
pub(super) const MAX_COUNT: Parameter =
    optional("max_value", Takes::Count, "the greatest number that holds");
/// The least share that holds.
pub(super) const MIN_SHARE: Parameter =
    optional("min_value", Takes::Share, "the least share that holds");
/// The greatest share that holds.
pub(super) const MAX_SHARE: Parameter =
    optional("max_value", Takes::Share, "the greatest share that holds");
/// Whether the least number itself does not hold.
pub(super) const STRICT_MIN: Parameter = flag("strict_min", "whether it must be above `min_value`");
/// Whether the greatest number itself does not hold.
pub(super) const STRICT_MAX: Parameter = flag("strict_max", "whether it must be below `max_value`");

/// A range of numbers of which at least one end is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    min: Option<f64>,
    max: Option<f64>,
    is_min_strict: bool,
    is_max_strict: bool,
}

impl Range {
    /// The range that parameters give.
    ///
    /// # Errors
    /// When neither end is given, or no number can be in it.
    pub(super) fn of(given: &Given<'_>) -> Result<Range, Wrong> {
        let range = Range {
            min: given.number("min_value"),
            max: given.number("max_value"),
            is_min_strict: given.is("strict_min"),
            is_max_strict: given.is("strict_max"),
        };
        let is_strict = range.is_min_strict || range.is_max_strict;
        match (range.min, range.max) {
            (None, None) => {
                Err(Wrong::whole("neither `min_value` nor `max_value` is given: give one of them"))
            }
            (Some(min), Some(max)) if min > max => {
                let message = format!("{min} is above `max_value` {max}: no value can hold");
                Err(Wrong::about("min_value", message))
            }
            (Some(min), Some(max)) if min == max && is_strict => {
                let message = format!("no value lies strictly between {min} and {max}");
                Err(Wrong::about("min_value", message))
            }
            _ => Ok(range),
        }
    }

    /// The range of the one number that a parameter gives.
    pub(super) fn only(given: &Given<'_>, param: &str) -> Range {
        let number = given.number(param);
        Range { min: number, max: number, is_min_strict: false, is_max_strict: false }
    }

    pub(super) fn contains(&self, number: f64) -> bool {
        !self.is_above(number) && !self.is_below(number)
    }

    /// Whether a number is beyond the greatest one.
    pub(super) fn is_above(&self, number: f64) -> bool {
        self.max.is_some_and(|max| number > max || self.is_max_strict && number == max)
    }

    /// Whether a number is below the least one.
    pub(super) fn is_below(&self, number: f64) -> bool {
        self.min.is_some_and(|min| number < min || self.is_min_strict && number == min)
    }
}
