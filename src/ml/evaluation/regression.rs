//! Evaluation of regressions: several on the same rows, overall and per segment.
//!
//! The champion is chosen on validation; test rows only tell how good that choice was. The mean of
//! the target in training is scored on the same rows and never wins. Knows no files and no stages.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::certainty::{Confidence, SMALL};
use super::document::{Gate, Segment, WEIGHTED, weighted as written};
use super::gates::{Bound, Which, gate};
use super::{OVERALL, Side, best, segments, weights_of};
use crate::ml::columns::Columns;
use crate::ml::metrics::quantile;
use crate::ml::metrics::regression::{RegressionMetric, Residuals, Values, replicate};
use crate::ml::metrics::{Bounded, Interval, weighted};
use crate::ml::table::Table;
use crate::ml::target;

/// The format of the metrics of regressions.
pub const FORMAT: &str = "pipeline.regression_metrics/1";
/// The format of the curves of regressions.
pub const CURVES_FORMAT: &str = "pipeline.regression_curves/1";

/// The most groups of rows that predictions are compared with targets in.
const MAX_GROUPS: usize = 20;
/// How many equal steps of their rank residuals are told at, less one.
const STEPS: usize = 20;

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

/// Where the metrics of each model on test lie. `seed_of` yields the random bits of a label: one
/// per segment, so that a segment that comes or goes changes no other.
pub fn measure(
    rows: &Rows,
    models: &[&Evaluated],
    how: &Confidence,
    seed_of: &dyn Fn(&str) -> [u8; 32],
) -> Vec<Intervals> {
    let mut intervals = vec![Intervals::new(); models.len()];
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
    }
    intervals
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

/// A variant, or the mean, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Variant {
    /// The learner; the mean has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learner: Option<String>,
    /// The metrics on validation by segment.
    pub validation: BTreeMap<String, Segment>,
    /// The metrics on test by segment, with `intervals` and `no_interval`.
    pub test: BTreeMap<String, Segment>,
}

/// What is reached without any model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baselines {
    /// From which rows it was learned: `train` or `validation`.
    pub learned_on: String,
    /// The number for all rows: the mean of the target.
    pub value: f64,
    /// How good that is.
    pub mean: Variant,
}

/// The metrics of an evaluation of regressions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// `FORMAT`.
    pub format: &'static str,
    /// The column that is predicted.
    pub target: String,
    /// The name of the variant that was chosen.
    pub champion: String,
    /// The metric by which it was chosen, on validation.
    pub champion_metric: String,
    /// How often an interval is to hold the truth.
    pub confidence: f64,
    /// How many times rows were drawn anew for the intervals.
    pub resamples: u64,
    /// The variants by name.
    pub variants: BTreeMap<String, Variant>,
    /// What is reached without any model.
    pub baselines: Baselines,
    /// The quality gates, in the order in which they were declared.
    pub gates: Vec<Gate>,
}

impl Variant {
    /// A variant to be written.
    pub fn of(evaluated: &Evaluated, learner: Option<&str>, intervals: &Intervals) -> Variant {
        let [validation, test] = Side::ALL.map(|side| {
            let of = |(name, (n, values)): (&String, &(usize, Values))| {
                let known = intervals.get(name).filter(|_| side == Side::Test);
                let mut segment = segment(*n, values, known);
                if let Some(values) = evaluated.weighted(side).get(name) {
                    let named = values.iter().map(|(metric, value)| (metric.name(), *value));
                    segment.insert(WEIGHTED.to_owned(), written(named));
                }
                (name.clone(), segment)
            };
            evaluated.on(side).iter().map(of).collect()
        });
        Variant { learner: learner.map(str::to_owned), validation, test }
    }
}

