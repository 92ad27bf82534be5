//! Evaluation of regressions: several on the same rows, overall and per segment.
//!
//! The champion is chosen on validation; test rows only tell how good that choice was. The mean of
//! the target in training, and a rule of one feature, are scored on the same rows and never win.
//! `document` is what is written of it, `curves` what plots need. Knows no files and no stages.

pub mod baseline;
pub mod curves;
pub mod document;

use std::collections::BTreeMap;

use super::certainty::{Confidence, SMALL};
use super::document::{Difference, Gate};
use super::gates::{Bound, Which, gate};
use super::{OVERALL, Side, best, segments, weights_of};
use crate::ml::columns::Columns;
use crate::ml::metrics::regression::{RegressionMetric, Replicates, Residuals, Values, replicate};
use crate::ml::metrics::{Bounded, weighted};
use crate::ml::table::Table;
use crate::ml::target;

/// The rows of one side, ready to be scored.
pub struct Rows {
    targets: Vec<f64>,
    /// What each row counts besides, where a column tells it.
    weights: Option<Vec<f64>>,
    groups: Vec<(String, Vec<usize>)>,
}

/// Metrics by segment.
pub type Report = BTreeMap<String, (usize, Values)>;
/// Where metrics lie, by segment.
pub type Intervals = BTreeMap<String, BTreeMap<RegressionMetric, Bounded>>;

/// A regression, or the mean, on both sides.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// What it says of each row, on validation and on test.
    predicted: [Vec<f64>; 2],
    reports: [Report; 2],
    /// The metrics by segment with rows counted by their weights; empty where they have none.
    weighted: [BTreeMap<String, Values>; 2],
}

impl Rows {
    /// The rows of a table, with their targets, the segments of the columns of that role, and the
    /// intersections of some of those columns.
    ///
    /// # Errors
    /// A column that is not there, a target that is no number, a weight that is none, a segment of
    /// too many values.
    pub fn new(table: &Table, columns: &Columns, also: &[Vec<String>]) -> Result<Rows, String> {
        let name = &columns.target;
        let column = table.column(name).ok_or_else(|| format!("no column `{name}`"))?;
        let targets = target::numbers(column)?;
        let weights = weights_of(table, columns)?;
        Ok(Rows { targets, weights, groups: segments(table, &columns.segments, also)? })
    }

    /// The number of each row.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    fn of(&self, rows: &[usize], predicted: &[f64]) -> Residuals {
        Residuals::new(&pick(&self.targets, rows), &pick(predicted, rows))
    }

    fn weighted(&self, predicted: &[f64]) -> BTreeMap<String, Values> {
        let of = |weights: &[f64], rows: &[usize]| {
            let [actual, predicted, weights] =
                [self.targets.as_slice(), predicted, weights].map(|from| pick(from, rows));
            weighted::of_numbers(&actual, &predicted, &weights)
        };
        let groups = self.weights.iter().flat_map(|weights| {
            self.groups.iter().map(move |(name, rows)| (name.clone(), of(weights, rows)))
        });
        groups.collect()
    }

    fn report(&self, predicted: &[f64]) -> Report {
        let of = |(name, rows): &(String, Vec<usize>)| {
            (name.clone(), (rows.len(), self.of(rows, predicted).values()))
        };
        self.groups.iter().map(of).collect()
    }
}

impl Evaluated {
    /// What is predicted on validation and on test becomes metrics.
    pub fn new(sides: &[Rows; 2], predicted: [Vec<f64>; 2]) -> Evaluated {
        let reports = [0, 1].map(|side| sides[side].report(&predicted[side]));
        let weighted = [0, 1].map(|side| sides[side].weighted(&predicted[side]));
        Evaluated { predicted, reports, weighted }
    }

    /// The metrics on a side.
    pub fn on(&self, side: Side) -> &Report {
        &self.reports[side as usize]
    }

    /// The metrics on a side by the weights of its rows, by segment; empty where they have none.
    pub fn weighted(&self, side: Side) -> &BTreeMap<String, Values> {
        &self.weighted[side as usize]
    }
}

/// What is known of how sure the figures on test are.
pub struct Certainty {
    /// Per model, in the order given, where its metrics lie by segment.
    pub intervals: Vec<Intervals>,
    /// The resamples of all rows, with the models in the order given; or why there are none.
    pub overall: Result<Replicates, &'static str>,
}

