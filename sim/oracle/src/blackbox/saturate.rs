//! Infers the order of unobserved register writes, in histories of any length.
//!
//! Job: edges without which a read has no explanation. If `reader` read a register from `writer`, any third
//! one that wrote it comes before `writer` or after `reader`; as soon as one of the two is ruled out by a
//! path, the other is an edge, which makes paths, and so on (the pruning of C. Tan et al., "Cobra: making
//! transactional key-value stores verifiably serializable", OSDI 2020). Not its job: choosing where both are
//! possible ([`super::search`]).
//!
//! Invariants: INV-SAT-1: every edge is a proof. INV-SAT-2: memory is bounded by the limit, see
//! [`super::paths`].

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::paths::Paths;
use super::problem::{ByKey, Problem};
use super::resolve::NO_SOURCE;
use super::schedule::by_urgency;
use crate::graph::{Edge, Kind};
use crate::view::{KeyId, Map};

/// Maximum number of rounds in which new edges imply further edges.
const PASSES_MAX: usize = 64;

/// Returns the edges that follow; `open` are the keys whose order is not known.
pub(super) fn saturate(
    problem: &Problem<'_, '_>,
    events: &Events,
    by_key: &ByKey,
    open: &[KeyId],
    memory_max: u64,
) -> Vec<(u32, Edge)> {
    let registers: Vec<KeyId> = open.iter().copied().filter(|key| !problem.lists.contains_key(key)).collect();
    let mut found = Vec::new();
    if registers.is_empty() {
        return found;
    }
    let mut known: Map<(u32, u32), ()> = Map::default();
    for _ in 0..PASSES_MAX {
        let graph = events.graph.with(&found);
        let Some(order) = by_urgency(problem, events, &graph) else { break };
        let paths = Paths::new(&graph, &order, problem, events, memory_max);
        let before = found.len();
        let mut add = |from: u32, edge: Edge| {
            if known.insert((from, edge.to), ()).is_none() {
                found.push((from, edge));
            }
        };
        for &key in &registers {
            Register { problem, events, by_key, paths: &paths, key }.follow(&mut add);
        }
        if found.len() == before {
            break;
        }
    }
    found
}

/// A register whose order is not known.
struct Register<'s, 'v, 'h> {
    problem: &'s Problem<'v, 'h>,
    events: &'s Events,
    by_key: &'s ByKey,
    paths: &'s Paths<'s, 'v, 'h>,
    key: KeyId,
}

impl Register<'_, '_, '_> {
    /// Adds the edges that follow.
    fn follow(&self, add: &mut impl FnMut(u32, Edge)) {
        let (events, rule) = (self.events, self.events.rule());
        let place = |txn: TxnIndex| self.paths.place(events.commit(txn));
        let mut writers: Vec<(usize, TxnIndex)> =
            self.by_key.writers(self.key).iter().map(|&writer| (place(writer), writer)).collect();
        writers.sort_unstable();
        for read in self.by_key.reads(self.key) {
            let (writer, reader) = (read.source, read.reader);
            let counts = self.problem.anti_counts(rule, reader, self.key) && self.problem.is_item(rule, read);
            if writer >= NO_SOURCE || writer == reader || !counts {
                continue;
            }
            let (from, to) = (place(writer).min(place(reader)), place(writer).max(place(reader)));
            let first = writers.partition_point(|(place, _)| place + self.paths.reach() < from);
            for &(at, third) in &writers[first..] {
                if at > to.saturating_add(self.paths.reach()) {
                    break;
                }
                if third != writer && third != reader {
                    self.third(writer, reader, third, add);
                }
            }
        }
    }

    fn third(&self, writer: TxnIndex, reader: TxnIndex, third: TxnIndex, add: &mut impl FnMut(u32, Edge)) {
        let (events, paths, key) = (self.events, self.paths, self.key);
        let (before, begun) = (events.commit(third), events.start(reader));
        if paths.has(events.commit(writer), before) {
            // Where a cycle may have several anti-dependencies, this one is no path.
            if !events.rule().single && !paths.has(begun, before) {
                add(begun, Edge { to: before, key, kind: Kind::Rw });
            }
            if events.rule().single && paths.has(before, begun) {
                add(before, Edge { to: events.start(writer), key, kind: Kind::Forced });
            }
            return;
        }
        let sees = !self.problem.commutes(events.rule(), key);
        let after = if sees { events.start(writer) } else { events.commit(writer) };
        if !paths.has(before, after) && paths.has(before, begun) {
            add(before, Edge { to: after, key, kind: Kind::Forced });
        }
    }
}
