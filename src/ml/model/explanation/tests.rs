//! The parts of a column are those of the package `shap`, and all parts add up.

use serde_json::{Value, json};

use super::*;
use crate::ml::calibration::{Calibration, Method};
use crate::ml::model::ModelFeature;

fn golden() -> Vec<Value> {
    let golden = include_str!("../../../../tests/golden/explanations.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

fn cells(model: &Model, row: &Value) -> Vec<Cell> {
    cells_of(model.features(), row)
}

fn cells_of(features: &[ModelFeature], row: &Value) -> Vec<Cell> {
    let cell = |value: &Value| match value {
        Value::Null => Cell::Missing,
        Value::String(text) => Cell::Text(text.into()),
        number => Cell::Number(number.as_f64().unwrap()),
    };
    features.iter().map(|feature| cell(&row[&feature.name])).collect()
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn the_parts_of_columns_are_those_of_the_package_shap() {
    for case in golden() {
        let model = Model::from_bytes(case["model"].to_string().as_bytes()).unwrap();
        let rows = case["rows"].as_array().unwrap();
        for (row, expected) in rows.iter().zip(case["contributions"].as_array().unwrap()) {
            let explained = model.explain(&cells(&model, row)).unwrap();
            assert!(is_close(explained.base, case["base"].as_f64().unwrap()));
            assert_eq!(explained.contributions.len(), expected.as_object().unwrap().len());
            for part in &explained.contributions {
                let expected = expected[&part.field].as_f64().unwrap();
                let found = part.contribution;
                assert!(is_close(found, expected), "{}: {found}, not {expected}", part.field);
            }
        }
    }
}

#[test]
fn the_parts_add_up_to_what_the_model_says() {
    for case in golden() {
        let model = Model::from_bytes(case["model"].to_string().as_bytes()).unwrap();
        for row in case["rows"].as_array().unwrap() {
            let cells = cells(&model, row);
            let explained = model.explain(&cells).unwrap();
            assert!(is_close(explained.answer(), model.probability(&cells)));
        }
    }
}

#[test]
fn the_parts_of_a_number_are_those_of_the_package_shap_and_add_up_to_it() {
    let golden = include_str!("../../../../tests/golden/number_explanations.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let learners: Vec<&Value> = cases.iter().map(|case| &case["model"]["learner"]).collect();
    assert_eq!(learners, ["ridge", "random_forest", "gradient_boosting"]);
    for case in cases {
        let model = Regressor::from_bytes(case["model"].to_string().as_bytes()).unwrap();
        let rows = case["rows"].as_array().unwrap();
        for (row, expected) in rows.iter().zip(case["contributions"].as_array().unwrap()) {
            let cells = cells_of(model.features(), row);
            let explained = model.explain(&cells).unwrap();
            assert_eq!((explained.scale, explained.calibrated), (Scale::Target, None));
            assert!(is_close(explained.base, case["base"].as_f64().unwrap()));
            for part in &explained.contributions {
                let expected = expected[&part.field].as_f64().unwrap();
                assert!(is_close(part.contribution, expected), "{part:?}, not {expected}");
            }
            assert!(is_close(explained.answer(), model.prediction(&cells)));
        }
    }
}

#[test]
fn a_calibrated_model_is_explained_before_its_calibration() {
    let (scores, labels) = ([0.1, 0.4, 0.5, 0.9], [false, true, false, true]);
    for case in golden() {
        let plain = Model::from_bytes(case["model"].to_string().as_bytes()).unwrap();
        let calibration = Calibration::fit(Method::Sigmoid, &scores, &labels).unwrap();
        let calibrated = plain.clone().calibrated(calibration.clone()).unwrap();
        let cells = cells(&plain, &case["rows"][0]);
        let explained = calibrated.explain(&cells).unwrap();
        assert_eq!(explained.calibrated, Some(true));
        assert_eq!(explained.contributions, plain.explain(&cells).unwrap().contributions);
        let after = calibration.apply(explained.answer());
        assert!(is_close(after, calibrated.probability(&cells)));
    }
}

#[test]
fn a_pair_of_columns_has_a_part_of_its_own() {
    let mut document = golden()[0]["model"].clone();
    document["interactions"] = json!([{"left": "age", "right": "charge", "transform": "product"}]);
    let coefficients = document["predictor"]["linear"]["coefficients"].as_array_mut().unwrap();
    coefficients.push(json!({"feature": "age:charge", "value": 2.0}));
    let model = Model::from_bytes(document.to_string().as_bytes()).unwrap();
    let row = json!({"age": 40.0, "charge": 90.0, "plan": "gold"});
    let explained = model.explain(&cells(&model, &row)).unwrap();
    let pair = explained.contributions.last().unwrap();
    assert_eq!((pair.field.as_str(), pair.contribution), ("age:charge", 2.0 * 1.0 * 2.0));
}
