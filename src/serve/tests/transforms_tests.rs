//! Every transform that can be declared is served: raw cells in, the bits of the batch out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Service;
use crate::kinds::train::transforms::{cells, deviations, fitted, model, table};
use crate::ml::calibration::{Calibration, Method};
use crate::ml::model::Model;
use crate::ml::package::write::{self, Parts, Texts};
use crate::ml::package::{Classifier, TaskModel};
use crate::ml::schema::Schema;
use crate::ml::table::Table;
use crate::serve::state::Options;

/// What a profile says of the table: ranges and categories are those of its rows.
fn schema(table: &Table) -> Schema {
    let categories = |name: &str| {
        let column = table.column(name).unwrap();
        let texts = (0..table.rows()).filter_map(|row| column.text(row));
        texts.collect::<std::collections::BTreeSet<_>>()
    };
    let field = |name: &str, ty: &str, more: Value| {
        let mut field = json!({"name": name, "roles": ["feature"], "type": ty, "nullable": true});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let fields = json!([
        field("amount", "number", json!({"min": -1e9, "max": 1e9})),
        field("truth", "boolean", json!({})),
        field("code", "integer", json!({"min": 0.0, "max": 99.0})),
        field("colour", "category", json!({"categories": categories("colour")})),
        field("town", "text", json!({})),
        field("day", "category", json!({"categories": categories("day")})),
        field("time", "integer", json!({"min": 0.0, "max": 1.0})),
    ]);
    serde_json::from_value(json!({"format": "pipeline.schema/1", "fields": fields})).unwrap()
}

fn service(features: &Value, table: &Table) -> (Service, Model) {
    serve(Model::from_bytes(&model(&fitted(table, features).encoder)).unwrap(), table)
}

fn serve(model: Model, table: &Table) -> (Service, Model) {
    let text = || "a text".to_owned();
    let texts =
        Texts { name: text(), description: text(), intended_use: text(), limitations: text() };
    let classifier = Classifier { model: model.clone(), threshold: 0.5, thresholds: None };
    let files = write::files(&Parts {
        texts: &texts,
        model: &TaskModel::Classifier(classifier),
        threshold_rule: Some("by hand"),
        metrics: &BTreeMap::new(),
        intervals: &BTreeMap::new(),
        confidence: None,
        schema: &schema(table),
        rows: &[cells(table, 0), cells(table, 1)],
        seen: &[],
        provenance: &json!({}),
    });
    let dir = tempfile::tempdir().unwrap();
    write::write(dir.path(), &files.unwrap()).unwrap();
    (Service::over(dir, Options::default()), model)
}

/// A row as a request: values as they stand in the table.
fn record(table: &Table, row: usize) -> Value {
    let value = |column: &crate::ml::table::Column| match column.cell(row) {
        crate::ml::cell::Cell::Missing => Value::Null,
        crate::ml::cell::Cell::Text(text) => json!(text),
        crate::ml::cell::Cell::Number(x) if column.name == "truth" => json!(x == 1.0),
        crate::ml::cell::Cell::Number(x) => json!(x),
    };
    table.columns()[..7].iter().map(|column| (column.name.clone(), value(column))).collect()
}

#[test]
fn every_transform_is_served_with_the_bits_of_the_batch() {
    let table = table(60, false);
    for features in deviations() {
        let (service, model) = service(&features, &table);
        let batch = model.probabilities(&table).unwrap();
        let records: Vec<Value> = (0..20).map(|row| record(&table, row)).collect();
        let (status, answers) = service.post(json!(records).to_string());
        assert_eq!(status, 200, "{features}: {answers}");
        for (answer, expected) in answers.as_array().unwrap().iter().zip(&batch) {
            let probability = answer["probability"].as_f64().unwrap();
            assert_eq!(probability.to_bits(), expected.to_bits(), "{features}");
        }
    }
}

#[test]
fn a_calibrated_model_is_served_with_the_bits_of_the_batch() {
    let table = table(60, false);
    let plain = model(&fitted(&table, &deviations()[0]).encoder);
    for method in [Method::Sigmoid, Method::Isotonic] {
        let (scores, labels) = ([0.1, 0.4, 0.5, 0.9], [false, true, false, true]);
        let calibration = Calibration::fit(method, &scores, &labels).unwrap();
        let model = Model::from_bytes(&plain).unwrap().calibrated(calibration).unwrap();
        let (service, model) = serve(model, &table);
        let batch = model.probabilities(&table).unwrap();
        assert_ne!(batch, Model::from_bytes(&plain).unwrap().probabilities(&table).unwrap());
        for (row, expected) in batch.iter().enumerate().take(10) {
            let (status, answer) = service.post(record(&table, row).to_string());
            let probability = answer["probability"].as_f64().unwrap();
            assert_eq!((status, probability.to_bits()), (200, expected.to_bits()));
        }
    }
}

#[test]
fn a_date_of_any_day_is_served_and_what_is_none_is_refused() {
    let table = table(60, false);
    let (service, _) = service(&deviations()[0], &table);
    let post = |field: &str, value: Value| {
        let mut record = record(&table, 0);
        record[field] = value;
        service.post(record.to_string())
    };
    assert_eq!(post("day", json!("2199-12-31")).0, 200);
    assert_eq!(post("time", json!(9_999_999_999_i64)).0, 200);
    let (status, answer) = post("day", json!("2023-02-29"));
    assert_eq!((status, &answer["detail"][0]["type"]), (422, &json!("date_parsing")));
    assert_eq!(answer["detail"][0]["ctx"], json!({"format": "%Y-%m-%d"}));
    let expected = "field 'day' must be a date of the format %Y-%m-%d, a text";
    assert_eq!(answer["detail"][0]["message"], expected);
    assert_eq!(post("time", json!(1e300)).0, 422);
}

#[test]
fn a_text_that_training_has_not_seen_is_refused_where_that_was_declared() {
    let table = table(60, false);
    let is_strict = |features: &Value| features["categorical"]["unseen"] == "error";
    let (strict, lax) = (deviations().into_iter().find(is_strict).unwrap(), &deviations()[0]);
    for (features, expected) in [(&strict, 422), (lax, 200)] {
        let mut record = record(&table, 0);
        record["town"] = json!("nowhere");
        let (status, answer) = service(features, &table).0.post(record.to_string());
        assert_eq!(status, expected, "{answer}");
    }
}
