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
        if text.is_empty() { Cell::Missing } else { Cell::Text((*text).into()) }
    };
    values.iter().map(cell).collect()
}

fn params(value: serde_json::Value) -> FeatureParams {
    serde_json::from_value(value).unwrap()
}

fn fit(
    name: &str,
    kind: FeatureKind,
    cells: impl Iterator<Item = Cell> + Clone,
    params: &FeatureParams,
) -> Result<Feature, FitError> {
    super::fit(name, kind, cells, &[], params)
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
    let encoder = Encoder::new(vec![feature.clone()], vec![]).unwrap();
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
    encodes(&imputed(json!({"scale": ["none"]})), Cell::Missing, &[5.5]);
    encodes(&imputed(json!({"scale": ["none"], "impute": "mean"})), Cell::Missing, &[5.5]);
    let constant = json!({"scale": ["none"], "impute": "constant", "fill": -1.0});
    encodes(&imputed(constant), Cell::Missing, &[-1.0]);
    encodes(&imputed(json!({"scale": ["none"]})), Cell::Number(7.0), &[7.0]);
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
    encodes(&feature, Cell::Text("c".into()), &[0.0, 0.0, 1.0]);
    let feature = fit_texts(&["b", "a", "c", "b"], json!({"encode": "ordinal"}));
    assert_eq!(feature.encoded_names(), ["x"]);
    encodes(&feature, Cell::Text("c".into()), &[2.0]);
}

#[test]
fn an_unseen_category_is_all_zeros_or_below_the_first() {
    let unseen = || Cell::Text("z".into());
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
    let number = fit_numbers(&[1.0, 2.0, 6.0], json!({"scale": ["none"]}));
    encodes(&number, Cell::Text("2".into()), &[2.0]);
}

#[test]
fn a_column_may_differ_from_its_kind() {
    let own = params(json!({"columns": {"x": {"scale": ["none"], "impute": "mean"}}}));
    let cells = numbers(&[1.0, 2.0, 6.0]);
    let feature = fit("x", FeatureKind::Numeric, cells.into_iter(), &own).unwrap();
    encodes(&feature, Cell::Missing, &[3.0]);
    let own = params(json!({"columns": {"x": {"encode": "ordinal"}}}));
    let feature = fit("x", FeatureKind::Categorical, texts(&["b", "a"]).into_iter(), &own).unwrap();
    encodes(&feature, Cell::Text("b".into()), &[1.0]);
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
    let cells = (0..=MAX_CATEGORIES).map(|i| Cell::Text(i.to_string().into()));
    let wrong = fit("x", FeatureKind::Categorical, cells, &params(json!({}))).unwrap_err();
    assert!(wrong.to_string().starts_with("column `x` has more than 1000 different texts"));
}

proptest! {
    #[test]
    fn every_row_becomes_finite_numbers(
        values in proptest::collection::vec(-1e6..1e6_f64, 0..20),
        number in -1e9..1e9_f64,
    ) {
        let encoder = Encoder::new(vec![fit_numbers(&values, json!({}))], vec![]).unwrap();
        for cell in [Cell::Missing, Cell::Number(number)] {
            let mut out = [f64::NAN];
            encoder.encode(&[cell], &mut out);
            prop_assert!(out[0].is_finite());
        }
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.into())
}

#[test]
fn steps_run_in_the_order_in_which_they_are_given() {
    // Of 0 and e - 1 the logarithms are 0 and 1: mean 1/2, deviation 1/2.
    let e = std::f64::consts::E;
    let feature = fit_numbers(&[0.0, e - 1.0], json!({"scale": ["log1p", "standard"]}));
    encodes(&feature, Cell::Number(0.0), &[-1.0]);
    encodes(&feature, Cell::Number(e - 1.0), &[1.0]);
    // Below 0 it is mirrored.
    encodes(&feature, Cell::Number(1.0 - e), &[-3.0]);
}

