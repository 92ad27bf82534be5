//! What the thread of a shadow does: judges rows one by one, counts, and keeps what differs.
//!
//! A challenger that panics has failed on that row and is asked the next one. Knows neither the
//! queue that the rows come by nor who reads the numbers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::journal::{Journal, Trouble};
use super::pair::Offer;
use super::pairs::Pairs;
use super::queue::Work;
use super::summary::{self, Summary};
use super::tally::{Scores, Verdict};

/// The format of a row that differs.
pub(crate) const ROW_FORMAT: &str = "pipeline.shadow_row/1";

/// How often summaries are written while rows come.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Judges what is offered.
pub(crate) type Judge = Box<dyn Fn(&Offer) -> Verdict + Send>;

/// Compares what is offered.
pub(crate) struct Comparing {
    pub(crate) judge: Judge,
    pub(crate) pairs: Arc<Pairs>,
    /// From which difference of the probabilities on a row is kept, whatever its class.
    pub(crate) threshold: f64,
    pub(crate) journal: Option<Journal>,
    pub(crate) trouble: Arc<Trouble>,
    /// When the first row came that is in no summary yet.
    pub(crate) unsaved: Option<Instant>,
}

impl Comparing {
    /// Keeps a row if its scores differ enough.
    fn keep(&mut self, offer: &Offer, scores: &Scores, now: SystemTime) {
        let Some(journal) = &mut self.journal else { return };
        if !scores.is_changed() && scores.size() <= self.threshold {
            return;
        }
        let side = |side: usize, version: &str| {
            let prediction = offer.pair.class(side, scores.is_positive[side]);
            json!({
                "model_version": version, "prediction": prediction,
                "probability": scores.probability[side],
            })
        };
        let mut row = json!({
            "format": ROW_FORMAT,
            "time": summary::told(now),
            "request_id": offer.request_id,
            "champion": side(0, &offer.pair.champion.version),
            "challenger": side(1, offer.pair.challenger.version()),
        });
        if journal.wants_inputs() {
            row["input"] = offer.pair.record(&offer.cells);
        }
        journal.tell(&row, &self.trouble);
    }

    fn save_if_due(&mut self) -> Option<Duration> {
        let left = SAVE_EVERY.checked_sub(self.unsaved?.elapsed());
        if left.is_none() {
            self.save();
        }
        left
    }
}

impl Work<Offer> for Comparing {
    fn take(&mut self, offer: Offer) {
        let judge = || (self.judge)(&offer);
        let verdict = catch_unwind(AssertUnwindSafe(judge)).unwrap_or(Verdict::Failed);
        let now = SystemTime::now();
        offer.pair.tally.count(&verdict, now);
        if let Verdict::Compared(scores) = &verdict {
            self.keep(&offer, scores, now);
        }
        if self.journal.is_some() {
            self.unsaved.get_or_insert_with(Instant::now);
            self.save_if_due();
        }
    }

    fn rest(&mut self) -> Option<Duration> {
        self.save_if_due()
    }

    fn save(&mut self) {
        self.unsaved = None;
        if let Some(journal) = &mut self.journal {
            let summaries: Vec<Summary> =
                self.pairs.tallies().iter().map(|tally| tally.summary()).collect();
            journal.save(&summaries, &self.trouble);
        }
    }
}
