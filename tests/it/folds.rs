//! Folds as variants that are cached, groups that stay together, and checks that see when not.

use std::fmt::Write;

use crate::lab::Lab;

/// 300 rows of 60 customers, with a day each.
fn lab(split: &str, validate: &str) -> Lab {
    let lab = Lab::empty();
    let mut rows = "customer,day,usage,left\n".to_owned();
    for row in 0..300 {
        let customer = row * 7 % 60;
        let (month, day) = (1 + row % 12, 1 + row % 28);
        let left = u8::from(row % 5 == 0);
        writeln!(rows, "c{customer},2026-{month:02}-{day:02},{}.5,{left}", row * 31 % 97).unwrap();
    }
    lab.write("rows.csv", &rows);
    lab.write(
        "pipeline.toml",
        "name = \"folds\"\nstages = [\"split\", \"validate\"]\n[data]\nrows = \"rows.csv\"\n\
         [defaults.columns]\nleft = \"target\"\n",
    );
    lab.write(
        "stages/split.toml",
        &format!("kind = \"split\"\n[inputs]\ntable = \"data.rows\"\n{split}"),
    );
    lab.write("stages/validate.toml", &format!("kind = \"validate\"\n[inputs]\n{validate}"));
    lab
}

#[test]
fn every_fold_is_a_variant_and_one_more_runs_alone() {
    let folds = "[params]\nmethod = \"k_fold\"\nfolds = 4\n[matrix]\nfold = [1, 2]\n";
    let lab = lab(folds, "table = \"data.rows\"\n");
    assert_eq!(lab.executed(&["split"]), ["split@fold=1", "split@fold=2"]);
    lab.edit("stages/split.toml", "fold = [1, 2]", "fold = [1, 2, 3]\nrepeat = [1, 2]");
    let executed = lab.executed(&["split"]);
    assert_eq!(executed.len(), 4, "two were there: {executed:?}");
    let test = |name: &str| lab.read_bytes(&format!("outputs/split@{name}/test.parquet"));
    assert_ne!(test("fold=1-repeat=1"), test("fold=1-repeat=2"));
    let told = lab.call(&["plan", "--set", "split.folds=2"]).expect(2).err;
    assert!(told.contains("fold 3 of 2: they are numbered from 1"), "{told}");
}

#[test]
fn a_split_by_group_has_no_customer_twice_and_any_other_is_told() {
    let sides = "table = \"data.rows\"\ntrain = \"split.train\"\nvalidation = \"split.validation\"\n\
                 test = \"split.test\"\n[params]\n\
                 checks = [{ check = \"index_train_test_leakage\", severity = \"error\" }]\n\
                 [params.columns]\ncustomer = \"id\"\nleft = \"target\"\n";
    let split = "[params]\nmethod = \"group\"\ngroup = \"customer\"\n";
    let grouped = lab(split, sides);
    let told = grouped.call(&["run"]).expect(0).err;
    assert!(told.contains("groups, none on two sides"), "{told}");
    let report = grouped.json("outputs/validate/validation.json");
    assert_eq!(report["checks"][0]["worst"], 0.0);
    let random = lab("", sides);
    let told = random.call(&["run"]).expect(1).err;
    assert!(told.contains("index_train_test_leakage: ") && told.contains("have the id of a row"));
}

#[test]
fn a_split_by_time_tells_from_when_to_when() {
    let split = "[params]\nmethod = \"time\"\ntime = \"day\"\n";
    let told = lab(split, "table = \"data.rows\"\n").call(&["run", "split"]).expect(0).err;
    assert!(told.contains("train from 2026-01-") && told.contains("test from 2026-"), "{told}");
}
