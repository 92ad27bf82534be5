//! Tests of the routes: paths, methods, headers, and what is not a prediction.

use serde_json::json;

use super::{GOOD, Service, header, json_of};
use crate::serve::state::Options;

#[test]
fn the_content_type_must_be_json() {
    let service = Service::new();
    let send = |ty: Option<&str>| {
        let request = warp::test::request().method("POST").path("/predict").body(GOOD);
        let request = match ty {
            Some(ty) => request.header("content-type", ty),
            None => request,
        };
        service.send(request).status().as_u16()
    };
    let accepted = [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
        "application/json; profile=x; charset=utf8",
    ];
    for ty in accepted {
        assert_eq!(send(Some(ty)), 200, "{ty}");
    }
    for ty in
        ["text/plain", "application/jsonp", "application/json; charset=utf-16", "text/csv", ""]
    {
        assert_eq!(send(Some(ty)), 415, "{ty}");
    }
    assert_eq!(send(None), 415);
}

#[test]
fn a_body_above_the_limit_is_refused() {
    let service = Service::with(Options { max_body_bytes: 100, ..Options::default() });
    assert_eq!(service.post(GOOD).0, 200);
    let (status, answer) = service.post(format!("{GOOD}{}", " ".repeat(100)));
    assert_eq!(status, 413);
    assert_eq!(answer["detail"][0]["ctx"], json!({"max_bytes": 100}));
}

#[test]
fn paths_and_methods_have_their_own_answers() {
    let service = Service::new();
    for path in ["/nothing", "/predict/", "/predict/x", "/health/", "/%2e%2e/etc/passwd"] {
        let response = service.get(path);
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(json_of(&response)["detail"][0]["type"], "not_found");
    }
    let response = service.get("/predict");
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, "OPTIONS, POST"));
    assert_eq!(json_of(&response)["status"], 405);
    let response = service.send(warp::test::request().method("DELETE").path("/health"));
    assert_eq!(response.status(), 405);
    assert_eq!(header(&response, "allow"), "GET, HEAD, OPTIONS");
    let response = service.send(warp::test::request().method("OPTIONS").path("/predict"));
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (204, "OPTIONS, POST"));
    let head = service.send(warp::test::request().method("HEAD").path("/openapi.json"));
    let get = service.get("/openapi.json");
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(header(&head, "content-length"), get.body().len().to_string());
}

#[test]
fn a_request_id_is_repeated_or_made() {
    let service = Service::new();
    let send = |id: &str| {
        let request = warp::test::request().path("/health/live").header("x-request-id", id);
        header(&service.send(request), "x-request-id").to_owned()
    };
    assert_eq!(send("abc-123"), "abc-123");
    for id in ["a b", &"x".repeat(129), "<script>"] {
        assert!(send(id).len() < 30, "{id}");
    }
    assert_ne!(send("?"), send("?"));
    let response = service.get("/nothing");
    assert_eq!(json_of(&response)["request_id"], header(&response, "x-request-id"));
}

#[test]
fn health_tells_every_check() {
    let service = Service::new();
    let response = service.get("/health");
    let report = json_of(&response);
    assert_eq!((response.status().as_u16(), &report["status"]), (200, &json!("pass")));
    assert_eq!(report["checks"]["package:files"].as_array().unwrap().len(), 7);
    assert_eq!(report["checks"]["model:reference"][0]["observedValue"], 3);
    service.state.start_draining();
    let response = service.get("/health/ready");
    assert_eq!(response.status(), 503);
    assert_eq!(json_of(&response)["output"], "the service is stopping");
    assert_eq!(service.get("/health/live").status(), 200);
}

#[test]
fn openapi_is_made_from_the_package() {
    let document = json_of(&Service::new().get("/openapi.json"));
    assert_eq!(document["openapi"], "3.1.0");
    let record = &document["components"]["schemas"]["Record"];
    assert_eq!(record["required"], json!(["age", "charge", "member", "plan"]));
    let age = json!({"type": "integer", "minimum": 1, "maximum": 72, "examples": [24]});
    assert_eq!(record["properties"]["age"], age);
    assert_eq!(record["properties"]["charge"]["type"], json!(["number", "null"]));
    assert_eq!(record["properties"]["plan"]["enum"], json!(["basic", "gold", "plus"]));
}

#[test]
fn the_page_asks_nobody_else() {
    let response = Service::new().get("/");
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"));
    let page = std::str::from_utf8(response.body()).unwrap();
    assert!(page.contains("\"name\":\"a small model\"") && !page.contains("{{"));
    for link in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(link), "{link}");
    }
}
