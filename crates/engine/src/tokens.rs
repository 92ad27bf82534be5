//! Which ready stage is next, when stages hold resources and exclude each other.
//!
//! An exclusive group is a resource of which there is one. A stage that cannot be had now keeps no
//! other back, until `MAX_PASSED` others that hold one of the same resources have gone before it:
//! then these are kept for it, so that a big stage is not starved by a stream of small ones. The
//! choice depends on what is free and on graph order, and on nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Control, Graph, StageId};

/// How many stages may go before one that waits for the same resource.
const MAX_PASSED: usize = 16;

/// What a stage holds while it runs: per resource, by index, how much. Sorted.
type Hold = Vec<(usize, u64)>;

/// The stages that are ready, and what they would hold.
pub(crate) struct Tokens {
    /// How much of each resource is free.
    free: Vec<u64>,
    /// What the stages hold that hold anything.
    holds: BTreeMap<StageId, Hold>,
    /// Ready stages by what they would hold; stages that hold the same are alike.
    ready: BTreeMap<Hold, Queue>,
}

/// Ready stages that would hold the same.
#[derive(Default)]
struct Queue {
    stages: BTreeSet<StageId>,
    /// How many others have gone before the first of them.
    n_passed: usize,
}

impl Tokens {
    pub(crate) fn new(graph: &Graph, stages: impl Iterator<Item = StageId>) -> Tokens {
        let mut indices: BTreeMap<(bool, String), usize> = BTreeMap::new();
        let mut free = Vec::new();
        let mut holds = BTreeMap::new();
        for id in stages {
            let Control { resources, exclusive, .. } = &graph.stage(id).control;
            let groups = exclusive.iter().map(|name| (true, name, 1, 1));
            let resources = resources.iter().map(|(name, amount)| {
                let capacity = graph.resources.get(name).copied().unwrap_or(*amount);
                (false, name, *amount, capacity)
            });
            let mut hold: Hold = Vec::new();
            for (is_group, name, amount, capacity) in resources.chain(groups) {
                let index = *indices.entry((is_group, name.clone())).or_insert(free.len());
                if index == free.len() {
                    free.push(capacity);
                }
                hold.push((index, amount));
            }
            if !hold.is_empty() {
                hold.sort_unstable();
                holds.insert(id, hold);
            }
        }
        Tokens { free, holds, ready: BTreeMap::new() }
    }

    /// A stage is ready.
    pub(crate) fn add(&mut self, id: StageId) {
        let hold = self.holds.get(&id).cloned().unwrap_or_default();
        self.ready.entry(hold).or_default().stages.insert(id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The first stage in graph order whose resources can be had; it has them from now on.
    pub(crate) fn take(&mut self) -> Option<StageId> {
        let is_late = |(_, queue): &(&Hold, &Queue)| queue.n_passed >= MAX_PASSED;
        let late: Vec<_> = self.ready.iter().filter(is_late).collect();
        // Something of what it would hold is kept for a stage that is earlier and has waited long.
        let is_kept = |hold: &Hold, queue: &Queue| {
            let is_for = |(other, waiting): &(&Hold, &Queue)| {
                waiting.stages.first() < queue.stages.first() && share(other, hold)
            };
            late.iter().any(is_for)
        };
        let (id, hold) = self
            .ready
            .iter()
            .filter(|(hold, queue)| self.is_free(hold) && !is_kept(hold, queue))
            .filter_map(|(hold, queue)| Some((*queue.stages.first()?, hold.clone())))
            .min()?;
        hold.iter().for_each(|(index, amount)| self.free[*index] -= amount);
        for (other, queue) in &mut self.ready {
            if share(other, &hold) && queue.stages.first().is_some_and(|first| *first < id) {
                queue.n_passed += 1;
            }
        }
        if let Some(queue) = self.ready.get_mut(&hold) {
            queue.stages.remove(&id);
            queue.n_passed = 0;
            if queue.stages.is_empty() {
                self.ready.remove(&hold);
            }
        }
        Some(id)
    }

    /// A stage that was taken no longer holds anything.
    pub(crate) fn release(&mut self, id: StageId) {
        for (index, amount) in self.holds.get(&id).into_iter().flatten() {
            self.free[*index] += amount;
        }
    }

    fn is_free(&self, hold: &Hold) -> bool {
        hold.iter().all(|(index, amount)| self.free[*index] >= *amount)
    }
}

fn share(a: &Hold, b: &Hold) -> bool {
    a.iter().any(|(index, _)| b.iter().any(|(other, _)| other == index))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stages that hold these amounts of a resource of which there are `free`.
    fn tokens(free: u64, amounts: &[u64]) -> Tokens {
        let hold = |(i, amount): (usize, &u64)| (StageId(i), vec![(0, *amount)]);
        let holds = amounts.iter().enumerate().map(hold).collect();
        let mut tokens = Tokens { free: vec![free], holds, ready: BTreeMap::new() };
        (0..amounts.len()).for_each(|i| tokens.add(StageId(i)));
        tokens
    }

    #[test]
    fn a_stage_that_cannot_be_had_keeps_no_other_back() {
        let mut tokens = tokens(3, &[2, 2, 1, 1]);
        assert_eq!(tokens.take(), Some(StageId(0)));
        assert_eq!(tokens.take(), Some(StageId(2)));
        assert_eq!(tokens.take(), None);
        tokens.release(StageId(2));
        assert_eq!(tokens.take(), Some(StageId(3)));
        tokens.release(StageId(0));
        assert_eq!(tokens.take(), Some(StageId(1)));
        assert!(tokens.is_empty());
    }

    #[test]
    fn a_big_stage_is_not_starved_by_a_stream_of_small_ones() {
        let mut tokens = tokens(2, &[&[1, 2], [1; 40].as_slice()].concat());
        let mut order = Vec::new();
        let mut running = Vec::new();
        while !tokens.is_empty() || !running.is_empty() {
            while let Some(id) = tokens.take() {
                order.push(id.0);
                running.push(id);
            }
            // One at a time ends, so that never both tokens are free by chance.
            tokens.release(running.remove(0));
        }
        assert_eq!(order.len(), 42);
        let position = order.iter().position(|id| *id == 1).unwrap();
        assert_eq!(position, 1 + MAX_PASSED, "{order:?}");
    }

    #[test]
    fn stages_that_hold_nothing_come_in_their_order() {
        let mut tokens = Tokens { free: vec![], holds: BTreeMap::new(), ready: BTreeMap::new() };
        [3, 1, 2].into_iter().for_each(|i| tokens.add(StageId(i)));
        let order: Vec<_> = std::iter::from_fn(|| tokens.take()).collect();
        assert_eq!(order, [StageId(1), StageId(2), StageId(3)]);
    }
}
