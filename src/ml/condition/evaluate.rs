//! The answer of a condition for one row. Types were checked before: nothing here can fail.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::parse::Comparison;
use crate::ml::table::Column;
use crate::ml::texts::Texts;

/// A part that is true, false or unknown.
pub(super) enum Truth<'a> {
    Constant(bool),
    Column(&'a [Option<bool>]),
    Not(Box<Truth<'a>>),
    All(Vec<Truth<'a>>),
    Any(Vec<Truth<'a>>),
    Numbers(Comparison, Number<'a>, Number<'a>),
    Texts(Comparison, Text<'a>, Text<'a>),
    Truths(Comparison, Box<Truth<'a>>, Box<Truth<'a>>),
    AmongNumbers(Number<'a>, Vec<f64>),
    AmongTexts(Text<'a>, BTreeSet<String>),
    AmongTruths(Box<Truth<'a>>, Vec<bool>),
    IsNull(Box<Any<'a>>),
}

/// A part that is a finite number or missing.
pub(super) enum Number<'a> {
    Constant(f64),
    Column(&'a Column),
    Sum(Vec<(bool, Number<'a>)>),
    Product(Vec<(bool, Number<'a>)>),
    Negative(Box<Number<'a>>),
    Abs(Box<Number<'a>>),
    Length(Text<'a>),
}

/// A part that is a text or missing.
pub(super) enum Text<'a> {
    Constant(String),
    Column(&'a Texts),
}

/// A part of any type.
pub(super) enum Any<'a> {
    Truth(Truth<'a>),
    Number(Number<'a>),
    Text(Text<'a>),
}

impl Truth<'_> {
    /// The answer for a row; `None` is unknown.
    pub(super) fn at(&self, row: usize) -> Option<bool> {
        match self {
            Truth::Constant(truth) => Some(*truth),
            Truth::Column(values) => values[row],
            Truth::Not(part) => part.at(row).map(|truth| !truth),
            Truth::All(parts) => decided(parts, row, false),
            Truth::Any(parts) => decided(parts, row, true),
            Truth::Numbers(comparison, left, right) => {
                // Numbers here are finite: they have an order.
                let order = left.at(row)?.partial_cmp(&right.at(row)?)?;
                Some(comparison.holds(order))
            }
            Truth::Texts(comparison, left, right) => {
                Some(comparison.holds(left.at(row)?.cmp(right.at(row)?)))
            }
            Truth::Truths(comparison, left, right) => {
                Some(comparison.holds(left.at(row)?.cmp(&right.at(row)?)))
            }
            Truth::AmongNumbers(value, items) => Some(items.contains(&value.at(row)?)),
            Truth::AmongTexts(value, items) => Some(items.contains(value.at(row)?)),
            Truth::AmongTruths(value, items) => Some(items.contains(&value.at(row)?)),
            Truth::IsNull(value) => Some(value.is_missing(row)),
        }
    }
}

/// `decisive` when any part is that; else unknown when any part is; else the opposite.
fn decided(parts: &[Truth<'_>], row: usize, decisive: bool) -> Option<bool> {
    let mut is_known = true;
    for part in parts {
        match part.at(row) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(!decisive)
}

impl Number<'_> {
    fn at(&self, row: usize) -> Option<f64> {
        let number = match self {
            Number::Constant(number) => *number,
            Number::Column(column) => column.number(row)?,
            Number::Sum(terms) => terms.iter().try_fold(0.0, |sum, (is_subtracted, term)| {
                let term = term.at(row)?;
                Some(if *is_subtracted { sum - term } else { sum + term })
            })?,
            Number::Product(factors) => {
                factors.iter().try_fold(1.0, |product, (divides, factor)| {
                    let factor = factor.at(row)?;
                    Some(if *divides { product / factor } else { product * factor })
                })?
            }
            Number::Negative(number) => -number.at(row)?,
            Number::Abs(number) => number.at(row)?.abs(),
            Number::Length(text) => text.at(row)?.chars().count() as f64,
        };
        Some(number).filter(|number| number.is_finite())
    }
}

impl Text<'_> {
    fn at(&self, row: usize) -> Option<&str> {
        match self {
            Text::Constant(text) => Some(text),
            Text::Column(texts) => texts.get(row),
        }
    }
}

impl Any<'_> {
    fn is_missing(&self, row: usize) -> bool {
        match self {
            Any::Truth(truth) => truth.at(row).is_none(),
            Any::Number(number) => number.at(row).is_none(),
            Any::Text(text) => text.at(row).is_none(),
        }
    }

    /// What it is, for errors.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Any::Truth(_) => "a truth value",
            Any::Number(_) => "a number",
            Any::Text(_) => "a text",
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}
