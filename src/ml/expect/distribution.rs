//! The expectation that a column is distributed as declared, measured by the Kullback-Leibler
//! divergence of what is observed from what was declared: the sum of `p ln(p / q)` over values or
//! bins, both scaled to a sum of 1, as `scipy.stats.entropy` has it. It is infinite where something
//! is seen that has no weight; holdouts give it some.

use serde_json::{Value, json};

use super::aggregates::{no_number, sorted};
use super::declaration::{
    About, Declaration, Given, Parameter, Presence, Takes, Wrong, optional, required,
};
use super::rule::{Finding, Rows, Rule};
use super::sets::counts;
use super::values::scalar_text;
use crate::ml::describe;
use crate::ml::table::Column;

/// How far the sum of the weights may be from 1.
const TOLERANCE: f64 = 1e-6;

const PARTITION: Parameter = required(
    "partition_object",
    Takes::Record(&[
        required("weights", Takes::List(&Takes::Share), "the weights, together 1"),
        optional("values", Takes::List(&Takes::Scalar), "per weight the value that it is of"),
        optional(
            "bins",
            Takes::List(&Takes::Number),
            "instead of `values`: ascending edges, one more than weights; the last bin holds its \
             upper edge, too",
        ),
        optional(
            "tail_weights",
            Takes::List(&Takes::Share),
            "with `bins`: the weights below the first edge and above the last",
        ),
    ]),
    "what is expected",
);

/// Expectations on a distribution.
pub(super) const DECLARATIONS: &[Declaration] = &[Declaration {
    name: "expect_column_kl_divergence_to_be_less_than",
    doc: "the Kullback-Leibler divergence of the values from a declared distribution is at most a \
          threshold",
    about: About::Column,
    own: &[
        PARTITION,
        required("threshold", Takes::Magnitude, "the greatest divergence that holds, in nats"),
        Parameter {
            name: "internal_weight_holdout",
            takes: Takes::Share,
            presence: Presence::Number(0.0),
            doc: "with `bins`: the weight shared by bins whose own is 0",
        },
        Parameter {
            name: "tail_weight_holdout",
            takes: Takes::Share,
            presence: Presence::Number(0.0),
            doc: "the weight shared by values that have none, or by both tails of `bins`",
        },
    ],
    make,
}];

struct Divergence {
    column: String,
    expected: Expected,
    threshold: f64,
}

enum Expected {
    Values { weights: Vec<(String, f64)>, holdout: f64 },
    Bins { edges: Vec<f64>, weights: Vec<f64> },
}

fn make(given: &Given<'_>) -> Result<Box<dyn Rule>, Wrong> {
    let wrong = |message: &str| Wrong::about("partition_object", message);
    let partition = given.value("partition_object").unwrap_or_default();
    let list = |name: &str| partition.get(name).and_then(Value::as_array).cloned();
    let numbers = |name: &str| -> Option<Vec<f64>> {
        Some(list(name)?.iter().filter_map(Value::as_f64).collect())
    };
    let weights = numbers("weights").unwrap_or_default();
    let tails = numbers("tail_weights");
    let holdout = given.number("tail_weight_holdout").unwrap_or(0.0);
    let internal = given.number("internal_weight_holdout").unwrap_or(0.0);
    let total = describe::sum(weights.iter().chain(tails.iter().flatten()).copied());
    if (total - 1.0).abs() > TOLERANCE {
        return Err(wrong(&format!("its weights are {total} together: make them 1")));
    }
    let expected = match (list("values"), numbers("bins")) {
        (Some(values), None) if values.len() == weights.len() => {
            if tails.is_some() || internal > 0.0 {
                return Err(wrong("`tail_weights` and `internal_weight_holdout` are of `bins`"));
            }
            let values = values.iter().map(scalar_text);
            Expected::Values { weights: values.zip(weights).collect(), holdout }
        }
        (None, Some(edges)) if edges.len() == weights.len() + 1 => {
            if !edges.windows(2).all(|pair| pair[0] < pair[1]) {
                return Err(wrong("`bins` must ascend"));
            }
            let tails = match tails.as_deref() {
                None => [holdout / 2.0, holdout / 2.0],
                Some([below, above]) if holdout == 0.0 => [*below, *above],
                Some([_, _]) => return Err(wrong("`tail_weights` leave nothing to hold out")),
                Some(_) => return Err(wrong("`tail_weights` are two: below and above")),
            };
            Expected::Bins { edges, weights: with_tails(&weights, tails, holdout, internal) }
        }
        (Some(_), None) => return Err(wrong("`values` must be as many as `weights`")),
        (None, Some(_)) => return Err(wrong("`bins` must be one more than `weights`")),
        _ => return Err(wrong("give either `values` or `bins`")),
    };
    let column = given.text("column").unwrap_or_default();
    Ok(Box::new(Divergence {
        column,
        expected,
        threshold: given.number("threshold").unwrap_or(0.0),
    }))
}

