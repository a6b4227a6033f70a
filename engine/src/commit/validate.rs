//! The rule by which a transaction may commit: contract §3, as a pure function.

use std::ops::ControlFlow;

use super::request::Request;
use crate::conflict::ConflictInfo;
use crate::key::Key;
use crate::mvcc::{Index, Slot};
use crate::types::{Isolation, Version};

/// Returns all conflicts; empty if the transaction may commit.
///
/// A key has changed since the snapshot exactly if its newest version is above it: reads saw the newest
/// version at or below the snapshot, conditional writes were checked against it, and of a key that has been
/// collected nothing above any snapshot in use was left. One comparison thus decides every row of the
/// contract; the row names the conflict.
pub(crate) fn validate(request: &Request, index: &Index) -> Vec<ConflictInfo> {
    let mut conflicts = Vec::new();
    let start = request.start;
    for (key, write) in request.writes.iter() {
        let current = newest(index, key, write.slot.as_deref());
        if current > start {
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
    for read in request.reads.points() {
        let current = newest(index, &read.key, read.slot.as_deref());
        if current > start {
            conflicts.push(ConflictInfo::ReadConflict { key: read.key.clone(), read: read.version, current });
        }
    }
    for range in request.reads.ranges() {
        // Walked again, not looked up: a key that did not exist when the range was scanned is a phantom.
        index.walk(range, false, |slot| {
            if let Some(current) = slot.newest()
                && current > start
            {
                conflicts.push(ConflictInfo::RangeConflict {
                    start: range.start().clone(),
                    end: range.end().cloned(),
                    key: slot.key().clone(),
                    current,
                });
            }
            ControlFlow::Continue(())
        });
    }
    conflicts
}

/// The newest version of a key, zero if it has none. A slot that is known but dead has been replaced, or
/// collected.
#[inline]
fn newest(index: &Index, key: &Key, known: Option<&Slot>) -> Version {
    known.and_then(Slot::newest).unwrap_or_else(|| index.newest(key))
}
