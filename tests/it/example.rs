//! The shipped example: what runs again after which change, and that damage heals.

use std::fs;
use std::time::{Duration, SystemTime};

use engine::canonical;
use engine::digest::Digest;

use crate::lab::{Lab, flip_byte};

const ALL: [&str; 11] = [
    "evaluate",
    "log",
    "package",
    "profile",
    "split",
    "train@boosting",
    "train@forest",
    "train@logistic",
    "train@segments",
    "train@tree",
    "validate",
];

#[test]
fn a_second_run_executes_nothing() {
    let lab = Lab::example();
    assert_eq!(lab.executed(&[]), ALL);
    assert_eq!(lab.executed(&[]), [""; 0]);
    lab.call(&["run", "--no-serve"]).expect(0).tells("nothing to do");
    lab.call(&["status", "--exit-code"]).expect(0).tells("up to date");
}

#[test]
fn what_does_not_change_content_runs_nothing() {
    let lab = Lab::example_that_ran();
    let data = fs::File::options().write(true).open(lab.path("data/subscribers.csv")).unwrap();
    data.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    lab.edit("stages/train.toml", "kind =", "# a comment\nkind =");
    assert_eq!(lab.executed(&["--jobs", "1"]), [""; 0]);

    let moved = Lab::empty();
    for name in ["pipeline.toml", "pipeline.lock", "stages", "data", "outputs"] {
        fs::rename(lab.path(name), moved.path(name)).unwrap();
    }
    assert_eq!(moved.executed(&[]), [""; 0]);
}

#[test]
fn a_changed_parameter_runs_exactly_what_depends_on_it_and_why_names_it() {
    let lab = Lab::example_that_ran();
    lab.edit("stages/train.toml", "n_estimators = 100", "n_estimators = 101");
    lab.call(&["why", "train@forest"]).expect(0).tells("params.n_estimators: 100 -> 101");
    lab.call(&["why", "evaluate"])
        .expect(0)
        .tells("train@forest runs because params.n_estimators: 100 -> 101");
    let both = ["why", "evaluate", "--set", "evaluate.champion=f1"];
    lab.call(&both).expect(0).tells("params.champion: roc_auc -> f1");
    lab.call(&["status", "--exit-code"]).expect(3).tells("train@forest");
    lab.call(&["run", "--no-serve", "--locked"]).expect(3).tells("params.n_estimators");
    let executed = lab.executed(&[]);
    assert_eq!(executed, ["evaluate", "log", "package", "train@forest"]);

    let diff = lab.call(&["diff"]).expect(0);
    let cause = diff.out.lines().nth(2).unwrap();
    assert_eq!(cause, "cause  train@forest  params.n_estimators: 100 -> 101", "{}", diff.out);
    lab.call(&["diff", "--exit-code"]).expect(3);
    lab.call(&["diff", "@", "@", "--exit-code"]).expect(0).tells("bit-identical");
}

#[test]
fn a_parameter_set_for_one_run_is_told_as_the_reason() {
    let lab = Lab::example_that_ran();
    let before = lab.read("stages/train.toml");
    let ended = lab.call(&["run", "--no-serve", "--set", "train@logistic.C=0.5"]).expect(0);
    assert!(ended.err.contains("because params.C: 1.0 -> 0.5"), "{}", ended.err);
    assert_eq!(lab.read("stages/train.toml"), before);
}

#[test]
fn a_flipped_byte_in_any_object_is_found_named_and_healed() {
    let lab = Lab::example_that_ran();
    lab.call(&["verify"]).expect(0).tells("verified");
    for object in lab.objects() {
        flip_byte(&object);
        let name = object.strip_prefix(lab.path("")).unwrap().display().to_string();
        lab.call(&["verify"]).expect(5).tells(&name);
        lab.call(&["run", "--no-serve"]).expect(0);
        lab.call(&["verify"]).expect(0).tells("verified");
    }
}

#[test]
fn a_rebuild_in_a_fresh_process_gives_the_same_bytes() {
    let lab = Lab::example_that_ran();
    lab.call(&["verify", "--rebuild"]).expect(0).tells("11 stages rebuilt");
}

