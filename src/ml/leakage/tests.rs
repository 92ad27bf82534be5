//! Tests of the checks: each finds what was planted, and nothing where nothing was.

use std::collections::BTreeMap;

use super::*;
use crate::ml::random::Random;
use crate::ml::table::Values;

const ROWS: usize = 200;

/// A sound table: a key, two features that say something but not everything, a target.
fn columns(seed: u8) -> Vec<Column> {
    let mut random = Random::new([seed; 32]);
    let left: Vec<bool> = (0..ROWS).map(|_| random.uniform() < 0.3).collect();
    let usage = left.iter().map(|left| random.uniform() + if *left { 0.3 } else { 0.0 });
    let usage: Vec<f64> = usage.collect();
    let plan = |_| Some(["a", "b", "c"][random.below(3) as usize].to_owned());
    let plan: Vec<_> = (0..ROWS).map(plan).collect();
    let key = |row: usize| Some(format!("{seed}-{row}"));
    vec![
        Column::new("key", Values::Text((0..ROWS).map(key).collect())),
        Column::new("usage", Values::Number(usage)),
        Column::new("plan", Values::Text(plan.into())),
        Column::new("left", Values::Boolean(left.into_iter().map(Some).collect())),
    ]
}

fn roles() -> Roles {
    let role = |name: &str, role| (name.to_owned(), vec![role]);
    BTreeMap::from([role("key", Role::Id), role("left", Role::Target)])
}

