//! Tests of who is let in, over a real socket: keys, rates, and pages of other origins.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::GOOD;
use super::socket::{Running, head};
use crate::ml::package::tests::small_package;
use crate::serve::{Access, Cors, Keys, NewKey, Options};

fn keyed(open: &[&str]) -> (Access, NewKey) {
    let key = NewKey::make("nightly", None).unwrap();
    let keys = Keys::open(None, &key.line).unwrap();
    let open = open.iter().map(|path| (*path).to_owned()).collect();
    (Access::default().with_keys(keys, open), key)
}

fn with(access: Access) -> Options {
    Options { access, ..Options::default() }
}

/// An answer, taken apart.
struct Told {
    status: u16,
    head: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&*prefix))
    }
}

/// Asks with more headers, each ended by CR LF.
fn ask(service: &Running, method: &str, path: &str, more: &str) -> Told {
    let mut stream = service.connect();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    told(stream)
}

fn predict(service: &Running, more: &str) -> Told {
    let mut stream = service.connect();
    let head = head(GOOD.len()).replacen("\r\n", &format!("\r\n{more}"), 1);
    stream.write_all(format!("{head}{GOOD}").as_bytes()).unwrap();
    told(stream)
}

fn told(mut stream: std::net::TcpStream) -> Told {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Told { status, head: head.to_owned(), body: body.to_owned() }
}

#[test]
fn who_shows_no_key_that_holds_is_told_no_more_than_that_in_the_tongue_of_the_path() {
    let dir = small_package();
    let (access, key) = keyed(&[]);
    let service = Running::start(dir.path(), with(access));
    let good = format!("authorization: Bearer {}\r\n", key.token);
    let other = format!("x-api-key: {}\r\n", key.token);
    for more in [&good, &other] {
        assert_eq!(predict(&service, more).status, 200);
        assert_eq!(ask(&service, "GET", "/health", more).status, 200);
    }
    let mut bodies = Vec::new();
    let wrong = format!("x-api-key: {}0\r\n", key.token);
    for more in ["", "authorization: Basic x\r\n", &wrong, &format!("{good}{other}")] {
        let refused = predict(&service, &format!("x-request-id: r\r\n{more}"));
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
        assert!(!refused.body.contains(&key.token), "{}", refused.body);
        bodies.push(refused.json());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["detail"][0]["type"], "unauthorized");
    // Also where there is nothing, or another method.
    for (method, path) in [("GET", "/nothing"), ("GET", "/predict"), ("OPTIONS", "/predict")] {
        assert_eq!(ask(&service, method, path, "").status, 401, "{method} {path}");
    }
    assert_eq!(ask(&service, "GET", "/nothing", &good).status, 404);

    let problem = ask(&service, "GET", "/health", "accept: application/problem+json\r\n");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        (problem.status, problem.json()["type"].clone()),
        (401, json!("/problems/unauthorized"))
    );
    assert!(ask(&service, "GET", "/v2", "").json()["error"].is_string());
    let mlflow = ask(&service, "GET", "/version", "").json();
    assert_eq!(mlflow["error_code"], "UNAUTHENTICATED");
    assert_eq!(ask(&service, "HEAD", "/health", "").body, "");
}

