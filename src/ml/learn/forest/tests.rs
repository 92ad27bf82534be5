//! Trees are the same on any number of threads, and change with nothing that they must not see.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use proptest::prelude::*;

use super::*;
use crate::ml::learn::testing::{dataset, take};
use crate::ml::learn::tree::{Ask, Node};
use crate::ml::learn::{Given, Predictor};

fn tree() -> DecisionTree {
    DecisionTree {
        max_depth: Some(4),
        min_samples_split: 2,
        min_samples_leaf: 1,
        class_weight: ClassWeight::None,
        hints: FeatureHints::default(),
    }
}

fn forest() -> RandomForest {
    RandomForest {
        n_estimators: 12,
        tree: DecisionTree { max_depth: None, ..tree() },
        max_features: MaxFeatures::Sqrt,
        bootstrap: true,
        draw_thresholds: false,
        seed: [1; 32],
    }
}

fn fit_tree(params: DecisionTree, data: &Dataset) -> Tree {
    Given::new(params).fit(data).unwrap().0.remove(0)
}

/// The value of every row's leaf.
fn values(tree: &Tree, data: &Dataset) -> Vec<f64> {
    data.records.rows().into_iter().map(|row| tree.value(&row.to_vec())).collect()
}

#[test]
fn a_tree_asks_for_what_tells_the_classes_apart() {
    let x = Array2::from_shape_vec((6, 2), vec![0., 1., 5., 2., 1., 3., 5., 7., 0., 8., 1., 9.]);
    let targets = Array1::from_vec(vec![false, false, false, true, true, true]);
    let tree = fit_tree(tree(), &Dataset::new(x.unwrap(), targets));
    let nodes: Vec<Node> = tree.nodes().collect();
    assert_eq!((nodes.len(), nodes[0].feature, &nodes[0].ask), (3, 1, &Ask::AtMost(5.0)));
    assert_eq!((tree.value(&[0.0, 5.0]), tree.value(&[0.0, 5.1])), (0.0, 1.0));
}

#[test]
fn of_equally_good_splits_the_first_feature_and_the_lowest_threshold_win() {
    let x = vec![0., 0., 1., 1., 2., 2., 3., 3.];
    let targets = Array1::from_vec(vec![false, true, true, false]);
    let data = Dataset::new(Array2::from_shape_vec((4, 2), x).unwrap(), targets);
    let tree = fit_tree(DecisionTree { max_depth: Some(1), ..tree() }, &data);
    let root = tree.nodes().next().unwrap();
    assert_eq!((root.feature, root.ask), (0, Ask::AtMost(0.5)));
}

#[test]
fn the_values_are_weighted_fractions() {
    let x = Array2::from_shape_vec((4, 1), vec![0.0, 0.0, 0.0, 0.0]).unwrap();
    let data = Dataset::new(x, Array1::from_vec(vec![true, false, false, false]));
    assert_eq!(fit_tree(tree(), &data).value(&[0.0]), 0.25);
    let balanced = DecisionTree { class_weight: ClassWeight::Balanced, ..tree() };
    assert_eq!(fit_tree(balanced, &data).value(&[0.0]), 0.5);
}

#[test]
fn depth_and_leaf_size_are_kept() {
    let data = dataset(400, 6);
    let params = DecisionTree { max_depth: Some(3), min_samples_leaf: 25, ..tree() };
    let tree = fit_tree(params, &data);
    assert!(tree.n_nodes() <= 15);
    let values = values(&tree, &data);
    for value in &values {
        assert!(values.iter().filter(|v| *v == value).count() >= 25);
    }
    let stump = DecisionTree { min_samples_split: 401, ..super::tests::tree() };
    assert_eq!(fit_tree(stump, &data).n_nodes(), 1);
}

#[test]
fn without_limits_a_tree_tells_all_distinct_rows_apart() {
    let data = dataset(300, 6);
    let tree = fit_tree(DecisionTree { max_depth: None, ..tree() }, &data);
    let expected: Vec<f64> = data.targets.iter().map(|y| f64::from(u8::from(*y))).collect();
    assert!(values(&tree, &data).iter().zip(&expected).filter(|(a, b)| a != b).count() < 5);
}

#[test]
fn a_forest_is_the_same_on_any_number_of_threads() {
    let data = dataset(500, 6);
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| Given::new(forest()).fit(&data).unwrap())
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(8));
}

