//! `curves.json`: what plots of an evaluation need.
//!
//! Per model and side the ROC curve, precision and recall, calibration, gains and lift, each as
//! lists of equal length under the names of what they hold; `null` where a side lacks the rows for
//! it. How points are chosen stands in `metrics::curves`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Evaluated, Rows, Side};
use crate::ml::metrics::Curve;
use crate::ml::metrics::curves::{Calibration, Gains, PrecisionRecall, Roc};
use crate::ml::target::Classes;

/// The format of `curves.json`.
pub const FORMAT: &str = "pipeline.curves/1";

/// The curves of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// `FORMAT`.
    pub format: &'static str,
    /// The column that is predicted.
    pub target: String,
    /// The negative and the positive class.
    pub classes: Classes,
    /// The name of the variant that was chosen.
    pub champion: String,
    /// The variants by name.
    pub variants: BTreeMap<String, Sides>,
    /// The baselines by name.
    pub baselines: BTreeMap<String, Sides>,
    /// The reference, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Sides>,
}

/// The curves of a model on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sides {
    /// On validation.
    pub validation: Curves,
    /// On test.
    pub test: Curves,
}

/// The curves of a model on all rows of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// How many rows.
    pub n: u64,
    /// How many of them are positive.
    pub positives: u64,
    /// True against false positive rate.
    pub roc: Option<Roc>,
    /// Precision against recall.
    pub precision_recall: Option<PrecisionRecall>,
    /// What is observed against what is predicted.
    pub calibration: Option<Calibration>,
    /// What contacting the highest scores first finds.
    pub gains: Option<Gains>,
}

impl Sides {
    /// The curves of a model.
    pub fn of(sides: &[Rows<'_>; 2], model: &Evaluated) -> Sides {
        let [validation, test] = Side::ALL.map(|side| {
            let scores = &model.predicted(side).scores;
            let curve = Curve::new(sides[side as usize].labels(), scores);
            Curves {
                n: curve.n(),
                positives: curve.n_positive(),
                roc: curve.roc(),
                precision_recall: curve.precision_recall(),
                calibration: curve.calibration(),
                gains: curve.gains(),
            }
        });
        Sides { validation, test }
    }
}
