//! Every transform that can be declared gives the same bits wherever it runs.
//!
//! `configurations` is made from the declaration itself, choice by choice: a new choice is in it
//! without anybody thinking of it, and a parameter of a new type does not compile or fails here.

use engine::kind::Kind as _;
use engine::params::Presence;
use proptest::prelude::*;
use serde_json::Map;

use super::super::{Params, Train};
use super::*;
use crate::ml::cell::Cell;
use crate::ml::columns::Columns;
use crate::ml::features::{Encoder, FeatureParams, Fitted, fit_transform};
use crate::ml::model::Model;
use crate::ml::random::Random;
use crate::ml::table::{Column, Table, Values};

/// The values of a type that are tried: all choices, and of what has a range one within it.
fn values(name: &str, ty: &Type) -> Vec<Value> {
    match ty {
        Type::Bool => vec![json!(false), json!(true)],
        Type::Choice(choices) => choices.iter().map(|choice| json!(choice)).collect(),
        Type::OneOrMany(item) => {
            let mut each = values(name, item);
            each.push(json!(["log1p", "standard"]));
            each
        }
        Type::Int(min, max) => vec![json!((min + 7).min(*max))],
        Type::Float(..) => vec![json!(0.0), json!(0.1)],
        Type::Text => vec![json!("missing")],
        Type::Scalar if name == "smooth" => vec![json!("auto"), json!(7.5)],
        _ => panic!("`{name}`: say here how this is tried"),
    }
}

/// The parameters of `features.numeric` and the like, with the values that are tried.
fn tried(group: &str) -> Vec<(&'static str, Vec<Option<Value>>)> {
    let Type::Record(groups) = declare("standard", "one_hot") else { panic!("not a record") };
    let Type::Record(params) = &groups.iter().find(|param| param.name == group).unwrap().ty else {
        panic!("not a record")
    };
    let of = |param: &Param| {
        let mut tried: Vec<_> = values(param.name, &param.ty).into_iter().map(Some).collect();
        if param.presence == Presence::Optional {
            tried.push(None);
        }
        (param.name, tried)
    };
    params.iter().map(of).collect()
}

/// What a column of dates may become.
fn dates() -> Value {
    let Type::Record(params) = date() else { panic!("not a record") };
    let Type::List(parts) = &params.iter().find(|param| param.name == "parts").unwrap().ty else {
        panic!("not a list")
    };
    json!({"parts": values("parts", parts), "since": "2023-05-06"})
}

/// The parameter `features` with these values; every kind of column and of pair is there.
fn features(group: &str, values: Map<String, Value>) -> Value {
    let mut time = dates();
    time["format"] = json!("epoch_seconds");
    let mut day = dates();
    day["format"] = json!("%Y-%m-%d");
    day["parts"].as_array_mut().unwrap().retain(|part| *part != "hour");
    let refuses_unseen = values.get("unseen") == Some(&json!("error"));
    let code = json!({"kind": "categorical"});
    let ignored = json!({"kind": "categorical", "unseen": "ignore"});
    json!({
        group: values,
        "columns": {
            "code": if refuses_unseen { ignored } else { code },
            "day": {"date": day},
            "time": {"date": time},
        },
        "interactions": [["amount", "truth"], ["amount", "colour"], ["colour", "town"]],
    })
}

/// Everything that can be declared: all combinations within the parameters of numbers, and all
/// within those of categories.
pub(crate) fn configurations() -> Vec<Value> {
    let mut all = Vec::new();
    for group in ["numeric", "categorical"] {
        let mut combined = vec![Map::new()];
        for (name, tried) in tried(group) {
            let with = |map: &Map<String, Value>| {
                let map = map.clone();
                tried.iter().map(move |value| {
                    let mut map = map.clone();
                    map.extend(value.clone().map(|value| (name.to_owned(), value)));
                    map
                })
            };
            combined = combined.iter().flat_map(with).collect();
        }
        all.extend(combined.into_iter().map(|values| features(group, values)));
    }
    all
}

