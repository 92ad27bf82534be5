//! What a package has been asked, in counts: how often each feature and the score fell into each
//! bin of the package's own distribution.
//!
//! A row adds to a few atomic numbers and takes no lock. The counts are kept in parts of a window,
//! each of which is forgotten as a whole when its time comes round again, so that what is told is
//! of now and not of all time. The rows of a list are counted apart and added together, because
//! numbers that all threads write cost more than a prediction. No value is kept, and a refused
//! record is not counted: its fields are in `counts`. `report` makes sense of the numbers. Knows
//! neither requests nor clocks beyond the time since it began.

pub(crate) mod report;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::ml::cell::Cell;
use crate::ml::package::distribution::{Bins, Distribution, Feature};
use crate::ml::package::input::{InputField, InputSchema};
use crate::serve::metrics::counters;
use crate::serve::validation::Row;

/// In how many parts the window is forgotten.
const PARTS: u64 = 24;

/// What is counted of a feature before its bins: missing, and out of range.
const BEFORE_BINS: usize = 2;

/// The counts of one package.
pub(crate) struct Drift {
    distribution: Distribution,
    window: Duration,
    /// Where the counts of each feature begin; those of the score begin with the last.
    starts: Vec<usize>,
    /// For each feature the bin of each category that its field lists.
    listed: Vec<Vec<usize>>,
    /// One more than the window has, because the newest part has only begun.
    parts: Vec<Part>,
    turn: Mutex<()>,
    began: Instant,
    began_at: SystemTime,
}

/// The counts of a part of the window.
struct Part {
    /// Which part since the beginning it is, from 1; 0 before it is used.
    number: AtomicU64,
    /// The rows, then per feature missing, out of range and the bins, then the bins of the score.
    counts: Vec<AtomicU64>,
}

/// Counts of rows that are yet to be added to all others.
pub(crate) struct Apart<'d> {
    drift: &'d Drift,
    counts: RefCell<Vec<u64>>,
}

/// What was counted of one feature.
pub(crate) struct Counted<'a> {
    pub(crate) missing: u64,
    pub(crate) out_of_range: u64,
    pub(crate) bins: &'a [u64],
}

/// All that was counted within the window.
pub(crate) struct Seen<'d> {
    drift: &'d Drift,
    counts: Vec<u64>,
    /// The beginning of the oldest part that is counted.
    pub(crate) since: SystemTime,
}

impl Drift {
    /// The counts of a package that has been asked nothing yet.
    pub(crate) fn new(
        distribution: &Distribution,
        schema: &InputSchema,
        window: Duration,
    ) -> Drift {
        let mut starts = vec![1];
        for feature in &distribution.features {
            let bins = feature.bins.as_ref().map_or(0, |bins| bins.counts().len());
            starts.push(starts[starts.len() - 1] + BEFORE_BINS + bins);
        }
        let n = starts[starts.len() - 1] + distribution.score.counts().len();
        let bins_of = |(feature, field): (&Feature, &InputField)| {
            let listed = field.categories.iter().flatten();
            let cells = listed.map(|text| Cell::Text(text.into()));
            cells.map_while(|cell| feature.bins.as_ref()?.place(&cell)).collect()
        };
        let listed = distribution.features.iter().zip(&schema.fields).map(bins_of).collect();
        let part = || Part { number: AtomicU64::new(0), counts: counters(n) };
        Drift {
            distribution: distribution.clone(),
            window,
            starts,
            listed,
            parts: std::iter::repeat_with(part).take(PARTS as usize + 1).collect(),
            turn: Mutex::new(()),
            began: Instant::now(),
            began_at: SystemTime::now(),
        }
    }

    /// With what the counts are compared.
    pub(crate) fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// How much of the past is told.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Counts a row that was predicted, with the score of its prediction.
    pub(crate) fn count(&self, row: &Row, score: f64) {
        self.count_at(self.began.elapsed(), row, score);
    }

