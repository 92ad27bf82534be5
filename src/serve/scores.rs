//! How often a model said which probability, for a histogram that only grows.
//!
//! `drift` has finer bins, the package's own, and forgets: it compares. What is here is for whoever
//! adds up over time and over services, so the bins are the same for all models. A prediction adds
//! to two atomic numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many bins there are, all of the same width.
const BINS: usize = 20;

/// The sum is kept in millionths, as a whole number: the order of additions has no say in it.
const UNIT: f64 = 1e6;

/// How often probabilities were said.
#[derive(Default)]
pub(crate) struct Scores {
    counts: [AtomicU64; BINS],
    sum: AtomicU64,
}

/// What was said so far.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    /// Per bin its upper bound, which belongs to it, and how many were at most that.
    pub(crate) below: Vec<(f64, u64)>,
    /// The sum of all, to a millionth each.
    pub(crate) sum: f64,
}

impl Scores {
    /// Counts a probability.
    pub(crate) fn add(&self, probability: f64) {
        let bin = (0..BINS).find(|bin| probability <= bound(*bin)).unwrap_or(BINS - 1);
        self.counts[bin].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((probability * UNIT).round() as u64, Ordering::Relaxed);
    }

    /// Counts what others have counted.
    pub(crate) fn absorb(&self, other: &Scores) {
        for (ours, theirs) in self.counts.iter().zip(&other.counts) {
            ours.fetch_add(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.sum.fetch_add(other.sum.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// What was said so far.
    pub(crate) fn said(&self) -> Said {
        let mut n = 0;
        let bin = |(bin, count): (usize, &AtomicU64)| {
            n += count.load(Ordering::Relaxed);
            (bound(bin), n)
        };
        let below = self.counts.iter().enumerate().map(bin).collect();
        Said { below, sum: self.sum.load(Ordering::Relaxed) as f64 / UNIT }
    }
}

/// The upper bound of a bin.
fn bound(bin: usize) -> f64 {
    (bin + 1) as f64 / BINS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_in_the_bin_whose_bound_it_reaches() {
        let scores = Scores::default();
        [0.0, 0.05, 0.050_000_1, 0.5, 1.0].into_iter().for_each(|p| scores.add(p));
        let said = scores.said();
        let below: Vec<u64> = said.below.iter().map(|(_, n)| *n).collect();
        assert_eq!((below[0], below[1], below[8], below[9], below[19]), (2, 3, 3, 4, 5));
        assert_eq!(said.below[9].0, 0.5);
        assert!((said.sum - 1.6).abs() < 1e-5, "{}", said.sum);
        let more = Scores::default();
        more.add(0.5);
        more.absorb(&scores);
        assert_eq!(more.said().below[19], (1.0, 6));
    }
}
