//! Plays a history: an order of all transactions in which every read finds what it saw.
//!
//! Job: propose an order of the writes that nobody saw in order, for histories that are too long for a search. What
//! comes out is a guess as any other; that it has no cycle is checked elsewhere.
//!
//! Transactions are taken one by one along the known graph, most urgent first (who must be done before whoever was
//! answered first); a read waits until its key holds what it saw, and a write until all have read what it
//! overwrites. If everybody waits for somebody, they do so in a circle, and in that circle some writer went before
//! another one who had to come first: that is learned as an edge, all from there on is taken back, and tried again
//! (conflicts teach, as in J. Marques-Silva and K. Sakallah, "GRASP: a search algorithm for propositional
//! satisfiability", IEEE Trans. Computers 48(5), 1999).
//!
//! Invariant INV-PLAY-1: the work is bounded by a multiple of the number of events.

mod play;

use super::events::Events;
use super::problem::{Assigned, ByKey, Problem};
use crate::graph::Graph;
use crate::view::KeyId;
use play::Play;

/// By transaction, the place at which it took effect, if an order was found in which all reads find what they saw.
/// `open` are the keys whose order is not known.
pub(super) fn schedule(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    by_key: &ByKey,
    events: &Events,
    open: &[KeyId],
) -> Option<Vec<u32>> {
    let sorted = topological(&events.graph)?;
    let registers = open.iter().any(|key| !problem.lists.contains_key(key));
    let order = if registers || events.split() {
        let due = due(problem, events, &events.graph, &sorted);
        Play::new(problem, assigned, by_key, events, open, due).run()?
    } else {
        // Nobody saw any of the appends in question, so whatever keeps to the graph will do.
        sorted
    };
    let mut places = vec![0; assigned.included.len()];
    for (place, &node) in (0..).zip(&order) {
        if let Some(txn) = events.txn(node) {
            places[txn as usize] = place;
        }
    }
    Some(places)
}

pub(super) fn waits(graph: &Graph) -> Vec<u32> {
    let mut waits = vec![0; graph.nodes()];
    for node in nodes(graph) {
        for edge in graph.from(node) {
            waits[edge.to as usize] += 1;
        }
    }
    waits
}

fn nodes(graph: &Graph) -> std::ops::Range<u32> {
    0..u32::try_from(graph.nodes()).unwrap_or(u32::MAX)
}

pub(super) fn topological(graph: &Graph) -> Option<Vec<u32>> {
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

/// By event: the first answer that has to wait for it.
pub(super) fn due(problem: &Problem<'_, '_>, events: &Events, graph: &Graph, sorted: &[u32]) -> Vec<u64> {
    let mut due = vec![u64::MAX; sorted.len()];
    for &node in sorted.iter().rev() {
        let own = events.txn(node).map_or(u64::MAX, |txn| problem.acked(txn));
        let next = graph.from(node).iter().map(|edge| due[edge.to as usize]).min();
        due[node as usize] = own.min(next.unwrap_or(u64::MAX));
    }
    due
}
