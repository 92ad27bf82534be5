//! Two packages side by side: how a row of the one becomes a record for the other, and what the
//! other makes of it.
//!
//! A row was let in by the champion's schema, which need not be the challenger's. So it is written
//! as the record that a client would send, with the fields that both know, and read by the
//! challenger's own rules: what these refuse is refused as its service would refuse it, word for
//! word, and nothing is forced. A field of the champion alone is left out, since a challenger that
//! needs less is no worse for it; one of the challenger alone is missing. What can never be right
//! is known when the two meet (`misfit`). Knows neither queues nor counters.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::tally::{Scores, Tally, Verdict};
use crate::ml::cell::Cell;
use crate::ml::package::input::InputField;
use crate::ml::package::{Package, Prediction, kind_of};
use crate::serve::errors::{Entry, Loc, Problem};
use crate::serve::policy::Policy;
use crate::serve::validation::{Rows, Validator};

/// What must be known of the package that answers.
pub(crate) struct Champion {
    pub(crate) version: String,
    /// The negative and the positive class.
    pub(crate) classes: [Value; 2],
    target: String,
    fields: Vec<InputField>,
}

impl Champion {
    /// Of a package of classes that answers.
    pub(crate) fn new(package: &Package) -> Option<Champion> {
        Some(Champion {
            version: package.version().to_owned(),
            classes: package.task().decision()?.classes.clone(),
            target: package.manifest().target.clone(),
            fields: package.schema().fields.clone(),
        })
    }
}

/// The package that scores beside it.
pub(crate) struct Challenger {
    pub(crate) package: Package,
    /// Since when it does.
    pub(crate) since: SystemTime,
    /// The negative and the positive class.
    classes: [Value; 2],
    validator: Validator,
}

impl Challenger {
    /// Of a package of classes that was loaded, and so proved; the policy is that of the service.
    pub(crate) fn new(package: Package, policy: Policy) -> Option<Challenger> {
        let (validator, since) = (Validator::new(package.schema(), policy), SystemTime::now());
        let classes = package.task().decision()?.classes.clone();
        Some(Challenger { package, since, classes, validator })
    }

    /// The model version.
    pub(crate) fn version(&self) -> &str {
        self.package.version()
    }
}

/// A row that the champion has answered.
pub(crate) struct Offer {
    pub(crate) pair: Arc<Pair>,
    /// One cell per field of the champion, as they came.
    pub(crate) cells: Vec<Cell>,
    pub(crate) is_positive: bool,
    pub(crate) probability: f64,
    pub(crate) request_id: String,
}

/// A champion and a challenger, and where their numbers go.
pub(crate) struct Pair {
    pub(crate) champion: Arc<Champion>,
    pub(crate) challenger: Arc<Challenger>,
    pub(crate) tally: Arc<Tally>,
    /// The place of each field of the challenger among the champion's.
    places: Vec<Option<usize>>,
}

impl Pair {
    pub(crate) fn new(
        champion: Arc<Champion>,
        challenger: Arc<Challenger>,
        tally: Arc<Tally>,
    ) -> Pair {
        let place =
            |field: &InputField| champion.fields.iter().position(|known| known.name == field.name);
        let places = challenger.validator.fields().iter().map(place).collect();
        Pair { places, champion, challenger, tally }
    }

