//! Tests of splits, each from the definition of its method.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ml::table::Values;
use proptest::prelude::*;

const FRACTIONS: [f64; 3] = [0.6, 0.2, 0.2];

/// Rows named by the numbers, one in three of class `yes`.
fn table(ids: &[i64]) -> Table {
    let class = |id: &i64| Some(if id % 3 == 0 { "yes" } else { "no" }.to_owned());
    Table::new(vec![
        Column::new("id", Values::Integer(ids.iter().copied().map(Some).collect())),
        Column::new("left", Values::Text(ids.iter().map(class).collect())),
        Column::new("x", Values::Number(ids.iter().map(|id| *id as f64 / 7.0).collect())),
    ])
    .unwrap()
}

fn plan(table: &Table, has_ids: bool) -> Plan<'_> {
    let target = table.column("left");
    let ids = table.column("id").filter(|_| has_ids).into_iter().collect();
    Plan {
        fractions: FRACTIONS,
        method: Method::Random,
        seed: [7; 32],
        ids,
        stratify: target,
        target,
        has_classes: true,
    }
}

/// The side of each row, by the row's number.
fn sides_by_id(ids: &[i64], has_ids: bool) -> BTreeMap<i64, usize> {
    let table = table(ids);
    let (sides, _) = split(&table, &plan(&table, has_ids)).unwrap();
    let of_side = |side: usize| sides[side].iter().map(move |row| (ids[*row], side));
    (0..3).flat_map(of_side).collect()
}

#[test]
fn every_row_is_on_one_side_in_the_order_of_the_table() {
    let table = table(&(0..1000).collect::<Vec<_>>());
    let (sides, report) = split(&table, &plan(&table, true)).unwrap();
    assert!(sides.iter().all(|rows| rows.is_sorted()));
    let mut all = sides.concat();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(report.sides[0].rows, sides[0].len());
    assert!(report.sides.iter().all(|side| side.deviations.abs() < 4.0), "{report:?}");
    assert_eq!(report.strata.len(), 2);
    assert_eq!(report.strata.iter().map(|stratum| stratum.rows).sum::<usize>(), 1000);
}

#[test]
fn the_sides_are_the_same_in_every_version() {
    let table = table(&(0..200).collect::<Vec<_>>());
    let (sides, _) = split(&table, &plan(&table, true)).unwrap();
    assert_eq!(sides[2][..8], [5, 18, 19, 29, 36, 41, 52, 58]);
}

#[test]
fn equal_rows_share_a_side_and_are_counted() {
    let ids: Vec<i64> = (0..300).chain(0..300).collect();
    let table = table(&ids);
    let (sides, report) = split(&table, &plan(&table, false)).unwrap();
    assert_eq!(report.repeated_rows, 300);
    for rows in &sides {
        let (first, again): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| **row < 300);
        assert_eq!(first, again.iter().map(|row| row - 300).collect::<Vec<_>>());
    }
}

#[track_caller]
fn refuses(table: &Table, expected: &str) {
    let told = split(table, &plan(table, true)).unwrap_err().to_string();
    assert!(told.contains(expected), "{told}");
}

#[test]
fn an_id_that_is_missing_or_repeated_is_refused_with_its_rows() {
    refuses(&table(&[1, 2, 3, 2]), "rows 2 and 4 are both `2`");
    let mut columns = table(&[1, 2, 3]).columns().to_vec();
    columns[0].values = Values::Integer(vec![Some(1), None, Some(3)]);
    refuses(&Table::new(columns).unwrap(), "row 2 without a value of `id`");
}

#[test]
fn a_side_without_rows_or_without_a_class_is_refused() {
    refuses(&table(&[1, 2]), "no row fell into");
    let mut columns = table(&(0..100).collect::<Vec<_>>()).columns().to_vec();
    let rare = |row: usize| Some(if row == 0 { "yes" } else { "no" }.to_owned());
    columns[1].values = Values::Text((0..100).map(rare).collect());
    refuses(&Table::new(columns.clone()).unwrap(), "no row of class `yes` of `left` fell into");
    columns[1].values = Values::Text((0..100).map(|row| rare(row).filter(|_| row != 4)).collect());
    refuses(&Table::new(columns).unwrap(), "row 5 without a value of the target `left`");
}

