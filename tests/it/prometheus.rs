//! The metrics of the service, read by the parser of Prometheus' own client for Python.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::service::{PATIENCE, Service, subscriber};
use crate::venv;

/// A Python that has the parser; `None` where that cannot be, which in CI is a failure.
fn python() -> Option<PathBuf> {
    let pins = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prometheus/requirements.txt");
    Some(venv::with(Path::new(pins))?.join("bin/python"))
}

/// What the parser reads.
fn parsed(python: &Path, text: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prometheus/read.py");
    let mut command = Command::new(python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn metrics(service: &Service) -> String {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    body.to_owned()
}

/// The value of the sample with this name and these labels.
#[track_caller]
fn value(families: &Value, name: &str, labels: Value) -> f64 {
    let samples = families.as_object().unwrap().values();
    let mut samples = samples.flat_map(|family| family["samples"].as_array().unwrap());
    let found = samples.find(|sample| sample[0] == name && sample[1] == labels);
    found.map_or_else(|| panic!("no {name}{labels} in {families:#}"), |s| s[2].as_f64().unwrap())
}

#[test]
fn the_counts_after_known_traffic_are_what_prometheus_reads() {
    let Some(python) = python() else { return };
    let lab = Lab::example_that_ran();
    let service = Service::start(&lab);
    let good = subscriber(&lab);
    let mut bad = good.clone();
    bad["tenure_months"] = json!(9999);
    bad["nobody knows"] = json!(1);
    let mut classes = [0.0, 0.0];
    let mut version = String::new();
    for _ in 0..5 {
        let (status, answer) = service.predict(&good);
        assert_eq!(status, 200);
        classes[usize::from(answer["prediction"] == json!(1))] += 1.0;
        version = answer["model_version"].as_str().unwrap().to_owned();
    }
    for _ in 0..3 {
        assert_eq!(service.predict(&bad).0, 422);
    }
    assert_eq!(service.request("GET", "/predict", "").0, 405);
    assert_eq!(service.request("GET", "/nothing", "").0, 404);

    let families = parsed(&python, &metrics(&service));
    let read = |name: &str, labels: Value| value(&families, name, labels);
    let answers = |route: &str, method: &str, status: &str| {
        let labels = json!({"route": route, "method": method, "status": status});
        read("http_requests_total", labels)
    };
    assert_eq!(answers("/predict", "POST", "200"), 5.0);
    assert_eq!(answers("/predict", "POST", "422"), 3.0);
    assert_eq!(answers("/predict", "GET", "405"), 1.0);
    assert_eq!(answers("other", "GET", "404"), 1.0);
    for (class, count) in classes.into_iter().enumerate() {
        let labels = json!({"model_version": version, "class": class.to_string()});
        assert_eq!(read("predictions_total", labels), count);
    }
    assert_eq!(families["prediction"]["type"], "histogram");
    let all = json!({"model_version": version, "le": "+Inf"});
    assert_eq!(read("prediction_bucket", all), 5.0);
    assert_eq!(read("prediction_count", json!({"model_version": version})), 5.0);
    let said = 5.0 * service.predict(&good).1["probability"].as_f64().unwrap();
    assert!((read("prediction_sum", json!({"model_version": version})) - said).abs() < 1e-5);
    let errors = |field: &str, kind: &str| {
        read("validation_errors_total", json!({"field": field, "type": kind}))
    };
    assert_eq!(errors("tenure_months", "less_than_equal"), 3.0);
    assert_eq!(errors("other", "extra_forbidden"), 3.0, "no client makes a series");
    let durations = "http_request_duration_seconds";
    assert_eq!(families[durations]["type"], "histogram");
    let route = json!({"route": "/predict"});
    assert_eq!(read(&format!("{durations}_count"), route.clone()), 9.0);
    let all = json!({"route": "/predict", "le": "+Inf"});
    assert_eq!(read(&format!("{durations}_bucket"), all), 9.0);
    assert!(read(&format!("{durations}_sum"), route) > 0.0);
    assert_eq!(read("model_info", json!({"version": version, "learner": learner(&lab)})), 1.0);
    assert_eq!(read("model_loaded", json!({})), 1.0);
    assert_eq!(read("inflight_requests", json!({})), 1.0, "the one that asks");
    assert!(read("connections", json!({})) >= 1.0);
    assert_eq!(read("shed_total", json!({"what": "request"})), 0.0);
    assert!(read("process_resident_memory_bytes", json!({})) > 1e6);
}

fn learner(lab: &Lab) -> String {
    let manifest = lab.json("outputs/package/package/package.json");
    manifest["learner"].as_str().unwrap().to_owned()
}
