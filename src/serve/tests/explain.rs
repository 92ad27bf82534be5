//! Tests of `?explain=true`: what each field adds, as the person sent it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{GOOD, Service, header, json_of};

fn explain(service: &Service, body: &str) -> (u16, Value) {
    let request = warp::test::request().method("POST").path("/predict?explain=true");
    let response = service.send(request.header("content-type", "application/json").body(body));
    (response.status().as_u16(), json_of(&response))
}

#[test]
fn each_field_has_a_part_and_they_add_up_to_the_log_odds() {
    let service = Service::new();
    let (status, answer) = explain(&service, GOOD);
    assert_eq!(status, 200, "{answer}");
    let explanation = &answer["explanation"];
    assert_eq!((&explanation["scale"], &explanation["base"]), (&json!("log_odds"), &json!(-0.25)));
    assert_eq!(explanation["calibrated"], false);
    let parts: BTreeMap<&str, f64> = explanation["contributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["field"].as_str().unwrap(), p["contribution"].as_f64().unwrap()))
        .collect();
    // By hand from the small model: coefficient times standardized value, and of the category its
    // own coefficient.
    let by_hand = [("age", 0.7 * -0.6), ("charge", -0.3 * 2.475), ("member", 0.2), ("plan", -0.6)];
    assert_eq!(parts.len(), by_hand.len());
    for (field, expected) in by_hand {
        assert!((parts[field] - expected).abs() < 1e-12, "{field}: {parts:?}");
    }
    let log_odds = -0.25 + parts.values().sum::<f64>();
    let p = answer["probability"].as_f64().unwrap();
    assert!((log_odds - libm::log(p / (1.0 - p))).abs() < 1e-12);
    assert_eq!(answer["probability"], service.post(GOOD).1["probability"]);
}

#[test]
fn only_who_asks_gets_an_explanation() {
    let (_, answer) = Service::new().post(GOOD);
    assert!(answer.get("explanation").is_none(), "{answer}");
}

#[test]
fn a_list_is_explained_as_far_as_it_is_short() {
    let service = Service::new();
    let list = |n: usize| format!("[{}]", vec![GOOD; n].join(","));
    let (status, answers) = explain(&service, &list(64));
    assert_eq!((status, answers.as_array().unwrap().len()), (200, 64));
    assert_eq!(answers[63]["explanation"], answers[0]["explanation"]);
    let (status, answer) = explain(&service, &list(65));
    assert_eq!((status, &answer["detail"][0]["type"]), (422, &json!("too_long")));
    assert_eq!(answer["detail"][0]["message"], "at most 64 records are explained at once");
    assert_eq!(answer["detail"][0]["ctx"]["actual_length"], 65);
}

#[test]
fn a_query_that_is_mistyped_is_not_passed_over() {
    let service = Service::new();
    for (query, kind, loc) in [
        ("explian=true", "extra_forbidden", "explian"),
        ("explain=please", "bool_parsing", "explain"),
    ] {
        let request = warp::test::request().method("POST").path(&format!("/predict?{query}"));
        let request = request.header("content-type", "application/json").body(GOOD);
        let response = service.send(request);
        assert_eq!(response.status(), 422);
        let entry = &json_of(&response)["detail"][0];
        assert_eq!((&entry["type"], &entry["loc"]), (&json!(kind), &json!(["query", loc])));
    }
}

#[test]
fn a_refusal_may_be_a_problem_of_the_rfc() {
    let service = Service::new();
    let request = warp::test::request().method("POST").path("/predict");
    let request = request
        .header("content-type", "application/json")
        .header("accept", "application/json, application/problem+json;q=0.9")
        .header("x-request-id", "r-7")
        .body(super::with("age", "0"));
    let response = service.send(request);
    assert_eq!(response.status(), 422);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let problem: Value = serde_json::from_slice(response.body()).unwrap();
    let told = "field 'age' must be between 1 and 72";
    let expected = json!({
        "type": "/problems/validation", "title": "Validation failed", "status": 422,
        "detail": told, "instance": "urn:request:r-7",
        "errors": [{
            "pointer": "#/age", "detail": told, "code": "greater_than_equal",
            "valid_range": [1, 72],
        }],
        "model_version": service.state.served().version(),
    });
    assert_eq!(problem, expected);
}
