//! Expectations on each number of a column in relation to the others: their order, and how far
//! each is from the mean.

use super::declaration::{About, Declaration, Parameter, Presence, Takes, flag, required};
use super::reason::Reason;
use super::values::{Test, failing, number, values};
use crate::ml::describe;
use crate::ml::table::Column;

/// Expectations on each number in relation to the others.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_column_values_to_be_increasing",
        doc: "no number is below the one before it; missing ones are passed over",
        about: About::Values,
        own: &[flag("strictly", "whether each must be above the one before it")],
        make: |given| values(given, Ordered { is_falling: false, is_strict: given.is("strictly") }),
    },
    Declaration {
        name: "expect_column_values_to_be_decreasing",
        doc: "no number is above the one before it; missing ones are passed over",
        about: About::Values,
        own: &[flag("strictly", "whether each must be below the one before it")],
        make: |given| values(given, Ordered { is_falling: true, is_strict: given.is("strictly") }),
    },
    Declaration {
        name: "expect_column_value_z_scores_to_be_less_than",
        doc: "no number is further from the mean than so many sample standard deviations",
        about: About::Values,
        own: &[
            required("threshold", Takes::Magnitude, "the number of standard deviations"),
            Parameter {
                name: "double_sided",
                takes: Takes::Bool,
                presence: Presence::Bool(true),
                doc: "whether numbers far below the mean are unexpected, too",
            },
        ],
        make: |given| {
            let threshold = given.number("threshold").unwrap_or_default();
            values(given, ZScores { threshold, is_double: given.is("double_sided") })
        },
    },
];

struct Ordered {
    is_falling: bool,
    is_strict: bool,
}

impl Test for Ordered {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        let is_wrong = |before: Option<f64>, number: Option<f64>| match (before, number) {
            (_, None) => true,
            (None, _) => false,
            (Some(before), Some(number)) => {
                let (low, high) = if self.is_falling { (number, before) } else { (before, number) };
                low > high || self.is_strict && low == high
            }
        };
        let mut before = None;
        let mut wrong = Vec::new();
        for row in rows {
            let number = number(column, *row);
            if is_wrong(before, number) {
                wrong.push(*row);
            }
            before = number.or(before);
        }
        wrong
    }

    fn reason(&self, column: &Column, row: usize) -> Option<Reason> {
        number(column, row).is_none().then(|| Reason::no_number(column))
    }
}

struct ZScores {
    threshold: f64,
    is_double: bool,
}

impl Test for ZScores {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        let mut sorted: Vec<f64> = rows.iter().filter_map(|row| number(column, *row)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let moments = describe::mean_and_deviation(&sorted);
        failing(rows, |row| match (number(column, row), moments) {
            (None, _) => false,
            // Without a spread there is no score, and nothing is far away.
            (Some(_), None) => true,
            (Some(number), Some((mean, deviation))) => {
                let score = (number - mean) / deviation;
                let distance = if self.is_double { score.abs() } else { score };
                score.is_nan() || distance < self.threshold
            }
        })
    }

    fn reason(&self, column: &Column, row: usize) -> Option<Reason> {
        number(column, row).is_none().then(|| Reason::no_number(column))
    }
}
