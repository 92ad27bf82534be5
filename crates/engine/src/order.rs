//! The order of the stages: what is rested on first, else as they are listed; and the circle to
//! tell when there is none. Last part of building the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::{Builder, Plugged};
use crate::error::Diagnostic;
use crate::graph::{Control, Graph, Plug, Port, Stage, StageId};
use crate::node::Node;

impl Builder<'_> {
    /// Puts the stages in graph order: what is rested on first, else as they are listed.
    pub(crate) fn order(&mut self, plugged: Plugged) -> Graph {
        let needs: Vec<BTreeSet<usize>> = plugged.iter().map(needs).collect();
        let (order, stuck) = topological(&needs);
        if let Some(cycle) = find_cycle(&needs, &stuck) {
            let names: Vec<_> = cycle.iter().map(|i| self.stages[*i].name.as_str()).collect();
            let message = format!("dependency cycle: {}", names.join(" -> "));
            let node = self.stages[cycle[0]].node;
            let place = node.get("inputs").or(node.get("after")).and_then(|node| node.key.clone());
            let hint = "take one of these inputs out".to_owned();
            let diagnostic = Diagnostic::new(message).at(place.or(node.place.clone())).hinted(hint);
            self.diagnostics.push(diagnostic);
        }
        let mut rank = vec![0; self.stages.len()];
        order.iter().enumerate().for_each(|(position, index)| rank[*index] = position);
        let stages = order.iter().map(|index| {
            let draft = &self.stages[*index];
            let (ports, after) = &plugged[*index];
            Stage {
                name: draft.name.clone(),
                group: draft.group.clone(),
                variant: draft.variant.clone(),
                kind: draft.kind,
                params: draft.params.clone(),
                seed: draft.seed,
                inputs: ports.iter().map(|port| renumber(port, &rank)).collect(),
                after: after.iter().map(|id| StageId(rank[id.0])).collect(),
                outputs: draft.outputs.clone(),
                control: Control::default(),
            }
        });
        let name = self.root().get("name").and_then(Node::text).unwrap_or_default().to_owned();
        let graph = Graph { name, stages: stages.collect() };
        self.check_services(&graph);
        graph
    }
}

fn needs((ports, after): &(Vec<Port>, Vec<StageId>)) -> BTreeSet<usize> {
    let plugs = ports.iter().flat_map(|port| &port.plugs);
    let read = plugs.filter_map(|plug| match plug {
        Plug::Stage { stage, .. } => Some(stage.0),
        Plug::Data { .. } => None,
    });
    read.chain(after.iter().map(|id| id.0)).collect()
}

fn renumber(port: &Port, rank: &[usize]) -> Port {
    let mut port = port.clone();
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
fn topological(needs: &[BTreeSet<usize>]) -> (Vec<usize>, BTreeSet<usize>) {
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    for (index, needed) in needs.iter().enumerate() {
        for need in needed {
            dependents.entry(*need).or_default().push(index);
        }
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|i| missing[*i] == 0).collect();
    let mut order = Vec::new();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for dependent in dependents.get(&index).into_iter().flatten() {
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
fn find_cycle(needs: &[BTreeSet<usize>], stuck: &BTreeSet<usize>) -> Option<Vec<usize>> {
    let mut path = vec![*stuck.first()?];
    loop {
        let last = *path.last()?;
        // Every stuck stage needs another stuck one, so that this walk must close a circle.
        let next = *needs[last].iter().find(|need| stuck.contains(need))?;
        if let Some(start) = path.iter().position(|index| *index == next) {
            let mut cycle = path.split_off(start);
            cycle.push(next);
            cycle.reverse();
            return Some(cycle);
        }
        path.push(next);
    }
}