    fn count_at(&self, at: Duration, row: &Row, score: f64) {
        let counts = &self.part(self.number(at)).counts;
        self.places(row, score, |place| {
            counts[place].fetch_add(1, Ordering::Relaxed);
        });
    }

    /// A place to count rows in that are added to the others together.
    pub(crate) fn apart(&self) -> Apart<'_> {
        Apart { drift: self, counts: RefCell::new(vec![0; self.parts[0].counts.len()]) }
    }

    /// Hands on every count to which a row adds.
    fn places(&self, row: &Row, score: f64, mut add: impl FnMut(usize)) {
        add(0);
        let features = self.distribution.features.iter().zip(&self.starts).zip(&self.listed);
        for (i, (((feature, start), listed), cell)) in features.zip(&row.cells).enumerate() {
            let known = row.places.get(i).copied().flatten();
            let known = known.and_then(|place| listed.get(place as usize).copied());
            let bin = || feature.bins.as_ref()?.place(cell);
            if *cell == Cell::Missing {
                add(*start);
            } else if let Some(bin) = known.or_else(bin) {
                add(start + BEFORE_BINS + bin);
            }
        }
        for field in &row.out_of_range {
            add(self.starts[*field] + 1);
        }
        if let Some(place) = self.distribution.score.place(&Cell::Number(score)) {
            add(self.starts[self.starts.len() - 1] + place);
        }
    }

    /// Which part a time belongs to, from 1.
    fn number(&self, at: Duration) -> u64 {
        // A window is at most a month of nanoseconds, and no service runs for five hundred years.
        1 + at.as_nanos() as u64 / self.length()
    }

    /// How many nanoseconds a part takes.
    fn length(&self) -> u64 {
        (self.window.as_nanos() as u64 / PARTS).max(1)
    }

    /// The part with a number, emptied of what was counted in its place a window ago.
    fn part(&self, number: u64) -> &Part {
        let part = &self.parts[(number % (PARTS + 1)) as usize];
        if part.number.load(Ordering::Acquire) < number {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            if part.number.load(Ordering::Acquire) < number {
                part.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
                part.number.store(number, Ordering::Release);
            }
        }
        part
    }

    /// What was counted within the window.
    pub(crate) fn seen(&self) -> Seen<'_> {
        self.seen_at(self.began.elapsed())
    }

    fn seen_at(&self, at: Duration) -> Seen<'_> {
        let oldest = self.number(at).saturating_sub(PARTS).max(1);
        let mut counts = vec![0; self.parts[0].counts.len()];
        let is_kept = |part: &&Part| part.number.load(Ordering::Acquire) >= oldest;
        for part in self.parts.iter().filter(is_kept) {
            for (sum, count) in counts.iter_mut().zip(&part.counts) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        let before = Duration::from_nanos((oldest - 1).saturating_mul(self.length()));
        Seen { drift: self, counts, since: self.began_at + before }
    }
}

impl Apart<'_> {
    /// Counts a row that was predicted.
    pub(crate) fn count(&self, row: &Row, probability: f64) {
        let mut counts = self.counts.borrow_mut();
        self.drift.places(row, probability, |place| counts[place] += 1);
    }
}

impl Drop for Apart<'_> {
    fn drop(&mut self) {
        let drift = self.drift;
        let part = drift.part(drift.number(drift.began.elapsed()));
        for (all, more) in part.counts.iter().zip(self.counts.get_mut()) {
            if *more > 0 {
                all.fetch_add(*more, Ordering::Relaxed);
            }
        }
    }
}

impl Seen<'_> {
    /// How many rows were predicted.
    pub(crate) fn rows(&self) -> u64 {
        self.counts[0]
    }

    /// What was counted of a feature, by its place.
    pub(crate) fn feature(&self, i: usize) -> Counted<'_> {
        let counts = &self.counts[self.drift.starts[i]..self.drift.starts[i + 1]];
        Counted { missing: counts[0], out_of_range: counts[1], bins: &counts[BEFORE_BINS..] }
    }

    /// How many scores fell into each bin.
    pub(crate) fn score(&self) -> &[u64] {
        &self.counts[self.drift.starts[self.drift.starts.len() - 1]..]
    }
}

