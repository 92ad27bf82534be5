//! A first suite is written from what is there, holds on it, and names what is damaged later.

use std::fs;

use serde_json::Value;

use crate::lab::Lab;

/// The example with the suggested suite in place of its own.
fn example_with_suggested_suite() -> Lab {
    let lab = Lab::example();
    fs::remove_file(lab.path("stages/validate.toml")).unwrap();
    let source = "data/subscribers.csv";
    let to = ["--output", "stages/validate.toml"];
    lab.call(&[&["validate", "--suggest", source][..], &to].concat()).expect(0);
    let again = lab.call(&[&["validate", "--suggest", source][..], &to].concat());
    again.expect(2).tells("`stages/validate.toml` is already here");
    lab
}

#[test]
fn a_suggested_suite_is_a_stage_that_holds_on_its_table() {
    let lab = example_with_suggested_suite();
    let suite = lab.read("stages/validate.toml");
    for text in [
        "# 9000 rows were seen; half as many are half an export.",
        "table = \"data.subscribers\"",
        "expect = \"expect_column_values_to_be_unique\"\ncolumn = \"customer_id\"",
        "column = \"churned\"\nvalue_set = [0, 1]",
        "column = \"plan_type\"\nvalue_set = [\"postpaid\", \"prepaid\"]",
    ] {
        assert!(suite.contains(text), "`{text}` is not in\n{suite}");
    }
    lab.call(&["run", "validate"]).expect(0);
    let report = lab.json("outputs/validate/validation.json");
    let results = report["results"].as_array().unwrap();
    assert!(results.len() > 20 && results.iter().all(|result| result["success"] == true));
}

#[test]
fn a_damaged_table_fails_the_suggested_suite_by_name() {
    let lab = example_with_suggested_suite();
    lab.edit("data/subscribers.csv", ",prepaid,", ",prepad,");
    lab.call(&["run", "validate"])
        .expect(1)
        .tells("expect_column_values_to_be_in_set on `plan_type`")
        .tells("`prepad` [ENUM_TYPE_UNEXPECTED_STRING_VALUES]");
}

#[test]
fn a_profile_and_its_table_suggest_the_same() {
    let lab = Lab::example();
    lab.call(&["validate", "--suggest"]).expect(4).tells("`pipeline run profile` makes it");
    lab.call(&["run", "profile"]).expect(0);
    let of_project = lab.call(&["validate", "--suggest"]).expect(0).out;
    assert_eq!(
        of_project,
        lab.call(&["validate", "--suggest", "data/subscribers.csv"]).expect(0).out
    );
    let of_file =
        lab.call(&["validate", "--suggest", "outputs/profile/profile.json"]).expect(0).out;
    assert_eq!(of_file, of_project.replace("data.subscribers", "data.table"));
    let json = lab.call(&["validate", "--suggest", "--json"]).expect(0).out;
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told["schema"], "pipeline.suite/1");
    assert_eq!(told["table"], "data.subscribers");
    let first = &told["suggestions"][0]["expectation"];
    assert_eq!(first["expect"], "expect_table_row_count_to_be_between");
}

#[test]
fn a_source_that_cannot_be_used_is_told() {
    let lab = Lab::empty();
    lab.call(&["validate"]).expect(2).tells("--suggest");
    lab.call(&["validate", "--suggest", "no.csv"]).expect(4).tells("`no.csv` is not there");
    lab.write("t.csv", "a,b\n1\n");
    lab.call(&["validate", "--suggest", "t.csv"]).expect(2).tells("t.csv: line 2");
    lab.write("p.json", "{\"format\": \"pipeline.profile/9\"}");
    lab.call(&["validate", "--suggest", "p.json"]).expect(2).tells("not `pipeline.profile/1`");
    lab.write("t.csv", "a,b\n1,x\n2,y\n");
    let suite = lab.call(&["validate", "--suggest", "t.csv"]).expect(0).out;
    assert!(suite.contains("table = \"data.table\""), "{suite}");
}
