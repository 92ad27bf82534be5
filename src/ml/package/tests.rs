//! Tests of packages: what is written loads, what is touched does not, and nothing panics.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::write::{Parts, Texts};
use super::*;
use crate::ml::model::Model;
use crate::ml::model::regressor::Regressor;
use crate::ml::per_segment::PerSegment;
use crate::ml::schema::{Field, Role, Schema};

/// The intercept of the model, unless another is asked for.
const INTERCEPT: f64 = -0.25;

/// A logistic model of four fields, made by hand.
fn model() -> Model {
    model_of(INTERCEPT)
}

fn model_of(intercept: f64) -> Model {
    let mut document = document(intercept);
    document["format"] = json!("pipeline.model/1");
    document["learner"] = json!("logistic_regression");
    document["target"] = json!("left");
    document["classes"] = json!([false, true]);
    document["training"]["positives"] = json!(20);
    Model::from_bytes(document.to_string().as_bytes()).unwrap()
}

/// The same line, of which the number itself is the answer.
fn regressor() -> Regressor {
    let mut document = document(INTERCEPT);
    document["format"] = json!("pipeline.regressor/1");
    document["learner"] = json!("ridge");
    document["target"] = json!("spent");
    Regressor::from_bytes(document.to_string().as_bytes()).unwrap()
}

/// What both have in common.
fn document(intercept: f64) -> Value {
    json!({
        "features": [
            {"name": "age", "kind": "numeric",
             "transform": {"number": {"impute": 30.0, "mean": 30.0, "scale": 10.0}}},
            {"name": "charge", "kind": "numeric",
             "transform": {"number": {"impute": 50.0, "mean": 50.0, "scale": 20.0}}},
            {"name": "member", "kind": "boolean",
             "transform": {"number": {"impute": 0.0, "mean": 0.0, "scale": 1.0}}},
            {"name": "plan", "kind": "categorical",
             "transform": {"one_hot": {"impute": null, "categories": ["basic", "gold", "plus"]}}},
        ],
        "predictor": {"linear": {"intercept": intercept, "coefficients": [
            {"feature": "age", "value": 0.7},
            {"feature": "charge", "value": -0.3},
            {"feature": "member", "value": 0.2},
            {"feature": "plan=basic", "value": 0.4},
            {"feature": "plan=gold", "value": -0.6},
            {"feature": "plan=plus", "value": 0.1},
        ]}},
        "training": {"rows": 100},
    })
}

fn schema() -> Schema {
    let field = |name: &str, ty, nullable, range: Option<(f64, f64)>, categories: &[&str]| Field {
        name: name.to_owned(),
        roles: vec![Role::Feature],
        ty,
        nullable,
        min: range.map(|range| range.0),
        max: range.map(|range| range.1),
        categories: (ty == FieldType::Category)
            .then(|| categories.iter().map(|name| (*name).to_owned()).collect()),
    };
    let fields = vec![
        field("row_id", FieldType::Integer, false, Some((1.0, 100.0)), &[]),
        field("age", FieldType::Integer, false, Some((1.0, 72.0)), &[]),
        field("charge", FieldType::Number, true, Some((0.5, 120.25)), &[]),
        field("member", FieldType::Boolean, false, None, &[]),
        field("plan", FieldType::Category, false, None, &["basic", "gold", "plus"]),
    ];
    Schema { format: crate::ml::schema::FORMAT.to_owned(), fields }
}

fn rows() -> Vec<Vec<Cell>> {
    let row = |age: f64, charge: Cell, plan: &str| {
        vec![Cell::Number(age), charge, Cell::Number(1.0), Cell::Text(plan.into())]
    };
    vec![
        row(24.0, Cell::Number(99.5), "gold"),
        row(72.0, Cell::Missing, "basic"),
        row(1.0, Cell::Number(0.5), "plus"),
    ]
}

/// The files of a small package, for tests of all that uses packages.
pub(crate) fn small_files() -> BTreeMap<&'static str, Vec<u8>> {
    small_files_of(INTERCEPT)
}

