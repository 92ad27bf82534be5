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
    /// The queue of each stage.
    queues_of: BTreeMap<StageId, usize>,
    /// One queue for all stages that hold the same, because they are alike.
    queues: Vec<Queue>,
    /// The first stage of every queue in which one waits, so that the first of all is found without
    /// a look at the others.
    firsts: BTreeMap<StageId, usize>,
}

/// Ready stages that would hold the same.
#[derive(Default)]
struct Queue {
    hold: Hold,
    stages: BTreeSet<StageId>,
    /// How many others have gone before the first of them.
    n_passed: usize,
}

impl Tokens {
    pub(crate) fn new(graph: &Graph, stages: impl Iterator<Item = StageId>) -> Tokens {
        let mut indices: BTreeMap<(bool, String), usize> = BTreeMap::new();
        let mut free = Vec::new();
        let mut holds = Vec::new();
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
            hold.sort_unstable();
            holds.push((id, hold));
        }
        Tokens::of(free, holds)
    }

    /// Tokens of resources of which so much is free, and what each stage would hold.
    fn of(free: Vec<u64>, holds: Vec<(StageId, Hold)>) -> Tokens {
        let mut queues: Vec<Queue> = Vec::new();
        let mut known: BTreeMap<Hold, usize> = BTreeMap::new();
        let mut queues_of = BTreeMap::new();
        for (id, hold) in holds {
            let index = *known.entry(hold).or_insert_with_key(|hold| {
                queues.push(Queue { hold: hold.clone(), ..Queue::default() });
                queues.len() - 1
            });
            queues_of.insert(id, index);
        }
        Tokens { free, queues_of, queues, firsts: BTreeMap::new() }
    }

    /// A stage is ready.
    pub(crate) fn add(&mut self, id: StageId) {
        let Some(index) = self.queues_of.get(&id).copied() else { return };
        let stages = &mut self.queues[index].stages;
        if let Some(first) = stages.first() {
            self.firsts.remove(first);
        }
        stages.insert(id);
        self.firsts.extend(stages.first().map(|first| (*first, index)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// The first stage in graph order whose resources can be had; it has them from now on. Costs no
    /// more than a look at what waits before it.
    pub(crate) fn take(&mut self) -> Option<StageId> {
        let mut passed = Vec::new();
        // What is kept for stages that are earlier and have waited long.
        let mut kept: Vec<&Hold> = Vec::new();
        let mut found = None;
        for (id, index) in &self.firsts {
            let queue = &self.queues[*index];
            if self.is_free(&queue.hold) && !kept.iter().any(|hold| share(hold, &queue.hold)) {
                found = Some((*id, *index));
                break;
            }
            if queue.n_passed >= MAX_PASSED {
                kept.push(&queue.hold);
            }
            passed.push(*index);
        }
        let (id, index) = found?;
        let hold = self.queues[index].hold.clone();
        hold.iter().for_each(|(resource, amount)| self.free[*resource] -= amount);
        for other in passed {
            let other = &mut self.queues[other];
            other.n_passed += usize::from(share(&other.hold, &hold));
        }
        let queue = &mut self.queues[index];
        queue.n_passed = 0;
        queue.stages.remove(&id);
        self.firsts.remove(&id);
        self.firsts.extend(queue.stages.first().map(|first| (*first, index)));
        Some(id)
    }

    /// A stage that was taken no longer holds anything.
    pub(crate) fn release(&mut self, id: StageId) {
        let queue = self.queues_of.get(&id).map(|index| &self.queues[*index]);
        for (resource, amount) in queue.into_iter().flat_map(|queue| &queue.hold) {
            self.free[*resource] += amount;
        }
    }

    fn is_free(&self, hold: &Hold) -> bool {
        hold.iter().all(|(resource, amount)| self.free[*resource] >= *amount)
    }
}

fn share(a: &Hold, b: &Hold) -> bool {
    a.iter().any(|(resource, _)| b.iter().any(|(other, _)| other == resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stages that hold these amounts of a resource of which there are `free`.
    fn tokens(free: u64, amounts: &[u64]) -> Tokens {
        let hold = |(i, amount): (usize, &u64)| (StageId(i), vec![(0, *amount)]);
        let holds = amounts.iter().enumerate().map(hold).collect();
        let mut tokens = Tokens::of(vec![free], holds);
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
        let mut tokens = Tokens::of(vec![], (0..4).map(|i| (StageId(i), vec![])).collect());
        [3, 1, 2].into_iter().for_each(|i| tokens.add(StageId(i)));
        let order: Vec<_> = std::iter::from_fn(|| tokens.take()).collect();
        assert_eq!(order, [StageId(1), StageId(2), StageId(3)]);
    }

    /// Every stage waits for something of its own, and all for the one thing that the first has.
    #[test]
    fn thousands_that_wait_for_different_things_cost_no_time() {
        const N: usize = 3000;
        let hold = |i: usize| match i % 2 {
            0 => vec![(0, 1), (1 + i, 1)],
            _ => vec![(1 + i, 1)],
        };
        let free = [vec![1], vec![1; N]].concat();
        let mut tokens = Tokens::of(free, (0..N).map(|i| (StageId(i), hold(i))).collect());
        (0..N).for_each(|i| tokens.add(StageId(i)));
        let start = std::time::Instant::now();
        let mut order = Vec::new();
        while let Some(id) = tokens.take() {
            order.push(id.0);
            // Whoever has the shared thing keeps it to the end.
            if id.0 != 0 {
                tokens.release(id);
            }
        }
        assert_eq!(order, [vec![0], (1..N).step_by(2).collect()].concat());
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}
