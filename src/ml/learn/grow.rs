//! Growing one decision tree over binned features.
//!
//! Counts are whole numbers per bin and class; the weights of the classes are multiplied in where
//! a split is scored, so the order in which rows are counted cannot matter. The score is
//! scikit-learn's Gini criterion. Of equally good splits the one with the lower feature index
//! wins, then the one with the lower threshold. Knows nothing of forests: which rows count how
//! often, and which features may be tried, is told by the caller.

use super::bins::Binned;
use super::tree::{LEAF, Node};
use crate::ml::random::Random;

/// When to stop, and what counts how much.
pub(super) struct Growth {
    /// The most splits above a leaf.
    pub(super) max_depth: u32,
    /// A node of fewer rows is a leaf.
    pub(super) min_samples_split: u64,
    /// No side of a split has fewer rows.
    pub(super) min_samples_leaf: u64,
    /// How many features that differ within a node are tried there.
    pub(super) max_features: usize,
    /// The weight of a negative and of a positive row.
    pub(super) class_weights: [f64; 2],
}

/// The rows to learn from.
pub(super) struct Sample<'a> {
    /// Their bins.
    pub(super) binned: &'a Binned,
    /// Whether each is positive.
    pub(super) targets: &'a [bool],
    /// How often each counts.
    pub(super) counts: &'a [u32],
}

/// What is counted of rows.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Rows of each class, each as often as it counts.
    classes: [u64; 2],
    /// Different rows; the limits on rows are on these, as in scikit-learn.
    rows: u64,
}

impl Counts {
    fn add(&mut self, sample: &Sample<'_>, row: usize) {
        self.classes[usize::from(sample.targets[row])] += u64::from(sample.counts[row]);
        self.rows += 1;
    }

    fn plus(self, other: Counts) -> Counts {
        let [negative, positive] = self.classes;
        let classes = [negative + other.classes[0], positive + other.classes[1]];
        Counts { classes, rows: self.rows + other.rows }
    }

    fn minus(self, part: Counts) -> Counts {
        let [negative, positive] = self.classes;
        let classes = [negative - part.classes[0], positive - part.classes[1]];
        Counts { classes, rows: self.rows - part.rows }
    }
}

/// A split: rows of the bins up to `bin` go left.
#[derive(Clone, Copy)]
struct Split {
    feature: usize,
    bin: usize,
    score: f64,
}

/// A node that is yet to be made.
struct Pending {
    start: usize,
    end: usize,
    depth: u32,
    /// The node whose right child it is.
    right_of: Option<usize>,
}

