//! Spans of requests, as an OpenTelemetry collector gets them: read by OpenTelemetry's own protobuf
//! for Python (from PyPI).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::service::Service;
use crate::{small, venv};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// How long a span may take to arrive, a test to end.
const PATIENCE: Duration = Duration::from_secs(60);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector on a port of its own: the head and the body of every message that it gets.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (got, messages) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(message) = message(&mut stream) {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .unwrap();
                if got.send(message).is_err() {
                    return;
                }
            }
        }
    });
    (address, messages)
}

fn message(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    Some((head, body))
}

/// The service of a small model, which tells the collector at an address.
fn serve(lab: &Lab, collector: &str) -> Service {
    let args = ["serve", "--port=0", "--package", &small::package("decision_tree")];
    let mut command = lab.command(&args);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
    command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests");
    Service::launch(command)
}

fn record() -> Value {
    json!({"age": 24, "charge": 99.5, "member": true, "plan": "gold"})
}

/// Predicts as a part of a trace.
fn predict(service: &Service, traceparent: &str) {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    let body = record().to_string();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: r-1\r\n\
         content-type: application/json\r\ntraceparent: {traceparent}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// What a message says, as OpenTelemetry's protobuf reads it.
fn read(python: &Path, body: &[u8]) -> Value {
    let mut command = Command::new(python);
    command.arg(format!("{CLIENTS}/otlp.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_collector_gets_a_span_per_answer_within_the_trace_of_its_caller() {
    let Some(venv) = venv::with(&Path::new(CLIENTS).join("otlp.txt")) else { return };
    let python = venv.join("bin/python");
    let lab = small::project();
    let (address, messages) = collector();
    let service = serve(&lab, &address);
    predict(&service, &format!("00-{TRACE}-{PARENT}-01"));
    // Its caller does not record it, and so nobody does.
    predict(&service, &format!("00-{}-{PARENT}-00", TRACE.replace('4', "5")));
    assert_eq!(service.request("POST", "/predict", "{").0, 400);
    assert_eq!(service.request("GET", "/nothing", "").0, 404);
    let version = service.predict(&record()).1["model_version"].clone();

    let (mut spans, mut resource) = (Vec::new(), Value::Null);
    while spans.len() < 4 {
        let (head, body) = messages.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        let read = read(&python, &body);
        resource = read["resource"].clone();
        spans.extend(read["spans"].as_array().unwrap().clone());
    }
    assert_eq!(resource["service.name"], "pipeline");
    assert_eq!(resource["deployment.environment.name"], "tests");
    let told = |span: &Value| {
        let of = |name: &str| span["attributes"][name].clone();
        (span["name"].clone(), of("http.request.method"), of("http.response.status_code"))
    };
    let expected = [
        ("POST /predict", "POST", 200),
        ("POST /predict", "POST", 400),
        ("GET other", "GET", 404),
        ("POST /predict", "POST", 200),
    ];
    let expected =
        expected.map(|(name, method, status)| (json!(name), json!(method), json!(status)));
    assert_eq!(spans.iter().map(told).collect::<Vec<_>>(), expected);
    let first = &spans[0];
    assert_eq!((&first["trace_id"], &first["parent_id"]), (&json!(TRACE), &json!(PARENT)));
    assert_eq!(first["attributes"]["http.route"], "/predict");
    assert_eq!(first["attributes"]["pipeline.model.version"], version);
    assert_eq!(first["attributes"]["pipeline.request.id"], "r-1");
    assert_eq!(first["kind"], "SPAN_KIND_SERVER");
    let took = first["nanoseconds"].as_u64().unwrap();
    assert!(took > 0 && took < 10_000_000_000, "{took}");
    let ids: std::collections::BTreeSet<_> =
        spans.iter().map(|span| span["trace_id"].to_string()).collect();
    assert_eq!(ids.len(), 4, "a request without a trace begins one");
    assert_eq!(spans[1]["parent_id"], "");
}

/// A number of `/metrics`.
fn metric(service: &Service, name: &str) -> u64 {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_collector_that_is_not_there_costs_spans_and_nothing_else() {
    let lab = small::project();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut service = serve(&lab, &gone);
    let start = Instant::now();
    for round in 1..4 {
        for _ in 0..20 {
            assert_eq!(service.predict(&record()).0, 200);
        }
        while metric(&service, "spans_dropped_total ") < 20 * round {
            assert!(start.elapsed() < PATIENCE, "they are held for ever");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let told = service.told();
    assert_eq!(told.matches("spans do not arrive").count(), 1, "{told}");
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}