/// The small package as programs of before wrote it.
pub(crate) fn small_package_without_distribution() -> TempDir {
    let mut files = small_files();
    files.remove(DISTRIBUTION);
    let mut manifest: Manifest = serde_json::from_slice(&files[MANIFEST]).unwrap();
    manifest.files.remove(DISTRIBUTION);
    files.insert(MANIFEST, serde_json::to_vec(&manifest).unwrap());
    let dir = tempfile::tempdir().unwrap();
    write::write(dir.path(), &files).unwrap();
    dir
}

/// The same with another intercept, and so with other predictions.
pub(crate) fn small_files_of(intercept: f64) -> BTreeMap<&'static str, Vec<u8>> {
    let model = TaskModel::Classifier(Classifier {
        model: model_of(intercept),
        threshold: 0.5,
        thresholds: None,
    });
    let scores = BTreeMap::from([("roc_auc".to_owned(), json!(0.81)), ("rows".into(), json!(40))]);
    let known = BTreeMap::from([("roc_auc".to_owned(), [0.7749, 0.84])]);
    files_of(&model, Some("chosen by hand"), scores, known)
}

/// The files of a small package that predicts a number.
pub(crate) fn small_number_files() -> BTreeMap<&'static str, Vec<u8>> {
    let scores = BTreeMap::from([("rmse".to_owned(), json!(1.5)), ("n".into(), json!(40))]);
    let known = BTreeMap::from([("rmse".to_owned(), [1.25, 1.75])]);
    files_of(&TaskModel::Regressor(regressor()), None, scores, known)
}

fn files_of(
    model: &TaskModel,
    threshold_rule: Option<&str>,
    scores: BTreeMap<String, Value>,
    known: BTreeMap<String, [f64; 2]>,
) -> BTreeMap<&'static str, Vec<u8>> {
    let texts = Texts {
        name: "a small model".into(),
        description: "Tells who leaves.".into(),
        intended_use: "Tests.".into(),
        limitations: "It knows nothing.".into(),
    };
    let metrics = BTreeMap::from([("overall".to_owned(), scores)]);
    let intervals = BTreeMap::from([("overall".to_owned(), known)]);
    let seen: Vec<_> = std::iter::repeat_n(rows(), 100).flatten().collect();
    let parts = Parts {
        texts: &texts,
        model,
        threshold_rule,
        metrics: &metrics,
        intervals: &intervals,
        confidence: Some(0.95),
        schema: &schema(),
        rows: &rows(),
        seen: &seen,
        provenance: &json!({"experiment": "tests"}),
    };
    write::files(&parts).unwrap()
}

/// A small package in a directory of its own.
pub(crate) fn small_package() -> TempDir {
    small_package_of(INTERCEPT)
}

/// The same with another intercept.
pub(crate) fn small_package_of(intercept: f64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write::write(dir.path(), &small_files_of(intercept)).unwrap();
    dir
}

/// A small package that predicts a number, in a directory of its own.
pub(crate) fn small_number_package() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write::write(dir.path(), &small_number_files()).unwrap();
    dir
}

/// Loads files after writing the digests of their bytes into the manifest.
fn load_signed(mut files: BTreeMap<&'static str, Vec<u8>>) -> Result<Package, PackageError> {
    let mut manifest = files.remove(MANIFEST).unwrap();
    if let Ok(mut document) = serde_json::from_slice::<Manifest>(&manifest) {
        document.files =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), digest_of(bytes))).collect();
        manifest = serde_json::to_vec(&document).unwrap();
    }
    Package::from_bytes(&manifest, &files)
}

/// Loads the small package with one JSON file changed and signed again.
fn load_changed(name: &'static str, change: impl Fn(&mut Value)) -> String {
    load_changed_of(small_files(), name, change)
}

fn load_changed_of(
    mut files: BTreeMap<&'static str, Vec<u8>>,
    name: &'static str,
    change: impl Fn(&mut Value),
) -> String {
    let mut document: Value = serde_json::from_slice(&files[name]).unwrap();
    change(&mut document);
    files.insert(name, serde_json::to_vec(&document).unwrap());
    load_signed(files).unwrap_err().to_string()
}

