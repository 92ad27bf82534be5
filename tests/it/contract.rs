//! The contract of the service, held against others' words for it: FastAPI's for what is refused,
//! and Schemathesis' for what the OpenAPI document promises.

use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::lab::Lab;
use crate::small::{self, Served};
use crate::venv;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// How many bad records FastAPI is asked about.
const BODIES: usize = 400;

/// Runs a program of the clients' environment; `None` where there is none.
fn client(program: &str, args: &[&str]) -> Option<Output> {
    let venv = venv::with(&Path::new(CLIENTS).join("requirements.txt"))?;
    let mut command = Command::new(venv.join("bin").join(program));
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").env("PYTHONPATH", CLIENTS);
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(env!("CARGO_TARGET_TMPDIR"));
    Some(command.args(args).output().unwrap())
}

/// A value that is right, wrong, or none at all. Whole numbers with a point are left out: ours
/// takes 24.0 for a whole number, as JSON does, and Pydantic's strict mode does not.
fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        3 => (-20..140_i64).prop_map(|x| Some(json!(x))),
        1 => (-20.0..140.0_f64).prop_map(|x| Some(json!(x.trunc() + 0.5))),
        1 => any::<bool>().prop_map(|truth| Some(json!(truth))),
        2 => prop::sample::select(vec!["basic", "gold", "plus", "silver", "24", ""])
            .prop_map(|text| Some(json!(text))),
        1 => Just(Some(Value::Null)),
        1 => Just(Some(json!([1]))),
        1 => Just(Some(json!({"a": 1}))),
        1 => Just(None),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let fields = ["age", "charge", "member", "plan"];
    let extra = prop::option::weighted(0.2, prop::sample::select(vec!["zip", "Age", "plan "]));
    let values = [value(), value(), value(), value()];
    (values, extra).prop_map(move |(values, extra)| {
        let mut record = Map::new();
        for (field, value) in fields.iter().zip(values) {
            // A fraction where a whole number is wanted has another name in strict Pydantic.
            let is_fraction = *field == "age" && value.as_ref().is_some_and(Value::is_f64);
            record.extend(value.filter(|_| !is_fraction).map(|v| ((*field).to_owned(), v)));
        }
        record.extend(extra.map(|name| (name.to_owned(), json!(1))));
        Value::Object(record)
    })
}

/// `type` and `loc` of every entry, sorted.
fn entries(detail: &Value) -> Vec<(String, String)> {
    let mut entries: Vec<_> = detail
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["type"].as_str().unwrap().to_owned(), entry["loc"].to_string()))
        .collect();
    entries.sort();
    entries
}

#[test]
fn what_is_refused_is_told_as_fastapi_tells_it() {
    let lab = small::project();
    let mut runner = TestRunner::deterministic();
    let mut bodies: Vec<String> = (0..BODIES)
        .map(|_| record().new_tree(&mut runner).unwrap().current().to_string())
        .collect();
    bodies.extend(["1", "\"a\"", "null", "true", ""].map(str::to_owned));
    lab.write("bodies.json", &json!(bodies).to_string());
    let package = small::package("logistic_regression");
    let script = format!("{CLIENTS}/fastapi_422.py");
    let (schema, path) = (lab.path(format!("{package}/schema.json")), lab.path("bodies.json"));
    let args = [script.as_str(), schema.to_str().unwrap(), path.to_str().unwrap()];
    let Some(output) = client("python", &args) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<(u16, Vec<(String, Value)>)> = serde_json::from_slice(&output.stdout).unwrap();

    let service = Served::start(&lab, &package, &[]);
    let mut refused = 0;
    for (body, (status, detail)) in bodies.iter().zip(answers) {
        let (ours, answer) = service.post_text("/predict", body);
        let told: Vec<_> =
            detail.into_iter().map(|(t, loc)| json!({"type": t, "loc": loc})).collect();
        assert_eq!(ours, status, "{body}: {answer}");
        if ours != 200 {
            refused += 1;
            assert_eq!(entries(&answer["detail"]), entries(&json!(told)), "{body}");
        }
    }
    assert!(refused > BODIES / 2, "{refused}");
}

/// Runs Schemathesis against the service and asserts that it finds nothing.
fn schemathesis(service: &Served, more: &[&str]) {
    // A few examples by default; `SCHEMATHESIS_EXAMPLES=1000` takes its time.
    let n = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    let url = format!("{}/openapi.json", service.url());
    let args = [
        "run",
        &url,
        "--checks",
        "all",
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--max-examples",
        &n,
        "--seed",
        "1",
        "--no-color",
        "--generation-database",
        "none",
        "--max-response-time",
        "5",
    ];
    let Some(output) = client("schemathesis", &[&args, more].concat()) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn served(lab: &Lab) -> Served {
    Served::start(lab, &small::package("gradient_boosting"), &[])
}

#[test]
fn schemathesis_finds_nothing_in_the_services_own_paths() {
    let lab = small::project();
    let service = Served::start(&lab, &small::package("gradient_boosting"), &["--admin"]);
    schemathesis(&service, &["--exclude-path-regex", "^/(v2|invocations|predict/batch)"]);
}

#[test]
fn schemathesis_finds_nothing_where_a_number_is_predicted() {
    let lab = small::numbers();
    let service = Served::start(&lab, &small::package("gradient_boosting"), &[]);
    schemathesis(&service, &["--exclude-path-regex", "^/(v2|invocations|predict/batch)"]);
    let excluded = ["--exclude-checks", "positive_data_acceptance,negative_data_rejection"];
    let only = ["--include-path-regex", "^/(v2|invocations|predict/batch)"];
    schemathesis(&service, &[only, excluded].concat());
}

#[test]
fn schemathesis_finds_no_way_around_the_keys() {
    let lab = small::project();
    let token = lab.call(&["serve", "--keys=keys", "--new-key=fuzz"]).expect(0).out;
    let flags = ["--keys=keys", "--open=/openapi.json"];
    let service = Served::start(&lab, &small::package("decision_tree"), &flags);
    let header = format!("Authorization: Bearer {}", token.trim());
    let excluded = ["--exclude-path-regex", "^/(invocations|predict/batch|v2/models)"];
    // Its check `ignored_auth` knows the header only as the standards write it, and asks again
    // without the key, and with a wrong one.
    schemathesis(&service, &[&["--header", &header][..], &excluded].concat());
}

#[test]
fn schemathesis_finds_nothing_in_batches_and_the_doors_of_other_protocols() {
    // JSON Schema cannot say that lists are of one length or fit a shape, nor what a line of a text
    // is, so that not every body which fits the schema is one that can be answered.
    let lab = small::project();
    let excluded = ["--exclude-checks", "positive_data_acceptance,negative_data_rejection"];
    let only = ["--include-path-regex", "^/(v2|invocations|ping|version|predict/batch)"];
    schemathesis(&served(&lab), &[only, excluded].concat());
}
