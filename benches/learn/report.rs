//! What was measured of the tools, as a table.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What one process measured of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Processor seconds of fitting, of all threads.
    pub(crate) fit_cpu: f64,
    /// Seconds of fitting on the clock.
    pub(crate) fit_wall: f64,
    /// Processor seconds of predicting 100,000 rows.
    pub(crate) predict_cpu: f64,
    /// The area under the ROC curve on those rows.
    pub(crate) auc: f64,
    /// By how many MiB fitting raised the most memory that the process had.
    pub(crate) fit_mib: f64,
}

/// What was measured of one tool.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) tool: String,
    pub(crate) rounds: Vec<Round>,
}

impl Sample {
    fn median(&self, of: fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A row per tool; ratios are of medians, against the first.
pub(crate) fn table(learner: &str, n_rows: usize, samples: &[Sample]) -> String {
    let mut text = format!(
        "\n{learner}, {n_rows} rows\n{:<14} {:>9} {:>7} {:>9} {:>9} {:>7} {:>9} {:>8}\n",
        "tool", "fit CPU s", "ratio", "fit wall", "pred CPU", "ratio", "ROC AUC", "fit MiB"
    );
    let Some(base) = samples.first() else { return text };
    for sample in samples {
        let of = |of: fn(&Round) -> f64| (sample.median(of), sample.median(of) / base.median(of));
        let (fit, fit_ratio) = of(|round| round.fit_cpu);
        let (predict, predict_ratio) = of(|round| round.predict_cpu);
        let _ = writeln!(
            text,
            "{:<14} {fit:>9.3} {fit_ratio:>6.2}x {:>9.3} {predict:>9.4} {predict_ratio:>6.2}x {:>9.5} {:>8.1}",
            sample.tool,
            sample.median(|round| round.fit_wall),
            sample.median(|round| round.auc),
            sample.median(|round| round.fit_mib),
        );
    }
    text
}
