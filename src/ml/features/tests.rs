//! What becomes of present, missing, unseen and constant values.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn numbers(values: &[f64]) -> Vec<Cell> {
    let cell = |value: &f64| if value.is_nan() { Cell::Missing } else { Cell::Number(*value) };
    values.iter().map(cell).collect()
}

fn texts(values: &[&str]) -> Vec<Cell> {
    let cell = |text: &&str| {
        if text.is_empty() { Cell::Missing } else { Cell::Text((*text).to_owned()) }
    };
    values.iter().map(cell).collect()
}

fn params(value: serde_json::Value) -> FeatureParams {
    let mut all = json!({
        "numeric": {"impute": "median", "fill": 0.0, "scale": "standard"},
        "categorical": {"impute": "most_frequent", "fill": "missing", "encode": "one_hot"},
        "columns": {},
    });
    for (group, values) in value.as_object().unwrap() {
        for (key, value) in values.as_object().unwrap() {
            all[group][key] = value.clone();
        }
    }
    serde_json::from_value(all).unwrap()
}

fn fit_numbers(values: &[f64], own: serde_json::Value) -> Feature {
    let cells = numbers(values).into_iter();
    fit("x", FeatureKind::Numeric, cells, &params(json!({ "numeric": own }))).unwrap()
}

fn fit_texts(values: &[&str], own: serde_json::Value) -> Feature {
    let cells = texts(values).into_iter();
    fit("x", FeatureKind::Categorical, cells, &params(json!({ "categorical": own }))).unwrap()
}

#[track_caller]
fn encodes(feature: &Feature, cell: Cell, expected: &[f64]) {
    let encoder = Encoder::new(vec![feature.clone()]).unwrap();
    let mut out = vec![f64::NAN; encoder.width()];
    encoder.encode(&[cell], &mut out);
    let is_close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    let agrees = out.len() == expected.len() && out.iter().zip(expected).all(is_close);
    assert!(agrees, "{out:?}, not {expected:?}");
}

#[test]
fn a_number_is_standardised_after_imputing() {
    // The median is 3, and so is the mean of all six; the squares of the distances add to 38.
    let feature = fit_numbers(&[1.0, 3.0, 8.0, f64::NAN, 0.0, 3.0], json!({}));
    encodes(&feature, Cell::Number(3.0), &[0.0]);
    encodes(&feature, Cell::Missing, &[0.0]);
    let scale = (38.0_f64 / 6.0).sqrt();
    encodes(&feature, Cell::Number(3.0 + scale), &[1.0]);
}

#[test]
fn a_missing_number_becomes_median_mean_or_constant() {
    let values = [1.0, 2.0, 9.0, 10.0, f64::NAN];
    let imputed = |own: serde_json::Value| fit_numbers(&values, own);
    encodes(&imputed(json!({"scale": "none"})), Cell::Missing, &[5.5]);
    encodes(&imputed(json!({"scale": "none", "impute": "mean"})), Cell::Missing, &[5.5]);
    let constant = json!({"scale": "none", "impute": "constant", "fill": -1.0});
    encodes(&imputed(constant), Cell::Missing, &[-1.0]);
    encodes(&imputed(json!({"scale": "none"})), Cell::Number(7.0), &[7.0]);
}

#[test]
fn a_constant_column_and_an_empty_one_become_0() {
    for values in [[0.1; 3], [1e10; 3], [f64::NAN; 3]] {
        let feature = fit_numbers(&values, json!({}));
        encodes(&feature, Cell::Missing, &[0.0]);
    }
    encodes(&fit_numbers(&[0.1; 3], json!({})), Cell::Number(1.1), &[1.0]);
}

#[test]
fn a_category_is_one_of_the_sorted_ones() {
    let feature = fit_texts(&["b", "a", "c", "b"], json!({}));
    assert_eq!(feature.encoded_names(), ["x=a", "x=b", "x=c"]);
    encodes(&feature, Cell::Text("c".to_owned()), &[0.0, 0.0, 1.0]);
    let feature = fit_texts(&["b", "a", "c", "b"], json!({"encode": "ordinal"}));
    assert_eq!(feature.encoded_names(), ["x"]);
    encodes(&feature, Cell::Text("c".to_owned()), &[2.0]);
}

