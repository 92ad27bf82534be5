//! Growing one decision tree over binned features.
//!
//! The rows of a node stand together and in their order. Its sums per bin are kept until it is
//! split; the smaller child is summed, the larger gets what is left of its parent. Sums are whole
//! numbers (`sums.rs`), so features may be summed on any number of threads. Nodes are split depth
//! first, or the one that gains most first where the number of leaves is limited; the tree is
//! written in preorder either way. Knows no loss and no classes: what rows add to the sums, and
//! which of them take part, is told by the caller.

mod search;
mod waiting;

use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::bins::{Binned, Cut};
use super::split::{Question, Rule, Split, Whole};
use super::sums::{Sum, Term};
use super::tree::{Ask, Node};
use crate::ml::random::Random;
use waiting::{Open, Waiting};

/// When to stop, and what is tried.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// The most splits above a leaf.
    pub(super) max_depth: u32,
    /// The most leaves; above all of them, nodes are split in depth-first order.
    pub(super) max_leaves: Option<usize>,
    /// A node of fewer rows is a leaf.
    pub(super) min_samples_split: u64,
    /// The features that the tree may ask for, ascending.
    pub(super) features: Vec<usize>,
    /// How many of those that differ within a node are tried there.
    pub(super) max_features: usize,
    /// Whether each feature is tried at one drawn place instead of everywhere.
    pub(super) draw_thresholds: bool,
    /// Per feature whether the value must rise (1) or fall (-1) with it; one that lacks is free.
    pub(super) monotone: Vec<i8>,
    /// How splits are scored.
    pub(super) rule: Rule,
    /// What every value is multiplied by when the tree is done.
    pub(super) shrink: f64,
    /// Whether features are summed on all threads; not, where trees already are.
    pub(super) is_parallel: bool,
}

/// A row that takes part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Member {
    /// Its index.
    pub(super) row: u32,
    /// What it adds to the sums.
    pub(super) term: Term,
}

/// A tree that was grown.
pub(super) struct Grown {
    /// Its nodes in preorder.
    pub(super) nodes: Vec<Node>,
    /// The rows that took part, leaf by leaf.
    pub(super) members: Vec<Member>,
    /// Where the rows of each leaf end in `members`, and its value.
    pub(super) leaves: Vec<(usize, f64)>,
    /// Which bins go left at each node; `None` in a leaf.
    questions: Vec<Option<Question>>,
}

impl Grown {
    /// The value of the leaf that a row comes to, whether it took part or not.
    pub(super) fn value(&self, binned: &Binned, row: usize) -> f64 {
        let mut at = 0;
        while let Some(question) = self.questions[at] {
            let node = &self.nodes[at];
            let feature = usize::from(node.feature);
            let (bin, missing) = (binned.column(feature)[row], binned.cut(feature).n_bins());
            let is_left = question.goes_left(bin, missing, node.missing_left);
            at = if is_left { at + 1 } else { node.right as usize };
        }
        self.nodes[at].value
    }
}

/// Grows a tree on rows in ascending order. `random` draws features and thresholds where not all
/// are tried.
pub(super) fn grow(
    binned: &Binned,
    members: Vec<Member>,
    growth: &Growth,
    random: &mut Random,
) -> Grown {
    let starts = slots(binned, &growth.features);
    let mut grower = Grower {
        binned,
        growth,
        starts,
        spare: vec![Member::default(); members.len()],
        members,
        drafts: Vec::new(),
        pool: Vec::new(),
        scratch: vec![Sum::default(); usize::from(u8::MAX) + 1],
        order: growth.features.clone(),
    };
    grower.run(random);
    grower.finish()
}

/// Where the sums of each feature start in those of a node, and, last, how many there are.
fn slots(binned: &Binned, features: &[usize]) -> Vec<usize> {
    let mut starts = vec![0];
    for feature in features {
        let n_slots = binned.cut(*feature).n_bins() + 1;
        starts.push(starts.last().copied().unwrap_or(0) + n_slots);
    }
    starts
}

/// A node as it is grown. Children come after their parent, and in no other order.
struct Draft {
    start: usize,
    end: usize,
    n: u64,
    value: f64,
    split: Option<(Split, [usize; 2])>,
}

struct Grower<'a> {
    binned: &'a Binned,
    growth: &'a Growth,
    starts: Vec<usize>,
    members: Vec<Member>,
    spare: Vec<Member>,
    drafts: Vec<Draft>,
    /// Sums of nodes that are done, to be used again.
    pool: Vec<Vec<Sum>>,
    /// Sums per bin of one feature, all 0 between two uses.
    scratch: Vec<Sum>,
    /// The features in the order in which they were last drawn.
    order: Vec<usize>,
}