/// Rows of groups of 1 to 5 rows, each with a day, in an order that is not that of time.
fn grouped() -> Table {
    let ids: Vec<i64> = (0..600).collect();
    let mut columns = table(&ids).columns().to_vec();
    let group = |id: &i64| Some(format!("g{}", id / (1 + id % 5)));
    columns.push(Column::new("group", Values::Text(ids.iter().map(group).collect())));
    let day = |id: &i64| {
        let at = id * 337 % 600;
        Some(format!("2026-{:02}-{:02}", 1 + at / 50, 1 + at / 2 % 25))
    };
    columns.push(Column::new("day", Values::Text(ids.iter().map(day).collect())));
    Table::new(columns).unwrap()
}

fn plan_by<'a>(table: &'a Table, method: Method<'a>) -> Plan<'a> {
    Plan { method, stratify: None, ..plan(table, true) }
}

#[test]
fn rows_of_a_group_are_never_on_two_sides() {
    let table = grouped();
    let by = table.column("group").unwrap();
    let (sides, report) = split(&table, &plan_by(&table, Method::Group(by))).unwrap();
    let groups: Vec<BTreeSet<_>> =
        sides.iter().map(|rows| rows.iter().map(|row| by.text(*row)).collect()).collect();
    for (at, groups_of_side) in groups.iter().enumerate() {
        assert!(groups[at + 1..].iter().all(|other| other.is_disjoint(groups_of_side)));
        assert_eq!(report.sides[at].groups, Some(groups_of_side.len()));
    }
    assert_eq!(sides.iter().map(Vec::len).sum::<usize>(), 600);
    assert_eq!(report.group.as_deref(), Some("group"));
    assert!(report.sides.iter().all(|side| side.deviations.abs() < 4.0), "{report:?}");
    let binomial = (600.0 * 0.6 * 0.4f64).sqrt();
    assert!(report.sides[0].standard_deviation > 1.2 * binomial, "groups vary more than rows");
}

#[test]
fn by_time_every_side_is_older_than_the_next_and_a_moment_is_not_divided() {
    let table = grouped();
    let by = table.column("day").unwrap();
    let (sides, report) = split(&table, &plan_by(&table, Method::Time(by))).unwrap();
    let days = |side: usize| sides[side].iter().map(|row| by.text(*row).unwrap());
    for side in [0, 1] {
        assert!(days(side).max().unwrap() < days(side + 1).min().unwrap());
    }
    for (at, side) in report.sides.iter().enumerate() {
        let expected = [days(at).min().unwrap(), days(at).max().unwrap()];
        assert_eq!(side.span.as_ref(), Some(&expected));
        assert!((side.rows as f64 - side.expected).abs() <= 2.0, "up to one moment: {side:?}");
        assert_eq!(side.standard_deviation, 0.0);
    }
}

#[test]
fn by_time_shares_are_exact_when_every_moment_is_one_row() {
    let table = table(&(0..10).rev().collect::<Vec<_>>());
    let method = Method::Time(table.column("id").unwrap());
    let plan = Plan { target: None, ..plan_by(&table, method) };
    let (sides, report) = split(&table, &plan).unwrap();
    assert_eq!(sides, [vec![4, 5, 6, 7, 8, 9], vec![2, 3], vec![0, 1]]);
    assert_eq!(report.sides[2].span, Some(["8".to_owned(), "9".to_owned()]));
}

