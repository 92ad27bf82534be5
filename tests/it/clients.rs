//! The front doors, opened by real clients of their protocols.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::small::{self, Served};
use crate::venv;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Some records without gaps.
fn records() -> Value {
    json!([
        {"age": 24, "charge": 99.5, "member": true, "plan": "gold"},
        {"age": 60, "charge": 12.25, "member": false, "plan": "basic"},
        {"age": 33, "charge": 50.0, "member": true, "plan": "plus"},
    ])
}

/// Has a client ask for the records, and compares what it got with what `/predict` says.
fn asks(script: &str, lab: fn() -> Lab, learner: &str, more: &[&str]) {
    let pins = Path::new(CLIENTS).join("requirements.txt");
    let Some(venv) = venv::with(&pins) else { return };
    let lab = lab();
    let service = Served::start(&lab, &small::package(learner), &[]);
    lab.write("records.json", &records().to_string());
    let output = Command::new(venv.join("bin/python"))
        .arg(format!("{CLIENTS}/{script}"))
        .arg(&service.address)
        .args(more)
        .arg(lab.path("records.json"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (_, expected) = service.post("/predict", &records());
    for (i, expected) in expected.as_array().unwrap().iter().enumerate() {
        assert_eq!(answers["prediction"][i], expected["prediction"]);
        let name = if expected.get("probability").is_some() { "probability" } else { "prediction" };
        let [p, ours] = [&answers[name][i], &expected[name]];
        assert_eq!(p.as_f64().unwrap().to_bits(), ours.as_f64().unwrap().to_bits());
    }
}

#[test]
fn tritons_client_is_served_by_the_open_inference_protocol() {
    asks("triton.py", small::project, "random_forest", &["small-random_forest"]);
}

#[test]
fn mlflows_client_is_served_as_by_its_own_scoring_server() {
    asks("mlflow_client.py", small::project, "logistic_regression", &[]);
}

#[test]
fn a_number_goes_through_the_clients_as_scikit_learns_regressors_send_it() {
    asks("triton.py", small::numbers, "random_forest", &["small-random_forest"]);
    asks("mlflow_regressor.py", small::numbers, "ridge", &[]);
}

#[test]
fn vertex_finds_the_port_and_the_paths_that_it_asked_for() {
    let lab = small::project();
    let mut command = lab.command(&["serve", "-q", "--package", &small::package("decision_tree")]);
    command.env("AIP_HTTP_PORT", "0").env("AIP_HEALTH_ROUTE", "/v1/endpoints/7/health");
    command.env("AIP_PREDICT_ROUTE", "/v1/endpoints/7:predict");
    let service = Served::launch(command);
    let body = json!({"instances": records()});
    let (status, answer) = service.post("/v1/endpoints/7:predict", &body);
    assert_eq!(status, 200, "{answer}");
    let (_, expected) = service.post("/predict", &records());
    for (vertex, ours) in
        answer["predictions"].as_array().unwrap().iter().zip(expected.as_array().unwrap())
    {
        assert_eq!(vertex["probability"], ours["probability"]);
    }
    assert_eq!(get(&service, "/v1/endpoints/7/health"), 200);
    assert_eq!(get(&service, "/v1/endpoints/8/health"), 404);
    let mut wrong = lab.command(&["serve", "--package", &small::package("decision_tree")]);
    let output = wrong.env("AIP_HTTP_PORT", "http").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

fn get(service: &Served, path: &str) -> u16 {
    let mut stream = service.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A request for a batch of JSON lines, in chunks.
const HEAD: &str = "POST /predict/batch HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
    content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";

/// A chunk of a few hundred records.
fn chunk() -> Vec<u8> {
    let line = format!("{}\n", records()[0]);
    let lines = line.repeat(512);
    format!("{:x}\r\n{lines}\r\n", lines.len()).into_bytes()
}

fn batch(lab: &Lab) -> Served {
    Served::start(lab, &small::package("logistic_regression"), &[])
}

/// How much the memory of a service may grow while it answers any file, in kB.
const ALLOWED_KB: u64 = 16 << 10;

#[test]
fn a_file_of_any_size_goes_through_a_bounded_memory() {
    let lab = small::project();
    let service = batch(&lab);
    assert_eq!(service.post("/predict", &records()).0, 200);
    let before = service.memory("VmHWM");
    let mut stream = service.connect();
    let mut reader = stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut bytes, mut n_lines, mut tail) = (vec![0; 1 << 16], 0_usize, Vec::new());
        loop {
            let n = reader.read(&mut bytes).unwrap();
            if n == 0 {
                return (n_lines, tail);
            }
            n_lines += bytes[..n].windows(7).filter(|bytes| bytes == b"{\"row\":").count();
            tail.extend_from_slice(&bytes[..n]);
            let keep = tail.len().saturating_sub(2000);
            tail.drain(..keep);
        }
    });
    stream.write_all(HEAD.as_bytes()).unwrap();
    let chunk = chunk();
    let n_chunks = 4 * ALLOWED_KB as usize * 1024 / chunk.len();
    for _ in 0..n_chunks {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let (n_lines, tail) = reading.join().unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(tail.contains(&format!("{{\"row\":{},", n_chunks * 512)), "{tail}");
    assert!(tail.ends_with("0\r\n\r\n"), "{tail}");
    // A read may end within the few bytes that are counted.
    assert!(n_lines > n_chunks * 500, "{n_lines}");
    let grown = service.memory("VmHWM") - before;
    assert!(grown < ALLOWED_KB, "{grown} kB for {} MB", (n_chunks * chunk.len()) >> 20);
}

#[test]
fn a_client_that_stops_reading_is_not_read_any_more() {
    let lab = small::project();
    let service = batch(&lab);
    assert_eq!(service.post("/predict", &records()).0, 200);
    let before = service.memory("VmHWM");
    let mut stream = service.connect();
    stream.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    stream.write_all(HEAD.as_bytes()).unwrap();
    let (chunk, mut sent) = (chunk(), 0_usize);
    // Buffers of both sockets fill up; then nothing more is taken.
    while stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < 256 << 20, "the service reads on and on");
    }
    let grown = service.memory("VmHWM") - before;
    assert!(grown < ALLOWED_KB, "{grown} kB after {sent} bytes");
    assert_eq!(service.post("/predict", &records()).0, 200, "others are answered meanwhile");
}
