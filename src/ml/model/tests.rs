//! A model reads back to the same bits, and bytes that are none are refused, whatever they are.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ml::calibration::{Isotonic, Method, log_odds};
use crate::ml::training::tests::{learners, table, train_on};

fn models() -> Vec<Model> {
    let table = table(300);
    learners().iter().map(|learner| train_on(&table, learner).model).collect()
}

/// The models, calibrated: one of each method.
fn calibrated() -> Vec<Model> {
    let fit = |method, model: Model| {
        let calibration =
            Calibration::fit(method, &[0.2, 0.6, 0.4, 0.9], &[false, false, true, true]);
        model.calibrated(calibration.unwrap()).unwrap()
    };
    let mut models = models();
    let last = models.remove(2);
    vec![fit(Method::Sigmoid, models.remove(0)), fit(Method::Isotonic, last)]
}

/// A model of one number and one tree, as JSON to be damaged.
fn small() -> Value {
    json!({
        "format": FORMAT,
        "learner": "decision_tree",
        "target": "y",
        "classes": [0, 1],
        "features": [
            {"name": "x", "kind": "numeric",
             "transform": {"number": {"impute": 0.0, "mean": 0.0, "scale": 1.0}}},
        ],
        "predictor": {"trees": [{
            "feature": [0, null, null],
            "right": [2, null, null],
            "threshold": [0.5, null, null],
            "value": [0.5, 0.25, 0.75],
        }]},
        "training": {"rows": 4, "positives": 2},
    })
}

