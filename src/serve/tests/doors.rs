//! Tests of the front doors: the envelopes of other protocols, over the same rows.

use serde_json::{Value, json};

use super::{GOOD, Service, json_of};
use crate::serve::state::{Options, Routes};

const MODEL: &str = "/v2/models/a%20small%20model";

fn post(service: &Service, path: &str, media_type: &str, body: &str) -> (u16, Value) {
    let request = warp::test::request().method("POST").path(path);
    let response = service.send(request.header("content-type", media_type).body(body));
    (response.status().as_u16(), json_of(&response))
}

fn invoke(body: &Value) -> (u16, Value) {
    post(&Service::new(), "/invocations", "application/json", &body.to_string())
}

fn good() -> Value {
    serde_json::from_str(GOOD).unwrap()
}

/// The probability of the good record.
fn expected() -> Value {
    Service::new().post(GOOD).1["probability"].clone()
}

#[test]
fn every_shape_of_invocations_reaches_the_same_scorer() {
    let columns = ["plan", "age", "charge", "member"];
    let row = json!(["gold", 24, 99.5, true]);
    for body in [
        json!({"dataframe_split": {"columns": columns, "data": [row, row]}}),
        json!({"dataframe_split": {"columns": columns, "index": [7, 8], "data": [row, row]}}),
        json!({"dataframe_records": [good(), good()]}),
        json!({"instances": [good(), good()]}),
        json!({"inputs": [good(), good()]}),
        json!({"instances": [[24, 99.5, true, "gold"], [24, 99.5, true, "gold"]]}),
        json!({"inputs": {"age": [24, 24], "charge": [99.5, 99.5], "member": [true, true],
                          "plan": ["gold", "gold"]}}),
        json!({"instances": [good(), good()], "parameters": {}}),
    ] {
        let (status, answer) = invoke(&body);
        assert_eq!(status, 200, "{body}: {answer}");
        let predictions = answer["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), 2);
        assert_eq!(predictions[1]["probability"], expected(), "{body}");
        assert_eq!(predictions[1]["prediction"], false);
    }
}

#[test]
fn invocations_answer_as_scikit_learn_models_do_when_asked() {
    let p = expected().as_f64().unwrap();
    let with = |method: &str| {
        let params = json!({"predict_method": method});
        invoke(&json!({"dataframe_records": [good()], "params": params})).1["predictions"].clone()
    };
    assert_eq!(with("predict"), json!([false]));
    assert_eq!(with("predict_proba"), json!([[1.0 - p, p]]));
}

#[test]
fn invocations_refuse_in_mlflows_words_with_its_status() {
    for (body, message) in [
        (json!({}), "exactly one of"),
        (json!({"instances": [], "inputs": []}), "exactly one of"),
        (json!({"rows": []}), "unknown field `rows`"),
        (json!({"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}}), "record"),
        (json!({"inputs": {"age": [1], "plan": []}}), "'plan' has 0 values"),
        (json!({"instances": [{"age": 99}]}), "field 'age' must be between 1 and 72"),
    ] {
        let (status, answer) = invoke(&body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error_code"].is_string() && answer.get("detail").is_none(), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(message), "{answer}");
    }
    let twice = "{\"inputs\": {\"age\": [1], \"age\": [2]}}";
    let (status, answer) = post(&Service::new(), "/invocations", "application/json", twice);
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("more than once"), "{answer}");
}

#[test]
fn csv_is_taken_with_a_header_and_without_one() {
    let service = Service::new();
    for body in ["plan,age,charge,member\ngold,24,99.5,true\n", "24,99.5,true,gold"] {
        let (status, answer) = post(&service, "/invocations", "text/csv", body);
        assert_eq!((status, &answer["predictions"][0]["probability"]), (200, &expected()));
    }
    let request = warp::test::request().method("POST").path("/invocations");
    let request = request.header("content-type", "text/csv").header("accept", "text/csv");
    let response = service.send(request.body("24,99.5,true,gold\n24,,false,plus\n"));
    let text = std::str::from_utf8(response.body()).unwrap();
    assert!(text.starts_with(&format!("false,{}\r\nfalse,", expected())), "{text}");
    assert_eq!(post(&service, "/invocations", "text/csv", "1,2\n").0, 400);
}

#[test]
fn the_probes_of_mlflow_and_sagemaker_are_those_of_readiness() {
    let service = Service::new();
    assert_eq!(service.get("/ping").status(), 200);
    assert_eq!(json_of(&service.get("/version"))["version"], env!("CARGO_PKG_VERSION"));
    service.state.start_draining();
    for path in ["/ping", "/v2/health/ready", &format!("{MODEL}/ready")] {
        assert_eq!(service.get(path).status(), 503, "{path}");
    }
    assert_eq!(service.get("/v2/health/live").status(), 200);
}

#[test]
fn vertex_may_choose_its_paths() {
    let routes = Routes { health: Some("/up".to_owned()), predict: Some("/score:it".to_owned()) };
    let service = Service::with(Options { routes, ..Options::default() });
    assert_eq!(service.get("/up").status(), 200);
    let body = json!({"instances": [good()]}).to_string();
    let (status, answer) = post(&service, "/score:it", "application/json", &body);
    assert_eq!((status, &answer["predictions"][0]["probability"]), (200, &expected()));
    assert_eq!(Service::new().get("/up").status(), 404);
}

/// A request of protocol V2 for the good record, n times.
fn tensors(n: usize) -> Value {
    let tensor = |name: &str, datatype: &str, value: Value| {
        let data = vec![value; n];
        json!({"name": name, "shape": [n, 1], "datatype": datatype, "data": data})
    };
    json!({"id": "r-1", "inputs": [
        tensor("plan", "BYTES", json!("gold")), tensor("age", "INT64", json!(24)),
        tensor("charge", "FP64", json!(99.5)), tensor("member", "BOOL", json!(true)),
    ]})
}

fn infer(body: &Value) -> (u16, Value) {
    let path = format!("{MODEL}/infer");
    post(&Service::new(), &path, "application/json", &body.to_string())
}

#[test]
fn tensors_are_answered_by_tensors() {
    let (status, answer) = infer(&tensors(3));
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["id"], &answer["model_name"]), (&json!("r-1"), &json!("a small model")));
    let [prediction, probability] = [0, 1].map(|i| answer["outputs"][i].clone());
    let p = expected();
    assert_eq!(
        prediction,
        json!({"name": "prediction", "datatype": "BOOL", "shape": [3, 1],
               "data": [false, false, false]})
    );
    assert_eq!(
        probability,
        json!({"name": "probability", "datatype": "FP64", "shape": [3, 1], "data": [p, p, p]})
    );
    let mut wanted = tensors(1);
    wanted["outputs"] = json!([{"name": "probability", "parameters": {"binary_data": false}}]);
    assert_eq!(infer(&wanted).1["outputs"].as_array().unwrap().len(), 1);
    let mut nested = tensors(1);
    nested["inputs"][1]["data"] = json!([[24]]);
    nested["inputs"][2]["shape"] = json!([1]);
    assert_eq!(infer(&nested).1["outputs"][1]["data"], json!([p]));
    let mut empty = tensors(0);
    empty["id"] = Value::Null;
    assert_eq!(infer(&empty).1["outputs"][1]["data"], json!([]));
}

#[test]
fn tensors_that_do_not_fit_are_refused_in_the_protocols_shape() {
    let change = |path: &str, value: Value| {
        let mut body = tensors(2);
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    for (body, message) in [
        (change("/inputs/1/data/1", json!(99)), "record 1: field 'age' must be between 1 and 72"),
        (change("/inputs/1/shape", json!([3, 1])), "'age' has 2 values"),
        (change("/inputs/1/shape", json!([2, 2])), "values"),
        (change("/inputs/1/shape", json!([1, 2])), "shape [n]"),
        (change("/inputs/1/datatype", json!("TEXT")), "no known datatype"),
        (change("/inputs/1/name", json!("agee")), "field 'agee' is not known"),
        (change("/inputs/1/name", json!("plan")), "more than once"),
        (json!({"inputs": []}), "there is no column"),
        (json!({"inputs": 1}), "no inference request"),
    ] {
        let (status, answer) = infer(&body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(message), "{answer}: {message}");
    }
}

#[test]
fn a_refusal_never_repeats_much_of_the_body() {
    let long = "x".repeat(50_000);
    let infer = format!("{MODEL}/infer");
    let infer = infer.as_str();
    for (path, body) in [
        ("/invocations", json!({ long.as_str(): 1 })),
        ("/invocations", json!({"params": {"predict_method": long}})),
        ("/invocations", json!({"dataframe_split": {"columns": [long], "data": [[1]]}})),
        (infer, json!({ long.as_str(): 1 })),
        (infer, json!({"inputs": [], "id": long})),
        (infer, json!({"inputs": [], "outputs": [{"name": long}]})),
    ] {
        let (status, answer) = post(&Service::new(), path, "application/json", &body.to_string());
        assert_eq!(status, 400, "{path}");
        assert!(answer.to_string().len() < 1000, "{path}: {}", answer.to_string().len());
    }
}

#[test]
fn a_model_is_known_by_its_name_and_version_and_by_no_others() {
    let service = Service::new();
    let version = service.state.served().version().to_owned();
    let versioned = format!("{MODEL}/versions/{version}");
    for path in [MODEL, &versioned] {
        let model = json_of(&service.get(path));
        assert_eq!(model["versions"], json!([version]));
        assert_eq!(
            model["inputs"][0],
            json!({"name": "age", "datatype": "INT64", "shape": [-1, 1]})
        );
        assert_eq!(json_of(&service.get(&format!("{path}/ready")))["ready"], true);
        let body = tensors(1).to_string();
        assert_eq!(post(&service, &format!("{path}/infer"), "application/json", &body).0, 200);
    }
    for path in ["/v2/models", "/v2/models/x", "/v2/models/x/infer", "/v2/nothing"] {
        let response = service.get(path);
        assert_eq!(response.status(), 404, "{path}");
        assert!(json_of(&response)["error"].is_string());
    }
    for path in [format!("{MODEL}/versions/1"), format!("{MODEL}/ready/x"), format!("{MODEL}/")] {
        assert_eq!(service.get(&path).status(), 404, "{path}");
    }
    let response = service.get(&format!("{MODEL}/infer"));
    assert_eq!(
        (response.status().as_u16(), super::header(&response, "allow")),
        (405, "OPTIONS, POST")
    );
    assert_eq!(json_of(&service.get("/v2"))["extensions"], json!([]));
}
