//! A challenger scores the rows that the champion answers, beside it and never in its way.
//!
//! A request hands each row that was answered to a bounded queue (`queue`) and goes on: what does
//! not fit is dropped and counted. One thread of low weight takes them (`comparing`), turns each
//! into a record for the challenger (`pair`), counts what both said (`tally`, per `pairs` of
//! versions) and keeps the rows that differ (`journal`). The challenger is followed as the package
//! that answers is (`follow`): loaded and proved before it is taken up, and one that cannot be is
//! told of while the one before goes on. Nothing here can change an answer, or make the service
//! unready. `report` and `summary` are what people and programs are told. Knows no routes, and
//! neither aliases nor where packages come from.

mod comparing;
mod journal;
mod pair;
mod pairs;
mod queue;
pub(crate) mod report;
pub(crate) mod summary;
mod tally;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ml::package::{Package, Prediction, Task};
use crate::serve::follow::{Failure, Follow, Found, Look, Place, Source};
use crate::serve::policy::Policy;
use crate::serve::validation::Row;

use comparing::{Comparing, Judge};
use journal::{Journal, Trouble};
use pair::{Challenger, Champion, Offer};
use pairs::Pairs;
use queue::Queue;

pub use journal::Kept;
pub use summary::{Summary, summaries};

/// Why a package of a number is not compared.
const NO_NUMBERS: &str = "it predicts a number, and packages are compared by their classes";

/// The word for the version in use where there is none.
pub const NONE: &str = "none";

/// How a challenger is compared.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What becomes of values that its training has not seen: as for the champion.
    pub policy: Policy,
    /// How many rows may wait.
    pub capacity: usize,
    /// Rows whose probabilities differ by more than this, or whose classes differ, are kept.
    pub threshold: f64,
    /// Where they are kept, if they are.
    pub kept: Option<Kept>,
}

/// A challenger beside whatever answers. Clones are the same one.
#[derive(Clone)]
pub struct Shadow(Arc<Inner>);

struct Inner {
    follow: Follow,
    place: Ring,
    queue: Queue<Offer>,
    trouble: Arc<Trouble>,
    threshold: f64,
}

/// Where challengers are taken up.
struct Ring {
    policy: Policy,
    pairs: Arc<Pairs>,
    done: AtomicU64,
    failed: AtomicU64,
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow").field("challenger", &self.0.place.version()).finish()
    }
}

impl Shadow {
    /// Begins to follow a challenger, which is told of if it cannot be taken up now.
    ///
    /// # Errors
    /// What opening the directory gives in which differences are kept, `ResourceBusy` if another
    /// service writes there; when the system gives no thread.
    pub fn start(source: impl Source + 'static, settings: Settings) -> io::Result<Shadow> {
        Shadow::judged(source, settings, Box::new(|offer| offer.pair.judge(offer)))
    }

    fn judged(
        source: impl Source + 'static,
        settings: Settings,
        judge: Judge,
    ) -> io::Result<Shadow> {
        let Settings { policy, capacity, threshold, kept } = settings;
        let (pairs, trouble) = (Arc::<Pairs>::default(), Arc::<Trouble>::default());
        let comparing = Comparing {
            judge,
            pairs: Arc::clone(&pairs),
            threshold,
            journal: kept.map(Journal::open).transpose()?,
            trouble: Arc::clone(&trouble),
            unsaved: None,
        };
        let queue = Queue::start("shadow", capacity, comparing)?;
        let (done, failed) = Default::default();
        let place = Ring { policy, pairs, done, failed };
        let inner = Inner { follow: Follow::new(source), place, queue, trouble, threshold };
        let shadow = Shadow(Arc::new(inner));
        shadow.look(Look::Asked);
        Ok(shadow)
    }

    /// The version that scores beside, or `NONE`.
    pub fn version(&self) -> String {
        self.0.place.version()
    }

    /// Waits until all rows that were handed over are compared and kept, but not for long; returns
    /// whether they are.
    pub fn flush(&self, patience: Duration) -> bool {
        self.0.queue.flush(patience)
    }

    /// Looks for another challenger, which may take as long as loading it does.
    pub(crate) fn look(&self, look: Look) {
        self.0.follow.look_for(&self.0.place, look);
    }

    /// A package is about to answer: the way by which its rows come here.
    /// None when it predicts a number.
    pub(crate) fn beside(&self, package: &Package) -> Option<Tap> {
        let champion = Arc::new(Champion::new(package)?);
        self.0.place.pairs.crown(Arc::clone(&champion));
        Some(Tap { shadow: self.clone(), champion })
    }

    /// Why the challenger that is wanted is not the one that scores, if it is not.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let failure = self.0.follow.failure()?;
        let reason = format!("the challenger cannot be taken up: {}", failure.reason);
        Some(Failure { reason, ..failure })
    }

    pub(crate) fn pairs(&self) -> &Pairs {
        &self.0.place.pairs
    }

    pub(crate) fn trouble(&self) -> &Trouble {
        &self.0.trouble
    }

    pub(crate) fn threshold(&self) -> f64 {
        self.0.threshold
    }

    /// How many rows wait, and how many may.
    pub(crate) fn load(&self) -> (usize, usize) {
        self.0.queue.load()
    }

    /// How many challengers were taken up, and how many should have been and could not.
    pub(crate) fn swaps(&self) -> (u64, u64) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.0.place.done), read(&self.0.place.failed))
    }
}

impl Place for Ring {
    fn version(&self) -> String {
        let challenger = self.pairs.challenger();
        challenger.map_or_else(|| NONE.to_owned(), |of| of.version().to_owned())
    }

    fn fits(&self, package: &Package) -> Result<(), String> {
        match package.task() {
            Task::Classes(_) => Ok(()),
            Task::Number => Err(NO_NUMBERS.to_owned()),
        }
    }

    fn take(&self, package: Package, _: PathBuf) -> Found {
        let (from, to) = (self.version(), package.version().to_owned());
        if from == to {
            return Found::Same;
        }
        let Some(challenger) = Challenger::new(package, self.policy) else { return Found::Same };
        self.pairs.challenge(challenger);
        self.done.fetch_add(1, Ordering::Relaxed);
        Found::Swapped { from, to }
    }

    fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The way by which the rows of one champion come to the challenger.
pub(crate) struct Tap {
    shadow: Shadow,
    champion: Arc<Champion>,
}

impl Tap {
    /// Hands over a row that was answered, or counts that there was no room for it. Costs a request
    /// a copy of the row and nothing that it could wait for.
    pub(crate) fn offer(&self, row: &Row, prediction: &Prediction<'_>, request_id: &str) {
        let Inner { place, queue, .. } = &*self.shadow.0;
        let Prediction::Class { class, probability } = *prediction else { return };
        let Some(pair) = place.pairs.of(&self.champion) else { return };
        let is_taken = queue.offer(|| {
            let mut cells = row.cells.clone();
            for (at, number) in &row.clipped {
                cells[*at] = crate::ml::cell::Cell::Number(*number);
            }
            Offer {
                pair: Arc::clone(&pair),
                cells,
                is_positive: *class == self.champion.classes[1],
                probability,
                request_id: request_id.to_owned(),
            }
        });
        if !is_taken {
            pair.tally.drop_one();
        }
    }
}