#[test]
fn a_missing_number_may_stay_missing_and_be_told() {
    let own = json!({"impute": "none", "indicator": true, "scale": ["standard"]});
    let feature = fit_numbers(&[1.0, f64::NAN, 3.0], own.clone());
    assert_eq!(feature.encoded_names(), ["x", "x is missing"]);
    let encoder = Encoder::new(vec![feature.clone()], vec![]).unwrap();
    assert_eq!(encoder.may_be_missing().as_deref(), Some("x"));
    let mut out = [0.0; 2];
    encoder.encode(&[Cell::Missing], &mut out);
    assert!(out[0].is_nan() && out[1] == 1.0, "{out:?}");
    encodes(&feature, Cell::Number(3.0), &[1.0, 0.0]);
    // Nothing was missing in training, so there is no column to say so.
    assert_eq!(fit_numbers(&[1.0, 3.0], own).encoded_names(), ["x"]);
}

#[test]
fn rare_categories_share_a_place_and_an_unseen_one_may_be_among_them() {
    let values = ["a", "a", "a", "b", "b", "c", "d"];
    let rare = fit_texts(&values, json!({"min_frequency": 2.0}));
    assert_eq!(rare.encoded_names(), ["x=a", "x=b", "x=(rare)"]);
    encodes(&rare, text("d"), &[0.0, 0.0, 1.0]);
    encodes(&rare, text("z"), &[0.0, 0.0, 0.0]);
    let unseen = fit_texts(&values, json!({"min_frequency": 0.25, "unseen": "rare"}));
    encodes(&unseen, text("z"), &[0.0, 0.0, 1.0]);
    // The least frequent give way, and of equally frequent ones the first.
    let few = fit_texts(&values, json!({"max_categories": 3, "encode": "ordinal"}));
    encodes(&few, text("c"), &[2.0]);
    encodes(&few, text("z"), &[-1.0]);
}

#[test]
fn a_code_tells_how_many_categories_it_has_and_is_nan_for_none_of_them() {
    let feature = fit_texts(&["b", "a", "", "c"], json!({"encode": "code", "indicator": true}));
    let encoder = Encoder::new(vec![feature], vec![]).unwrap();
    assert_eq!(encoder.category_counts(), [Some(3), None]);
    let mut out = [0.0; 2];
    for (cell, place, is_missing) in
        [(text("c"), Some(2.0), 0.0), (text("z"), None, 0.0), (Cell::Missing, None, 1.0)]
    {
        encoder.encode(&[cell], &mut out);
        assert_eq!((Some(out[0]).filter(|x| !x.is_nan()), out[1]), (place, is_missing));
    }
}

#[test]
fn whole_numbers_and_truth_values_may_be_categories() {
    let own = params(json!({"columns": {"x": {"kind": "categorical", "fill": 9,
        "impute": "constant"}}}));
    let cells = numbers(&[10.0, 2.0, f64::NAN, -0.0]);
    let feature = fit("x", FeatureKind::Numeric, cells.into_iter(), &own).unwrap();
    assert_eq!(feature.kind, FeatureKind::Numeric);
    assert_eq!(feature.encoded_names(), ["x=0", "x=10", "x=2", "x=9"]);
    encodes(&feature, Cell::Number(0.0), &[1.0, 0.0, 0.0, 0.0]);
    encodes(&feature, Cell::Missing, &[0.0, 0.0, 0.0, 1.0]);
    encodes(&feature, Cell::Number(2.5), &[0.0; 4]);
    let truths = numbers(&[1.0, 0.0]);
    let truth = fit("x", FeatureKind::Boolean, truths.into_iter(), &own).unwrap();
    assert_eq!(truth.encoded_names(), ["x=false", "x=true"]);
    let fraction = numbers(&[0.5]).into_iter();
    let wrong = fit("x", FeatureKind::Numeric, fraction, &own).unwrap_err();
    assert_eq!(wrong.0, "column `x` has 0.5, which is no category");
}

