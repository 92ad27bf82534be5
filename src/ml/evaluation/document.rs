//! `metrics.json`: an evaluation as it is written.
//!
//! One shape for every variant, side and segment, flat within a segment, so that a reader needs no
//! schema to find `variants.forest.test.overall.roc_auc`. A metric without a value is `null`, and
//! `undefined` says why. What documents of earlier versions lack is optional here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::certainty::Intervals;
use super::{Evaluated, Report};
use crate::ml::metrics::{Confusion, Defined, Interval, Metric, Scores, ThresholdRule};
use crate::ml::per_segment::PerSegment;
use crate::ml::target::Classes;

/// The format of `metrics.json`.
pub const FORMAT: &str = "pipeline.metrics/1";

/// What stands in the place of a segment in the names of metrics by the weights of all rows.
pub const WEIGHTED: &str = "weighted";

/// An evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `FORMAT`.
    pub format: String,
    /// The column that is predicted.
    pub target: String,
    /// The negative and the positive class.
    pub classes: Classes,
    /// The name of the variant that was chosen.
    pub champion: String,
    /// The metric by which it was chosen, on validation.
    pub champion_metric: String,
    /// How thresholds were chosen, on validation.
    pub threshold_rule: String,
    /// How often an interval is to hold the truth; none were made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// How many times rows were drawn anew for the intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resamples: Option<u64>,
    /// The variants by name.
    pub variants: BTreeMap<String, Variant>,
    /// The reference, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Variant>,
    /// What is reached without any model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Baselines>,
    /// Every pair of variants on the test rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// The quality gates, in the order in which they were declared.
    pub gates: Vec<Gate>,
}

/// Metrics by name, and `n`, `positives`, `confusion` and `undefined`; on test also `intervals`
/// and `no_interval`; with a rule that speaks of money also `profit`; where rows have weights, also
/// `weighted`: the metrics by them.
pub type Segment = Map<String, Value>;

/// A variant, or the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The learner; the reference has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<String>,
    /// From which score on the positive class is predicted.
    pub threshold: f64,
    /// Where another threshold decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<PerSegment>,
    /// The metrics on validation by segment.
    pub validation: BTreeMap<String, Segment>,
    /// The metrics on test by segment.
    pub test: BTreeMap<String, Segment>,
}

/// What is reached without any model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    /// From which rows they were learned: `train` or `validation`.
    pub learned_on: String,
    /// The one score for all rows: how many are positive. Predicts the class of the majority.
    pub majority: Variant,
    /// The feature of the rule.
    pub feature: String,
    /// The scores of a rule of one feature.
    pub one_feature: Variant,
    /// By variant: its area under the ROC curve on test less that of the rule.
    pub above_one_feature: BTreeMap<String, AucTest>,
}

/// Two variants on the same rows: `b` less `a`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The one that is compared with.
    pub a: String,
    /// The one that is compared.
    pub b: String,
    /// How they rank.
    pub roc_auc: AucTest,
    /// How they decide.
    pub mcnemar: DecisionTest,
    /// Every metric.
    pub differences: BTreeMap<String, Difference>,
}

/// DeLong's test of two areas under the ROC curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AucTest {
    /// The difference of the areas; this and all below is `None` when it is undefined.
    pub difference: Option<f64>,
    /// Where the difference lies.
    pub interval: Option<[f64; 2]>,
    /// The difference in standard errors.
    pub z: Option<f64>,
    /// How often chance alone gives such a difference.
    pub p: Option<f64>,
    /// The same for all pairs that are compared here, by Holm's correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// McNemar's test of decisions at the threshold of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionTest {
    /// Rows that only `a` decides rightly.
    pub only_a: u64,
    /// Rows that only `b` decides rightly.
    pub only_b: u64,
    /// `exact` for fewer than 25 disagreements, else `chi_squared` with continuity correction.
    pub test: String,
    /// The statistic; the exact test has none.
    pub chi_squared: Option<f64>,
    /// How often chance alone gives such a difference.
    pub p: f64,
    /// The same for all pairs that are compared here, by Holm's correction.
    pub p_holm: f64,
}

/// The difference of a metric on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The difference; `None` when either has no value.
    pub value: Option<f64>,
    /// Where it lies, by resamples of the rows; `None` when they cannot tell.
    pub interval: Option<[f64; 2]>,
}

/// A quality gate with what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The variant that was looked at.
    pub variant: String,
    /// The side: `validation` or `test`.
    pub on: String,
    /// The segment.
    pub segment: String,
    /// The metric.
    pub metric: String,
    /// Its value; `None` when it is undefined, and then the gate does not hold.
    pub value: Option<f64>,
    /// The least allowed.
    pub min: Option<f64>,
    /// The most allowed.
    pub max: Option<f64>,
    /// Whether the value is within the bounds; always, when it is not judged.
    pub holds: bool,
    /// `false` when the segment has fewer rows than are judged; else it is left out.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub judged: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(judged: &bool) -> bool {
    *judged
}

