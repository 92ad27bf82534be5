//! The service's page in a real browser: a person tries a prediction and sees why.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::small::{self, Served};
use crate::venv;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

fn has_browser() -> bool {
    let has = Command::new("chromium").arg("--version").output().is_ok_and(|o| o.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "CI needs Chromium: .ci/run installs it");
    has
}

/// What a browser shows of the page of a service when a person predicts; `None` where there is no
/// browser. Its pictures are kept below `shots`, to be looked at.
fn shown(service: &Served, shots: &str) -> Option<Value> {
    let pins = Path::new(CLIENTS).join("requirements.txt");
    let (true, Some(venv)) = (has_browser(), venv::with(&pins)) else { return None };
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join(shots);
    std::fs::create_dir_all(&shots).unwrap();
    let output = Command::new(venv.join("bin/python"))
        .arg(format!("{CLIENTS}/page.py"))
        .args([format!("{}/", service.url()), shots.to_str().unwrap().to_owned()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Nothing is loaded from elsewhere, so that the page works offline.
    assert_eq!((&shown["elsewhere"], &shown["complaints"]), (&json!([]), &json!([])));
    Some(shown)
}

#[test]
fn a_person_fills_in_the_form_and_sees_what_is_wrong_and_then_why() {
    let lab = small::project();
    let service = Served::start(&lab, &small::package("gradient_boosting"), &[]);
    let Some(shown) = shown(&service, "page") else { return };
    assert_eq!(shown["title"], "small-gradient_boosting");
    assert_eq!(shown["hint"], "whole number from 1 to 72");
    assert_eq!(shown["error"], "field 'age' must be between 1 and 72");
    assert_eq!(shown["is_marked"], "true");
    assert!(shown["card"].as_u64().unwrap() > 200, "{shown}");

    // What is shown is what the service says of the record that was typed.
    assert_eq!(shown["record"]["age"], 24);
    let (status, answer) = service.post("/predict?explain=true", &shown["record"]);
    assert_eq!(status, 200, "{answer}");
    let percent = 100.0 * answer["probability"].as_f64().unwrap();
    let text = shown["answer"].as_str().unwrap();
    assert!(text.contains(&format!("{percent:.1} %")), "{text}");
    assert!(text.contains(answer["model_version"].as_str().unwrap()), "{text}");
    let mut parts: Vec<(f64, &str)> = answer["explanation"]["contributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["contribution"].as_f64().unwrap().abs(), p["field"].as_str().unwrap()))
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<&str> = parts.iter().map(|part| part.1).collect();
    assert_eq!(shown["parts"], json!(names), "the largest part comes first");
}

#[test]
fn a_person_sees_a_number_with_what_each_field_adds_to_it() {
    let lab = small::numbers();
    let service = Served::start(&lab, &small::package("gradient_boosting"), &[]);
    let Some(shown) = shown(&service, "page-number") else { return };
    let (status, answer) = service.post("/predict", &shown["record"]);
    assert_eq!(status, 200, "{answer}");
    // `spent: 123.456, model 0123456789ab`, and then the parts.
    let text = shown["answer"].as_str().unwrap();
    let (number, rest) = text.strip_prefix("spent: ").unwrap().split_once(", model ").unwrap();
    let (number, exact) = (number.parse::<f64>().unwrap(), answer["prediction"].as_f64().unwrap());
    assert!((number - exact).abs() <= 1e-5 * exact.abs(), "{text}, of {exact}");
    assert!(rest.starts_with(answer["model_version"].as_str().unwrap()), "{text}");
    assert!(rest.contains("What each field adds, in spent, to +"), "{text}");
    assert!(!text.contains("probability") && !text.contains("threshold"), "{text}");
    assert_eq!(shown["parts"].as_array().unwrap().len(), 4, "{shown}");
}

/// An empty page at any path, for as long as the test runs; returns the port.
fn empty_page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = |mut stream: TcpStream| {
        // The head fits into one read; what a browser opens to spare says nothing.
        if stream.read(&mut [0; 8192]).is_ok_and(|n| n > 0) {
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\
                        connection: close\r\n\r\n";
            let _ = stream.write_all(page.as_bytes());
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // A spare one holds up nobody.
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

#[test]
fn a_page_of_another_origin_asks_with_a_key_if_it_is_listed_and_the_own_page_asks_for_one() {
    let pins = Path::new(CLIENTS).join("requirements.txt");
    let (true, Some(venv)) = (has_browser(), venv::with(&pins)) else { return };
    let lab = small::project();
    let token = lab.call(&["serve", "--keys=keys", "--new-key=page"]).expect(0).out;
    let token = token.trim();
    let port = empty_page();
    // One server, and two origins.
    let (listed, other) = (format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}"));
    let flags = ["--keys=keys", "--open=/", "--cors-origins", &listed];
    let service = Served::start(&lab, &small::package("logistic_regression"), &flags);
    let output = Command::new(venv.join("bin/python"))
        .arg(format!("{CLIENTS}/strangers.py"))
        .args([&service.url(), token, &listed, &other])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["listed"]["status"], 200, "{shown}");
    assert!(shown["listed"]["answer"]["probability"].is_f64(), "{shown}");
    assert!(shown["listed"]["id"].is_string(), "a page may read the id: {shown}");
    assert_eq!(shown["keyless"]["status"], 401, "and why it is refused: {shown}");
    assert_eq!(shown["other"], json!({"status": 0, "error": "TypeError"}), "nothing is read");

    assert_eq!(shown["is_asked_for"], true);
    assert!(shown["refused"].as_str().unwrap().starts_with("a key is needed"), "{shown}");
    assert!(shown["answer"].as_str().unwrap().contains("probability of true"), "{shown}");
    let request = shown["request"].as_str().unwrap();
    assert!(request.contains("x-api-key: KEY") && !request.contains(token), "{request}");
}