/// The weights of bins with those of both tails around them, holdouts taken off and handed out.
fn with_tails(weights: &[f64], tails: [f64; 2], holdout: f64, internal: f64) -> Vec<f64> {
    let empty = weights.iter().filter(|weight| **weight == 0.0).count();
    let inner = weights.iter().map(|weight| match *weight == 0.0 {
        true if internal > 0.0 => internal / empty as f64,
        _ => weight * (1.0 - holdout - internal),
    });
    std::iter::once(tails[0]).chain(inner).chain([tails[1]]).collect()
}

impl Rule for Divergence {
    fn check(&self, rows: &Rows<'_>) -> anyhow::Result<Finding> {
        let column = rows.column(&self.column)?;
        let (observed, expected) = match &self.expected {
            Expected::Values { weights, holdout } => by_value(column, rows, weights, *holdout),
            Expected::Bins { edges, weights } => match sorted(column, rows) {
                Some(sorted) => (by_bin(&sorted, edges), weights.clone()),
                None => return Ok(no_number(column)),
            },
        };
        let divergence = divergence(&observed, &expected);
        let holds = divergence.is_some_and(|divergence| divergence <= self.threshold);
        // An infinite divergence is told as null: JSON has no infinity.
        Ok(Finding::whole(holds, json!(divergence), None))
    }
}

/// Per value its count and its expected weight; values that have none share the holdout.
fn by_value(
    column: &Column,
    rows: &Rows<'_>,
    weights: &[(String, f64)],
    holdout: f64,
) -> (Vec<usize>, Vec<f64>) {
    let mut counts = counts(column, rows);
    let mut observed: Vec<usize> =
        weights.iter().map(|(value, _)| counts.remove(value).unwrap_or(0)).collect();
    let mut expected: Vec<f64> = weights.iter().map(|(_, weight)| *weight).collect();
    if !counts.is_empty() {
        expected.iter_mut().for_each(|weight| *weight *= 1.0 - holdout);
        expected.extend(vec![holdout / counts.len() as f64; counts.len()]);
        observed.extend(counts.into_values());
    }
    (observed, expected)
}

/// How many numbers are below the first edge, in each bin, and above the last edge.
fn by_bin(sorted: &[f64], edges: &[f64]) -> Vec<usize> {
    let last = edges[edges.len() - 1];
    let below = |edge: f64| sorted.partition_point(|number| *number < edge);
    let mut bounds: Vec<usize> = edges[..edges.len() - 1].iter().map(|edge| below(*edge)).collect();
    bounds.push(sorted.partition_point(|number| *number <= last));
    bounds.insert(0, 0);
    bounds.push(sorted.len());
    bounds.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// In nats; `None` when it is infinite, or when nothing is observed.
fn divergence(observed: &[usize], expected: &[f64]) -> Option<f64> {
    let n = observed.iter().sum::<usize>() as f64;
    let total = describe::sum(expected.iter().copied());
    if n == 0.0 {
        return None;
    }
    let terms =
        observed.iter().zip(expected).filter(|(count, _)| **count > 0).map(|(count, weight)| {
            let (p, q) = (*count as f64 / n, weight / total);
            p * libm::log(p / q)
        });
    Some(describe::sum(terms)).filter(|sum| sum.is_finite())
}
