//! Intervals and tests of significance are those of SciPy, statsmodels and of DeLong's definition.

use proptest::prelude::*;
use serde_json::Value;

use super::delong::{self, Placements};
use super::*;
use crate::ml::random::Random;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/comparison.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_near(what: &str, found: f64, expected: f64) {
    let error = (found - expected).abs();
    assert!(error <= 1e-10 * expected.abs().max(1e-12), "{what}: {found}, not {expected}");
}

#[test]
fn the_normal_distribution_is_scipys() {
    let golden = golden();
    let check = |name: &str, function: fn(f64) -> f64| {
        for pair in golden[name].as_array().unwrap() {
            let [x, expected] = numbers(pair).try_into().unwrap();
            assert_near(&format!("{name} {x}"), function(x), expected);
        }
    };
    check("critical", normal::critical);
    check("two_sided", normal::two_sided);
    check("chi_squared_tail", normal::chi_squared_tail);
    assert_eq!(normal::critical(0.0), 0.0);
}

#[test]
fn delongs_variance_interval_and_test_are_those_of_the_definition() {
    for case in golden()["delong"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let labels: Vec<u8> = serde_json::from_value(case["labels"].clone()).unwrap();
        let labels: Vec<bool> = labels.iter().map(|label| *label == 1).collect();
        let models = ["a", "b"].map(|key| Placements::new(&labels, &numbers(&case[key])));
        for (i, model) in models.iter().enumerate() {
            assert_near(name, model.auc().unwrap(), case["auc"][i].as_f64().unwrap());
            assert_near(name, model.variance().unwrap(), case["variance"][i].as_f64().unwrap());
            let Interval { low, high } = model.interval(0.95).unwrap();
            let expected = numbers(&case["intervals"][i]);
            assert_near(name, low, expected[0]);
            assert_near(name, high, expected[1]);
        }
        let paired = models[0].against(&models[1], 0.95).unwrap();
        let expected = numbers(&case["difference_interval"]);
        assert!((paired.difference - case["difference"].as_f64().unwrap()).abs() < 1e-12);
        assert!((paired.interval.low - expected[0].max(-1.0)).abs() < 1e-10, "{name}");
        assert!((paired.interval.high - expected[1].min(1.0)).abs() < 1e-10, "{name}");
        // The oracle subtracts variances that are nearly equal, so it is not exact itself.
        assert!((paired.z / case["z"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{name}");
        assert!((paired.p / case["p"].as_f64().unwrap() - 1.0).abs() < 1e-8, "{name}");
    }
}

#[test]
fn mcnemars_test_is_that_of_statsmodels() {
    for case in golden()["mcnemar"].as_array().unwrap() {
        let [a, b] = ["only_a", "only_b"].map(|key| case[key].as_u64().unwrap());
        let found = McNemar::new(a, b);
        assert_near(&format!("{a} {b}"), found.p, case["p"].as_f64().unwrap());
        assert_eq!(found.chi_squared.is_some(), a + b >= 25);
        if let Some(chi_squared) = found.chi_squared {
            assert_near(&format!("{a} {b}"), chi_squared, case["chi_squared"].as_f64().unwrap());
        }
    }
    assert_eq!(McNemar::new(40, 40).p, 1.0);
    let found = McNemar::of(&[true, true, false], &[true, false, false], &[false, true, false]);
    assert_eq!((found.only_a, found.only_b), (1, 1));
}

#[test]
fn holms_correction_is_that_of_statsmodels_and_leaves_out_what_was_not_tested() {
    for case in golden()["holm"].as_array().unwrap() {
        let p: Vec<Option<f64>> = numbers(&case["p"]).into_iter().map(Some).collect();
        for (found, expected) in holm(&p).iter().zip(numbers(&case["adjusted"])) {
            assert_near("holm", found.unwrap(), expected);
        }
    }
    assert_eq!(holm(&[Some(0.25), None, Some(0.125)]), [Some(0.25), None, Some(0.25)]);
}

#[test]
fn quantiles_are_numpys() {
    for case in golden()["quantiles"].as_array().unwrap() {
        let values = numbers(&case["values"]);
        for (at, expected) in numbers(&case["at"]).into_iter().zip(numbers(&case["quantiles"])) {
            assert_near(&format!("{at} of {}", values.len()), quantile(&values, at), expected);
        }
    }
    assert_eq!(quantile(&[], 0.5), 0.0);
}

#[test]
fn what_the_rows_cannot_tell_has_no_interval_and_says_why() {
    let labels = [true, true, false, false];
    let separated = Placements::new(&labels, &[0.9, 0.8, 0.2, 0.1]);
    assert_eq!(separated.interval(0.95), Err(delong::NO_SPREAD));
    assert_eq!(Placements::new(&labels, &[0.5; 4]).interval(0.95), Err(delong::NO_SPREAD));
    assert_eq!(Placements::new(&[true, false], &[0.1, 0.9]).variance(), Err(delong::FEW));
    assert_eq!(Placements::new(&[true, true], &[0.1, 0.9]).auc(), Err(ONE_CLASS));
    let constant = Placements::new(&labels, &[0.5; 4]);
    assert_eq!(separated.against(&constant, 0.95), Err(delong::NO_SPREAD));
    let same = separated.against(&separated, 0.95).unwrap();
    assert_eq!((same.difference, same.z, same.p), (0.0, 0.0, 1.0));
}

/// Rows of which the positive ones score higher by a standard deviation or two.
fn drawn(random: &mut Random, n: usize) -> (Vec<bool>, Vec<f64>) {
    let labels: Vec<bool> = (0..n).map(|_| random.uniform() < 0.3).collect();
    let score = |label: &bool| {
        // The sum of twelve is nearly normal.
        let noise: f64 = (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0;
        let shift = if *label { 1.2 } else { 0.0 };
        1.0 / (1.0 + libm::exp(-(noise + shift)))
    };
    let scores = labels.iter().map(score).collect();
    (labels, scores)
}

#[test]
fn nineteen_of_twenty_intervals_hold_the_true_area() {
    let mut random = Random::new([9; 32]);
    let (labels, scores) = drawn(&mut random, 100_000);
    let truth = Curve::new(&labels, &scores).roc_auc().unwrap();
    let mut holds = || {
        let (labels, scores) = drawn(&mut random, 120);
        Placements::new(&labels, &scores).interval(0.95).is_ok_and(|i| i.holds(truth))
    };
    let n_held = (0..1000).filter(|_| holds()).count();
    // Three standard errors of a fraction of 0.95 in 1000 draws, and as much again for 120 rows.
    assert!((925..=975).contains(&n_held), "{n_held} of 1000");
}

fn rows() -> impl Strategy<Value = Vec<(bool, f64, f64)>> {
    let score = || prop_oneof![0.0..=1.0, (0_u8..=4).prop_map(|k| f64::from(k) / 4.0)];
    proptest::collection::vec((any::<bool>(), score(), score()), 4..40)
}

proptest! {
    #[test]
    fn the_order_of_rows_and_who_is_asked_first_change_no_bit(
        rows in rows(), seed in any::<[u8; 32]>(),
    ) {
        let placements = |rows: &[(bool, f64, f64)]| {
            let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let a: Vec<f64> = rows.iter().map(|row| row.1).collect();
            let b: Vec<f64> = rows.iter().map(|row| row.2).collect();
            prop_assert_eq!(Placements::new(&labels, &a).auc(), Curve::new(&labels, &a).roc_auc());
            Ok((Placements::new(&labels, &a), Placements::new(&labels, &b)))
        };
        let mut shuffled = rows.clone();
        Random::new(seed).shuffle(&mut shuffled);
        let (a, b) = placements(&rows)?;
        let (a2, b2) = placements(&shuffled)?;
        prop_assert_eq!(a.interval(0.9), a2.interval(0.9));
        prop_assert_eq!(a.against(&b, 0.9), a2.against(&b2, 0.9));
        let (there, back) = (a.against(&b, 0.9), b.against(&a, 0.9));
        if let (Ok(there), Ok(back)) = (there, back) {
            prop_assert_eq!((there.p, there.z), (back.p, -back.z));
        }
    }

    #[test]
    fn an_interval_of_the_area_holds_it_and_stays_within_0_and_1(rows in rows()) {
        let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let placements = Placements::new(&labels, &scores);
        if let Ok(interval) = placements.interval(0.95) {
            prop_assert!(interval.holds(placements.auc().unwrap()));
            prop_assert!(interval.low >= 0.0 && interval.high <= 1.0);
        }
    }
}