/// How many values are in no bin of their own.
pub(crate) fn unseen(bins: &Bins, counts: &[u64]) -> u64 {
    match bins {
        Bins::Values { .. } => counts.last().copied().unwrap_or_default(),
        Bins::Numbers { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::package::Package;
    use crate::ml::package::tests::small_package;

    const HOUR: Duration = Duration::from_secs(3600);

    fn drift() -> Drift {
        let package = Package::load(small_package().path()).unwrap();
        Drift::new(package.distribution().unwrap(), package.schema(), 24 * HOUR)
    }

    fn row(age: f64) -> Row {
        let plan = Cell::Text("gold".into());
        let cells = vec![Cell::Number(age), Cell::Missing, Cell::Number(1.0), plan];
        Row { cells, ..Row::default() }
    }

    #[test]
    fn a_row_is_counted_once_per_feature_and_once_for_its_score() {
        let drift = drift();
        // The reference rows are of age 1, 24 and 72.
        for age in [1.0, 30.0, 72.0, 71.0] {
            drift.count(&row(age), 0.5);
        }
        drift.count(&Row { out_of_range: vec![0], ..row(500.0) }, 0.5);
        let seen = drift.seen();
        let (age, charge, plan) = (seen.feature(0), seen.feature(1), seen.feature(3));
        assert_eq!((seen.rows(), age.bins, age.out_of_range), (5, &[1, 2, 2][..], 1));
        assert_eq!((charge.missing, charge.bins.iter().sum::<u64>()), (5, 0));
        assert_eq!(plan.bins, [0, 5, 0, 0]);
        assert_eq!(seen.score().iter().sum::<u64>(), 5);
    }

    #[test]
    fn rows_that_are_counted_apart_add_up_to_the_same() {
        let (one_by_one, together) = (drift(), drift());
        let rows = [
            row(1.0),
            Row { places: vec![None, None, None, Some(1)], ..row(24.0) },
            Row { out_of_range: vec![0], ..row(500.0) },
        ];
        rows.iter().for_each(|row| one_by_one.count(row, 0.5));
        let apart = together.apart();
        rows.iter().for_each(|row| apart.count(row, 0.5));
        assert_eq!(together.seen().rows(), 0);
        drop(apart);
        assert_eq!(together.seen().counts, one_by_one.seen().counts);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let drift = drift();
        for hour in 0..100 {
            drift.count_at(hour * HOUR, &row(24.0), 0.5);
        }
        // The hour that has only begun, and the 24 before it.
        assert_eq!(drift.seen_at(99 * HOUR).rows(), 25);
        let late = drift.seen_at(110 * HOUR);
        assert_eq!((late.rows(), late.since), (14, drift.began_at + 86 * HOUR));
        assert_eq!(drift.seen_at(1000 * HOUR).rows(), 0);
        assert_eq!(drift.seen_at(HOUR).since, drift.began_at);
    }

    #[test]
    fn a_row_that_comes_late_empties_no_newer_part() {
        let drift = drift();
        drift.count_at(25 * HOUR, &row(24.0), 0.5);
        drift.count_at(Duration::ZERO, &row(24.0), 0.5);
        assert_eq!(drift.seen_at(25 * HOUR).rows(), 2);
    }

    #[test]
    fn no_count_is_lost_among_threads() {
        let drift = drift();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5000).for_each(|_| drift.count(&row(24.0), 0.5)));
            }
        });
        let seen = drift.seen();
        assert_eq!((seen.rows(), seen.feature(0).bins), (20_000, &[0, 20_000, 0][..]));
    }
}
