//! Segments, references and the choice of a champion.

use serde_json::json;

use super::*;
use crate::ml::table::{Column, Values};

fn texts(values: &[&str]) -> Values {
    let text = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    Values::Text(values.iter().map(text).collect())
}

/// Six rows: the scores rank them perfectly in plan a and wrongly in plan b.
fn table() -> Table {
    Table::new(vec![
        Column::new("key", texts(&["r1", "r2", "r3", "r4", "r5", "r6"])),
        Column::new("plan", texts(&["a", "a", "b", "b", "", "a"])),
        Column::new("y", Values::Integer([0, 1, 0, 1, 0, 1].map(Some).to_vec())),
    ])
    .unwrap()
}

fn columns() -> Columns {
    Columns {
        id: vec!["key".to_owned()],
        target: "y".to_owned(),
        features: Vec::new(),
        segments: vec!["plan".to_owned()],
    }
}

const SCORES: [f64; 6] = [0.1, 0.9, 0.8, 0.3, 0.2, 0.7];

fn evaluated(scores: [f64; 6]) -> Evaluated {
    let table = table();
    let rows = || Rows::new(&table, &columns(), &[json!(0), json!(1)]).unwrap();
    let scores = scores.to_vec();
    evaluate(&[rows(), rows()], &[scores.clone(), scores], ThresholdRule::F1).unwrap()
}

#[test]
fn every_segment_is_scored_apart() {
    let evaluated = evaluated(SCORES);
    let names: Vec<&String> = evaluated.test.keys().collect();
    assert_eq!(names, ["overall", "plan=(missing)", "plan=a", "plan=b"]);
    assert_eq!(evaluated.test["plan=a"].values[&Metric::RocAuc], Ok(1.0));
    assert_eq!(evaluated.test["plan=b"].values[&Metric::RocAuc], Ok(0.0));
    assert!(evaluated.test["plan=(missing)"].values[&Metric::RocAuc].is_err());
    assert_eq!((evaluated.test["plan=a"].n, evaluated.test["overall"].n), (3, 6));
    // 0.3 finds all three at the price of one: F1 is 6/7.
    assert_eq!(evaluated.threshold, 0.3);
}

#[test]
fn a_column_of_many_values_is_no_segment() {
    let values = Values::Integer((0..101).map(Some).collect());
    let table = Table::new(vec![Column::new("x", values)]).unwrap();
    let wrong = segments(&table, &["x".to_owned()]).unwrap_err();
    assert_eq!(wrong, "column `x` has more than 100 values: it is no segment");
}

#[test]
fn the_champion_is_the_best_on_validation_and_the_first_of_equals() {
    let (weak, strong) = (evaluated(SCORES), evaluated([0.1, 0.9, 0.2, 0.8, 0.2, 0.7]));
    assert_eq!(champion(&[&weak, &strong, &strong], Metric::RocAuc), Ok(1));
    assert_eq!(champion(&[&weak, &strong], Metric::LogLoss), Ok(1));
    assert_eq!(champion(&[&weak], Metric::RocAuc), Ok(0));
    assert_eq!(champion(&[], Metric::F1).unwrap_err().split(':').count(), 3);
}

#[test]
fn a_reference_is_joined_by_the_names_of_rows() {
    let reference = |keys: &[&str], scores: &[f64]| {
        Table::new(vec![
            Column::new("score", Values::Number(scores.to_vec())),
            Column::new("key", texts(keys)),
        ])
        .unwrap()
    };
    let id = ["key".to_owned()];
    let rows = table().take(&[2, 0]);
    let joined = reference_scores(&reference(&["r1", "r2", "r3"], &[0.1, 0.2, 0.3]), &id, &rows);
    assert_eq!(joined, Ok(vec![0.3, 0.1]));
    let refuse = |keys: &[&str], scores: &[f64]| {
        reference_scores(&reference(keys, scores), &id, &rows).unwrap_err()
    };
    assert_eq!(refuse(&["r1"], &[0.1]), "the reference has no row for r3");
    assert_eq!(refuse(&["r1", "r1"], &[0.1, 0.1]), "the reference names r1 twice");
    let wrong = refuse(&["r1"], &[1.5]);
    assert_eq!(wrong, "the reference's `score` is no score in [0, 1] in row 1");
    let wrong = reference_scores(&table(), &id, &rows).unwrap_err();
    assert_eq!(wrong, "the reference must have one column of scores beside key, it has 2");
    let wrong = reference_scores(&table(), &[], &rows).unwrap_err();
    assert_eq!(wrong, "a reference is joined by the column with the role `id`: none has");
}

#[test]
fn the_document_says_null_and_why() {
    let variant = document::Variant::of(&evaluated(SCORES), Some("none"));
    let missing = &variant.test["plan=(missing)"];
    assert_eq!(missing["roc_auc"], json!(null));
    assert_eq!(missing["undefined"]["roc_auc"], "all rows are of one class");
    assert_eq!(missing["confusion"], json!({"tn": 1, "fp": 0, "fn": 0, "tp": 0}));
    assert_eq!(variant.test["plan=a"]["roc_auc"], json!(1.0));
    assert_eq!(variant.test["plan=a"].get("undefined"), None);
}

#[test]
fn names_of_metrics_leave_out_what_is_overall() {
    use document::metric_name;
    assert_eq!(metric_name("forest", "test", "overall", "f1"), "forest.test.f1");
    assert_eq!(metric_name("forest", "test", "plan=a", "f1"), "forest.test.plan=a.f1");
}

#[test]
fn a_gate_that_does_not_hold_names_what_it_found() {
    use gates::{Bound, Which, judge};
    let variants = [
        ("weak".to_owned(), evaluated(SCORES)),
        ("strong".to_owned(), evaluated([0.1, 0.9, 0.2, 0.8, 0.2, 0.7])),
    ];
    let bound = |metric: &str, segment: Option<&str>| Bound {
        metric: metric.to_owned(),
        model: Which::Champion,
        segment: segment.map(str::to_owned),
        min: Some(0.5),
        max: None,
        on: "test".to_owned(),
    };
    let gates = judge(&[bound("roc_auc", Some("plan=b"))], &variants, 0).unwrap();
    assert_eq!(gates[0].told(), "roc_auc of plan=b of weak on test is 0.0000, below min 0.5");
    assert!(!gates[0].holds);
    let every = Bound { model: Which::Every, ..bound("roc_auc", None) };
    let gates = judge(&[every], &variants, 0).unwrap();
    assert_eq!(gates.iter().map(|gate| gate.holds).collect::<Vec<_>>(), [true, true]);
    let undefined = judge(&[bound("roc_auc", Some("plan=(missing)"))], &variants, 1).unwrap();
    let told = "roc_auc of plan=(missing) of strong on test is undefined";
    assert_eq!((undefined[0].told().as_str(), undefined[0].holds), (told, false));
    let most = Bound { min: None, max: Some(0.1), ..bound("log_loss", None) };
    let gates = judge(&[most], &variants, 0).unwrap();
    assert!(gates[0].told().ends_with("above max 0.1"), "{}", gates[0].told());
    let wrong = judge(&[bound("recall", Some("plan=z"))], &variants, 0).unwrap_err();
    assert!(wrong.starts_with("a gate names the segment `plan=z`, which test has not"), "{wrong}");
}
