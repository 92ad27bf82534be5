//! Tests of a service whose package predicts a number: the number is the answer, by every door, and
//! nothing speaks of a probability or a class.

use serde_json::{Value, json};

use super::{GOOD, Service, header, json_of, with};
use crate::ml::drift::Psi;
use crate::ml::package::Package;
use crate::ml::package::tests::{small_number_package, small_package};
use crate::ml::records::Records;
use crate::serve::policy::Policy;
use crate::serve::predictions::{Logging, Predictions};
use crate::serve::replay::{Replay, Unread};
use crate::serve::state::Options;

const MODEL: &str = "/v2/models/a%20small%20model";

fn service() -> Service {
    Service::over(small_number_package(), Options::default())
}

/// The number of the good record, by hand: the line over the numbers that its fields become.
fn by_hand() -> f64 {
    -0.25 + 0.7 * -0.6 + -0.3 * 2.475 + 0.2 - 0.6
}

/// The number of the good record.
fn expected() -> f64 {
    let number = service().post(GOOD).1["prediction"].as_f64().unwrap();
    assert!((number - by_hand()).abs() < 1e-12, "{number}");
    number
}

fn post(path: &str, media_type: &str, accept: &str, body: &str) -> (u16, Vec<u8>) {
    let request = warp::test::request().method("POST").path(path);
    let request = request.header("content-type", media_type).header("accept", accept);
    let response = service().send(request.body(body));
    (response.status().as_u16(), response.body().to_vec())
}

fn post_json(path: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = post(path, "application/json", "*/*", &body.to_string());
    (status, serde_json::from_slice(&answer).unwrap())
}

fn good() -> Value {
    serde_json::from_str(GOOD).unwrap()
}

#[test]
fn the_answer_is_the_number_and_has_no_probability() {
    let service = service();
    let version = service.state.served().version().to_owned();
    let one = json!({"prediction": expected(), "model_version": version});
    assert_eq!(service.post(GOOD), (200, one.clone()));
    assert_eq!(service.post(format!("[{GOOD}, {GOOD}]")), (200, json!([one, one])));
    let (status, refused) = service.post(with("age", "0"));
    assert_eq!((status, &refused["detail"][0]["valid_range"]), (422, &json!([1, 72])));
}

#[test]
fn an_explanation_adds_up_to_the_number() {
    let (status, answer) = post_json("/predict?explain=true", &good());
    assert_eq!(status, 200, "{answer}");
    let explanation = &answer["explanation"];
    assert_eq!((&explanation["scale"], &explanation["base"]), (&json!("target"), &json!(-0.25)));
    assert!(explanation.get("calibrated").is_none(), "{explanation}");
    let parts = explanation["contributions"].as_array().unwrap();
    let sum = |sum: f64, part: &Value| sum + part["contribution"].as_f64().unwrap();
    assert!((parts.iter().fold(-0.25, sum) - expected()).abs() < 1e-12, "{explanation}");
}

#[test]
fn a_batch_has_no_column_of_probabilities() {
    let body = "plan,age,charge,member\r\ngold,24,99.5,true\r\nbasic,99,,False\n";
    let (status, text) = post("/predict/batch", "text/csv", "text/csv", body);
    let version = service().state.served().version().to_owned();
    let lines = format!(
        "row,prediction,model_version,error,warning\r\n1,{},{version},,\r\n\
         2,,,field 'age' must be between 1 and 72,\r\n",
        expected()
    );
    assert_eq!((status, String::from_utf8(text).unwrap()), (200, lines));
    let (status, text) = post("/predict/batch", "text/csv", "*/*", body);
    let first = String::from_utf8(text).unwrap().lines().next().unwrap().to_owned();
    let line = json!({"row": 1, "prediction": expected(), "model_version": version});
    assert_eq!((status, serde_json::from_str::<Value>(&first).unwrap()), (200, line));
}

#[test]
fn a_batch_in_parquet_has_no_column_of_probabilities_either() {
    let parquet = "application/vnd.apache.parquet";
    let body = format!("{GOOD}\n{}\n", with("age", "0"));
    let (status, bytes) = post("/predict/batch", "application/x-ndjson", parquet, &body);
    assert_eq!(status, 200);
    let (mut records, mut text) = (Records::of_parquet(bytes, 1 << 20).unwrap(), Vec::new());
    while records.next_line(&mut text) {}
    let lines: Vec<Value> =
        text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines[0]["prediction"].as_f64().map(f64::to_bits), Some(expected().to_bits()));
    assert_eq!((lines.len(), &lines[1]["prediction"]), (2, &Value::Null));
    assert!(lines.iter().all(|line| line.get("probability").is_none()), "{lines:?}");
}

#[test]
fn a_logged_number_is_predicted_again_to_the_bit_and_by_no_package_of_classes() {
    let dir = tempfile::tempdir().unwrap();
    let logging =
        Logging { dir: dir.path().to_owned(), with_input: true, max_bytes: 1 << 20, keep: 2 };
    let log = Predictions::open(logging, |news| panic!("{news:?}")).unwrap();
    let options = Options { predictions: Some(log.clone()), ..Options::default() };
    let service = Service::over(small_number_package(), options);
    assert_eq!(service.post(format!("[{GOOD}, {}]", with("age", "7"))).0, 200);
    assert!(log.close(std::time::Duration::from_secs(30)));
    let text = std::fs::read(&Predictions::files(dir.path()).unwrap()[0]).unwrap();
    let first: Value = serde_json::from_slice(text.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["prediction"].as_f64(), Some(expected()));
    assert!(first.get("probability").is_none(), "{first}");

    let read = |package: &Package| {
        let mut replay = Replay::new(package, Policy::default());
        replay.read(&mut text.as_slice(), None).map(|()| replay.report().all)
    };
    let all = read(&Package::load(small_number_package().path()).unwrap()).unwrap();
    assert_eq!((all.predicted, all.same, all.max_absolute_difference), (2, 2, Some(0.0)));
    let refused = read(&Package::load(small_package().path()).unwrap()).unwrap_err();
    assert!(matches!(refused, Unread::Foreign { line: 1, .. }), "{refused:?}");
}

