//! The same table as CSV, Parquet and Arrow: one model, one profile, the same answers.
//!
//! The tables are made by `tests/golden/tables.py`.

use std::fs;
use std::path::Path;

use crate::lab::Lab;

/// A project made from the table of this name, run, with all three tables beside it.
fn project(name: &str) -> Lab {
    let lab = Lab::empty();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tables");
    for name in ["rows.csv", "rows.parquet", "rows.arrow"] {
        fs::copy(golden.join(name), lab.path(name)).unwrap();
    }
    lab.call(&["init", name, "--target", "left"]).expect(0);
    lab.call(&["run", "--no-serve"]).expect(0);
    lab
}

#[test]
fn the_format_of_a_table_changes_no_bit_of_what_follows_from_it() {
    let [csv, parquet, arrow] = ["rows.csv", "rows.parquet", "rows.arrow"].map(project);
    let model = "outputs/evaluate/champion.json";
    for file in [model, "outputs/profile/profile.json", "outputs/split/train.parquet"] {
        let bytes = csv.read_bytes(file);
        assert!(!bytes.is_empty() && bytes == parquet.read_bytes(file), "{file} of Parquet");
        assert!(bytes == arrow.read_bytes(file), "{file} of Arrow");
    }
    let profile = csv.json("outputs/profile/profile.json");
    let joined = profile["columns"].as_array().unwrap().iter().find(|c| c["name"] == "joined");
    assert_eq!(joined.unwrap()["lengths"]["min"], 10, "days are ISO texts: {joined:?}");

    let predict = |lab: &Lab, file: &str| {
        lab.call(&["predict", file, "--output", "jsonl", "--extra", "ignore"]).expect(0).out
    };
    let answers = predict(&csv, "rows.csv");
    assert_eq!(answers.lines().count(), 240);
    assert_eq!(answers, predict(&csv, "rows.parquet"));
    assert_eq!(answers, predict(&csv, "rows.arrow"));
}

#[test]
fn a_column_that_no_table_holds_is_named_by_the_stage_that_reads_it() {
    let lab = Lab::empty();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tables");
    fs::copy(golden.join("refused.arrow"), lab.path("rows.arrow")).unwrap();
    lab.write(
        "pipeline.toml",
        "name = \"refused\"\nstages = [\"profile\"]\n[data]\nrows = \"rows.arrow\"\n\
         [stage.profile]\nkind = \"profile\"\ninputs = { table = \"data.rows\" }\n",
    );
    lab.call(&["run"])
        .expect(1)
        .tells("column `price` holds decimals: write floats")
        .tells("column `tags` holds lists: write a column for each thing that they tell");
}
