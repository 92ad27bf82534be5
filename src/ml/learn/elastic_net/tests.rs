//! The coefficients are scikit-learn's, those left out are 0, and any number of threads will do.

use linfa::traits::Fit;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ml::learn::Given;
use crate::ml::learn::logistic::LogisticRegression;
use crate::ml::learn::testing::{dataset, take, unrepeated, weighted};

fn params() -> ElasticNet {
    ElasticNet {
        c: 1.0,
        l1_ratio: 0.5,
        class_weight: ClassWeight::None,
        max_iter: 100,
        tol: 1e-9,
        fit_intercept: true,
    }
}

fn fit(params: &ElasticNet, dataset: &Dataset) -> FittedElasticNet {
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
    let golden: Value =
        serde_json::from_str(include_str!("../../../../tests/golden/linear.json")).unwrap();
    let data = unrepeated();
    let mut n_left_out = 0;
    for case in golden["elastic_net"].as_array().unwrap() {
        let balanced = case["class_weight"] == "balanced";
        let params = ElasticNet {
            c: case["C"].as_f64().unwrap(),
            l1_ratio: case["l1_ratio"].as_f64().unwrap(),
            class_weight: if balanced { ClassWeight::Balanced } else { ClassWeight::None },
            fit_intercept: case["fit_intercept"].as_bool().unwrap(),
            ..params()
        };
        let expected = Linear {
            intercept: case["intercept"].as_f64().unwrap(),
            coefficients: serde_json::from_value(case["coefficients"].clone()).unwrap(),
        };
        let fitted = fit(&params, &weighted(&data, case["weighted"] == true));
        assert!(fitted.converged && fitted.iterations < 15, "{fitted:?}");
        assert_close(&fitted.linear, &expected, 1e-6);
        for (found, expected) in fitted.linear.coefficients.iter().zip(&expected.coefficients) {
            assert_eq!(*found == 0.0, *expected == 0.0, "{fitted:?}");
            n_left_out += usize::from(*found == 0.0);
        }
    }
    assert!(n_left_out >= 8, "the cases leave features out");
}

#[test]
fn without_an_l1_penalty_it_is_a_logistic_regression() {
    let data = dataset(600, 6);
    let ridge = fit(&ElasticNet { l1_ratio: 0.0, ..params() }, &data);
    let ElasticNet { c, class_weight, max_iter, tol, fit_intercept, .. } = params();
    let logistic = LogisticRegression { c, class_weight, max_iter, tol, fit_intercept };
    assert_close(&ridge.linear, &Given::new(logistic).fit(&data).unwrap().linear, 1e-8);
}

#[test]
fn features_that_say_the_same_still_give_a_minimum() {
    // The fourth feature is 1 less the third: with an intercept, many minima are as low.
    for l1_ratio in [0.5, 0.99, 1.0] {
        let fitted = fit(&ElasticNet { l1_ratio, ..params() }, &dataset(5000, 30));
        assert!(fitted.converged && fitted.iterations < 20, "{fitted:?}");
    }
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
fn a_penalty_that_leaves_everything_out_predicts_the_base_rate() {
    let data = dataset(400, 5);
    let fitted = fit(&ElasticNet { c: 1e-6, l1_ratio: 1.0, ..params() }, &data);
    assert_eq!(fitted.linear.coefficients, [0.0; 5]);
    let share = data.targets.iter().filter(|y| **y).count() as f64 / 400.0;
    assert!((crate::ml::learn::sigmoid(fitted.linear.intercept) - share).abs() < 1e-6);
}

#[test]
fn parameters_out_of_range_are_refused_and_too_few_steps_are_told() {
    let data = dataset(100, 4);
    let refuse = |params: ElasticNet| Given::new(params).fit(&data).unwrap_err().to_string();
    let wrong = ElasticNet { l1_ratio: 1.5, ..params() };
    assert_eq!(refuse(wrong), "`l1_ratio` must be between 0 and 1");
    assert_eq!(refuse(ElasticNet { c: -1.0, ..params() }), "`C` must be above 0");
    let fitted = fit(&ElasticNet { max_iter: 1, ..params() }, &data);
    assert_eq!((fitted.iterations, fitted.converged), (1, false));
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
        assert_close(&by_weight.linear, &by_rows.linear, 1e-6);
    }
}
