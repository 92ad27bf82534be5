//! What a package takes from an evaluation: which variant its model is, what decides, and how well
//! that did on test rows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Scores;
use super::task::{Classifier, TaskModel};
use crate::ml::evaluation::document::Segment;
use crate::ml::evaluation::written::Written;
use crate::ml::model::Model;
use crate::ml::model::regressor::Regressor;

/// Where metrics lie, by segment and name.
pub type Intervals = BTreeMap<String, BTreeMap<String, [f64; 2]>>;

/// The variant that a model is: the one it is named after, or else the champion, which is what an
/// evaluation hands on.
///
/// # Errors
/// When the evaluation does not tell of that variant.
pub fn variant<'w>(written: &'w Written, name: &'w str) -> Result<&'w str, String> {
    let champion = written.champion();
    let found = [name, champion].into_iter().find(|name| written.on_test(name).is_some());
    found.ok_or_else(|| format!("the metrics do not tell of `{champion}`"))
}

/// A model file with what decides by the evaluation of a variant: the threshold that it chose, of
/// two classes; nothing, of a number.
///
/// # Errors
/// When the bytes are no model of the evaluation's task, or it does not tell of the variant.
pub fn task_model(bytes: &[u8], written: &Written, variant: &str) -> Result<TaskModel, String> {
    match written {
        Written::Classes(document) => {
            let decided = document.variants.get(variant);
            let decided = decided.ok_or_else(|| format!("no variant is named `{variant}`"))?;
            Ok(TaskModel::Classifier(Classifier {
                model: Model::from_bytes(bytes).map_err(|error| error.to_string())?,
                threshold: decided.threshold,
                thresholds: decided.thresholds.clone(),
            }))
        }
        Written::Numbers(_) => {
            let model = Regressor::from_bytes(bytes).map_err(|error| error.to_string())?;
            Ok(TaskModel::Regressor(model))
        }
    }
}

/// How the threshold was chosen, as the rest of a sentence; a number has none.
pub fn threshold_rule(written: &Written) -> Option<String> {
    let Written::Classes(document) = written else { return None };
    Some(format!("chosen on validation rows by the rule `{}`", document.threshold_rule))
}

/// The numbers of test scores, by segment, with the four counts of a confusion matrix among them.
pub fn test_scores(test: &BTreeMap<String, Segment>) -> Scores {
    let mut scores = Scores::new();
    for (segment, values) in test {
        let counts = values.get("confusion").and_then(Value::as_object);
        let all = values.iter().chain(counts.into_iter().flatten());
        let numbers = all.filter(|(_, value)| value.is_number());
        let numbers = numbers.map(|(name, value)| (name.clone(), value.clone())).collect();
        scores.insert(segment.clone(), numbers);
    }
    scores
}

/// Where metrics on test lie, by segment; empty for documents that do not say.
pub fn test_intervals(test: &BTreeMap<String, Segment>) -> Intervals {
    let of = |(segment, values): (&String, &Segment)| {
        let known = values.get("intervals").and_then(Value::as_object)?;
        let pair = |value: &Value| -> Option<[f64; 2]> {
            Some([value.get(0)?.as_f64()?, value.get(1)?.as_f64()?])
        };
        let known = known.iter().filter_map(|(name, value)| Some((name.clone(), pair(value)?)));
        Some((segment.clone(), known.collect()))
    };
    test.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::evaluation::document::{Document, FORMAT};
    use serde_json::json;

    fn document() -> Document {
        let test = json!({
            "roc_auc": 0.9, "f1": null, "confusion": {"tp": 1, "fn": 2},
            "intervals": {"roc_auc": [0.85, 0.94]}, "no_interval": {"brier": "why"},
        });
        serde_json::from_value(json!({
            "format": FORMAT,
            "target": "left",
            "classes": [false, true],
            "champion": "forest",
            "champion_metric": "roc_auc",
            "threshold_rule": "f1",
            "variants": {
                "forest": {"threshold": 0.31, "validation": {}, "test": {"overall": test}},
                "tree": {"threshold": 0.5, "validation": {}, "test": {}},
            },
            "gates": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_model_is_the_variant_it_is_named_after_or_else_the_champion() {
        let written = Written::Classes(Box::new(document()));
        assert_eq!(variant(&written, "evaluate"), Ok("forest"));
        assert_eq!(variant(&written, "tree"), Ok("tree"));
        let unknown = Document { champion: "gone".into(), ..document() };
        let unknown = Written::Classes(Box::new(unknown));
        assert!(variant(&unknown, "evaluate").is_err());
    }

    #[test]
    fn only_numbers_are_scores() {
        let scores = test_scores(&document().variants["forest"].test);
        assert_eq!(json!(scores), json!({"overall": {"roc_auc": 0.9, "tp": 1, "fn": 2}}));
    }

    #[test]
    fn intervals_are_those_of_the_variant_and_none_where_none_were_made() {
        let document = document();
        let intervals = test_intervals(&document.variants["forest"].test);
        assert_eq!(intervals["overall"], BTreeMap::from([("roc_auc".to_owned(), [0.85, 0.94])]));
        assert!(test_intervals(&document.variants["tree"].test).is_empty());
    }
}
