//! The numbers of a pair of versions: counted by one thread, read by any, without a lock.
//!
//! Whole numbers and a maximum alone, which no order of the rows can change: a probability's
//! difference is rounded once to billionths before it is added up, 1e-9 of it being far below
//! anything that anybody would act on, and 64 bits hold the sum of 18 billion rows that differ by
//! all they can. The largest difference is exact: of numbers that are not negative, the order of
//! the bits is that of the numbers. How many were compared follows from the bins, so that a reader
//! never sees the two disagree. Only why rows were refused stands behind a lock, which no request
//! takes.

use std::array;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::summary::{self, BOUNDS, Bin, Changed, Difference, FORMAT, PARTS, Rows, Summary};

/// What a row was found to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Both scored it.
    Compared(Scores),
    /// The challenger's schema does not let it in: the fields, and the types of what is wrong.
    Refused(Vec<(String, &'static str)>),
    /// The challenger gave no number.
    Failed,
}

/// What two packages say of one row: first the champion, then the challenger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scores {
    /// Whether it is of the positive class.
    pub(crate) is_positive: [bool; 2],
    /// The probability of that class, between 0 and 1.
    pub(crate) probability: [f64; 2],
}

impl Scores {
    /// How far the probabilities lie apart.
    pub(crate) fn size(&self) -> f64 {
        (self.probability[1] - self.probability[0]).abs()
    }

    /// Whether the classes differ.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_positive[0] != self.is_positive[1]
    }
}

/// The numbers of a pair.
pub(crate) struct Tally {
    pub(crate) champion: String,
    pub(crate) challenger: String,
    since: SystemTime,
    /// When the last row was judged, in milliseconds since 1970; 0 before the first.
    until: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    bins: [AtomicU64; BOUNDS.len()],
    sum: AtomicU64,
    shift: AtomicI64,
    /// The bits of the largest difference.
    max: AtomicU64,
    to_negative: AtomicU64,
    to_positive: AtomicU64,
    reasons: Mutex<BTreeMap<(String, &'static str), u64>>,
}

impl Tally {
    /// Of a champion and a challenger that begin now.
    pub(crate) fn new(champion: &str, challenger: &str) -> Tally {
        Tally {
            champion: champion.to_owned(),
            challenger: challenger.to_owned(),
            since: SystemTime::now(),
            until: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            bins: array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
            shift: AtomicI64::new(0),
            max: AtomicU64::new(0),
            to_negative: AtomicU64::new(0),
            to_positive: AtomicU64::new(0),
            reasons: Mutex::default(),
        }
    }

    /// Counts a row that the challenger will not see.
    pub(crate) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what became of a row.
    pub(crate) fn count(&self, verdict: &Verdict, now: SystemTime) {
        match verdict {
            Verdict::Compared(scores) => self.compare(scores),
            Verdict::Refused(reasons) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let mut known = self.reasons();
                for reason in reasons {
                    *known.entry(reason.clone()).or_default() += 1;
                }
            }
            Verdict::Failed => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // No service lasts half a billion years.
        self.until.fetch_max(since_1970.as_millis() as u64, Ordering::Relaxed);
    }

