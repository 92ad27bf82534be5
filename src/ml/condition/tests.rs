//! Tests of conditions: what they mean, what is missing, and that no text can do harm.

use super::*;
use crate::ml::table::{Column, Values};
use proptest::prelude::*;

fn table() -> Table {
    let texts = |texts: [&str; 4]| Values::Text(texts.map(Some).into());
    Table::new(vec![
        Column::new("plan", texts(["x", "y", "", "x"])),
        Column::new("months", Values::Integer(vec![Some(1), Some(5), Some(9), None])),
        Column::new("charge", Values::Number(vec![2.5, 0.0, f64::NAN, -1.0])),
        Column::new("left", Values::Boolean(vec![Some(true), Some(false), None, Some(false)])),
        Column::new("a b`c", Values::Integer(vec![Some(1), Some(2), Some(3), Some(4)])),
        Column::new("day", texts(["2026-01-31", "2026-02-01", "2025-12-31", "2026-02-28"])),
    ])
    .unwrap()
}

/// `t`, `f` and `?` per row.
#[track_caller]
fn answers(source: &str) -> String {
    let condition = Condition::parse(source).unwrap_or_else(|error| panic!("{error}"));
    let answers = condition.answers(&table()).unwrap_or_else(|error| panic!("{error}"));
    answers.iter().map(|answer| answer.map_or('?', |truth| if truth { 't' } else { 'f' })).collect()
}

#[track_caller]
fn told(source: &str) -> String {
    let parsed = Condition::parse(source);
    parsed.and_then(|condition| condition.answers(&table())).unwrap_err().to_string()
}

#[test]
fn numbers_texts_and_truth_values_are_compared() {
    assert_eq!(answers("months > 3"), "ftt?");
    assert_eq!(answers("months != 5"), "tft?");
    assert_eq!(answers("plan == \"x\""), "tf?t");
    assert_eq!(answers("plan == 'x' and months <= 5"), "tff?");
    assert_eq!(answers("left"), "tf?f");
    assert_eq!(answers("left == false"), "ft?t");
    assert_eq!(answers("day >= '2026-01-31' and day < '2026-02-28'"), "ttff");
    assert_eq!(answers("plan in ['x', 'z']"), "tf?t");
    assert_eq!(answers("months not in [1, -9, 9.0]"), "ftf?");
    assert_eq!(answers("left in [true]"), "tf?f");
    assert_eq!(answers("`a b\\`c` == 3"), "fftf");
}

#[test]
fn what_is_missing_is_unknown_unless_the_other_parts_decide() {
    assert_eq!(answers("months is null"), "ffft");
    assert_eq!(answers("months is not null"), "tttf");
    assert_eq!(answers("charge is null or months is null"), "fftt");
    assert_eq!(answers("months > 3 or charge < 0"), "fttt");
    assert_eq!(answers("months > 3 and charge < 0"), "ff??");
    assert_eq!(answers("not months > 3"), "tff?");
    assert_eq!(answers("(months > 3) is null"), "ffft");
}

#[test]
fn arithmetic_goes_from_left_to_right_and_products_first() {
    assert_eq!(answers("1 + 2 * 3 - 4 / 2 == 5"), "tttt");
    assert_eq!(answers("(1 + 2) * 3 == 9"), "tttt");
    assert_eq!(answers("8 / 2 / 2 == 2 and 1 - 1 - 1 == -1 and - -1 == 1"), "tttt");
    assert_eq!(answers("abs(charge) >= 1"), "tf?t");
    assert_eq!(answers("length(plan) + months * 2 == 3"), "tf??");
    assert_eq!(answers("months / charge > 0"), "t???");
    assert_eq!(answers("-charge < months"), "tt??");
    assert_eq!(answers("1e2 == 100 and .5 == 0.50"), "tttt");
}

#[test]
fn not_binds_more_than_and_and_that_more_than_or() {
    assert_eq!(answers("true or false and false"), "tttt");
    assert_eq!(answers("not true or true"), "tttt");
    assert_eq!(answers("not (true or true)"), "ffff");
    assert_eq!(answers("not not true"), "tttt");
}