#[test]
fn every_row_is_in_the_test_side_of_exactly_one_fold() {
    let table = grouped();
    for group in [None, table.column("group")] {
        let mut tested = vec![0; 600];
        for fold in 0..5 {
            let method = Method::Fold { folds: 5, fold, group };
            let fractions = [0.64, 0.16, 0.2];
            let plan = Plan { fractions, ..plan_by(&table, method) };
            let (sides, report) = split(&table, &plan).unwrap();
            sides[2].iter().for_each(|row| tested[*row] += 1);
            assert_eq!(sides.iter().map(Vec::len).sum::<usize>(), 600);
            assert!(report.sides.iter().all(|side| side.deviations.abs() < 4.0), "{report:?}");
            if let Some(by) = group {
                let of = |side: usize| sides[side].iter().map(|row| by.text(*row)).collect();
                let of: [BTreeSet<_>; 3] = [of(0), of(1), of(2)];
                assert!(of[0].is_disjoint(&of[1]) && of[0].is_disjoint(&of[2]));
                assert!(of[1].is_disjoint(&of[2]));
            }
        }
        assert!(tested.iter().all(|times| *times == 1));
    }
}

#[test]
fn another_seed_gives_other_folds() {
    let table = grouped();
    let test = |seed: u8| {
        let method = Method::Fold { folds: 5, fold: 0, group: None };
        let plan = Plan { seed: [seed; 32], ..plan_by(&table, method) };
        split(&table, &plan).unwrap().0[2].clone()
    };
    assert_ne!(test(1), test(2));
}

#[test]
fn a_row_without_a_group_or_moment_is_named() {
    let table = grouped();
    let mut columns = table.columns().to_vec();
    let with = |column: &Column, row: usize, text: Option<&str>| {
        let texts = (0..column.len()).map(|at| column.text(at).filter(|_| at != row));
        let mut texts: Vec<Option<String>> = texts.collect();
        texts[row] = text.map(str::to_owned);
        Values::Text(texts.into())
    };
    columns[3].values = with(&columns[3], 4, None);
    columns[4].values = with(&columns[4], 2, Some("1.2.2026"));
    let table = Table::new(columns).unwrap();
    let told = |method| split(&table, &plan_by(&table, method)).unwrap_err().to_string();
    let group = told(Method::Group(table.column("group").unwrap()));
    assert!(group.starts_with("row 5 without a value of `group`"), "{group}");
    let day = told(Method::Time(table.column("day").unwrap()));
    assert!(day.starts_with("row 3 has of `day` no date as 2026-11-25"), "{day}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_row_that_is_added_moves_no_other(
        added in 10_000i64..20_000, at in 0usize..400, has_ids in any::<bool>()) {
        let mut ids: Vec<i64> = (0..400).collect();
        let before = sides_by_id(&ids, has_ids);
        ids.insert(at, added);
        let mut after = sides_by_id(&ids, has_ids);
        after.remove(&added);
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_target_of_numbers_has_no_classes_but_no_row_may_lack_it() {
    let ids: Vec<i64> = (0..500).collect();
    let number = |i: usize| Some(i as f64 * 0.5);
    let with = |prices: Vec<Option<f64>>| {
        let values = prices.into_iter().map(|price| price.unwrap_or(f64::NAN)).collect();
        let price = Column::new("price", Values::Number(values));
        Table::new(vec![
            Column::new("id", Values::Integer(ids.iter().copied().map(Some).collect())),
            price,
        ])
        .unwrap()
    };
    let split_by_number = |table: &Table, has_classes: bool| {
        let target = table.column("price");
        let plan = Plan { target, stratify: None, has_classes, ..plan(table, true) };
        split(table, &plan).map(|(sides, _)| sides.map(|rows| rows.len()))
    };
    let table = with((0..500).map(number).collect());
    assert_eq!(split_by_number(&table, false).unwrap().iter().sum::<usize>(), 500);
    let wrong = split_by_number(&table, true).unwrap_err().to_string();
    assert!(wrong.contains("500 values"), "{wrong}");
    let gap = with((0..500).map(|i| number(i).filter(|_| i != 7)).collect());
    let wrong = split_by_number(&gap, false).unwrap_err().to_string();
    assert!(wrong.starts_with("row 8 without a value of the target `price`"), "{wrong}");
}
