//! Urgency: which answer waits first for an event.

use super::super::events::Events;
use super::super::problem::Problem;
use crate::graph::Graph;

/// Returns, by event, the earliest ack that has to wait for it.
pub(in crate::blackbox) fn due(
    problem: &Problem<'_, '_>,
    events: &Events,
    graph: &Graph,
    sorted: &[u32],
) -> Vec<u64> {
    let mut due = vec![u64::MAX; sorted.len()];
    for &node in sorted.iter().rev() {
        let own = events.txn(node).map_or(u64::MAX, |txn| problem.acked(txn));
        let next = graph.from(node).iter().map(|edge| due[edge.to as usize]).min();
        due[node as usize] = own.min(next.unwrap_or(u64::MAX));
    }
    due
}