#[test]
fn a_mistake_has_a_caret_under_what_is_meant() {
    assert_eq!(told("plan = \"x\""), "`=` is not understood: write `==`\n  plan = \"x\"\n       ^");
    assert_eq!(
        told("months > "),
        "expected a column, a number or a text, found the end\n  months > \n           ^"
    );
    let texts = [
        ("", "the condition is empty"),
        ("months > 3 months", "expected the end, `and` or `or`, found `months`"),
        ("1 < months < 5", "two comparisons in a row: join them by `and`"),
        ("plan == 'x", "the ' that is opened here is never closed"),
        ("plan == 'a\\n'", "`\\n` is not understood: write `\\\\` for a `\\`"),
        ("a && b", "`&&` is not understood: write `and`"),
        ("months in (1, 2)", "expected `[`, found `(`"),
        ("months in []", "expected a number, a text, `true` or `false`, found `]`"),
        ("months in [-'a']", "expected a number, a text, `true` or `false`"),
        ("months not 3", "expected `in`, found the number 3"),
        ("months is 3", "expected `null`, found the number 3"),
        ("sqrt(months) > 1", "no function is named `sqrt`: known are abs, length"),
        ("(months > 3", "expected `)`, found the end"),
        ("3_000 > 1", "`3_000` is no number"),
        ("1e999 > 1", "`1e999` is no number"),
        ("monts > 3", "no column is named `monts`; there are plan, months"),
        ("months", "a condition is true or false, and this is a number"),
        ("plan > 3", "a text is compared with a number"),
        ("plan in [3]", "a text is looked for among numbers"),
        ("plan + 1 > 2", "expected a number, found a text"),
        ("length(months) > 1", "expected a text, found a number"),
        ("months and left", "expected true or false, found a number"),
    ];
    for (source, expected) in texts {
        let told = told(source);
        assert!(told.starts_with(expected), "{source}: {told}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_and_what_is_long_is_not() {
    assert!(told(&"a".repeat(MAX_BYTES + 1)).contains("at most 10000 are read"));
    for (open, close) in [("(", ")"), ("not ", ""), ("-", ""), ("abs(", ")")] {
        let nested = |n: usize| format!("{}months{} > 0", open.repeat(n), close.repeat(n));
        let nested =
            |n| if open == "not " { nested(n).replace("months > 0", "left") } else { nested(n) };
        assert!(told(&nested(65)).starts_with("nested more than 64 deep"), "{open}");
        assert_eq!(answers(&nested(64)).len(), 4, "{open}");
    }
    let long = format!("{}left", "left and ".repeat(1000));
    assert_eq!(answers(&long), "tf?f");
    assert_eq!(answers(&format!("{}1 == 2001", "1+".repeat(2000))), "tttt");
}

#[test]
fn the_columns_of_a_condition_are_told_once_each() {
    let condition = Condition::parse("b > a and abs(b) in [1] or `c d` is null").unwrap();
    assert_eq!(condition.columns(), ["b", "a", "c d"]);
}

/// Conditions over the columns of the table, as texts.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("left".to_owned()),
        Just("true".to_owned()),
        (-9..9i32).prop_map(|n| format!("months > {n}")),
        (-9..9i32).prop_map(|n| format!("charge * 2 - {n} <= months")),
        "[xyz]".prop_map(|text| format!("plan in ['{text}', 'x']")),
        Just("charge is null".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in prop_oneof![
        "\\PC{0,40}",
        "([a-c]|and|or|not|in|is|null|true|[0-9.e]{1,4}|==|<|>=|[-+*/()\\[\\],\"'`\\\\]| ){0,20}",
    ]) {
        match Condition::parse(&source) {
            Ok(condition) => drop(condition.answers(&table()).map_err(|error| error.to_string())),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn the_laws_of_three_valued_logic_hold(a in condition(), b in condition()) {
        prop_assert_eq!(answers(&format!("not ({a} and {b})")), answers(&format!("not {a} or not {b}")));
        prop_assert_eq!(answers(&format!("not not ({a})")), answers(&a));
        prop_assert_eq!(answers(&format!("({a}) and ({b})")), answers(&format!("({b}) and ({a})")));
        let known = answers(&format!("({a}) is not null"));
        let agrees = |(a, known): (char, char)| (a != '?') == (known == 't');
        prop_assert!(answers(&a).chars().zip(known.chars()).all(agrees));
    }
}
