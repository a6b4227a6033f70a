//! The rule by which a transaction may commit: contract §3, as a pure function.

use super::read_set::ReadEntry;
use super::request::Request;
use super::write_set::BufferedWrite;
use crate::conflict::{CasExpectation, ConflictInfo};
use crate::key::Key;
use crate::mvcc::{Hint, Index};
use crate::store::{NO_EXPIRY, Store};
use crate::types::Isolation;

/// Returns all conflicts; empty if the transaction may commit.
///
/// A key has changed since the snapshot exactly if its newest version is above it: reads saw the newest
/// version at or below the snapshot, conditional writes were checked against it, and of a key that has been
/// collected nothing above any snapshot in use was left. One comparison thus decides every row of the
/// contract; the row names the conflict. A leaf of the index without such a version passes all its keys and
/// ranges at once.
pub(crate) fn validate(request: &Request, index: &Index) -> Vec<ConflictInfo> {
    let mut conflicts = Vec::new();
    let start = request.start;
    for (key, write) in request.writes.iter() {
        if let Some(current) = index.newer_than(key.as_bytes(), write.hint, start) {
            conflicts.push(match &write.condition {
                Some(expected) => {
                    ConflictInfo::CasConflict { key: key.clone(), expected: expected.clone(), current }
                }
                None => ConflictInfo::WriteConflict { key: key.clone(), start, current },
            });
        }
    }
    if request.isolation == Isolation::Snapshot {
        return conflicts;
    }
    // What is written has been looked at.
    let is_written = |read: &ReadEntry| !request.writes.is_empty() && request.writes.get(&read.key).is_some();
    let is_settled = conflicts.is_empty();
    for read in request.reads.points() {
        if is_settled && is_written(read) {
            continue;
        }
        if let Some(current) = index.newer_than(read.key.as_bytes(), read.hint, start) {
            conflicts.push(ConflictInfo::ReadConflict {
                key: read.key.clone(),
                read: if rt::mutant!(ReadConflictTellsWinner) { current } else { read.version },
                current,
            });
        }
    }
    for range in request.reads.ranges() {
        // Walked again, not looked up: a key that did not exist when the range was scanned is a phantom.
        let (first, end) = (range.start().as_bytes(), range.end().map(Key::as_bytes));
        index.newer_in(first, end, start, |key, current| {
            conflicts.push(ConflictInfo::RangeConflict {
                start: range.start().clone(),
                end: range.end().cloned(),
                key: match rt::mutant!(RangeConflictNamesStart) {
                    true => range.start().clone(),
                    false => Key::from_encoded(key),
                },
                current,
            });
        });
    }
    conflicts
}

/// Returns what the transaction read, or compares the value of, and what has expired since it began: a key
/// counts as deleted at its time (V7). Otherwise what was done because a key was there could follow, in
/// commit order, what another did because it was gone.
///
/// Other transactions that may have seen it gone began at its time or later, and time does not go back, so it
/// is enough to ask for the time once all that committed before is installed.
pub(crate) fn validate_expiry(request: &Request, store: &Store) -> Vec<ConflictInfo> {
    // No key had ever been written with an expiry when it began, so it has read none that has one.
    if request.now == NO_EXPIRY {
        return Vec::new();
    }
    let (points, ranges) = match request.isolation {
        Isolation::Snapshot => ([].as_slice(), [].as_slice()),
        Isolation::Serializable => (request.reads.points(), request.reads.ranges()),
    };
    let compares = |write: &BufferedWrite| matches!(write.condition, Some(CasExpectation::Value(_)));
    let compared = || request.writes.iter().filter(|(_, write)| compares(write)).map(|(key, _)| key);
    // Most commits have read nothing, and need not know the time.
    if points.is_empty() && ranges.is_empty() && compared().next().is_none() {
        return Vec::new();
    }
    let keys = points.iter().map(|read| &read.key).chain(compared());
    let expired = store.expiry.expired([request.now, store.clock_time()], keys, ranges);
    // What was written again since is in conflict already.
    let is_read = |key: &Key| store.index.newer_than(key.as_bytes(), Hint::NONE, request.start).is_none();
    let expired = expired.into_iter().filter(|(_, key)| is_read(key)).map(|(at, key)| {
        rt::reached!("a key that was read has expired before the commit");
        let current = store.index.entry(&key, request.start).map_or(request.start, |entry| entry.version);
        ConflictInfo::Expired { key, current, at }
    });
    expired.collect()
}