#[test]
fn an_edited_or_removed_output_is_not_up_to_date() {
    let lab = Lab::example_that_ran();
    lab.write("outputs/validate/validation.json", "{}");
    let told = "outputs/validate/validation.json is not what its stage yielded";
    lab.call(&["status", "--exit-code"]).expect(3).tells(told);
    lab.call(&["verify"]).expect(5).tells("validation.json");
    fs::remove_dir_all(lab.path("outputs/package")).unwrap();
    lab.call(&["status"]).expect(0).tells("outputs/package/package/model.json");
    lab.call(&["serve", "--port", "0"]).expect(4).tells("`pipeline run` makes it");
    lab.call(&["run", "--no-serve"]).expect(0).tells("nothing to do");
    lab.call(&["status", "--exit-code"]).expect(0);
    lab.call(&["verify"]).expect(0);
}

#[test]
fn a_rebuild_finds_an_outcome_that_nothing_computed() {
    let lab = Lab::example_that_ran();
    let run: serde_json::Value =
        serde_json::from_str(&lab.call(&["show", "--json"]).expect(0).out).unwrap();
    let stage = |name: &str| {
        let stages = run["run"]["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["stage"] == name).unwrap().clone()
    };
    // The report of `validate` becomes the profile, with every digest in its place.
    let key = stage("validate")["key"].as_str().unwrap().to_owned();
    let path = format!("outputs/store/outcomes/{}/{}", &key[..2], &key[2..]);
    let mut outcome = lab.json(&path)["document"].clone();
    outcome["files"][0]["digest"] = stage("profile")["files"][1]["digest"].clone();
    outcome["files"][0]["size"] = stage("profile")["files"][1]["size"].clone();
    let check = Digest::of(&canonical::to_bytes(&outcome));
    let sealed = serde_json::json!({"check": check, "document": outcome});
    fs::remove_file(lab.path(&path)).unwrap();
    lab.write(&path, std::str::from_utf8(&canonical::to_bytes(&sealed)).unwrap());
    lab.call(&["verify"]).expect(0);
    lab.call(&["verify", "--rebuild"]).expect(7).tells("stage `validate`: `validation.json`");
}

#[test]
fn equal_bytes_under_another_extension_are_read_again() {
    let lab = Lab::empty();
    lab.write("t.csv", "x\n1\n2\n");
    lab.write("t.tsv", "x\n1\n2\n");
    lab.write(
        "pipeline.toml",
        "name = \"p\"\nstages = [\"profile\"]\n[data]\nt = \"t.csv\"\n\
         [stage.profile]\nkind = \"profile\"\ninputs.table = \"data.t\"\n",
    );
    assert_eq!(lab.executed(&[]), ["profile"]);
    assert_eq!(lab.executed(&["--set", "data.t=t.tsv"]), ["profile"]);
    lab.call(&["diff"]).expect(0).tells("inputs.table.extension: csv -> tsv");
    lab.call(&["verify"]).expect(3);
}

#[test]
fn a_gate_that_does_not_hold_ends_with_3_and_a_failed_expectation_with_1() {
    let lab = Lab::example();
    lab.edit("stages/evaluate.toml", "min = 0.55", "min = 0.999");
    lab.call(&["run", "--no-serve"]).expect(3).tells("recall").tells("0.999");
    assert!(lab.path("outputs/failed/evaluate/metrics.json").exists());
    assert!(!lab.path("outputs/evaluate").exists(), "a failed stage publishes nothing");
    assert_eq!(lab.read("pipeline.lock"), Lab::example().read("pipeline.lock"));

    let lab = Lab::example();
    lab.edit("stages/validate.toml", "max_value = 72", "max_value = 71");
    let ended = lab.call(&["run", "--no-serve"]).expect(1);
    assert!(ended.err.contains("tenure_months") && ended.err.contains("72"), "{}", ended.err);
    assert!(!lab.path("outputs/split").exists(), "nothing starts after a failure");
}

#[test]
fn the_best_reachable_figure_stands_beside_the_models() {
    let lab = Lab::example_that_ran();
    let metrics = lab.json("outputs/evaluate/metrics.json");
    let auc = |side: &serde_json::Value| side["test"]["overall"]["roc_auc"].as_f64().unwrap();
    let champion = metrics["champion"].as_str().unwrap();
    let (found, reachable) = (auc(&metrics["variants"][champion]), auc(&metrics["reference"]));
    assert!(found < reachable && reachable < 1.0, "{found} of {reachable}");
    let told = lab.call(&["run", "--no-serve", "--verbose"]).expect(0).err;
    let line =
        format!("reference: roc_auc {reachable:.4} on test, where the champion has {found:.4}");
    assert!(told.contains(&line), "{told}");
}

#[test]
fn an_evaluation_says_how_sure_it_is_and_what_no_model_reaches() {
    let lab = Lab::example_that_ran();
    let metrics = lab.json("outputs/evaluate/metrics.json");
    let champion = metrics["champion"].as_str().unwrap();
    let overall = &metrics["variants"][champion]["test"]["overall"];
    for (metric, interval) in overall["intervals"].as_object().unwrap() {
        let [low, high] = [0, 1].map(|end| interval[end].as_f64().unwrap());
        let value = overall[metric].as_f64().unwrap();
        assert!(low < value && value < high, "{metric}: {value} in {interval}");
    }
    assert_eq!(overall["intervals"].as_object().unwrap().len(), 8, "every metric has one");
    assert_eq!(metrics["comparisons"].as_array().unwrap().len(), 10, "every pair of variants");
    let baselines = &metrics["baselines"];
    assert_eq!(baselines["learned_on"], "train");
    assert!(baselines["above_one_feature"][champion]["p"].as_f64().unwrap() < 0.001);
    let curves = lab.json("outputs/evaluate/curves.json");
    let fpr = curves["variants"][champion]["test"]["roc"]["fpr"].as_array().unwrap();
    assert!(fpr.len() <= 200 && fpr.last().unwrap() == 1.0);
    let importance = lab.json("outputs/evaluate/importance.json");
    assert_eq!(importance["variant"], champion);

    let [low, high] = [0, 1].map(|end| overall["intervals"]["roc_auc"][end].as_f64().unwrap());
    let told = format!("{:.4} [{low:.3}, {high:.3}]", overall["roc_auc"].as_f64().unwrap());
    lab.call(&["run", "--no-serve", "--verbose"]).expect(0).tells(&told);
    let card = lab.read("outputs/package/package/MODEL_CARD.md");
    assert!(card.contains(&told), "{told} in\n{card}");
}

/// `stages/train.toml` says what helps with the segment that an overall figure hides.
#[test]
fn the_figures_in_the_comments_are_those_of_a_run() {
    let lab = Lab::example_that_ran();
    let metrics = lab.json("outputs/evaluate/metrics.json");
    let mut n_checked = 0;
    for line in lab.read("stages/train.toml").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["#", name, figures @ ..] = words.as_slice() else { continue };
        let found = match *name {
            "(reachable)" => &metrics["reference"],
            name => &metrics["variants"][name],
        };
        if figures.len() != 4 || found.is_null() {
            continue;
        }
        let found = &found["test"]["plan_type=prepaid"];
        for (metric, told) in ["roc_auc", "pr_auc", "recall", "precision"].iter().zip(figures) {
            assert_eq!(format!("{:.3}", found[metric].as_f64().unwrap()), *told, "{name} {metric}");
        }
        n_checked += 1;
    }
    assert_eq!(n_checked, 6, "every variant and the best reachable");
}

