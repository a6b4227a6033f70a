//! What read-atomic and causal consistency add to the graph: writes that must come before those that were
//! read.
//!
//! R. Biswas and C. Enea, "On the complexity of checking transactional consistency", OOPSLA 2019, figure 2:
//! if a reader sees a transaction that wrote a key, and read that key from another, then that other is the
//! later one. For read-atomic "sees" is reads-from; for causal, any path of sessions and reads-from. Only the
//! last such writer of each session has to be examined: J. Liu et al., "Plume: efficient and complete
//! black-box checking of weak isolation levels", OOPSLA 2024.

use stormproof_workloads::history::TxnIndex;

use super::problem::{Assigned, ByKey, Problem};
use super::resolve::{INIT, NO_SOURCE, Source};
use crate::graph::{self, Edge, Graph, Kind};
use crate::view::{KeyId, Map, is_committed};

/// Maximum product of sessions and transactions for causal checks, which bounds their memory.
const CLOCKS_MAX: usize = 200_000_000;

pub(super) type Forced = Vec<(u32, Edge)>;

fn before(earlier: TxnIndex, source: Source, reader: TxnIndex, key: KeyId) -> (u32, Edge) {
    match source {
        INIT => (reader, Edge { to: earlier, key, kind: Kind::Rw }),
        source => (earlier, Edge { to: source, key, kind: Kind::Forced }),
    }
}

/// Returns the transactions that a transaction read from.
fn sources_of(problem: &Problem<'_, '_>, assigned: &Assigned, txn: TxnIndex) -> Vec<TxnIndex> {
    let places = problem.view.read_places(txn);
    let mut sources: Vec<_> = assigned.sources[places]
        .iter()
        .copied()
        .filter(|&source| source < NO_SOURCE && source != txn)
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Returns the edges of read atomicity: a reader sees all writes of every transaction that it read from.
pub(super) fn read_atomic(problem: &Problem<'_, '_>, assigned: &Assigned) -> Forced {
    let view = problem.view;
    let mut forced = Vec::new();
    for txn in &view.history.txns {
        let reader = txn.index;
        if !assigned.included[reader as usize] {
            continue;
        }
        let sources = view.read_places(reader).map(|place| assigned.sources[place]);
        let mut read: Vec<(KeyId, Source)> =
            view.reads(reader).iter().map(|observed| observed.key).zip(sources).collect();
        read.sort_unstable();
        for seen in sources_of(problem, assigned, reader) {
            for write in view.writes(seen) {
                let from = read.partition_point(|(key, _)| *key < write.key);
                let of_key = read[from..].iter().take_while(|(key, _)| *key == write.key);
                for &(_, source) in of_key.filter(|(_, source)| *source < NO_SOURCE || *source == INIT) {
                    if source != seen {
                        forced.push(before(seen, source, reader, write.key));
                    }
                }
            }
        }
    }
    forced
}

/// Returns the edges of causality: a reader sees all writes of every transaction that it depends on. There
/// are none if a transaction depends on itself, because the graph has that cycle already.
///
/// # Errors
/// When it would take too much memory.
pub(super) fn causal(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    by_key: &ByKey,
) -> Result<Forced, String> {
    let view = problem.view;
    let mut sessions: Map<u32, u32> = Map::default();
    let mut counts: Vec<u32> = Vec::new();
    // By transaction: its session and its place in it.
    let mut place: Vec<(u32, u32)> = vec![(0, 0); view.history.txns.len()];
    let mut last: Vec<Option<TxnIndex>> = Vec::new();
    let mut before_in_session: Vec<Option<TxnIndex>> = vec![None; view.history.txns.len()];
    for txn in view.history.txns.iter().filter(|txn| assigned.included[txn.index as usize]) {
        let fresh = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        let session = *sessions.entry(txn.session).or_insert(fresh);
        if session == fresh {
            counts.push(0);
            last.push(None);
        }
        before_in_session[txn.index as usize] = last[session as usize];
        if is_committed(txn) {
            last[session as usize] = Some(txn.index);
            place[txn.index as usize] = (session, counts[session as usize]);
            counts[session as usize] += 1;
        } else {
            // An unanswered commit may take effect after its session went on, so it gets a session of its
            // own.
            place[txn.index as usize] = (u32::try_from(counts.len()).unwrap_or(u32::MAX), 0);
            counts.push(1);
            last.push(None);
        }
    }
    let width = counts.len();
    if width * view.history.txns.len() > CLOCKS_MAX {
        return Err(format!("{width} sessions are too many to follow what each of them saw"));
    }
    let Some(order) = topological(problem, assigned, &before_in_session) else { return Ok(Vec::new()) };
    let mut clocks = vec![0_u32; width * view.history.txns.len()];
    let writers = by_session(problem, by_key, &place);
    let mut forced = Vec::new();
    for reader in order {
        let mut clock = vec![0_u32; width];
        let seen = sources_of(problem, assigned, reader);
        for other in before_in_session[reader as usize].into_iter().chain(seen) {
            let from = &clocks[other as usize * width..(other as usize + 1) * width];
            for (mine, theirs) in clock.iter_mut().zip(from) {
                *mine = (*mine).max(*theirs);
            }
        }
        for (at, observed) in view.read_places(reader).zip(view.reads(reader)) {
            let source = assigned.sources[at];
            if source >= NO_SOURCE && source != INIT {
                continue;
            }
            for group in writers[observed.key as usize].chunk_by(|one, other| one.0 == other.0) {
                let visible = group.partition_point(|writer| writer.1 < clock[writer.0 as usize]);
                if let Some(&(_, _, writer)) = visible.checked_sub(1).map(|last| &group[last])
                    && writer != source
                    && writer != reader
                {
                    forced.push(before(writer, source, reader, observed.key));
                }
            }
        }
        let (session, at) = place[reader as usize];
        clock[session as usize] = clock[session as usize].max(at + 1);
        clocks[reader as usize * width..(reader as usize + 1) * width].copy_from_slice(&clock);
    }
    Ok(forced)
}

/// Returns, by key, its writers by session and place.
fn by_session(
    problem: &Problem<'_, '_>,
    by_key: &ByKey,
    place: &[(u32, u32)],
) -> Vec<Vec<(u32, u32, TxnIndex)>> {
    let keys = u32::try_from(problem.view.keys.len()).unwrap_or(u32::MAX);
    let sorted = |key| {
        let writers = by_key.writers(key).iter();
        let mut list: Vec<_> =
            writers.map(|&writer| (place[writer as usize].0, place[writer as usize].1, writer)).collect();
        list.sort_unstable();
        list
    };
    (0..keys).map(sorted).collect()
}

/// Returns an order that keeps sessions and reads-from, if there is one.
fn topological(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    before_in_session: &[Option<TxnIndex>],
) -> Option<Vec<TxnIndex>> {
    let nodes = before_in_session.len();
    let mut list = Vec::new();
    let included = (0..nodes).filter(|&txn| assigned.included[txn]);
    for txn in included.filter_map(|txn| u32::try_from(txn).ok()) {
        let sources = sources_of(problem, assigned, txn);
        for from in before_in_session[txn as usize].into_iter().chain(sources) {
            list.push((from, Edge { to: txn, key: 0, kind: Kind::Wr }));
        }
    }
    let mut order = graph::topological(&Graph::new(nodes, &list))?;
    order.retain(|&txn| assigned.included[txn as usize]);
    Some(order)
}
