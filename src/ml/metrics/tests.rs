//! The values are scikit-learn's, and do not depend on the order of rows.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn the_values_are_scikit_learns() {
    let golden = include_str!("../../../tests/golden/metrics.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    for case in golden.as_array().unwrap() {
        let name = &case["name"];
        let labels: Vec<u8> = serde_json::from_value(case["labels"].clone()).unwrap();
        let labels: Vec<bool> = labels.iter().map(|label| *label == 1).collect();
        let scores: Vec<f64> = serde_json::from_value(case["scores"].clone()).unwrap();
        let scores = Curve::new(&labels, &scores).scores(case["threshold"].as_f64().unwrap());
        for (metric, value) in &scores.values {
            match (value, case[metric.name()].as_f64()) {
                (Ok(value), Some(expected)) => {
                    assert!((value - expected).abs() < 1e-12, "{name} {metric:?} {value}");
                }
                (Err(_), None) => {}
                (value, expected) => panic!("{name} {metric:?}: {value:?}, not {expected:?}"),
            }
        }
        let Confusion { tn, fp, fn_, tp } = scores.confusion;
        let expected = &case["confusion"];
        for (key, count) in [("tn", tn), ("fp", fp), ("fn", fn_), ("tp", tp)] {
            assert_eq!(expected[key], count, "{name} {key}");
        }
    }
}

#[test]
fn a_metric_without_a_value_says_why() {
    let scores = Curve::new(&[], &[]).scores(0.5);
    assert_eq!(scores.values[&Metric::RocAuc], Err(ONE_CLASS));
    assert_eq!(scores.values[&Metric::LogLoss], Err(NO_ROWS));
    let scores = Curve::new(&[false], &[0.1]).scores(0.5);
    assert_eq!(scores.values[&Metric::Recall], Err(NO_POSITIVES));
    assert_eq!(scores.values[&Metric::Precision], Err(NONE_PREDICTED));
}

#[test]
fn names_and_metrics_match() {
    for metric in Metric::ALL {
        assert_eq!(Metric::of_name(metric.name()), Some(metric));
    }
    assert_eq!(Metric::of_name("auc"), None);
}

/// Recall rises 1/3, 2/3, 2/3, 1 from the highest score; precision 1, 1, 2/3, 3/4.
fn four() -> Curve {
    Curve::new(&[true, true, false, true], &[0.9, 0.8, 0.7, 0.6])
}

#[test]
fn a_threshold_is_chosen_by_its_rule() {
    let choose = |rule: ThresholdRule| rule.choose(&four()).unwrap();
    assert_eq!(choose(ThresholdRule::F1), 0.6);
    assert_eq!(choose(ThresholdRule::RecallAtLeast(0.5)), 0.8);
    assert_eq!(choose(ThresholdRule::RecallAtLeast(1.0)), 0.6);
    assert_eq!(choose(ThresholdRule::PrecisionAtLeast(0.9)), 0.8);
    assert_eq!(choose(ThresholdRule::PrecisionAtLeast(0.75)), 0.6);
    assert_eq!(choose(ThresholdRule::Fixed(0.25)), 0.25);
}

#[test]
fn of_equal_f1_the_highest_threshold_is_chosen() {
    // F1 is 2/3 from 0.9 on, 1/2 at 0.7 and 2/3 again at 0.6.
    let curve = Curve::new(&[true, false, false, true], &[0.9, 0.8, 0.7, 0.6]);
    assert_eq!(ThresholdRule::F1.choose(&curve), Ok(0.9));
}

#[test]
fn a_rule_that_nothing_keeps_is_told() {
    let curve = Curve::new(&[false, true], &[0.9, 0.1]);
    let error = ThresholdRule::PrecisionAtLeast(0.9).choose(&curve).unwrap_err();
    assert_eq!(error.to_string(), "no threshold keeps the rule `precision_at_least 0.9`");
    let error = ThresholdRule::F1.choose(&Curve::new(&[false], &[0.5])).unwrap_err();
    assert_eq!(error.to_string(), "no positive row to choose a threshold by");
}

const PROFIT: Profit = Profit { value: 100.0, cost: 10.0, success: 0.5, budget: None };

#[test]
fn profit_is_what_is_won_less_what_contacts_cost() {
    // 40 for each of the first two, 10 less for the third, and 40 again for the fourth.
    let gained = |threshold| PROFIT.of(&four().confusion(threshold));
    assert_eq!([0.9, 0.8, 0.7, 0.6].map(gained), [40.0, 80.0, 70.0, 110.0]);
    let choose = |budget| {
        let budget = Some(budget);
        ThresholdRule::Profit(Profit { budget, ..PROFIT }).choose(&four()).ok()
    };
    assert_eq!(ThresholdRule::Profit(PROFIT).choose(&four()), Ok(0.6));
    assert_eq!(choose(Budget { contacts: 3, per_rows: None }), Some(0.8));
    // 50 of 100 are 2 of 4; 20 of 100 would be less than one.
    assert_eq!(choose(Budget { contacts: 50, per_rows: Some(100) }), Some(0.8));
    assert_eq!(choose(Budget { contacts: 20, per_rows: Some(100) }), None);
}

