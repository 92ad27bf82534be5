//! `metrics.json`: an evaluation as it is written.
//!
//! One shape for every variant, side and segment, flat within a segment, so that a reader needs no
//! schema to find `variants.forest.test.overall.roc_auc`. A metric without a value is `null`, and
//! `undefined` says why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Evaluated, Report};
use crate::ml::metrics::{Confusion, Metric, Scores};
use crate::ml::target::Classes;

/// The format of `metrics.json`.
pub const FORMAT: &str = "pipeline.metrics/1";

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
    /// The variants by name.
    pub variants: BTreeMap<String, Variant>,
    /// The reference, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Variant>,
    /// The quality gates, in the order in which they were declared.
    pub gates: Vec<Gate>,
}

/// Metrics by name, and `n`, `positives`, `confusion` and `undefined`.
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
    /// The metrics on validation by segment.
    pub validation: BTreeMap<String, Segment>,
    /// The metrics on test by segment.
    pub test: BTreeMap<String, Segment>,
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
    /// Whether the value is within the bounds.
    pub holds: bool,
}

impl Variant {
    /// A variant to be written.
    pub fn of(evaluated: &Evaluated, learner: Option<&str>) -> Variant {
        Variant {
            learner: learner.map(str::to_owned),
            threshold: evaluated.threshold,
            validation: report(&evaluated.validation),
            test: report(&evaluated.test),
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
            for (side, segments) in variant.sides() {
                for (segment, values) in segments {
                    for metric in Metric::NAMES {
                        let Some(value) = values.get(metric).and_then(Value::as_f64) else {
                            continue;
                        };
                        flat.insert(metric_name(name, side, segment, metric), value);
                    }
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

fn report(report: &Report) -> BTreeMap<String, Segment> {
    report.iter().map(|(name, scores)| (name.clone(), segment(scores))).collect()
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
    segment
}
