//! scikit-learn's calibrators, `tests/golden/calibration.py`, and what any calibration must keep.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ml::metrics::Curve;

fn numbers(list: &Value) -> Vec<f64> {
    serde_json::from_value(list.clone()).unwrap()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &Value, tolerance: f64, what: &Value) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(&expected) {
        let is_close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(is_close, "{what}: {found}, not {expected}");
    }
}

fn cases() -> Vec<Value> {
    let golden = include_str!("../../../tests/golden/calibration.json");
    serde_json::from_str(golden).unwrap()
}

fn rows(case: &Value) -> (Vec<f64>, Vec<bool>) {
    let labels = numbers(&case["labels"]).iter().map(|label| *label == 1.0).collect();
    (numbers(&case["probabilities"]), labels)
}

#[test]
fn the_sigmoid_is_scikit_learns() {
    for case in cases() {
        let (probabilities, labels) = rows(&case);
        let fitted = Calibration::fit(Method::Sigmoid, &probabilities, &labels).unwrap();
        let Calibration::Sigmoid(Sigmoid { a, b }) = fitted else { panic!("no sigmoid") };
        let (name, golden) = (&case["name"], &case["sigmoid"]);
        assert_close(&[a, b], &serde_json::json!([golden["a"], golden["b"]]), 1e-9, name);
        assert_close(&[a, b], &case["sigmoid_of_lbfgs"], 1e-4, name);
        let new: Vec<f64> = numbers(&case["new"]).iter().map(|p| fitted.apply(*p)).collect();
        assert_close(&new, &golden["new"], 1e-9, name);
    }
}

#[test]
fn the_steps_are_scikit_learns() {
    for case in cases() {
        let (probabilities, labels) = rows(&case);
        let fitted = Calibration::fit(Method::Isotonic, &probabilities, &labels).unwrap();
        let Calibration::Isotonic(Isotonic { x, y }) = &fitted else { panic!("no steps") };
        let (name, golden) = (&case["name"], &case["isotonic"]);
        assert_close(x, &golden["x"], 1e-15, name);
        assert_close(y, &golden["y"], 1e-12, name);
        let new: Vec<f64> = numbers(&case["new"]).iter().map(|p| fitted.apply(*p)).collect();
        assert_close(&new, &golden["new"], 1e-12, name);
    }
}

#[test]
fn a_model_that_is_right_is_left_as_it_is() {
    // Of every ten rows that it gives k/10, k are positive.
    let rows: Vec<(f64, bool)> =
        (1..10).flat_map(|k| (0..1000).map(move |i| (f64::from(k) / 10.0, i % 10 < k))).collect();
    let (probabilities, labels): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
    for (method, tolerance) in [(Method::Sigmoid, 1e-3), (Method::Isotonic, 1e-12)] {
        let fitted = Calibration::fit(method, &probabilities, &labels).unwrap();
        for p in [0.1, 0.35, 0.9] {
            assert!((fitted.apply(p) - p).abs() < tolerance, "{method:?} {p}");
        }
    }
}

#[test]
fn rows_of_one_class_calibrate_nothing() {
    for method in [Method::Sigmoid, Method::Isotonic] {
        assert!(Calibration::fit(method, &[0.1, 0.2], &[true, true]).is_err());
        assert!(Calibration::fit(method, &[], &[]).is_err());
        assert!(Calibration::fit(method, &[0.1], &[true, false]).is_err());
    }
}

#[test]
fn what_could_not_calibrate_is_refused() {
    let read = |text: &str| {
        let read: Result<Calibration, _> = serde_json::from_str(text);
        read.map_err(|_| "not read").and_then(|calibration| calibration.check())
    };
    assert!(read(r#"{"sigmoid": {"a": -1.0, "b": 0.0}}"#).is_ok());
    assert!(read(r#"{"sigmoid": {"a": -1e200, "b": 0.0}}"#).is_err());
    assert!(read(r#"{"isotonic": {"x": [0.1, 0.2], "y": [0.3, 0.3]}}"#).is_ok());
    for wrong in [
        r#"{"isotonic": {"x": [], "y": []}}"#,
        r#"{"isotonic": {"x": [0.1], "y": [0.2, 0.3]}}"#,
        r#"{"isotonic": {"x": [0.2, 0.1], "y": [0.2, 0.3]}}"#,
        r#"{"isotonic": {"x": [0.1, 0.1], "y": [0.2, 0.3]}}"#,
        r#"{"isotonic": {"x": [0.1, 0.2], "y": [0.3, 0.2]}}"#,
        r#"{"isotonic": {"x": [0.1, 1.2], "y": [0.2, 0.3]}}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_calibration_never_turns_an_order_around(
        rows in proptest::collection::vec((0.0..=1.0_f64, any::<bool>()), 2..60),
        new in proptest::collection::vec(0.0..=1.0_f64, 1..20),
        isotonic in any::<bool>(),
    ) {
        let (probabilities, labels): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        let method = if isotonic { Method::Isotonic } else { Method::Sigmoid };
        let Ok(fitted) = Calibration::fit(method, &probabilities, &labels) else { return Ok(()) };
        prop_assert_eq!(fitted.check(), Ok(()));
        let mut new = new;
        new.sort_by(f64::total_cmp);
        let mut calibrated: Vec<f64> = new.iter().map(|p| fitted.apply(*p)).collect();
        prop_assert!(calibrated.iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", calibrated);
        if let Calibration::Sigmoid(Sigmoid { a, .. }) = fitted && a > 0.0 {
            calibrated.reverse();
        }
        prop_assert!(calibrated.is_sorted(), "{:?}", calibrated);
    }

    /// Among the rows that it was fitted to, steps are at least as close as the model was.
    #[test]
    fn steps_never_make_the_brier_score_of_their_own_rows_worse(
        rows in proptest::collection::vec((0.0..=1.0_f64, any::<bool>()), 2..60),
    ) {
        let (probabilities, labels): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        let Ok(fitted) = Calibration::fit(Method::Isotonic, &probabilities, &labels) else {
            return Ok(());
        };
        let calibrated: Vec<f64> = probabilities.iter().map(|p| fitted.apply(*p)).collect();
        let brier = |scores: &[f64]| Curve::new(&labels, scores).brier().unwrap();
        prop_assert!(brier(&calibrated) <= brier(&probabilities) + 1e-12);
    }
}
