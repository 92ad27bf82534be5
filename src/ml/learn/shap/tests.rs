//! The parts are Shapley's, by their definition over all sets of features, and those of `shap`.

use proptest::prelude::*;

use crate::ml::learn::boosting::GradientBoosting;
use crate::ml::learn::document::TreeDocument;
use crate::ml::learn::forest::{DecisionTree, MaxFeatures, RandomForest};
use crate::ml::learn::testing::dataset;
use crate::ml::learn::tree::Tree;
use crate::ml::learn::{ClassWeight, FeatureHints, Given, Predictor};
use linfa::traits::Fit;

/// The value of a tree when only the features of `known` are: elsewhere both children count.
fn value_knowing(tree: &Tree, row: &[f64], known: u32, node: usize) -> f64 {
    if tree.is_leaf(node) {
        return tree.value_of(node);
    }
    if known & (1 << tree.feature_of(node)) != 0 {
        return value_knowing(tree, row, known, tree.next(node, row));
    }
    let child = |child: usize| {
        let share = tree.rows(child) as f64 / tree.rows(node) as f64;
        share * value_knowing(tree, row, known, child)
    };
    child(node + 1) + child(tree.right_of(node))
}

/// Shapley's value of a feature: what it adds to every set of others, weighted by their orders.
fn shapley(tree: &Tree, row: &[f64], feature: usize) -> f64 {
    let width = row.len() as u32;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let sets = (0..1_u32 << width).filter(|set| set & (1 << feature) == 0);
    let added = |set: u32| {
        let n = set.count_ones();
        let orders = factorial(n) * factorial(width - n - 1) / factorial(width);
        let with = value_knowing(tree, row, set | 1 << feature, 0);
        orders * (with - value_knowing(tree, row, set, 0))
    };
    sets.map(added).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_parts_are_shapleys_by_definition(which in 0..300_usize, seed in any::<u8>()) {
        let data = dataset(300, 6);
        let params = GradientBoosting {
            n_estimators: 3,
            num_leaves: 12,
            min_child_samples: 3,
            subsample: 0.8,
            seed: [seed; 32],
            ..GradientBoosting::default()
        };
        let boosted = Given::new(params).fit(&data).unwrap().boosted;
        let row = data.records.row(which).to_vec();
        for tree in &boosted.trees {
            let mut parts = vec![0.0; 6];
            tree.contribute(&row, &mut parts).unwrap();
            for (feature, part) in parts.iter().enumerate() {
                let expected = shapley(tree, &row, feature);
                prop_assert!((part - expected).abs() < 1e-12, "{} {}", part, expected);
            }
        }
    }

    #[test]
    fn the_parts_add_up_to_the_margin(which in 0..300_usize) {
        let data = dataset(300, 6);
        let row = data.records.row(which).to_vec();
        let boosting = GradientBoosting { n_estimators: 20, ..GradientBoosting::default() };
        let boosted = Given::new(boosting);
        let boosted = Predictor::Boosted(boosted.fit(&data).unwrap().boosted);
        let explanation = boosted.explain(&row).unwrap();
        let margin = explanation.base + explanation.parts.iter().sum::<f64>();
        let p = boosted.probability(&row);
        prop_assert!((margin - libm::log(p / (1.0 - p))).abs() < 1e-9);

        let forest = RandomForest {
            n_estimators: 5,
            tree: DecisionTree {
                max_depth: Some(8),
                min_samples_split: 2,
                min_samples_leaf: 2,
                class_weight: ClassWeight::Balanced,
                hints: FeatureHints::default(),
            },
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
            draw_thresholds: false,
            seed: [1; 32],
        };
        let forest = Predictor::Trees(Given::new(forest).fit(&data).unwrap());
        let explanation = forest.explain(&row).unwrap();
        let margin = explanation.base + explanation.parts.iter().sum::<f64>();
        prop_assert!((margin - forest.probability(&row)).abs() < 1e-12);
    }
}

#[test]
fn the_parts_are_those_of_the_package_shap() {
    let golden = include_str!("../../../../tests/golden/tree_shap.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let width = golden["width"].as_u64().unwrap() as usize;
    let is_close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    for case in golden["cases"].as_array().unwrap() {
        let document: TreeDocument = serde_json::from_value(case["tree"].clone()).unwrap();
        let tree = document.into_tree(width).unwrap();
        assert!(is_close(tree.expected().unwrap(), case["expected"].as_f64().unwrap()));
        let numbers = |name: &str| {
            let rows: Vec<Vec<Option<f64>>> = serde_json::from_value(case[name].clone()).unwrap();
            let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
            rows.into_iter().map(move |row| row.into_iter().map(number).collect::<Vec<f64>>())
        };
        for (row, expected) in numbers("rows").zip(numbers("values")) {
            let mut parts = vec![0.0; width];
            tree.contribute(&row, &mut parts).unwrap();
            let are_close = parts.iter().zip(&expected).all(|(a, b)| is_close(*a, *b));
            assert!(are_close, "{row:?}: {parts:?}, not {expected:?}");
        }
    }
}

#[test]
fn what_cannot_be_explained_says_so() {
    use crate::ml::learn::tree::{Ask, Node};
    let leaf = |value| Node::leaf(value, 0);
    let root = Node { ask: Ask::AtMost(1.5), right: 2, ..leaf(0.5) };
    let tree = Tree::new(vec![root, leaf(0.0), leaf(1.0)], 1).unwrap();
    let why = tree.contribute(&[0.0], &mut [0.0]).unwrap_err();
    assert_eq!(why, "the trees do not tell how many training rows reached each node");
    assert_eq!(tree.expected(), None);
    let rows = 10_000_u64;
    let mut chain: Vec<Node> = Vec::new();
    for at in 0..u32::from(u16::MAX) / 50 {
        // Each asks, its left child is the next node, its right child the last leaf.
        let ask = Ask::AtMost(f64::from(at));
        chain.push(Node { ask, right: 0, ..Node::leaf(0.0, rows - u64::from(at)) });
    }
    let n_inner = chain.len();
    chain.push(Node::leaf(0.0, 1));
    for at in (0..n_inner).rev() {
        chain[at].right = chain.len() as u32;
        chain.push(Node::leaf(1.0, 1));
    }
    let tree = Tree::new(chain, 1).unwrap();
    let why = tree.contribute(&[0.0], &mut [0.0]).unwrap_err();
    assert_eq!(why, "a tree is too deep to be explained");
}
