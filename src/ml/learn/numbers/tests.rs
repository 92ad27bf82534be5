//! Learners of numbers, against scikit-learn (`tests/golden/regression.py`) and by what must hold.

use linfa::ParamGuard as _;
use linfa::traits::Fit as _;
use ndarray::array;
use serde_json::Value;

use super::super::boosting::GradientBoosting;
use super::super::forest::{DecisionTree, MaxFeatures, RandomForest};
use super::super::ridge::Ridge;
use super::super::testing::{dataset, unit};
use super::super::tree::Ask;
use super::super::{ClassWeight, FeatureHints, Given};
use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/golden/regression.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The rows of the golden script.
fn rows(is_weighted: bool) -> Numbers {
    let targets = numbers(&golden()["targets"]);
    let weights: Vec<f32> = (0..targets.len()).map(|i| (1 + i % 3) as f32).collect();
    let rows = Numbers::new(dataset(targets.len(), 6).records, Array1::from_vec(targets));
    if is_weighted { rows.with_weights(Array1::from_vec(weights)) } else { rows }
}

fn tree(max_depth: u64, min_samples_leaf: u64, min_samples_split: u64) -> DecisionTree {
    DecisionTree {
        max_depth: Some(max_depth as u32),
        min_samples_split,
        min_samples_leaf,
        class_weight: ClassWeight::None,
        hints: FeatureHints::default(),
    }
}

fn predicted(predictor: &Predictor, rows: &Numbers) -> Vec<f64> {
    rows.records.rows().into_iter().map(|row| predictor.margin(&row.to_vec())).collect()
}

/// Both are near 1000, so that 1e-6 is the ninth digit of a prediction.
fn assert_near(found: &[f64], expected: &[f64], what: &Value) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}: {what}");
    }
}

#[test]
fn a_tree_of_numbers_predicts_what_scikit_learns_does() {
    for case in golden()["trees"].as_array().unwrap() {
        let of = |name: &str| case[name].as_u64().unwrap();
        let rows = rows(case["weighted"].as_bool().unwrap());
        let params = tree(of("max_depth"), of("min_samples_leaf"), of("min_samples_split"));
        let trees = Given::new(params).fit(&rows).unwrap();
        let found = predicted(&Predictor::Trees(trees), &rows);
        assert_near(&found, &numbers(&case["predictions"]), &case["max_depth"]);
    }
}

#[test]
fn boosting_of_numbers_predicts_what_scikit_learns_does() {
    for case in golden()["boosted"].as_array().unwrap() {
        let of = |name: &str| case[name].as_u64().unwrap();
        let depth = of("max_depth") as u32;
        let params = GradientBoosting {
            n_estimators: of("n_estimators") as u32,
            learning_rate: case["learning_rate"].as_f64().unwrap(),
            num_leaves: 1 << depth,
            max_depth: Some(depth),
            min_child_samples: of("min_samples_leaf"),
            ..GradientBoosting::default()
        };
        let rows = rows(false);
        let fitted = Given::new(params).check().unwrap().fit_numbers_until(&rows, None).unwrap();
        let found = predicted(&Predictor::Boosted(fitted.boosted), &rows);
        assert_near(&found, &numbers(&case["predictions"]), &case["max_depth"]);
    }
}

#[test]
fn a_ridge_has_the_coefficients_of_scikit_learns() {
    for case in golden()["ridges"].as_array().unwrap() {
        let params = Ridge {
            alpha: case["alpha"].as_f64().unwrap(),
            fit_intercept: case["fit_intercept"].as_bool().unwrap(),
        };
        let fitted = Given::new(params).fit(&rows(case["weighted"].as_bool().unwrap())).unwrap();
        assert_near(&fitted.coefficients, &numbers(&case["coefficients"]), case);
        assert_near(&[fitted.intercept], &[case["intercept"].as_f64().unwrap()], case);
    }
}

fn forest(draw_thresholds: bool) -> RandomForest {
    RandomForest {
        n_estimators: 20,
        tree: tree(8, 5, 2),
        max_features: MaxFeatures::Sqrt,
        bootstrap: !draw_thresholds,
        draw_thresholds,
        seed: [7; 32],
    }
}

/// The mean squared error of 0 is that of the mean of all rows.
fn part_explained(predictor: &Predictor, rows: &Numbers) -> f64 {
    let mean = rows.targets.sum() / rows.targets.len() as f64;
    let sum = |of: &dyn Fn(usize, f64) -> f64| -> f64 {
        rows.targets.iter().enumerate().map(|(i, y)| of(i, *y)).sum()
    };
    let found = predicted(predictor, rows);
    1.0 - sum(&|i, y| (y - found[i]) * (y - found[i])) / sum(&|_, y| (y - mean) * (y - mean))
}

