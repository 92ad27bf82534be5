//! `pipeline tune`: trials are cached stages, and a search yields the same bytes anywhere.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lab::{Ended, Lab};

/// A project with a table of two numbers and a text, its parts, and a stage to tune.
fn lab() -> Lab {
    let lab = Lab::empty();
    let mut rows = "a,b,plan,left\n".to_owned();
    for row in 0..900_u64 {
        let mixed = (row * 2_654_435_761) % 4_294_967_296;
        let (a, b, plan) = (mixed % 1999, (mixed >> 8) % 977, (mixed >> 16) as usize % 4);
        let left = (a > 1200) != (plan < 1 && b > 400) || row % 11 == 0;
        rows += &format!("{a},{b},{},{left}\n", ["p", "q", "r", "s"][plan]);
    }
    lab.write("rows.csv", &rows);
    lab.write(
        "pipeline.toml",
        "name = \"search\"\nseed = 5\nstages = [\"split\", \"train\"]\n[data]\nrows = \"rows.csv\"\n\
         [defaults.columns]\nleft = \"target\"\n",
    );
    lab.write("stages/split.toml", "kind = \"split\"\ninputs.table = \"data.rows\"\n");
    lab.write(
        "stages/train.toml",
        "kind = \"train\"\n[inputs]\ntrain = \"split.train\"\nvalidation = \"split.validation\"\n\
         [[variant]]\nname = \"boosting\"\nparams = { learner = \"gradient_boosting\" }\n\
         [[variant]]\nname = \"linear\"\nparams = { learner = \"elastic_net\" }\n",
    );
    lab.write(
        "tune/boosting.toml",
        "stage = \"train@boosting\"\nmethod = \"random\"\ntrials = 4\n\
         [ranges]\nnum_leaves = { low = 2, high = 31 }\n\
         learning_rate = { low = 0.01, high = 0.5, log = true }\n\
         [choices]\nn_estimators = [10, 20]\n",
    );
    lab.write(
        "tune/halving.toml",
        "stage = \"train@boosting\"\nmethod = \"halving\"\ntrials = 9\nmetric = \
         \"validation.log_loss\"\nresource = \"n_estimators\"\nmin_resources = 3\n\
         max_resources = 27\nfactor = 3\n\
         [ranges]\nlearning_rate = { low = 0.01, high = 0.5, log = true }\n",
    );
    lab
}

/// What a tuning told programs, last of all.
fn document(ended: Ended) -> Value {
    serde_json::from_str(ended.out.lines().last().unwrap()).unwrap()
}

fn tuned(lab: &Lab, args: &[&str]) -> Value {
    document(lab.call(&[&["tune", "--json"], args].concat()).expect(0))
}

/// Per trial its number and what it reached last, as ranked.
fn ranked(document: &Value) -> Vec<(u64, f64)> {
    let last = |trial: &Value| {
        let rungs = trial["rungs"].as_array().unwrap();
        (trial["trial"].as_u64().unwrap(), rungs.last().unwrap()["score"].as_f64().unwrap())
    };
    document["trials"].as_array().unwrap().iter().map(last).collect()
}

#[test]
fn a_larger_budget_runs_only_the_trials_that_are_new() {
    let lab = lab();
    let few = tuned(&lab, &["boosting"]);
    assert_eq!(few["counts"], serde_json::json!({"run": 4}));
    let many = tuned(&lab, &["boosting", "--trials", "7"]);
    assert_eq!(many["counts"], serde_json::json!({"cached": 4, "run": 3}));
    let by_number = |document: &Value| {
        let mut trials = document["trials"].as_array().unwrap().clone();
        trials.sort_by_key(|trial| trial["trial"].as_u64());
        trials
    };
    assert_eq!(by_number(&few)[..], by_number(&many)[..4]);
    let scores: Vec<f64> = ranked(&many).iter().map(|(_, score)| *score).collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "the best come first: {scores:?}");
    assert_eq!(many["best"]["score"], scores[0]);
    assert!(scores[0] > scores[6], "parameters make a difference");
    // Every trial is a run of its own, and has no say in what the pipeline is.
    let n_runs = std::fs::read_dir(lab.path("outputs/runs")).unwrap().count();
    assert!(n_runs >= 7, "{n_runs}");
    assert!(!lab.path("pipeline.lock").exists() && !lab.path("outputs/train@boosting").exists());
}

#[test]
fn what_is_best_can_be_pasted() {
    let lab = lab();
    let out = lab.call(&["tune", "boosting"]).expect(0).out;
    let (table, pasted) = out.split_once("# the best for `train@boosting`, to paste\n").unwrap();
    assert_eq!(table.lines().filter(|line| !line.is_empty()).count(), 5, "{out}");
    let params: toml::Table = toml::from_str(pasted).unwrap();
    let document = lab.json("outputs/tune/boosting.json");
    assert_eq!(serde_json::to_value(&params).unwrap(), document["best"]["params"]);
    // A run with them finds the trial in the store.
    let set: Vec<String> =
        params.iter().map(|(name, value)| format!("--set=train@boosting.{name}={value}")).collect();
    let mut args = vec!["train@boosting"];
    args.extend(set.iter().map(String::as_str));
    assert!(lab.executed(&args).is_empty());
}

