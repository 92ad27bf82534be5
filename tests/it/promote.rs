//! Promotion: a package is put into use under a name, if its gates hold, and back.

use std::fs;

use serde_json::Value;

use crate::lab::Lab;

/// The version of the newest package.
fn newest(lab: &Lab) -> String {
    let manifest = lab.read_bytes("outputs/package/package/package.json");
    engine::digest::Digest::of(&manifest).short()
}

/// The version that is in use, and whose copy is there.
fn champion(lab: &Lab) -> String {
    let document = lab.json("outputs/aliases/champion.json");
    let mut stack = Vec::new();
    for event in document["document"]["events"].as_array().unwrap() {
        match event["promoted"]["version"].as_str() {
            Some(version) => stack.push(version.to_owned()),
            None => drop(stack.pop()),
        }
    }
    let version = stack.pop().unwrap();
    let manifest = lab.read_bytes(&format!("outputs/aliases/champion/{version}/package.json"));
    assert_eq!(engine::digest::Digest::of(&manifest).short(), version);
    version
}

/// The example with two runs, whose packages differ.
fn ran_twice() -> Lab {
    let lab = Lab::example_that_ran();
    lab.edit("stages/package.toml", "[params]", "[params]\nreference_rows = 10");
    lab.call(&["run", "--no-serve"]).expect(0);
    lab
}

fn runs(lab: &Lab) -> Vec<Value> {
    let log = lab.call(&["log", "--json"]).expect(0).out;
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_promoted_package_is_in_use_until_it_is_rolled_back_and_never_collected() {
    let lab = ran_twice();
    let newest = newest(&lab);
    lab.call(&["promote", "@-1"]).expect(0).tells("champion: model");
    let oldest = champion(&lab);
    assert_ne!(oldest, newest);
    lab.call(&["promote"]).expect(0).tells(&newest).tells(&format!("before: model {oldest}"));
    assert_eq!(champion(&lab), newest);
    lab.call(&["promote"]).expect(0).tells("already");
    assert_eq!(runs(&lab)[0]["aliases"], serde_json::json!(["champion"]));
    lab.call(&["log"]).expect(0).tells("(champion)");
    lab.call(&["gc", "--keep-last", "1"]).expect(0).tells("run ");
    lab.call(&["rollback", "--reason", "too many calls"]).expect(0).tells(&oldest);
    assert_eq!(champion(&lab), oldest);
    lab.call(&["rollback"]).expect(4).tells("there is no way back");
    lab.call(&["verify"]).expect(0);
    // The history keeps what was said.
    assert!(lab.read("outputs/aliases/champion.json").contains("too many calls"));
}

#[test]
fn a_package_whose_gates_do_not_hold_is_promoted_with_a_reason_or_not_at_all() {
    let lab = Lab::example();
    let evaluate = lab.read("stages/evaluate.toml");
    let without = evaluate.split("[[params.gates]]").next().unwrap().to_owned();
    lab.write("stages/evaluate.toml", &without);
    lab.call(&["run", "--no-serve"]).expect(0);
    lab.call(&["promote"]).expect(3).tells("no stage of the run has a gate").tells("--reason");
    assert!(!lab.path("outputs/aliases").exists());
    lab.call(&["promote", "--force"]).expect(2);
    lab.call(&["promote", "--force", "--reason", "a drill"]).expect(0);
    let alias: Value = lab.json("outputs/aliases/champion.json");
    let event = &alias["document"]["events"][0];
    assert_eq!((&event["is_forced"], &event["reason"]), (&true.into(), &"a drill".into()));
}

#[test]
fn what_cannot_be_promoted_is_told() {
    let lab = Lab::example();
    lab.call(&["promote"]).expect(4).tells("no run");
    lab.call(&["run", "--no-serve", "evaluate"]).expect(0);
    lab.call(&["promote"]).expect(4).tells("made no package");
    lab.call(&["promote", "--alias", "a/b"]).expect(4);
    lab.call(&["rollback"]).expect(4);
    lab.call(&["serve", "--alias", "champion"]).expect(4).tells("`pipeline promote`");
    lab.write("stages/aliases.toml", "kind = \"command\"\n[params]\nrun = [\"true\"]\n");
    let pipeline = lab.read("pipeline.toml");
    lab.write("pipeline.toml", &pipeline.replacen("stages = [", "stages = [\"aliases\", ", 1));
    lab.call(&["plan"]).expect(2).tells("aliases");
}

#[test]
fn a_promotion_that_was_killed_half_way_is_ended_by_the_next() {
    let lab = ran_twice();
    lab.call(&["promote", "@-1"]).expect(0);
    let oldest = champion(&lab);
    let document = lab.read_bytes("outputs/aliases/champion.json");
    lab.call(&["promote"]).expect(0);
    // As if it had been killed after it laid the copy out: the document decides.
    let path = lab.path("outputs/aliases/champion.json");
    fs::write(path, document).unwrap();
    lab.call(&["verify"]).expect(3).tells("champion");
    lab.call(&["promote", "@-1"]).expect(0).tells("already");
    assert_eq!(champion(&lab), oldest);
    lab.call(&["verify"]).expect(0);
}
