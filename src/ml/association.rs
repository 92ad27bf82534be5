//! How strongly two columns go together: Pearson, Spearman, Cramér's V, one feature's ROC AUC.
//!
//! Only rows that have both values are looked at. Sums run in row order with compensation, counts
//! are whole numbers: nothing depends on threads. A measure that has no value (one value only, too
//! few rows) is `None` and never NaN.

use std::collections::BTreeMap;

use super::describe::{mean, sum};

/// Pearson's correlation of two lists of finite numbers of one length, -1 to 1; `None` when there
/// are fewer than two, or one list holds a single value.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    let products = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| {
        sum(x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)))
    };
    let spread_a = products(a, mean_a, a, mean_a);
    let spread_b = products(b, mean_b, b, mean_b);
    let product = spread_a * spread_b;
    // The roots apart where the product is beyond the range of floats.
    let scale =
        if product.is_normal() { product.sqrt() } else { spread_a.sqrt() * spread_b.sqrt() };
    let correlation = products(a, mean_a, b, mean_b) / scale;
    let is_spread = spread_a > 0.0 && spread_b > 0.0 && a.len() > 1;
    Some(correlation.clamp(-1.0, 1.0)).filter(|found| is_spread && found.is_finite())
}

/// Spearman's rank correlation: Pearson's of the ranks, equal numbers sharing their mean rank.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of each number, from 1; equal numbers share their mean rank.
pub fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        // The mean of the ranks before + 1 to before + n.
        let rank = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|at| ranks[*at] = rank);
        before += equal.len();
    }
    ranks
}

/// How often each pair of values comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crosstab {
    cells: BTreeMap<(u32, u32), u64>,
}

impl Crosstab {
    /// The counts of pairs of codes.
    pub fn of(pairs: impl Iterator<Item = (u32, u32)>) -> Crosstab {
        let mut cells = BTreeMap::new();
        pairs.for_each(|pair| *cells.entry(pair).or_insert(0) += 1);
        Crosstab { cells }
    }

    /// Cramér's V, 0 to 1: the root of chi-square by its greatest value. With Bergsma's correction
    /// (2013, "A bias-correction for Cramér's V and Tschuprow's T"), which takes off what chance
    /// adds to tables of many cells. `None` when either side has one value only.
    pub fn cramers_v(&self, is_corrected: bool) -> Option<f64> {
        let (mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new());
        for ((row, column), count) in &self.cells {
            *rows.entry(row).or_insert(0) += count;
            *columns.entry(column).or_insert(0) += count;
        }
        let n = rows.values().sum::<u64>() as f64;
        let (r, k) = (rows.len() as f64, columns.len() as f64);
        // The sum of (observed - expected)² / expected is that of observed² / expected, less n.
        let shares = self.cells.iter().map(|((row, column), count)| {
            let (row, column) = (rows[row] as f64, columns[column] as f64);
            (*count as f64 / row) * (*count as f64 / column)
        });
        let phi2 = (sum(shares) - 1.0).max(0.0);
        if !is_corrected {
            return (r > 1.0 && k > 1.0).then(|| (phi2 / (r.min(k) - 1.0)).sqrt().min(1.0));
        }
        let chance = (k - 1.0) * (r - 1.0) / (n - 1.0);
        let shrunk = |count: f64| count - (count - 1.0) * (count - 1.0) / (n - 1.0);
        let greatest = shrunk(r).min(shrunk(k)) - 1.0;
        let is_defined = r > 1.0 && k > 1.0 && greatest > 0.0;
        is_defined.then(|| ((phi2 - chance).max(0.0) / greatest).sqrt().min(1.0))
    }
}

/// The area under the ROC curve of a number as a score: how often it is higher in a row of the
/// class than in another, ties counting half. `None` when all rows are of one kind.
pub fn roc_auc(numbers: &[f64], is_class: &[bool]) -> Option<f64> {
    let positives = is_class.iter().filter(|is_class| **is_class).count() as f64;
    let negatives = is_class.len() as f64 - positives;
    let ranks = ranks(numbers);
    // Ranks are multiples of a half: their sum is exact.
    let total: f64 = ranks.iter().zip(is_class).filter(|(_, is)| **is).map(|(rank, _)| rank).sum();
    let above = total - positives * (positives + 1.0) / 2.0;
    (positives > 0.0 && negatives > 0.0).then(|| above / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn measures_have_their_values_at_the_ends() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(pearson(&a, &[2.0, 4.0, 6.0, 8.0]), Some(1.0));
        assert_eq!(spearman(&a, &[8.0, 4.0, 1.0, 0.5]), Some(-1.0));
        assert_eq!(
            (pearson(&a, &[5.0; 4]), pearson(&[1.0], &[1.0]), pearson(&[], &[])),
            (None, None, None)
        );
        assert_eq!(pearson(&[1e200, 0.0, 0.0], &[1e200, 0.0, 0.0]), None, "beyond floats");
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        let same = Crosstab::of([(0, 0), (1, 1), (0, 0), (1, 1)].into_iter());
        assert_eq!((same.cramers_v(false), same.cramers_v(true)), (Some(1.0), Some(1.0)));
        let apart = Crosstab::of([(0, 0), (0, 1), (1, 0), (1, 1)].into_iter());
        assert_eq!((apart.cramers_v(false), apart.cramers_v(true)), (Some(0.0), Some(0.0)));
        assert_eq!(Crosstab::of([(0, 0), (1, 0)].into_iter()).cramers_v(false), None);
        assert_eq!(roc_auc(&a, &[false, false, true, true]), Some(1.0));
        assert_eq!(roc_auc(&[1.0, 1.0], &[false, true]), Some(0.5));
        assert_eq!(roc_auc(&a, &[true; 4]), None);
    }

    #[test]
    fn measures_are_those_of_scipy() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/profile.json")).unwrap();
        let list = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        for case in golden["associations"].as_array().unwrap() {
            let (a, b) = (list(&case["a"]), list(&case["b"]));
            let near = |ours: Option<f64>, theirs: &serde_json::Value| match theirs.as_f64() {
                Some(theirs) => {
                    assert!((ours.unwrap() - theirs).abs() < 1e-12, "{ours:?} {theirs}");
                }
                None => assert_eq!(ours, None),
            };
            near(pearson(&a, &b), &case["pearson"]);
            near(spearman(&a, &b), &case["spearman"]);
            let codes = a.iter().zip(&b).map(|(a, b)| (*a as u32, *b as u32));
            let table = Crosstab::of(codes);
            near(table.cramers_v(false), &case["cramers_v"]);
            near(table.cramers_v(true), &case["cramers_v_corrected"]);
        }
    }

    proptest! {
        #[test]
        fn order_of_rows_and_monotone_changes_have_no_say_in_ranks(
            pairs in proptest::collection::vec((-50..50i32, -50..50i32), 2..40)) {
            let a: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0)).collect();
            let b: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1)).collect();
            let cubed: Vec<f64> = a.iter().map(|a| a * a * a).collect();
            prop_assert_eq!(spearman(&a, &b), spearman(&cubed, &b));
            prop_assert_eq!(spearman(&a, &b), spearman(&b, &a));
            let is_class: Vec<bool> = b.iter().map(|b| *b > 0.0).collect();
            let negated: Vec<f64> = a.iter().map(|a| -a).collect();
            let pair = roc_auc(&a, &is_class).zip(roc_auc(&negated, &is_class));
            if let Some((auc, other)) = pair {
                prop_assert!((auc + other - 1.0).abs() < 1e-12);
            }
        }
    }
}
