//! The urgency of events: the earliest ack that waits for each, and an order by it.
//!
//! Without times, sessions are taken to have gone on side by side.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stormproof_workloads::history::TxnIndex;

use super::super::events::Events;
use super::super::problem::Problem;
use crate::graph::{Graph, topological, waits};

/// Returns, by event, the earliest ack that has to wait for it.
pub(in crate::blackbox) fn due(
    problem: &Problem<'_, '_>,
    events: &Events,
    graph: &Graph,
    sorted: &[u32],
) -> Vec<u64> {
    due_by(events, graph, sorted, |txn| problem.likely(txn))
}

/// Returns, by event, the least of what `likely` says of the transactions that have to wait for it.
fn due_by(events: &Events, graph: &Graph, sorted: &[u32], likely: impl Fn(TxnIndex) -> u64) -> Vec<u64> {
    let mut due = vec![u64::MAX; sorted.len()];
    for &node in sorted.iter().rev() {
        let own = events.txn(node).map_or(u64::MAX, &likely);
        let next = graph.from(node).iter().map(|edge| due[edge.to as usize]).min();
        due[node as usize] = own.min(next.unwrap_or(u64::MAX));
    }
    due
}

/// Returns a topological order, the most urgent event first, so that events near in time are near in the
/// order; none if there is a cycle.
pub(in crate::blackbox) fn by_urgency(
    problem: &Problem<'_, '_>,
    events: &Events,
    graph: &Graph,
) -> Option<Vec<u32>> {
    by_likelihood(events, graph, |txn| problem.likely(txn))
}

/// Returns a topological order, of what may come next the events first that lead to the least of what
/// `likely` says of a transaction; none if there is a cycle.
pub(in crate::blackbox) fn by_likelihood(
    events: &Events,
    graph: &Graph,
    likely: impl Fn(TxnIndex) -> u64,
) -> Option<Vec<u32>> {
    let due = due_by(events, graph, &topological(graph)?, likely);
    let mut waits = waits(graph);
    let nodes = 0..u32::try_from(graph.nodes()).unwrap_or(u32::MAX);
    let free = nodes.filter(|&node| waits[node as usize] == 0);
    let mut ready: BinaryHeap<_> = free.map(|node| Reverse((due[node as usize], node))).collect();
    let mut order = Vec::with_capacity(graph.nodes());
    while let Some(Reverse((_, node))) = ready.pop() {
        order.push(node);
        for edge in graph.from(node) {
            waits[edge.to as usize] -= 1;
            if waits[edge.to as usize] == 0 {
                ready.push(Reverse((due[edge.to as usize], edge.to)));
            }
        }
    }
    Some(order)
}