/// Every value of every parameter, each by itself.
pub(crate) fn deviations() -> Vec<Value> {
    let mut all = Vec::new();
    for group in ["numeric", "categorical"] {
        for (name, tried) in tried(group) {
            for value in tried.into_iter().flatten() {
                all.push(features(group, [(name.to_owned(), value)].into_iter().collect()));
            }
        }
    }
    all
}

/// Rows with columns of every type, with gaps; `unseen` ones have texts and numbers beyond those
/// of the others.
pub(crate) fn table(n_rows: usize, unseen: bool) -> Table {
    let mut random = Random::new([if unseen { 8 } else { 7 }; 32]);
    let wider = if unseen { 3 } else { 1 };
    let mut texts = |prefix: &str, n: u64, gaps: u64| {
        let text = |random: &mut Random| {
            // The lower half of the numbers comes thrice as often.
            let at = random.below(n * wider).min(random.below(n * wider));
            (random.below(20) >= gaps).then(|| format!("{prefix}{at}"))
        };
        Values::Text((0..n_rows).map(|_| text(&mut random)).collect())
    };
    let (colour, town) = (texts("c", 4, 2), texts("t:", 30, 1));
    let mut random = Random::new([if unseen { 6 } else { 5 }; 32]);
    let scale = if unseen { 1e6 } else { 9.0 };
    let mut amount = || match random.below(10) {
        0 => f64::NAN,
        1 => 2.0,
        _ => (random.uniform() - 0.3) * random.uniform() * scale,
    };
    let amount = Values::Number((0..n_rows).map(|_| amount()).collect());
    let mut whole = |n: u64, gaps: u64| -> Vec<Option<i64>> {
        let one = |random: &mut Random| (random.below(20) >= gaps).then(|| random.below(n) as i64);
        (0..n_rows).map(|_| one(&mut random)).collect()
    };
    let truth = whole(2, 1).into_iter().map(|truth| truth.map(|truth| truth == 1)).collect();
    let code = Values::Integer(whole(8 * wider, 1));
    let time = whole(2_000_000_000 * wider, 1);
    let days = whole(28, 2).into_iter().zip(whole(12, 0));
    let day = |(day, month): (Option<i64>, Option<i64>)| {
        Some(format!("202{}-{:02}-{:02}", month? % 5, month? + 1, day? + 1))
    };
    let target = whole(2, 0);
    Table::new(vec![
        Column::new("amount", amount),
        Column::new("truth", Values::Boolean(truth)),
        Column::new("code", code),
        Column::new("colour", colour),
        Column::new("town", town),
        Column::new("day", Values::Text(days.map(day).collect())),
        Column::new("time", Values::Integer(time)),
        Column::new("target", Values::Integer(target)),
    ])
    .unwrap()
}

/// The cells of a row, one per feature.
pub(crate) fn cells(table: &Table, row: usize) -> Vec<Cell> {
    table.columns()[..7].iter().map(|column| column.cell(row)).collect()
}

/// Transforms as they are declared, fitted to a table.
pub(crate) fn fitted(table: &Table, features: &Value) -> Fitted {
    let columns = Columns {
        id: vec![],
        target: "target".to_owned(),
        features: table.names().take(7).map(str::to_owned).collect(),
        segments: vec![],
        weight: None,
    };
    let target = table.column("target").unwrap();
    let labels: Vec<bool> = (0..table.rows()).map(|row| target.number(row) == Some(1.0)).collect();
    fit_transform(table, &columns, &labels, &read(features.clone())).unwrap()
}