#[test]
fn invocations_answer_as_scikit_learns_regressors_do() {
    let number = expected();
    for body in [
        json!({"dataframe_records": [good(), good()]}),
        json!({"instances": [[24, 99.5, true, "gold"], good()]}),
        json!({"inputs": [good(), good()], "params": {"predict_method": "predict"}}),
    ] {
        let answer = post_json("/invocations", &body);
        assert_eq!(answer, (200, json!({"predictions": [number, number]})), "{body}");
    }
    let body = json!({"inputs": [good()], "params": {"predict_method": "predict_proba"}});
    let (status, answer) = post_json("/invocations", &body);
    assert_eq!((status, &answer["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")));
    assert!(answer["message"].as_str().unwrap().contains("no probabilities"), "{answer}");
    let lines = "24,99.5,true,gold\n24,99.5,true,gold\n";
    let (status, text) = post("/invocations", "text/csv", "text/csv", lines);
    let numbers = format!("{number}\r\n{number}\r\n");
    assert_eq!((status, String::from_utf8(text).unwrap()), (200, numbers));
    let (status, text) = post("/invocations", "text/csv", "*/*", lines);
    let answer: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((status, answer), (200, json!({"predictions": [number, number]})));
}

#[test]
fn the_open_inference_protocol_has_one_tensor_of_numbers() {
    let tensor = |name: &str, datatype: &str, value: Value| json!({"name": name, "shape": [2, 1], "datatype": datatype, "data": [value, value]});
    let mut body = json!({"inputs": [
        tensor("age", "INT64", json!(24)), tensor("charge", "FP64", json!(99.5)),
        tensor("member", "BOOL", json!(true)), tensor("plan", "BYTES", json!("gold")),
    ]});
    let (status, answer) = post_json(&format!("{MODEL}/infer"), &body);
    let outputs = json!([tensor("prediction", "FP64", json!(expected()))]);
    assert_eq!((status, &answer["outputs"]), (200, &outputs));
    let model = json_of(&service().get(MODEL));
    let declared = json!([{"name": "prediction", "datatype": "FP64", "shape": [-1, 1]}]);
    assert_eq!(model["outputs"], declared);
    body["outputs"] = json!([{"name": "probability"}]);
    let (status, answer) = post_json(&format!("{MODEL}/infer"), &body);
    assert_eq!(status, 400);
    let told = answer["error"].as_str().unwrap();
    assert!(told.contains("no output 'probability'; there are [\"prediction\"]"), "{told}");
}

#[test]
fn the_contract_and_the_page_speak_of_a_number_alone() {
    let service = service();
    let document = json_of(&service.get("/openapi.json"));
    let schemas = &document["components"]["schemas"];
    let answer = &schemas["Prediction"];
    assert_eq!(answer["properties"]["prediction"], json!({"type": "number"}));
    assert_eq!(answer["required"], json!(["prediction", "model_version"]));
    assert_eq!(schemas["Explanation"]["properties"]["scale"]["enum"], json!(["target"]));
    for word in ["probability", "predict_proba", "log_odds", "calibrated"] {
        assert!(!document.to_string().contains(&format!("\"{word}\"")), "{word}");
    }
    let page = service.get("/");
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert!(text.contains("\"classes\":null") && text.contains("\"target\":\"spent\""));
}

#[test]
fn what_is_counted_has_no_class_and_its_score_is_the_number() {
    let service = service();
    let list = format!("[{}]", vec![GOOD; 60].join(","));
    (0..5).for_each(|_| assert_eq!(service.post(&list).0, 200));
    let metrics = crate::serve::exposition::write(&service.state);
    let served = service.state.served();
    let version = served.version();
    let line = format!("predictions_total{{model_version=\"{version}\"}} 300\n");
    assert!(metrics.contains(&line), "{metrics}");
    assert!(!metrics.contains("class="), "{metrics}");
    assert!(!metrics.contains("prediction_bucket"), "a number is in no bin of probabilities");
    let report = json_of(&service.get("/drift"));
    // The package's own rows have three numbers, a third of the rows each; the good record's is the
    // least of them.
    let expected = Psi::of(&[100, 100, 100], &[300, 0, 0]).unwrap();
    let score = &report["score"];
    assert_eq!(score["psi"].as_f64().unwrap().to_bits(), expected.psi.to_bits(), "{score}");
    assert_eq!((&score["is_drifted"], &score["n"]), (&json!(true), &json!(300)));
    assert_eq!(score["bins"][1]["from"].as_f64(), Some(middle()));
}

/// The second of the three numbers that the package's rows have.
fn middle() -> f64 {
    let dir = small_number_package();
    let package = Package::load(dir.path()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let rows = reference["rows"].as_array().unwrap();
    let mut numbers: Vec<f64> =
        rows.iter().map(|row| row["prediction"].as_f64().unwrap()).collect();
    numbers.sort_by(f64::total_cmp);
    assert_eq!(package.reference_len(), numbers.len());
    numbers[1]
}

#[test]
fn health_proves_the_numbers_of_the_reference_rows() {
    let report = json_of(&service().get("/health"));
    let reference = &report["checks"]["model:reference"][0];
    assert_eq!((&report["status"], &reference["observedValue"]), (&json!("pass"), &json!(3)));
    assert_eq!(report["checks"]["model:loaded"][0]["componentId"], "ridge");
}
