//! Tests of the policies: what becomes of numbers beyond their range, of unknown fields, and of
//! texts that spell numbers.

use serde_json::{Value, json};

use super::{GOOD, Service, field, with};
use crate::serve::policy::{Extra, Policy, Range};
use crate::serve::state::Options;

fn service(policy: Policy) -> Service {
    Service::with(Options { policy, ..Options::default() })
}

fn ranged(range: Range) -> Service {
    service(Policy { range, ..Policy::default() })
}

fn lax() -> Service {
    service(Policy { lax: true, ..Policy::default() })
}

/// `type` of every entry.
fn kinds(answer: &Value) -> Vec<Value> {
    let entries = answer["detail"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["type"].clone()).collect()
}

#[test]
fn a_number_beyond_its_range_may_be_used_with_a_warning() {
    let service = ranged(Range::Warn);
    let (status, answer) = service.post(with("age", "100"));
    assert_eq!(status, 200, "{answer}");
    let warning = &answer["warnings"][0];
    assert_eq!(warning["type"], "less_than_equal");
    assert_eq!(warning["loc"], field("age"));
    assert_eq!((&warning["input"], &warning["valid_range"]), (&json!(100), &json!([1, 72])));
    let expected = "field 'age' is not between 1 and 72: the model was not trained there";
    assert_eq!(warning["message"], expected);
    // The log-odds of the small model rise by 0.7 per 10 years, beyond 72 as before.
    let odds = |answer: &Value| {
        let p = answer["probability"].as_f64().unwrap();
        libm::log(p / (1.0 - p))
    };
    let inside = service.post(with("age", "70")).1;
    assert!((odds(&answer) - odds(&inside) - 2.1).abs() < 1e-9);
    assert!(inside.get("warnings").is_none(), "{inside}");
}

