//! Regression from table to champion: what is told, what is refused, and the same bits anywhere.

use std::fmt::Write as _;

use pipeline::ml::metrics::regression::{RegressionMetric, Residuals};
use pipeline::ml::model::regressor::Regressor;
use pipeline::ml::table_file;
use serde_json::Value;

use crate::lab::Lab;

/// Houses with gaps and districts, whose price is known up to noise.
pub(crate) fn houses() -> String {
    let mut csv = "id,size,age,district,price\n".to_owned();
    for i in 0..600_u32 {
        let draw = |k: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(k * 40_503) >> 7) & 0xffff;
        let (size, age) = (30 + draw(1) % 170, draw(2) % 90);
        let district = ["north", "south", "west"][draw(3) as usize % 3];
        let worth = if district == "south" { 3.5 } else { 2.0 };
        let price = f64::from(size) * worth - f64::from(age) * 0.8 + f64::from(draw(4) % 40);
        let shown = if draw(5) % 9 == 0 { String::new() } else { age.to_string() };
        writeln!(csv, "h{i},{size},{shown},{district},{price:.2}").unwrap();
    }
    csv
}

const LEARNERS: [(&str, &str); 5] = [
    ("ridge", ""),
    ("decision_tree", ", max_depth = 5"),
    ("random_forest", ", n_estimators = 12, max_features = \"all\""),
    ("extra_trees", ", n_estimators = 12, max_features = \"all\""),
    ("gradient_boosting", ", n_estimators = 60, min_child_samples = 5"),
];

