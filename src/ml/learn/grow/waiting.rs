//! Nodes that wait to be split, and which of them is next.

use std::collections::BinaryHeap;

use super::super::split::{Split, Whole};
use super::super::sums::Sum;

/// A node that may be split.
pub(super) struct Open {
    pub(super) draft: usize,
    pub(super) depth: u32,
    pub(super) whole: Whole,
    /// The sums per bin of all features; empty where only some are tried.
    pub(super) sums: Vec<Sum>,
    pub(super) split: Split,
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The one that gains most is the greatest; of equal ones the one that was made first.
impl Ord for Open {
    fn cmp(&self, other: &Open) -> std::cmp::Ordering {
        self.split.gain.total_cmp(&other.split.gain).then(other.draft.cmp(&self.draft))
    }
}

/// Nodes that wait to be split.
pub(super) enum Waiting {
    /// The last one first.
    Stack(Vec<Open>),
    /// The one that gains most first.
    Best(BinaryHeap<Open>),
}

impl Waiting {
    pub(super) fn push(&mut self, open: Open) {
        match self {
            Waiting::Stack(stack) => stack.push(open),
            Waiting::Best(heap) => heap.push(open),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Open> {
        match self {
            Waiting::Stack(stack) => stack.pop(),
            Waiting::Best(heap) => heap.pop(),
        }
    }
}
