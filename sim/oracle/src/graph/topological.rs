//! Topological order.

use std::ops::Range;

use super::csr::{Edge, Graph};

/// Returns the number of edges that lead to each node.
pub(crate) fn waits(graph: &Graph) -> Vec<u32> {
    let mut waits = vec![0; graph.nodes()];
    for node in nodes(graph) {
        for edge in graph.from(node) {
            waits[edge.to as usize] += 1;
        }
    }
    waits
}

/// Returns all nodes.
pub(crate) fn nodes(graph: &Graph) -> Range<u32> {
    0..u32::try_from(graph.nodes()).unwrap_or(u32::MAX)
}

/// Returns an order of all nodes along the edges, or none if there is a cycle.
pub(crate) fn topological(graph: &Graph) -> Option<Vec<u32>> {
    let mut waits = waits(graph);
    let mut order: Vec<u32> = nodes(graph).filter(|&node| waits[node as usize] == 0).collect();
    order.reserve(graph.nodes());
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        at += 1;
        for edge in graph.from(node) {
            waits[edge.to as usize] -= 1;
            if waits[edge.to as usize] == 0 {
                order.push(edge.to);
            }
        }
    }
    (order.len() == graph.nodes()).then_some(order)
}

/// Returns the graph with all edges turned around.
pub(crate) fn reversed(graph: &Graph) -> Graph {
    let turned = |from: u32| graph.from(from).iter().map(move |edge| (edge.to, Edge { to: from, ..*edge }));
    let list: Vec<(u32, Edge)> = nodes(graph).flat_map(turned).collect();
    Graph::new(graph.nodes(), &list)
}
