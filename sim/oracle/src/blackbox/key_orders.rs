//! Orders of versions that a user vouches for: keys that are sequentially consistent or linearizable one by
//! one.
//!
//! Elle's options `sequential-keys` and `linearizable-keys`. Its `wfr-keys`, that a transaction which read a
//! version and wrote the key wrote a later one, needs no option here: the write depends on the read.

use stormproof_workloads::history::{Outcome, Time, TxnIndex};

use super::problem::{Assigned, ByKey, Problem};
use super::resolve::{INIT, NO_SOURCE, Source};
use super::rule::Rule;
use crate::graph::{Edge, Kind};
use crate::view::{KeyId, is_committed};

/// What may be assumed about the order of the versions of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionOrders {
    /// Each process sees the versions of a key in their order.
    pub sequential: bool,
    /// Processes that run one after the other in real time do so too.
    pub linearizable: bool,
}

/// A version that a transaction read or wrote.
#[derive(Clone, Copy, Debug)]
struct Access {
    txn: TxnIndex,
    version: Source,
    session: u32,
    begun: Time,
    ended: Time,
}

/// Returns the edges that follow of the assumptions.
pub(super) fn edges(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    by_key: &ByKey,
    rule: Rule,
    orders: VersionOrders,
) -> Vec<(u32, Edge)> {
    let mut edges = Vec::new();
    if !orders.sequential && !orders.linearizable {
        return edges;
    }
    let keys = u32::try_from(problem.view.keys.len()).unwrap_or(u32::MAX);
    for key in (0..keys).filter(|key| !problem.lists.contains_key(key)) {
        let accesses = accesses(problem, assigned, by_key, key);
        let mut add = |earlier: &Access, later: &Access| {
            edges.extend(edge(problem, rule, key, earlier, later));
        };
        if orders.linearizable {
            in_time(&accesses, &mut add);
        }
        // What is linearizable is sequential, also where the file has no times.
        in_sessions(accesses, &mut add);
    }
    edges
}

/// Returns the accesses to a key in the order in which they began; of one transaction, what it read before
/// what it wrote.
fn accesses(problem: &Problem<'_, '_>, assigned: &Assigned, by_key: &ByKey, key: KeyId) -> Vec<Access> {
    let access = |txn: TxnIndex, version: Source| {
        let record = problem.view.txn(txn);
        let ended = match record.outcome {
            Outcome::Committed { acked, .. } => acked,
            _ => Time::MAX,
        };
        Access { txn, version, session: record.session, begun: record.begun, ended }
    };
    let counts = |txn: TxnIndex| assigned.included[txn as usize] && is_committed(problem.view.txn(txn));
    let reads = by_key.reads(key).iter().filter(|read| counts(read.reader));
    let reads = reads.filter(|read| read.source < NO_SOURCE || read.source == INIT);
    let writes = by_key.writers(key).iter().filter(|writer| counts(**writer));
    let mut accesses: Vec<Access> = reads
        .map(|read| access(read.reader, read.source))
        .chain(writes.map(|&writer| access(writer, writer)))
        .collect();
    accesses.sort_by_key(|access| (access.begun, access.txn, access.version == access.txn));
    accesses
}

fn in_sessions(mut accesses: Vec<Access>, add: &mut impl FnMut(&Access, &Access)) {
    accesses.sort_by_key(|access| (access.session, access.txn, access.version == access.txn));
    for pair in accesses.windows(2).filter(|pair| pair[0].session == pair[1].session) {
        add(&pair[0], &pair[1]);
    }
}

fn in_time(accesses: &[Access], add: &mut impl FnMut(&Access, &Access)) {
    let mut earlier: Vec<&Access> = Vec::new();
    for later in accesses {
        let passed = earlier.iter().filter(|access| access.ended < later.begun);
        // What ended before another one began, which has ended too, comes before it by way of that.
        let last = passed.map(|access| access.begun).max().unwrap_or(0);
        earlier.retain(|access| access.ended >= last);
        for access in earlier.iter().filter(|access| access.ended < later.begun) {
            add(access, later);
        }
        earlier.push(later);
    }
}

/// Returns the edge that says that the version of one access is not later than that of the other.
fn edge(
    problem: &Problem<'_, '_>,
    rule: Rule,
    key: KeyId,
    earlier: &Access,
    later: &Access,
) -> Option<(u32, Edge)> {
    if earlier.version == later.version || earlier.version == INIT {
        return None;
    }
    let kind = Kind::KeyOrder;
    let (start, commit) = (
        |txn: TxnIndex| if rule.split { txn * 2 } else { txn },
        |txn: TxnIndex| {
            if rule.split { txn * 2 + 1 } else { txn }
        },
    );
    if later.version == INIT {
        // It missed the earlier version, though that was there.
        let misses = rule.orders_writes() && !rule.single && later.txn != earlier.version;
        return misses.then(|| (start(later.txn), Edge { to: commit(earlier.version), key, kind }));
    }
    let to = if problem.commutes(rule, key) { commit(later.version) } else { start(later.version) };
    Some((commit(earlier.version), Edge { to, key, kind }))
}