impl Variant {
    /// A variant to be written, with its intervals on test by segment, and with what its decisions
    /// gain if the rule of its threshold tells.
    pub fn of(
        evaluated: &Evaluated,
        learner: Option<&str>,
        intervals: &BTreeMap<String, Intervals>,
        rule: ThresholdRule,
    ) -> Variant {
        Variant {
            learner: learner.map(str::to_owned),
            threshold: evaluated.threshold,
            thresholds: evaluated.per_segment.clone(),
            validation: report(&evaluated.validation, &BTreeMap::new(), rule),
            test: report(&evaluated.test, intervals, rule),
        }
    }

    /// The metrics by side.
    pub fn sides(&self) -> [(&'static str, &BTreeMap<String, Segment>); 2] {
        [("validation", &self.validation), ("test", &self.test)]
    }
}

impl Document {
    /// Every number as `variant.side.metric`, or `variant.side.segment.metric` where the segment
    /// is not all rows.
    pub fn flat(&self) -> BTreeMap<String, f64> {
        let mut flat = BTreeMap::new();
        for (name, variant) in &self.variants {
            flat.insert(format!("{name}.threshold"), variant.threshold);
            for (segment, threshold) in variant.thresholds.iter().flat_map(PerSegment::named) {
                flat.insert(format!("{name}.threshold.{segment}"), threshold);
            }
            for (side, segments) in variant.sides() {
                for (segment, values) in segments {
                    for metric in Metric::NAMES {
                        let Some(value) = values.get(metric).and_then(Value::as_f64) else {
                            continue;
                        };
                        flat.insert(metric_name(name, side, segment, metric), value);
                    }
                }
                let weighted = segments.get(super::OVERALL).and_then(|of| of.get(WEIGHTED));
                for (metric, value) in weighted.and_then(Value::as_object).into_iter().flatten() {
                    let name = metric_name(name, side, WEIGHTED, metric);
                    flat.extend(value.as_f64().map(|value| (name, value)));
                }
            }
        }
        flat
    }
}

/// The name of a metric: `variant.side.metric`, or `variant.side.segment.metric`.
pub fn metric_name(variant: &str, side: &str, segment: &str, metric: &str) -> String {
    if segment == super::OVERALL {
        format!("{variant}.{side}.{metric}")
    } else {
        format!("{variant}.{side}.{segment}.{metric}")
    }
}

fn report(
    report: &Report,
    intervals: &BTreeMap<String, Intervals>,
    rule: ThresholdRule,
) -> BTreeMap<String, Segment> {
    let of = |(name, scores): (&String, &Scores)| {
        let mut segment = segment(scores);
        if let Some(profit) = rule.profit(&scores.confusion) {
            segment.insert("profit".to_owned(), json!(profit));
        }
        if let Some(intervals) = intervals.get(name) {
            add_intervals(&mut segment, scores, intervals);
        }
        (name.clone(), segment)
    };
    report.iter().map(of).collect()
}

/// Adds where the metrics lie, and why nothing is told of those that have a value all the same.
fn add_intervals(segment: &mut Segment, scores: &Scores, intervals: &Intervals) {
    let (mut known, mut unknown) = (Map::new(), Map::new());
    for (metric, interval) in intervals {
        match interval {
            _ if scores.values[metric].is_err() => {}
            Ok(Interval { low, high }) => {
                known.insert(metric.name().to_owned(), json!([low, high]));
            }
            Err(why) => {
                unknown.insert(metric.name().to_owned(), json!(why));
            }
        }
    }
    for (key, values) in [("intervals", known), ("no_interval", unknown)] {
        if !values.is_empty() {
            segment.insert(key.to_owned(), Value::Object(values));
        }
    }
}

fn segment(scores: &Scores) -> Segment {
    let mut segment = Map::new();
    let mut undefined = Map::new();
    for (metric, value) in &scores.values {
        if let Err(why) = value {
            undefined.insert(metric.name().to_owned(), json!(why));
        }
        segment.insert(metric.name().to_owned(), json!(value.ok()));
    }
    let Confusion { tn, fp, fn_, tp } = scores.confusion;
    segment.insert("n".to_owned(), json!(scores.n));
    segment.insert("positives".to_owned(), json!(scores.n_positive));
    segment.insert("confusion".to_owned(), json!({"tn": tn, "fp": fp, "fn": fn_, "tp": tp}));
    if !undefined.is_empty() {
        segment.insert("undefined".to_owned(), Value::Object(undefined));
    }
    if let Some(values) = &scores.weighted {
        let named = values.iter().map(|(metric, value)| (metric.name(), *value));
        segment.insert(WEIGHTED.to_owned(), weighted(named));
    }
    segment
}

/// Metrics by the weights of rows, as they are written: `null` where there is no value.
pub(super) fn weighted<'a>(values: impl Iterator<Item = (&'a str, Defined)>) -> Value {
    let values = values.map(|(name, value)| (name.to_owned(), json!(value.ok())));
    Value::Object(values.collect())
}
