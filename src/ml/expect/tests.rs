//! Tests of expectations: each with what holds, what does not, and what is passed over; and all of
//! them against Great Expectations.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::ml::table::Values;

fn table() -> Table {
    let texts =
        |texts: &[&str]| Values::Text(texts.iter().map(|text| Some((*text).to_owned())).collect());
    Table::new(vec![
        Column::new("id", texts(&["a", "b", "c", "d"])),
        Column::new("months", Values::Integer(vec![Some(1), Some(72), None, Some(99)])),
        Column::new("charge", texts(&["1.5", "12", "abc", ""])),
        Column::new("plan", texts(&["pre", "post", "pre", "Pre"])),
        Column::new("left", Values::Boolean(vec![Some(true), Some(false), None, None])),
    ])
    .unwrap()
}

/// The outcome of an expectation; `mostly` and `severity` are filled in where they are left out.
fn outcome(mut declared: Value) -> Outcome {
    let fields = declared.as_object_mut().unwrap();
    fields.entry("severity").or_insert("error".into());
    if fields["expect"].as_str().unwrap().starts_with("expect_column_values") {
        fields.entry("mostly").or_insert(1.0.into());
    }
    let table = table();
    let ids = [table.column("id").unwrap()];
    let validation = validate(&table, &ids, &[declare(&declared).unwrap()]).unwrap();
    validation.results.into_iter().next().unwrap()
}

/// The rows, counted from 1, that an expectation finds unexpected.
fn rows(declared: Value) -> Vec<usize> {
    outcome(declared).unexpected_rows.iter().map(|row| row.row).collect()
}

fn between(extra: &[(&str, Value)]) -> Value {
    let mut declared = json!({"expect": "expect_column_values_to_be_between", "column": "months",
        "min_value": 1.0, "max_value": 72.0, "strict_min": false, "strict_max": false});
    for (key, value) in extra {
        declared[*key] = value.clone();
    }
    declared
}

#[test]
fn a_range_includes_its_ends_unless_they_are_strict() {
    assert_eq!(rows(between(&[])), [4]);
    assert_eq!(
        rows(between(&[("strict_min", true.into()), ("strict_max", true.into())])),
        [1, 2, 4]
    );
    assert_eq!(rows(between(&[("max_value", Value::Null)])), [] as [usize; 0]);
}

#[test]
fn an_outcome_names_row_value_and_id() {
    let outcome = outcome(between(&[]));
    assert!(!outcome.success);
    assert_eq!((outcome.element_count, outcome.missing_count, outcome.unexpected_count), (3, 1, 1));
    assert_eq!(outcome.observed, json!({"min": 1.0, "max": 99.0}));
    assert_eq!(
        outcome.sentence(),
        "expect_column_values_to_be_between on `months` (min_value 1, max_value 72): \
         1 of 3 values (33.33 %) are unexpected: row 4 (id d): `99` [INT_TYPE_BIG_INT]"
    );
}

#[test]
fn mostly_is_the_least_share_of_values_that_are_there() {
    assert!(outcome(between(&[("mostly", (2.0 / 3.0).into())])).success);
    assert!(!outcome(between(&[("mostly", 0.67.into())])).success);
}

#[test]
fn a_stray_word_among_numbers_is_the_only_one_unexpected() {
    let charge = [("column", json!("charge"))];
    assert_eq!(rows(between(&charge)), [3]);
    let of_type = |column: &str, ty: &str| {
        let declared =
            json!({"expect": "expect_column_values_to_be_of_type", "column": column, "type_": ty});
        rows(declared)
    };
    assert_eq!(of_type("charge", "number"), [3]);
    assert_eq!(of_type("charge", "integer"), [1, 3]);
    assert_eq!(of_type("charge", "text"), [] as [usize; 0]);
    assert_eq!(of_type("months", "text"), [1, 2, 4]);
    assert_eq!(of_type("left", "boolean"), [] as [usize; 0]);
    assert_eq!(of_type("left", "number"), [1, 2]);
}

#[test]
fn missing_values_are_unexpected_only_where_there_must_be_none() {
    let not_null = |column: &str| {
        rows(json!({"expect": "expect_column_values_to_not_be_null", "column": column}))
    };
    assert_eq!(not_null("months"), [3]);
    assert_eq!(not_null("charge"), [4]);
    let in_set = json!({"expect": "expect_column_values_to_be_in_set", "column": "months",
        "value_set": [1, 72.0, "99"]});
    assert_eq!(rows(in_set), [] as [usize; 0]);
}