#[test]
fn a_forest_follows_its_seed_and_a_tree_added_changes_no_other() {
    let data = dataset(200, 6);
    let fit = |params: RandomForest| Given::new(params).fit(&data).unwrap().0;
    let trees = fit(forest());
    assert_eq!(trees[..5], fit(RandomForest { n_estimators: 5, ..forest() }));
    assert_ne!(trees, fit(RandomForest { seed: [2; 32], ..forest() }));
    assert_ne!(trees[0], trees[1]);
}

#[test]
fn a_forest_tells_the_classes_apart() {
    let (seen, unseen) = (dataset(1000, 6), dataset(2000, 6));
    let unseen = take(&unseen, &(1000..2000).collect::<Vec<_>>());
    let forest = RandomForest {
        n_estimators: 50,
        tree: DecisionTree { min_samples_leaf: 5, ..forest().tree },
        ..forest()
    };
    let predictor = Predictor::Trees(Given::new(forest).fit(&seen).unwrap());
    let right = |(row, y): (ndarray::ArrayView1<'_, f64>, &bool)| {
        (predictor.probability(&row.to_vec()) >= 0.5) == *y
    };
    let n_right =
        unseen.records.rows().into_iter().zip(&unseen.targets).filter(|z| right(*z)).count();
    assert!(n_right > 720, "{n_right}");
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let data = dataset(50, 4);
    let refuse = |params: DecisionTree, data: &Dataset| {
        Given::new(params).fit(data).unwrap_err().to_string()
    };
    let wrong = DecisionTree { max_depth: Some(0), ..tree() };
    assert_eq!(refuse(wrong, &data), "`max_depth` must be at least 1");
    let mut weights = Array1::from_elem(50, 2.0);
    weights[7] = -1.0;
    let weighted = data.clone().with_weights(weights);
    assert_eq!(refuse(tree(), &weighted), "row 7 has the weight -1");
    let one_class = Dataset::new(data.records.clone(), Array1::from_elem(50, false));
    assert_eq!(refuse(tree(), &one_class), "all rows are of one class");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn only_the_order_of_a_features_values_matters(n in 20_usize..200) {
        let data = dataset(n, 4);
        let mut curved = data.clone();
        curved.records.mapv_inplace(|x| x * x * x + 5.0 * x);
        let (plain, curved_tree) = (fit_tree(tree(), &data), fit_tree(tree(), &curved));
        prop_assert_eq!(values(&plain, &data), values(&curved_tree, &curved));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(seed in any::<[u8; 32]>()) {
        let data = dataset(300, 4);
        let mut order: Vec<usize> = (0..300).collect();
        Random::new(seed).shuffle(&mut order);
        prop_assert_eq!(fit_tree(tree(), &data), fit_tree(tree(), &take(&data, &order)));
    }

    #[test]
    fn a_row_that_comes_twice_in_all_rows_changes_nothing(n in 20_usize..100) {
        let data = dataset(n, 4);
        let twice: Vec<usize> = (0..n).chain(0..n).collect();
        let (once, twice) = (fit_tree(tree(), &data), fit_tree(tree(), &take(&data, &twice)));
        let twice_counted: Vec<Node> =
            once.nodes().map(|node| Node { rows: 2 * node.rows, ..node }).collect();
        prop_assert_eq!(twice_counted, twice.nodes().collect::<Vec<_>>());
    }
}

#[test]
fn the_probabilities_of_a_tree_are_scikit_learns() {
    let golden = include_str!("../../../../tests/golden/tree.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let data = dataset(240, 6);
    for case in golden["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap();
        let balanced = case["class_weight"] == "balanced";
        let params = DecisionTree {
            max_depth: Some(number("max_depth") as u32),
            min_samples_split: number("min_samples_split"),
            min_samples_leaf: number("min_samples_leaf"),
            class_weight: if balanced { ClassWeight::Balanced } else { ClassWeight::None },
            ..tree()
        };
        let expected: Vec<f64> = serde_json::from_value(case["probabilities"].clone()).unwrap();
        let values = values(&fit_tree(params, &data), &data);
        let is_close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(values.len() == 240 && values.iter().zip(&expected).all(is_close), "{case}");
    }
}