#[test]
fn what_is_written_loads_and_predicts() {
    let dir = small_package();
    let package = Package::load(dir.path()).unwrap();
    assert_eq!(package.version().len(), 12);
    assert_eq!(package.reference_len(), 3);
    assert_eq!(package.files().count(), 7);
    let prediction = package.predict(&rows()[0]);
    let probability = model().probability(&rows()[0]);
    assert!(probability < 0.5);
    assert_eq!(prediction, Prediction::Class { class: &json!(false), probability });
    let names: Vec<_> = package.schema().fields.iter().map(|field| field.name.clone()).collect();
    assert_eq!(names, ["age", "charge", "member", "plan"]);
    let example = json!({"age": 24, "charge": 99.5, "member": true, "plan": "gold"});
    assert_eq!(package.schema().example(), example);
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    assert_eq!(small_files(), small_files());
}

#[test]
fn the_card_is_for_people() {
    let card = String::from_utf8(small_files()[CARD].clone()).unwrap();
    for words in [
        "# a small model",
        "| age | whole number | 1 to 72 | no |",
        "0.8100 [0.775, 0.840]",
        "at least 0.5",
    ] {
        assert!(card.contains(words), "{words} in\n{card}");
    }
}

#[test]
fn a_row_is_decided_by_the_threshold_of_its_segment() {
    let thresholds = BTreeMap::from([("gold".to_owned(), 0.0), ("plus".to_owned(), 1.0)]);
    let per_segment = PerSegment { column: "plan".to_owned(), thresholds };
    let of = |threshold: f64, thresholds: Option<&PerSegment>| {
        let (model, thresholds) = (model(), thresholds.cloned());
        Classifier { model, threshold, thresholds }
    };
    let classes = |per_segment: Option<&PerSegment>| -> Vec<bool> {
        let classifier = of(0.5, per_segment);
        rows().iter().map(|row| *classifier.predict(row).value() == json!(true)).collect()
    };
    // Rows are of gold, basic and plus: basic has the threshold of all rows.
    let plain = classes(None);
    assert_eq!(classes(Some(&per_segment)), [true, plain[1], false]);
    let mut missing = rows()[0].clone();
    missing[3] = Cell::Missing;
    let classifier = of(1.0, Some(&per_segment));
    let said = classifier.predict(&missing);
    assert_eq!(*said.value(), json!(false), "a missing value has the threshold of all rows");
}

#[test]
fn thresholds_that_cannot_decide_are_refused() {
    let load = |thresholds: Value| {
        let change = |manifest: &mut Value| manifest["thresholds"] = thresholds.clone();
        let mut files = small_files();
        let mut manifest: Value = serde_json::from_slice(&files[MANIFEST]).unwrap();
        change(&mut manifest);
        files.insert(MANIFEST, serde_json::to_vec(&manifest).unwrap());
        load_signed(files).map(|_| ()).map_err(|error| error.to_string())
    };
    let of = |column: &str, gold: f64| json!({"column": column, "thresholds": {"gold": gold}});
    assert_eq!(load(of("plan", 0.5)), Ok(()));
    let wrong = load(of("plan", 0.0)).unwrap_err();
    assert!(wrong.starts_with("reference row 0"), "it decides otherwise: {wrong}");
    for (column, gold, told) in [("age", 0.5, "no feature of texts"), ("plan", 1.5, "between 0")] {
        let wrong = load(of(column, gold)).unwrap_err();
        assert!(wrong.contains(told), "{wrong}");
    }
}

