//! Shortest cycles, by breadth-first search inside one strongly connected component.

use hashbrown::HashMap;

use super::csr::{Edge, Graph, Kind, Kinds};

/// One edge of a cycle, with its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: u32,
    pub(crate) edge: Edge,
}

/// Maximum number of starting points in a component: the shortest cycle through one of them is short enough.
const STARTS_MAX: usize = 64;

/// Returns a shortest cycle within `component` over edges of `kinds`, that takes `first` as one of its edges
/// if given. Of equally short ones the one that begins at the least node.
pub(crate) fn shortest_cycle(
    graph: &Graph,
    component: &[u32],
    kinds: Kinds,
    first: Option<Kind>,
) -> Option<Vec<Step>> {
    let inside = places(component);
    let mut best: Option<Vec<Step>> = None;
    let mut starts = 0;
    for &start in component {
        if starts >= STARTS_MAX {
            break;
        }
        let mut tried = false;
        for edge in graph.from(start) {
            let wanted = first.map_or(kinds.has(edge.kind), |first| edge.kind == first);
            if !wanted || !inside.contains_key(&edge.to) || edge.to == start {
                continue;
            }
            tried = true;
            let limit = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
            if let Some(mut back) = path(graph, &inside, kinds, edge.to, start, limit.saturating_sub(1)) {
                back.insert(0, Step { from: start, edge: *edge });
                if best.as_ref().is_none_or(|best| back.len() < best.len()) {
                    best = Some(back);
                }
            }
        }
        starts += usize::from(tried);
    }
    best
}

/// Returns a shortest path within a sorted component, over edges of `kinds`.
pub(crate) fn path_within(
    graph: &Graph,
    component: &[u32],
    kinds: Kinds,
    from: u32,
    to: u32,
) -> Option<Vec<Step>> {
    path(graph, &places(component), kinds, from, to, usize::MAX)
}

fn places(component: &[u32]) -> HashMap<u32, u32, foldhash::fast::FixedState> {
    component.iter().enumerate().map(|(at, &node)| (node, u32::try_from(at).unwrap_or(0))).collect()
}

/// Returns a shortest path of at most `steps_max` steps.
fn path(
    graph: &Graph,
    inside: &HashMap<u32, u32, foldhash::fast::FixedState>,
    kinds: Kinds,
    from: u32,
    to: u32,
    steps_max: usize,
) -> Option<Vec<Step>> {
    let mut came: Vec<Option<Step>> = vec![None; inside.len()];
    let mut level = vec![from];
    let mut steps = 0;
    while !level.is_empty() && steps < steps_max {
        steps += 1;
        let mut next = Vec::new();
        for &node in &level {
            for edge in graph.from(node) {
                let Some(&at) = inside.get(&edge.to) else { continue };
                if !kinds.has(edge.kind) || edge.to == from || came[at as usize].is_some() {
                    continue;
                }
                came[at as usize] = Some(Step { from: node, edge: *edge });
                if edge.to == to {
                    return Some(unwind(&came, inside, from, to));
                }
                next.push(edge.to);
            }
        }
        level = next;
    }
    None
}

fn unwind(
    came: &[Option<Step>],
    inside: &HashMap<u32, u32, foldhash::fast::FixedState>,
    from: u32,
    to: u32,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut node = to;
    while node != from {
        let Some(step) = inside.get(&node).and_then(|&at| came[at as usize]) else { break };
        steps.push(step);
        node = step.from;
    }
    steps.reverse();
    steps
}
