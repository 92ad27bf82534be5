//! Tests of expectations: each with what holds, what does not, and what is passed over.

use super::*;

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
         1 of 3 values (33.33 %) are unexpected: row 4 (id d): `99`"
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
        "expect_table_row_count_to_be_between (min_value 5): observed 4"
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
    let wrong = |declared: Value| declare(&declared).unwrap_err();
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
