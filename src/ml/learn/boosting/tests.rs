//! Boosting is the same whatever must not matter, keeps its promises, and does what LightGBM does.

use linfa::ParamGuard;
use proptest::prelude::*;

use super::*;
use crate::ml::learn::testing::{dataset, holed, take, unit};
use crate::ml::learn::tree::{Ask, Node};
use crate::ml::learn::{Given, Predictor};
use crate::ml::metrics::Curve;

fn small() -> GradientBoosting {
    GradientBoosting {
        n_estimators: 8,
        num_leaves: 7,
        min_child_samples: 5,
        ..GradientBoosting::default()
    }
}

fn fit(params: GradientBoosting, data: &Dataset) -> Boosted {
    Given::new(params).fit(data).unwrap().boosted
}

fn probabilities(boosted: &Boosted, data: &Dataset) -> Vec<f64> {
    let predictor = Predictor::Boosted(boosted.clone());
    data.records.rows().into_iter().map(|row| predictor.probability(&row.to_vec())).collect()
}

fn roc_auc(boosted: &Boosted, data: &Dataset) -> f64 {
    Curve::new(&data.targets.to_vec(), &probabilities(boosted, data)).roc_auc().unwrap()
}

/// Rows of one number and a class for each value.
fn column(values: &[f64], classes: &[bool]) -> Dataset {
    let x = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
    Dataset::new(x, Array1::from_vec(classes.to_vec()))
}

#[test]
fn any_number_of_threads_gives_the_same_trees() {
    // Enough rows that features, gradients and losses are spread over threads.
    let (data, stop_by) = (dataset(20_000, 6), dataset(6_000, 6));
    let params = GradientBoosting { subsample: 0.7, early_stopping_rounds: 3, ..small() };
    let params = Given::new(params).check().unwrap();
    let on_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| params.fit_until(&data, Some(&stop_by)).unwrap())
    };
    let one = on_threads(1);
    for n in [2, 3, 8] {
        assert_eq!(one, on_threads(n), "{n} threads");
    }
}

#[test]
fn more_trees_change_none_of_those_before() {
    let data = dataset(500, 6);
    let params = GradientBoosting { subsample: 0.5, colsample_bytree: 0.5, ..small() };
    let few = fit(GradientBoosting { n_estimators: 3, ..params.clone() }, &data);
    let many = fit(params.clone(), &data);
    assert_eq!((few.base, &few.trees[..]), (many.base, &many.trees[..3]));
    let other = fit(GradientBoosting { seed: [9; 32], ..params }, &data);
    assert_ne!(other.trees, many.trees);
}

#[test]
fn rows_that_were_drawn_and_those_that_were_not_get_what_the_tree_says() {
    let data = holed(3000);
    let mut is_categorical = vec![false; 6];
    is_categorical[4] = true;
    let hints = FeatureHints { is_categorical, ..FeatureHints::default() };
    let params = GradientBoosting { subsample: 0.4, colsample_bytree: 0.7, hints, ..small() };
    let params = Given::new(params).check().unwrap();
    let mut rounds = params.classes(&data).unwrap();
    for round in 0..4 {
        let before = rounds.scores.clone();
        let tree = rounds.next(round).unwrap().unwrap();
        for (row, x) in data.records.rows().into_iter().enumerate() {
            assert_eq!(rounds.scores[row], before[row] + tree.value(&x.to_vec()), "row {row}");
        }
    }
}

#[test]
fn rows_that_are_let_go_give_the_same_trees() {
    let data = holed(800);
    let params = Given::new(small()).check().unwrap();
    assert_eq!(params.fit_owned(data.clone(), None).unwrap(), params.fit(&data).unwrap());
}

#[test]
fn boosting_tells_the_classes_of_new_rows_apart() {
    let all = dataset(4000, 6);
    let seen = take(&all, &(0..2000).collect::<Vec<_>>());
    let unseen = take(&all, &(2000..4000).collect::<Vec<_>>());
    let boosted = fit(GradientBoosting { n_estimators: 60, ..small() }, &seen);
    assert!(roc_auc(&boosted, &unseen) > 0.78, "{}", roc_auc(&boosted, &unseen));
}

#[test]
fn the_first_step_is_newtons_with_both_penalties() {
    // 4 rows below 0.5, one of them positive; 4 above, all of them.
    let values = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let classes = [true, false, false, false, true, true, true, true];
    let params = GradientBoosting {
        n_estimators: 1,
        min_child_samples: 1,
        reg_alpha: 0.1,
        reg_lambda: 0.5,
        learning_rate: 0.3,
        ..small()
    };
    let boosted = fit(params, &column(&values, &classes));
    let p: f64 = 5.0 / 8.0;
    assert!((boosted.base - libm::log(p / (1.0 - p))).abs() < 1e-15);
    let curvature = 4.0 * p * (1.0 - p);
    let step = |g: f64| {
        let shrunk = if g > 0.0 { g - 0.1 } else { g + 0.1 };
        0.3 * shrunk / (curvature + 0.5)
    };
    let tree = &boosted.trees[0];
    // Rounded to 30 bits per row.
    assert!((tree.value(&[0.0]) - step(1.0 - 4.0 * p)).abs() < 1e-8);
    assert!((tree.value(&[1.0]) - step(4.0 - 4.0 * p)).abs() < 1e-8);
}

