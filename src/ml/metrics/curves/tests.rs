//! The curves are scikit-learn's, and thinning keeps what matters.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

#[track_caller]
fn assert_near(what: &str, found: Value, expected: &Value) {
    let (found, expected) = (numbers(&found), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}, not {expected:?}");
    for (i, pair) in found.iter().zip(&expected).enumerate() {
        match pair {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{what} {i}: {a}, not {b}"),
            (a, b) => assert_eq!(a, b, "{what} {i}"),
        }
    }
}

#[test]
fn the_curves_are_scikit_learns() {
    let golden = include_str!("../../../../tests/golden/curves.json");
    let golden: Vec<Value> = serde_json::from_str(golden).unwrap();
    for case in &golden {
        let labels: Vec<u8> = serde_json::from_value(case["labels"].clone()).unwrap();
        let labels: Vec<bool> = labels.iter().map(|label| *label == 1).collect();
        let scores: Vec<f64> = serde_json::from_value(case["scores"].clone()).unwrap();
        let curve = Curve::new(&labels, &scores);
        let name = case["name"].as_str().unwrap();
        let roc = serde_json::to_value(curve.roc()).unwrap();
        for key in ["fpr", "tpr", "threshold"] {
            assert_near(&format!("{name} roc {key}"), roc[key].clone(), &case["roc"][key]);
        }
        let pr = serde_json::to_value(curve.precision_recall()).unwrap();
        for key in ["precision", "recall", "threshold"] {
            let expected = &case["precision_recall"][key];
            assert_near(&format!("{name} precision_recall {key}"), pr[key].clone(), expected);
        }
        let calibration = serde_json::to_value(curve.calibration()).unwrap();
        for key in ["mean_score", "observed"] {
            let expected = &case["calibration"][key];
            assert_near(&format!("{name} {key}"), calibration[key].clone(), expected);
        }
        let gains = serde_json::to_value(curve.gains()).unwrap();
        assert_near(&format!("{name} gain"), gains["gain"].clone(), &case["gain"]);
        assert_eq!(gains["contacted"], case["contacted"], "{name}");
    }
}

#[test]
fn a_long_curve_keeps_its_ends_and_so_many_points() {
    let scores: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
    let labels: Vec<bool> = (0..1000).map(|i| i % 7 == 0 || i > 900).collect();
    let curve = Curve::new(&labels, &scores);
    let (roc, pr) = (curve.roc().unwrap(), curve.precision_recall().unwrap());
    assert_eq!((roc.fpr.len(), pr.recall.len()), (MAX_POINTS, MAX_POINTS));
    assert_eq!((roc.fpr[0], roc.tpr[0], roc.threshold[0]), (0.0, 0.0, None));
    let last = MAX_POINTS - 1;
    assert_eq!((roc.fpr[last], roc.tpr[last], roc.threshold[last]), (1.0, 1.0, Some(0.0)));
    assert_eq!((pr.precision[0], pr.recall[0], pr.threshold[0]), (1.0, 0.0, None));
    assert_eq!((pr.recall[last], pr.threshold[last]), (1.0, Some(0.0)));
    assert_eq!(kept(3, 200).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(kept(9, 3).collect::<Vec<_>>(), [0, 4, 8]);
    assert_eq!(kept(0, 3).count(), 0);
}

#[test]
fn a_curve_without_the_rows_that_it_needs_is_none() {
    let negatives = Curve::new(&[false, false], &[0.1, 0.2]);
    assert!(negatives.roc().is_none() && negatives.precision_recall().is_none());
    assert!(negatives.gains().is_none() && negatives.calibration().is_some());
    assert!(Curve::new(&[true], &[0.5]).roc().is_none());
    assert!(Curve::new(&[], &[]).calibration().is_none());
}

#[test]
fn probabilities_that_are_rates_have_no_calibration_error() {
    let labels: Vec<bool> = (0..100).map(|i| i % 10 < i / 10).collect();
    let scores: Vec<f64> = (0..100).map(|i| f64::from(i / 10) / 10.0).collect();
    let calibration = Curve::new(&labels, &scores).calibration().unwrap();
    assert_eq!(calibration.mean_score.len(), 10);
    assert!(calibration.expected_calibration_error < 1e-12, "{calibration:?}");
    let certain = Curve::new(&[false; 4], &[1.0; 4]).calibration().unwrap();
    assert_eq!(certain.expected_calibration_error, 1.0);
}

proptest! {
    #[test]
    fn every_curve_rises_to_1_and_holds_every_row(
        rows in proptest::collection::vec((any::<bool>(), 0_u8..30), 2..400),
    ) {
        let (labels, scores): (Vec<bool>, Vec<f64>) =
            rows.iter().map(|(label, score)| (*label, f64::from(*score) / 29.0)).unzip();
        let curve = Curve::new(&labels, &scores);
        if let Some(roc) = curve.roc() {
            prop_assert!(roc.tpr.is_sorted() && roc.fpr.is_sorted());
            prop_assert!(roc.tpr.last() == Some(&1.0) && roc.fpr.last() == Some(&1.0));
            // Few points here, so none is left out that is not on a line: the area is whole.
            let trapezoid = |i: usize| {
                (roc.fpr[i] - roc.fpr[i - 1]) * (roc.tpr[i] + roc.tpr[i - 1]) / 2.0
            };
            let area: f64 = (1..roc.fpr.len()).map(trapezoid).sum();
            prop_assert!((area - curve.roc_auc().unwrap()).abs() < 1e-12);
        }
        if let Some(gains) = curve.gains() {
            prop_assert!(gains.gain.is_sorted());
            prop_assert!((gains.gain[99] - 1.0).abs() < 1e-12);
            prop_assert!((gains.lift[99] - 1.0).abs() < 1e-12);
        }
        let calibration = curve.calibration().unwrap();
        prop_assert_eq!(calibration.n.iter().sum::<u64>(), curve.n());
        prop_assert!((0.0..=1.0).contains(&calibration.expected_calibration_error));
    }
}
