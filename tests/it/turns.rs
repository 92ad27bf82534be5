//! Two models that take turns in production, and all that each answers.
//!
//! What each answers to each record is known from `pipeline predict`, bit by bit, so that an answer
//! made by parts of both would be found.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::small;

/// The two that take turns, whose predictions differ.
pub(crate) const LEARNERS: [&str; 2] = ["logistic_regression", "decision_tree"];

/// The small project with a service.
pub(crate) fn project() -> Lab {
    let lab = small::project();
    let pipeline = lab.read("pipeline.toml");
    let pipeline = pipeline.replacen("stages = [", "stages = [\"serve\", ", 1)
        + "[stage.serve]\nkind = \"serve\"\n\
           inputs = { package = \"package_logistic_regression.package\" }\n\
           params = { port = 0 }\n";
    lab.write("pipeline.toml", &pipeline);
    lab
}

/// The words that promote the newest package of a learner.
pub(crate) fn promote_args(learner: &str) -> [String; 6] {
    let stage = format!("package_{learner}");
    let words = ["promote", "--stage", &stage, "--force", "--reason", "a drill"];
    words.map(str::to_owned)
}

/// Promotes it.
pub(crate) fn promote(lab: &Lab, learner: &str) {
    let args = promote_args(learner);
    lab.call(&args.each_ref().map(String::as_str)).expect(0).tells("takes it up by itself");
}

/// Some records that are right.
fn records() -> Vec<Value> {
    let record = |i: u64| {
        let plan = ["basic", "gold", "plus"][i as usize % 3];
        let (age, charge) = (5 + 7 * i, 3.25 + 11.5 * i as f64);
        json!({"age": age, "charge": charge, "member": i.is_multiple_of(2), "plan": plan})
    };
    (0..8).map(record).collect()
}

/// What each version answers to each record.
pub(crate) type Known = BTreeMap<String, Vec<f64>>;

/// That, and the versions of the two.
pub(crate) fn known(lab: &Lab) -> (Known, [String; 2]) {
    let lines: Vec<String> = records().iter().map(Value::to_string).collect();
    lab.write("records.jsonl", &lines.join("\n"));
    let mut known = Known::new();
    let versions = LEARNERS.map(|learner| {
        let package = small::package(learner);
        let said = lab.call(&["predict", "records.jsonl", "--package", &package]).expect(0).out;
        let answers: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let version = answers[0]["model_version"].as_str().unwrap().to_owned();
        let of = |answer: &Value| answer["probability"].as_f64().unwrap();
        known.insert(version.clone(), answers.iter().map(of).collect());
        version
    });
    let [a, b] = versions.each_ref().map(|version| &known[version]);
    assert!(a.iter().zip(b).all(|(a, b)| a != b), "the models cannot be told apart");
    (known, versions)
}

/// The version that an answer says, if all of it is that version's, bit by bit.
#[track_caller]
pub(crate) fn version_of(answers: &[(usize, Value)], known: &Known) -> String {
    let version = answers[0].1["model_version"].as_str().unwrap();
    for (record, answer) in answers {
        assert_eq!(answer["model_version"], version, "one request, two versions: {answers:?}");
        let probability = answer["probability"].as_f64().unwrap();
        assert_eq!(probability.to_bits(), known[version][*record].to_bits(), "{answer}");
    }
    version.to_owned()
}

/// Sends a request and returns the status and the body.
pub(crate) fn send(
    mut stream: impl Read + Write,
    line: &str,
    headers: &[&str],
    body: &str,
) -> (u16, String) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A request by one of the ways to a prediction; what it answers to which record.
pub(crate) fn ask(address: &str, turn: usize) -> Vec<(usize, Value)> {
    let records = records();
    let connect = || TcpStream::connect(address).unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (from, json) = (turn % records.len(), ["content-type: application/json"]);
    match turn % 3 {
        0 => {
            let body = records[from].to_string();
            let (status, body) = send(connect(), "POST /predict", &json, &body);
            assert_eq!(status, 200, "{body}");
            vec![(from, read(&body))]
        }
        1 => {
            let body = json!({ "dataframe_records": records }).to_string();
            let (status, body) = send(connect(), "POST /invocations", &json, &body);
            assert_eq!(status, 200, "{body}");
            let answers = read(&body)["predictions"].as_array().unwrap().clone();
            answers.into_iter().enumerate().collect()
        }
        _ => {
            // A batch whose second half comes later: a swap may fall in between.
            let mut stream = connect();
            let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
            let length: usize = lines.iter().map(String::len).sum();
            let head = format!(
                "POST /predict/batch HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
                 content-type: application/x-ndjson\r\ncontent-length: {length}\r\n\r\n"
            );
            let (first, second) = lines.split_at(4);
            stream.write_all((head + &first.concat()).as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(30));
            stream.write_all(second.concat().as_bytes()).unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
            let answers =
                reply.lines().filter_map(|line| line.find("{\"row\"").map(|at| &line[at..]));
            let answers: Vec<_> = answers.map(read).enumerate().collect();
            assert_eq!(answers.len(), records.len(), "{reply}");
            answers
        }
    }
}
