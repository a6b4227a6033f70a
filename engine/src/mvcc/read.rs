//! What transactions and snapshots read: keys with values at one version and one time.

use std::ops::ControlFlow;

use env::UnixMillis;

use super::entry::VersionEntry;
use super::index::{Hint, Index};
use super::page::EntryRef;
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::Version;
use crate::value_ref::ValueRef;

impl Index {
    /// Calls `read` with the version and the value that a registered snapshot at `at`, begun at wall time
    /// `now`, sees of a key: version zero if the key does not exist. And with where the key is.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        key: &Key,
        at: Version,
        now: UnixMillis,
        read: impl FnOnce(Version, Option<ValueRef<'_>>, Hint) -> R,
    ) -> R {
        self.read_with(key.as_bytes(), at, |entry, hint| match entry {
            Some(entry) if rt::mutant!(TombstoneHasVersionZero) && entry.value().is_none() => {
                read(Version::ZERO, None, hint)
            }
            Some(entry) => read(entry.version(), entry.live(now), hint),
            None => read(Version::ZERO, None, hint),
        })
    }

    /// Calls `read` with the value that a snapshot at `at` would see of a key, and whether that is certain
    /// though none is registered.
    #[inline]
    pub(crate) fn read_unregistered<R>(
        &self,
        key: &Key,
        at: Version,
        now: UnixMillis,
        read: impl FnOnce(Option<ValueRef<'_>>, bool) -> R,
    ) -> R {
        self.read_unregistered_with(key.as_bytes(), at, |entry, is_certain| {
            read(entry.and_then(|entry| entry.live(now)), is_certain)
        })
    }

    /// Returns the whole entry that a registered snapshot sees of a key: a tombstone or an expired value too.
    pub(crate) fn entry(&self, key: &Key, at: Version) -> Option<VersionEntry> {
        self.read_with(key.as_bytes(), at, |entry, _| entry.map(EntryRef::to_entry))
    }

    /// Calls `visit` with the whole entries of all keys that a registered snapshot sees, in key order:
    /// tombstones and expired values too. Until it breaks.
    pub(crate) fn entries(
        &self,
        range: &KeyRange,
        at: Version,
        visit: impl FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) {
        self.scan(range.start().as_bytes(), range.end().map(Key::as_bytes), at, visit);
    }
}