    /// What makes the two no fair comparison, whatever the rows are.
    pub(crate) fn misfit(&self) -> Option<String> {
        let (package, champion) = (&self.challenger.package, &self.champion);
        let manifest = package.manifest();
        let mut told = Vec::new();
        if manifest.target != champion.target {
            told.push(format!("it predicts '{}' and not '{}'", manifest.target, champion.target));
        } else if self.challenger.classes != champion.classes {
            told.push("it has other classes, of which the second is taken for positive".to_owned());
        }
        for (field, place) in self.challenger.validator.fields().iter().zip(&self.places) {
            let name = &field.name;
            let known = place.map(|place| champion.fields[place].ty);
            if known.is_none() {
                told.push(format!("it needs field '{name}', which the champion does not take"));
            } else if known.is_some_and(|ty| kind_of(ty) != kind_of(field.ty)) {
                told.push(format!("field '{name}' is of another type for it"));
            }
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// The record that a row was, as far as the challenger knows its fields.
    pub(crate) fn record(&self, cells: &[Cell]) -> Value {
        let fields = &self.champion.fields;
        let value = |place: usize| Some((&fields[place], cells.get(place)?));
        let known = self.places.iter().flatten().filter_map(|place| value(*place));
        let record = known.map(|(field, cell)| (field.name.clone(), field.json(cell)));
        Value::Object(record.collect::<Map<_, _>>())
    }

    /// What the challenger makes of a row.
    pub(crate) fn judge(&self, offer: &Offer) -> Verdict {
        let Challenger { package, classes, validator, .. } = &*self.challenger;
        let row = match validator.read(self.record(&offer.cells).to_string().as_bytes()) {
            Ok(Rows::One(row)) => row,
            // What was written is one record.
            Ok(Rows::Many(_)) => return Verdict::Failed,
            Err(problem) => return Verdict::Refused(reasons(&problem)),
        };
        let Prediction::Class { class, probability } = package.predict(&row.cells) else {
            return Verdict::Failed;
        };
        if !probability.is_finite() {
            return Verdict::Failed;
        }
        let is_positive = *class == classes[1];
        Verdict::Compared(Scores {
            is_positive: [offer.is_positive, is_positive],
            probability: [offer.probability, probability],
        })
    }

    /// The class of a side, the champion's at 0, as its package names it.
    pub(crate) fn class(&self, side: usize, is_positive: bool) -> &Value {
        let classes = [&self.champion.classes, &self.challenger.classes][side];
        &classes[usize::from(is_positive)]
    }
}

/// The fields that are wrong, each with the type of what is wrong with it.
fn reasons(problem: &Problem) -> Vec<(String, &'static str)> {
    let reason = |entry: &Entry| match entry.loc.last() {
        Some(Loc::Name(field)) => (field.clone(), entry.kind),
        _ => (String::new(), entry.kind),
    };
    problem.entries.iter().map(reason).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ml::package::tests::small_package;
    use crate::ml::schema::FieldType;

    fn pair(change: impl Fn(&mut Champion)) -> Pair {
        let load = || Package::load(small_package().path()).unwrap();
        let mut champion = Champion::new(&load()).unwrap();
        change(&mut champion);
        let challenger = Challenger::new(load(), Policy::default()).unwrap();
        Pair::new(Arc::new(champion), Arc::new(challenger), Arc::new(Tally::new("a", "b")))
    }

    fn offer(cells: Vec<Cell>) -> Offer {
        let (is_positive, probability, request_id) = (false, 0.5, String::new());
        Offer { pair: Arc::new(pair(|_| ())), cells, is_positive, probability, request_id }
    }

    #[test]
    fn what_can_never_be_a_fair_comparison_is_known_when_the_two_meet() {
        assert_eq!(pair(|_| ()).misfit(), None);
        // A champion that takes more is none of its business.
        let more = pair(|champion| {
            let other = InputField { name: "other".to_owned(), ..champion.fields[0].clone() };
            champion.fields.insert(0, other);
        });
        assert_eq!(more.misfit(), None);
        let less = pair(|champion| drop(champion.fields.remove(0)));
        let told = "it needs field 'age', which the champion does not take";
        assert_eq!(less.misfit().as_deref(), Some(told));
        let other = pair(|champion| {
            champion.classes = [json!(0), json!(1)];
            champion.fields[2].ty = FieldType::Number;
        });
        let told = "it has other classes, of which the second is taken for positive; field \
                    'member' is of another type for it";
        assert_eq!(other.misfit().as_deref(), Some(told));
        let target = pair(|champion| champion.target = "bought".to_owned());
        assert_eq!(target.misfit().as_deref(), Some("it predicts 'left' and not 'bought'"));
    }

    #[test]
    fn a_field_of_another_type_or_of_the_challenger_alone_refuses_the_row() {
        let text = |text: &str| Cell::Text(text.into());
        let row = || vec![Cell::Number(24.0), Cell::Missing, Cell::Number(1.0), text("gold")];
        assert!(matches!(pair(|_| ()).judge(&offer(row())), Verdict::Compared(_)));
        let number = pair(|champion| champion.fields[2].ty = FieldType::Number);
        let reasons = vec![("member".to_owned(), "bool_type")];
        assert_eq!(number.judge(&offer(row())), Verdict::Refused(reasons));
        let less = pair(|champion| drop(champion.fields.remove(0)));
        let reasons = vec![("age".to_owned(), "missing")];
        assert_eq!(less.judge(&offer(row().split_off(1))), Verdict::Refused(reasons));
        let unknown = vec![Cell::Number(24.5), Cell::Missing, Cell::Number(1.0), text("silver")];
        let reasons = [("age", "int_from_float"), ("plan", "literal_error")];
        let reasons = reasons.map(|(field, kind)| (field.to_owned(), kind)).to_vec();
        assert_eq!(pair(|_| ()).judge(&offer(unknown)), Verdict::Refused(reasons));
    }
}