#[test]
fn the_shipped_search_finds_its_trials_again() {
    let lab = Lab::example();
    let best = |args: &[&str]| {
        let out = lab.call(&[&["tune", "boosting", "--json"], args].concat()).expect(0).out;
        let document: serde_json::Value = out.lines().last().unwrap().parse().unwrap();
        (document["best"].clone(), document["counts"].clone())
    };
    let (few, counts) = best(&["--trials", "3"]);
    assert_eq!(counts, serde_json::json!({"run": 4}));
    assert_eq!(few["params"]["n_estimators"], 90);
    let (_, counts) = best(&["--trials", "4"]);
    assert!(counts["cached"].as_u64().unwrap() >= 3, "{counts}");
}

#[test]
fn thresholds_per_segment_reach_the_package() {
    let lab = Lab::example();
    let by_plan = r#"threshold = { rule = "f1", per_segment = "plan_type" }"#;
    lab.edit("stages/evaluate.toml", r#"threshold = { rule = "f1" }"#, by_plan);
    lab.call(&["run", "--no-serve"]).expect(0);
    let metrics = lab.json("outputs/evaluate/metrics.json");
    let champion = metrics["champion"].as_str().unwrap();
    let thresholds = &metrics["variants"][champion]["thresholds"];
    assert_eq!(thresholds["column"], "plan_type");
    assert_eq!(thresholds["thresholds"].as_object().unwrap().len(), 2);
    let manifest = lab.json("outputs/package/package/package.json");
    assert_eq!(manifest["thresholds"], *thresholds);
}