#[test]
fn a_missing_value_goes_where_rows_like_it_went() {
    let n = f64::NAN;
    let values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, n, n, n];
    let mut classes = [false, false, false, true, true, true, true, true, true];
    let params = GradientBoosting { min_child_samples: 1, ..small() };
    let boosted = fit(params.clone(), &column(&values, &classes));
    let [low, high, missing] = [0.0, 1.0, n].map(|x| boosted.trees[0].value(&[x]));
    assert!(low < 0.0 && high == missing && missing > 0.0, "{low} {high} {missing}");
    classes[6..].fill(false);
    let boosted = fit(params, &column(&values, &classes));
    let [low, high, missing] = [0.0, 1.0, n].map(|x| boosted.trees[0].value(&[x]));
    assert!(low == missing && high > 0.0, "{low} {high} {missing}");
}

#[test]
fn where_nothing_was_missing_a_missing_value_goes_with_most_rows() {
    let values = [0.0, 1.0, 1.0, 1.0];
    let params = GradientBoosting { min_child_samples: 1, ..small() };
    let boosted = fit(params, &column(&values, &[false, true, true, true]));
    let [high, missing] = [1.0, f64::NAN].map(|x| boosted.trees[0].value(&[x]));
    assert_eq!(high, missing);
}

#[test]
fn a_set_of_categories_is_found_in_one_split_and_an_unknown_one_is_not_in_it() {
    // Odd codes are positive: no order of numbers could tell that in one split.
    let values: Vec<f64> = (0..600).map(|i| f64::from(i % 6)).collect();
    let classes: Vec<bool> = (0..600).map(|i| i % 2 == 1).collect();
    let hints = FeatureHints { is_categorical: vec![true], ..FeatureHints::default() };
    let params = GradientBoosting { n_estimators: 1, num_leaves: 2, hints, ..small() };
    let boosted = fit(params, &column(&values, &classes));
    let root = boosted.trees[0].nodes().next().unwrap();
    let Ask::OneOf(codes) = &root.ask else { panic!("{root:?}") };
    assert!(*codes == [1, 3, 5] || *codes == [0, 2, 4], "{codes:?}");
    let value = |x: f64| boosted.trees[0].value(&[x]);
    let outside = value(if codes[0] == 0 { 1.0 } else { 0.0 });
    for unknown in [6.0, 70.0, 5000.0, -1.0, 0.5, f64::NAN] {
        assert_eq!(value(unknown), outside, "{unknown}");
    }
}

#[test]
fn a_monotone_feature_never_turns_back() {
    let data = dataset(2000, 6);
    for direction in [1, -1] {
        let hints = FeatureHints { monotone: vec![direction], ..FeatureHints::default() };
        let params = GradientBoosting { hints, num_leaves: 15, n_estimators: 30, ..small() };
        let predictor = Predictor::Boosted(fit(params, &data));
        for row in data.records.rows().into_iter().take(100) {
            let mut row = row.to_vec();
            let mut before = None;
            for step in 0..60 {
                row[0] = f64::from(step) / 15.0 - 2.0;
                let p = predictor.probability(&row) * f64::from(direction);
                assert!(before.is_none_or(|before| p >= before), "{direction} at {}", row[0]);
                before = Some(p);
            }
        }
    }
}

#[test]
fn boosting_stops_by_other_rows_and_keeps_the_rounds_up_to_their_best() {
    let all = dataset(1200, 6);
    let seen = take(&all, &(0..600).collect::<Vec<_>>());
    let stop_by = take(&all, &(600..1200).collect::<Vec<_>>());
    let eager = GradientBoosting {
        n_estimators: 200,
        learning_rate: 0.4,
        early_stopping_rounds: 5,
        ..small()
    };
    let fit_until = |params: GradientBoosting, stop_by| {
        Given::new(params).check().unwrap().fit_until(&seen, stop_by).unwrap()
    };
    let stopped = fit_until(eager.clone(), Some(&stop_by));
    let round = stopped.best_round.unwrap() as usize;
    assert_eq!(stopped.boosted.trees.len(), round);
    let patient = fit_until(eager.clone(), None).boosted;
    assert_eq!(
        (stopped.boosted.trees.as_slice(), patient.trees.len()),
        (&patient.trees[..round], 200)
    );
    let log_loss = |n: usize| {
        let boosted = Boosted { base: patient.base, trees: patient.trees[..n].to_vec() };
        let labels = stop_by.targets.to_vec();
        Curve::new(&labels, &probabilities(&boosted, &stop_by)).log_loss().unwrap()
    };
    assert!((1..=round + 5).all(|n| log_loss(n) >= log_loss(round)), "{round}");
}

