//! Tests of the service: a small package, and requests without a socket (but for
//! `access`, `socket`, `hostile` and `drain`).

mod access;
mod batch;
mod doors;
mod drain;
mod drift;
mod explain;
mod fuzz;
mod hostile;
mod numbers;
mod policy;
mod predictions;
mod routes;
mod socket;
mod strictness;
mod swap;
mod transforms_tests;
mod upload;

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use warp::http::Response as HttpResponse;
use warp::hyper::body::Bytes;

use super::routes::api;
use super::state::{Options, State};
use crate::ml::package::Package;
use crate::ml::package::tests::small_package;

const GOOD: &str = r#"{"age": 24, "charge": 99.5, "member": true, "plan": "gold"}"#;

/// A service over the small package, which lives as long as it.
struct Service {
    state: Arc<State>,
    _dir: TempDir,
}

impl Service {
    fn new() -> Service {
        Service::with(Options::default())
    }

    fn with(options: Options) -> Service {
        Service::over(small_package(), options)
    }

    /// A service over a package in a directory.
    fn over(dir: TempDir, options: Options) -> Service {
        let package = Package::load(dir.path()).unwrap();
        let state = Arc::new(State::new(package, dir.path().to_owned(), None, options));
        Service { state, _dir: dir }
    }

    fn send(&self, request: warp::test::RequestBuilder) -> HttpResponse<Bytes> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(request.reply(&api(Arc::clone(&self.state))))
    }

    fn get(&self, path: &str) -> HttpResponse<Bytes> {
        self.send(warp::test::request().path(path))
    }

    fn post(&self, body: impl AsRef<[u8]>) -> (u16, Value) {
        let request = warp::test::request().method("POST").path("/predict");
        let response = self.send(request.header("content-type", "application/json").body(body));
        (response.status().as_u16(), json_of(&response))
    }
}

fn json_of(response: &HttpResponse<Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

fn header<'r>(response: &'r HttpResponse<Bytes>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The good record with one field replaced by a "application/json" text.
fn with(field: &str, value: &str) -> String {
    let mut record: Value = serde_json::from_str(GOOD).unwrap();
    record[field] = json!("SLOT");
    record.to_string().replace("\"SLOT\"", value)
}

/// Posts and returns status, and `type` and `loc` of every entry.
#[track_caller]
fn check(body: impl AsRef<[u8]>, status: u16, expected: &[(&str, Value)]) -> Value {
    let (got, answer) = Service::new().post(body);
    let entries = answer["detail"].as_array().cloned().unwrap_or_default();
    let found: Vec<_> = entries.iter().map(|e| (e["type"].clone(), e["loc"].clone())).collect();
    let expected: Vec<_> = expected.iter().map(|(kind, loc)| (json!(kind), loc.clone())).collect();
    assert_eq!((got, found), (status, expected), "{answer}");
    answer
}

fn field(name: &str) -> Value {
    json!(["body", name])
}
