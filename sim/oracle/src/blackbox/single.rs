//! Cycles with exactly one anti-dependency, for levels that forbid only those.

use super::events::Events;
use crate::graph::{Kind, Kinds, Step, components, path_within, topological};

/// Returns cycles of an acyclic graph with one of the anti-dependencies that stand apart from it: one for
/// each component, and at most `max`.
pub(super) fn cycles(events: &Events, max: usize) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    if events.antis().is_empty() {
        return found;
    }
    let Some(order) = topological(&events.graph) else { return found };
    let mut place = vec![0_u32; order.len()];
    for (at, &node) in (0..).zip(&order) {
        place[node as usize] = at;
    }
    let complete = events.complete();
    for component in components(&complete, Kinds::ALL) {
        if found.len() >= max {
            break;
        }
        found.extend(cycle(&complete, &component, &place));
    }
    found
}

fn cycle(complete: &crate::graph::Graph, component: &[u32], place: &[u32]) -> Option<Vec<Step>> {
    let without = Kinds(Kinds::ALL.0 & !(Kind::Rw as u16));
    for &reader in component {
        for edge in complete.from(reader).iter().filter(|edge| edge.kind == Kind::Rw) {
            // A path only leads onwards.
            if place[edge.to as usize] >= place[reader as usize] || component.binary_search(&edge.to).is_err()
            {
                continue;
            }
            if let Some(mut back) = path_within(complete, component, without, edge.to, reader) {
                back.insert(0, Step { from: reader, edge: *edge });
                return Some(back);
            }
        }
    }
    None
}