#[test]
fn a_date_becomes_numbers_that_are_scaled_like_others() {
    let date =
        json!({"format": "%d.%m.%Y", "parts": ["year", "days_since"], "since": "2024-01-01"});
    let own = params(json!({
        "numeric": {"scale": ["none"], "indicator": true},
        "columns": {"x": {"date": date}},
    }));
    let cells = texts(&["2.1.2024", "4.1.2024", ""]).into_iter();
    let feature = fit("x", FeatureKind::Categorical, cells, &own).unwrap();
    assert_eq!(feature.encoded_names(), ["x.year", "x.days_since", "x is missing"]);
    encodes(&feature, text("31.12.2023"), &[2023.0, -1.0, 0.0]);
    encodes(&feature, Cell::Missing, &[2024.0, 2.0, 1.0]);
    let wrong = fit("x", FeatureKind::Categorical, texts(&["1.1.2024", "soon"]).into_iter(), &own);
    assert_eq!(
        wrong.unwrap_err().0,
        "column `x` has `soon` in row 2, which is no date of the format `%d.%m.%Y`"
    );
}

/// Features of two numbers and two texts, with interactions of all kinds.
fn joined(params: &FeatureParams) -> Result<(Encoder, crate::ml::table::Table), FitError> {
    use crate::ml::table::{Column, Table, Values};
    let text = |texts: [&str; 4]| {
        Values::Text(texts.iter().map(|text| Some((*text).to_owned())).collect())
    };
    let table = Table::new(vec![
        Column::new("n", Values::Number(vec![1.0, 2.0, f64::NAN, 4.0])),
        Column::new("m", Values::Integer(vec![Some(3), Some(5), Some(7), None])),
        Column::new("c", text(["a", "b", "a", ""])),
        Column::new("d", text(["x:", "y", "x:", "y"])),
    ])
    .unwrap();
    let features = ["n", "m", "c", "d"].map(str::to_owned).to_vec();
    let columns = crate::ml::columns::Columns {
        id: vec![],
        target: "t".to_owned(),
        features,
        segments: vec![],
        weight: None,
    };
    let fitted = fit_transform(&table, &columns, &[true, false, true, false], params)?;
    Ok((fitted.encoder, table))
}

