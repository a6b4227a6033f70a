//! The zoo's deliberate bugs of transactions that take more than a condition. In production each function
//! here is empty: `rt::mutant!` is the constant `false`.

use env::UnixMillis;

use super::contention::Place;
use super::coordinator::TxnCounters;
use super::transaction::Transaction;
use crate::commit::{Append, StreamHead, WriteSet};
use crate::conflict::ConflictInfo;
use crate::error::Error;
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::Version;
use crate::value::Value;

/// Returns the time by which the transaction judges expiry: that of its begin, not of each read.
#[inline]
pub(super) fn expiry_time(txn: &Transaction) -> UnixMillis {
    if rt::mutant!(ExpiryByWallClock) { txn.coordinator.store.wall_time() } else { txn.context.now }
}

/// Returns whether a read of what is not there is left out of the read set.
#[inline]
pub(super) fn forgets_read(version: Version, is_present: bool) -> bool {
    rt::mutant!(MissingKeyNotTracked) && version == Version::ZERO
        || rt::mutant!(TombstoneNotTracked) && !is_present && version > Version::ZERO
}

/// Whether a transaction commits although its time is over.
#[inline]
pub(super) fn commits_late(error: &Error) -> bool {
    rt::mutant!(TimeoutNotCheckedAtCommit) && matches!(error, Error::Timeout { .. })
}

/// Asks whether a key exists, and leaves that out of the read set.
pub(super) fn exists_untracked(txn: &Transaction, key: &Key) -> bool {
    if let Some(own) = txn.context.writes.get(key) {
        return own.value.is_some();
    }
    let (at, now) = (txn.context.start_version, txn.context.now);
    txn.coordinator.store.index.read(key, at, now, |_, value, _| value.is_some())
}

/// Numbers an event by the snapshot when it is appended: key and value of a blind write.
pub(super) fn number_at_append(txn: &Transaction, append: Append) -> (Key, Value) {
    let head = StreamHead::find(&txn.coordinator.store.index, &append.stream, txn.context.start_version);
    let own = txn.context.writes.in_range(&KeyRange::all_with(append.stream.clone())).count() as u64;
    let mut head = StreamHead { next: head.next + own, ..head };
    head.link(&append.stream, append.value)
}

/// Writes of a closure's attempt that the next one begins with.
#[derive(Default)]
pub(super) struct LeftoverWrites(Option<Box<WriteSet>>);

impl LeftoverWrites {
    #[inline]
    pub(super) fn restore(&mut self, txn: &mut Transaction) {
        if rt::mutant!(RetryKeepsWrites)
            && let Some(writes) = self.0.take()
        {
            txn.context.writes = *writes;
        }
    }

    #[inline]
    pub(super) fn keep(&mut self, txn: &Transaction) {
        if rt::mutant!(RetryKeepsWrites) {
            self.0 = Some(Box::new(txn.context.writes.clone()));
        }
    }
}

/// Lets a transaction that holds a reservation commit without validation.
#[inline]
pub(super) fn skip_validation_of_reserved(txn: &mut Transaction) {
    if rt::mutant!(AloneNotValidated) && txn.holds_reservation {
        txn.context.start_version = Version::MAX;
    }
}

/// Returns whether a closure that lost is given up, as what it lost to is not in the index any more.
#[inline]
pub(super) fn asks_index_again(
    conflicts: &[ConflictInfo],
    changed: impl FnOnce(&[ConflictInfo]) -> bool,
) -> bool {
    rt::mutant!(RetryAsksAgain) && !changed(conflicts)
}

/// Returns how often a closure is run at most.
#[inline]
pub(super) fn attempts_max(wanted: u32) -> u32 {
    if rt::mutant!(AttemptsOffByOne) { wanted.saturating_add(1) } else { wanted }
}

/// Counts an attempt that is not made, as the last one was allowed; does nothing outside of the bug.
#[inline]
pub(super) fn count_retry_not_made(counters: &TxnCounters) {
    if rt::mutant!(RetryCountedUnmade) {
        counters.count_retry();
    }
}

/// Leaves the place in the queue of a closure that failed to it for good; does nothing outside of the bug.
#[inline]
pub(super) fn leave_place_taken(place: &mut Option<Place<'_>>, has_failed: bool) {
    if rt::mutant!(PlaceKept) && has_failed {
        std::mem::forget(place.take());
    }
}