#[test]
fn forests_of_numbers_explain_most_and_follow_from_their_seed() {
    for draw_thresholds in [false, true] {
        let rows = rows(false);
        let fit = |forest| Predictor::Trees(Given::new(forest).fit(&rows).unwrap());
        let fitted = fit(forest(draw_thresholds));
        assert_eq!(fitted, fit(forest(draw_thresholds)));
        assert_ne!(fitted, fit(RandomForest { seed: [8; 32], ..forest(draw_thresholds) }));
        let part = part_explained(&fitted, &rows);
        assert!(part > 0.5, "{part}, drawn: {draw_thresholds}");
    }
}

#[test]
fn any_number_of_threads_and_any_order_of_rows_gives_the_same_trees() {
    let rows = rows(false);
    let reversed: Vec<usize> = (0..rows.targets.len()).rev().collect();
    let reversed = Numbers::new(
        rows.records.select(ndarray::Axis(0), &reversed),
        rows.targets.select(ndarray::Axis(0), &reversed),
    );
    let fit = |threads: usize, rows: &Numbers| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let boosted = Given::new(GradientBoosting::default()).check().unwrap();
            let tree = Given::new(tree(6, 5, 2)).fit(rows).unwrap();
            (boosted.fit_numbers_until(rows, None).unwrap(), tree)
        })
    };
    let first = fit(1, &rows);
    for threads in [2, 8] {
        assert_eq!(fit(threads, &rows), first, "{threads} threads");
    }
    assert_eq!(fit(2, &reversed), first);
}

#[test]
fn equal_targets_grow_no_tree_and_are_what_is_predicted() {
    let records = dataset(300, 6).records;
    let rows = Numbers::new(records, Array1::from_elem(300, 0.1));
    let trees = Given::new(forest(false)).fit(&rows).unwrap();
    assert!(trees.0.iter().all(|tree| tree.n_nodes() == 1 && tree.value(&[0.0; 6]) == 0.1));
    let boosted = Given::new(GradientBoosting::default()).check().unwrap();
    let fitted = boosted.fit_numbers_until(&rows, None).unwrap().boosted;
    assert_eq!((fitted.trees.len(), fitted.base), (0, 0.1));
}

#[test]
fn a_group_of_equal_targets_is_not_split_whatever_was_drawn_of_it() {
    let mut rows = rows(false);
    for (i, target) in rows.targets.iter_mut().enumerate() {
        *target = if rows.records[[i, 0]] > 0.0 { 0.7 } else { 10.0 + unit(i as u64, 400) };
    }
    let trees = Given::new(RandomForest { max_features: MaxFeatures::All, ..forest(false) });
    let trees = trees.fit(&rows).unwrap();
    for tree in &trees.0 {
        let pure = tree.value(&[1.9; 6]);
        // A step of the fixed point is 2^-29 of the spread times the most that a row was drawn.
        assert!((pure - 0.7).abs() < 1e-7, "{pure}");
        assert!(tree.nodes().all(|node| node.ask == Ask::Leaf || node.value != pure));
    }
}

#[test]
fn boosting_of_numbers_ends_when_other_rows_say_so() {
    let noise = |seed: u64| {
        let targets = (0..240).map(|i| unit(i, seed)).collect();
        Numbers::new(dataset(240, 6).records, Array1::from_vec(targets))
    };
    let params = GradientBoosting { early_stopping_rounds: 5, ..GradientBoosting::default() };
    let params = Given::new(params).check().unwrap();
    let fitted = params.fit_numbers_until(&noise(500), Some(&noise(501))).unwrap();
    let best = fitted.best_round.unwrap() as usize;
    assert!(best < 20 && fitted.boosted.trees.len() == best, "{best}");
}

#[test]
fn the_mean_is_the_same_in_any_order_of_rows() {
    let mean = |targets: [f64; 4]| {
        let rows = Array2::zeros((4, 1));
        Centred::of(&Numbers::new(rows, Array1::from_vec(targets.to_vec()))).unwrap().mean
    };
    let first = mean([0.1, 0.2, 0.3, 1e9]);
    assert_eq!(first, mean([1e9, 0.3, 0.2, 0.1]));
    assert_eq!(first, mean([0.2, 1e9, 0.1, 0.3]));
}

#[test]
fn a_target_that_is_no_number_and_rows_without_weight_are_refused() {
    let rows = Array2::zeros((2, 1));
    let wrong = Centred::of(&Numbers::new(rows.clone(), array![1.0, f64::NAN])).unwrap_err();
    assert_eq!(wrong.to_string(), "row 1 has the target NaN");
    let light = Numbers::new(rows, array![1.0, 2.0]).with_weights(array![0.0, 0.0]);
    assert_eq!(Centred::of(&light).unwrap_err().to_string(), "no row has a weight");
}
