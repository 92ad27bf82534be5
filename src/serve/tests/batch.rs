//! Tests of `/predict/batch`: one answer per record, whatever the others are.

use serde_json::{Value, json};
use warp::http::Response as HttpResponse;
use warp::hyper::body::Bytes;

use super::{GOOD, Service, header, json_of, with};
use crate::serve::policy::{Extra, Policy};
use crate::serve::state::Options;

const JSON_LINES: &str = "application/x-ndjson";
const CSV_BODY: &str = "plan,age,charge,member\r\ngold,24,99.5,true\r\nbasic,99,,False\n\
                        \"plus\",\"7\",\"1.5\",TRUE";

fn send(service: &Service, media_type: &str, accept: &str, body: &str) -> HttpResponse<Bytes> {
    let request = warp::test::request().method("POST").path("/predict/batch");
    let request = request.header("content-type", media_type).header("accept", accept);
    service.send(request.body(body))
}

fn lines(response: &HttpResponse<Bytes>) -> Vec<Value> {
    assert_eq!(response.status(), 200, "{response:?}");
    assert_eq!(header(response, "content-type"), JSON_LINES);
    let text = std::str::from_utf8(response.body()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_bad_record_has_its_own_answer_and_the_others_have_theirs() {
    let service = Service::new();
    let one_line = |text: String| text.replace('\n', " ");
    let body = [
        GOOD.to_owned(),
        one_line(with("age", "0")),
        "not json".to_owned(),
        String::new(),
        "[1]".to_owned(),
        GOOD.to_owned(),
    ];
    let answers = lines(&send(&service, JSON_LINES, "*/*", &body.join("\n")));
    let good = service.post(GOOD).1;
    let rows: Vec<_> = answers.iter().map(|answer| answer["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [1, 2, 3, 4, 5]);
    for row in [0, 4] {
        assert_eq!(answers[row]["probability"], good["probability"]);
        assert_eq!(answers[row]["model_version"], good["model_version"]);
    }
    let kind = |row: usize| &answers[row]["errors"][0]["type"];
    assert_eq!(
        [kind(1), kind(2), kind(3)],
        ["greater_than_equal", "json_invalid", "model_attributes_type"]
    );
    assert_eq!(answers[1]["errors"][0]["message"], "field 'age' must be between 1 and 72");
}

#[test]
fn csv_is_read_as_tables_are_and_by_the_names_of_its_columns() {
    let service = Service::new();
    let answers = lines(&send(&service, "text/csv", "*/*", CSV_BODY));
    assert_eq!(answers[0]["probability"], service.post(GOOD).1["probability"]);
    assert_eq!(answers[1]["errors"][0]["type"], "less_than_equal");
    let third = r#"{"age": 7, "charge": 1.5, "member": true, "plan": "plus"}"#;
    assert_eq!(answers[2]["probability"], service.post(third).1["probability"]);
}

#[test]
fn answers_may_be_csv() {
    let service = Service::new();
    let response = send(&service, "text/csv", "text/csv", CSV_BODY);
    assert_eq!(header(&response, "content-type"), "text/csv; charset=utf-8");
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    let served = service.state.served();
    let version = served.version();
    let expected = format!(
        "row,prediction,probability,model_version,error,warning\r\n\
         1,false,0.14033624949008322,{version},,\r\n\
         2,,,,field 'age' must be between 1 and 72,\r\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn a_header_that_is_wrong_is_told_before_any_answer() {
    let service = Service::new();
    for (body, kinds) in [
        ("age,charge,member\n1,2,true\n", vec!["missing"]),
        ("age,age,charge,member,zip\n", vec!["duplicate_key", "extra_forbidden", "missing"]),
    ] {
        let response = send(&service, "text/csv", "*/*", body);
        assert_eq!(response.status(), 422);
        let answer = json_of(&response);
        let entries = answer["detail"].as_array().unwrap();
        let found: Vec<_> = entries.iter().map(|entry| entry["type"].clone()).collect();
        assert_eq!(found, kinds.iter().map(|kind| json!(kind)).collect::<Vec<_>>());
    }
    for body in ["", "\n\n", "a\"b,c\n"] {
        assert_eq!(send(&service, "text/csv", "*/*", body).status(), 400, "{body}");
    }
}

#[test]
fn columns_that_the_model_does_not_know_may_be_passed_over() {
    let policy = Policy { extra: Extra::Ignore, ..Policy::default() };
    let service = Service::with(Options { policy, ..Options::default() });
    let body = "id,plan,age,charge,member\n\"a,b\",gold,24,99.5,true\n";
    let answers = lines(&send(&service, "text/csv", "*/*", body));
    assert_eq!(answers[0]["probability"], service.post(GOOD).1["probability"]);
}

#[test]
fn a_row_of_another_shape_does_not_fail_the_file() {
    let service = Service::new();
    let body = "plan,age,charge,member\ngold,24\ngold,24,99.5,yes\ngold,024,99.5,true\n\
                go\"ld,24,99.5,true\ngold,24,99.5,true\n";
    let answers = lines(&send(&service, "text/csv", "*/*", body));
    let kinds: Vec<_> = answers.iter().map(|a| a["errors"][0]["type"].clone()).collect();
    // The stray quote opens a field that the next line break is part of, and the end closes it.
    let expected = [json!("csv_invalid"), json!("bool_parsing"), json!("int_parsing")];
    assert_eq!(kinds[..3], expected);
    assert_eq!(kinds.last().unwrap(), "csv_invalid");
    assert_eq!(answers[0]["errors"][0]["message"], "2 fields where there are 4 columns");
}

#[test]
fn a_record_above_the_limit_is_told_and_the_next_one_is_read() {
    let service = Service::with(Options { max_body_bytes: 100, ..Options::default() });
    let long = format!("{{\"age\": \"{}\"}}", "x".repeat(500));
    let answers = lines(&send(&service, JSON_LINES, "*/*", &format!("{long}\n{GOOD}\n")));
    assert_eq!(answers[0]["errors"][0]["type"], "too_long");
    assert_eq!(answers[1]["row"], 2);
    assert!(answers[1]["probability"].is_number());
}

#[test]
fn every_record_may_be_explained() {
    let service = Service::new();
    let request = warp::test::request().method("POST").path("/predict/batch?explain=true");
    let request = request.header("content-type", JSON_LINES);
    let answers = lines(&service.send(request.body(vec![GOOD; 100].join("\n"))));
    assert_eq!(answers.len(), 100);
    assert_eq!(answers[99]["explanation"]["base"], -0.25);
    let request = warp::test::request().method("POST").path("/predict/batch?explain=true");
    let request = request.header("content-type", JSON_LINES).header("accept", "text/csv");
    assert_eq!(service.send(request.body(GOOD)).status(), 422);
}

#[test]
fn another_type_is_refused_with_those_that_are_taken() {
    let response = send(&Service::new(), "application/json", "*/*", GOOD);
    assert_eq!(response.status(), 415);
    let message = json_of(&response)["detail"][0]["message"].clone();
    let expected = "the header 'content-type' must be application/x-ndjson, text/csv or \
                    application/vnd.apache.parquet";
    assert_eq!(message, expected);
}
