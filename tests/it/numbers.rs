//! A number all the way: from `pipeline init` on a table to an answer of the service, and what the
//! other verbs tell of it.

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::regression::houses;
use crate::small::{self, Served};

fn project() -> Lab {
    let lab = Lab::empty();
    lab.write("houses.csv", &houses());
    lab.call(&["init", "houses.csv", "--target", "price", "--task", "regression"])
        .expect(0)
        .tells("to predict the number `price`");
    lab.call(&["run", "--no-serve"]).expect(0).tells("1 of 1 gates hold");
    lab
}

#[test]
fn a_number_is_predicted_from_init_to_the_service() {
    let lab = project();
    let champion = lab.json("outputs/evaluate/metrics.json")["champion"].clone();
    let experiment = lab.json("outputs/log/experiment.json");
    assert_eq!(experiment["champion"]["variant"], champion);
    assert_eq!(experiment["champion"]["metric"], "rmse");
    assert!(experiment["champion"].get("threshold").is_none(), "{}", experiment["champion"]);
    let rmse = format!("{}.test.rmse", champion.as_str().unwrap());
    assert!(experiment["metrics"][&rmse].is_f64(), "{}", experiment["metrics"]);

    let package = "outputs/package/package";
    let manifest = lab.json(&format!("{package}/package.json"));
    assert_eq!(
        (&manifest["format"], &manifest["task"], &manifest["target"]),
        (&json!("pipeline.package/2"), &json!("regression"), &json!("price"))
    );
    assert!(lab.read(&format!("{package}/MODEL_CARD.md")).contains("`price`: a number"));

    lab.call(&["promote", "@"]).expect(0).tells("champion: model");
    // A challenger is compared by classes, of which there are none.
    lab.call(&["serve", "--port=0", "--alias=champion", "--shadow=champion"])
        .expect(2)
        .tells("serve it without `shadow`");
    let service = Served::launch(lab.command(&["serve", "-q", "--port=0", "--alias=champion"]));
    let reference = lab.json(&format!("{package}/reference.json"));
    for row in reference["rows"].as_array().unwrap() {
        let (status, answer) = service.post("/predict?explain=true", &row["record"]);
        assert_eq!((status, &answer["prediction"]), (200, &row["prediction"]), "{answer}");
        assert!(answer.get("probability").is_none(), "{answer}");
        let explanation = &answer["explanation"];
        let parts = explanation["contributions"].as_array().unwrap();
        let part = |sum: f64, part: &Value| sum + part["contribution"].as_f64().unwrap();
        let sum = parts.iter().fold(explanation["base"].as_f64().unwrap(), part);
        let number = answer["prediction"].as_f64().unwrap();
        assert!((sum - number).abs() < 1e-9 * number.abs(), "{answer}");
    }
}

#[test]
fn runs_of_regressions_are_told_and_compared_by_their_own_metrics() {
    let lab = project();
    lab.call(&["run", "--no-serve", "--set", "train@forest.max_depth=2"]).expect(0);
    let told = lab.call(&["log"]).expect(0);
    assert_eq!(told.out.matches("rmse ").count(), 2, "{}", told.out);
    let diff = lab.call(&["diff"]).expect(0);
    assert!(diff.out.contains("params.max_depth: 12 -> 2"), "{}", diff.out);
    let worse = |line: &&str| line.contains("forest.test.rmse") && line.ends_with("worse");
    assert_eq!(diff.out.lines().filter(worse).count(), 1, "{}", diff.out);
    lab.call(&["show"]).expect(0).tells("task = regression");
}

#[test]
fn a_number_is_not_taken_for_a_class_by_init() {
    let lab = Lab::empty();
    lab.write("houses.csv", &houses());
    let init = |more: &[&str]| {
        lab.call(&[&["init", "houses.csv", "--target"][..], more].concat()).expect(2)
    };
    init(&["price"]).tells("`--task regression` predicts the number itself");
    init(&["district", "--task", "regression"]).tells("district");
    init(&["price", "--task", "regression", "--positive", "1"]).tells("no positive class");
    assert!(!lab.path("pipeline.toml").exists() && !lab.path("stages").exists());
}

#[test]
fn a_package_and_a_record_are_of_the_declared_task() {
    let lab = small::numbers();
    let classes = "task = \"classification\"\n";
    let text = lab.read("pipeline.toml");
    let params = "[stage.package_ridge.params]\n";
    lab.write("pipeline.toml", &text.replace(params, &format!("{params}{classes}")));
    lab.call(&["plan"])
        .expect(2)
        .tells("`model` takes a model, and `train@ridge.model` is a regressor")
        .tells("`metrics` takes a metrics, and `evaluate.metrics` is a regression_metrics");
    let log = "[stage.train]\n";
    lab.write("pipeline.toml", &text.replace(log, &format!("[stage.log.params]\n{classes}{log}")));
    lab.call(&["plan"]).expect(2).tells("`champion` takes a model");
}