#[track_caller]
fn refuses(path: &str, value: Value, expected: &str) {
    let mut document = small();
    *document.pointer_mut(path).unwrap() = value;
    let error = Model::from_bytes(document.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_model_reads_back_to_the_same_bits() {
    let table = table(50);
    for model in models().into_iter().chain(calibrated()) {
        let bytes = model.to_bytes();
        let back = Model::from_bytes(&bytes).unwrap();
        assert_eq!(back, model);
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!(back.probabilities(&table).unwrap(), model.probabilities(&table).unwrap());
    }
}

#[test]
fn a_row_finds_its_leaf() {
    let model = Model::from_bytes(small().to_string().as_bytes()).unwrap();
    assert_eq!(model.probability(&[Cell::Number(0.5)]), 0.25);
    assert_eq!(model.probability(&[Cell::Number(0.6)]), 0.75);
    assert_eq!(model.probability(&[Cell::Missing]), 0.25);
    assert_eq!(model.probability(&[]), 0.25);
    assert_eq!((model.target(), model.learner()), ("y", "decision_tree"));
    assert_eq!(model.features()[0].kind, FeatureKind::Numeric);
    assert_eq!(model.coefficients(), None);
}

#[test]
fn a_model_that_could_not_predict_is_refused() {
    refuses("/format", json!("pipeline.model/2"), "not a model of format pipeline.model/1");
    refuses("/classes", json!([1, 1]), "two different scalars");
    refuses("/classes", json!([[], {}]), "two different scalars");
    refuses("/predictor/trees", json!([]), "the model has no tree");
    let tree = "/predictor/trees/0";
    refuses(&format!("{tree}/value"), json!([0.5, 0.25]), "differ in length");
    refuses(&format!("{tree}/value/1"), json!(1.5), "not a fraction");
    refuses(&format!("{tree}/feature/0"), json!(1), "asks for feature 1 of 1");
    refuses(&format!("{tree}/feature/0"), json!(null), "neither a leaf nor a split");
    refuses(&format!("{tree}/right/0"), json!(3), "no such right child");
    // Back to itself: a walk would not end.
    refuses(&format!("{tree}/right/0"), json!(0), "no such right child");
    let number = "/features/0/transform/number";
    refuses(&format!("{number}/scale"), json!(0.0), "scale that is not positive");
    refuses("/features/0/kind", json!("categorical"), "a transform of numbers");
    let transform = json!({"one_hot": {"impute": null, "categories": ["b", "a"]}});
    refuses("/features/0/transform", transform, "categories that are not sorted");
    refuses("/predictor", json!({"linear": {"intercept": 0, "coefficients": []}}), "do not name");
    refuses("/predictor", json!({"pickle": ""}), "unknown variant");
    refuses("/training", json!({"rows": -1, "positives": 0}), "not a model");
    let twice = [small()["features"][0].clone(), small()["features"][0].clone()];
    refuses("/features", json!(twice), "feature `x` comes twice");
}

#[test]
fn a_file_of_an_earlier_program_reads_as_what_it_was() {
    let model = Model::from_bytes(small().to_string().as_bytes()).unwrap();
    let written: Value = serde_json::from_slice(&model.to_bytes()).unwrap();
    let steps = json!([{"affine": {"center": 0.0, "scale": 1.0}}]);
    let number = json!({"number": {"impute": 0.0, "steps": steps}});
    assert_eq!(written["features"][0]["transform"], number);
    assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
}

#[test]
fn a_calibration_is_what_the_probability_becomes() {
    let row = [Cell::Number(0.5)];
    let model = || Model::from_bytes(small().to_string().as_bytes()).unwrap();
    assert_eq!((model().probability(&row), model().calibration()), (0.25, None));
    let (x, y) = (vec![0.0, 0.5], vec![0.1, 0.3]);
    let steps = model().calibrated(Calibration::Isotonic(Isotonic { x, y })).unwrap();
    assert_eq!(steps.probability(&row), 0.2);
    let mut document = small();
    document["calibration"] = json!({"sigmoid": {"a": -2.0, "b": 1.0}});
    let line = Model::from_bytes(document.to_string().as_bytes()).unwrap();
    let expected = crate::ml::learn::sigmoid(2.0 * log_odds(0.25) - 1.0);
    assert_eq!(line.probability(&row), expected);
    document["calibration"] = json!({"isotonic": {"x": [0.5], "y": [1.5]}});
    let wrong = Model::from_bytes(document.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(wrong, "a calibration with a point that is not between 0 and 1");
}

#[test]
fn a_transform_that_could_not_encode_is_refused() {
    let number = "/features/0/transform/number";
    let with = |steps: Value| json!({"impute": 0.0, "steps": steps});
    let both = json!({"impute": 0.0, "steps": [], "mean": 0.0, "scale": 1.0});
    refuses(number, both, "`steps`, or `mean` and `scale`");
    let affine = json!([{"affine": {"center": 0.0, "scale": -1.0}}]);
    refuses(number, with(affine), "scale that is not positive");
    let quantile = json!([{"quantile": {"values": [2.0, 1.0], "distribution": "normal"}}]);
    refuses(number, with(quantile), "quantiles that are not ascending");
    let date = json!({"date": {"format": "%m", "parts": []}});
    refuses("/features/0/transform", date, "no `%Y`");
    let levels = json!({"impute": null, "categories": ["1", "2"], "rare": []});
    let means = json!({"target": {"levels": levels, "mean": 0.5, "means": [0.5]}});
    refuses("/features/0/transform", means, "another number of means");
    let log_odds = json!({"linear": {"intercept": 0.0,
        "coefficients": [{"feature": "x", "value": 1.0}]}});
    let mut document = small();
    document["predictor"] = log_odds;
    document["features"][0]["transform"]["number"]["impute"] = json!(null);
    let wrong = Model::from_bytes(document.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(wrong, "`x` may be missing, which has no log-odds");
    let mut document = small();
    let joined = |right: &str| json!([{"left": "x", "right": right, "transform": "product"}]);
    document["interactions"] = joined("z");
    let wrong = Model::from_bytes(document.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(wrong, "interaction `x:z` names no feature `z`");
    document["features"][0]["transform"] = json!({"one_hot": {"impute": null, "categories": []}});
    document["interactions"] = joined("x");
    let wrong = Model::from_bytes(document.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(wrong, "interaction `x:x` has columns of another kind than it joins");
}

#[test]
fn deep_or_huge_documents_are_refused_and_not_followed() {
    let deep = "[".repeat(1_000_000);
    assert!(Model::from_bytes(deep.as_bytes()).is_err());
    let classes = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bytes = small().to_string().replace("[0,1]", &classes);
    assert!(Model::from_bytes(bytes.as_bytes()).is_err());
    let infinite = small().to_string().replace("0.75", "1e999");
    assert!(Model::from_bytes(infinite.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_bytes_never_panic_and_what_is_read_predicts(
        which in 0_usize..6,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO,
    ) {
        thread_local! {
            static BYTES: Vec<Vec<u8>> = models()
                .iter()
                .chain(&calibrated())
                .map(Model::to_bytes)
                .chain([small().to_string().into_bytes()])
                .collect();
        }
        let mut bytes = BYTES.with(|all| all[which].clone());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            // Digits and punctuation get further than any byte.
            bytes[at] = if byte < 128 { b"0123456789-,.:[]{}\"en"[usize::from(byte % 21)] } else { byte };
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(model) = Model::from_bytes(&bytes) {
            let row = vec![Cell::Number(number), Cell::Missing, Cell::Text("blue".into())];
            prop_assert!((0.0..=1.0).contains(&model.probability(&row)));
            prop_assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
        }
    }
}