/// The bytes of a model in which every encoded number has a say, whether or not it may be NaN.
pub(crate) fn model(encoder: &Encoder) -> Vec<u8> {
    let names = encoder.encoded_names();
    let coefficient =
        |(i, name): (usize, &String)| json!({"feature": name, "value": 0.01 + 0.001 * i as f64});
    let stump = |feature: usize| {
        json!({"feature": [feature, null, null], "right": [2, null, null],
            "threshold": [0.1, null, null], "value": [0.5, 0.25, 0.3 + 0.001 * feature as f64]})
    };
    let predictor = if encoder.may_be_missing().is_some() {
        json!({"trees": (0..names.len()).map(stump).collect::<Vec<_>>()})
    } else {
        let coefficients: Vec<Value> = names.iter().enumerate().map(coefficient).collect();
        json!({"linear": {"intercept": -0.5, "coefficients": coefficients}})
    };
    let document = json!({
        "format": "pipeline.model/1", "learner": "by hand", "target": "target", "classes": [0, 1],
        "features": encoder.features(), "interactions": encoder.interactions(),
        "predictor": predictor, "training": {"rows": 1, "positives": 0},
    });
    Model::from_bytes(document.to_string().as_bytes()).unwrap().to_bytes()
}

fn bits<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    // Every NaN is the same: missing.
    let bits = |x: &f64| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
    numbers.into_iter().map(bits).collect()
}

/// A table, its rows one by one, and the model read back from its bytes agree.
#[track_caller]
fn agree(encoder: &Encoder, table: &Table, features: &Value) {
    let all = encoder.encode_table(table).unwrap();
    let model = Model::from_bytes(&model(encoder)).unwrap();
    let batch = model.probabilities(table).unwrap();
    for (row, expected) in all.rows().into_iter().enumerate() {
        let cells = cells(table, row);
        let mut out = vec![9.0; encoder.width()];
        encoder.encode(&cells, &mut out);
        assert_eq!(bits(&out), bits(expected), "{features}, row {row}");
        let may_be_missing = encoder.may_be_missing().is_some();
        let is_sound = |x: &f64| x.is_finite() || x.is_nan() && may_be_missing;
        assert!(out.iter().all(is_sound), "{features}, row {row}: {out:?}");
        let probability = model.predictor().probability(&out);
        assert_eq!(bits([&model.probability(&cells), &batch[row]]), bits([&probability; 2]));
    }
}

#[test]
fn every_transform_gives_the_same_bits_in_training_batch_and_by_row() {
    let (known, others) = (table(120, false), table(40, true));
    let mut n_tried = 0;
    for features in configurations() {
        let Fitted { encoder, rows } = fitted(&known, &features);
        let width = encoder.width();
        assert_eq!(
            (encoder.encoded_names().len(), encoder.category_counts().len()),
            (width, width)
        );
        agree(&encoder, &known, &features);
        let categorical = &features["categorical"];
        if categorical["unseen"] == "error" {
            let wrong = encoder.encode_table(&others).unwrap_err();
            assert!(wrong.contains("was not in the training rows"), "{wrong}");
        } else {
            agree(&encoder, &others, &features);
        }
        if categorical["encode"] != "target" {
            assert_eq!(bits(&rows), bits(&encoder.encode_table(&known).unwrap()), "{features}");
        }
        n_tried += 1;
    }
    assert!(n_tried > 500, "{n_tried}");
}

