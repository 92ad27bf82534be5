//! Margins are LinearSVC's, probabilities CalibratedClassifierCV's, folds StratifiedKFold's.

use linfa::traits::Fit;
use serde_json::Value;

use super::*;
use crate::ml::learn::testing::{dataset, take, unrepeated, weighted};
use crate::ml::learn::{Given, Predictor};

fn params() -> LinearSvm {
    LinearSvm {
        c: 1.0,
        class_weight: ClassWeight::None,
        max_iter: 100,
        tol: 1e-9,
        fit_intercept: true,
        intercept_scaling: 1.0,
        cv: 5,
    }
}

fn fit(params: &LinearSvm, dataset: &Dataset) -> FittedSvm {
    Given::new(params.clone()).fit(dataset).unwrap()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/golden/linear.json")).unwrap()
}

#[test]
fn margins_and_probabilities_are_scikit_learns() {
    let data = unrepeated();
    for case in golden()["linear_svm"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let balanced = case["class_weight"] == "balanced";
        let params = LinearSvm {
            c: number("C"),
            class_weight: if balanced { ClassWeight::Balanced } else { ClassWeight::None },
            fit_intercept: case["fit_intercept"].as_bool().unwrap(),
            intercept_scaling: number("intercept_scaling"),
            ..params()
        };
        let fitted = fit(&params, &weighted(&data, case["weighted"] == true));
        assert!(fitted.converged && fitted.iterations < 20, "{fitted:?}");
        let coefficients = case["coefficients"].as_array().unwrap();
        for (found, expected) in fitted.margin.coefficients.iter().zip(coefficients) {
            assert!((found - expected.as_f64().unwrap()).abs() < 1e-6, "{case} {fitted:?}");
        }
        assert!((fitted.margin.intercept - number("intercept")).abs() < 1e-6, "{fitted:?}");
        let line = fitted.sigmoid;
        assert!((line.a - number("a")).abs() < 1e-6 && (line.b - number("b")).abs() < 1e-6);
        let predictor = Predictor::Linear(fitted.linear);
        for (i, expected) in case["probabilities"].as_array().unwrap().iter().enumerate() {
            let found = predictor.probability(&data.records.row(i).to_vec());
            // scikit-learn's own line ends where the gradient is 1e-6.
            assert!((found - expected.as_f64().unwrap()).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn folds_are_those_of_scikit_learns_stratified_k_fold() {
    let targets = unrepeated().targets.iter().take(37).copied().collect();
    let expected: Vec<u32> = serde_json::from_value(golden()["folds"].clone()).unwrap();
    assert_eq!(stratified(&targets, 3).unwrap(), expected);
}

#[test]
fn the_log_odds_are_platts_line_through_the_margin() {
    let data = dataset(500, 5);
    let fitted = fit(&LinearSvm { class_weight: ClassWeight::Balanced, ..params() }, &data);
    assert!(fitted.sigmoid.a < 0.0, "the margin ranks rightly");
    for row in data.records.rows() {
        let row = row.to_vec();
        let line = -(fitted.sigmoid.a * fitted.margin.log_odds(&row) + fitted.sigmoid.b);
        assert!((fitted.linear.log_odds(&row) - line).abs() < 1e-12);
    }
}

#[test]
fn the_probabilities_are_about_as_high_as_rows_are_positive() {
    let data = dataset(4000, 5);
    let fitted = fit(&LinearSvm { class_weight: ClassWeight::Balanced, ..params() }, &data);
    let predictor = Predictor::Linear(fitted.linear);
    let sum: f64 =
        data.records.rows().into_iter().map(|r| predictor.probability(&r.to_vec())).sum();
    let n_positive = data.targets.iter().filter(|y| **y).count() as f64;
    assert!((sum - n_positive).abs() < 0.01 * 4000.0, "{sum} {n_positive}");
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
fn too_few_rows_for_the_folds_and_parameters_out_of_range_are_refused() {
    let data = dataset(100, 4);
    let refuse =
        |params: LinearSvm, data: &Dataset| Given::new(params).fit(data).unwrap_err().to_string();
    let positives: Vec<usize> = (0..100).filter(|i| data.targets[*i]).collect();
    let few: Vec<usize> =
        (0..100).filter(|i| !data.targets[*i]).chain(positives.into_iter().take(3)).collect();
    let expected = "`cv` is 5, and one of the classes has 3 rows";
    assert_eq!(refuse(params(), &take(&data, &few)), expected);
    assert_eq!(refuse(LinearSvm { cv: 1, ..params() }, &data), "`cv` must be at least 2");
    let wrong = LinearSvm { intercept_scaling: 0.0, ..params() };
    assert_eq!(refuse(wrong, &data), "`intercept_scaling` must be above 0");
}
