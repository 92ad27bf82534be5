//! `metrics.json` of regressions: an evaluation as it is written.
//!
//! One shape for every variant, side and segment, as in the document of classes. What documents of
//! earlier versions lack is optional here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Evaluated, Intervals};
use crate::ml::evaluation::Side;
use crate::ml::evaluation::document::{
    Difference, Gate, Segment, WEIGHTED, metric_name, weighted as written,
};
use crate::ml::metrics::regression::{RegressionMetric, Values};
use crate::ml::metrics::{Bounded, Interval};

/// The format of the metrics of regressions.
pub const FORMAT: &str = "pipeline.regression_metrics/1";

/// A variant, or the mean, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The learner; the mean has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<String>,
    /// The metrics on validation by segment.
    pub validation: BTreeMap<String, Segment>,
    /// The metrics on test by segment, with `intervals` and `no_interval`.
    pub test: BTreeMap<String, Segment>,
}

/// What is reached without any model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    /// From which rows it was learned: `train` or `validation`.
    pub learned_on: String,
    /// The number for all rows: the mean of the target.
    pub value: f64,
    /// How good that is.
    pub mean: Variant,
    /// The feature of the rule; `None` where there is no rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// What a rule of that feature alone reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_feature: Option<Variant>,
    /// By variant: its R2 on test less that of the rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub above_one_feature: BTreeMap<String, Difference>,
}

/// The metrics of an evaluation of regressions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `FORMAT`.
    pub format: String,
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

impl Document {
    /// Every number as `variant.side.metric`, or `variant.side.segment.metric` where the segment
    /// is not all rows.
    pub fn flat(&self) -> BTreeMap<String, f64> {
        let mut flat = BTreeMap::new();
        for (name, variant) in &self.variants {
            for (side, segments) in variant.sides() {
                for (segment, values) in segments {
                    for metric in RegressionMetric::NAMES {
                        if let Some(value) = values.get(metric).and_then(Value::as_f64) {
                            flat.insert(metric_name(name, side, segment, metric), value);
                        }
                    }
                }
            }
        }
        flat
    }
}

impl Variant {
    /// The metrics by side.
    pub fn sides(&self) -> [(&'static str, &BTreeMap<String, Segment>); 2] {
        [(Side::Validation.name(), &self.validation), (Side::Test.name(), &self.test)]
    }

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