#[test]
fn a_probe_without_a_key_is_told_the_status_and_one_with_a_key_the_reasons() {
    let dir = small_package();
    let (access, key) = keyed(&["/metrics"]);
    let service = Running::start(dir.path(), with(access));
    let good = format!("x-api-key: {}\r\n", key.token);
    assert_eq!(ask(&service, "GET", "/health/ready", "").json(), json!({ "status": "pass" }));
    std::fs::remove_file(dir.path().join("model.json")).unwrap();
    for path in ["/health/ready", "/ping"] {
        let brief = ask(&service, "GET", path, "");
        assert_eq!((brief.status, brief.json()), (503, json!({ "status": "fail" })), "{path}");
        assert!(brief.header("x-request-id").is_some());
        let whole = ask(&service, "GET", path, &good);
        assert_eq!(whole.status, 503);
        assert!(whole.body.contains("model.json"), "{}", whole.body);
        assert_eq!(ask(&service, "POST", path, "content-length: 0\r\n").status, 405);
    }
    assert_eq!(ask(&service, "GET", "/health/live", "").json(), json!({ "status": "pass" }));
    assert_eq!(ask(&service, "GET", "/v2/health/ready", "").json(), json!({ "ready": false }));
    assert_eq!(ask(&service, "GET", "/health", "").status, 401);

    assert_eq!(predict(&service, &good).status, 200);
    let metrics = ask(&service, "GET", "/metrics", "").body;
    // The two reports are not counted: who watches a service does not use it.
    assert!(metrics.contains("key_requests_total{key=\"nightly\"} 1\n"), "{metrics}");
    assert!(metrics.contains("key_limited_total{key=\"nightly\"} 0\n"), "{metrics}");
    assert!(!metrics.contains(&key.token) && !metrics.contains(&key.line[8..]), "{metrics}");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again_and_probes_never_do() {
    let dir = small_package();
    let access = Access::default().with_rate("2/h".parse().unwrap());
    let service = Running::start(dir.path(), with(access));
    for left in [1, 0] {
        let answer = predict(&service, "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=2;w=3600"));
        let state = answer.header("ratelimit").unwrap();
        assert!(state.starts_with(&format!("\"default\";r={left};t=")), "{state}");
    }
    let refused = predict(&service, "");
    assert_eq!(refused.status, 429);
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1700..=1800).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("ratelimit"), Some(&*format!("\"default\";r=0;t={seconds}")));
    let entry = &refused.json()["detail"][0];
    assert_eq!(entry["type"], "rate_limited");
    assert_eq!(entry["message"], format!("more requests than 2/h; try again in {seconds} seconds"));
    for path in ["/health", "/health/ready", "/health/live", "/metrics", "/ping"] {
        let answer = ask(&service, "GET", path, "");
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{path}");
    }
    let mlflow = ask(&service, "GET", "/version", "");
    assert_eq!(
        (mlflow.status, mlflow.json()["error_code"].clone()),
        (429, json!("RESOURCE_EXHAUSTED"))
    );
}

#[test]
fn a_page_of_a_listed_origin_may_ask_and_read_with_a_key_and_no_other_page() {
    let dir = small_package();
    let (access, key) = keyed(&[]);
    let origin = "https://example.org";
    let cors = Cors::new(&[origin.to_owned()]).unwrap();
    let service = Running::start(dir.path(), with(access.with_cors(cors)));
    let asks = "access-control-request-method: POST\r\n\
                access-control-request-headers: content-type,x-api-key\r\n";
    let preflight =
        |origin: &str| ask(&service, "OPTIONS", "/predict", &format!("origin: {origin}\r\n{asks}"));
    let allowed = preflight(origin);
    assert_eq!((allowed.status, allowed.body.as_str()), (204, ""));
    assert_eq!(allowed.header("access-control-allow-origin"), Some(origin));
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(["content-type", "x-api-key", "authorization"].iter().all(|h| headers.contains(h)));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("POST"));
    assert_eq!(allowed.header("vary"), Some("origin"));
    let other = preflight("https://example.org.evil.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (204, None));
    assert_eq!(other.header("access-control-allow-methods"), None);
    assert_eq!(other.header("vary"), Some("origin"), "a cache keeps them apart");

    let good = format!("origin: {origin}\r\nx-api-key: {}\r\n", key.token);
    let answer = predict(&service, &good);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let refused = predict(&service, &format!("origin: {origin}\r\n"));
    assert_eq!(refused.status, 401, "the question needs no key, the request does");
    assert_eq!(refused.header("access-control-allow-origin"), Some(origin), "and why can be read");
    // What is no question of a browser's needs a key.
    assert_eq!(ask(&service, "OPTIONS", "/predict", asks).status, 401);
}

#[test]
fn every_origin_may_be_allowed_and_none_is_unless_it_is_set() {
    let dir = small_package();
    let cors = Cors::new(&["*".to_owned()]).unwrap();
    let service = Running::start(dir.path(), with(Access::default().with_cors(cors)));
    let answer = predict(&service, "origin: null\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("vary"), None);
    assert_eq!(predict(&service, "").header("access-control-allow-origin"), None);
    let closed = Running::start(dir.path(), Options::default());
    let asks = "origin: https://example.org\r\naccess-control-request-method: POST\r\n";
    let answer = ask(&closed, "OPTIONS", "/predict", asks);
    assert_eq!((answer.status, answer.header("allow")), (204, Some("OPTIONS, POST")));
    assert!(!answer.head.contains("access-control") && !answer.head.contains("vary"));
}

#[test]
fn the_page_keeps_itself_apart_from_others() {
    let dir = small_package();
    let service = Running::start(dir.path(), Options::default());
    let page = ask(&service, "GET", "/", "");
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}
