//! The order of the stages: what is rested on first, else as they are listed; and the circle to
//! tell when there is none. Last part of building the graph.

use std::collections::BTreeSet;

use crate::build::{Builder, Plugged};
use crate::error::Diagnostic;
use crate::graph::{Graph, Plug, Port, Stage, StageId};
use crate::node::Node;

/// How many stages of a long circle are told at its beginning, and at its end.
const MAX_TOLD: usize = 8;

impl Builder<'_> {
    /// Puts the stages in graph order: what is rested on first, else as they are listed.
    pub(crate) fn order(&mut self, plugged: Plugged) -> Graph {
        let needs: Vec<Vec<usize>> = plugged.iter().map(needs).collect();
        let (order, stuck) = topological(&needs);
        if let Some(cycle) = find_cycle(&needs, &stuck) {
            let node = self.stages[cycle[0]].node;
            let place = node.get("inputs").or(node.get("after")).and_then(|node| node.key.clone());
            let hint = "take one of these inputs out".to_owned();
            let diagnostic = Diagnostic::new(self.tell_cycle(&cycle));
            self.diagnostics.push(diagnostic.at(place.or(node.place.clone())).hinted(hint));
        }
        let mut rank = vec![0; self.stages.len()];
        order.iter().enumerate().for_each(|(position, index)| rank[*index] = position);
        let mut drafts: Vec<_> =
            std::mem::take(&mut self.stages).into_iter().zip(plugged).map(Some).collect();
        let stages = order.iter().filter_map(|index| {
            let (draft, (ports, after)) = drafts[*index].take()?;
            Some(Stage {
                name: draft.name,
                group: draft.group,
                variant: draft.variant,
                kind: draft.kind,
                params: draft.params,
                seed: draft.seed,
                inputs: ports.into_iter().map(|port| renumber(port, &rank)).collect(),
                after: after.iter().map(|id| StageId(rank[id.0])).collect(),
                outputs: draft.outputs,
                control: draft.control,
            })
        });
        let stages = stages.collect();
        let name = self.root().get("name").and_then(Node::text).unwrap_or_default().to_owned();
        let graph = Graph { name, stages, resources: std::mem::take(&mut self.capacities) };
        self.check_services(&graph);
        graph
    }

    /// A circle as `a -> b -> a`; of a long one the beginning and the end.
    fn tell_cycle(&self, cycle: &[usize]) -> String {
        let names = |part: &[usize]| {
            let names: Vec<_> = part.iter().map(|i| self.stages[*i].name.as_str()).collect();
            names.join(" -> ")
        };
        let n_left_out = cycle.len().saturating_sub(2 * MAX_TOLD);
        if n_left_out < 2 {
            return format!("dependency cycle: {}", names(cycle));
        }
        let (head, tail) = (&cycle[..MAX_TOLD], &cycle[cycle.len() - MAX_TOLD..]);
        let (head, tail) = (names(head), names(tail));
        format!("dependency cycle: {head} -> ({n_left_out} more) -> {tail}")
    }
}

/// The stages that a stage waits for, each once.
fn needs((ports, after): &(Vec<Port>, Vec<StageId>)) -> Vec<usize> {
    let plugs = ports.iter().flat_map(|port| &port.plugs);
    let read = plugs.filter_map(|plug| match plug {
        Plug::Stage { stage, .. } => Some(stage.0),
        Plug::Data { .. } => None,
    });
    let mut needs: Vec<_> = read.chain(after.iter().map(|id| id.0)).collect();
    needs.sort_unstable();
    needs.dedup();
    needs
}

fn renumber(mut port: Port, rank: &[usize]) -> Port {
    for plug in &mut port.plugs {
        if let Plug::Stage { stage, .. } = plug {
            *stage = StageId(rank[stage.0]);
        }
    }
    port.plugs.sort_by_key(|plug| match plug {
        Plug::Data { .. } => None,
        Plug::Stage { stage, output } => Some((*stage, *output)),
    });
    port.plugs.dedup();
    port
}

/// The indices in an order in which needs come first, and those that never become ready.
fn topological(needs: &[Vec<usize>]) -> (Vec<usize>, BTreeSet<usize>) {
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (index, needed) in needs.iter().enumerate() {
        needed.iter().for_each(|need| dependents[*need].push(index));
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|i| missing[*i] == 0).collect();
    let mut order = Vec::new();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for dependent in &dependents[index] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    let stuck = (0..needs.len()).filter(|i| missing[*i] > 0).collect();
    (order, stuck)
}

/// A circle among the stuck stages, in the direction of the data: `a -> b -> a`.
fn find_cycle(needs: &[Vec<usize>], stuck: &BTreeSet<usize>) -> Option<Vec<usize>> {
    let mut path = Vec::new();
    let mut position: Vec<Option<usize>> = vec![None; needs.len()];
    let mut next = *stuck.first()?;
    // Every stuck stage needs another stuck one, so that this walk must close a circle.
    while position[next].is_none() {
        position[next] = Some(path.len());
        path.push(next);
        next = *needs[next].iter().find(|need| stuck.contains(need))?;
    }
    let mut cycle = path.split_off(position[next]?);
    cycle.push(next);
    cycle.reverse();
    Some(cycle)
}
