//! A column of weights: it has a say in the fit, and nothing else knows it.

use std::fs;
use std::path::Path;

use crate::lab::Lab;

/// A project whose rows have a column `copies`, which has the role that is given.
fn project(role: &str, copies: impl Fn(usize) -> i64) -> Lab {
    let lab = Lab::empty();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tables/rows.csv");
    let text = fs::read_to_string(golden).unwrap();
    let line = |(row, line): (usize, &str)| match row {
        0 => format!("{line},copies\n"),
        _ => format!("{line},{}\n", copies(row)),
    };
    lab.write("rows.csv", &text.lines().enumerate().map(line).collect::<String>());
    lab.call(&["init", "rows.csv", "--target", "left"]).expect(0);
    let roles = format!("[defaults.columns]\ncopies = {role}\n");
    lab.edit("pipeline.toml", "[defaults.columns]\n", &roles);
    lab
}

#[test]
fn a_weight_is_learnt_by_and_is_no_feature() {
    let weighed = project("\"weight\"", |row| row as i64 % 4);
    weighed
        .call(&["run", "--no-serve"])
        .expect(0)
        .tells("metrics by `copies` stand under `weighted`");
    let metrics = weighed.json("outputs/evaluate/metrics.json");
    let champion = &metrics["variants"][metrics["champion"].as_str().unwrap()]["test"]["overall"];
    assert!(champion["weighted"]["roc_auc"].is_number(), "{champion}");
    assert_ne!(champion["weighted"]["brier"], champion["brier"]);
    let experiment = weighed.json("outputs/log/experiment.json");
    let name = format!("{}.test.weighted.brier", metrics["champion"].as_str().unwrap());
    assert_eq!(experiment["metrics"][&name], champion["weighted"]["brier"]);
    let alike = project("\"ignore\"", |row| row as i64 % 4);
    alike.call(&["run", "--no-serve"]).expect(0);
    let model = |lab: &Lab| lab.read("outputs/evaluate/champion.json");
    assert!(!model(&weighed).contains("copies"));
    assert_ne!(model(&weighed), model(&alike), "weights have no say");
    let schema = weighed.read("outputs/package/package/schema.json");
    assert!(!schema.contains("copies"), "{schema}");
    let profile = weighed.json("outputs/profile/data_profile.json");
    let fields = profile["fields"].as_array().unwrap();
    let field = fields.iter().find(|field| field["name"] == "copies").unwrap();
    assert_eq!(field["roles"], serde_json::json!(["weight"]));
}

#[test]
fn what_is_no_weight_is_refused_with_its_row() {
    let negative = project("\"weight\"", |row| if row % 7 == 1 { -2 } else { 3 });
    let told = "weight `copies` is -2 in row";
    negative.call(&["run", "--no-serve"]).expect(1).tells(told).tells("from 1e-20 to 1e20");
    let twice = project("[\"weight\", \"feature\"]", |_| 1);
    twice.call(&["plan"]).expect(2).tells("`copies` is `weight` and something else: remove one");
}