#[test]
fn a_set_an_expression_and_uniqueness_tell_cases_apart() {
    let in_set = json!({"expect": "expect_column_values_to_be_in_set", "column": "plan",
        "value_set": ["pre", "post"]});
    assert_eq!(rows(in_set), [4]);
    let regex =
        json!({"expect": "expect_column_values_to_match_regex", "column": "plan", "regex": "^p"});
    assert_eq!(rows(regex), [4]);
    let unique = json!({"expect": "expect_column_values_to_be_unique", "column": "plan"});
    let outcome = outcome(unique);
    assert_eq!(outcome.observed, json!({"distinct": 3}));
    let rows: Vec<_> = outcome.unexpected_rows.iter().map(|row| row.row).collect();
    assert_eq!(rows, [1, 3]);
}

#[test]
fn tables_are_checked_for_rows_and_columns() {
    let count = |min: Option<u64>, max: Option<u64>| {
        outcome(json!({"expect": "expect_table_row_count_to_be_between",
                "min_value": min, "max_value": max}))
    };
    assert!(count(Some(4), Some(4)).success);
    let outcome_of_five = count(Some(5), None);
    assert!(!outcome_of_five.success);
    assert_eq!(
        outcome_of_five.sentence(),
        "expect_table_row_count_to_be_between (min_value 5): observed 4 [DATASET_LOW_NUM_EXAMPLES]"
    );
    let columns = |exact: bool| {
        outcome(json!({"expect": "expect_table_columns_to_match_set",
            "column_set": ["id", "months", "charge", "plan"], "exact_match": exact}))
    };
    assert!(columns(false).success && !columns(true).success);
    assert_eq!(columns(true).observed, json!({"missing": [], "unexpected": ["left"]}));
    assert!(!outcome(json!({"expect": "expect_column_to_exist", "column": "nope"})).success);
}

#[test]
fn what_cannot_hold_or_cannot_be_read_is_refused() {
    let wrong = |declared: Value| declare(&declared).err().unwrap();
    let mut reversed = between(&[
        ("min_value", 73.0.into()),
        ("mostly", 1.0.into()),
        ("severity", "error".into()),
    ]);
    assert_eq!(wrong(reversed.clone()).param, "min_value");
    reversed["min_value"] = 72.0.into();
    reversed["strict_min"] = true.into();
    assert_eq!(wrong(reversed).param, "min_value");
    let regex = wrong(json!({"expect": "expect_column_values_to_match_regex", "column": "plan",
        "regex": "(", "mostly": 1.0, "severity": "error"}));
    assert_eq!(regex.message, "`(` is not a regular expression: unclosed group");
    let empty = wrong(json!({"expect": "expect_column_values_to_be_in_set", "column": "plan",
        "value_set": [], "mostly": 1.0, "severity": "error"}));
    assert_eq!(empty.param, "value_set");
    let unbounded =
        wrong(json!({"expect": "expect_table_row_count_to_be_between", "severity": "error"}));
    assert!(unbounded.message.starts_with("neither"), "{unbounded:?}");
}

#[test]
fn a_failed_warning_is_no_failure_of_the_table() {
    let table = table();
    let declared =
        json!({"expect": "expect_column_to_exist", "column": "nope", "severity": "warning"});
    let validation = validate(&table, &[], &[declare(&declared).unwrap()]).unwrap();
    assert!(validation.success && !validation.results[0].success);
    let bytes = json::to_bytes(&validation).unwrap();
    assert_eq!(serde_json::from_slice::<Validation>(&bytes).unwrap(), validation);
}

/// The table and the cases of `tests/golden/expectations.py`.
fn golden() -> (Table, Vec<Value>) {
    let text = include_str!("../../../tests/golden/expectations.json");
    // The map of the document would sort the columns; their order is that of the text.
    let document: Value = serde_json::from_str(text).unwrap();
    let columns = document["columns"].as_object().unwrap();
    let mut names: Vec<&String> = columns.keys().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\": [")));
    let values = |values: &[Value]| {
        let is =
            |test: fn(&Value) -> bool| values.iter().all(|value| value.is_null() || test(value));
        if is(Value::is_i64) && values.iter().any(|value| !value.is_null()) {
            Values::Integer(values.iter().map(Value::as_i64).collect())
        } else if is(Value::is_number) && values.iter().any(|value| !value.is_null()) {
            Values::Number(values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect())
        } else if is(Value::is_boolean) && values.iter().any(|value| !value.is_null()) {
            Values::Boolean(values.iter().map(Value::as_bool).collect())
        } else {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            Values::Text(values.iter().map(text).collect())
        }
    };
    let column = |name: &&String| Column::new(*name, values(columns[*name].as_array().unwrap()));
    let table = Table::new(names.iter().map(column).collect()).unwrap();
    (table, document["cases"].as_array().unwrap().clone())
}

