//! The rule by which a transaction may commit: contract §3, as a pure function.

use super::read_set::ReadEntry;
use super::request::Request;
use crate::conflict::ConflictInfo;
use crate::key::Key;
use crate::mvcc::Index;
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
