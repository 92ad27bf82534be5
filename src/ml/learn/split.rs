//! The best way to cut a node in two, from the sums of its rows per bin.
//!
//! With G and H the sums of a side, its value is `G / (H + l2)` after G is moved towards 0 by l1,
//! and a split gains what the sides' `G^2 / (H + l2)` have more than the node's (Friedman 2001;
//! XGBoost, Chen and Guestrin 2016, equation 7). With class weights as numerators and weights as
//! denominators that is Gini's criterion, with targets and weights the variance. Of equally good
//! splits the one of the lower feature wins, then of the lower bin, then with missing values on the
//! right. Knows no rows: which sums there are is told by the caller.

use super::sums::{Sum, Units};

/// What a split must keep, and how it is scored.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// What one step of the sums is worth.
    pub(super) units: Units,
    /// Where the numerators are the denominators of positive rows, and 0 of others: what a negative
    /// and a positive row weigh. Multiplied in here, so that sums of equal rows stay whole.
    pub(super) classes: Option<[f64; 2]>,
    /// The L1 penalty of a leaf's value, at least 0.
    pub(super) l1: f64,
    /// The L2 penalty of a leaf's value, at least 0.
    pub(super) l2: f64,
    /// No side of a split has fewer rows.
    pub(super) min_samples_leaf: u64,
    /// No side of a split has a smaller sum of denominators.
    pub(super) min_child_weight: f64,
    /// A split gains more than this.
    pub(super) min_gain: f64,
    /// How categorical features are cut.
    pub(super) categorical: CategoricalRule,
}

/// How categories are cut in two, by LightGBM's rules and names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalRule {
    /// With at most so many categories in a node each is tried against the rest.
    pub max_cat_to_onehot: usize,
    /// Else they are ordered by `G / (H + cat_smooth)`, and those of fewer rows are left out.
    pub cat_smooth: f64,
    /// An extra L2 penalty for sets of categories.
    pub cat_l2: f64,
    /// No set has more categories.
    pub max_cat_threshold: usize,
    /// A set grows by groups of at least so many rows.
    pub min_data_per_group: u64,
}

impl Default for CategoricalRule {
    /// LightGBM's.
    fn default() -> CategoricalRule {
        CategoricalRule {
            max_cat_to_onehot: 4,
            cat_smooth: 10.0,
            cat_l2: 10.0,
            max_cat_threshold: 32,
            min_data_per_group: 100,
        }
    }
}

/// A set of bins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BinSet([u64; 4]);

impl BinSet {
    /// With one bin more.
    pub(super) fn with(mut self, bin: u8) -> BinSet {
        self.0[usize::from(bin >> 6)] |= 1 << (bin & 63);
        self
    }

    /// Without this bin.
    pub(super) fn without(mut self, bin: u8) -> BinSet {
        self.0[usize::from(bin >> 6)] &= !(1 << (bin & 63));
        self
    }

    /// Whether a bin is in it.
    pub(super) fn has(&self, bin: u8) -> bool {
        self.0[usize::from(bin >> 6)] & (1 << (bin & 63)) != 0
    }

    /// The bins in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> + Clone {
        (0..4_u8).flat_map(move |word| {
            let mut bits = self.0[usize::from(word)];
            std::iter::from_fn(move || {
                let next = (bits != 0).then(|| (word << 6) | bits.trailing_zeros() as u8);
                bits &= bits.wrapping_sub(1);
                next
            })
        })
    }
}

/// Which rows go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Question {
    /// Those of the bins up to this one.
    AtMost(u8),
    /// Those of these bins.
    In(BinSet),
}

impl Question {
    /// Whether a bin goes left; that of rows without a value, `missing`, goes where it is told.
    pub(super) fn goes_left(self, bin: u8, missing: usize, missing_left: bool) -> bool {
        match self {
            _ if usize::from(bin) == missing => missing_left,
            Question::AtMost(most) => bin <= most,
            Question::In(set) => set.has(bin),
        }
    }
}

/// A split of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Split {
    /// The feature that is asked for.
    pub(super) feature: usize,
    /// Which of its values go left.
    pub(super) question: Question,
    /// Whether rows without a value go left.
    pub(super) missing_left: bool,
    /// What is gained.
    pub(super) gain: f64,
    /// The sums of the left and the right side.
    pub(super) sums: [Sum; 2],
    /// The values of the left and the right side.
    pub(super) values: [f64; 2],
}

