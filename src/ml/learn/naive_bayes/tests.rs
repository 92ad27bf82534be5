//! Probabilities are GaussianNB's and CategoricalNB's; holes say nothing; parts add up.

use linfa::traits::Fit;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ml::learn::testing::{dataset, holed, take, unit, unrepeated, weighted};
use crate::ml::learn::{Given, Predictor};

fn params() -> NaiveBayes {
    NaiveBayes {
        var_smoothing: 1e-9,
        alpha: 1.0,
        fit_prior: true,
        class_weight: ClassWeight::None,
        hints: FeatureHints::default(),
    }
}

fn fit(params: &NaiveBayes, dataset: &Dataset) -> Bayes {
    Given::new(params.clone()).fit(dataset).unwrap()
}

fn codes_at(features: &[usize], width: usize) -> FeatureHints {
    let is_categorical = (0..width).map(|j| features.contains(&j)).collect();
    FeatureHints { is_categorical, monotone: Vec::new() }
}

#[track_caller]
fn assert_probabilities(bayes: Bayes, data: &Dataset, expected: &Value) {
    let predictor = Predictor::Bayes(bayes);
    for (i, expected) in expected.as_array().unwrap().iter().enumerate() {
        let found = predictor.probability(&data.records.row(i).to_vec());
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-10, "row {i}: {found} {expected}");
    }
}

#[test]
fn the_probabilities_are_scikit_learns() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../../tests/golden/linear.json")).unwrap();
    let data = unrepeated();
    for case in golden["naive_bayes"]["gaussian"].as_array().unwrap() {
        let var_smoothing = case["var_smoothing"].as_f64().unwrap();
        let data = weighted(&data, case["weighted"] == true);
        let bayes = fit(&NaiveBayes { var_smoothing, ..params() }, &data);
        assert_probabilities(bayes, &data, &case["probabilities"]);
    }
    let code = |(i, j): (usize, usize)| {
        f64::from((unit(i as u64, 300 + j as u64) * (3 + 2 * j) as f64) as u32)
    };
    let codes = Dataset::new(Array2::from_shape_fn((600, 3), code), data.targets.clone());
    for case in golden["naive_bayes"]["categorical"].as_array().unwrap() {
        let params = NaiveBayes {
            alpha: case["alpha"].as_f64().unwrap(),
            fit_prior: case["fit_prior"].as_bool().unwrap(),
            hints: codes_at(&[0, 1, 2], 3),
            ..params()
        };
        let codes = weighted(&codes, case["weighted"] == true);
        assert_probabilities(fit(&params, &codes), &codes, &case["probabilities"]);
    }
}

#[test]
fn a_missing_value_and_an_unseen_category_say_nothing() {
    let bayes = fit(&NaiveBayes { hints: codes_at(&[4], 6), ..params() }, &holed(500));
    let row = [0.3, 0.1, 1.0, 0.2, 3.0, 0.5];
    let with = |j: usize, x: f64| {
        let mut row = row;
        row[j] = x;
        bayes.parts(&row)[j]
    };
    assert!(with(0, 0.3) != 0.0 && with(4, 3.0) != 0.0);
    for (j, x) in [(0, f64::NAN), (4, f64::NAN), (4, 999.0), (4, -1.0)] {
        assert_eq!(with(j, x), 0.0, "{x} for feature {j}");
    }
}

#[test]
fn a_feature_without_values_in_a_class_or_of_one_value_says_nothing() {
    let mut data = dataset(200, 4);
    data.records.column_mut(0).fill(7.0);
    for (i, positive) in data.targets.iter().enumerate().filter(|(_, positive)| **positive) {
        data.records[(i, 1)] = if *positive { f64::NAN } else { 0.0 };
    }
    let bayes = fit(&NaiveBayes { var_smoothing: 0.0, ..params() }, &data);
    assert_eq!(bayes.evidence[..2], [Evidence::Nothing, Evidence::Nothing]);
}

