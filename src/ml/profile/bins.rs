//! The bins of a column by which later tables are compared with it.
//!
//! They are fixed when a table is profiled: at most ten bins of about as many numbers each, or one
//! bin per value. So what is found out about a later table depends on that table and on nothing
//! else, and can be counted row by row.

use serde::{Deserialize, Serialize};

use crate::ml::describe::{Distinct, quantile};

/// How many bins of numbers there are at most.
const BINS: usize = 10;

/// How often the values of a column fall into fixed bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Bins {
    /// Numbers.
    Numbers {
        /// The edges, ascending: the least number, deciles, the greatest.
        edges: Vec<f64>,
        /// How many numbers are at or above an edge and below the next; the last bin holds its
        /// upper edge, too.
        counts: Vec<u64>,
    },
    /// Values of a small set: texts, or `true` and `false`.
    Values {
        /// The values, ascending.
        values: Vec<String>,
        /// How often each comes.
        counts: Vec<u64>,
    },
}

/// The bins of numbers in ascending order, of which there is at least one.
pub(super) fn of_numbers(sorted: &[f64]) -> Option<Bins> {
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let mut edges = vec![min];
    edges.extend((1..BINS).map(|bin| quantile(sorted, bin as f64 / BINS as f64)));
    edges.push(max);
    // A value that many rows have is an edge several times.
    edges.dedup();
    if edges.len() == 1 {
        edges.push(max);
    }
    let counts = count(sorted, &edges);
    Some(Bins::Numbers { counts: counts[1..counts.len() - 1].to_vec(), edges })
}

/// The bins of values, all of which are told.
pub(super) fn of_values(distinct: &Distinct) -> Bins {
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let mut told: Vec<(String, u64)> =
        distinct.top.iter().map(|top| (text(&top.value), top.count as u64)).collect();
    told.sort_unstable();
    let (values, counts) = told.into_iter().unzip();
    Bins::Values { values, counts }
}

/// How many numbers in ascending order are below the first edge, in each bin, and above the last
/// edge.
pub fn count(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let Some(last) = edges.last() else { return Vec::new() };
    let below = |edge: &f64| sorted.partition_point(|number| number < edge);
    let mut bounds = vec![0];
    bounds.extend(edges[..edges.len() - 1].iter().map(below));
    bounds.push(sorted.partition_point(|number| number <= last));
    bounds.push(sorted.len());
    bounds.windows(2).map(|pair| (pair[1] - pair[0]) as u64).collect()
}
