//! What a package takes from an evaluation: which variant its model is, and how well that did on
//! test rows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Scores;
use crate::ml::evaluation::document::{Document, FORMAT, Segment, Variant};

/// Where metrics lie, by segment and name.
pub type Intervals = BTreeMap<String, BTreeMap<String, [f64; 2]>>;

/// The variant that a model is: the one it is named after, or else the champion, which is what an
/// evaluation hands on.
///
/// # Errors
/// When the document is of another format, or does not tell of that variant.
pub fn variant<'d>(document: &'d Document, name: &str) -> Result<(&'d str, &'d Variant), String> {
    if document.format != FORMAT {
        return Err(format!("the metrics are not of format {FORMAT}"));
    }
    let find = |name: &str| document.variants.get_key_value(name);
    let found = find(name).or_else(|| find(&document.champion));
    let (name, variant) =
        found.ok_or_else(|| format!("the metrics do not tell of `{}`", document.champion))?;
    Ok((name, variant))
}

/// The numbers of a variant's test scores, by segment, with the four counts of the confusion matrix
/// among them.
pub fn test_scores(variant: &Variant) -> Scores {
    let mut scores = Scores::new();
    for (segment, values) in &variant.test {
        let counts = values.get("confusion").and_then(Value::as_object);
        let all = values.iter().chain(counts.into_iter().flatten());
        let numbers = all.filter(|(_, value)| value.is_number());
        let numbers = numbers.map(|(name, value)| (name.clone(), value.clone())).collect();
        scores.insert(segment.clone(), numbers);
    }
    scores
}

/// Where the metrics of a variant on test lie, by segment; empty for documents that do not say.
pub fn test_intervals(variant: &Variant) -> Intervals {
    let of = |(segment, values): (&String, &Segment)| {
        let known = values.get("intervals").and_then(Value::as_object)?;
        let pair = |value: &Value| -> Option<[f64; 2]> {
            Some([value.get(0)?.as_f64()?, value.get(1)?.as_f64()?])
        };
        let known = known.iter().filter_map(|(name, value)| Some((name.clone(), pair(value)?)));
        Some((segment.clone(), known.collect()))
    };
    variant.test.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let document = document();
        assert_eq!(variant(&document, "evaluate").unwrap().0, "forest");
        assert_eq!(variant(&document, "tree").unwrap().1.threshold, 0.5);
        let unknown = Document { champion: "gone".into(), ..document };
        assert!(variant(&unknown, "evaluate").is_err());
    }

    #[test]
    fn only_numbers_are_scores() {
        let scores = test_scores(variant(&document(), "forest").unwrap().1);
        assert_eq!(json!(scores), json!({"overall": {"roc_auc": 0.9, "tp": 1, "fn": 2}}));
    }

    #[test]
    fn intervals_are_those_of_the_variant_and_none_where_none_were_made() {
        let document = document();
        let intervals = test_intervals(variant(&document, "forest").unwrap().1);
        assert_eq!(intervals["overall"], BTreeMap::from([("roc_auc".to_owned(), [0.85, 0.94])]));
        assert!(test_intervals(variant(&document, "tree").unwrap().1).is_empty());
    }
}