/// Where the metrics of each model on test lie. `seed_of` yields the random bits of a label: one
/// per segment, so that a segment that comes or goes changes no other.
pub fn measure(
    rows: &Rows,
    models: &[&Evaluated],
    how: &Confidence,
    seed_of: &dyn Fn(&str) -> [u8; 32],
) -> Certainty {
    let mut intervals = vec![Intervals::new(); models.len()];
    let mut overall = Err(SMALL);
    for (segment, of_segment) in &rows.groups {
        let is_small = segment != OVERALL && of_segment.len() < how.min_rows;
        let residuals: Vec<Residuals> =
            models.iter().map(|model| rows.of(of_segment, &model.predicted[1])).collect();
        let residuals: Vec<&Residuals> = residuals.iter().collect();
        let seed = seed_of(&format!("bootstrap {segment}"));
        let drawn = if is_small { Err(SMALL) } else { replicate(&residuals, how.resamples, &seed) };
        for (i, known) in intervals.iter_mut().enumerate() {
            let of = |metric| match &drawn {
                Ok(drawn) => (metric, drawn.interval(i, metric, how.level)),
                Err(why) => (metric, Err(*why)),
            };
            known.insert(segment.clone(), RegressionMetric::ALL.into_iter().map(of).collect());
        }
        if segment == OVERALL {
            overall = drawn;
        }
    }
    Certainty { intervals, overall }
}

/// By how much the R2 of each variant on test is above that of the rule of one feature, where both
/// stand among the models that were measured: the variants first, the rule at `rule`.
pub fn above_one_feature(
    variants: &[(String, Evaluated)],
    one_feature: &Evaluated,
    certainty: &Certainty,
    rule: usize,
    level: f64,
) -> BTreeMap<String, Difference> {
    let metric = RegressionMetric::R2;
    let of = |(i, (name, evaluated)): (usize, &(String, Evaluated))| {
        let [own, alone] =
            [evaluated, one_feature].map(|of| of.on(Side::Test)[OVERALL].1[&metric].ok());
        let drawn = certainty.overall.as_ref().ok();
        let interval = drawn.and_then(|drawn| drawn.difference(rule, i, metric, level).ok());
        let value = own.zip(alone).map(|(own, alone)| own - alone);
        let interval = interval.filter(|_| value.is_some()).map(|at| [at.low, at.high]);
        (name.clone(), Difference { value, interval })
    };
    variants.iter().enumerate().map(of).collect()
}

/// The index of the best on validation; of equally good ones the first.
///
/// # Errors
/// Why none of them has the metric.
pub fn champion(
    variants: &[(String, Evaluated)],
    metric: RegressionMetric,
) -> Result<usize, String> {
    let of =
        |(_, evaluated): &(String, Evaluated)| evaluated.on(Side::Validation)[OVERALL].1[&metric];
    best(variants.iter().map(of), metric.name(), metric.higher_is_better())
}

/// What every gate finds, in the order in which they are declared. A segment of fewer than
/// `min_rows` rows is told and not judged.
///
/// # Errors
/// A gate on a metric or a segment that does not exist.
pub fn judge(
    bounds: &[Bound],
    variants: &[(String, Evaluated)],
    champion: usize,
    min_rows: u64,
) -> Result<Vec<Gate>, String> {
    let mut gates = Vec::new();
    for bound in bounds {
        let metric = RegressionMetric::of_name(&bound.metric)
            .ok_or_else(|| format!("a gate names `{}`, which is no metric", bound.metric))?;
        for (i, (name, evaluated)) in variants.iter().enumerate() {
            if bound.model == Which::Champion && i != champion {
                continue;
            }
            let side = bound.side();
            let segment = bound.segment.as_deref().unwrap_or(OVERALL);
            let (n, values) = evaluated.on(side).get(segment).ok_or_else(|| {
                let known: Vec<&str> = evaluated.on(side).keys().map(String::as_str).collect();
                let (side, known) = (side.name(), known.join(", "));
                format!("a gate names the segment `{segment}`, which {side} has not: {known}")
            })?;
            let judged = segment == OVERALL || *n as u64 >= min_rows;
            gates.push(gate(bound, name, values[&metric].ok(), judged));
        }
    }
    Ok(gates)
}

fn pick(from: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|row| from[*row]).collect()
}