    fn compare(&self, scores: &Scores) {
        let size = scores.size();
        let bin = BOUNDS.iter().position(|bound| size <= *bound).unwrap_or(BOUNDS.len() - 1);
        // Both are at most 1, so that no rounding leaves the range.
        self.sum.fetch_add((size * PARTS).round() as u64, Ordering::Relaxed);
        let shift = scores.probability[1] - scores.probability[0];
        self.shift.fetch_add((shift * PARTS).round() as i64, Ordering::Relaxed);
        self.max.fetch_max(size.to_bits(), Ordering::Relaxed);
        match scores.is_positive {
            [true, false] => drop(self.to_negative.fetch_add(1, Ordering::Relaxed)),
            [false, true] => drop(self.to_positive.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.bins[bin].fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, now.
    pub(crate) fn summary(&self) -> Summary {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let bin = |(rows, bound): (&AtomicU64, &f64)| Bin { at_most: *bound, rows: read(rows) };
        let bins: Vec<Bin> = self.bins.iter().zip(&BOUNDS).map(bin).collect();
        let compared = bins.iter().map(|bin| bin.rows).sum();
        let max = (compared > 0).then(|| f64::from_bits(read(&self.max)));
        let until = match read(&self.until) {
            0 => None,
            millis => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        };
        let reasons = self.reasons();
        let reasons = reasons.iter().map(|((field, kind), n)| (field.clone(), kind, n));
        Summary {
            format: FORMAT.to_owned(),
            champion: self.champion.clone(),
            challenger: self.challenger.clone(),
            since: summary::told(self.since),
            until: until.map(summary::told),
            rows: Rows {
                compared,
                dropped: read(&self.dropped),
                refused: read(&self.refused),
                failed: read(&self.failed),
            },
            refusals: summary::by_rows(reasons.map(|(field, kind, n)| (field, (*kind).into(), *n))),
            changed: Changed {
                to_negative: read(&self.to_negative),
                to_positive: read(&self.to_positive),
            },
            difference: Difference::of(
                read(&self.sum),
                self.shift.load(Ordering::Relaxed),
                max,
                bins,
            ),
        }
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<(String, &'static str), u64>> {
        // Every state of it is a valid one.
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compared(a: f64, b: f64) -> Verdict {
        let is_positive = [a >= 0.5, b >= 0.5];
        Verdict::Compared(Scores { is_positive, probability: [a, b] })
    }

    /// What is told of verdicts, without its times.
    fn told(verdicts: &[Verdict]) -> Summary {
        let tally = Tally::new("a", "b");
        verdicts.iter().for_each(|verdict| tally.count(verdict, SystemTime::UNIX_EPOCH));
        Summary { since: String::new(), ..tally.summary() }
    }

    #[test]
    fn every_number_is_that_of_the_rows() {
        let refused = Verdict::Refused(vec![("x".into(), "missing"), ("y".into(), "int_type")]);
        let told = told(&[
            compared(0.5, 0.5),
            compared(0.4, 0.6),
            compared(0.75, 0.25),
            compared(0.25, 0.375),
            refused.clone(),
            refused,
            Verdict::Refused(vec![("y".into(), "int_type")]),
            Verdict::Failed,
        ]);
        assert_eq!(told.rows, Rows { compared: 4, dropped: 0, refused: 3, failed: 1 });
        assert_eq!(told.changed, Changed { to_negative: 1, to_positive: 1 });
        let reasons = told.refusals.iter().map(|of| (&*of.field, &*of.kind, of.rows));
        assert_eq!(reasons.collect::<Vec<_>>(), [("y", "int_type", 3), ("x", "missing", 2)]);
        let difference = &told.difference;
        assert_eq!((difference.max, difference.sum_billionths), (Some(0.5), 825_000_000));
        assert_eq!((difference.mean, difference.shift), (Some(0.206_25), Some(-0.043_75)));
        let bins: Vec<_> = difference.bins.iter().map(|bin| bin.rows).collect();
        assert_eq!(bins, [1, 0, 0, 0, 0, 0, 2, 1, 0]);
    }

    #[test]
    fn of_no_rows_there_is_no_mean() {
        let told = told(&[]);
        let Difference { mean, max, shift, .. } = told.difference;
        assert_eq!((mean, max, shift, told.until), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn neither_order_nor_process_nor_thread_changes_anything(
            rows in prop::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 0..60), at in 0..60_usize,
        ) {
            let verdicts: Vec<_> = rows.iter().map(|(a, b)| compared(*a, *b)).collect();
            let expected = told(&verdicts);
            let reversed: Vec<_> = verdicts.iter().rev().cloned().collect();
            prop_assert_eq!(&told(&reversed), &expected);
            let (first, second) = verdicts.split_at(at.min(verdicts.len()));
            prop_assert_eq!(&told(first).plus(&told(second)), &expected);
            let tally = Tally::new("a", "b");
            std::thread::scope(|scope| {
                for part in [first, second] {
                    let tally = &tally;
                    scope.spawn(move || {
                        part.iter().for_each(|row| tally.count(row, SystemTime::UNIX_EPOCH));
                    });
                }
            });
            prop_assert_eq!(&Summary { since: String::new(), ..tally.summary() }, &expected);
        }
    }
}
