//! The checks that a client would make against the running service.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::Lab;

/// How long the service may take to start, to notice, to stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A service that runs as a process of its own.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: String,
    told: Arc<Mutex<String>>,
}

impl Service {
    /// Starts `pipeline run` on a free port and waits until it says where it is.
    pub(crate) fn start(lab: &Lab) -> Service {
        Service::launch(lab.command(&["run", "--set", "serve.port=0"]))
    }

    /// Waits until a command says where it serves: on a port, or on a socket.
    pub(crate) fn launch(mut command: Command) -> Service {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "it ended before it served");
            if let Some((_, url)) = line.trim().split_once("serving model ") {
                let (_, url) = url.split_once(" on ").unwrap();
                break url.replacen("http://", "", 1).replacen("unix:", "", 1);
            }
        };
        // The pipe is read on, so that the service never waits for its reader.
        let heard = Arc::<Mutex<String>>::default();
        let sink = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut line = String::new();
            while told.read_line(&mut line).is_ok_and(|read| read > 0) {
                sink.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        Service { child, address, told: heard }
    }

    /// What it said on stderr since it said where it is.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(crate) fn predict(&self, record: &Value) -> (u16, Value) {
        self.request("POST", "/predict", &record.to_string())
    }

    pub(crate) fn health(&self) -> (u16, Value) {
        self.request("GET", "/health", "")
    }

    /// Waits until the health has this status.
    #[track_caller]
    pub(crate) fn expect_health(&self, status: u16) -> Value {
        let start = Instant::now();
        loop {
            let (found, body) = self.health();
            if found == status {
                return body;
            }
            assert!(start.elapsed() < PATIENCE, "health is {found}: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A record that is right, from the data itself.
pub(crate) fn subscriber(lab: &Lab) -> Value {
    let schema = lab.json("outputs/package/package/schema.json");
    let fields = schema["fields"].as_array().unwrap();
    let record: serde_json::Map<_, _> = fields
        .iter()
        .map(|field| (field["name"].as_str().unwrap().to_owned(), field["example"].clone()))
        .collect();
    Value::Object(record)
}

fn with(record: &Value, field: &str, value: Value) -> Value {
    let mut record = record.clone();
    record[field] = value;
    record
}

fn complaints(body: &Value) -> Vec<(String, String)> {
    let entries = body["detail"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.iter().map(|entry| (text(&entry["loc"][1]), text(&entry["type"]))).collect()
}

#[test]
fn the_seven_checks_of_a_client_pass() {
    let lab = Lab::example_that_ran();
    let service = Service::start(&lab);
    let record = subscriber(&lab);

    // 1. valid
    let (status, answer) = service.predict(&record);
    assert_eq!(status, 200, "{answer}");
    let probability = answer["probability"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&probability));
    assert!(answer["prediction"] == json!(0) || answer["prediction"] == json!(1), "{answer}");
    assert_eq!(answer["model_version"].as_str().unwrap().len(), 12);

    // 2. the boundary of the training range
    for tenure in [1, 72] {
        let (status, answer) = service.predict(&with(&record, "tenure_months", json!(tenure)));
        assert_eq!(status, 200, "{tenure}: {answer}");
    }

    // 3. out of range, with the range and the value in the answer
    for tenure in [0, 73, -5] {
        let (status, answer) = service.predict(&with(&record, "tenure_months", json!(tenure)));
        assert_eq!(status, 422, "{tenure}");
        let entry = &answer["detail"][0];
        assert_eq!(entry["loc"], json!(["body", "tenure_months"]));
        assert_eq!((&entry["input"], &entry["valid_range"]), (&json!(tenure), &json!([1, 72])));
    }

    // 4. missing, 5. wrong type: all wrong fields at once
    let mut wrong = with(&record, "monthly_charges", json!("a lot"));
    wrong.as_object_mut().unwrap().remove("tenure_months");
    wrong["shoe_size"] = json!(43);
    let (status, answer) = service.predict(&wrong);
    assert_eq!(status, 422);
    let mut told = complaints(&answer);
    told.sort();
    let expected = [
        ("monthly_charges", "float_type"),
        ("shoe_size", "extra_forbidden"),
        ("tenure_months", "missing"),
    ];
    let expected = expected.map(|(field, ty)| (field.to_owned(), ty.to_owned()));
    assert_eq!(told, expected, "{answer}");

    // 6. the model is removed, or altered, while it runs
    service.expect_health(200);
    let model = lab.path("outputs/package/package/model.json");
    let kept = fs::read(&model).unwrap();
    fs::remove_file(&model).unwrap();
    let told = service.expect_health(503).to_string();
    assert!(!told.contains(lab.path("").to_str().unwrap()), "a path is told: {told}");
    let mut altered = kept.clone();
    altered[100] ^= 1;
    fs::write(&model, &altered).unwrap();
    service.expect_health(503);
    assert_eq!(service.predict(&record).0, 200, "the model in memory still answers");

    // 7. restored
    fs::write(&model, &kept).unwrap();
    service.expect_health(200);
    let (_, again) = service.predict(&record);
    assert_eq!(again["probability"].as_f64().unwrap().to_bits(), probability.to_bits());
}

#[test]
fn a_signal_stops_the_service_cleanly() {
    let lab = Lab::example_that_ran();
    for name in ["-INT", "-TERM"] {
        let mut service = Service::start(&lab);
        service.expect_health(200);
        service.signal(name);
        let status = service.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{name}");
        assert!(TcpStream::connect(&service.address).is_err());
    }
}

#[test]
fn an_error_never_tells_an_internal_path() {
    let lab = Lab::example_that_ran();
    let service = Service::start(&lab);
    for (method, path, body, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/predict", "", 405),
        ("POST", "/predict", "{", 400),
        ("POST", "/predict", "{\"tenure_months\": NaN}", 400),
        ("POST", "/predict", "[[[[[[[[[[[[", 400),
        ("POST", "/predict", "7", 422),
    ] {
        let (found, answer) = service.request(method, path, body);
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        let told = answer.to_string();
        assert!(!told.contains(lab.path("").to_str().unwrap()) && !told.contains("src/"), "{told}");
    }
}

#[test]
fn a_port_in_use_is_told_with_a_way_out() {
    let lab = Lab::example_that_ran();
    let service = Service::start(&lab);
    let port = service.address.rsplit(':').next().unwrap();
    let ended = lab.call(&["serve", "--port", port]).expect(75);
    assert!(ended.err.contains("is in use"), "{}", ended.err);
}

#[test]
fn an_altered_package_is_not_served() {
    let lab = Lab::example_that_ran();
    let dir = lab.path("package");
    fs::create_dir(&dir).unwrap();
    for entry in fs::read_dir(lab.path("outputs/package/package")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
    }
    crate::lab::flip_byte(&dir.join("model.json"));
    lab.call(&["serve", "--port", "0", "--package", "package"]).expect(5).tells("model.json");
    fs::remove_file(dir.join("model.json")).unwrap();
    lab.call(&["serve", "--port", "0", "--package", "package"])
        .expect(4)
        .tells("the package in `package` cannot be served: package file 'model.json' is missing");
}