#[test]
fn every_file_must_be_there_and_unchanged() {
    for name in LISTED.into_iter().chain([DISTRIBUTION, MANIFEST]) {
        let dir = small_package();
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(Package::load(dir.path()).unwrap_err(), PackageError::Missing(name.into()));
        *bytes.last_mut().unwrap() = b' ';
        fs::write(&path, &bytes).unwrap();
        let loaded = Package::load(dir.path());
        if name == MANIFEST {
            assert_ne!(
                loaded.unwrap().version(),
                Package::load(small_package().path()).unwrap().version()
            );
        } else {
            assert_eq!(loaded.unwrap_err(), PackageError::Altered(name.into()));
        }
    }
}

#[test]
fn errors_name_no_directory() {
    let dir = small_package();
    fs::remove_file(dir.path().join(MODEL)).unwrap();
    fs::create_dir(dir.path().join(MODEL)).unwrap();
    let error = Package::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("model.json") && !error.contains('/'), "{error}");
}

#[test]
fn a_model_that_answers_otherwise_is_refused() {
    let error = load_changed(MODEL, |model| {
        model["predictor"]["linear"]["intercept"] = json!(-0.25000000001);
    });
    assert!(error.starts_with("reference row 0"), "{error}");
}

#[test]
fn files_that_do_not_fit_each_other_are_refused() {
    let error = load_changed(SCHEMA, |schema| schema["fields"][0]["type"] = json!("boolean"));
    assert!(error.contains("is not a number"), "{error}");
    let error = load_changed(SCHEMA, |schema| schema["fields"][0]["name"] = json!("years"));
    assert!(error.contains("not the features"), "{error}");
    let error = load_changed(MANIFEST, |manifest| manifest["threshold"] = json!(1.5));
    assert!(error.contains("threshold"), "{error}");
    let error = load_changed(MANIFEST, |manifest| manifest["learner"] = json!("other"));
    assert!(error.contains("another model"), "{error}");
    let error = load_changed(REFERENCE, |reference| reference["rows"] = json!([]));
    assert!(error.contains("no rows"), "{error}");
}

#[test]
fn a_distribution_of_other_rows_is_refused() {
    let error = load_changed(DISTRIBUTION, |found| found["features"][0]["missing"] = json!(1));
    assert!(error.contains("'age' does not hold every row"), "{error}");
}

#[test]
fn a_package_of_an_earlier_program_has_no_distribution_and_loads() {
    assert!(Package::load(small_package().path()).unwrap().distribution().is_some());
    let dir = small_package_without_distribution();
    assert_eq!(Package::load(dir.path()).unwrap().distribution(), None);
    // What lies there unlisted is not looked at.
    fs::create_dir(dir.path().join(DISTRIBUTION)).unwrap();
    assert_eq!(Package::load(dir.path()).unwrap().distribution(), None);
}

#[test]
fn a_manifest_cannot_name_other_files() {
    let error = load_unsigned(|manifest| {
        let entry = manifest["files"]["model.json"].clone();
        manifest["files"]["../model.json"] = entry;
    });
    assert!(error.contains("does not list"), "{error}");
}

fn load_unsigned(change: impl Fn(&mut Value)) -> String {
    let mut files = small_files();
    let mut manifest: Value = serde_json::from_slice(&files.remove(MANIFEST).unwrap()).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    Package::from_bytes(&bytes, &files).unwrap_err().to_string()
}

#[test]
fn a_package_of_a_number_says_so_and_has_the_number_and_no_probability() {
    let files = small_number_files();
    let package = Package::load(small_number_package().path()).unwrap();
    assert_eq!(*package.task(), Task::Number);
    for row in rows() {
        let number = regressor().prediction(&row);
        let said = package.predict(&row);
        assert_eq!(said, Prediction::Number(number));
        assert_eq!((said.probability(), said.score()), (None, number));
        assert_eq!(*said.value(), json!(number));
        let explained = package.explain(&row).unwrap();
        assert!((explained.answer() - number).abs() < 1e-12, "{explained:?}");
        assert_eq!(json!(explained)["scale"], "target");
        assert!(json!(explained).get("calibrated").is_none());
    }
    let manifest: Value = serde_json::from_slice(&files[MANIFEST]).unwrap();
    assert_eq!(manifest["format"], "pipeline.package/2");
    assert_eq!(manifest["task"], "regression");
    assert!(manifest.get("classes").is_none() && manifest.get("threshold").is_none());
    let reference: Value = serde_json::from_slice(&files[REFERENCE]).unwrap();
    let first = &reference["rows"][0];
    let bits = first["prediction"].as_f64().unwrap().to_bits();
    assert_eq!(first["prediction_bits"], format!("{bits:016x}"));
    assert!(first.get("probability").is_none() && first.get("probability_bits").is_none());
    let score = package.distribution().unwrap().score.counts().iter().sum::<u64>();
    assert_eq!(score, 300, "the numbers of all rows are in bins");
}

