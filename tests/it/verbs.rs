//! The verbs that look and change nothing, and what their output promises to programs.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::lab::Lab;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_dry_run_and_a_plan_tell_the_same_and_change_nothing() {
    let lab = Lab::example();
    let dry = lab.call(&["run", "--dry-run"]).expect(0).out;
    assert_eq!(dry, lab.call(&["plan"]).expect(0).out);
    assert!(dry.contains("plan: 3 to run, 8 wait for those, 0 cached"), "{dry}");
    assert!(!lab.path("outputs/runs").exists());
}

#[test]
fn targets_run_up_to_the_named_stages() {
    let lab = Lab::example();
    assert_eq!(lab.executed(&["profile"]), ["profile"]);
    assert_eq!(lab.executed(&["train@tree"]), ["split", "train@tree", "validate"]);
    assert_eq!(
        lab.executed(&["train"]),
        ["train@boosting", "train@forest", "train@logistic", "train@segments"]
    );
    assert_eq!(lab.executed(&["profile", "--force"]), ["profile"]);
}

#[test]
fn the_record_of_a_run_is_listed_and_shown() {
    let lab = Lab::example_that_ran();
    let log = lab.call(&["log"]).expect(0).out;
    assert!(log.contains("roc_auc"), "{log}");
    let recorded = &lines(&lab.call(&["log", "--json"]).expect(0).out)[0];
    let id = recorded["id"].as_str().unwrap();
    let shown = lab.call(&["show", &id[..6]]).expect(0).out;
    for text in ["param   C = 1.0", "roc_auc", "train.parquet", "code", "commit"] {
        assert!(shown.contains(text), "`{text}` is not shown:\n{shown}");
    }
    let json: Value = serde_json::from_str(&lab.call(&["show", "--json"]).expect(0).out).unwrap();
    assert_eq!(json["recipes"]["train@logistic"]["params"]["C"], 1.0);
    let experiment = lab.json("outputs/log/experiment.json").to_string();
    for text in ["n_estimators", "\"code\"", "roc_auc"] {
        assert!(experiment.contains(text), "{text}");
    }
}

#[test]
fn the_git_commit_is_observed_and_changes_no_result() {
    let lab = Lab::example();
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
        let mut command = Command::new("git");
        command.args(identity).args(args).current_dir(lab.path("")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        assert!(command.output().unwrap().status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    lab.write(".gitignore", "outputs\n");
    let before = lab.result(&[]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    assert_eq!(lab.executed(&[]), [""; 0]);
    lab.edit("stages/train.toml", "n_estimators = 100", "n_estimators = 50");
    assert_ne!(lab.result(&[]), before);
    let recorded = &lines(&lab.call(&["log", "--json"]).expect(0).out)[0];
    assert_eq!(recorded["observed"]["git_dirty"], true);
    assert_eq!(recorded["observed"]["git_commit"].as_str().unwrap().len(), 40);
    // A git revision of the lock may be named, too.
    let diff = lab.call(&["diff", "HEAD", "@"]).expect(0).out;
    assert!(diff.contains("params.n_estimators: 100 -> 50"), "{diff}");
}

#[test]
fn a_fresh_clone_is_verified_without_any_stored_bytes() {
    let lab = Lab::example();
    lab.call(&["verify"]).expect(0).tells("11 stages against the lock");
    lab.edit("data/subscribers.csv", "prepaid", "postpaid");
    lab.call(&["verify"]).expect(3).tells("stage `profile` is not what was locked");
}

#[test]
fn a_lock_with_a_merge_conflict_is_drift_and_a_whole_run_mends_it() {
    let lab = Lab::example_that_ran();
    let good = lab.read("pipeline.lock");
    lab.write("pipeline.lock", &format!("<<<<<<< HEAD\n{good}"));
    lab.call(&["verify"]).expect(3).tells("is not a lock");
    lab.call(&["run", "--no-serve", "--locked"]).expect(3).tells("hint: take one side");
    lab.call(&["run", "profile"]).expect(3);
    lab.call(&["run", "--no-serve"]).expect(0);
    assert_eq!(lab.read("pipeline.lock"), good);
}

#[test]
fn a_stage_that_only_the_lock_has_is_drift() {
    let lab = Lab::example_that_ran();
    let lock = lab.read("pipeline.lock");
    let key = lock.lines().find(|line| line.starts_with("key = ")).unwrap();
    lab.write("pipeline.lock", &format!("{lock}\n[stage.extra]\nkind = \"log\"\n{key}\n"));
    lab.call(&["run", "--no-serve", "--locked"]).expect(3).tells("extra");
}

#[test]
fn a_diff_is_told_as_text_json_and_markdown() {
    let lab = Lab::example_that_ran();
    lab.call(&["run", "--no-serve", "--set", "train@logistic.C=0.01"]).expect(0);
    let json = &lines(&lab.call(&["diff", "--json"]).expect(0).out)[0];
    assert_eq!(json["schema"], "pipeline.diff/1");
    assert_eq!(json["cause"]["changes"][0]["field"], "params.C");
    let metric = json["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .find(|metric| metric["metric"] == "logistic.test.roc_auc" && metric["goal"] == "max");
    assert!(metric.is_some_and(|metric| metric["delta"].is_number()), "{json}");
    let md = lab.call(&["diff", "--md"]).expect(0).out;
    assert!(md.contains("- `params.C: 1.0 -> 0.01`") && md.contains("| metric |"), "{md}");
    // A copy of the lock may be named.
    fs::copy(lab.path("pipeline.lock"), lab.path("other.lock")).unwrap();
    lab.call(&["diff", "other.lock", "@", "--exit-code"]).expect(0).tells("bit-identical");
}

#[test]
fn the_resolved_configuration_says_where_each_value_was_written() {
    let lab = Lab::example();
    let told = lab.call(&["config", "--origin", "--set", "train.class_weight=none"]).expect(0).out;
    assert!(told.contains("# stages/train.toml:"), "{told}");
    assert!(told.contains("stage.train.params.class_weight = \"none\"  # --set"), "{told}");
    let line = "stage.train.variant.forest.params.max_features = \"sqrt\"  # default of kind train";
    assert!(told.contains(line), "{told}");
    let written = told.lines().filter(|line| line.contains("forest.params.n_estimators"));
    assert_eq!(written.count(), 1, "{told}");
    let mut command = lab.command(&["config", "--origin"]);
    command.env("PIPELINE_SET__seed", "5").env("PIPELINE_WORKSPACE", "/azure");
    let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(told.contains("seed = 5  # environment PIPELINE_SET__seed"), "{told}");
    assert!(!told.contains("azure"));
}

#[test]
fn results_go_to_stdout_and_nothing_else_does() {
    let lab = Lab::example();
    let ended = lab.call(&["run", "--no-serve"]).expect(0);
    assert_eq!(ended.out, "");
    assert!(ended.err.contains("11 stages: 11 run, 0 cached, "), "{}", ended.err);
    let quiet = lab.call(&["run", "--no-serve", "--quiet", "--force"]).expect(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    for line in lines(&lab.call(&["run", "--no-serve", "--json"]).expect(0).out) {
        assert_eq!(line["schema"], "pipeline.event/1");
    }
}

#[test]
fn a_profile_lays_its_values_over_the_files() {
    let lab = Lab::example();
    let told = lab.call(&["config", "--origin", "--profile", "quick"]).expect(0).out;
    let line = told.lines().find(|line| line.contains("forest.params.n_estimators")).unwrap();
    assert!(line.contains("= 20  # pipeline.toml:"), "{line}");
}
