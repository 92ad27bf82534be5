//! The coefficients are scikit-learn's and linfa's, and do not depend on threads or phrasing.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ml::learn::Given;
use crate::ml::learn::testing::{dataset, take};

fn params() -> LogisticRegression {
    LogisticRegression {
        c: 1.0,
        class_weight: ClassWeight::None,
        max_iter: 100,
        tol: 1e-8,
        fit_intercept: true,
    }
}

fn fit(params: &LogisticRegression, dataset: &Dataset) -> FittedLogistic {
    Given::new(params.clone()).fit(dataset).unwrap()
}

#[track_caller]
fn assert_close(a: &Linear, b: &Linear, tolerance: f64) {
    assert!((a.intercept - b.intercept).abs() < tolerance, "{a:?}\n{b:?}");
    assert_eq!(a.coefficients.len(), b.coefficients.len());
    for (a_j, b_j) in a.coefficients.iter().zip(&b.coefficients) {
        assert!((a_j - b_j).abs() < tolerance, "{a:?}\n{b:?}");
    }
}

#[test]
fn the_coefficients_are_scikit_learns() {
    let golden = include_str!("../../../../tests/golden/logistic.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let data = dataset(600, 6);
    let n_positive = data.targets.iter().filter(|y| **y).count();
    assert_eq!(golden["positives"], n_positive, "the rows differ from the script's");
    for case in golden["cases"].as_array().unwrap() {
        let balanced = case["class_weight"] == "balanced";
        let params = LogisticRegression {
            c: case["C"].as_f64().unwrap(),
            class_weight: if balanced { ClassWeight::Balanced } else { ClassWeight::None },
            fit_intercept: case["fit_intercept"].as_bool().unwrap(),
            ..params()
        };
        let weights = (0..600).map(|i| (1 + i % 3) as f32).collect();
        let weighted = case["weighted"] == true;
        let data = if weighted { data.clone().with_weights(weights) } else { data.clone() };
        let expected = Linear {
            intercept: case["intercept"].as_f64().unwrap(),
            coefficients: serde_json::from_value(case["coefficients"].clone()).unwrap(),
        };
        let fitted = fit(&params, &data);
        assert!(fitted.converged && fitted.iterations < 12, "{fitted:?}");
        assert_close(&fitted.linear, &expected, 1e-7);
    }
}

#[test]
fn without_weights_the_coefficients_are_linfas() {
    let data = dataset(500, 5);
    let targets = data.targets.mapv(usize::from);
    let oracle = linfa_logistic::LogisticRegression::default()
        .alpha(0.5)
        .gradient_tolerance(1e-8)
        .max_iterations(1000)
        .fit(&linfa::DatasetBase::new(data.records.clone(), targets))
        .unwrap();
    // linfa calls the larger class positive.
    let sign = if oracle.labels().pos.class == 1 { 1.0 } else { -1.0 };
    let expected = Linear {
        intercept: sign * oracle.intercept(),
        coefficients: oracle.params().iter().map(|w| sign * w).collect(),
    };
    let fitted = fit(&LogisticRegression { c: 2.0, ..params() }, &data);
    assert_close(&fitted.linear, &expected, 1e-6);
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let data = dataset(10_000, 8);
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| fit(&params(), &data))
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(8));
}

#[test]
fn classes_that_a_line_separates_still_converge() {
    let x = Array2::from_shape_fn((40, 1), |(i, _)| i as f64 - 19.5);
    let data = Dataset::new(x, (0..40).map(|i| i >= 20).collect());
    let fitted = fit(&LogisticRegression { c: 1e6, ..params() }, &data);
    assert!(fitted.converged, "{fitted:?}");
    assert!(fitted.linear.coefficients[0] > 5.0, "{fitted:?}");
}

#[test]
fn too_few_steps_are_told() {
    let fitted = fit(&LogisticRegression { max_iter: 1, ..params() }, &dataset(100, 4));
    assert_eq!((fitted.iterations, fitted.converged), (1, false));
}

#[test]
fn a_model_without_features_predicts_the_base_rate() {
    let data =
        Dataset::new(Array2::zeros((4, 0)), Array1::from_vec(vec![true, false, false, false]));
    let fitted = fit(&params(), &data);
    assert!((crate::ml::learn::sigmoid(fitted.linear.intercept) - 0.25).abs() < 1e-9);
}

#[test]
fn parameters_out_of_range_and_rows_of_one_class_are_refused() {
    let data = dataset(50, 4);
    let refuse = |params: LogisticRegression, data: &Dataset| {
        Given::new(params).fit(data).unwrap_err().to_string()
    };
    assert_eq!(refuse(LogisticRegression { c: 0.0, ..params() }, &data), "`C` must be above 0");
    let wrong = LogisticRegression { tol: f64::NAN, ..params() };
    assert_eq!(refuse(wrong, &data), "`tol` must be above 0");
    let wrong = LogisticRegression { max_iter: 0, ..params() };
    assert_eq!(refuse(wrong, &data), "`max_iter` must be at least 1");
    let one_class = Dataset::new(data.records.clone(), Array1::from_elem(50, true));
    assert_eq!(refuse(params(), &one_class), "all rows are of one class");
    let mut nan = data;
    nan.records[(3, 1)] = f64::NAN;
    assert_eq!(refuse(params(), &nan), "a feature is not finite");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_row_that_comes_twice_counts_as_one_of_weight_two(
        counts in proptest::collection::vec(1_usize..4, 60),
    ) {
        let data = dataset(60, 4);
        let repeated: Vec<usize> =
            counts.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i, *n)).collect();
        let weights = counts.iter().map(|n| *n as f32).collect();
        let by_weight = fit(&params(), &data.clone().with_weights(weights));
        let by_rows = fit(&params(), &take(&data, &repeated));
        assert_close(&by_weight.linear, &by_rows.linear, 1e-7);
    }

    #[test]
    fn the_order_of_rows_hardly_matters(seed in any::<[u8; 32]>()) {
        let data = dataset(60, 4);
        let mut order: Vec<usize> = (0..60).collect();
        crate::ml::random::Random::new(seed).shuffle(&mut order);
        let shuffled = fit(&params(), &take(&data, &order));
        assert_close(&fit(&params(), &data).linear, &shuffled.linear, 1e-9);
    }
}