#[test]
fn nothing_to_learn_from_gives_no_tree() {
    let data = column(&[1.0; 40], &[true, false].repeat(20));
    assert_eq!(fit(small(), &data), Boosted { base: 0.0, trees: Vec::new() });
}

#[test]
fn what_is_out_of_range_is_named() {
    let data = dataset(50, 4);
    let refuse = |params: GradientBoosting| Given::new(params).fit(&data).unwrap_err().to_string();
    let wrong = GradientBoosting { learning_rate: 0.0, ..small() };
    assert_eq!(refuse(wrong), "`learning_rate` must be above 0");
    let wrong = GradientBoosting { subsample: 1.5, ..small() };
    assert_eq!(refuse(wrong), "`subsample` must be above 0 and at most 1");
    let wrong = GradientBoosting { max_bin: 256, ..small() };
    assert_eq!(refuse(wrong), "`max_bin` must be between 2 and 255");
    let mut infinite = data.clone();
    infinite.records[(3, 1)] = f64::INFINITY;
    let error = Given::new(small()).fit(&infinite).unwrap_err().to_string();
    assert_eq!(error, "a feature is not finite");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_rows_does_not_matter(seed in any::<[u8; 32]>()) {
        let data = dataset(400, 4);
        let mut order: Vec<usize> = (0..400).collect();
        Random::new(seed).shuffle(&mut order);
        prop_assert_eq!(fit(small(), &data), fit(small(), &take(&data, &order)));
    }

    #[test]
    fn only_the_order_of_a_features_values_matters(n in 100_usize..300) {
        let data = dataset(n, 4);
        let mut curved = data.clone();
        curved.records.mapv_inplace(|x| x * x * x + 5.0 * x);
        let (plain, bent) = (fit(small(), &data), fit(small(), &curved));
        prop_assert_eq!(probabilities(&plain, &data), probabilities(&bent, &curved));
    }

    #[test]
    fn rows_of_weight_two_are_the_rows_twice(n in 100_usize..250) {
        let data = dataset(n, 4);
        let twice: Vec<usize> = (0..n).chain(0..n).collect();
        let weighted = data.clone().with_weights(Array1::from_elem(n, 2.0));
        // Limits on rows count rows, whatever they weigh.
        let params = GradientBoosting { min_child_samples: 1, min_child_weight: 1.0, ..small() };
        let (heavy, double) =
            (fit(params.clone(), &weighted), fit(params, &take(&data, &twice)));
        prop_assert_eq!(probabilities(&heavy, &data), probabilities(&double, &data));
    }

    #[test]
    fn a_row_without_weight_is_not_there(n in 100_usize..250, which in 0..1000_u64) {
        let data = dataset(n, 4);
        let kept: Vec<usize> = (0..n).filter(|i| unit(which, *i as u64) < 0.7).collect();
        let weight = |i| if kept.binary_search(&i).is_ok() { 1.0 } else { 0.0 };
        let weighted = data.clone().with_weights((0..n).map(weight).collect());
        let params = GradientBoosting { min_child_samples: 1, min_child_weight: 1.0, ..small() };
        let rest = take(&data, &kept);
        let (with, without) = (fit(params.clone(), &weighted), fit(params, &rest));
        prop_assert_eq!(probabilities(&with, &rest), probabilities(&without, &rest));
    }
}

/// The cases of `tests/golden/boosting.py`, with what LightGBM predicts for their rows.
#[test]
fn the_probabilities_are_lightgbms() {
    let golden = include_str!("../../../../tests/golden/boosting.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let data = holed(240);
    for case in golden["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let hints = FeatureHints {
            is_categorical: vec![false, false, false, false, case["categorical"] == true],
            monotone: vec![0, number("monotone") as i8],
        };
        let balanced = case["class_weight"] == "balanced";
        let params = GradientBoosting {
            n_estimators: 10,
            num_leaves: number("num_leaves") as u32,
            max_depth: Some(number("max_depth") as u32).filter(|depth| *depth > 0),
            min_child_samples: 1,
            min_child_weight: number("min_child_weight"),
            reg_alpha: number("reg_alpha"),
            reg_lambda: number("reg_lambda"),
            class_weight: if balanced { ClassWeight::Balanced } else { ClassWeight::None },
            hints,
            ..GradientBoosting::default()
        };
        let expected: Vec<f64> = serde_json::from_value(case["probabilities"].clone()).unwrap();
        let found = probabilities(&fit(params, &data), &data);
        let furthest = found.iter().zip(&expected).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
        // LightGBM sums in single precision per row.
        let told = format!("{case:.200}");
        assert!(furthest < 1e-6, "{furthest}: {told}");
    }
}

#[test]
fn a_tree_tells_how_many_rows_reached_each_node() {
    let data = dataset(500, 6);
    let tree = &fit(small(), &data).trees[0];
    let nodes: Vec<Node> = tree.nodes().collect();
    assert_eq!(nodes[0].rows, 500);
    for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.ask != Ask::Leaf) {
        assert_eq!(node.rows, nodes[at + 1].rows + nodes[node.right as usize].rows);
    }
}
