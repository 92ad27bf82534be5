//! Expectations on the text of each value: expressions, lengths, dates, JSON.
//!
//! A number is looked at as it is told: in the shortest form that reads back to the same bits.

use regex::Regex;
use serde::de::IgnoredAny;

use super::declaration::{About, Declaration, Given, Parameter, Presence, Takes, Wrong, required};
use super::range::{MAX_COUNT, MIN_COUNT, Range, STRICT_MAX, STRICT_MIN};
use super::rule::Rule;
use super::strftime::Format;
use super::values::{Test, failing, text, values};
use crate::ml::table::Column;

const REGEX: Parameter = required(
    "regex",
    Takes::Text,
    "found anywhere in the text of a value unless it says ^ or $; no look-around, so that no \
     expression takes more than linear time",
);
const REGEX_LIST: Parameter =
    required("regex_list", Takes::List(&Takes::Text), "the expressions, each as `regex` is read");

/// Expectations on the text of each value.
pub(super) const DECLARATIONS: &[Declaration] = &[
    Declaration {
        name: "expect_column_values_to_match_regex",
        doc: "every value matches a regular expression",
        about: About::Values,
        own: &[REGEX],
        make: |given| {
            let regex = regex("regex", &given.text("regex").unwrap_or_default())?;
            texts(given, move |text| regex.is_match(text))
        },
    },
    Declaration {
        name: "expect_column_values_to_not_match_regex",
        doc: "no value matches a regular expression",
        about: About::Values,
        own: &[REGEX],
        make: |given| {
            let regex = regex("regex", &given.text("regex").unwrap_or_default())?;
            texts(given, move |text| !regex.is_match(text))
        },
    },
    Declaration {
        name: "expect_column_values_to_match_regex_list",
        doc: "every value matches one, or all, of several regular expressions",
        about: About::Values,
        own: &[
            REGEX_LIST,
            Parameter {
                name: "match_on",
                takes: Takes::Choice(&["any", "all"]),
                presence: Presence::Text("any"),
                doc: "whether one match is enough",
            },
        ],
        make: |given| {
            let regexes = regexes(given)?;
            match given.text("match_on").as_deref() {
                Some("all") => {
                    texts(given, move |text| regexes.iter().all(|regex| regex.is_match(text)))
                }
                _ => texts(given, move |text| regexes.iter().any(|regex| regex.is_match(text))),
            }
        },
    },
    Declaration {
        name: "expect_column_values_to_not_match_regex_list",
        doc: "no value matches any of several regular expressions",
        about: About::Values,
        own: &[REGEX_LIST],
        make: |given| {
            let regexes = regexes(given)?;
            texts(given, move |text| !regexes.iter().any(|regex| regex.is_match(text)))
        },
    },
    Declaration {
        name: "expect_column_value_lengths_to_be_between",
        doc: "every value has a number of characters in a range",
        about: About::Values,
        own: &[MIN_COUNT, MAX_COUNT, STRICT_MIN, STRICT_MAX],
        make: |given| {
            let range = Range::of(given)?;
            texts(given, move |text| range.contains(length(text)))
        },
    },
    Declaration {
        name: "expect_column_value_lengths_to_equal",
        doc: "every value has the same number of characters",
        about: About::Values,
        own: &[required("value", Takes::Count, "the number of characters")],
        make: |given| {
            let value = given.number("value").unwrap_or_default();
            texts(given, move |text| length(text) == value)
        },
    },
    Declaration {
        name: "expect_column_values_to_match_strftime_format",
        doc: "every value is a date or time of a format, and one that exists",
        about: About::Values,
        own: &[required(
            "strftime_format",
            Takes::Text,
            "the format, as Python's `strptime` reads it: %Y-%m-%d",
        )],
        make: |given| {
            let format = given.text("strftime_format").unwrap_or_default();
            let format = Format::parse(&format)
                .map_err(|message| Wrong::about("strftime_format", message))?;
            texts(given, move |text| format.fits(text))
        },
    },
    Declaration {
        name: "expect_column_values_to_be_json_parseable",
        doc: "every value is a JSON document (RFC 8259: no NaN), nested at most 127 deep",
        about: About::Values,
        own: &[],
        make: |given| texts(given, |text| serde_json::from_str::<IgnoredAny>(text).is_ok()),
    },
];

struct Texts<F>(F);

impl<F: Fn(&str) -> bool + Send + Sync> Test for Texts<F> {
    fn unexpected(&self, column: &Column, rows: &[usize]) -> Vec<usize> {
        failing(rows, |row| (self.0)(text(column, row).as_ref()))
    }
}

/// The rule that something is true of the text of each value.
fn texts(
    given: &Given<'_>,
    holds: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Result<Box<dyn Rule>, Wrong> {
    values(given, Texts(holds))
}

fn length(text: &str) -> f64 {
    text.chars().count() as f64
}

fn regexes(given: &Given<'_>) -> Result<Vec<Regex>, Wrong> {
    let texts = given.texts("regex_list");
    if texts.is_empty() {
        return Err(Wrong::about("regex_list", "the list is empty: give at least one"));
    }
    texts.iter().map(|text| regex("regex_list", text)).collect()
}

fn regex(param: &'static str, text: &str) -> Result<Regex, Wrong> {
    Regex::new(text).map_err(|error| {
        // The library's text draws the expression over several lines; the last says what is wrong.
        let told = error.to_string();
        let reason = told.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        Wrong::about(param, format!("`{text}` is not a regular expression: {reason}"))
    })
}
