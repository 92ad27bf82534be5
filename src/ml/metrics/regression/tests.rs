//! Against scikit-learn (`tests/golden/regression.py`), and what resamples must be.

use serde_json::Value;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/golden/regression.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn every_metric_is_scikit_learns_to_twelve_digits() {
    for case in golden()["metrics"].as_array().unwrap() {
        let found =
            Residuals::new(&numbers(&case["actual"]), &numbers(&case["predicted"])).values();
        for metric in RegressionMetric::ALL {
            let expected = &case["values"][metric.name()];
            match (found[&metric], expected.as_f64()) {
                (Ok(value), Some(expected)) => {
                    let off = (value - expected).abs() / expected.abs().max(1.0);
                    assert!(off <= 1e-12, "{metric:?}: {value} for {expected}");
                }
                (Err(_), None) => {}
                (found, expected) => panic!("{metric:?}: {found:?} for {expected:?}"),
            }
        }
    }
}

#[test]
fn what_has_no_value_says_why() {
    let found = Residuals::new(&[2.0, 2.0], &[1.0, 2.0]).values();
    assert_eq!(found[&RegressionMetric::R2], Err(EQUAL_TARGETS));
    assert_eq!(found[&RegressionMetric::ExplainedVariance], Err(EQUAL_TARGETS));
    let found = Residuals::new(&[0.0, 2.0], &[1.0, 2.0]).values();
    assert_eq!(found[&RegressionMetric::Mape], Err(ZERO_TARGET));
    assert_eq!(Residuals::new(&[], &[]).values()[&RegressionMetric::Rmse], Err(NO_ROWS));
}

#[test]
fn a_row_that_weighs_two_is_as_two_rows() {
    let (actual, predicted) = ([1.0, 2.5, 4.0, 8.0], [1.5, 2.0, 4.25, 5.0]);
    let weights = [2, 1, 0, 3];
    let repeated = |numbers: &[f64]| -> Vec<f64> {
        let times = numbers.iter().zip(weights);
        times.flat_map(|(x, n)| std::iter::repeat_n(*x, n as usize)).collect()
    };
    let twice = Residuals::new(&repeated(&actual), &repeated(&predicted)).values();
    let weighted = Residuals::new(&actual, &predicted).weighted(&weights);
    for (metric, value) in RegressionMetric::ALL.into_iter().zip(weighted) {
        assert!((value.unwrap() - twice[&metric].unwrap()).abs() < 1e-12, "{metric:?}");
    }
}

#[test]
fn resamples_follow_from_the_seed_and_surround_the_value() {
    let actual: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101)).collect();
    let predicted: Vec<f64> = actual.iter().map(|y| y + f64::from(*y as i32 % 7) - 3.0).collect();
    let rows = Residuals::new(&actual, &predicted);
    let interval = |seed: u8| {
        let drawn = replicate(&[&rows], 400, &[seed; 32]).unwrap();
        drawn.interval(0, RegressionMetric::Rmse, 0.95).unwrap()
    };
    assert_eq!(interval(1), interval(1));
    assert_ne!(interval(1), interval(2));
    assert!(interval(1).holds(rows.values()[&RegressionMetric::Rmse].unwrap()));
    let few = Residuals::new(&actual[..9], &predicted[..9]);
    assert_eq!(replicate(&[&few], 100, &[0; 32]).unwrap_err(), FEW_ROWS);
}
