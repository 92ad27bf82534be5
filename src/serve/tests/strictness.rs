//! Tests of the table of strictness: what of a body is accepted, what refused, and in which words.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{GOOD, Service, check, field, with};
use crate::ml::cell::Cell;
use crate::ml::package::tests::small_package;
use crate::serve::policy::Policy;
use crate::serve::validation::{Row, Rows, Validator};

#[test]
fn a_record_is_predicted() {
    let (status, answer) = Service::new().post(GOOD);
    assert_eq!(status, 200);
    let version = answer["model_version"].as_str().unwrap();
    assert_eq!(version.len(), 12);
    let expected = json!({
        "prediction": false, "probability": 0.14033624949008322, "model_version": version
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_list_is_answered_by_a_list() {
    let service = Service::new();
    let (status, answer) = service.post(format!("[{GOOD}, {}]", with("age", "72")));
    assert_eq!(status, 200);
    assert_eq!(answer[0], service.post(GOOD).1);
    assert_eq!(answer[1]["prediction"], true);
    assert_eq!(service.post("[]"), (200, json!([])));
}

#[test]
fn both_ends_of_a_range_are_valid_and_nothing_beyond() {
    for age in ["1", "72", "1.0", "7.2e1", "72.000"] {
        check(with("age", age), 200, &[]);
    }
    let below = check(with("age", "0"), 422, &[("greater_than_equal", field("age"))]);
    let entry = &below["detail"][0];
    assert_eq!(entry["msg"], "Input should be greater than or equal to 1");
    assert_eq!(entry["input"], 0);
    assert_eq!(entry["ctx"], json!({"ge": 1, "le": 72}));
    assert_eq!(entry["valid_range"], json!([1, 72]));
    assert_eq!(entry["message"], "field 'age' must be between 1 and 72");
    check(with("age", "73"), 422, &[("less_than_equal", field("age"))]);
    check(with("charge", "120.250000000000001"), 200, &[]);
    check(with("charge", "120.2500000001"), 422, &[("less_than_equal", field("charge"))]);
    check(with("charge", "1e-400"), 422, &[("greater_than_equal", field("charge"))]);
}

#[test]
fn types_are_not_guessed() {
    check(with("age", "\"24\""), 422, &[("int_type", field("age"))]);
    check(with("age", "true"), 422, &[("int_type", field("age"))]);
    check(with("age", "24.5"), 422, &[("int_from_float", field("age"))]);
    check(with("age", "[24]"), 422, &[("int_type", field("age"))]);
    check(with("charge", "\"1e1\""), 422, &[("float_type", field("charge"))]);
    check(with("charge", "\"NaN\""), 422, &[("float_type", field("charge"))]);
    check(with("charge", "false"), 422, &[("float_type", field("charge"))]);
    check(with("charge", "{}"), 422, &[("float_type", field("charge"))]);
    check(with("member", "1"), 422, &[("bool_type", field("member"))]);
    check(with("member", "\"true\""), 422, &[("bool_type", field("member"))]);
    check(with("plan", "3"), 422, &[("literal_error", field("plan"))]);
}

#[test]
fn an_unknown_category_is_told_the_known_ones() {
    let answer = check(with("plan", "\"silver\""), 422, &[("literal_error", field("plan"))]);
    let entry = &answer["detail"][0];
    assert_eq!(entry["msg"], "Input should be 'basic', 'gold' or 'plus'");
    assert_eq!(entry["ctx"], json!({"expected": "'basic', 'gold' or 'plus'"}));
    assert_eq!(entry["expected"], json!(["basic", "gold", "plus"]));
    assert_eq!(entry["input"], "silver");
    check(with("plan", "\"g\\u006fld\""), 200, &[]);
}

#[test]
fn null_is_valid_only_where_the_data_had_it() {
    check(with("charge", "null"), 200, &[]);
    let answer = check(with("age", "null"), 422, &[("int_type", field("age"))]);
    assert!(answer["detail"][0]["message"].as_str().unwrap().contains("must not be empty"));
    check(with("plan", "null"), 422, &[("literal_error", field("plan"))]);
}

#[test]
fn every_wrong_field_is_told_in_order_with_unknown_ones_last() {
    let body = r#"{"zip": 1, "plan": "x", "age": 99, "charge": "a", "more": {"a": 1}}"#;
    let expected = [
        ("less_than_equal", field("age")),
        ("float_type", field("charge")),
        ("missing", field("member")),
        ("literal_error", field("plan")),
        ("extra_forbidden", field("zip")),
        ("extra_forbidden", field("more")),
    ];
    let answer = check(body, 422, &expected);
    assert_eq!(
        answer["detail"][2]["message"],
        "field 'member' is required and must be true or false"
    );
    assert_eq!(answer["detail"][2]["input"], Value::Null);
    assert_eq!(answer["detail"][4]["input"], 1);
    assert!(answer["detail"][5].get("input").is_none());
}

#[test]
fn records_of_a_list_are_told_apart() {
    let body = format!("[{GOOD}, {}, 5, [1]]", with("age", "0"));
    let expected = [
        ("greater_than_equal", json!(["body", 1, "age"])),
        ("model_attributes_type", json!(["body", 2])),
        ("model_attributes_type", json!(["body", 3])),
    ];
    let answer = check(body, 422, &expected);
    assert_eq!(answer["detail"][0]["message"], "record 1: field 'age' must be between 1 and 72");
}

#[test]
fn a_repeated_key_is_refused() {
    let body = GOOD.replacen('{', "{\"age\": 30, ", 1);
    check(body, 422, &[("duplicate_key", field("age"))]);
    let body = GOOD.replacen('{', "{\"\\u0061ge\": 30, ", 1);
    check(body, 422, &[("duplicate_key", field("age"))]);
}

#[test]
fn numbers_that_are_none_make_the_body_malformed() {
    for (value, loc) in [("1e400", field("charge")), ("-1e999", field("charge"))] {
        let answer = check(with("charge", value), 400, &[("json_invalid", loc)]);
        let message = answer["detail"][0]["message"].as_str().unwrap();
        assert!(message.contains("'charge'"), "{message}");
    }
    check(with("charge", &"1".repeat(65)), 400, &[("json_invalid", field("charge"))]);
    for value in ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "0x10"] {
        let (status, answer) = Service::new().post(with("charge", value));
        assert_eq!(status, 400, "{value}");
        assert_eq!(answer["detail"][0]["type"], "json_invalid");
        let message = answer["detail"][0]["message"].as_str().unwrap();
        assert!(message.contains("in field 'charge'"), "{message}");
    }
}

#[test]
fn a_body_that_is_not_json_is_malformed() {
    let deep = format!("{{\"age\": {}{}}}", "[".repeat(9), "]".repeat(9));
    let deeper = "[".repeat(30_000);
    let bodies: Vec<Vec<u8>> = vec![
        GOOD.replace('}', ",}").into(),
        format!("{GOOD} x").into(),
        GOOD[..30].into(),
        b"{\"age\": \"\xff\"}".to_vec(),
        with("plan", "\"\\ud800\"").into(),
        format!("\u{feff}{GOOD}").into(),
        GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        deep.into(),
        deeper.into(),
        b"1e400".to_vec(),
        b"'a'".to_vec(),
        GOOD.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        // Halves of surrogate pairs where nobody looks: in a key, in an unknown field.
        GOOD.replacen('{', "{\"\\ud800\": 1, ", 1).into(),
        GOOD.replacen('{', "{\"zip\": [\"a\\udc00\"], ", 1).into(),
        with("plan", "\"\\ud83d\\ud83d\"").into(),
        format!("[{GOOD},]").into(),
        b"{\"age\": 24".to_vec(),
        b"\0".to_vec(),
    ];
    for body in bodies {
        let (status, answer) = Service::new().post(&body);
        assert_eq!(status, 400, "{} {answer}", String::from_utf8_lossy(&body));
        assert_eq!(answer["detail"][0]["type"], "json_invalid");
    }
    let at = json!(["body", 1]);
    check("{x", 400, &[("json_invalid", at)]);
}

#[test]
fn what_is_no_record_is_told_so() {
    for body in ["1", "\"a\"", "null", "true", "-1.5"] {
        check(body, 422, &[("model_attributes_type", json!(["body"]))]);
    }
    check("", 422, &[("missing", json!(["body"]))]);
    check(" \n", 422, &[("missing", json!(["body"]))]);
}

#[test]
fn a_whole_pair_of_surrogates_and_an_escaped_backslash_are_text() {
    check(with("plan", "\"\\ud83d\\ude00\""), 422, &[("literal_error", field("plan"))]);
    check(with("plan", "\"\\\\ud83d\""), 422, &[("literal_error", field("plan"))]);
}

#[test]
fn a_key_that_comes_twice_within_a_value_makes_that_value_no_better() {
    check(with("age", "{\"a\": 1, \"a\": 2}"), 422, &[("int_type", field("age"))]);
    let body = format!("[{}]", GOOD.replacen('{', "{\"plan\": \"gold\", ", 1));
    check(body, 422, &[("duplicate_key", json!(["body", 0, "plan"]))]);
}

#[test]
fn whole_numbers_that_a_model_cannot_hold_are_refused() {
    for age in ["9007199254740993", "-9007199254740993", "123456789012345678901234567890"] {
        let kind = if age.starts_with('-') { "greater_than_equal" } else { "less_than_equal" };
        check(with("age", age), 422, &[(kind, field("age"))]);
    }
    check(with("charge", "-0.0"), 422, &[("greater_than_equal", field("charge"))]);
    check(with("age", &"1".repeat(64)), 422, &[("less_than_equal", field("age"))]);
    check(with("age", &"1".repeat(65)), 400, &[("json_invalid", field("age"))]);
}

#[test]
fn answers_stay_short_whatever_is_sent() {
    let extras: Vec<String> = (0..2000).map(|i| format!("\"{i}{}\":0", "k".repeat(20))).collect();
    let (status, answer) = Service::new().post(format!("{{{}}}", extras.join(",")));
    assert_eq!(status, 422);
    assert_eq!(answer["detail"].as_array().unwrap().len(), 64);
    assert_eq!(answer["omitted"], 2000 + 4 - 64);
    let long = "x".repeat(60_000);
    for body in [
        with("plan", &format!("\"{long}\"")),
        with(&long, "1"),
        with("age", &format!("\"{long}\"")),
    ] {
        let (status, answer) = Service::new().post(body);
        assert_eq!(status, 422);
        assert!(answer.to_string().len() < 2000);
    }
    let empties = format!("[{}{{}}]", "{},".repeat(20_000));
    let (status, answer) = Service::new().post(empties);
    assert_eq!(status, 422);
    assert!(answer.to_string().len() < 64 << 10);
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_map(|x| format!("{x:e}")),
        (-10..90_i64).prop_map(|x| x.to_string()),
        (-10.0..130.0_f64).prop_map(|x| x.to_string()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"gold\"".to_owned()),
        "\\PC{0,12}".prop_map(|text| json!(text).to_string()),
        "\\PC{0,12}",
    ]
}

proptest! {
    #[test]
    fn what_is_accepted_is_in_range(
        age in any_value(), charge in any_value(), member in any_value(), plan in any_value(),
    ) {
        let service = SMALL.with(|validator| {
            let body = format!(
                "{{\"age\":{age},\"charge\":{charge},\"member\":{member},\"plan\":{plan}}}"
            );
            validator.read(body.as_bytes())
        });
        if let Ok(Rows::One(Row { cells: row, .. })) = service {
            let Cell::Number(age) = row[0] else { panic!("{row:?}") };
            prop_assert!(age.fract() == 0.0 && (1.0..=72.0).contains(&age));
            if let Cell::Number(charge) = row[1] {
                prop_assert!((0.5..=120.25).contains(&charge));
            }
            prop_assert!(matches!(row[2], Cell::Number(x) if x == 0.0 || x == 1.0));
            let known = ["basic", "gold", "plus"].map(|name| Cell::Text(name.into()));
            prop_assert!(known.contains(&row[3]));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let problem = SMALL.with(|validator| validator.read(&bytes)).err();
        if let Some(problem) = problem {
            prop_assert!([400, 422].contains(&problem.status.as_u16()));
        }
    }
}

thread_local! {
    static SMALL: Validator = {
        let package = crate::ml::package::Package::load(small_package().path()).unwrap();
        Validator::new(package.schema(), Policy::default())
    };
}