#[test]
fn an_unseen_category_is_all_zeros_or_below_the_first() {
    let unseen = || Cell::Text("z".to_owned());
    encodes(&fit_texts(&["b", "a"], json!({})), unseen(), &[0.0, 0.0]);
    encodes(&fit_texts(&["b", "a"], json!({"encode": "ordinal"})), unseen(), &[-1.0]);
}

#[test]
fn a_missing_category_becomes_the_most_frequent_or_one_of_its_own() {
    let values = ["c", "b", "b", "c", "a", ""];
    // b and c are equally frequent: the first in order.
    encodes(&fit_texts(&values, json!({})), Cell::Missing, &[0.0, 1.0, 0.0]);
    let own = fit_texts(&values, json!({"impute": "constant"}));
    assert_eq!(own.encoded_names(), ["x=a", "x=b", "x=c", "x=missing"]);
    encodes(&own, Cell::Missing, &[0.0, 0.0, 0.0, 1.0]);
    // Nothing was missing in training, so nothing is known of it.
    encodes(&fit_texts(&["a"], json!({"impute": "constant"})), Cell::Missing, &[0.0]);
}

#[test]
fn a_column_of_missing_texts_becomes_nothing() {
    let feature = fit_texts(&["", ""], json!({}));
    assert_eq!(feature.width(), 0);
    encodes(&feature, Cell::Missing, &[]);
}

#[test]
fn a_cell_of_the_wrong_kind_counts_as_unseen() {
    encodes(&fit_texts(&["a"], json!({})), Cell::Number(1.0), &[0.0]);
    let number = fit_numbers(&[1.0, 2.0, 6.0], json!({"scale": "none"}));
    encodes(&number, Cell::Text("2".to_owned()), &[2.0]);
}

#[test]
fn a_column_may_differ_from_its_kind() {
    let own = params(json!({"columns": {"x": {"scale": "none", "impute": "mean"}}}));
    let cells = numbers(&[1.0, 2.0, 6.0]);
    let feature = fit("x", FeatureKind::Numeric, cells.into_iter(), &own).unwrap();
    encodes(&feature, Cell::Missing, &[3.0]);
    let own = params(json!({"columns": {"x": {"encode": "ordinal"}}}));
    let feature = fit("x", FeatureKind::Categorical, texts(&["b", "a"]).into_iter(), &own).unwrap();
    encodes(&feature, Cell::Text("b".to_owned()), &[1.0]);
}

#[test]
fn an_override_that_does_not_suit_the_column_is_refused() {
    let refuse = |kind, own: serde_json::Value| {
        let own = params(json!({"columns": {"x": own}}));
        fit("x", kind, std::iter::empty(), &own).unwrap_err().to_string()
    };
    let wrong = refuse(FeatureKind::Numeric, json!({"encode": "ordinal"}));
    assert!(wrong.starts_with("column `x` holds numbers: it takes"), "{wrong}");
    let wrong = refuse(FeatureKind::Numeric, json!({"fill": "none"}));
    assert_eq!(wrong, "column `x` holds numbers, its `fill` is \"none\"");
    let wrong = refuse(FeatureKind::Categorical, json!({"impute": "median"}));
    assert!(wrong.starts_with("column `x` holds texts: it takes"), "{wrong}");
    let wrong = refuse(FeatureKind::Categorical, json!({"fill": 3}));
    assert_eq!(wrong, "column `x` holds texts, its `fill` is 3");
}

#[test]
fn a_column_that_names_rows_is_refused() {
    let cells = (0..=MAX_CATEGORIES).map(|i| Cell::Text(i.to_string()));
    let wrong = fit("x", FeatureKind::Categorical, cells, &params(json!({}))).unwrap_err();
    assert!(wrong.to_string().starts_with("column `x` has more than 1000 different texts"));
}

proptest! {
    #[test]
    fn every_row_becomes_finite_numbers(
        values in proptest::collection::vec(-1e6..1e6_f64, 0..20),
        number in -1e9..1e9_f64,
    ) {
        let encoder = Encoder::new(vec![fit_numbers(&values, json!({}))]).unwrap();
        for cell in [Cell::Missing, Cell::Number(number)] {
            let mut out = [f64::NAN];
            encoder.encode(&[cell], &mut out);
            prop_assert!(out[0].is_finite());
        }
    }
}