fn project(gate: &str) -> Lab {
    let lab = Lab::empty();
    lab.write("houses.csv", &houses());
    let mut text = format!(
        "name = \"houses\"\nseed = 3\nstages = [\"split\", \"train\", \"evaluate\"]\n\
         [data]\nhouses = \"houses.csv\"\n\
         [defaults]\ntask = \"regression\"\n[defaults.columns]\nid = \"id\"\n\
         price = \"target\"\ndistrict = [\"feature\", \"segment\"]\n\
         [stage.split]\nkind = \"split\"\ninputs = {{ table = \"data.houses\" }}\n\
         [stage.evaluate]\nkind = \"evaluate\"\n[stage.evaluate.inputs]\n\
         models = \"train.model\"\ntrain = \"split.train\"\n\
         validation = \"split.validation\"\ntest = \"split.test\"\n\
         [[stage.evaluate.params.gates]]\nmodel = \"every\"\nmetric = \"r2\"\nmin = {gate}\n\
         [stage.train]\nkind = \"train\"\n\
         inputs = {{ train = \"split.train\", validation = \"split.validation\" }}\n"
    );
    for (learner, more) in LEARNERS {
        let params = format!("{{ learner = \"{learner}\"{more} }}");
        writeln!(text, "[[stage.train.variant]]\nname = \"{learner}\"\nparams = {params}").unwrap();
    }
    lab.write("pipeline.toml", &text);
    lab
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn every_learner_of_numbers_is_trained_compared_and_held_to_its_gates() {
    let lab = project("0.7");
    lab.call(&["run"]).expect(0).tells("5 of 5 gates hold");
    let metrics = lab.json("outputs/evaluate/metrics.json");
    assert_eq!(metrics["format"], "pipeline.regression_metrics/1");
    let test = table_file::read(&lab.path("outputs/split/test.parquet")).unwrap();
    let price = test.column("price").unwrap();
    let actual: Vec<f64> = (0..test.rows()).map(|row| price.number(row).unwrap()).collect();
    for (learner, _) in LEARNERS {
        let bytes = lab.read_bytes(&format!("outputs/train@{learner}/model.json"));
        let model = Regressor::from_bytes(&bytes).unwrap();
        assert_eq!((model.learner(), model.to_bytes()), (learner, bytes));
        let found = Residuals::new(&actual, &model.predictions(&test).unwrap()).values();
        let told = &metrics["variants"][learner]["test"]["overall"];
        for metric in RegressionMetric::ALL {
            let value = number(&told[metric.name()]);
            assert_eq!(value.to_bits(), found[&metric].unwrap().to_bits(), "{learner} {metric:?}");
            let [low, high] = [0, 1].map(|end| number(&told["intervals"][metric.name()][end]));
            assert!(low <= value && value <= high, "{learner} {metric:?}: {low} {value} {high}");
        }
        let segments = metrics["variants"][learner]["test"].as_object().unwrap();
        assert!(segments.contains_key("district=south"), "{learner}");
    }
    let baseline = &metrics["baselines"]["mean"]["test"]["overall"];
    assert!(number(&baseline["r2"]).abs() < 0.1, "{baseline}");
    let alone = &metrics["baselines"]["one_feature"]["test"]["overall"];
    assert_eq!(metrics["baselines"]["feature"], "size");
    assert!(number(&alone["r2"]) > 0.3, "{alone}");
    for (learner, _) in LEARNERS {
        let above = &metrics["baselines"]["above_one_feature"][learner];
        let own = number(&metrics["variants"][learner]["test"]["overall"]["r2"]);
        assert_eq!(number(&above["value"]), own - number(&alone["r2"]), "{learner}");
        assert!(number(&above["interval"][0]) > 0.0, "{learner} is clearly better: {above}");
    }
    let importance = lab.json("outputs/evaluate/importance.json");
    assert_eq!(importance["variant"], metrics["champion"]);
    assert_eq!(importance["importances"][0]["feature"], "size");
    assert_eq!(importance["contributions"]["unit"], "target");
    let champion = lab.read_bytes("outputs/evaluate/champion.json");
    let best = metrics["champion"].as_str().unwrap();
    assert_eq!(champion, lab.read_bytes(&format!("outputs/train@{best}/model.json")));
    let curves = lab.json("outputs/evaluate/curves.json");
    let groups = &curves["variants"][best]["test"]["predicted_against_actual"];
    let n: u64 = groups.as_array().unwrap().iter().map(|g| g["n"].as_u64().unwrap()).sum();
    assert_eq!(n, actual.len() as u64);
}

#[test]
fn a_gate_that_no_regression_keeps_fails_the_run() {
    project("0.9999").call(&["run"]).expect(3).tells("below min 0.9999");
}

#[test]
fn a_regression_is_refused_where_a_probability_is_needed_before_anything_runs() {
    let lab = project("0.7");
    let text = lab.read("pipeline.toml").replace("\"evaluate\"]", "\"evaluate\", \"calibrate\"]");
    let more = "[stage.calibrate]\nkind = \"calibrate\"\n\
                inputs = { model = \"train@ridge.model\", rows = \"split.validation\" }\n";
    lab.write("pipeline.toml", &(text + more));
    lab.call(&["plan"]).expect(2).tells("regressor");
}

#[test]
fn classes_and_their_weights_are_refused_in_a_regression() {
    let lab = project("0.7");
    let text = lab.read("pipeline.toml");
    let wrong = text.replace("learner = \"random_forest\"", "learner = \"logistic_regression\"");
    lab.write("pipeline.toml", &wrong);
    lab.call(&["plan"]).expect(2).tells("task");
    lab.write("pipeline.toml", &text.replace("task = ", "positive = 1\ntask = "));
    lab.call(&["plan"]).expect(2).tells("a regression has no positive class");
}

#[test]
fn an_evaluation_of_regressions_is_the_same_with_any_number_of_threads() {
    let lock = |threads: &str| {
        let lab = project("0.7");
        let mut command = lab.command(&["run", "--jobs", threads]);
        command.env("RAYON_NUM_THREADS", threads).env("POLARS_MAX_THREADS", threads);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab.read("pipeline.lock")
    };
    let first = lock("1");
    for threads in ["2", "8"] {
        assert_eq!(lock(threads), first, "{threads} threads");
    }
}