#[test]
fn every_outcome_is_that_of_great_expectations() {
    let (table, cases) = golden();
    for case in &cases {
        let expectation = &case["expectation"];
        let declared =
            declare(expectation).unwrap_or_else(|wrong| panic!("{expectation}: {wrong:?}"));
        let outcome = validate(&table, &[], &[declared]).unwrap().results.remove(0);
        assert_eq!(Some(outcome.success), case["success"].as_bool(), "{expectation}: {outcome:?}");
        let is_on_rows = !matches!(
            find(expectation[TAG].as_str().unwrap()).unwrap().about,
            About::Column | About::Table
        );
        if let Some(count) = case["unexpected_count"].as_u64().filter(|_| is_on_rows) {
            assert_eq!(outcome.unexpected_count as u64, count, "{expectation}: {outcome:?}");
        }
        if let (Some(theirs), Some(ours)) = (case["observed"].as_f64(), outcome.observed.as_f64()) {
            let error = (theirs - ours).abs() / theirs.abs().max(1.0);
            assert!(error < 1e-12, "{expectation}: {theirs} and {ours}");
        }
    }
}

#[test]
fn every_expectation_is_compared_with_great_expectations_holding_and_not() {
    let (_, cases) = golden();
    let seen: BTreeSet<(&str, bool)> = cases
        .iter()
        .map(|case| (case["expectation"][TAG].as_str().unwrap(), case["success"] == true))
        .collect();
    for declaration in declarations() {
        // The one that is not theirs: they take SQL, and it takes a condition.
        let is_ours = declaration.name == "expect_rows_to_satisfy";
        for holds in [true, false] {
            assert!(is_ours || seen.contains(&(declaration.name, holds)), "{}", declaration.name);
        }
    }
}

#[test]
fn every_name_is_declared_once_with_parameters_that_tell_what_they_are() {
    let names: BTreeSet<_> = declarations().map(|declaration| declaration.name).collect();
    assert_eq!(names.len(), declarations().count());
    for declaration in declarations() {
        assert!(!declaration.doc.is_empty() && !declaration.doc.ends_with('.'));
        let parameters: BTreeSet<_> =
            declaration.parameters().map(|parameter| parameter.name).collect();
        assert_eq!(parameters.len(), declaration.parameters().count(), "{}", declaration.name);
        assert!(parameters.contains("severity"), "{}", declaration.name);
    }
}

#[test]
fn a_condition_leaves_rows_out_and_the_others_keep_their_numbers() {
    let chosen = |condition: &str| {
        outcome(between(&[("row_condition", condition.into()), ("max_value", 50.0.into())]))
    };
    let post = chosen("plan != \"pre\"");
    assert_eq!((post.element_count, post.missing_count, post.unexpected_count), (2, 0, 2));
    let rows: Vec<_> = post.unexpected_rows.iter().map(|row| row.row).collect();
    assert_eq!(rows, [2, 4]);
    let none = chosen("months < 0");
    assert!(none.success && none.element_count == 0);
    let wrong = declare(&between(&[("row_condition", "plan = 1".into())])).err().unwrap();
    assert_eq!(wrong.param, "row_condition");
    assert!(wrong.message.contains("write `==`"), "{wrong:?}");
    let expectation = declare(&between(&[("row_condition", "plan > 1".into())])).unwrap();
    assert_eq!(expectation.columns().collect::<Vec<_>>(), ["months", "plan"]);
    let error = validate(&table(), &[], &[expectation]).unwrap_err().to_string();
    assert!(error.contains("a text is compared with a number"), "{error}");
}

#[test]
fn rows_that_do_not_satisfy_a_condition_are_told_with_what_it_looks_at() {
    let satisfy = |condition: &str| {
        outcome(json!({"expect": "expect_rows_to_satisfy", "condition": condition}))
    };
    let found = satisfy("months <= 72 or plan == \"pre\"");
    assert!(!found.success);
    assert_eq!((found.element_count, found.missing_count, found.unexpected_count), (4, 0, 1));
    assert_eq!(
        found.sentence(),
        "expect_rows_to_satisfy (condition \"months <= 72 or plan == \\\"pre\\\"\"): 1 of 4 values \
         (25.00 %) are unexpected: row 4 (id d): `months 99, plan Pre`"
    );
    let unknown = satisfy("months <= 100");
    assert!(unknown.success);
    assert_eq!((unknown.element_count, unknown.missing_count), (3, 1));
}

