//! A first suite of expectations, from what a table is like.
//!
//! Each suggestion comes with a sentence that says what was seen, for a person to keep, change or
//! remove it. A suite holds on the table that it was made from. What can only be an accident of
//! that table is left out, and what tomorrow's rows may rightly break is a warning: bounds of
//! numbers are widened to round ones, shares of missing values doubled. It knows profiles, no
//! files.

use serde_json::{Map, Value, json};

use super::expect::TAG;
use super::profile::{ColumnProfile, Profile};
use super::schema::{FieldType, Role, Schema};

/// More categories than this are not listed one by one.
const MAX_LISTED: usize = 50;

/// An expectation that may be worth having.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// What was seen, as a sentence.
    pub seen: String,
    /// The expectation as declared, its name under `expect`, without what defaults say.
    pub declared: Map<String, Value>,
}

/// The suite that a profile suggests; the schema that was made with it names all categories, where
/// the profile only tells the commonest.
pub fn suite(profile: &Profile, schema: Option<&Schema>) -> Vec<Suggestion> {
    let mut suite = vec![
        suggestion(
            format!("{} rows were seen; half as many are half an export", profile.rows),
            json!({TAG: "expect_table_row_count_to_be_between",
                "min_value": profile.rows.div_ceil(2)}),
        ),
        suggestion(
            format!("{} columns were seen; others may be added", profile.columns.len()),
            json!({TAG: "expect_table_columns_to_match_set", "exact_match": false,
                "column_set": profile.columns.iter().map(|column| &column.name).collect::<Vec<_>>()}),
        ),
    ];
    let used = profile.columns.iter().filter(|column| !column.roles.contains(&Role::Ignore));
    suite.extend(used.flat_map(|column| of_column(column, profile.rows, schema)));
    suite
}

fn suggestion(seen: String, declared: Value) -> Suggestion {
    let declared = declared.as_object().cloned().unwrap_or_default();
    Suggestion { seen, declared }
}

fn of_column(column: &ColumnProfile, rows: usize, schema: Option<&Schema>) -> Vec<Suggestion> {
    let mut suite: Vec<_> = presence(column, rows).into_iter().collect();
    let is = |role: Role| column.roles.contains(&role);
    if column.count == 0 {
        return suite;
    }
    if is(Role::Id) && column.distinct == column.count {
        let seen = "it names a row: twice, one subject could be learnt from and tested on";
        suite.push(on(column, "expect_column_values_to_be_unique", seen, json!({})));
    }
    suite.extend(of_type(column));
    if is(Role::Id) {
        return suite;
    }
    let categories = categories(column, schema);
    let is_listed = is(Role::Target) || column.ty == FieldType::Category;
    match categories.filter(|_| is_listed) {
        Some(values) => {
            let seen = match is(Role::Target) {
                true => "the target: any other value would be learnt as a class of its own".into(),
                false => format!("{} values were seen; a new one is new to a model", values.len()),
            };
            let set = json!({ "value_set": values });
            suite.push(on(column, "expect_column_values_to_be_in_set", &seen, set));
        }
        None => suite.extend(bounds(column)),
    }
    suite
}

/// An expectation on a column.
fn on(column: &ColumnProfile, expect: &str, seen: &str, rest: Value) -> Suggestion {
    let mut declared = json!({TAG: expect, "column": column.name});
    if let (Some(all), Some(rest)) = (declared.as_object_mut(), rest.as_object()) {
        all.extend(rest.clone());
    }
    suggestion(seen.to_owned(), declared)
}

fn presence(column: &ColumnProfile, rows: usize) -> Option<Suggestion> {
    let expect = "expect_column_values_to_not_be_null";
    if column.missing == 0 {
        return Some(on(column, expect, "none was missing", json!({})));
    }
    let share = column.missing as f64 / rows.max(1) as f64;
    // Twice as many missing ones, down to a whole percent.
    let mostly = (100.0 * (1.0 - 2.0 * share)).floor() / 100.0;
    let seen = format!("{:.2} % were missing; twice as many deserve a look", 100.0 * share);
    let rest = json!({"mostly": mostly, "severity": "warning"});
    (mostly > 0.0).then(|| on(column, expect, &seen, rest))
}

fn of_type(column: &ColumnProfile) -> Option<Suggestion> {
    let ty = match column.ty {
        FieldType::Integer => "integer",
        FieldType::Number => "number",
        FieldType::Boolean => "boolean",
        // Any value is a text.
        FieldType::Category | FieldType::Text => return None,
    };
    let seen = format!("all {} values were of this type", column.count);
    Some(on(column, "expect_column_values_to_be_of_type", &seen, json!({ "type_": ty })))
}

/// All distinct values, where they are known and few.
fn categories(column: &ColumnProfile, schema: Option<&Schema>) -> Option<Vec<Value>> {
    let mut values = match column.top_values.len() == column.distinct {
        true => column.top_values.iter().map(|top| top.value.clone()).collect::<Vec<_>>(),
        false => {
            let field = schema?.fields.iter().find(|field| field.name == column.name)?;
            field.categories.as_ref()?.iter().map(|text| text.as_str().into()).collect()
        }
    };
    let order = |value: &Value| (value.as_f64().unwrap_or(0.0), value.to_string());
    values.sort_by(|a, b| {
        let (a, b) = (order(a), order(b));
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
    });
    (values.len() <= MAX_LISTED).then_some(values)
}