#[test]
fn weights_of_classes_move_the_base_alone() {
    let data = holed(500);
    let params = NaiveBayes { hints: codes_at(&[4], 6), ..params() };
    let plain = fit(&params, &data);
    let balanced =
        fit(&NaiveBayes { class_weight: ClassWeight::Balanced, ..params.clone() }, &data);
    assert!(balanced.base.abs() < 1e-12 && plain.base.abs() > 0.1);
    assert_eq!(balanced.evidence, plain.evidence);
    assert_eq!(fit(&NaiveBayes { fit_prior: false, ..params }, &data).base, 0.0);
}

#[test]
fn numbers_far_out_still_give_probabilities() {
    let bayes = fit(&params(), &dataset(200, 4));
    let predictor = Predictor::Bayes(bayes);
    predictor.check(4).unwrap();
    for x in [1e100, -1e100, f64::MAX, f64::INFINITY, 1e-300] {
        let p = predictor.probability(&[x, -x, x, x]);
        assert!((0.0..=1.0).contains(&p), "{p} for {x}");
    }
}

#[test]
fn what_is_no_distribution_is_refused() {
    let wrong = |evidence: Value| {
        let evidence: Vec<Evidence> = serde_json::from_value(json!([evidence])).unwrap();
        Predictor::Bayes(Bayes { base: 0.0, evidence }).check(1).is_err()
    };
    let gaussian = |mean: f64, variance: f64| {
        let document = json!({"mean": [0.0, mean], "variance": [1.0, variance]});
        json!({ "gaussian": document })
    };
    assert!(!wrong(gaussian(0.0, 1.0)) && !wrong(json!("nothing")));
    assert!(wrong(gaussian(1e101, 1.0)) && wrong(gaussian(0.0, 0.0)) && wrong(gaussian(0.0, -1.0)));
    assert!(wrong(json!({"categorical": [1e101]})));
    let bayes = Bayes { base: 0.0, evidence: vec![Evidence::Nothing] };
    let told = Predictor::Bayes(bayes).check(2).unwrap_err();
    assert_eq!(told, "1 features for 2");
}

#[test]
fn parameters_out_of_range_are_refused() {
    let refuse =
        |params: NaiveBayes| Given::new(params).fit(&dataset(50, 4)).unwrap_err().to_string();
    let wrong = NaiveBayes { var_smoothing: -1.0, ..params() };
    assert_eq!(refuse(wrong), "`var_smoothing` must be at least 0");
    assert_eq!(refuse(NaiveBayes { alpha: 0.0, ..params() }), "`alpha` must be above 0");
    let codes = NaiveBayes { hints: codes_at(&[0], 4), ..params() };
    assert!(refuse(codes).ends_with("is no code of a category"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_row_that_comes_twice_counts_as_one_of_weight_two(
        counts in proptest::collection::vec(1_usize..4, 80),
    ) {
        let data = holed(80);
        let repeated: Vec<usize> =
            counts.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i, *n)).collect();
        let weights = counts.iter().map(|n| *n as f32).collect();
        let params = NaiveBayes { hints: codes_at(&[4], 6), ..params() };
        let by_weight = fit(&params, &data.clone().with_weights(weights));
        let by_rows = fit(&params, &take(&data, &repeated));
        for row in data.records.rows() {
            let row = row.to_vec();
            let (a, b) = (by_weight.log_odds(&row), by_rows.log_odds(&row));
            prop_assert!((a - b).abs() < 1e-9 * (1.0 + a.abs()), "{} {}", a, b);
        }
    }

    #[test]
    fn the_parts_add_up_to_the_log_odds(which in 0..300_usize) {
        let data = holed(300);
        let bayes = fit(&NaiveBayes { hints: codes_at(&[4], 6), ..params() }, &data);
        let row = data.records.row(which).to_vec();
        let log_odds = bayes.log_odds(&row);
        let explanation = Predictor::Bayes(bayes).explain(&row).unwrap();
        let sum = explanation.base + explanation.parts.iter().sum::<f64>();
        prop_assert!((sum - log_odds).abs() < 1e-9);
    }
}