#[test]
fn two_columns_say_together_what_neither_says_alone() {
    let (encoder, table) = joined(&params(json!({
        "numeric": {"scale": ["none"]},
        "interactions": [["n", "m"], ["c", "n"], ["c", "d"]],
    })))
    .unwrap();
    let names = encoder.encoded_names();
    let joined = ["n:m", "n:c=a", "n:c=b", "c:d=a:x\\:", "c:d=a:y", "c:d=b:y"];
    assert_eq!(names[6..], joined);
    let rows = encoder.encode_table(&table).unwrap();
    let of_row = |row: usize| rows.row(row).iter().skip(6).copied().collect::<Vec<f64>>();
    assert_eq!(of_row(0), [3.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(of_row(1), [10.0, 0.0, 2.0, 0.0, 0.0, 1.0]);
    // A missing number is the median, a missing text the most frequent one, here as elsewhere.
    assert_eq!(of_row(2), [14.0, 2.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(of_row(3), [20.0, 4.0, 0.0, 0.0, 1.0, 0.0]);
    // A pair that training does not have is none of them.
    let mut out = vec![9.0; encoder.width()];
    encoder.encode(&[Cell::Number(1.0), Cell::Number(1.0), text("b"), text("x:")], &mut out);
    assert_eq!(out[9..], [0.0; 3]);
}

#[test]
fn an_interaction_that_says_nothing_is_refused() {
    let refuse = |value: serde_json::Value| joined(&params(value)).err().unwrap().0;
    let twice = refuse(json!({"interactions": [["n", "m"], ["m", "n"], ["c", "c"]]}));
    assert_eq!(twice.lines().count(), 2, "{twice}");
    let wrong = refuse(json!({"interactions": [["n", "z"]], "columns": {"q": {}}}));
    assert_eq!(
        wrong,
        "`features.interactions` names `z`, which is no feature\n\
         `features.columns` names `q`, which is no feature"
    );
    let product = json!({"interactions": [["n", "m"]], "columns": {"n:m": {"scale": ["robust"]}}});
    assert!(refuse(product).contains("`features.columns` has no say"));
    let cross = json!({"interactions": [["c", "d"]], "columns": {"c:d": {"impute": "constant"}}});
    assert!(refuse(cross).starts_with("`c:d` is a crossing: it takes"));
}

#[test]
fn all_columns_that_cannot_be_features_are_told_at_once() {
    let wrong = joined(&params(json!({"columns": {
        "n": {"encode": "target"}, "c": {"scale": ["robust"]},
        "d": {"date": {"format": "%Y", "parts": ["year"]}},
    }})));
    let told = wrong.err().unwrap().0;
    let places = ["column `n` holds numbers", "column `c` holds texts", "column `d` has `x:`"];
    assert!(told.lines().zip(places).all(|(line, place)| line.starts_with(place)), "{told}");
    assert_eq!(told.lines().count(), 3);
}

#[test]
fn an_unseen_category_is_refused_where_that_is_asked_for() {
    use crate::ml::table::{Column, Table, Values};
    let (encoder, _) = joined(&params(json!({"columns": {"c": {"unseen": "error"}}}))).unwrap();
    let text = |text: &str| Values::Text([None, Some(text)].into());
    let numbers = || Values::Integer(vec![Some(1); 2]);
    let rows = |c: &str| {
        let columns = [("n", numbers()), ("m", numbers()), ("c", text(c)), ("d", text("z"))];
        Table::new(columns.map(|(name, values)| Column::new(name, values)).to_vec()).unwrap()
    };
    assert!(encoder.encode_table(&rows("a")).is_ok());
    let wrong = encoder.encode_table(&rows("q")).unwrap_err();
    assert!(wrong.starts_with("column `c` has `q` in row 2, which was not in"), "{wrong}");
    assert_eq!(encoder.features()[2].only_texts(), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(encoder.features()[3].only_texts(), None);
}

#[test]
fn what_a_schema_lists_is_encoded_to_the_same_bits_as_any_cell() {
    let seen = ["a", "b", "b", "c", "c", "c", "", "rare"];
    let of = |own: serde_json::Value| fit_texts(&seen, own);
    let features = vec![
        of(json!({})),
        of(json!({ "encode": "ordinal", "min_frequency": 2, "unseen": "rare" })),
        of(json!({ "encode": "code", "impute": "none" })),
        fit_numbers(&[1.0, 2.0, f64::NAN], json!({ "indicator": true })),
    ];
    let named = |(i, feature): (usize, Feature)| Feature { name: format!("x{i}"), ..feature };
    let features = features.into_iter().enumerate().map(named).collect();
    let encoder = Encoder::new(features, vec![]).unwrap();
    let listed = ["a", "b", "c", "new", "rare"].map(str::to_owned);
    let lists = [Some(&listed[..]), Some(&listed[1..]), Some(&listed[..]), None];
    let known = Known::new(&encoder, lists.into_iter());
    let bits = |out: &[f64]| out.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for (i, text) in listed.iter().enumerate() {
        let cell = || Cell::Text(text.into());
        let row = [cell(), cell(), cell(), Cell::Missing];
        let (mut searched, mut found) = (vec![0.5; encoder.width()], vec![0.25; encoder.width()]);
        encoder.encode(&row, &mut searched);
        // The second column lists one less, so that it has the first text nowhere.
        let places = [Some(i as u32), (i as u32).checked_sub(1), Some(i as u32), None];
        encoder.encode_known(&row, &places, &known, &mut found);
        assert_eq!(bits(&found), bits(&searched), "{text}");
        // A place that no list has is no reason to take another's numbers.
        encoder.encode_known(&row, &[Some(99), Some(u32::MAX)], &known, &mut found);
        assert_eq!(bits(&found), bits(&searched), "{text}");
    }
}