#[test]
fn the_card_of_a_number_speaks_of_no_class() {
    let card = String::from_utf8(small_number_files()[CARD].clone()).unwrap();
    for words in ["`spent`: a number", "Trained on 100 rows. ", "1.5000 [1.250, 1.750]"] {
        assert!(card.contains(words), "{words} in\n{card}");
    }
    for word in ["class", "threshold", "probabilit", "calibration", "Decision"] {
        assert!(!card.contains(word), "{word} in\n{card}");
    }
}

#[test]
fn a_package_of_classes_is_written_as_before_there_were_others() {
    let files = small_files();
    let keys = |name: &str| -> Vec<String> {
        let document: Value = serde_json::from_slice(&files[name]).unwrap();
        document.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        keys(MANIFEST),
        [
            "classes",
            "description",
            "files",
            "format",
            "learner",
            "metrics",
            "name",
            "target",
            "threshold"
        ]
    );
    // As the program that knew classes alone wrote them.
    let expected = [
        (CARD, "300b220296514e45"),
        (DISTRIBUTION, "63870a3638761799"),
        (MODEL, "1301df099dacd4b3"),
        (MANIFEST, "7765d8095f239faf"),
        (PROVENANCE, "76878cd1402d1f95"),
        (REFERENCE, "72908a6f491f32e8"),
        (SCHEMA, "16338698148d885e"),
    ];
    let digest = |name: &str| digest_of(&files[name]).digest[..16].to_owned();
    let found: Vec<(&str, String)> = expected.map(|(name, _)| (name, digest(name))).to_vec();
    assert_eq!(found, expected.map(|(name, digest)| (name, digest.to_owned())));
}

#[test]
fn parts_of_two_tasks_make_no_package() {
    let (classes, numbers) = (small_files(), small_number_files());
    for (name, told) in [
        (MODEL, "model.json"),
        (REFERENCE, "rows are those of another task"),
        (MANIFEST, "model.json"),
    ] {
        for (whole, part) in [(&classes, &numbers), (&numbers, &classes)] {
            let mut files = whole.clone();
            files.insert(name, part[name].clone());
            let wrong = load_signed(files).unwrap_err().to_string();
            assert!(wrong.contains(told), "{name}: {wrong}");
        }
    }
}

#[test]
fn a_number_that_is_another_in_its_last_bit_is_refused() {
    let files = small_number_files();
    let next = |value: &Value| f64::from_bits(value.as_f64().unwrap().to_bits() + 1);
    let error = load_changed_of(files.clone(), REFERENCE, |reference| {
        let decimal = &mut reference["rows"][1]["prediction"];
        *decimal = json!(next(decimal));
    });
    assert!(error.starts_with("reference row 1"), "{error}");
    let error = load_changed_of(files.clone(), REFERENCE, |reference| {
        reference["rows"][2]["probability"] = json!(0.5);
    });
    assert!(error.starts_with("reference row 2"), "{error}");
    let error = load_changed_of(files, MODEL, |model| {
        model["predictor"]["linear"]["intercept"] = json!(-0.25000000000001);
    });
    assert!(error.starts_with("reference row"), "{error}");
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(
        is_number in any::<bool>(),
        file in 0..6_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut files = if is_number { small_number_files() } else { small_files() };
        let bytes = files.values_mut().nth(file).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = load_signed(files);
    }
}
