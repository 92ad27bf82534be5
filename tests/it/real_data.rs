//! Real tables, as a new user would meet them: `init`, then `run`.
//!
//! The tables are not part of the project. Where they are not there, these tests say so and pass,
//! except in CI, where they must be there.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::{Lab, flip_byte};

/// What scikit-learn makes of the same rows; written by `tests/golden/telco.py`.
const GOLDEN: &str = include_str!("../golden/telco.json");

#[expect(clippy::print_stderr, reason = "a test that could not be made must be seen")]
fn table(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "`{}` must be there in CI", path.display());
    eprintln!("SKIPPED: `{}` is not there", path.display());
    None
}

#[test]
fn the_telco_table_runs_from_init_and_matches_scikit_learn() {
    let Some(telco) = table("telco.csv") else { return };
    let lab = Lab::empty();
    lab.call(&["init", telco.to_str().unwrap(), "--target", "Churn"])
        .expect(0)
        .tells("`customerID` names the rows");
    lab.call(&["run", "--no-serve"]).expect(0);
    lab.call(&["run", "--no-serve"]).expect(0).tells("nothing to do");

    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let log = lab.call(&["run", "--no-serve", "--verbose"]).expect(0).err;
    let [n_train, n_test] = ["train", "test"].map(|side| golden["rows"][side].as_u64().unwrap());
    assert!(log.contains(&format!("{n_train} train, ")), "the split has changed: {log}");
    assert!(log.contains(&format!(" {n_test} test rows")), "the split has changed: {log}");
    let run: Value = serde_json::from_str(&lab.call(&["show", "--json"]).expect(0).out).unwrap();
    let metric = |name: &str| {
        let stages = run["run"]["stages"].as_array().unwrap();
        let evaluate = stages.iter().find(|stage| stage["stage"] == "evaluate").unwrap();
        evaluate["metrics"][name]["value"].as_f64().unwrap()
    };
    let (own, theirs) = (metric("logistic.test.roc_auc"), golden["roc_auc"].as_f64().unwrap());
    assert!((own - theirs).abs() < 0.01, "{own} and scikit-learn's {theirs}");
    // Far tighter than promised: the same rows, features and objective give the same model.
    assert!((own - theirs).abs() < 1e-3, "{own} and scikit-learn's {theirs}");

    lab.call(&["verify", "--rebuild"]).expect(0).tells("verified");
    let object = lab.objects().swap_remove(3);
    flip_byte(&object);
    lab.call(&["verify"]).expect(5).tells(object.file_name().unwrap().to_str().unwrap());
    lab.call(&["run", "--no-serve"]).expect(0);
    lab.call(&["verify"]).expect(0);
}

#[test]
fn a_table_with_odd_column_names_runs_from_init() {
    let Some(iranian) = table("iranian.csv") else { return };
    let lab = Lab::empty();
    lab.call(&["init", iranian.to_str().unwrap(), "--target", "Churn"]).expect(0);
    lab.call(&["run", "--no-serve"]).expect(0);
    lab.call(&["verify", "--rebuild"]).expect(0);
}

#[test]
fn init_takes_neither_dates_nor_repeated_ids_for_features() {
    let lab = Lab::empty();
    let rows: String = (0..60)
        .map(|i| {
            let (day, label) = (i % 28 + 1, if i % 3 == 0 { "yes" } else { "no" });
            format!("{},2026-01-{day:02},{i},{label}\n", i / 2)
        })
        .collect();
    lab.write("t.csv", &format!("user_id,joined,x,left\n{rows}"));
    lab.call(&["init", "t.csv", "--target", "left"])
        .expect(0)
        .tells("`joined` is free text, dates");
    let pipeline = lab.read("pipeline.toml");
    assert!(pipeline.contains("user_id = \"ignore\"") && pipeline.contains("joined = \"ignore\""));
    assert!(!pipeline.contains("\nx = "), "{pipeline}");
    assert_eq!(lab.read(".gitignore"), "/outputs\n");
}

#[test]
fn init_refuses_what_it_cannot_use_and_writes_nothing() {
    let lab = Lab::empty();
    lab.write("t.csv", "id,x,y\na,1,0\nb,2,1\nc,3,2\n");
    lab.call(&["init", "t.csv", "--target", "z"]).expect(2).tells("no column `z`");
    lab.call(&["init", "t.csv", "--target", "y"]).expect(2).tells("classes");
    lab.call(&["init", "none.csv", "--target", "y"]).expect(4).tells("none.csv");
    assert!(!lab.path("pipeline.toml").exists() && !lab.path("stages").exists());
    let elsewhere = Lab::empty();
    elsewhere.write("data/t.csv", "mine");
    let table = lab.path("t.csv").display().to_string();
    lab.write("t.csv", "id,y\na,1\nb,0\nc,1\n");
    elsewhere.call(&["init", &table, "--target", "y"]).expect(2).tells("is already here");
    assert_eq!(elsewhere.read("data/t.csv"), "mine");
    let example = Lab::example();
    example.call(&["init", "data/subscribers.csv", "--target", "churned"]).expect(2);
}
