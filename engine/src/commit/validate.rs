//! May a transaction commit? SEMANTICS §3, as a pure function.

use std::ops::ControlFlow;

use super::protocol::Request;
use crate::conflict::ConflictInfo;
use crate::key::{Key, TypeTag};
use crate::mvcc::{Index, Slot};
use crate::types::{Isolation, Version};

/// All that stands between the transaction and its commit; nothing if it may commit.
///
/// A key has changed since the snapshot exactly if its newest version is above it: reads saw the newest version at or
/// below the snapshot, conditional writes were checked against it, and of a key that has been collected nothing above
/// any snapshot in use was left. One comparison thus decides every row of the contract; the row names the conflict.
pub(crate) fn validate(request: &Request, index: &Index) -> Vec<ConflictInfo> {
    let mut conflicts = Vec::new();
    let start = request.start;
    for (key, write) in request.writes.iter() {
        let current = newest(index, key, write.slot.as_deref());
        if is_unvalidated(key) {
            continue;
        }
        if current > start {
            conflicts.push(match &write.condition {
                Some(expected) => {
                    if rt::mutant!(SkipCasValidation) {
                        continue;
                    }
                    ConflictInfo::CasConflict { key: key.clone(), expected: expected.clone(), current }
                }
                None => {
                    if rt::mutant!(SkipWriteValidation) {
                        continue;
                    }
                    if rt::mutant!(DeleteNotValidated) && write.value.is_none() {
                        continue;
                    }
                    ConflictInfo::WriteConflict { key: key.clone(), start, current }
                }
            });
        }
    }
    if request.isolation == Isolation::Snapshot {
        return conflicts;
    }
    for read in request.reads.points() {
        let current = newest(index, &read.key, read.slot.as_deref());
        if current > start && !rt::mutant!(SkipReadValidation) && !is_unvalidated(&read.key) {
            conflicts.push(ConflictInfo::ReadConflict { key: read.key.clone(), read: read.version, current });
        }
    }
    for range in request.reads.ranges() {
        index.walk(range, false, |slot| {
            if let Some(current) = slot.newest()
                && current > start
                && !rt::mutant!(SkipRangeValidation)
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

/// Deliberate bugs: what was checked when the transaction ran is not checked again when it commits.
#[inline]
fn is_unvalidated(key: &Key) -> bool {
    if rt::mutant!(TransitionWithoutCompare) {
        return key.tag() == Some(TypeTag::State);
    }
    if rt::mutant!(EventSequenceAtAppend) {
        return key.tag() == Some(TypeTag::Event);
    }
    false
}

/// The newest version of a key, zero if it has none. A slot that is known but dead has been replaced, or collected.
#[inline]
fn newest(index: &Index, key: &Key, known: Option<&Slot>) -> Version {
    known.and_then(Slot::newest).unwrap_or_else(|| index.newest(key))
}
