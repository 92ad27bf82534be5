//! What is counted of the package that answers, and what becomes of it when another takes over.
//!
//! Whoever reads the numbers adds them up over time, so none may ever go back: a version that
//! answers again goes on counting where it stopped, and the fields of an earlier package stay. A
//! request counts in what it began with, which costs it no lock. How many versions are told apart
//! is bounded, and so is the number of fields: the versions that answered longest ago are counted
//! together, and so are fields beyond the bound. How the numbers are written is in `exposition`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use warp::http::StatusCode;

use crate::ml::package::{Package, Prediction};
use crate::serve::errors::{Loc, Problem};
use crate::serve::metrics::{OTHER, counters, place};
use crate::serve::scores::{Said, Scores};
use crate::serve::tally::Tally;

/// How many versions are told apart: a scrape must not grow with the age of the service.
const MAX_VERSIONS: usize = 16;

/// How many fields are told apart, over all packages that ever answered.
const MAX_FIELDS: usize = 4096;

/// The types of wrong fields that are told apart.
const TYPES: [&str; 17] = [
    "missing",
    "extra_forbidden",
    "greater_than_equal",
    "less_than_equal",
    "literal_error",
    "int_type",
    "float_type",
    "bool_type",
    "string_type",
    "int_from_float",
    "int_parsing_size",
    "date_parsing",
    "duplicate_key",
    "model_attributes_type",
    "too_long",
    "value_error",
    OTHER,
];

/// How often a field was wrong, by type.
type Wrong = Vec<AtomicU64>;

/// The numbers of all packages that ever answered, the one that answers among them.
#[derive(Default)]
pub(crate) struct Counters {
    tally: Arc<Tally>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The one that was taken up last stands at the end.
    versions: Vec<Arc<Predictions>>,
    /// The predictions of versions that are no longer told apart.
    others: u64,
    /// Their probabilities.
    other_scores: Scores,
    fields: BTreeMap<String, Arc<Wrong>>,
}

/// What a version has predicted.
struct Predictions {
    version: String,
    /// The classes, as labels; of numbers there are none.
    labels: Vec<String>,
    /// One per class, or one of all numbers.
    counts: Vec<AtomicU64>,
    /// Of probabilities: a number is in no bin.
    scores: Scores,
}

/// Where one package counts. A request holds it as long as the package.
pub(crate) struct Counts {
    pub(crate) tally: Arc<Tally>,
    predictions: Arc<Predictions>,
    /// The classes in the order of their counts.
    classes: Vec<Value>,
    fields: BTreeMap<String, Arc<Wrong>>,
    other: Arc<Wrong>,
}

impl Counters {
    /// Where a package counts that is about to answer: where it stopped, if it has answered before.
    pub(crate) fn of(&self, package: &Package) -> Counts {
        let mut kept = self.lock();
        let predictions = kept.predictions(package);
        let names = package.schema().fields.iter().map(|field| field.name.clone());
        let fields = names.map(|name| (name.clone(), kept.field(name))).collect();
        Counts {
            tally: Arc::clone(&self.tally),
            predictions,
            classes: classes(package).to_vec(),
            fields,
            other: kept.field(OTHER.to_owned()),
        }
    }

    /// How often the policies let something through.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How often each version predicted each class, or any number, as `(version, class, count)`.
    pub(crate) fn predictions(&self) -> Vec<(String, Option<String>, u64)> {
        let kept = self.lock();
        let mut all = Vec::new();
        for of in &kept.versions {
            for (place, count) in of.counts.iter().enumerate() {
                let label = of.labels.get(place).cloned();
                all.push((of.version.clone(), label, count.load(Ordering::Relaxed)));
            }
        }
        if kept.others > 0 {
            all.push((OTHER.to_owned(), Some(OTHER.to_owned()), kept.others));
        }
        all
    }

    /// Which probabilities each version said, as `(version, said)`.
    pub(crate) fn scores(&self) -> Vec<(String, Said)> {
        let kept = self.lock();
        let mut all: Vec<_> = kept
            .versions
            .iter()
            .filter(|of| !of.labels.is_empty())
            .map(|of| (of.version.clone(), of.scores.said()))
            .collect();
        if kept.others > 0 {
            all.push((OTHER.to_owned(), kept.other_scores.said()));
        }
        all
    }