#[test]
fn a_profit_that_nobody_makes_is_told() {
    let budget = Some(Budget { contacts: 3, per_rows: Some(50) });
    let rule = ThresholdRule::Profit(Profit { cost: 60.0, budget, ..PROFIT });
    let told = "no threshold gains anything by the rule `profit value 100, cost 60, success 0.5, \
                budget 3 per 50 rows`";
    assert_eq!(rule.choose(&four()).unwrap_err().to_string(), told);
}

fn rows() -> impl Strategy<Value = Vec<(bool, f64)>> {
    let score = prop_oneof![0.0..=1.0, (0_u8..=4).prop_map(|k| f64::from(k) / 4.0)];
    proptest::collection::vec((any::<bool>(), score), 0..40)
}

fn curve(rows: &[(bool, f64)]) -> Curve {
    let (labels, scores): (Vec<bool>, Vec<f64>) = rows.iter().copied().unzip();
    Curve::new(&labels, &scores)
}

proptest! {
    #[test]
    fn the_order_of_rows_changes_no_bit(rows in rows(), seed in any::<[u8; 32]>()) {
        let mut shuffled = rows.clone();
        crate::ml::random::Random::new(seed).shuffle(&mut shuffled);
        prop_assert_eq!(curve(&rows).scores(0.4), curve(&shuffled).scores(0.4));
    }

    #[test]
    fn every_value_is_a_finite_number_in_its_range(rows in rows(), threshold in 0.0..=1.0) {
        for (metric, value) in curve(&rows).scores(threshold).values {
            if let Ok(value) = value {
                let most = if metric == Metric::LogLoss { 37.0 } else { 1.0 + 1e-12 };
                prop_assert!((0.0..=most).contains(&value), "{:?} {}", metric, value);
            }
        }
    }

    #[test]
    fn ranks_are_those_of_counted_pairs(rows in rows()) {
        let mut wins = 0.0;
        let mut pairs = 0.0;
        for (_, positive) in rows.iter().filter(|row| row.0) {
            for (_, negative) in rows.iter().filter(|row| !row.0) {
                pairs += 1.0;
                wins += match positive.total_cmp(negative) {
                    Ordering::Greater => 1.0,
                    Ordering::Equal => 0.5,
                    Ordering::Less => 0.0,
                };
            }
        }
        match curve(&rows).roc_auc() {
            Ok(auc) => prop_assert!((auc - wins / pairs).abs() < 1e-12),
            Err(_) => prop_assert_eq!(pairs, 0.0),
        }
    }

    #[test]
    fn a_chosen_threshold_keeps_its_rule(rows in rows(), least in 0.0..=1.0) {
        let curve = curve(&rows);
        if let Ok(threshold) = ThresholdRule::RecallAtLeast(least).choose(&curve) {
            prop_assert!(curve.confusion(threshold).recall().unwrap() >= least);
        }
        if let Ok(threshold) = ThresholdRule::PrecisionAtLeast(least).choose(&curve) {
            prop_assert!(curve.confusion(threshold).precision().unwrap() >= least);
        }
    }

    #[test]
    fn no_other_threshold_within_the_budget_gains_more(
        rows in rows(),
        cost in 0_u8..40,
        contacts in 0_u64..20,
        per_rows in proptest::option::of(1_u64..60),
        is_limited in any::<bool>(),
    ) {
        let budget = is_limited.then_some(Budget { contacts, per_rows });
        let profit = Profit { cost: f64::from(cost), budget, ..PROFIT };
        let n = rows.len() as f64;
        let share = n / per_rows.map_or(n, |rows| rows as f64);
        let most = if is_limited { contacts as f64 * share } else { n };
        // Row by row, for each score: what is gained, and whether it may be.
        let tried = rows.iter().map(|(_, threshold)| {
            let contacted = || rows.iter().filter(|(_, score)| score >= threshold);
            let won = contacted().filter(|(positive, _)| *positive).count() as f64 * 50.0;
            let n_contacted = contacted().count() as f64;
            (*threshold, won - n_contacted * profit.cost, n_contacted <= most + 1e-9)
        });
        let allowed: Vec<(f64, f64)> = tried
            .filter(|(_, gained, is_allowed)| *is_allowed && *gained > 0.0)
            .map(|(threshold, gained, _)| (threshold, gained))
            .collect();
        let best = allowed.iter().map(|(_, gained)| *gained).fold(0.0, f64::max);
        let highest = allowed.iter().filter(|(_, gained)| *gained == best);
        let highest = highest.map(|(threshold, _)| *threshold).fold(None, |most, threshold| {
            Some(most.map_or(threshold, |most: f64| most.max(threshold)))
        });
        let chosen = ThresholdRule::Profit(profit).choose(&curve(&rows)).ok();
        prop_assert_eq!(chosen, highest);
    }
}
