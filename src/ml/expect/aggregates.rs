//! Expectations on a number that a column has as a whole.
//!
//! Missing values are passed over. A column without any value, or with a value that is no number
//! where numbers are summed up, has no such number, and the expectation does not hold.

use serde_json::{Value, json};

use super::declaration::{About, Declaration, Given, Parameter, Takes, Wrong, required};
use super::range::{
    MAX, MAX_COUNT, MAX_SHARE, MIN, MIN_COUNT, MIN_SHARE, Range, STRICT_MAX, STRICT_MIN,
};
use super::reason::Reason;
use super::rule::{Finding, Rows, Rule};
use super::values::{number, text};
use crate::ml::describe;
use crate::ml::table::Column;

const QUANTILE_RANGES: Parameter = required(
    "quantile_ranges",
    Takes::List(&Takes::Record(&[
        required("quantile", Takes::Share, "the share of numbers that are not above it"),
        MIN,
        MAX,
    ])),
    "per quantile the range that it must be in; a quantile is the number of the nearest rank, of \
     two as near the one of even rank",
);

/// Expectations on a number that a column has as a whole.
pub(super) const DECLARATIONS: &[Declaration] = &[
    of_numbers("expect_column_min_to_be_between", "the least number is in a range", |given| {
        aggregate(given, |sorted| sorted.first().copied(), Some(Reason::out_of_range))
    }),
    of_numbers("expect_column_max_to_be_between", "the greatest number is in a range", |given| {
        aggregate(given, |sorted| sorted.last().copied(), Some(Reason::out_of_range))
    }),
    of_numbers("expect_column_mean_to_be_between", "the mean is in a range", |given| {
        let mean = |sorted: &[f64]| describe::mean(sorted);
        aggregate(given, mean, None)
    }),
    of_numbers("expect_column_median_to_be_between", "the median is in a range", |given| {
        let median = |sorted: &[f64]| (!sorted.is_empty()).then(|| describe::quantile(sorted, 0.5));
        aggregate(given, median, None)
    }),
    of_numbers(
        "expect_column_stdev_to_be_between",
        "the sample standard deviation is in a range",
        |given| {
            let deviation = |sorted: &[f64]| describe::mean_and_deviation(sorted).map(|(_, d)| d);
            aggregate(given, deviation, None)
        },
    ),
    of_numbers(
        "expect_column_sum_to_be_between",
        "the sum is in a range; of no number it is 0",
        |given| aggregate(given, |sorted| Some(describe::sum(sorted.iter().copied())), None),
    ),
    Declaration {
        name: "expect_column_quantile_values_to_be_between",
        doc: "every quantile that is named is in its range",
        about: About::Column,
        own: &[QUANTILE_RANGES],
        make: quantiles,
    },
    Declaration {
        name: "expect_column_unique_value_count_to_be_between",
        doc: "the number of distinct values is in a range",
        about: About::Column,
        own: &[MIN_COUNT, MAX_COUNT, STRICT_MIN, STRICT_MAX],
        make: |given| counted(given, |counts| Some(counts.distinct as f64)),
    },
    Declaration {
        name: "expect_column_proportion_of_unique_values_to_be_between",
        doc: "the number of distinct values, as a share of the values that are there, is in a range",
        about: About::Column,
        own: &[MIN_SHARE, MAX_SHARE, STRICT_MIN, STRICT_MAX],
        make: |given| counted(given, |counts| share(counts.distinct, counts.present)),
    },
    Declaration {
        name: "expect_column_proportion_of_non_null_values_to_be_between",
        doc: "the share of rows that have a value is in a range",
        about: About::Column,
        own: &[MIN_SHARE, MAX_SHARE, STRICT_MIN, STRICT_MAX],
        make: |given| {
            let range = Range::of(given)?;
            let column = given.text("column").unwrap_or_default();
            Ok(Box::new(PresentShare { column, range }))
        },
    },
];

/// A declaration with a range of numbers.
const fn of_numbers(
    name: &'static str,
    doc: &'static str,
    make: fn(&Given<'_>) -> Result<Box<dyn Rule>, Wrong>,
) -> Declaration {
    Declaration { name, doc, about: About::Column, own: &[MIN, MAX, STRICT_MIN, STRICT_MAX], make }
}

/// A number made from numbers in ascending order.
type Measure = fn(&[f64]) -> Option<f64>;
/// Why the number of a column is out of its range: `true` is above.
type OutOfRange = fn(&Column, bool) -> Reason;

struct Aggregate {
    column: String,
    range: Range,
    measure: Measure,
    reason: Option<OutOfRange>,
}

fn aggregate(
    given: &Given<'_>,
    measure: Measure,
    reason: Option<OutOfRange>,
) -> Result<Box<dyn Rule>, Wrong> {
    let column = given.text("column").unwrap_or_default();
    Ok(Box::new(Aggregate { column, range: Range::of(given)?, measure, reason }))
}

impl Rule for Aggregate {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let Some(sorted) = sorted(column, rows) else { return Ok(no_number(column)) };
        let Some(found) = (self.measure)(&sorted).filter(|number| number.is_finite()) else {
            return Ok(Finding::whole(false, Value::Null, None));
        };
        let reason = self.reason.map(|reason| reason(column, self.range.is_above(found)));
        Ok(Finding::whole(self.range.contains(found), json!(found), reason))
    }
}

