//! Tests of the log of predictions: a line per record, the same by every door, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GOOD, Service, header, with};
use crate::ml::package::Package;
use crate::ml::package::tests::{small_package, small_package_of};
use crate::serve::policy::{Policy, Range};
use crate::serve::predictions::{Logging, Predictions};
use crate::serve::state::Options;

const ROW: &str = r#"{"age":24,"charge":99.5,"member":true,"plan":"gold"}"#;

/// A service that logs.
struct Logged {
    service: Service,
    log: Predictions,
    dir: TempDir,
}

impl Logged {
    fn new(with_input: bool, policy: Policy) -> Logged {
        let dir = TempDir::new().unwrap();
        let logging =
            Logging { dir: dir.path().to_owned(), with_input, max_bytes: 1 << 20, keep: 2 };
        let log = Predictions::open(logging, |news| panic!("{news:?}")).unwrap();
        let predictions = Some(log.clone());
        let options = Options { predictions, policy, ..Options::default() };
        Logged { service: Service::over(small_package(), options), log, dir }
    }

    /// Asks by a path, and returns the id of the answer.
    fn ask(&self, path: &str, media_type: &str, body: &str) -> String {
        let request = warp::test::request().method("POST").path(path);
        let response = self.service.send(request.header("content-type", media_type).body(body));
        assert!(response.status().is_success(), "{path}: {response:?}");
        header(&response, "x-request-id").to_owned()
    }

    /// The lines, once nothing more comes.
    fn lines(&self) -> Vec<Value> {
        assert!(self.log.close(Duration::from_secs(30)));
        assert_eq!(self.log.dropped(), 0);
        let files = Predictions::files(self.dir.path()).unwrap();
        let text = std::fs::read_to_string(&files[0]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn every_door_logs_the_same_row_the_same_way_under_the_id_of_its_answer() {
    let logged = Logged::new(true, Policy::default());
    let (json, two) = ("application/json", format!("[{GOOD},{GOOD}]"));
    let tensor = |name: &str, datatype: &str, value: Value| json!({"name": name, "shape": [2, 1], "datatype": datatype, "data": [value, value]});
    let tensors = json!({"inputs": [
        tensor("plan", "BYTES", json!("gold")), tensor("age", "INT64", json!(24)),
        tensor("charge", "FP64", json!(99.5)), tensor("member", "BOOL", json!(true)),
    ]});
    let csv = "plan,age,charge,member\ngold,24,99.5,true\ngold,24.0,9.95e1,TRUE\n";
    let split = json!({"dataframe_split": {
        "columns": ["plan", "age", "charge", "member"],
        "data": [["gold", 24, 99.5, true], ["gold", 24.0, 99.5, true]],
    }});
    let (infer, instances) =
        ("/v2/models/a%20small%20model/infer", format!("{{\"instances\":{two}}}"));
    let asked = [
        ("/predict", json, two.clone()),
        ("/predict?explain=true", json, two.clone()),
        ("/predict/batch", "application/x-ndjson", format!("{GOOD}\n\n{GOOD}\n")),
        ("/predict/batch", "text/csv", csv.to_owned()),
        ("/invocations", json, split.to_string()),
        ("/invocations", json, instances),
        ("/invocations", "text/csv", csv.to_owned()),
        ("/invocations", "text/csv", "24,99.5,true,gold\n24,99.5,true,gold\n".to_owned()),
        (infer, json, tensors.to_string()),
    ];
    let ids = asked.map(|(path, media_type, body)| logged.ask(path, media_type, &body));
    let single = logged.ask("/predict", json, GOOD);
    let answer = logged.service.post(GOOD).1;
    let lines = logged.lines();
    assert_eq!(lines.len(), 2 * ids.len() + 2);
    let digest = blake3::hash(ROW.as_bytes()).to_hex();
    for line in &lines {
        assert_eq!(line["schema"], "pipeline.prediction/1");
        assert!(humantime::parse_rfc3339(line["time"].as_str().unwrap()).is_ok());
        assert_eq!(line["input"].to_string(), ROW, "{line}");
        assert_eq!(line["input_digest"], digest.as_str());
        assert_eq!(line["warnings"], 0);
        for name in ["model_version", "prediction", "probability"] {
            assert_eq!(line[name], answer[name], "{name} of {line}");
        }
    }
    let named: Vec<_> = lines.iter().map(|line| (&line["request_id"], &line["row"])).collect();
    for (pair, id) in named.chunks(2).zip(&ids) {
        assert_eq!(pair, [(&json!(id), &json!(1)), (&json!(id), &json!(2))]);
    }
    assert_eq!(named[2 * ids.len()], (&json!(single), &json!(1)));
    assert_eq!(lines[2 * ids.len() + 1]["row"], 1);
}

#[test]
fn a_row_is_a_digest_unless_the_operator_wants_more() {
    let logged = Logged::new(false, Policy::default());
    logged.service.post(GOOD);
    let lines = logged.lines();
    assert_eq!(lines[0]["input_digest"], blake3::hash(ROW.as_bytes()).to_hex().as_str());
    assert!(lines[0].get("input").is_none() && !lines[0].to_string().contains("99.5"));
}

#[test]
fn what_is_logged_is_what_the_model_saw_and_how_often_it_was_warned_of() {
    for (range, age) in [(Range::Clip, 72), (Range::Warn, 500)] {
        let logged = Logged::new(true, Policy { range, ..Policy::default() });
        let body = with("age", "500").replace("99.5", "1e9");
        assert_eq!(logged.service.post(&body).0, 200);
        let line = &logged.lines()[0];
        assert_eq!((&line["input"]["age"], &line["warnings"]), (&json!(age), &json!(2)), "{line}");
    }
}

#[test]
fn what_is_refused_is_not_logged_and_the_others_keep_their_numbers() {
    let logged = Logged::new(false, Policy::default());
    logged.service.post("{}");
    logged.service.post(format!("[{GOOD},{{}}]"));
    let wrong = with("age", "0").replace('\n', " ");
    logged.ask("/predict/batch", "application/x-ndjson", &format!("{wrong}\n{GOOD}\nx\n{GOOD}"));
    let rows: Vec<Value> = logged.lines().into_iter().map(|line| line["row"].clone()).collect();
    assert_eq!(rows, [2, 4]);
}

#[test]
fn metrics_count_what_is_logged_and_are_silent_without_a_log() {
    let logged = Logged::new(false, Policy::default());
    logged.service.post(GOOD);
    assert!(logged.log.close(Duration::from_secs(30)));
    logged.service.post(GOOD);
    let text = crate::serve::exposition::write(&logged.service.state);
    for line in [
        "# TYPE prediction_log_records_total counter",
        "prediction_log_records_total{outcome=\"written\"} 1",
        "prediction_log_records_total{outcome=\"dropped\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let silent = crate::serve::exposition::write(&Service::new().state);
    assert!(!silent.contains("prediction_log"));
}

#[test]
fn a_line_names_the_version_that_predicted_it() {
    let logged = Logged::new(false, Policy::default());
    let first = logged.service.post(GOOD).1;
    let other = small_package_of(3.0);
    let package = Package::load(other.path()).unwrap();
    logged.service.state.swap(package, other.path().to_owned());
    let second = logged.service.post(GOOD).1;
    assert_ne!(first["model_version"], second["model_version"]);
    for (line, answer) in logged.lines().iter().zip([first, second]) {
        assert_eq!(line["model_version"], answer["model_version"]);
        assert_eq!(line["probability"], answer["probability"]);
    }
}
