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
use super::paths::{Members, Paths};
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
    let mut paths = Paths::new(problem, events, memory_max);
    for _ in 0..PASSES_MAX {
        let graph = events.graph.with(&found);
        let Some(order) = by_urgency(problem, events, &graph) else { break };
        paths.follow(&graph, order);
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
        let rule = self.events.rule();
        let writers = self.paths.members(self.by_key.writers(self.key));
        for read in self.by_key.reads(self.key) {
            let (writer, reader) = (read.source, read.reader);
            let counts = self.problem.anti_counts(rule, reader, self.key) && self.problem.is_item(rule, read);
            if writer < NO_SOURCE && writer != reader && counts {
                self.thirds(&writers, writer, reader, add);
            }
        }
    }

    /// Adds the edges from and to third writers that one read makes follow.
    fn thirds(&self, writers: &Members, writer: TxnIndex, reader: TxnIndex, add: &mut impl FnMut(u32, Edge)) {
        let (events, paths, key) = (self.events, self.paths, self.key);
        let (written, begun) = (events.commit(writer), events.start(reader));
        let is_third = |txn: TxnIndex| txn != writer && txn != reader;
        let mut edge = |third: TxnIndex, from: u32, to: u32, kind: Kind| {
            if is_third(third) {
                add(from, Edge { to, key, kind });
            }
        };
        // Where a cycle may have several anti-dependencies, one is no path.
        if events.rule().single {
            paths.between(writers, written, begun, |third| {
                edge(third, events.commit(third), events.start(writer), Kind::Forced);
            });
        } else {
            paths.after(writers, written, begun, |third| edge(third, begun, events.commit(third), Kind::Rw));
        }
        let sees = !self.problem.commutes(events.rule(), key);
        let after = if sees { events.start(writer) } else { written };
        paths.before(writers, begun, after, written, |third| {
            edge(third, events.commit(third), after, Kind::Forced);
        });
    }
}