    /// How often each field was wrong in each way, as `(field, type, count)`.
    pub(crate) fn errors(&self) -> Vec<(String, &'static str, u64)> {
        let kept = self.lock();
        let mut all = Vec::new();
        for (field, wrong) in &kept.fields {
            let counts =
                TYPES.iter().zip(wrong.iter()).map(|(ty, n)| (*ty, n.load(Ordering::Relaxed)));
            all.extend(counts.filter(|(_, n)| *n > 0).map(|(ty, n)| (field.clone(), ty, n)));
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every state of it is a valid one.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The counter of a version, which becomes the newest one.
    fn predictions(&mut self, package: &Package) -> Arc<Predictions> {
        let version = package.version();
        let known = self.versions.iter().position(|known| known.version == version);
        let predictions = match known {
            Some(known) => self.versions.remove(known),
            None => {
                let labels: Vec<String> = classes(package).iter().map(label).collect();
                let counts = counters(labels.len().max(1));
                let (version, scores) = (version.to_owned(), Scores::default());
                Arc::new(Predictions { version, labels, counts, scores })
            }
        };
        self.versions.push(Arc::clone(&predictions));
        let mut excess = self.versions.len().saturating_sub(MAX_VERSIONS);
        let (others, other_scores) = (&mut self.others, &self.other_scores);
        self.versions.retain_mut(|of| {
            // A request may still count in what it began with; such a one waits for the next swap.
            let Some(of) = Arc::get_mut(of).filter(|_| excess > 0) else { return true };
            excess -= 1;
            other_scores.absorb(&of.scores);
            *others += of.counts.iter_mut().map(|count| *count.get_mut()).sum::<u64>();
            false
        });
        predictions
    }

    /// The counter of a field; that of all others once there are too many.
    fn field(&mut self, name: String) -> Arc<Wrong> {
        let is_told = self.fields.len() < MAX_FIELDS || self.fields.contains_key(&name);
        let name = if is_told { name } else { OTHER.to_owned() };
        let new = || Arc::new(counters(TYPES.len()));
        Arc::clone(self.fields.entry(name).or_insert_with(new))
    }
}

/// The classes that a package tells apart; none where it predicts a number.
fn classes(package: &Package) -> &[Value] {
    package.task().decision().map_or(&[], |decision| &decision.classes)
}

/// A class as a label.
fn label(class: &Value) -> String {
    match class {
        Value::String(class) => class.clone(),
        class => class.to_string(),
    }
}

impl Counts {
    /// Counts a prediction.
    pub(crate) fn predicted(&self, prediction: &Prediction<'_>) {
        let place = match prediction {
            Prediction::Class { class, probability } => {
                self.predictions.scores.add(*probability);
                self.classes.iter().position(|of| of == *class)
            }
            Prediction::Number(_) => None,
        };
        self.predictions.counts[place.unwrap_or_default()].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what is wrong with the fields of a request.
    pub(crate) fn refused(&self, problem: &Problem) {
        if problem.status != StatusCode::UNPROCESSABLE_ENTITY {
            return;
        }
        for entry in &problem.entries {
            let wrong = match entry.loc.last() {
                Some(Loc::Name(name)) => self.fields.get(&**name).unwrap_or(&self.other),
                _ => &self.other,
            };
            wrong[place(&TYPES, &entry.kind)].fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::package::tests::{small_package, small_package_of};

    /// Counts predictions of the negative class.
    fn count(counts: &Counts, n: usize) {
        let class = Value::from("neither");
        let prediction = Prediction::Class { class: &class, probability: 0.0 };
        (0..n).for_each(|_| counts.predicted(&prediction));
    }

    fn of(counters: &Counters, version: &str) -> u64 {
        let all = counters.predictions();
        all.iter().filter(|(of, ..)| of == version).map(|(.., count)| count).sum()
    }

    #[test]
    fn a_version_that_answers_again_goes_on_where_it_stopped() {
        let (a, b) = (small_package_of(0.5), small_package_of(0.25));
        let [a, b] = [a, b].map(|dir| Package::load(dir.path()).unwrap());
        let counters = Counters::default();
        for (package, n) in [(&a, 3), (&b, 2), (&a, 4)] {
            count(&counters.of(package), n);
        }
        assert_eq!((of(&counters, a.version()), of(&counters, b.version())), (7, 2));
    }

    #[test]
    fn versions_beyond_the_bound_are_counted_together_and_none_is_lost() {
        let counters = Counters::default();
        let dirs: Vec<_> = (1..=20).map(|i| small_package_of(f64::from(i) / 64.0)).collect();
        let packages: Vec<_> = dirs.iter().map(|dir| Package::load(dir.path()).unwrap()).collect();
        // A request that still answers with the first one when all others have come.
        let slow = counters.of(&packages[0]);
        packages.iter().for_each(|package| count(&counters.of(package), 1));
        count(&slow, 10);
        let all = counters.predictions();
        assert_eq!(all.iter().map(|(.., count)| count).sum::<u64>(), 30);
        assert_eq!((of(&counters, packages[0].version()), of(&counters, OTHER)), (11, 4));
        assert_eq!(all.len(), 2 * MAX_VERSIONS + 1);
        let scores = counters.scores();
        let said = |version: &str| {
            let of = scores.iter().find(|(of, _)| of == version);
            of.and_then(|(_, said)| said.below.last()).map(|(_, n)| *n)
        };
        assert_eq!((said(packages[0].version()), said(OTHER)), (Some(11), Some(4)));
    }

    #[test]
    fn fields_beyond_the_bound_are_counted_as_other() {
        let mut kept = Kept::default();
        let other = kept.field(OTHER.to_owned());
        let first = kept.field("0".to_owned());
        (1..MAX_FIELDS + 10).for_each(|i| drop(kept.field(i.to_string())));
        assert_eq!(kept.fields.len(), MAX_FIELDS);
        assert!(Arc::ptr_eq(&kept.field("one more".to_owned()), &other));
        assert!(Arc::ptr_eq(&kept.field("0".to_owned()), &first));
    }

    #[test]
    fn only_what_is_wrong_with_fields_is_counted() {
        let dir = small_package();
        let counters = Counters::default();
        let counts = counters.of(&Package::load(dir.path()).unwrap());
        counts.refused(&Problem::internal());
        assert_eq!(counters.errors(), []);
    }
}
