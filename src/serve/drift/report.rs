//! How far what a package is asked has moved from the rows that it was tested on: `/drift`.
//!
//! A feature, or the score, has drifted when its population stability index is at least 0.1, the
//! lower of the customary bounds (Lewis 1994), and as much of it would come by chance less than
//! once in a thousand times: the first says that it matters, the second that it is so. Both hang on
//! the number of rows: where nothing has moved the index is (bins - 1) (1/n + 1/m) in the mean,
//! half of the bound for ten bins and 200 values beside 1800, and with few values in a bin the
//! p-value is none. With fewer than 20 values per bin on either side, or than 200, `enough` is
//! false, and nothing is called drift. The numbers are `ml::drift`'s own, of the same counts.

use serde::Serialize;
use serde_json::{Value, json};

use crate::ml::drift::Psi;
use crate::ml::package::distribution::{Bins, Feature};
use crate::serve::drift::{Counted, Drift, unseen};

/// How many values per bin it takes on either side before anything is called drift.
const VALUES_PER_BIN: u64 = 20;

/// So many bins are reckoned with where there are fewer.
const LEAST_BINS: u64 = 10;

/// The index from which on it may be.
const LEAST_PSI: f64 = 0.1;

/// The probability by chance below which it may be.
const MOST_P_VALUE: f64 = 0.001;

/// What is answered where the package has nothing to compare with.
const NO_DISTRIBUTION: &str = "this package does not say how its rows were distributed: it was \
     made by an earlier program, and packaging its model again adds that";

/// What is told of all features and the score.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `ok`, `drift`, or `unknown` with too few rows.
    status: &'static str,
    model_version: String,
    /// The beginning of what is counted.
    since: String,
    window_hours: f64,
    rows: u64,
    reference_rows: u64,
    /// The features that have drifted.
    drifted: Vec<String>,
    pub(crate) features: Vec<OfFeature>,
    pub(crate) score: Moved,
}

/// What is told of a feature.
#[derive(Debug, Serialize)]
pub(crate) struct OfFeature {
    pub(crate) feature: String,
    #[serde(flatten)]
    pub(crate) moved: Moved,
    /// The share of rows without a value.
    missing: Option<f64>,
    reference_missing: f64,
    /// How many values are in no bin of the package.
    unseen: u64,
    /// How many numbers were beyond the range of the data, and let through by the policy.
    pub(crate) out_of_range: u64,
}

/// How far counts have moved.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Moved {
    pub(crate) is_drifted: bool,
    /// Whether there are enough values for that to be told.
    pub(crate) enough: bool,
    /// How many values that takes.
    enough_at: u64,
    n: u64,
    pub(crate) psi: Option<f64>,
    psi_p_value: Option<f64>,
    bins: Vec<Bin>,
}

/// The shares of a bin: of the package's rows, and of those that were asked.
#[derive(Debug, Serialize)]
struct Bin {
    #[serde(flatten)]
    what: Value,
    reference: f64,
    share: Option<f64>,
}

/// The body of `/drift`.
pub(crate) fn body(drift: Option<&Drift>, version: &str) -> Vec<u8> {
    let written = match drift {
        Some(drift) => serde_json::to_vec(&Report::of(drift, version)),
        None => serde_json::to_vec(&json!({
            "status": "unknown", "model_version": version, "reason": NO_DISTRIBUTION,
        })),
    };
    written.unwrap_or_default()
}

impl Report {
    /// What is to be told now.
    pub(crate) fn of(drift: &Drift, version: &str) -> Report {
        let (seen, distribution) = (drift.seen(), drift.distribution());
        let (rows, reference_rows) = (seen.rows(), distribution.rows);
        let of_feature = |(i, feature): (usize, &Feature)| {
            let Counted { missing, out_of_range, bins } = seen.feature(i);
            OfFeature {
                feature: feature.name.clone(),
                moved: feature.bins.as_ref().map(|known| moved(known, bins)).unwrap_or_default(),
                missing: share(missing, rows),
                reference_missing: share(feature.missing, reference_rows).unwrap_or_default(),
                unseen: feature.bins.as_ref().map_or(0, |known| unseen(known, bins)),
                out_of_range,
            }
        };
        let features: Vec<_> = distribution.features.iter().enumerate().map(of_feature).collect();
        let score = moved(&distribution.score, seen.score());
        let drifted = features.iter().filter(|feature| feature.moved.is_drifted);
        let drifted: Vec<_> = drifted.map(|feature| feature.feature.clone()).collect();
        Report {
            status: match (score.enough, drifted.is_empty() && !score.is_drifted) {
                (false, _) => "unknown",
                (true, true) => "ok",
                (true, false) => "drift",
            },
            model_version: version.to_owned(),
            since: humantime::format_rfc3339_seconds(seen.since).to_string(),
            window_hours: drift.window().as_secs_f64() / 3600.0,
            rows,
            reference_rows,
            drifted,
            features,
            score,
        }
    }

    /// How many rows were counted.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

/// A share of a whole; none of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn moved(known: &Bins, counts: &[u64]) -> Moved {
    let found = Psi::of(known.counts(), counts);
    let (n, m) = (counts.iter().sum(), known.counts().iter().sum());
    let used = known.counts().iter().filter(|count| **count > 0).count() as u64;
    let enough_at = VALUES_PER_BIN * used.max(LEAST_BINS);
    let enough = n >= enough_at && m >= enough_at;
    let is_far = |found: Psi| found.psi >= LEAST_PSI && found.p_value < MOST_P_VALUE;
    let bin = |(i, (count, reference)): (usize, (&u64, &u64))| Bin {
        what: named(known, i),
        reference: share(*reference, m).unwrap_or_default(),
        share: share(*count, n),
    };
    Moved {
        is_drifted: enough && found.is_some_and(is_far),
        enough,
        enough_at,
        n,
        psi: found.map(|found| found.psi),
        psi_p_value: found.map(|found| found.p_value),
        bins: counts.iter().zip(known.counts()).enumerate().map(bin).collect(),
    }
}

/// What a bin holds: numbers `from` on, and `below`; a `value`; or the `others`.
fn named(known: &Bins, i: usize) -> Value {
    match known {
        Bins::Numbers { cuts, .. } => {
            let from = i.checked_sub(1).and_then(|before| cuts.get(before));
            json!({ "from": from, "below": cuts.get(i) })
        }
        Bins::Values { values, .. } => match values.get(i) {
            Some(value) => json!({ "value": value }),
            None => json!({ "others": true }),
        },
    }
}