fn outcomes(table: &Table, sides: &[(&'static str, Table)]) -> Vec<CheckOutcome> {
    let asked = |check: &Check| Asked {
        check: check.name.to_owned(),
        bound: None,
        severity: Severity::Warning,
    };
    let asked: Vec<_> = CHECKS.iter().map(asked).collect();
    let roles = roles();
    check(&Subject { table, roles: &roles, sides, max_categories: 20 }, &asked)
}

/// The checks that find something, with the first thing that they tell.
fn found(table: &Table, sides: &[(&'static str, Table)]) -> Vec<String> {
    let outcomes = outcomes(table, sides);
    outcomes.iter().filter(|outcome| !outcome.success).map(CheckOutcome::sentence).collect()
}

fn table(columns: Vec<Column>) -> Table {
    Table::new(columns).unwrap()
}

#[test]
fn nothing_is_found_in_a_sound_table_and_its_sides() {
    let sound = table(columns(1));
    let rows: Vec<usize> = (0..ROWS).collect();
    let sides = [
        ("train", sound.take(&rows[..120])),
        ("validation", sound.take(&rows[120..160])),
        ("test", sound.take(&rows[160..])),
    ];
    assert_eq!(found(&sound, &sides), [] as [&str; 0]);
    let names: Vec<_> = outcomes(&sound, &sides).into_iter().map(|outcome| outcome.check).collect();
    assert_eq!(names, CHECKS.iter().map(|check| check.name).collect::<Vec<_>>());
    let alone: Vec<_> = outcomes(&sound, &[]).into_iter().map(|outcome| outcome.check).collect();
    assert_eq!(alone, names[..5], "without sides their checks are left out");
}

#[test]
fn a_column_of_one_value_and_one_that_names_rows_are_told() {
    let mut with = columns(1);
    with.push(Column::new("country", Values::Text(vec![Some("NG"); ROWS].into())));
    with.push(Column::new("order", Values::Integer((0..ROWS as i64).map(Some).collect())));
    let told = found(&table(with), &[]);
    assert_eq!(
        told,
        [
            "is_single_value: `country` is \"NG\" in every row that has a value",
            "identifier_features: `order` has a value of its own in 100.00 % of rows: give it the \
             role `id` or `ignore`",
        ]
    );
}

#[test]
fn features_that_give_the_target_away_are_told_whatever_their_type() {
    let base = columns(1);
    let Values::Boolean(left) = base[3].values.clone() else { panic!("not the target") };
    let left: Vec<bool> = left.into_iter().flatten().collect();
    let number = |left: &bool| if *left { -1.0 } else { 2.0 };
    let text = |left: &bool| Some(if *left { "closed" } else { "open" }.to_owned());
    let ended = |(row, left): (usize, &bool)| left.then_some(row as i64 % 7);
    let leaks = [
        Values::Number(left.iter().map(number).collect()),
        Values::Text(left.iter().map(text).collect()),
        Values::Boolean(left.iter().copied().map(Some).collect()),
        Values::Integer(left.iter().enumerate().map(ended).collect()),
    ];
    for values in leaks {
        let mut with = columns(1);
        with.push(Column::new("leak", values));
        let told = found(&table(with), &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        let expected = "feature_label_correlation: `leak` alone tells the target with a score of ";
        assert!(told[0].starts_with(expected), "{told:?}");
        assert!(told[0][expected.len()..].parse::<f64>().unwrap() > 0.97, "{told:?}");
    }
}

#[test]
fn a_number_that_is_the_target_of_a_regression_is_told() {
    let mut random = Random::new([4; 32]);
    let target: Vec<f64> = (0..ROWS).map(|_| random.uniform()).collect();
    let noise: Vec<f64> = (0..ROWS).map(|_| random.uniform()).collect();
    let leak = target.iter().map(|value| 7.0 - value * value).collect();
    let told = found(
        &table(vec![
            Column::new("left", Values::Number(target)),
            Column::new("noise", Values::Number(noise)),
            Column::new("leak", Values::Number(leak)),
            Column::new("key", columns(1)[0].values.clone()),
        ]),
        &[],
    );
    let expected = "feature_label_correlation: `leak` alone tells the target with a score of 1.000";
    assert_eq!(told, [expected]);
}

#[test]
fn duplicates_and_conflicting_labels_are_counted() {
    let sound = table(columns(1));
    let mut rows: Vec<usize> = (0..ROWS).collect();
    rows.extend(0..20);
    let told = found(&sound.take(&rows), &[]);
    let expected = "data_duplicates: 20 of 220 rows (9.09 %) have the features and the target of \
                    an earlier row";
    assert_eq!(told, [expected]);
    rows.truncate(ROWS + 2);
    let mut doubled = sound.take(&rows).columns().to_vec();
    let Values::Boolean(left) = &mut doubled[3].values else { panic!("not the target") };
    left[ROWS] = left[ROWS].map(|left| !left);
    let told = found(&table(doubled), &[]);
    let expected = "conflicting_labels: 2 of 202 rows (0.99 %) have the features of another row \
                    and another `left`, the first of them in rows 1, 201";
    assert_eq!(told, [expected]);
}

#[test]
fn what_sides_share_or_have_new_is_told_with_the_sides() {
    let sound = table(columns(1));
    let rows: Vec<usize> = (0..ROWS).collect();
    let mut test = rows[150..].to_vec();
    test.extend(0..10);
    let mut strange = sound.take(&test).columns().to_vec();
    let rest = (1..strange[2].len()).map(|row| strange[2].text(row));
    let plan = std::iter::once(Some("new".to_owned())).chain(rest).collect();
    strange[2].values = Values::Text(plan);
    let sides = [("train", sound.take(&rows[..150])), ("test", table(strange))];
    let told = found(&sound, &sides);
    assert_eq!(
        told,
        [
            "train_test_samples_mix: 10 of 60 rows (16.67 %) of test have the features and the \
             target of a row of train",
            "index_train_test_leakage: 10 of 60 rows (16.67 %) of test have the id of a row of \
             train",
            "category_mismatch_train_test: 1 of 60 rows (1.67 %) of test have a value of `plan` \
             that train does not have: `new`",
        ]
    );
    let stayed: Vec<usize> = rows[..150]
        .iter()
        .copied()
        .filter(|row| sound.column("left").unwrap().number(*row) == Some(0.0))
        .collect();
    let told = found(&sound, &[("train", sound.take(&stayed)), ("test", sound.take(&rows[150..]))]);
    assert!(
        told[0].starts_with("new_label_train_test: ") && told[0].ends_with("`true`"),
        "{told:?}"
    );
}

#[test]
fn a_bound_and_a_severity_are_as_asked_for() {
    let sound = table(columns(1));
    let roles = roles();
    let subject = Subject { table: &sound, roles: &roles, sides: &[], max_categories: 20 };
    let asked = Asked {
        check: "feature_label_correlation".to_owned(),
        bound: Some(0.0),
        severity: Severity::Error,
    };
    let outcome = check(&subject, &[asked]).remove(0);
    assert!(!outcome.success && outcome.severity == Severity::Error);
    assert_eq!(outcome.findings[0].about.as_deref(), Some("usage"), "worst first");
    assert!(outcome.worst == outcome.findings[0].value && outcome.worst < 0.8, "{outcome:?}");
}
