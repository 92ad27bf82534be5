//! How sure the figures on test are: an interval for every metric of every model and segment.
//!
//! The area under the ROC curve by DeLong, all others from resamples of the rows of the segment.
//! What is told is how much the choice of test rows matters, and no more: neither another split nor
//! another seed of training is in it.

use std::collections::BTreeMap;

use super::{Evaluated, OVERALL, Predicted, Rows, Side};
use crate::ml::metrics::bootstrap::{Replicates, Scored, replicate};
use crate::ml::metrics::delong::Placements;
use crate::ml::metrics::{Bounded, Metric};

/// Why a segment has no intervals.
pub const SMALL: &str = "the segment has fewer rows than `min_rows`";

/// How sure one wants to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// How often an interval is to hold the truth, in (0, 1).
    pub level: f64,
    /// How many times rows are drawn anew.
    pub resamples: usize,
    /// The fewest rows of a segment that has intervals.
    pub min_rows: usize,
}

/// Where each metric of a segment lies.
pub type Intervals = BTreeMap<Metric, Bounded>;

/// What is known of how sure the figures on test are.
pub struct Certainty {
    /// Per model, in the order given, the intervals by segment.
    pub intervals: Vec<BTreeMap<String, Intervals>>,
    /// The resamples of all rows, with the models in the order given.
    pub overall: Result<Replicates, &'static str>,
}

/// Looks at models on the rows of test. `seed_of` yields the random bits of a label: one per
/// segment, so that a segment that comes or goes changes no other.
pub fn measure(
    rows: &Rows<'_>,
    models: &[&Evaluated],
    how: &Confidence,
    seed_of: &dyn Fn(&str) -> [u8; 32],
) -> Certainty {
    let mut intervals = vec![BTreeMap::new(); models.len()];
    let mut overall = Err(SMALL);
    for (segment, of_segment) in &rows.groups {
        let is_overall = segment == OVERALL;
        if !is_overall && of_segment.len() < how.min_rows {
            let none = Metric::ALL.map(|metric| (metric, Err(SMALL)));
            for known in &mut intervals {
                known.insert(segment.clone(), Intervals::from(none));
            }
            continue;
        }
        let labels = rows.labels_of(of_segment);
        let predicted: Vec<Predicted> =
            models.iter().map(|model| model.predicted(Side::Test).of_rows(of_segment)).collect();
        let scored: Vec<Scored<'_>> = predicted.iter().map(Predicted::scored).collect();
        let seed = seed_of(&format!("bootstrap {segment}"));
        let replicates = replicate(&labels, &scored, how.resamples, &seed);
        for (model, known) in intervals.iter_mut().enumerate() {
            let interval = |metric: Metric| match (metric, &replicates) {
                (Metric::RocAuc, _) => {
                    Placements::new(&labels, scored[model].scores).interval(how.level)
                }
                (_, Ok(replicates)) => replicates.interval(model, metric, how.level),
                (_, Err(why)) => Err(*why),
            };
            let of_metrics = Metric::ALL.map(|metric| (metric, interval(metric)));
            known.insert(segment.clone(), Intervals::from(of_metrics));
        }
        if is_overall {
            overall = replicates;
        }
    }
    Certainty { intervals, overall }
}
