//! What scikit-learn makes of the same rows: `tests/golden/features.py`.

use serde_json::{Value, json};

use super::*;
use crate::ml::columns::Columns;
use crate::ml::table::{Column, Table, Values};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/golden/features.json")).unwrap()
}

/// The cells of a list of numbers, texts and nulls.
fn cells(list: &Value) -> Vec<Cell> {
    let cell = |value: &Value| match value {
        Value::Null => Cell::Missing,
        Value::String(text) => Cell::Text(text.into()),
        number => Cell::Number(number.as_f64().unwrap()),
    };
    list.as_array().unwrap().iter().map(cell).collect()
}

fn labels(golden: &Value) -> Vec<bool> {
    golden["labels"].as_array().unwrap().iter().map(|label| *label == 1).collect()
}

/// The numbers that each cell becomes.
fn encoded(feature: Feature, cells: &[Cell]) -> Vec<Vec<f64>> {
    let encoder = Encoder::new(vec![feature], vec![]).unwrap();
    let encode = |cell: &Cell| {
        let mut out = vec![0.0; encoder.width()];
        encoder.encode(std::slice::from_ref(cell), &mut out);
        out
    };
    cells.iter().map(encode).collect()
}

#[track_caller]
fn assert_close(found: &[Vec<f64>], expected: &Value, what: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let expected = expected.as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(expected) {
            let is_close = match expected.as_f64() {
                None => found.is_nan(),
                Some(expected) => (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            };
            assert!(is_close, "{what}, row {row}: {found}, not {expected}");
        }
    }
}

#[test]
fn numbers_are_imputed_and_scaled_as_scikit_learn_does() {
    let golden = golden();
    let (known, new) = (cells(&golden["numbers"]), cells(&golden["new_numbers"]));
    for case in golden["numeric"].as_array().unwrap() {
        let params = serde_json::from_value(json!({"numeric": case["params"]})).unwrap();
        let cells = known.iter().cloned();
        let feature = super::fit("x", FeatureKind::Numeric, cells, &[], &params).unwrap();
        let all = [known.clone(), new.clone()].concat();
        assert_close(&encoded(feature, &all), &case["encoded"], &case["params"]);
    }
}

#[test]
fn categories_are_encoded_as_scikit_learn_does() {
    let golden = golden();
    let (known, new) = (cells(&golden["texts"]), cells(&golden["new_texts"]));
    for case in golden["categorical"].as_array().unwrap() {
        let params = serde_json::from_value(json!({"categorical": case["params"]})).unwrap();
        let cells = known.iter().cloned();
        let labels = labels(&golden);
        let feature = super::fit("x", FeatureKind::Categorical, cells, &labels, &params).unwrap();
        let all = [known.clone(), new.clone()].concat();
        assert_close(&encoded(feature, &all), &case["encoded"], &case["params"]);
    }
}

#[test]
fn training_rows_are_target_encoded_out_of_fold_as_scikit_learn_does() {
    let golden = golden();
    let text = |cell: Cell| if let Cell::Text(text) = cell { Some(text.to_string()) } else { None };
    let texts = cells(&golden["texts"]).into_iter().map(text).collect();
    let table = Table::new(vec![Column::new("x", Values::Text(texts))]).unwrap();
    let folds: Vec<usize> = serde_json::from_value(golden["folds"].clone()).unwrap();
    let labels = labels(&golden);
    let mut n_cases = 0;
    for case in golden["categorical"].as_array().unwrap() {
        let Some(expected) = case.get("out_of_fold") else { continue };
        let params = serde_json::from_value(json!({"categorical": case["params"]})).unwrap();
        let column = &table.columns()[0];
        let cells = (0..table.rows()).map(|row| column.cell(row));
        let feature = super::fit("x", FeatureKind::Categorical, cells, &labels, &params).unwrap();
        let encoder = Encoder::new(vec![feature], vec![]).unwrap();
        let rows = super::fit::out_of_fold(&encoder, &table, &labels, &params, &folds).unwrap();
        let rows: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| row.to_vec()).collect();
        assert_close(&rows, expected, &case["params"]);
        n_cases += 1;
    }
    assert_eq!(n_cases, 4);
}

#[test]
fn a_product_is_that_of_the_encoded_columns() {
    let golden = golden();
    let number = |cell: &Cell| if let Cell::Number(number) = cell { *number } else { f64::NAN };
    let numbers: Vec<f64> = cells(&golden["numbers"]).iter().map(number).collect();
    let others = (0..numbers.len() as i64).map(|row| Some(row % 7)).collect();
    let table = Table::new(vec![
        Column::new("a", Values::Number(numbers)),
        Column::new("b", Values::Integer(others)),
    ])
    .unwrap();
    let names = vec!["a".to_owned(), "b".to_owned()];
    let (id, target, segments) = (vec![], "y".to_owned(), vec![]);
    let columns = Columns { id, target, features: names, segments, weight: None };
    for case in golden["products"].as_array().unwrap() {
        let params = json!({"numeric": {"scale": case["scale"]}, "interactions": [["a", "b"]]});
        let params = serde_json::from_value(params).unwrap();
        let fitted = fit_transform(&table, &columns, &labels(&golden), &params).unwrap();
        assert_eq!(fitted.encoder.encoded_names(), ["a", "b", "a:b"]);
        let products: Vec<Vec<f64>> = fitted.rows.column(2).iter().map(|x| vec![*x]).collect();
        assert_close(&products, &case["encoded"], &case["scale"]);
    }
}
