//! The split that is found is the best there is, by trying all of them.

use proptest::prelude::*;

use super::*;

const UNITS: Units = Units { g: 1.0, h: 1.0 };

fn rule(min_samples_leaf: u64) -> Rule {
    Rule {
        units: UNITS,
        classes: None,
        l1: 0.5,
        l2: 1.0,
        min_samples_leaf,
        min_child_weight: 2.0,
        min_gain: 0.0,
        categorical: CategoricalRule::default(),
    }
}

/// Sums per bin, that of missing values last.
fn sums(max_bins: usize) -> impl Strategy<Value = Vec<Sum>> {
    let sum = (-20..20_i64, 0..9_i64, 0..6_u64)
        .prop_map(|(g, h, n)| if n == 0 { Sum::default() } else { Sum { g, h, n } });
    proptest::collection::vec(sum, 2..=max_bins + 1)
}

fn column(sums: &[Sum]) -> Column<'_> {
    let used = (0..sums.len() as u8 - 1).filter(|bin| sums[usize::from(*bin)].n > 0);
    let used = used.fold(BinSet::default(), BinSet::with);
    Column { feature: 3, sums, used, monotone: 0 }
}

fn whole(sums: &[Sum]) -> Whole {
    let sum = sums.iter().fold(Sum::default(), |a, b| a.plus(*b));
    Whole { sum, bounds: [f64::NEG_INFINITY, f64::INFINITY] }
}

/// What one cut gains, straight from the definition; `None` when it is not allowed.
fn gain(rule: &Rule, whole: &Whole, left: Sum) -> Option<f64> {
    let score = |sum: Sum| {
        let g = (sum.g as f64).abs() - rule.l1;
        let g = g.max(0.0);
        g * g / (sum.h as f64 + rule.l2)
    };
    let right = whole.sum.minus(left);
    let is_enough =
        |sum: Sum| sum.n >= rule.min_samples_leaf.max(1) && sum.h as f64 >= rule.min_child_weight;
    let gain = score(left) + score(right) - score(whole.sum);
    (is_enough(left) && is_enough(right) && gain > 0.0).then_some(gain)
}

proptest! {
    #[test]
    fn no_cut_of_a_number_gains_more(sums in sums(8), min_samples_leaf in 1..8_u64) {
        let (rule, whole) = (rule(min_samples_leaf), whole(&sums));
        let (values, missing) = (&sums[..sums.len() - 1], sums[sums.len() - 1]);
        let mut best: Option<f64> = None;
        for last in 0..values.len() {
            let below = values[..=last].iter().fold(Sum::default(), |a, b| a.plus(*b));
            for left in [below, below.plus(missing)] {
                let found = gain(&rule, &whole, left);
                if found > best {
                    best = found;
                }
            }
        }
        let split = rule.by_number(&whole, &column(&sums));
        let found = split.as_ref().map(|split| split.gain);
        prop_assert_eq!(found.is_some(), best.is_some());
        if let (Some(found), Some(best)) = (found, best) {
            prop_assert!((found - best).abs() < 1e-9, "{} {}", found, best);
        }
        if let Some(split) = split {
            prop_assert_eq!(split.sums[0].plus(split.sums[1]), whole.sum);
            prop_assert_eq!(split.feature, 3);
        }
    }

    #[test]
    fn of_few_categories_no_single_one_gains_more(sums in sums(4)) {
        let (rule, whole) = (rule(1), whole(&sums));
        let gains = sums[..sums.len() - 1].iter().map(|left| gain(&rule, &whole, *left));
        let best = gains.flatten().fold(0.0, f64::max);
        let found = rule.by_category(&whole, &column(&sums)).map_or(0.0, |split| split.gain);
        prop_assert!((found - best).abs() < 1e-9, "{} {}", found, best);
    }

    #[test]
    fn bounds_are_kept(sums in sums(6), low in -3.0..0.0_f64, high in 0.0..3.0_f64) {
        let whole = Whole { bounds: [low, high], ..whole(&sums) };
        if let Some(split) = rule(1).by_number(&whole, &column(&sums)) {
            prop_assert!(split.values.iter().all(|value| (low..=high).contains(value)));
            prop_assert!(split.gain > 0.0);
        }
    }
}

#[test]
fn a_set_of_bins_holds_any_of_256() {
    let set = [0, 63, 64, 200, 255].into_iter().fold(BinSet::default(), BinSet::with);
    assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 200, 255]);
    assert!(set.has(200) && !set.has(199) && !set.without(200).has(200));
    assert_eq!(BinSet::default().iter().next(), None);
}
