//! Simulates a schedule: an order of all transactions in which every read finds the value that it saw.
//!
//! Job: propose an order of the unobserved writes, for histories that are too long for a search. The result
//! is a guess like any other; its acyclicity is checked elsewhere.
//!
//! Transactions are scheduled one by one along the known graph, the most urgent first (the one that the
//! earliest ack waits for). A read waits until its key holds the value that it saw, a write until the value
//! that it overwrites has been read by all its readers. A deadlock is a cycle of waiting events, and in it
//! some writer went too early: that is learned as an edge, the schedule is undone from there on and resumed
//! (conflict-driven learning, as in J. Marques-Silva and K. Sakallah, "GRASP: a search algorithm for
//! propositional satisfiability", IEEE Trans. Computers 48(5), 1999).
//!
//! Invariant INV-PLAY-1: the work is bounded by a multiple of the number of events.

mod due;
mod play;

use super::events::Events;
use super::problem::{Assigned, ByKey, Problem};
use crate::graph::topological;
use crate::view::KeyId;
pub(super) use due::{by_likelihood, by_urgency, due};
use play::Play;

/// Returns, by transaction, its place in a schedule in which all reads find what they saw, if one was found;
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
        // None of these appends was read, so any topological order will do.
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