#[test]
fn every_transform_gives_the_same_bytes_on_any_number_of_threads() {
    let known = table(300, false);
    let on_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let one = |features: &Value| {
            let Fitted { encoder, rows } = fitted(&known, features);
            (model(&encoder), bits(&rows))
        };
        pool.install(|| configurations().iter().map(one).collect::<Vec<_>>())
    };
    let one = on_threads(1);
    for n in [2, 8] {
        for ((a, b), features) in on_threads(n).iter().zip(&one).zip(configurations()) {
            assert!(a == b, "{features} on {n} threads");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_transforms_never_panic_and_what_is_read_predicts(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        row in 0..40_usize,
    ) {
        thread_local! {
            static MODELS: Vec<Vec<u8>> = deviations()
                .iter()
                .map(|features| model(&fitted(&table(40, false), features).encoder))
                .collect();
            static ROWS: Table = table(40, true);
        }
        let mut bytes = MODELS.with(|all| which.get(all).clone());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            // Digits and punctuation get further than any byte.
            let byte = if byte < 128 { b"0123456789-,.:[]{}\"en"[usize::from(byte % 21)] } else { byte };
            bytes[at] = byte;
        }
        if let Ok(model) = Model::from_bytes(&bytes) {
            let mut given = ROWS.with(|rows| cells(rows, row));
            for _ in 0..3 {
                prop_assert!((0.0..=1.0).contains(&model.probability(&given)));
                // Cells of another kind than the columns.
                given.rotate_left(2);
            }
            prop_assert!((0.0..=1.0).contains(&model.probability(&[])));
            prop_assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
        }
    }
}

fn read(features: Value) -> FeatureParams {
    let given = json!({"learner": "logistic_regression", "features": features});
    let checked = Train.params().check(&given).unwrap();
    assert_eq!(Train.check(&checked), []);
    Params::deserialize(&checked).unwrap().features
}

#[test]
fn the_declared_defaults_are_those_of_the_library() {
    assert_eq!(read(json!({})), FeatureParams::default());
}

#[test]
fn a_step_may_stand_for_a_list_of_steps() {
    assert_eq!(
        read(json!({"numeric": {"scale": "robust"}})),
        read(json!({"numeric": {"scale": ["robust"]}}))
    );
    assert_eq!(read(json!({"numeric": {"scale": ["log1p", "robust"]}})).numeric.scale.len(), 2);
}

#[test]
fn what_a_column_may_declare_is_read() {
    let all = json!({"x": {
        "kind": "categorical", "impute": "constant", "fill": 3, "indicator": true,
        "scale": "log1p", "n_quantiles": 5, "output_distribution": "normal",
        "encode": "target", "min_frequency": 0.1, "max_categories": 7, "unseen": "rare",
        "smooth": 2.5,
        "date": {"format": "%Y", "parts": ["year", "days_since"], "since": "2020-02-29"},
    }});
    let own = read(json!({"columns": all, "interactions": [["x", "y"]]}));
    assert_eq!(own.columns["x"].smooth, Some(Smooth::Rows(2.5)));
    assert_eq!(own.columns["x"].date.as_ref().unwrap().parts.len(), 2);
    assert_eq!(own.interactions, [["x", "y"]]);
}

#[test]
fn all_mistakes_are_told_where_they_stand() {
    let date = json!({"format": "%y", "parts": ["hour"], "since": "1.1.20"});
    let features = json!({
        "categorical": {"smooth": "much"},
        "columns": {"x": {"smooth": -1}, "t": {"date": date}, "u": {"date": {"parts": []}},
            "v": {"date": {"parts": ["hour"]}}, "w": {"date": {"since": "2020-01-01"}}},
        "interactions": [["a", "a"], ["a"], ["a", "b"]],
    });
    let given = json!({"learner": "decision_tree", "features": features});
    let checked = Train.params().check(&given).unwrap();
    let told = Train.check(&checked);
    let place = |complaint: &Complaint| {
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(i) => i.to_string(),
        };
        complaint.path[1..].iter().map(step).collect::<Vec<_>>().join(".")
    };
    let places: Vec<String> = told.iter().map(place).collect();
    assert_eq!(
        places,
        [
            "categorical.smooth",
            "columns.t.date.format",
            "columns.t.date.since",
            "columns.u.date",
            "columns.v.date",
            "columns.w.date",
            "columns.x.smooth",
            "interactions.0",
            "interactions.1",
        ]
    );
    let message = "expected auto, or a number between 0 and 1e9, found \"much\"";
    assert_eq!(told[0].message, message);
}