#[test]
fn a_failure_bears_the_reason_of_tensorflow_data_validation() {
    let reason = |declared: Value| outcome(declared).reason;
    let on = |expect: &str, column: &str, extra: Value| {
        let mut declared = json!({"expect": expect, "column": column});
        declared.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        declared
    };
    let of_type = |column: &str, ty: &str| {
        reason(on("expect_column_values_to_be_of_type", column, json!({"type_": ty})))
    };
    assert_eq!(reason(between(&[])), Some(Reason::IntTypeBigInt));
    assert_eq!(reason(between(&[("min_value", 2.0.into())])), Some(Reason::IntTypeSmallInt));
    let charge = ("column", json!("charge"));
    assert_eq!(reason(between(&[charge])), Some(Reason::FloatTypeStringNotFloat));
    assert_eq!(of_type("charge", "integer"), Some(Reason::IntTypeIntExpected));
    assert_eq!(of_type("plan", "integer"), Some(Reason::IntTypeNotIntString));
    assert_eq!(of_type("months", "text"), Some(Reason::StringTypeNowInt));
    assert_eq!(of_type("plan", "boolean"), Some(Reason::BoolTypeUnexpectedString));
    assert_eq!(of_type("plan", "text"), None, "what holds has no reason");
    let null = on("expect_column_values_to_not_be_null", "left", json!({}));
    assert_eq!(reason(null), Some(Reason::FeatureTypeLowFractionPresent));
    let set = on("expect_column_values_to_be_in_set", "plan", json!({"value_set": ["pre"]}));
    assert_eq!(reason(set), Some(Reason::EnumTypeUnexpectedStringValues));
    let unique =
        on("expect_column_unique_value_count_to_be_between", "plan", json!({"max_value": 1}));
    assert_eq!(reason(unique), Some(Reason::FeatureTypeHighUnique));
    let exists = on("expect_column_to_exist", "nope", json!({}));
    assert_eq!(reason(exists), Some(Reason::SchemaMissingColumn));
    let columns = json!({"expect": "expect_table_columns_to_match_set", "column_set": ["id"]});
    assert_eq!(reason(columns), Some(Reason::SchemaNewColumn));
    assert_eq!(Reason::SchemaNewColumn.name(), "SCHEMA_NEW_COLUMN");
}

#[test]
fn a_suite_that_makes_no_sense_is_told_before_any_table() {
    let wrong = |mut declared: Value| {
        declared["column"] = "months".into();
        declare(&declared).err().map(|wrong| (wrong.param, wrong.message)).unwrap()
    };
    let quantiles = |ranges: Value| {
        wrong(json!({"expect": "expect_column_quantile_values_to_be_between",
            "quantile_ranges": ranges}))
    };
    assert!(quantiles(json!([])).1.contains("the list is empty"));
    assert!(quantiles(json!([{"quantile": 0.5}])).1.contains("neither"));
    let reversed = quantiles(json!([{"quantile": 0.5, "min_value": 2.0, "max_value": 1.0}]));
    assert_eq!(reversed, ("quantile_ranges", "of quantile 0.5, 2 is above 1".to_owned()));
    let divergence = |partition: Value| {
        wrong(json!({"expect": "expect_column_kl_divergence_to_be_less_than", "threshold": 0.1,
            "partition_object": partition}))
    };
    let sum = divergence(json!({"weights": [0.5, 0.4], "values": ["a", "b"]}));
    assert!(sum.1.contains("are 0.9 together: make them 1"), "{sum:?}");
    assert!(divergence(json!({"weights": [1.0], "bins": [1.0]})).1.contains("one more than"));
    assert!(
        divergence(json!({"weights": [0.5, 0.5], "bins": [1.0, 3.0, 2.0]})).1.contains("ascend")
    );
    assert!(divergence(json!({"weights": [1.0]})).1.contains("either `values` or `bins`"));
    let format = json!({"expect": "expect_column_values_to_match_strftime_format",
        "strftime_format": "%Q"});
    assert_eq!(wrong(format).0, "strftime_format");
    let unknown = json!({"expect": "expect_column_values_to_be_unique", "mostlY": 0.5});
    assert_eq!(wrong(unknown).1, "unknown parameter `mostlY`");
    let pair = declare(&json!({"expect": "expect_column_pair_values_to_be_equal", "column_A": "a",
        "column_B": "a"}));
    assert_eq!(pair.err().unwrap().param, "column_B");
}

#[test]
fn outcomes_of_older_programs_are_read() {
    let old = json!({"success": true, "severity": "error", "expectation": {"expect": "x"},
        "observed": null, "element_count": 1, "missing_count": 0, "unexpected_count": 0,
        "unexpected_percent": 0.0, "unexpected_rows": []});
    assert_eq!(Outcome::deserialize(old).unwrap().reason, None);
}
