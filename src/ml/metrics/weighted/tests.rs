//! Weighted metrics against scikit-learn's, and against rows that are there several times.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ml::metrics::regression::Residuals;
use crate::ml::metrics::{Confusion, Curve};

fn golden() -> Value {
    let text = include_str!("../../../../tests/golden/weighted_metrics.json");
    serde_json::from_str(text).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(case: &Value, name: &str) -> Vec<T> {
    serde_json::from_value(case[name].clone()).unwrap()
}

#[track_caller]
fn close(name: &str, found: Defined, expected: &Value) {
    let (found, expected) = (found.unwrap(), expected.as_f64().unwrap());
    assert!((found - expected).abs() <= 1e-12, "{name}: {found} {expected}");
}

#[test]
fn metrics_are_those_of_scikit_learn_with_sample_weight() {
    let golden = golden();
    for case in golden["classes"].as_array().unwrap() {
        let labels: Vec<bool> = list(case, "labels");
        let decided: Vec<bool> = list(case, "decided");
        let values = of_classes(&labels, &list(case, "scores"), &decided, &list(case, "weights"));
        for (metric, value) in values {
            close(metric.name(), value, &case["values"][metric.name()]);
        }
    }
    for case in golden["numbers"].as_array().unwrap() {
        let (actual, predicted) = (list(case, "actual"), list::<f64>(case, "predicted"));
        for (metric, value) in of_numbers(&actual, &predicted, &list(case, "weights")) {
            close(metric.name(), value, &case["values"][metric.name()]);
        }
    }
}

#[test]
fn what_has_no_value_says_why() {
    let of = |labels: &[bool], decided: &[bool], weights: &[f64]| {
        of_classes(labels, &[0.2, 0.8], decided, weights)
    };
    let none = of(&[false, true], &[false, true], &[0.0, 0.0]);
    assert_eq!((none[&Metric::RocAuc], none[&Metric::Brier]), (Err(ONE_CLASS), Err(NO_ROWS)));
    let negative = of(&[false, true], &[false, false], &[1.0, 0.0]);
    assert_eq!(negative[&Metric::RocAuc], Err(ONE_CLASS));
    assert_eq!(negative[&Metric::Recall], Err(NO_POSITIVES));
    assert_eq!(negative[&Metric::Precision], Err(NONE_PREDICTED));
    assert_eq!(negative[&Metric::Accuracy], Ok(1.0));
    let equal = of_numbers(&[3.0, 3.0, 0.0], &[1.0, 2.0, 5.0], &[0.1, 0.2, 0.0]);
    assert_eq!(equal[&RegressionMetric::R2], Err(EQUAL_TARGETS));
    let with_zero = of_numbers(&[3.0, 0.0], &[1.0, 2.0], &[1.0, 1.0]);
    assert_eq!(with_zero[&RegressionMetric::Mape], Err(ZERO_TARGET));
    assert_eq!(of_numbers(&[1.0], &[1.0], &[0.0])[&RegressionMetric::Mae], Err(NO_ROWS));
}

proptest! {
    #[test]
    fn a_whole_weight_is_as_good_as_the_row_so_often(
        rows in proptest::collection::vec((0..6_u8, any::<bool>(), 1..4_usize), 2..40),
        at in 0..6_u8,
    ) {
        let score = |rank: u8| f64::from(rank) / 5.0;
        let repeated: Vec<_> =
            rows.iter().flat_map(|row| std::iter::repeat_n((row.0, row.1), row.2)).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let scores: Vec<f64> = rows.iter().map(|row| score(row.0)).collect();
        let decided: Vec<bool> = rows.iter().map(|row| row.0 >= at).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.2 as f64).collect();
        let found = of_classes(&labels, &scores, &decided, &weights);
        let labels: Vec<bool> = repeated.iter().map(|row| row.1).collect();
        let scores: Vec<f64> = repeated.iter().map(|row| score(row.0)).collect();
        let decided: Vec<bool> = repeated.iter().map(|row| row.0 >= at).collect();
        let expected = Curve::new(&labels, &scores).scores_of(Confusion::of(&labels, &decided));
        for (metric, value) in expected.values {
            match (value, found[&metric]) {
                (Ok(a), Ok(b)) => prop_assert!((a - b).abs() < 1e-12, "{} {a} {b}", metric.name()),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
        let numbers = |rows: &[f64]| rows.iter().map(|x| x * 3.0 - 1.0).collect::<Vec<f64>>();
        let of_rows: Vec<f64> = rows.iter().map(|row| score(row.0)).collect();
        let actual: Vec<f64> = rows.iter().map(|row| 1.0 + f64::from(u8::from(row.1))).collect();
        let found = of_numbers(&actual, &numbers(&of_rows), &weights);
        let actual: Vec<f64> = labels.iter().map(|y| 1.0 + f64::from(u8::from(*y))).collect();
        for (metric, value) in Residuals::new(&actual, &numbers(&scores)).values() {
            match (value, found[&metric]) {
                (Ok(a), Ok(b)) => prop_assert!((a - b).abs() < 1e-9, "{} {a} {b}", metric.name()),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }

    #[test]
    fn the_order_of_rows_has_no_say(
        mut rows in proptest::collection::vec((0..4_u8, any::<bool>(), 0.0..9.0_f64), 2..30),
    ) {
        let values = |rows: &[(u8, bool, f64)]| {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 3.0).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let decided: Vec<bool> = rows.iter().map(|row| row.0 > 1).collect();
            let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
            of_classes(&labels, &scores, &decided, &weights)
        };
        let before = values(&rows);
        rows.reverse();
        prop_assert_eq!(values(&rows), before);
    }
}