fn segment(
    n: usize,
    values: &Values,
    intervals: Option<&BTreeMap<RegressionMetric, Bounded>>,
) -> Segment {
    let mut segment = Map::from_iter([("n".to_owned(), json!(n))]);
    let [mut undefined, mut known, mut unknown] = [Map::new(), Map::new(), Map::new()];
    for (metric, value) in values {
        let name = metric.name().to_owned();
        segment.insert(name.clone(), json!(value.ok()));
        match (value, intervals.map(|of| of[metric])) {
            (Err(why), _) => undefined.insert(name, json!(why)),
            (_, Some(Ok(Interval { low, high }))) => known.insert(name, json!([low, high])),
            (_, Some(Err(why))) => unknown.insert(name, json!(why)),
            (_, None) => None,
        };
    }
    let lists = [("undefined", undefined), ("intervals", known), ("no_interval", unknown)];
    for (key, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        segment.insert(key.to_owned(), Value::Object(values));
    }
    segment
}

fn pick(from: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|row| from[*row]).collect()
}

/// What plots of a regression on one side need.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// How many rows.
    pub n: usize,
    /// Rows in groups of about equal size by what is predicted, the lowest first.
    pub predicted_against_actual: Vec<Group>,
    /// Actual less predicted at equal steps of rank, from the least to the greatest.
    pub residual_quantiles: Vec<f64>,
}

/// Some rows whose predictions are next to each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// How many rows.
    pub n: usize,
    /// The mean of what is predicted.
    pub predicted: f64,
    /// The mean of what came true.
    pub actual: f64,
    /// The standard deviation of actual less predicted.
    pub residual_std: f64,
}

/// The curves of an evaluation of regressions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvesDocument {
    /// `CURVES_FORMAT`.
    pub format: &'static str,
    /// The column that is predicted.
    pub target: String,
    /// The name of the variant that was chosen.
    pub champion: String,
    /// By variant, then by side.
    pub variants: BTreeMap<String, BTreeMap<&'static str, Curves>>,
}

/// The curves of a regression on both sides.
pub fn curves(sides: &[Rows; 2], evaluated: &Evaluated) -> BTreeMap<&'static str, Curves> {
    let of = |side: &Side| {
        let (targets, predicted) =
            (sides[*side as usize].targets(), &evaluated.predicted[*side as usize]);
        (side.name(), Curves::of(targets, predicted))
    };
    Side::ALL.par_iter().map(of).collect()
}

impl Curves {
    fn of(targets: &[f64], predicted: &[f64]) -> Curves {
        let n = targets.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| predicted[*a].total_cmp(&predicted[*b]));
        let n_groups = MAX_GROUPS.min(n);
        let group = |i: usize| {
            let rows = &order[i * n / n_groups..(i + 1) * n / n_groups];
            let mean = |of: &dyn Fn(usize) -> f64| {
                let mut sum = 0.0;
                rows.iter().for_each(|row| sum += of(*row));
                sum / rows.len() as f64
            };
            let error = |row: usize| targets[row] - predicted[row];
            let middle = mean(&error);
            Group {
                n: rows.len(),
                predicted: mean(&|row| predicted[row]),
                actual: mean(&|row| targets[row]),
                residual_std: mean(&|row| (error(row) - middle) * (error(row) - middle)).sqrt(),
            }
        };
        let mut errors = Residuals::new(targets, predicted).errors().to_vec();
        errors.sort_unstable_by(f64::total_cmp);
        let at = |step: usize| quantile(&errors, step as f64 / STEPS as f64);
        Curves {
            n,
            predicted_against_actual: (0..n_groups).map(group).collect(),
            residual_quantiles: if n == 0 { Vec::new() } else { (0..=STEPS).map(at).collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_all_rows_in_the_order_of_what_is_predicted() {
        let targets: Vec<f64> = (0..45).map(f64::from).collect();
        let predicted: Vec<f64> = targets.iter().map(|y| y + 1.0).collect();
        let curves = Curves::of(&targets, &predicted);
        let groups = &curves.predicted_against_actual;
        assert_eq!((groups.len(), groups.iter().map(|group| group.n).sum::<usize>()), (20, 45));
        assert!(groups.is_sorted_by(|a, b| a.predicted < b.predicted));
        assert!(groups.iter().all(|group| group.predicted == group.actual + 1.0));
        assert!(groups.iter().all(|group| group.residual_std == 0.0));
        assert_eq!(curves.residual_quantiles, [-1.0; STEPS + 1]);
        assert!(Curves::of(&[], &[]).predicted_against_actual.is_empty());
    }
}
