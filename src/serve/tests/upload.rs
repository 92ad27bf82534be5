//! Tests of Parquet as a body and as an answer: the same rows, the same answers.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use warp::http::Response as HttpResponse;
use warp::hyper::body::Bytes;

use super::{GOOD, Service, header, json_of};
use crate::ml::records::Records;
use crate::serve::limits::Limits;
use crate::serve::state::Options;

const PARQUET: &str = "application/vnd.apache.parquet";
const LINES: &str = "application/x-ndjson";

/// The three rows of a file of the corpus, as JSON lines.
const ROWS: &str = r#"{"age":24,"charge":99.5,"member":true,"plan":"gold"}
{"age":99,"charge":null,"member":false,"plan":"basic"}
{"age":7,"charge":1.5,"member":true,"plan":"plus"}
"#;

/// The body of a request of the corpus.
fn body(name: &str) -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/request");
    let bytes = fs::read(format!("{dir}/{name}")).unwrap();
    let head = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
    bytes[head + 2..].to_vec()
}

fn send(service: &Service, media_type: &str, accept: &str, body: &[u8]) -> HttpResponse<Bytes> {
    let request = warp::test::request().method("POST").path("/predict/batch");
    let request = request.header("content-type", media_type).header("accept", accept);
    service.send(request.body(body))
}

/// The lines of a Parquet file of answers.
fn lines(response: &HttpResponse<Bytes>) -> Vec<Value> {
    assert_eq!((response.status().as_u16(), header(response, "content-type")), (200, PARQUET));
    let mut records = Records::of_parquet(response.body().to_vec(), 1 << 24).unwrap();
    let mut text = Vec::new();
    while records.next_line(&mut text) {}
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn a_parquet_file_is_answered_as_its_rows_are_in_json_lines() {
    let service = Service::new();
    let expected = send(&service, LINES, "*/*", ROWS.as_bytes());
    assert_eq!(std::str::from_utf8(expected.body()).unwrap().lines().count(), 3);
    for (name, accept) in
        [("200-batch-parquet", "*/*"), ("200-batch-parquet-zstd-to-parquet", "application/json")]
    {
        let answer = send(&service, PARQUET, accept, &body(name));
        assert_eq!(answer.body(), expected.body(), "{name}");
        assert_eq!(header(&answer, "content-type"), LINES);
    }
    let answer = send(&service, "Application/X-Parquet", "text/csv", &body("200-batch-parquet"));
    let as_csv = send(&service, LINES, "text/csv", ROWS.as_bytes());
    assert_eq!(answer.body(), as_csv.body());
    assert_eq!(send(&service, PARQUET, "*/*", &body("200-batch-parquet-no-rows")).body(), "");
}

#[test]
fn answers_may_be_parquet_and_have_the_same_bits() {
    let service = Service::new();
    let (csv, rows) =
        ("plan,age,charge,member\ngold,24,99.5,true\nbasic,99,,false\nplus,7,1.5,true\n", ROWS);
    let told = send(&service, LINES, "*/*", rows.as_bytes());
    let told: Vec<Value> = std::str::from_utf8(told.body())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let parquet = body("200-batch-parquet");
    for (media_type, body) in
        [(LINES, rows.as_bytes()), ("text/csv", csv.as_bytes()), (PARQUET, &parquet)]
    {
        let answers = lines(&send(&service, media_type, PARQUET, body));
        assert_eq!(answers.len(), 3);
        for (answer, told) in answers.iter().zip(&told) {
            assert_eq!(answer["row"], told["row"]);
            let of = |name: &str| told.get(name).cloned().unwrap_or_default();
            assert_eq!(answer["prediction"], of("prediction"));
            assert_eq!(answer["probability"], of("probability"));
            assert_eq!(answer["model_version"], of("model_version"));
            assert_eq!(
                answer["error"],
                of("errors")[0].get("message").cloned().unwrap_or_default()
            );
        }
    }
    assert!(lines(&send(&service, LINES, PARQUET, b"")).is_empty(), "a file without rows is one");
}

#[test]
fn what_a_table_lacks_is_told_once() {
    let response = send(&Service::new(), PARQUET, "*/*", &body("422-batch-parquet-columns"));
    assert_eq!(response.status(), 422);
    let answer = json_of(&response);
    let entries = answer["detail"].as_array().unwrap();
    let told: Vec<_> = entries.iter().map(|e| (e["type"].clone(), e["loc"][1].clone())).collect();
    assert_eq!(told, [(json!("extra_forbidden"), json!("zip")), (json!("missing"), json!("plan"))]);
}

#[test]
fn a_file_that_is_none_is_told_in_a_sentence() {
    for (body, words) in [
        (body("400-batch-parquet-cut"), "damaged"),
        (body("400-batch-parquet-nested"), "column `age` holds lists"),
        (GOOD.as_bytes().to_vec(), "its first bytes are not `PAR1`"),
        (b"PAR1".to_vec(), "damaged"),
        (Vec::new(), "not a Parquet file"),
    ] {
        let response = send(&Service::new(), PARQUET, "*/*", &body);
        assert_eq!(response.status(), 400);
        let entry = json_of(&response)["detail"][0].clone();
        assert_eq!(entry["type"], "parquet_invalid");
        assert!(entry["message"].as_str().unwrap().contains(words), "{entry}");
    }
}

#[test]
fn a_file_is_as_large_as_the_limit_lets_it_be() {
    let body = body("200-batch-parquet");
    for (max_table_bytes, status) in [(body.len(), 200), (body.len() - 1, 413)] {
        let limits = Limits { max_table_bytes, ..Limits::default() };
        // What a request may have is no limit to it, but to each of its rows.
        let options = Options { limits, max_body_bytes: 200, ..Options::default() };
        assert_eq!(send(&Service::with(options), PARQUET, "*/*", &body).status(), status);
    }
}

#[test]
fn only_so_many_files_are_held_at_once() {
    let service = Service::new();
    let tables = Arc::clone(&service.state.tables);
    let held = tables.try_acquire_many(tables.available_permits() as u32).unwrap();
    let response = send(&service, PARQUET, "*/*", &body("200-batch-parquet"));
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "1"));
    assert_eq!(json_of(&response)["detail"][0]["type"], "overloaded");
    assert_eq!(send(&service, LINES, "*/*", GOOD.as_bytes()).status(), 200, "a stream is none");
    drop(held);
    for _ in 0..5 {
        // Each gives back what it held.
        assert_eq!(send(&service, PARQUET, "*/*", &body("200-batch-parquet")).status(), 200);
        assert_eq!(send(&service, PARQUET, "*/*", b"PAR1").status(), 400);
    }
}

#[test]
fn parquet_has_no_place_for_explanations() {
    let request = warp::test::request().method("POST").path("/predict/batch?explain=true");
    let request = request.header("content-type", LINES).header("accept", PARQUET);
    let response = Service::new().send(request.body(GOOD));
    assert_eq!(response.status(), 422);
    let request = warp::test::request().method("POST").path("/predict/batch?explain=true");
    let request = request.header("content-type", PARQUET).body(body("200-batch-parquet"));
    let answer = Service::new().send(request);
    let first = std::str::from_utf8(answer.body()).unwrap().lines().next().unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    assert!(first["explanation"]["base"].is_number(), "{first}");
}