/// A node that may be split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// The sum of its rows.
    pub(super) sum: Sum,
    /// The least and the greatest value that a leaf below it may have.
    pub(super) bounds: [f64; 2],
}

/// The sums of the rows of one feature.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    /// Which feature.
    pub(super) feature: usize,
    /// The sums per bin; the last one is that of missing values.
    pub(super) sums: &'a [Sum],
    /// The bins that have rows, that of missing values not among them.
    pub(super) used: BinSet,
    /// Whether the value must rise (1) or fall (-1) with the feature.
    pub(super) monotone: i8,
}

impl Column<'_> {
    fn missing(&self) -> Sum {
        self.sums.last().copied().unwrap_or_default()
    }

    fn bins(&self) -> impl Iterator<Item = (u8, Sum)> + Clone {
        self.used.iter().map(|bin| (bin, self.sums[usize::from(bin)]))
    }

    /// Whether all rows are in one bin.
    pub(super) fn is_constant(&self) -> bool {
        let n_bins = self.used.iter().take(2).count() + usize::from(self.missing().n > 0);
        n_bins < 2
    }
}

impl Rule {
    /// The sums of numerators and denominators as they count.
    pub(super) fn weigh(&self, sum: Sum) -> (f64, f64) {
        match self.classes {
            None => (sum.g as f64 * self.units.g, sum.h as f64 * self.units.h),
            Some([negative, positive]) => {
                let g = sum.g as f64 * self.units.h * positive;
                (g, g + (sum.h - sum.g) as f64 * self.units.h * negative)
            }
        }
    }

    /// Whether the rows are all of one class, where there are classes.
    pub(super) fn is_pure(&self, sum: Sum) -> bool {
        self.classes.is_some() && (sum.g == 0 || sum.g == sum.h)
    }

    /// The value of a leaf with these rows, within bounds.
    pub(super) fn value(&self, whole: &Whole) -> f64 {
        self.side(whole.sum, self.l2, whole.bounds).0
    }

    /// The value of a side, and its score: `2 g v - (h + l2) v^2`, which is `g^2 / (h + l2)` unless
    /// a bound moved the value.
    fn side(&self, sum: Sum, l2: f64, bounds: [f64; 2]) -> (f64, f64) {
        let (g, h) = self.weigh(sum);
        let g = if g > self.l1 {
            g - self.l1
        } else if g < -self.l1 {
            g + self.l1
        } else {
            0.0
        };
        let h = h + l2;
        if h <= 0.0 {
            return (0.0_f64.max(bounds[0]).min(bounds[1]), 0.0);
        }
        let free = g / h;
        let value = free.max(bounds[0]).min(bounds[1]);
        let score = if value == free { g * free } else { value * (2.0 * g - h * value) };
        (value, score)
    }

    fn is_enough(&self, sum: Sum) -> bool {
        sum.n >= self.min_samples_leaf.max(1) && self.weigh(sum).1 >= self.min_child_weight
    }

    /// The best split of a node by a numeric feature.
    pub(super) fn by_number(&self, whole: &Whole, column: &Column<'_>) -> Option<Split> {
        let mut search = Search::new(self, whole, column, self.l2);
        let missing = column.missing();
        let sides: &[bool] = if missing.n == 0 { &[false] } else { &[false, true] };
        for missing_left in sides {
            let mut left = if *missing_left { missing } else { Sum::default() };
            for (bin, sum) in column.bins() {
                left = left.plus(sum);
                if whole.sum.n - left.n < self.min_samples_leaf.max(1) {
                    break;
                }
                search.offer(left, Question::AtMost(bin), *missing_left);
            }
        }
        search.best
    }

    /// The split of a node by a numeric feature at one place: the bin of `place`, or the last used
    /// one below it.
    pub(super) fn at(&self, whole: &Whole, column: &Column<'_>, place: u8) -> Option<Split> {
        let mut search = Search::new(self, whole, column, self.l2);
        let missing = column.missing();
        let below = column.bins().take_while(|(bin, _)| *bin <= place);
        let (mut bin, mut left) = (0, Sum::default());
        for (used, sum) in below {
            (bin, left) = (used, left.plus(sum));
        }
        search.offer(left, Question::AtMost(bin), false);
        if missing.n > 0 {
            search.offer(left.plus(missing), Question::AtMost(bin), true);
        }
        search.best
    }