impl Grower<'_> {
    fn run(&mut self, random: &mut Random) {
        let mut waiting = match self.growth.max_leaves {
            Some(_) => Waiting::Best(BinaryHeap::new()),
            None => Waiting::Stack(Vec::new()),
        };
        let sum = self.members.iter().fold(Sum::default(), |mut sum, member| {
            sum.add(member.term);
            sum
        });
        let whole = Whole { sum, bounds: [f64::NEG_INFINITY, f64::INFINITY] };
        let value = self.growth.rule.value(&whole);
        let end = self.members.len();
        self.drafts.push(Draft { start: 0, end, n: sum.n, value, split: None });
        let sums = if self.may_split(&whole, 0) { self.count(0) } else { Vec::new() };
        if let Some(open) = self.open(0, 0, whole, sums, random) {
            waiting.push(open);
        }
        let (mut n_leaves, most) = (1, self.growth.max_leaves.unwrap_or(usize::MAX));
        while n_leaves < most {
            let Some(open) = waiting.pop() else { break };
            n_leaves += 1;
            let is_last = n_leaves == most;
            // The left child is pushed last, so that it is split first.
            for child in self.split(open, is_last, random).into_iter().rev() {
                waiting.push(child);
            }
        }
    }

    /// Whether all features are tried at each node, so that a node's sums serve its children.
    fn keeps_sums(&self) -> bool {
        self.growth.max_features >= self.growth.features.len()
    }

    fn may_split(&self, whole: &Whole, depth: u32) -> bool {
        let (n, rule) = (whole.sum.n, &self.growth.rule);
        depth < self.growth.max_depth
            && n >= self.growth.min_samples_split
            && n >= 2 * rule.min_samples_leaf.max(1)
            && rule.weigh(whole.sum).1 >= 2.0 * rule.min_child_weight
            && !rule.is_pure(whole.sum)
    }

    /// A node with its best split; `None` when it stays a leaf.
    fn open(
        &mut self,
        draft: usize,
        depth: u32,
        whole: Whole,
        sums: Vec<Sum>,
        random: &mut Random,
    ) -> Option<Open> {
        let found = if !self.may_split(&whole, depth) {
            None
        } else if self.keeps_sums() {
            self.best_of_all(&whole, &sums, random)
        } else {
            self.best_of_drawn(draft, &whole, random)
        };
        match found {
            Some(split) => Some(Open { draft, depth, whole, sums, split }),
            None => {
                self.pool.push(sums);
                None
            }
        }
    }

    /// Splits a node and returns those of its children that may be split again.
    fn split(&mut self, open: Open, is_last: bool, random: &mut Random) -> Vec<Open> {
        let Open { draft, depth, whole, sums, split } = open;
        let Draft { start, end, .. } = self.drafts[draft];
        let middle = self.partition(start, end, &split);
        let children = [self.drafts.len(), self.drafts.len() + 1];
        let wholes = self.children(&whole, &split);
        for (k, (start, end)) in [(start, middle), (middle, end)].into_iter().enumerate() {
            let (n, value) = (split.sums[k].n, split.values[k]);
            self.drafts.push(Draft { start, end, n, value, split: None });
        }
        self.drafts[draft].split = Some((split, children));
        let depth = depth + 1;
        let may_split = wholes.map(|whole| !is_last && self.may_split(&whole, depth));
        let sums = self.share(sums, children, may_split);
        let mut opened = Vec::new();
        for (k, sums) in sums.into_iter().enumerate() {
            if may_split[k] {
                opened.extend(self.open(children[k], depth, wholes[k], sums, random));
            } else {
                self.pool.push(sums);
            }
        }
        opened
    }

    /// The children's sums and bounds. A child of a split by a monotone feature stays on its side
    /// of the middle between both values, so that no leaf below can cross over.
    fn children(&self, whole: &Whole, split: &Split) -> [Whole; 2] {
        let mut wholes = split.sums.map(|sum| Whole { sum, bounds: whole.bounds });
        let direction = self.growth.monotone.get(split.feature).copied().unwrap_or(0);
        if direction != 0 {
            let middle = 0.5 * (split.values[0] + split.values[1]);
            let (lower, upper) = if direction > 0 { (0, 1) } else { (1, 0) };
            wholes[lower].bounds[1] = middle;
            wholes[upper].bounds[0] = middle;
        }
        wholes
    }

    /// The sums of two children, from the rows of the smaller and the sums of their parent.
    fn share(
        &mut self,
        mut parent: Vec<Sum>,
        children: [usize; 2],
        needed: [bool; 2],
    ) -> [Vec<Sum>; 2] {
        if !self.keeps_sums() || needed == [false; 2] {
            self.pool.push(parent);
            return Default::default();
        }
        let is_left_smaller = self.drafts[children[0]].n <= self.drafts[children[1]].n;
        let [small, large] = if is_left_smaller { [0, 1] } else { [1, 0] };
        let counted = self.count(children[small]);
        let mut sums: [Vec<Sum>; 2] = Default::default();
        if needed[large] {
            for (whole, part) in parent.iter_mut().zip(&counted) {
                *whole = whole.minus(*part);
            }
        }
        sums[large] = parent;
        sums[small] = counted;
        sums
    }

    /// The sums per bin of the rows of a node, for all features.
    fn count(&mut self, draft: usize) -> Vec<Sum> {
        if !self.keeps_sums() {
            return Vec::new();
        }
        // Fewer additions are not worth a thread.
        const MIN_ADDITIONS: usize = 1 << 15;
        let mut sums = self.pool.pop().unwrap_or_default();
        sums.clear();
        sums.resize(self.starts.last().copied().unwrap_or(0), Sum::default());
        let Draft { start, end, .. } = self.drafts[draft];
        let (members, binned) = (&self.members[start..end], self.binned);
        let mut parts: Vec<(usize, &mut [Sum])> = Vec::with_capacity(self.growth.features.len());
        let mut rest = sums.as_mut_slice();
        for (k, feature) in self.growth.features.iter().enumerate() {
            let (part, after) = rest.split_at_mut(self.starts[k + 1] - self.starts[k]);
            parts.push((*feature, part));
            rest = after;
        }
        let add = |(feature, sums): (usize, &mut [Sum])| add(binned.column(feature), members, sums);
        if self.growth.is_parallel && members.len() * parts.len() >= MIN_ADDITIONS {
            parts.into_par_iter().for_each(add);
        } else {
            parts.into_iter().for_each(add);
        }
        sums
    }

    /// Moves the rows that go left to the front of the node and returns where the others start.
    /// Both keep their order.
    fn partition(&mut self, start: usize, end: usize, split: &Split) -> usize {
        let missing = self.binned.cut(split.feature).n_bins();
        let is_left = |bin: u8| split.question.goes_left(bin, missing, split.missing_left);
        let mut goes_left = [false; 256];
        (0..=u8::MAX).for_each(|bin| goes_left[usize::from(bin)] = is_left(bin));
        let bins = self.binned.column(split.feature);
        let (here, spare) = (&mut self.members[start..end], &mut self.spare[start..end]);
        let (mut n_left, mut n_right) = (0, 0);
        for i in 0..here.len() {
            let member = here[i];
            let is_left = goes_left[usize::from(bins[member.row as usize])];
            // Both are written and one counts: cheaper than a branch that nobody can foresee.
            here[n_left] = member;
            spare[n_right] = member;
            n_left += usize::from(is_left);
            n_right += usize::from(!is_left);
        }
        here[n_left..].copy_from_slice(&spare[..n_right]);
        start + n_left
    }

    /// The nodes in preorder, and the rows of the leaves.
    fn finish(self) -> Grown {
        let mut nodes: Vec<Node> = Vec::with_capacity(self.drafts.len());
        let (mut leaves, mut questions) = (Vec::new(), Vec::with_capacity(self.drafts.len()));
        let mut waiting: Vec<(usize, Option<usize>)> = vec![(0, None)];
        while let Some((draft, right_of)) = waiting.pop() {
            if let Some(parent) = right_of {
                nodes[parent].right = nodes.len() as u32;
            }
            let draft = &self.drafts[draft];
            let value = draft.value * self.growth.shrink;
            let mut node = Node::leaf(value, draft.n);
            if let Some((split, [left, right])) = &draft.split {
                node.ask = self.ask(split);
                node.feature = split.feature as u16;
                node.missing_left = split.missing_left;
                waiting.push((*right, Some(nodes.len())));
                waiting.push((*left, None));
            } else {
                leaves.push((draft.end, value));
            }
            questions.push(draft.split.as_ref().map(|(split, _)| split.question));
            nodes.push(node);
        }
        Grown { nodes, members: self.members, leaves, questions }
    }

    fn ask(&self, split: &Split) -> Ask {
        match (self.binned.cut(split.feature), split.question) {
            (Cut::Edges(edges), Question::AtMost(bin)) => {
                // The last bin has no upper edge: whatever has a value goes left.
                Ask::AtMost(edges.get(usize::from(bin)).copied().unwrap_or(f64::MAX))
            }
            (Cut::Codes(codes), Question::In(set)) => {
                let mut codes: Vec<u32> = set.iter().map(|bin| codes[usize::from(bin)]).collect();
                codes.sort_unstable();
                Ask::OneOf(codes)
            }
            (cut, question) => unreachable!("{question:?} of {cut:?}"),
        }
    }
}

/// Adds rows to the sums of their bins.
fn add(bins: &[u8], members: &[Member], sums: &mut [Sum]) {
    for member in members {
        sums[usize::from(bins[member.row as usize])].add(member.term);
    }
}