#[test]
fn halving_gives_the_best_third_three_times_as_much() {
    let lab = lab();
    let document = tuned(&lab, &["halving"]);
    let trials = document["trials"].as_array().unwrap();
    let rungs = |trial: &Value| trial["rungs"].as_array().unwrap().clone();
    let resources = |trial: &Value| -> Vec<u64> {
        rungs(trial).iter().map(|rung| rung["resource"].as_u64().unwrap()).collect()
    };
    let told: Vec<_> = trials.iter().map(resources).collect();
    assert_eq!(told[..3], [vec![3, 9, 27], vec![3, 9], vec![3, 9]]);
    assert!(told[3..].iter().all(|resources| *resources == [3]), "{told:?}");
    // On each rung, those that came further were better: the log loss is to be small.
    for rung in 0..2 {
        let scores = |goes_on: bool| -> Vec<f64> {
            let took_part = trials.iter().filter(|trial| rungs(trial).len() > rung);
            let chosen = took_part.filter(|trial| (rungs(trial).len() > rung + 1) == goes_on);
            chosen.map(|trial| rungs(trial)[rung]["score"].as_f64().unwrap()).collect()
        };
        let worst_kept = scores(true).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let best_left = scores(false).into_iter().fold(f64::INFINITY, f64::min);
        assert!(worst_kept <= best_left, "rung {rung}: {worst_kept} {best_left}");
    }
    assert_eq!(document["best"]["params"]["n_estimators"], 27);
    assert_eq!(document["counts"], serde_json::json!({"run": 13}));
    // More trials find the first rung of the others in the store.
    let more = tuned(&lab, &["halving", "--trials", "12"]);
    assert!(more["counts"]["cached"].as_u64().unwrap() >= 9, "{}", more["counts"]);
}

#[test]
fn a_grid_tries_every_combination() {
    let lab = lab();
    lab.write(
        "tune/grid.toml",
        "stage = \"train@linear\"\nmethod = \"grid\"\n[choices]\nl1_ratio = [0.0, 0.5, 1.0]\n\
         \"features.numeric.scale\" = [\"standard\", \"robust\"]\n",
    );
    let document = tuned(&lab, &["grid"]);
    let params = |trial: &Value| trial["params"].to_string();
    let trials = document["trials"].as_array().unwrap();
    assert_eq!(trials.iter().map(params).collect::<BTreeSet<_>>().len(), 6);
}

#[test]
fn a_search_yields_the_same_bytes_with_any_number_of_threads() {
    let with = |threads: &str| {
        let lab = lab();
        ["boosting", "halving"].map(|name| {
            let mut command = lab.command(&["tune", name, "--jobs", threads]);
            command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
            assert!(command.output().unwrap().status.success());
            lab.read(&format!("outputs/tune/{name}.json"))
        })
    };
    let one = with("1");
    assert_eq!(with("2"), one);
    assert_eq!(with("8"), one);
}

#[test]
fn mistakes_are_told_before_any_trial_runs() {
    let lab = lab();
    lab.edit("tune/boosting.toml", "high = 31", "high = 9000000");
    let told = lab.call(&["tune", "boosting"]).expect(2).err;
    assert!(told.contains("num_leaves") && told.contains("between 2 and 65536"), "{told}");
    lab.edit("tune/boosting.toml", "high = 9000000", "high = 1");
    let told = "tune/boosting.toml: `ranges.num_leaves`: `low` must be below `high`, found 2 and 1";
    lab.call(&["tune", "boosting"]).expect(2).tells(told);
    lab.call(&["tune", "other"]).expect(4).tells("cannot read `tune/other.toml`");
    lab.call(&["tune", "../other"]).expect(2).tells("is no name");
    lab.write("tune/none.toml", "stage = \"trian\"\n[choices]\nC = [1]\n");
    lab.call(&["tune", "none"]).expect(2).tells("no stage `trian`").tells("train@boosting");
    assert!(!lab.path("outputs/runs").exists());
}

#[test]
fn a_stage_without_the_metric_says_how_it_gets_one() {
    let lab = lab();
    lab.edit("tune/boosting.toml", "trials = 4", "trials = 1\nmetric = \"validation.auc\"");
    lab.call(&["tune", "boosting"])
        .expect(2)
        .tells("it tells validation.brier, validation.log_loss");
    lab.edit("stages/train.toml", "validation = \"split.validation\"\n", "");
    lab.call(&["tune", "boosting"]).expect(2).tells("plugged in as `validation`");
}

#[test]
fn what_a_search_yielded_is_no_stage_and_stays() {
    let lab = lab();
    lab.call(&["run"]).expect(0);
    lab.call(&["tune", "boosting"]).expect(0);
    let lock = lab.read("pipeline.lock");
    lab.call(&["gc", "--keep-last", "1"]).expect(0);
    lab.call(&["verify"]).expect(0);
    lab.call(&["status", "--exit-code"]).expect(0);
    assert!(lab.path("outputs/tune/boosting.json").exists());
    assert_eq!(lab.read("pipeline.lock"), lock);
    lab.edit("pipeline.toml", "\"train\"]", "\"train\", \"tune\"]");
    lab.write("stages/tune.toml", "kind = \"profile\"\ninputs.table = \"data.rows\"\n");
    lab.call(&["run"]).expect(2).tells("a stage cannot be named `tune`");
}
