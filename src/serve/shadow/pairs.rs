//! Which two versions stand beside each other, and what is kept of those that did.
//!
//! Either of the two may be exchanged at any time. A row belongs to the package that answered it
//! and to the challenger of that moment: both are found by one pointer, which is compared and, but
//! for rows that were under way while the champion changed, right. Numbers are kept per pair of
//! versions, so that a pair which comes back goes on where it stopped; of pairs that are gone the
//! numbers of the last few stay, and no package.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use super::pair::{Challenger, Champion, Pair};
use super::tally::Tally;

/// How many pairs are told of: neither an answer nor a scrape must grow with the service's age.
pub(crate) const MAX_PAIRS: usize = 8;

/// The pair of now, and the numbers of the last few.
#[derive(Default)]
pub(crate) struct Pairs {
    current: ArcSwapOption<Pair>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    champion: Option<Arc<Champion>>,
    challenger: Option<Arc<Challenger>>,
    /// The one that was formed last stands at the end.
    tallies: Vec<Arc<Tally>>,
}

impl Pairs {
    /// From now on another package answers.
    pub(crate) fn crown(&self, champion: Arc<Champion>) {
        let mut kept = self.lock();
        kept.champion = Some(champion);
        self.form(&mut kept);
    }

    /// From now on another package scores beside.
    pub(crate) fn challenge(&self, challenger: Challenger) {
        let mut kept = self.lock();
        kept.challenger = Some(Arc::new(challenger));
        self.form(&mut kept);
    }

    /// The package that scores beside.
    pub(crate) fn challenger(&self) -> Option<Arc<Challenger>> {
        self.lock().challenger.clone()
    }

    /// The pair of now, if there are two.
    pub(crate) fn current(&self) -> Option<Arc<Pair>> {
        self.current.load_full()
    }

    /// The pair to which a row belongs that a package has answered.
    pub(crate) fn of(&self, champion: &Arc<Champion>) -> Option<Arc<Pair>> {
        let current = self.current.load();
        let current = current.as_ref()?;
        if Arc::ptr_eq(&current.champion, champion) {
            return Some(Arc::clone(current));
        }
        // Begun before the swap that has just been.
        let mut kept = self.lock();
        let challenger = kept.challenger.clone()?;
        let tally = kept.tally(&champion.version, challenger.version());
        Some(Arc::new(Pair::new(Arc::clone(champion), challenger, tally)))
    }

    /// The numbers of all pairs that are told of, the one that was formed last at first.
    pub(crate) fn tallies(&self) -> Vec<Arc<Tally>> {
        self.lock().tallies.iter().rev().cloned().collect()
    }

    fn form(&self, kept: &mut Kept) {
        let (Some(champion), Some(challenger)) = (kept.champion.clone(), kept.challenger.clone())
        else {
            return;
        };
        let tally = kept.tally(&champion.version, challenger.version());
        // It becomes the newest, also where it comes back.
        kept.tallies.retain(|known| !Arc::ptr_eq(known, &tally));
        kept.tallies.push(Arc::clone(&tally));
        let excess = kept.tallies.len().saturating_sub(MAX_PAIRS);
        kept.tallies.drain(..excess);
        self.current.store(Some(Arc::new(Pair::new(champion, challenger, tally))));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every state of it is a valid one.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The numbers of two versions: those of before, if they have met before. A pair that only rows
    /// under way have is not the newest for it.
    fn tally(&mut self, champion: &str, challenger: &str) -> Arc<Tally> {
        let is_it =
            |known: &&Arc<Tally>| known.champion == champion && known.challenger == challenger;
        if let Some(known) = self.tallies.iter().find(is_it) {
            return Arc::clone(known);
        }
        let tally = Arc::new(Tally::new(champion, challenger));
        self.tallies.insert(0, Arc::clone(&tally));
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::package::Package;
    use crate::ml::package::tests::small_package_of;
    use crate::serve::policy::Policy;

    fn package(intercept: f64) -> Package {
        Package::load(small_package_of(intercept).path()).unwrap()
    }

    fn champion(intercept: f64) -> Arc<Champion> {
        Arc::new(Champion::new(&package(intercept)).unwrap())
    }

    fn challenger(intercept: f64) -> Challenger {
        Challenger::new(package(intercept), Policy::default()).unwrap()
    }

    #[test]
    fn a_pair_that_comes_back_goes_on_where_it_stopped() {
        let pairs = Pairs::default();
        let [a, b] = [0.5, 0.25].map(champion);
        pairs.crown(Arc::clone(&a));
        assert!(pairs.of(&a).is_none(), "nobody stands beside it");
        pairs.challenge(challenger(1.0));
        pairs.of(&a).unwrap().tally.drop_one();
        pairs.crown(Arc::clone(&b));
        // A row under way belongs to the one that answered it.
        pairs.of(&a).unwrap().tally.drop_one();
        let told: Vec<_> = pairs.tallies().iter().map(|of| of.summary()).collect();
        let dropped = told.iter().map(|of| (of.champion.clone(), of.rows.dropped));
        let expected = [(b.version.clone(), 0), (a.version.clone(), 2)];
        assert_eq!(dropped.collect::<Vec<_>>(), expected);
        pairs.crown(champion(0.5));
        assert_eq!(pairs.tallies()[0].summary().rows.dropped, 2);
    }

    #[test]
    fn the_last_few_pairs_are_told_of_and_the_newest_is_among_them() {
        let pairs = Pairs::default();
        pairs.crown(champion(0.5));
        for i in 1..=12 {
            pairs.challenge(challenger(f64::from(i) / 16.0));
        }
        let told = pairs.tallies();
        assert_eq!(told.len(), MAX_PAIRS);
        let current = pairs.current().unwrap();
        assert!(Arc::ptr_eq(&told[0], &current.tally));
        assert_eq!(current.challenger.version(), package(0.75).version());
    }
}
