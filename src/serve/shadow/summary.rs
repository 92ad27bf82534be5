//! What came of comparing two packages, as a document: at `/shadow`, in a directory, in
//! `pipeline diff`.
//!
//! `docs/FORMAT.md` describes it. Sums are whole numbers of billionths beside the means that follow
//! from them, so that the summaries of two processes add up to the one that a single process would
//! have written. Knows neither packages nor how rows are compared.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The format of a summary.
pub(crate) const FORMAT: &str = "pipeline.shadow/1";

/// How many parts a probability of 1 has in a sum.
pub(crate) const PARTS: f64 = 1e9;

/// The upper bounds of the bins of differences; each bin begins above the bound before it, and the
/// first one holds equal probabilities alone.
pub(crate) const BOUNDS: [f64; 9] = [0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// What came of the rows that both of two packages were asked for, or should have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// `FORMAT`.
    pub format: String,
    /// The version that answered.
    pub champion: String,
    /// The version that scored beside it.
    pub challenger: String,
    /// When the first of the two came to stand beside the other, as RFC 3339 has it.
    pub since: String,
    /// When the last row was judged; none before the first.
    pub until: Option<String>,
    /// How many rows there were.
    pub rows: Rows,
    /// Why rows were refused by the challenger, by field and type, most rows first.
    pub refusals: Vec<Refusal>,
    /// Rows whose class differs.
    pub changed: Changed,
    /// How far the probabilities of the positive class lie apart.
    pub difference: Difference,
}

/// How many rows there were, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Both scored them.
    pub compared: u64,
    /// The challenger did not see them, because too many others waited.
    pub dropped: u64,
    /// The challenger's schema does not let them in.
    pub refused: u64,
    /// The challenger gave no number.
    pub failed: u64,
}

/// Why rows were refused: what was wrong with a field of how many rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The field.
    pub field: String,
    /// The type of an entry of a 422.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many rows; one that is wrong in two fields counts in both.
    pub rows: u64,
}

/// How many rows the challenger puts into the other class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// The champion says positive, the challenger negative.
    pub to_negative: u64,
    /// The champion says negative, the challenger positive.
    pub to_positive: u64,
}

/// How far the probabilities of the compared rows lie apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The mean size; none of no rows.
    pub mean: Option<f64>,
    /// The largest size; none of no rows.
    pub max: Option<f64>,
    /// The mean of challenger less champion; none of no rows.
    pub shift: Option<f64>,
    /// All sizes added up, each rounded to billionths.
    pub sum_billionths: u64,
    /// Challenger less champion added up, each rounded to billionths.
    pub shift_billionths: i64,
    /// The sizes by `BOUNDS`.
    pub bins: Vec<Bin>,
}

/// How many rows differ by at most so much, and by more than the bound before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The upper bound.
    pub at_most: f64,
    /// The rows.
    pub rows: u64,
}

impl Difference {
    /// Of sums and bins.
    pub(crate) fn of(
        sum_billionths: u64,
        shift_billionths: i64,
        max: Option<f64>,
        bins: Vec<Bin>,
    ) -> Difference {
        let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
        let mean = |sum: f64| (rows > 0).then(|| sum / PARTS / rows as f64);
        Difference {
            mean: mean(sum_billionths as f64),
            max,
            shift: mean(shift_billionths as f64),
            sum_billionths,
            shift_billionths,
            bins,
        }
    }
}

impl Summary {
    /// Both together, as if one process had counted all rows.
    #[must_use]
    pub(crate) fn plus(&self, other: &Summary) -> Summary {
        let (a, b) = (&self.difference, &other.difference);
        let bins = a.bins.iter().zip(&b.bins);
        let bins = bins.map(|(a, b)| Bin { rows: a.rows + b.rows, ..*a });
        let max = a.max.into_iter().chain(b.max).reduce(f64::max);
        let mut refusals: BTreeMap<(String, String), u64> = BTreeMap::new();
        for Refusal { field, kind, rows } in self.refusals.iter().chain(&other.refusals) {
            *refusals.entry((field.clone(), kind.clone())).or_default() += rows;
        }
        Summary {
            // Times in UTC of one length, whose order is that of their texts.
            since: self.since.clone().min(other.since.clone()),
            until: self.until.clone().max(other.until.clone()),
            rows: Rows {
                compared: self.rows.compared + other.rows.compared,
                dropped: self.rows.dropped + other.rows.dropped,
                refused: self.rows.refused + other.rows.refused,
                failed: self.rows.failed + other.rows.failed,
            },
            refusals: by_rows(refusals.into_iter().map(|((field, kind), n)| (field, kind, n))),
            changed: Changed {
                to_negative: self.changed.to_negative + other.changed.to_negative,
                to_positive: self.changed.to_positive + other.changed.to_positive,
            },
            difference: Difference::of(
                a.sum_billionths + b.sum_billionths,
                a.shift_billionths + b.shift_billionths,
                max,
                bins.collect(),
            ),
            ..self.clone()
        }
    }

    /// The summary in a file; `None` where there is none, or something else.
    pub(crate) fn read(path: &Path) -> Option<Summary> {
        let summary: Summary = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let has_bins = summary.difference.bins.iter().map(|bin| bin.at_most).eq(BOUNDS);
        (summary.format == FORMAT && has_bins).then_some(summary)
    }

    /// The name of the file of two versions.
    pub(crate) fn file_name(champion: &str, challenger: &str) -> String {
        format!("{champion}-{challenger}.json")
    }
}

/// The summaries that services have written to a directory, by the names of their files; what is
/// none is passed over, and so is a directory that is not there.
///
/// # Errors
/// What reading the directory gives.
pub fn summaries(dir: &Path) -> io::Result<Vec<Summary>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if !is_hidden && path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.iter().filter_map(|path| Summary::read(path)).collect())
}

/// Reasons with their counts, most rows first, then by name.
pub(crate) fn by_rows(counts: impl Iterator<Item = (String, String, u64)>) -> Vec<Refusal> {
    let refusal = |(field, kind, rows)| Refusal { field, kind, rows };
    let mut refusals: Vec<Refusal> = counts.map(refusal).collect();
    refusals.sort_by(|a, b| {
        let names = |refusal: &Refusal| (refusal.field.clone(), refusal.kind.clone());
        b.rows.cmp(&a.rows).then_with(|| names(a).cmp(&names(b)))
    });
    refusals
}

/// A time as summaries have it.
pub(crate) fn told(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