    /// The best split of a node by a categorical feature: a set of categories goes left, missing
    /// and unknown ones go right.
    pub(super) fn by_category(&self, whole: &Whole, column: &Column<'_>) -> Option<Split> {
        let rule = &self.categorical;
        if column.used.iter().count() <= rule.max_cat_to_onehot {
            let mut search = Search::new(self, whole, column, self.l2);
            for (bin, sum) in column.bins() {
                search.offer(sum, Question::In(BinSet::default().with(bin)), false);
            }
            return search.best;
        }
        let ratio = |sum: Sum| {
            let (g, h) = self.weigh(sum);
            g / (h + rule.cat_smooth)
        };
        let mut ordered: Vec<(f64, u8, Sum)> = column
            .bins()
            .filter(|(_, sum)| sum.n as f64 >= rule.cat_smooth)
            .map(|(bin, sum)| (ratio(sum), bin, sum))
            .collect();
        ordered.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut search = Search::new(self, whole, column, self.l2 + rule.cat_l2);
        self.grow_set(ordered.iter(), ordered.len(), whole, &mut search);
        self.grow_set(ordered.iter().rev(), ordered.len(), whole, &mut search);
        search.best
    }

    /// Offers ever larger sets of categories, in the order given.
    fn grow_set<'b>(
        &self,
        ordered: impl Iterator<Item = &'b (f64, u8, Sum)>,
        n_categories: usize,
        whole: &Whole,
        search: &mut Search<'_>,
    ) {
        let most = self.categorical.max_cat_threshold.min(n_categories.div_ceil(2));
        let (mut left, mut set, mut n_group) = (Sum::default(), BinSet::default(), 0);
        for (_, bin, sum) in ordered.take(most) {
            (left, set) = (left.plus(*sum), set.with(*bin));
            n_group += sum.n;
            let right = whole.sum.minus(left);
            if right.n < self.categorical.min_data_per_group || !self.is_enough(right) {
                break;
            }
            if n_group >= self.categorical.min_data_per_group && self.is_enough(left) {
                n_group = 0;
                search.offer(left, Question::In(set), false);
            }
        }
    }
}

/// The best split of one feature so far.
struct Search<'a> {
    rule: &'a Rule,
    whole: &'a Whole,
    feature: usize,
    monotone: i8,
    l2: f64,
    /// What the node scores uncut.
    uncut: f64,
    has_missing: bool,
    best: Option<Split>,
}

impl<'a> Search<'a> {
    fn new(rule: &'a Rule, whole: &'a Whole, column: &Column<'_>, l2: f64) -> Search<'a> {
        let uncut = rule.side(whole.sum, rule.l2, whole.bounds).1;
        let (feature, monotone) = (column.feature, column.monotone);
        let has_missing = column.missing().n > 0;
        Search { rule, whole, feature, monotone, l2, uncut, has_missing, best: None }
    }

    /// Takes a split if it is allowed and better than what is there.
    fn offer(&mut self, left: Sum, question: Question, missing_left: bool) {
        let right = self.whole.sum.minus(left);
        if !self.rule.is_enough(left) || !self.rule.is_enough(right) {
            return;
        }
        let bounds = self.whole.bounds;
        let (left_value, left_score) = self.rule.side(left, self.l2, bounds);
        let (right_value, right_score) = self.rule.side(right, self.l2, bounds);
        let gain = left_score + right_score - self.uncut;
        if gain <= self.best.as_ref().map_or(self.rule.min_gain, |best| best.gain) {
            return;
        }
        let rise = right_value - left_value;
        if self.monotone > 0 && rise < 0.0 || self.monotone < 0 && rise > 0.0 {
            return;
        }
        // Without any missing value in the node, later ones go where most rows go.
        let is_number = matches!(question, Question::AtMost(_));
        let missing_left =
            if self.has_missing || !is_number { missing_left } else { left.n >= right.n };
        let (sums, values) = ([left, right], [left_value, right_value]);
        self.best =
            Some(Split { feature: self.feature, question, missing_left, gain, sums, values });
    }
}

#[cfg(test)]
mod tests;
