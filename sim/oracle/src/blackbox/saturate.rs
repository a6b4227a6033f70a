//! Infers the order of unobserved register writes, in histories of any length.
//!
//! Job: edges without which a read has no explanation. If `reader` read a register from `writer`, any third
//! one who wrote it comes before `writer` or after `reader`; as soon as one of the two is ruled out by a
//! path, the other is an edge, which makes paths, and so on (the pruning of C. Tan et al., "Cobra: making
//! transactional key-value stores verifiably serializable", OSDI 2020). Not its job: choosing where both are
//! possible.
//!
//! Invariants: INV-SAT-1: every edge is a proof. INV-SAT-2: time and memory are linear in the history: paths
//! are followed between events that are at most [`WINDOW`] apart in an order by urgency, and, where real time
//! counts, from an answer to whatever began later. Longer ones may be missed, and so may be an edge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::problem::{ByKey, Problem};
use super::resolve::NO_SOURCE;
use super::schedule::due;
use crate::graph::{Edge, Graph, Kind, topological, waits};
use crate::view::{KeyId, Map};

/// Maximum distance of two events for a path between them to be seen.
const WINDOW: usize = 512;
const WORDS: usize = WINDOW / 64;
/// Maximum number of rounds in which new edges imply further edges.
const PASSES_MAX: usize = 32;

/// The edges that follow; `open` are the keys whose order is not known, `timed` says whether real time
/// counts.
pub(super) fn saturate(
    problem: &Problem<'_, '_>,
    events: &Events,
    by_key: &ByKey,
    open: &[KeyId],
    timed: bool,
) -> Vec<(u32, Edge)> {
    let registers: Vec<KeyId> = open.iter().copied().filter(|key| !problem.lists.contains_key(key)).collect();
    let mut found = Vec::new();
    if registers.is_empty() {
        return found;
    }
    let mut known: Map<(u32, u32), ()> = Map::default();
    for _ in 0..PASSES_MAX {
        let graph = events.graph.with(&found);
        let Some(sorted) = topological(&graph) else { break };
        let order = by_urgency(&graph, &due(problem, events, &graph, &sorted));
        let paths = Paths::new(&graph, &order, problem, events, timed);
        let before = found.len();
        for &key in &registers {
            follow(&paths, by_key, key, &mut |from, edge| {
                if known.insert((from, edge.to), ()).is_none() {
                    found.push((from, edge));
                }
            });
        }
        if found.len() == before {
            break;
        }
    }
    found
}

/// Adds the edges that follow for one register.
fn follow(paths: &Paths<'_, '_, '_>, by_key: &ByKey, key: KeyId, add: &mut impl FnMut(u32, Edge)) {
    let events = paths.events;
    let place = |txn: TxnIndex| paths.place[events.commit(txn) as usize] as usize;
    let mut writers: Vec<(usize, TxnIndex)> =
        by_key.writers(key).iter().map(|&writer| (place(writer), writer)).collect();
    writers.sort_unstable();
    for read in by_key.reads(key) {
        let (writer, reader) = (read.source, read.reader);
        if writer >= NO_SOURCE || writer == reader || paths.problem.weak[reader as usize] {
            continue;
        }
        let (from, to) = (place(writer).min(place(reader)), place(writer).max(place(reader)));
        let first = writers.partition_point(|(place, _)| place + WINDOW < from);
        for &(at, third) in &writers[first..] {
            if at > to + WINDOW {
                break;
            }
            if third == writer || third == reader {
                continue;
            }
            let (before, after) = (events.commit(third), events.start(writer));
            if paths.has(events.commit(writer), events.commit(third)) {
                if !paths.has(events.start(reader), events.commit(third)) {
                    add(events.start(reader), Edge { to: events.commit(third), key, kind: Kind::Rw });
                }
            } else if !paths.has(before, after) && paths.has(before, events.start(reader)) {
                add(before, Edge { to: after, key, kind: Kind::Forced });
            }
        }
    }
}

/// A topological order, the most urgent event first, so that events near in time are near in the order.
fn by_urgency(graph: &Graph, due: &[u64]) -> Vec<u32> {
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
    order
}

/// Reachability between events, within the window.
struct Paths<'p, 'v, 'h> {
    problem: &'p Problem<'v, 'h>,
    events: &'p Events,
    timed: bool,
    /// By event: its place in the order.
    place: Vec<u32>,
    /// By place: bit `n` says that the event `n + 1` places before leads to this one.
    before: Vec<[u64; WORDS]>,
}

impl<'p, 'v, 'h> Paths<'p, 'v, 'h> {
    fn new(
        graph: &Graph,
        order: &[u32],
        problem: &'p Problem<'v, 'h>,
        events: &'p Events,
        timed: bool,
    ) -> Self {
        let mut place = vec![0; order.len()];
        for (at, &node) in (0..).zip(order) {
            place[node as usize] = at;
        }
        let mut before = vec![[0; WORDS]; order.len()];
        for (at, &node) in order.iter().enumerate() {
            let mine = before[at];
            for edge in graph.from(node) {
                let to = place[edge.to as usize] as usize;
                lead(&mut before[to], &mine, to - at);
            }
        }
        Self { problem, events, timed, place, before }
    }

    fn has(&self, from: u32, to: u32) -> bool {
        if from == to {
            return true;
        }
        let (at, end) = (self.place[from as usize] as usize, self.place[to as usize] as usize);
        if at >= end {
            return false;
        }
        let bit = end - at - 1;
        if bit < WINDOW {
            return self.before[end][bit / 64] >> (bit % 64) & 1 == 1;
        }
        let (from, to) = (self.events.txn(from), self.events.txn(to));
        let passed =
            |(from, to): (TxnIndex, TxnIndex)| self.problem.acked(from) < self.problem.view.txn(to).begun;
        self.timed && from.zip(to).is_some_and(passed)
    }
}

/// Adds an event and its predecessors to the predecessors of an event `distance` places later.
fn lead(later: &mut [u64; WORDS], earlier: &[u64; WORDS], distance: usize) {
    if distance > WINDOW {
        return;
    }
    later[(distance - 1) / 64] |= 1 << ((distance - 1) % 64);
    let (words, bits) = (distance / 64, distance % 64);
    for at in words..WORDS {
        let mut moved = earlier[at - words] << bits;
        if bits > 0 && at > words {
            moved |= earlier[at - words - 1] >> (64 - bits);
        }
        later[at] |= moved;
    }
}
