//! Whatever is sent to whatever path: an answer that the OpenAPI document lists, of a bounded size.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use warp::http::Response as HttpResponse;
use warp::hyper::body::Bytes;

use super::{GOOD, Service};
use crate::serve::routes::api;

const PATHS: [&str; 8] = [
    "/predict",
    "/predict?explain=true",
    "/predict/batch",
    "/predict/batch?explain=1",
    "/invocations",
    "/v2/models/a%20small%20model/infer",
    "/predict?explain=maybe",
    "/v2/models/a%20small%20model",
];

const TYPES: [&str; 4] =
    ["application/json", "application/x-ndjson", "text/csv", "application/octet-stream"];

const ACCEPTS: [&str; 3] = ["*/*", "text/csv", "application/problem+json"];

/// Bodies that are right somewhere.
const SEEDS: [&str; 6] = [
    GOOD,
    "plan,age,charge,member\ngold,24,99.5,true\nbasic,1,,false\n",
    r#"{"dataframe_split": {"columns": ["plan", "age", "charge", "member"],
        "data": [["gold", 24, 99.5, true]]}}"#,
    r#"{"instances": [[24, 99.5, true, "gold"]], "params": {"predict_method": "predict"}}"#,
    r#"{"id": "1", "inputs": [
        {"name": "plan", "shape": [1, 1], "datatype": "BYTES", "data": ["gold"]},
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [24]},
        {"name": "charge", "shape": [1, 1], "datatype": "FP64", "data": [[99.5]]},
        {"name": "member", "shape": [1, 1], "datatype": "BOOL", "data": [true]}]}"#,
    r#"{"inputs": {"age": [1, 2], "charge": [1, null], "member": [true, false]}}"#,
];

/// What is put into a body to break it.
const TOKENS: [&str; 14] = [
    "\"", "{", "}", "[", "]", ",", "\\ud800", "1e400", "null", "-1", "\n", "\u{0}", "true",
    "\u{feff}",
];

/// A seed with a few changes: bytes that differ, tokens that are inserted, an end that is missing.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..TOKENS.len(), 0..4_u8);
    let changes = prop::collection::vec(change, 0..6);
    let seed = prop::sample::select(SEEDS.to_vec());
    let changed = (seed, 1..4_usize, changes).prop_map(|(seed, times, changes)| {
        let mut bytes = vec![seed; times].join("\n").into_bytes();
        for (at, byte, token, what) in changes {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => drop(bytes.splice(at..at, TOKENS[token].bytes())),
            }
        }
        bytes
    });
    prop_oneof![9 => changed, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

struct Asked {
    service: Service,
    runtime: tokio::runtime::Runtime,
    openapi: Value,
}

impl Asked {
    fn new() -> Asked {
        let service = Service::new();
        let openapi =
            serde_json::from_slice(service.state.served().openapi(&service.state.options)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Asked { service, runtime, openapi }
    }

    fn send(&self, path: &str, types: (&str, &str), body: &[u8]) -> HttpResponse<Bytes> {
        let request = warp::test::request().method("POST").path(path);
        let request = request.header("content-type", types.0).header("accept", types.1).body(body);
        self.runtime.block_on(request.reply(&api(Arc::clone(&self.service.state))))
    }

    /// Whether the document says that a path answers with a status.
    fn is_documented(&self, path: &str, status: &str) -> bool {
        let path = path.split('?').next().unwrap();
        let post = &self.openapi["paths"][path]["post"];
        if post.is_null() { status == "405" } else { post["responses"].get(status).is_some() }
    }
}

thread_local! {
    static ASKED: Asked = Asked::new();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_request_has_a_documented_and_bounded_answer(
        path in prop::sample::select(PATHS.to_vec()),
        media_type in prop::sample::select(TYPES.to_vec()),
        accept in prop::sample::select(ACCEPTS.to_vec()),
        body in body(),
    ) {
        let response = ASKED.with(|asked| {
            let response = asked.send(path, (media_type, accept), &body);
            let status = response.status();
            assert!(asked.is_documented(path, status.as_str()), "{path}: {status}");
            response
        });
        prop_assert_ne!(response.status().as_u16(), 500);
        let len = response.body().len();
        prop_assert!(len < (40 << 10) + 20 * body.len(), "{} bytes for {}", len, body.len());
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = std::str::from_utf8(response.body()).unwrap();
        if content_type.ends_with("json") && !content_type.ends_with("ndjson") {
            prop_assert!(serde_json::from_str::<Value>(text).is_ok(), "{}", text);
        }
        if content_type.ends_with("ndjson") {
            let are_json = text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
            prop_assert!(are_json, "{}", text);
        }
    }
}

#[test]
fn the_seeds_are_right_somewhere() {
    ASKED.with(|asked| {
        for seed in &SEEDS[..5] {
            let is_taken = |path: &&str| {
                TYPES.iter().any(|ty| {
                    let response = asked.send(path, (ty, "*/*"), seed.as_bytes());
                    let text = String::from_utf8_lossy(response.body()).into_owned();
                    response.status() == 200 && !text.contains("errors")
                })
            };
            assert!(PATHS.iter().any(is_taken), "{seed}");
        }
    });
}