fn bounds(column: &ColumnProfile) -> Option<Suggestion> {
    let numbers = column.numbers.as_ref()?;
    let (min, max) = (numbers.min, numbers.max);
    let low = if min >= 0.0 { 0.0 } else { -round_up(-min) };
    let high = if max <= 0.0 { 0.0 } else { round_up(max) };
    let is_whole = column.ty == FieldType::Integer && low.abs() < 1e15 && high.abs() < 1e15;
    let number = |bound: f64| if is_whole { json!(bound as i64) } else { json!(bound) };
    let rest = json!({"min_value": number(low), "max_value": number(high), "severity": "warning"});
    let seen = format!("{min} to {max} were seen; the bounds are round numbers beyond");
    Some(on(column, "expect_column_values_to_be_between", &seen, rest))
}

/// The least number of two digits, followed by zeros, that is not below a number above 0.
fn round_up(number: f64) -> f64 {
    // From its decimal text, because powers of ten are not exact as floats.
    let text = format!("{number:e}");
    let exponent: i32 = text.split('e').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let rounded = (10..=100)
        .filter_map(|digits| format!("{digits}e{}", exponent - 1).parse::<f64>().ok())
        .find(|rounded| *rounded >= number);
    rounded.filter(|rounded| rounded.is_finite()).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::expect::{declare, validate};
    use crate::ml::profile::{Limits, profile};
    use crate::ml::schema::Roles;
    use crate::ml::table::{Column, Table, Values};
    use proptest::prelude::*;

    fn texts(texts: &[&str]) -> Values {
        Values::Text(texts.iter().map(|text| Some((*text).to_owned())).collect())
    }

    fn table() -> Table {
        Table::new(vec![
            Column::new("key", texts(&["a", "b", "c", "d", "e"])),
            Column::new("plan", texts(&["v", "w", "x", "y", ""])),
            Column::new("months", Values::Integer([1, 72, 3, 4, 5].map(Some).to_vec())),
            Column::new("balance", Values::Number(vec![-3.15, 0.5, 2.0, 1.0, 7.77])),
            Column::new("left", Values::Integer([0, 1, 0, 0, 1].map(Some).to_vec())),
            Column::new("note", texts(&["p", "q", "r", "s", "t"])),
            Column::new("empty", Values::Text([None::<&str>; 5].into())),
        ])
        .unwrap()
    }

    fn roles() -> Roles {
        let role = |name: &str, role| (name.to_owned(), vec![role]);
        Roles::from([role("key", Role::Id), role("left", Role::Target), role("note", Role::Ignore)])
    }

    fn suggested() -> Vec<Suggestion> {
        let limits = Limits { top_values: 3, max_categories: 9, ..Limits::default() };
        let (profile, schema) = profile(&table(), &roles(), limits);
        suite(&profile, Some(&schema))
    }

    /// The names of the expectations of a suite that do not hold, with their columns.
    fn failures(suite: &[Suggestion], table: &Table) -> Vec<String> {
        let declared: Vec<_> = suite
            .iter()
            .map(|suggestion| declare(&Value::Object(suggestion.declared.clone())).ok().unwrap())
            .collect();
        let results = validate(table, &[], &declared).unwrap().results;
        let failed = results.iter().filter(|outcome| !outcome.success);
        failed
            .map(|outcome| {
                let part = |key: &str| outcome.expectation[key].as_str().unwrap_or("").to_owned();
                format!("{} {}", part(TAG), part("column"))
            })
            .collect()
    }

    #[test]
    fn a_suite_holds_on_its_table_and_says_what_was_seen() {
        let suite = suggested();
        assert_eq!(failures(&suite, &table()), [] as [&str; 0]);
        let told: Vec<_> = suite
            .iter()
            .map(|suggestion| {
                format!("{} {}", suggestion.seen, Value::Object(suggestion.declared.clone()))
            })
            .collect();
        let has =
            |text: &str| assert!(told.iter().any(|told| told.contains(text)), "{text}: {told:#?}");
        has("5 rows were seen");
        has("\"max_value\":72,\"min_value\":0");
        has("-3.15 to 7.77 were seen");
        has("\"max_value\":7.8,\"min_value\":-3.2");
        has("4 values were seen");
        has(
            "\"column\":\"left\",\"expect\":\"expect_column_values_to_be_in_set\",\"value_set\":[0,1]",
        );
        has("20.00 % were missing");
        assert!(
            !told[2..].iter().any(|told| told.contains("note") || told.contains("empty")),
            "{told:#?}"
        );
    }

    #[test]
    fn damage_is_named() {
        let damaged = |at: usize, values: Values| {
            let mut columns = table().columns().to_vec();
            columns[at].values = values;
            failures(&suggested(), &Table::new(columns).unwrap())
        };
        let expected =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            damaged(0, texts(&["a", "b", "c", "d", "a"])),
            expected(&["expect_column_values_to_be_unique key"])
        );
        assert_eq!(
            damaged(1, texts(&["v", "w", "x", "y", "new"])),
            expected(&["expect_column_values_to_be_in_set plan"])
        );
        assert_eq!(
            damaged(2, texts(&["1", "72", "3", "4", "many"])),
            expected(&[
                "expect_column_values_to_be_of_type months",
                "expect_column_values_to_be_between months"
            ])
        );
        assert_eq!(
            damaged(4, Values::Integer(vec![Some(0), Some(2), None, Some(0), Some(1)])),
            expected(&[
                "expect_column_values_to_not_be_null left",
                "expect_column_values_to_be_in_set left"
            ])
        );
    }

    proptest! {
        #[test]
        fn a_round_bound_is_never_below_its_number(number in 1e-300..1e300f64) {
            let rounded = round_up(number);
            prop_assert!(rounded >= number && rounded <= number * 1.2, "{} {}", number, rounded);
        }
    }
}
