//! Parameters: checks, defaults, and complaints that name the place.

use engine::params::{Complaint, Param, Step, Type};
use serde_json::{Value, json};

fn learner() -> Type {
    Type::Tagged {
        tag: "learner",
        cases: vec![
            ("ridge", vec![Param::new("alpha", Type::Float(0.0, f64::MAX), 1.0, "penalty")]),
            ("tree", vec![Param::required("depth", Type::Int(1, 64), "levels")]),
        ],
        default: None,
    }
}

#[track_caller]
fn refuses(ty: &Type, value: &Value, expected: &[&str]) {
    let complaints = ty.check(value).unwrap_err();
    let told = |c: &Complaint| match &c.hint {
        Some(hint) => format!("{} ({hint})", c.message),
        None => c.message.clone(),
    };
    assert_eq!(complaints.iter().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn defaults_are_filled_in_and_numbers_are_typed() {
    let checked = learner().check(&json!({"learner": "ridge"})).unwrap();
    assert_eq!(checked, json!({"learner": "ridge", "alpha": 1.0}));
    let checked = learner().check(&json!({"learner": "ridge", "alpha": 2})).unwrap();
    assert_eq!(checked["alpha"].to_string(), "2.0");
}

#[test]
fn every_mistake_is_named_at_once() {
    refuses(
        &learner(),
        &json!({"learner": "ridge", "alhpa": 1, "alpha": -1}),
        &[
            "unknown parameter `alhpa` for learner `ridge` (did you mean `alpha`?)",
            "expected a number of at least 0, found -1",
        ],
    );
}

#[test]
fn a_missing_or_unknown_tag_names_the_known_ones() {
    refuses(&learner(), &json!({}), &["missing `learner`: one of ridge, tree"]);
    let wrong = json!({"learner": "tre"});
    refuses(&learner(), &wrong, &["unknown learner `tre` (did you mean `tree`?)"]);
}

#[test]
fn a_required_parameter_says_what_it_means() {
    refuses(&learner(), &json!({"learner": "tree"}), &["missing parameter `depth`: levels"]);
}

#[test]
fn an_integer_out_of_range_names_the_range() {
    let wrong = json!({"learner": "tree", "depth": 65});
    refuses(&learner(), &wrong, &["expected an integer between 1 and 64, found 65"]);
    let wrong = json!({"learner": "tree", "depth": 1.5});
    refuses(&learner(), &wrong, &["expected an integer between 1 and 64, found 1.5"]);
}

#[test]
fn one_value_stands_for_a_list_of_one() {
    let roles = Type::Choice(&["id", "target"]).one_or_many().map();
    let checked = roles.check(&json!({"a": "id", "b": ["id", "target"]})).unwrap();
    assert_eq!(checked, json!({"a": ["id"], "b": ["id", "target"]}));
}

#[test]
fn a_path_leads_to_the_wrong_item() {
    let ty = Type::Int(0, 9).list().map();
    let complaints = ty.check(&json!({"a": [1, 10]})).unwrap_err();
    assert_eq!(complaints[0].path, [Step::Key("a".to_owned()), Step::Item(1)]);
}

#[test]
fn hostile_values_are_complaints() {
    let mut deep = json!(1);
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let types = [
        learner(),
        Type::Int(0, 9).list().map(),
        Type::Text.one_or_many(),
        Type::Scalar.map().list(),
        Type::Record(vec![Param::required("x", learner(), "deep")]),
    ];
    for ty in types {
        for value in [deep.clone(), json!({"x": deep, "learner": deep}), json!(null)] {
            assert!(ty.check(&value).is_err(), "{}", ty.expected());
        }
    }
    let long = "x".repeat(1 << 20);
    let complaints = Type::Int(0, 9).check(&json!(long)).unwrap_err();
    assert!(complaints[0].message.len() < 200);
}

#[test]
fn numbers_at_the_edge_are_taken_or_refused() {
    let float = Type::Float(0.0, 1.0);
    assert_eq!(float.check(&json!(1)).unwrap(), json!(1.0));
    assert!(float.check(&json!(1.0000001)).is_err());
    assert!(float.check(&json!("0.5")).is_err());
    let int = Type::Int(i64::MIN, i64::MAX);
    assert_eq!(int.check(&json!(i64::MIN)).unwrap(), json!(i64::MIN));
    assert!(int.check(&json!(u64::MAX)).is_err());
    assert!(int.check(&json!(1.0)).is_err());
}
