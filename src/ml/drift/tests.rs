//! Tests of drift: the measures against scipy's, the decisions against their rules.

use serde_json::Value;

use super::*;
use crate::ml::profile::{Limits, profile};
use crate::ml::schema::Roles;
use crate::ml::table::Values;

fn numbers(values: Vec<f64>) -> Table {
    Table::new(vec![Column::new("x", Values::Number(values))]).unwrap()
}

fn texts(texts: &[&str]) -> Table {
    let texts = texts.iter().map(|text| Some((*text).to_owned())).collect();
    Table::new(vec![Column::new("x", Values::Text(texts))]).unwrap()
}

fn profiled(table: &Table) -> Profile {
    profile(table, &Roles::new(), Limits::default()).0
}

/// The drift of the only column.
fn of(reference: &Table, table: &Table) -> ColumnDrift {
    drift(&profiled(reference), table, &Bounds::default()).columns.remove(0)
}

#[test]
fn measures_are_those_of_scipy_over_the_bins_of_the_reference() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../tests/golden/profile.json")).unwrap();
    let list = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    for case in golden["drifts"].as_array().unwrap() {
        let found = of(&numbers(list(&case["reference"])), &numbers(list(&case["table"])));
        let told = serde_json::to_value(found.measures.unwrap()).unwrap();
        for key in [
            "psi",
            "psi_p_value",
            "jensen_shannon",
            "chi_square",
            "chi_square_p_value",
            "ks",
            "ks_p_value",
            "wasserstein",
        ] {
            let (ours, theirs) = (told[key].as_f64().unwrap(), case[key].as_f64().unwrap());
            assert!(
                (ours - theirs).abs() / theirs.abs().max(1.0) < 1e-12,
                "{key}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn a_table_has_not_moved_from_itself_and_order_has_no_say() {
    let values: Vec<f64> = (0..500).map(|i| f64::from(i * 7919 % 501)).collect();
    let reversed = numbers(values.iter().rev().copied().collect());
    let found = of(&numbers(values.clone()), &reversed);
    let measures = found.measures.unwrap();
    assert!(!found.is_drifted && found.outside == 0 && found.test == Test::Ks);
    assert_eq!((measures.psi, measures.ks, measures.wasserstein), (0.0, Some(0.0), Some(0.0)));
    assert_eq!((measures.psi_p_value, measures.jensen_shannon), (1.0, 0.0));
}

#[test]
fn a_large_reference_is_judged_by_distance_and_a_small_one_by_chance() {
    let line =
        |n: i32, shift: f64| numbers((0..n).map(|i| f64::from(i) / f64::from(n) + shift).collect());
    let small = of(&line(100, 0.0), &line(100, 0.05));
    assert!(small.test == Test::Ks && !small.is_drifted, "{small:?}");
    let large = of(&line(2000, 0.0), &line(2000, 0.05));
    assert!(large.test == Test::Wasserstein && large.is_drifted, "{large:?}");
    let near = of(&line(2000, 0.0), &line(2000, 0.01));
    assert!(!near.is_drifted, "{near:?}");
}

#[test]
fn a_new_value_and_another_mix_are_drift_of_categories() {
    let mix = |a: usize, b: usize| texts(&[vec!["a"; a], vec!["b"; b]].concat());
    assert!(!of(&mix(50, 50), &mix(26, 24)).is_drifted);
    let moved = of(&mix(50, 50), &mix(45, 5));
    assert!(moved.is_drifted && moved.test == Test::ChiSquare && moved.outside == 0, "{moved:?}");
    let new = of(&mix(50, 50), &texts(&[vec!["a"; 20], vec!["b"; 20], vec!["c"; 10]].concat()));
    assert!(new.is_drifted && new.outside == 10, "{new:?}");
    assert_eq!(new.measures.unwrap().ks, None, "categories have no order");
}

#[test]
fn a_column_that_changed_its_type_has_drifted_and_lost_and_new_ones_are_told() {
    let found = of(&numbers(vec![1.0, 2.0, 3.5]), &texts(&["a", "b"]));
    assert!(found.is_drifted && found.measures.is_none() && found.outside == 2);
    let other = Table::new(vec![Column::new("y", Values::Number(vec![1.0]))]).unwrap();
    let found = drift(&profiled(&numbers(vec![1.0, 2.0])), &other, &Bounds::default());
    assert_eq!(
        (found.missing_columns, found.new_columns),
        (vec!["x".to_owned()], vec!["y".to_owned()])
    );
    assert!(!found.is_drift && found.columns.is_empty());
}