/// The numbers of the rows in ascending order; `None` when a value is no number. Zero has no sign.
pub(super) fn sorted(column: &Column, rows: &Rows<'_>) -> Option<Vec<f64>> {
    let present = rows.iter().filter(|row| !column.is_missing(*row));
    let numbers = present.map(|row| number(column, row).map(|number| number + 0.0));
    let mut sorted = numbers.collect::<Option<Vec<f64>>>()?;
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// The finding of a column that has no numbers to look at.
pub(super) fn no_number(column: &Column) -> Finding {
    Finding::whole(false, json!(column.ty().name()), Some(Reason::no_number(column)))
}

struct Quantiles {
    column: String,
    ranges: Vec<(f64, Option<f64>, Option<f64>)>,
}

fn quantiles(given: &Given<'_>) -> Result<Box<dyn Rule>, Wrong> {
    let wrong = |message: String| Wrong::about("quantile_ranges", message);
    let mut ranges = Vec::new();
    for range in given.list("quantile_ranges") {
        let part = |name: &str| range.get(name).and_then(Value::as_f64);
        let quantile = part("quantile").unwrap_or_default();
        let (min, max) = (part("min_value"), part("max_value"));
        if min.is_none() && max.is_none() {
            return Err(wrong(format!(
                "quantile {quantile} has neither `min_value` nor `max_value`"
            )));
        }
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            return Err(wrong(format!("of quantile {quantile}, {min} is above {max}")));
        }
        ranges.push((quantile, min, max));
    }
    if ranges.is_empty() {
        return Err(wrong("the list is empty: give at least one".to_owned()));
    }
    let column = given.text("column").unwrap_or_default();
    Ok(Box::new(Quantiles { column, ranges }))
}

impl Rule for Quantiles {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let Some(sorted) = sorted(column, rows) else { return Ok(no_number(column)) };
        if sorted.is_empty() {
            return Ok(Finding::whole(false, Value::Null, None));
        }
        let mut holds = true;
        let mut told = Vec::new();
        for (quantile, min, max) in &self.ranges {
            let rank = (quantile * (sorted.len() - 1) as f64).round_ties_even();
            let value = sorted[rank as usize];
            holds &= min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
            told.push(json!({"quantile": quantile, "value": value}));
        }
        Ok(Finding::whole(holds, Value::Array(told), None))
    }
}

/// How many rows have a value, and how many values there are.
struct Counts {
    present: usize,
    distinct: usize,
}

struct Counted {
    column: String,
    range: Range,
    measure: fn(&Counts) -> Option<f64>,
}

fn counted(given: &Given<'_>, measure: fn(&Counts) -> Option<f64>) -> Result<Box<dyn Rule>, Wrong> {
    let column = given.text("column").unwrap_or_default();
    Ok(Box::new(Counted { column, range: Range::of(given)?, measure }))
}

impl Rule for Counted {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let present: Vec<usize> = rows.iter().filter(|row| !column.is_missing(*row)).collect();
        let mut texts: Vec<_> = present.iter().map(|row| text(column, *row)).collect();
        texts.sort_unstable();
        texts.dedup();
        let counts = Counts { present: present.len(), distinct: texts.len() };
        let Some(found) = (self.measure)(&counts) else {
            return Ok(Finding::whole(false, Value::Null, None));
        };
        let reason = match self.range.is_above(found) {
            true => Reason::FeatureTypeHighUnique,
            false => Reason::FeatureTypeLowUnique,
        };
        Ok(Finding::whole(self.range.contains(found), json!(found), Some(reason)))
    }
}

struct PresentShare {
    column: String,
    range: Range,
}

impl Rule for PresentShare {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let present = rows.iter().filter(|row| !column.is_missing(*row)).count();
        let Some(found) = share(present, rows.len()) else {
            return Ok(Finding::whole(false, Value::Null, None));
        };
        let reason = self.range.is_below(found).then_some(match present {
            0 => Reason::FeatureTypeNotPresent,
            _ => Reason::FeatureTypeLowFractionPresent,
        });
        Ok(Finding::whole(self.range.contains(found), json!(found), reason))
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