#[test]
fn a_number_beyond_its_range_may_become_the_nearest_one_of_it() {
    let service = ranged(Range::Clip);
    for (field, given, used) in
        [("age", "100", "72"), ("age", "-5", "1"), ("charge", "1e9", "120.25")]
    {
        let (status, answer) = service.post(with(field, given));
        assert_eq!(status, 200, "{answer}");
        let nearest = service.post(with(field, used)).1;
        assert_eq!(answer["probability"], nearest["probability"], "{field} {given}");
        let message = answer["warnings"][0]["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(": {used} was used instead")), "{message}");
    }
}

#[test]
fn no_policy_takes_what_the_model_cannot_know() {
    for range in [Range::Warn, Range::Clip] {
        let service = ranged(range);
        for (name, value, kind) in [
            ("age", "24.5", "int_from_float"),
            ("age", "null", "int_type"),
            ("age", "true", "int_type"),
            ("plan", "\"silver\"", "literal_error"),
            ("age", "9007199254740993", "int_parsing_size"),
        ] {
            if range == Range::Clip && kind == "int_parsing_size" {
                // The end of the range is used, whatever the number was.
                continue;
            }
            let (status, answer) = service.post(with(name, value));
            assert_eq!((status, kinds(&answer)), (422, vec![json!(kind)]), "{value}");
        }
        assert_eq!(service.post(with("charge", "1e400")).0, 400);
    }
    assert_eq!(ranged(Range::Warn).post(with("age", "9007199254740992")).0, 200);
}

#[test]
fn warnings_are_counted_and_the_list_of_them_is_short() {
    let service = ranged(Range::Warn);
    let records = vec![with("age", "100"); 100].join(",");
    let (status, answers) = service.post(format!("[{records}]"));
    assert_eq!(status, 200);
    let answers = answers.as_array().unwrap();
    let listed: usize = answers.iter().map(|a| a["warnings"].as_array().map_or(0, Vec::len)).sum();
    let omitted: u64 = answers.iter().filter_map(|a| a["warnings_omitted"].as_u64()).sum();
    assert_eq!((listed, omitted), (64, 36));
    assert_eq!(answers[3]["warnings"][0]["loc"], json!(["body", 3, "age"]));
    let health: Value = serde_json::from_slice(service.get("/health").body()).unwrap();
    assert_eq!(health["checks"]["requests:out_of_range"][0]["observedValue"], 100);
    assert_eq!(health["status"], "pass");
}

#[test]
fn unknown_fields_may_be_passed_over() {
    let service = service(Policy { extra: Extra::Ignore, ..Policy::default() });
    let body = GOOD.replacen('{', "{\"zip\": [1, {}], \"more\": 2, ", 1);
    assert_eq!(service.post(body), service.post(GOOD));
    let health: Value = serde_json::from_slice(service.get("/health").body()).unwrap();
    assert_eq!(health["checks"]["requests:unknown"][0]["observedValue"], 2);
    // A field that is known and comes twice is no unknown one.
    let body = GOOD.replacen('{', "{\"age\": 30, ", 1);
    assert_eq!(kinds(&service.post(body).1), [json!("duplicate_key")]);
    // What is not read must still be text.
    let body = GOOD.replacen('{', "{\"zip\": \"\\udead\", ", 1);
    assert_eq!(service.post(body).0, 400);
}

#[test]
fn a_lax_service_reads_what_texts_spell_as_pydantic_does() {
    let service = lax();
    for (name, lax, strict) in [
        ("charge", "\"45.86\"", "45.86"),
        ("charge", "\"  1.5 \"", "1.5"),
        ("charge", "\"1e1\"", "10"),
        ("age", "\"24\"", "24"),
        ("age", "\"24.0\"", "24"),
        ("age", "\" +7 \"", "7"),
        ("member", "\"Yes\"", "true"),
        ("member", "\"off\"", "false"),
        ("member", "1", "true"),
        ("member", "0.0", "false"),
    ] {
        let (status, answer) = service.post(with(name, lax));
        assert_eq!(status, 200, "{lax}: {answer}");
        assert_eq!(answer, service.post(with(name, strict)).1, "{lax}");
        assert_eq!(Service::new().post(with(name, lax)).0, 422, "{lax}");
    }
}

#[test]
fn a_lax_service_still_refuses_what_spells_nothing() {
    let service = lax();
    for (name, value, kind) in [
        ("charge", "\"NaN\"", "float_parsing"),
        ("charge", "\"inf\"", "float_parsing"),
        ("charge", "\"\"", "float_parsing"),
        ("charge", "\"1,5\"", "float_parsing"),
        ("charge", "\"0x10\"", "float_parsing"),
        ("age", "\"24.5\"", "int_parsing"),
        ("age", "\"1e1\"", "int_parsing"),
        ("age", "true", "int_type"),
        ("charge", "true", "float_type"),
        ("member", "2", "bool_parsing"),
        ("member", "\"maybe\"", "bool_parsing"),
        ("age", "\"99\"", "less_than_equal"),
        ("plan", "3", "literal_error"),
    ] {
        let (status, answer) = service.post(with(name, value));
        assert_eq!((status, kinds(&answer)), (422, vec![json!(kind)]), "{name} {value}: {answer}");
    }
}

#[test]
fn the_document_promises_what_the_policy_enforces() {
    let record = |service: &Service| {
        let document: Value = serde_json::from_slice(service.get("/openapi.json").body()).unwrap();
        document["components"]["schemas"]["Record"].clone()
    };
    let strict = record(&Service::new());
    assert_eq!(strict["additionalProperties"], false);
    let age = &strict["properties"]["age"];
    assert_eq!((&age["minimum"], &age["maximum"]), (&json!(1), &json!(72)));
    assert_eq!(age["type"], "integer");
    let policy = Policy { range: Range::Clip, extra: Extra::Ignore, lax: true };
    let loose = record(&service(policy));
    assert_eq!(loose["additionalProperties"], true);
    let age = &loose["properties"]["age"];
    assert!(age.get("minimum").is_none(), "{age}");
    assert_eq!(age["description"], "minimum in training: 1; maximum in training: 72");
    assert_eq!(age["type"], json!(["integer", "string"]));
}