/// Grows a tree; its nodes stand in preorder. `random` draws the features when not all are tried.
pub(super) fn grow(sample: &Sample<'_>, growth: &Growth, random: &mut Random) -> Vec<Node> {
    let is_in = |row: &u32| sample.counts[*row as usize] > 0;
    let mut rows: Vec<u32> = (0..sample.targets.len() as u32).filter(is_in).collect();
    let mut order: Vec<usize> = (0..sample.binned.width()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    let mut pending = vec![Pending { start: 0, end: rows.len(), depth: 0, right_of: None }];
    // The left child is pushed last, so it is made next: preorder.
    while let Some(Pending { start, end, depth, right_of }) = pending.pop() {
        let at = nodes.len();
        if let Some(parent) = right_of {
            nodes[parent].right = at as u32;
        }
        let here = &mut rows[start..end];
        let counts = count(sample, here);
        nodes.push(Node::leaf(growth.value(counts)));
        let may_split = depth < growth.max_depth && growth.may_split(counts);
        let tried = may_split.then(|| best_split(sample, growth, here, counts, &mut order, random));
        let Some(split) = tried.flatten() else { continue };
        nodes[at].feature = split.feature as u32;
        nodes[at].threshold = sample.binned.edges(split.feature)[split.bin];
        let middle = start + partition(here, sample.binned.column(split.feature), split.bin);
        let depth = depth + 1;
        pending.push(Pending { start: middle, end, depth, right_of: Some(at) });
        pending.push(Pending { start, end: middle, depth, right_of: None });
    }
    debug_assert!(nodes.iter().all(|node| node.feature == LEAF || node.right > 0));
    nodes
}

impl Growth {
    /// The weighted fraction of positive rows.
    fn value(&self, counts: Counts) -> f64 {
        let [negative, positive] = self.weigh(counts);
        if negative + positive > 0.0 { positive / (negative + positive) } else { 0.0 }
    }

    fn weigh(&self, counts: Counts) -> [f64; 2] {
        let [negative, positive] = counts.classes;
        [negative as f64 * self.class_weights[0], positive as f64 * self.class_weights[1]]
    }

    fn may_split(&self, counts: Counts) -> bool {
        counts.rows >= self.min_samples_split
            && counts.rows >= 2 * self.min_samples_leaf
            && !counts.classes.contains(&0)
    }

    /// Higher is purer: the sum of squared class weights over the weight. Maximising it over both
    /// sides is minimising their weighted Gini impurity.
    fn purity(&self, counts: Counts) -> f64 {
        let [negative, positive] = self.weigh(counts);
        (negative * negative + positive * positive) / (negative + positive)
    }
}

fn count(sample: &Sample<'_>, rows: &[u32]) -> Counts {
    let mut counts = Counts::default();
    for row in rows {
        counts.add(sample, *row as usize);
    }
    counts
}

/// The best split of a node; `None` when no split leaves enough rows on both sides.
fn best_split(
    sample: &Sample<'_>,
    growth: &Growth,
    rows: &[u32],
    counts: Counts,
    order: &mut [usize],
    random: &mut Random,
) -> Option<Split> {
    let draws = growth.max_features < order.len();
    let mut best: Option<Split> = None;
    let mut n_tried = 0;
    for i in 0..order.len() {
        if draws {
            // A feature that is constant in the node does not count as tried.
            random.draw(&mut order[i..], 1);
        }
        let feature = order[i];
        let Some(histogram) = histogram(sample, rows, feature) else { continue };
        n_tried += 1;
        if let Some(split) = best_of_feature(growth, feature, &histogram, counts) {
            let wins = |best: &Split| {
                split.score > best.score || split.score == best.score && feature < best.feature
            };
            if best.as_ref().is_none_or(wins) {
                best = Some(split);
            }
        }
        if n_tried == growth.max_features {
            break;
        }
    }
    best
}

/// The counts per bin; `None` when all rows are in one.
fn histogram(sample: &Sample<'_>, rows: &[u32], feature: usize) -> Option<Vec<Counts>> {
    let n_bins = sample.binned.edges(feature).len() + 1;
    if n_bins == 1 {
        return None;
    }
    let mut histogram = vec![Counts::default(); n_bins];
    let column = sample.binned.column(feature);
    for row in rows {
        let row = *row as usize;
        histogram[usize::from(column[row])].add(sample, row);
    }
    let n_used = histogram.iter().filter(|counts| counts.rows > 0).count();
    (n_used > 1).then_some(histogram)
}

fn best_of_feature(
    growth: &Growth,
    feature: usize,
    histogram: &[Counts],
    counts: Counts,
) -> Option<Split> {
    let mut best: Option<Split> = None;
    let mut left = Counts::default();
    for (bin, in_bin) in histogram.iter().enumerate() {
        // After an empty bin the sides are the same as before it.
        if in_bin.rows == 0 {
            continue;
        }
        left = left.plus(*in_bin);
        let right = counts.minus(left);
        if right.rows == 0 || right.rows < growth.min_samples_leaf {
            break;
        }
        if left.rows < growth.min_samples_leaf {
            continue;
        }
        let score = growth.purity(left) + growth.purity(right);
        if best.is_none_or(|best| score > best.score) {
            best = Some(Split { feature, bin, score });
        }
    }
    best
}

/// Moves the rows of the bins up to `bin` to the front and returns how many they are.
fn partition(rows: &mut [u32], column: &[u8], bin: usize) -> usize {
    let mut n_left = 0;
    for i in 0..rows.len() {
        if usize::from(column[rows[i] as usize]) <= bin {
            rows.swap(i, n_left);
            n_left += 1;
        }
    }
    n_left
}
