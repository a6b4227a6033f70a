//! One key and its versions.

use env::UnixMillis;
use rt::lockfree::{Cell, Shown};
use rt::sync::RwLock;
use smallvec::SmallVec;

use crate::key::Key;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;

/// One version of a key. What every read looks at comes first, and nothing takes more room than it must:
/// reads of keys that no cache holds cost as much as they touch lines of memory.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct VersionEntry {
    pub(crate) version: Version,
    /// `None` is a tombstone.
    pub(crate) value: Option<Value>,
    pub(crate) expires: Expires,
    /// The transaction that wrote it.
    pub(crate) txn: TxnId,
    /// The run that wrote it.
    pub(crate) run: RunNumber,
}

/// When a version ceases to be; the end of time stands for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires(u64);

impl Expires {
    #[inline]
    pub(crate) const fn at(self) -> Option<UnixMillis> {
        if self.0 == u64::MAX { None } else { Some(UnixMillis(self.0)) }
    }
}

impl From<Option<UnixMillis>> for Expires {
    #[inline]
    fn from(at: Option<UnixMillis>) -> Self {
        Self(at.map_or(u64::MAX, |at| at.0))
    }
}

impl VersionEntry {
    /// The value for a transaction that began at wall time `now`.
    #[inline]
    pub(crate) fn live(&self, now: UnixMillis) -> Option<&Value> {
        if rt::mutant!(NullIsTombstone) && self.value == Some(Value::Null) {
            return None;
        }
        match self.expires.at() {
            Some(at) if at <= now => None,
            _ => self.value.as_ref(),
        }
    }
}

/// What a snapshot sees of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotRead {
    /// The version of the value or tombstone; zero if the key did not exist yet.
    pub(crate) version: Version,
    pub(crate) value: Option<Value>,
}

/// A key's place in the store.
///
/// The newest version is shown without a lock, as most readers want it. Older ones, and a tombstone that may
/// have been forgotten, are looked up under the chain's lock, which the leader holds while it changes
/// anything.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slot {
    /// What the index hashes it by.
    hash: u64,
    /// Nothing when the slot is dead: taken out of the index; a holder must look the key up again.
    newest: Cell<VersionEntry>,
    key: Key,
    chain: RwLock<Chain>,
}

/// What is behind the newest version.
#[derive(Debug)]
struct Chain {
    /// Oldest first. Most keys have none most of the time.
    older: SmallVec<[Shown<VersionEntry>; 1]>,
    /// Unless zero: the first version of the key is a tombstone, and snapshots at or above this read the key
    /// as if it had never been.
    forgotten_from: Version,
}

impl Slot {
    pub(crate) fn new(hash: u64, key: Key, first: VersionEntry) -> Self {
        let chain = Chain { older: SmallVec::new(), forgotten_from: Version::ZERO };
        Self { hash, newest: Cell::new("slot.newest", first), key, chain: RwLock::new("slot", chain) }
    }

    #[inline]
    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    #[inline]
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// What a snapshot at `at`, begun at wall time `now`, sees.
    #[inline]
    pub(crate) fn read(&self, at: Version, now: UnixMillis) -> SlotRead {
        self.see(at, now, |version, value| SlotRead { version, value: value.cloned() })
    }

    /// Calls `see` with the version and the value that a snapshot at `at`, begun at wall time `now`, sees.
    #[inline]
    pub(crate) fn see<R>(
        &self,
        at: Version,
        now: UnixMillis,
        see: impl FnOnce(Version, Option<&Value>) -> R,
    ) -> R {
        self.look(at, |entry| match entry {
            Some(entry) if rt::mutant!(TombstoneHasVersionZero) && entry.value.is_none() => {
                see(Version::ZERO, None)
            }
            Some(entry) => see(entry.version, entry.live(now)),
            None => see(Version::ZERO, None),
        })
    }

    /// Calls `visit` with the version that a snapshot at `at` sees, unless that is a tombstone or has
    /// expired.
    #[inline]
    pub(crate) fn visit<R>(
        &self,
        at: Version,
        now: UnixMillis,
        visit: impl FnOnce(&VersionEntry, &Value) -> R,
    ) -> Option<R> {
        let at = if rt::mutant!(ScanIgnoresSnapshot) { Version::MAX } else { at };
        self.look(at, |entry| {
            let entry = entry?;
            entry.live(now).map(|value| visit(entry, value))
        })
    }

    /// The whole entry that a snapshot at `at` sees, tombstones and expired ones included.
    pub(crate) fn entry(&self, at: Version) -> Option<VersionEntry> {
        self.look(at, |entry| entry.cloned())
    }

    /// Calls `see` with the version that a snapshot at `at` sees: a tombstone too, unless it is forgotten.
    #[inline]
    pub(crate) fn look<R>(&self, at: Version, see: impl FnOnce(Option<&VersionEntry>) -> R) -> R {
        let looked = self.newest.with(|newest| match newest {
            Some(entry) if entry.version <= at && entry.value.is_some() => Ok(see(Some(entry))),
            _ => Err(see),
        });
        match looked {
            Ok(seen) => seen,
            Err(see) => self.look_behind(at, see),
        }
    }

    #[cold]
    fn look_behind<R>(&self, at: Version, see: impl FnOnce(Option<&VersionEntry>) -> R) -> R {
        let chain = self.chain.read();
        self.newest.with(|newest| {
            let newest = newest.filter(|newest| newest.version <= at);
            let found = newest.or_else(|| visible(&chain.older, at));
            let first = chain.older.first().map(|first| &**first).or(newest);
            let forgotten = chain.forgotten_from > Version::ZERO
                && at >= chain.forgotten_from
                && found.map(|found| found.version) == first.map(|first| first.version);
            see(found.filter(|_| !forgotten))
        })
    }

    /// The newest version, published or not; `None` if the slot is dead.
    #[inline]
    pub(crate) fn newest(&self) -> Option<Version> {
        self.newest.with(|newest| newest.map(|entry| entry.version))
    }

    /// Adds a version.
    ///
    /// Returns how many versions there are now, or the entry back if the slot is dead.
    ///
    /// # Panics
    /// When a version at or above it is there already (INV-MVCC-1).
    pub(crate) fn install(&self, entry: VersionEntry) -> Result<usize, VersionEntry> {
        let mut chain = self.chain.write();
        let Some(newest) = self.newest() else { return Err(entry) };
        assert!(newest < entry.version, "versions of {} rise: {newest} then {}", self.key, entry.version);
        let drops_chain = rt::mutant!(DeleteDropsChain) && entry.value.is_none();
        let before = self.newest.swap(Some(Shown::new(entry)));
        if drops_chain {
            chain.older.clear();
        } else {
            chain.older.extend(before);
        }
        Ok(chain.older.len() + 1)
    }

    /// Makes `entry` the only version, unless there is a newer one: recovery, before anybody reads.
    pub(crate) fn replace(&self, entry: VersionEntry) {
        if self.newest().is_none_or(|newest| newest < entry.version) {
            self.newest.swap(Some(Shown::new(entry)));
        }
    }

    /// Takes back all versions above `published`. Returns how many were taken, and whether none is left: the
    /// slot is dead then and must leave the index.
    pub(crate) fn roll_back(&self, published: Version) -> (usize, bool) {
        let mut chain = self.chain.write();
        let mut taken = 0;
        while self.newest().is_some_and(|newest| newest > published) {
            self.newest.swap(chain.older.pop());
            taken += 1;
        }
        (taken, self.newest().is_none())
    }

    /// Drops what no snapshot at or above `oldest` sees.
    ///
    /// A tombstone that is all that is left goes in two steps, so that no reader sees it go: first it is
    /// forgotten for snapshots from `next` on, a version that none has reached yet; later, when none below is
    /// left, it is dropped. `unobserved` tells whether no snapshot is in use at all: then it is dropped at
    /// once.
    pub(crate) fn collect(
        &self,
        oldest: Version,
        next: Version,
        unobserved: impl FnOnce() -> bool,
    ) -> Collected {
        let mut chain = self.chain.write();
        let (newest, is_tombstone) = self.newest.with(|newest| {
            newest.map_or((Version::ZERO, false), |entry| (entry.version, entry.value.is_none()))
        });
        if newest == Version::ZERO {
            return Collected { versions: 0, dead: true, again: None };
        }
        let needed = if newest <= oldest {
            chain.older.len()
        } else {
            chain.older.partition_point(|entry| entry.version <= oldest).saturating_sub(1)
        };
        let mut versions = needed;
        if needed > 0 {
            chain.older.drain(..needed);
            chain.forgotten_from = Version::ZERO;
        }
        if rt::mutant!(CollectNewestBelowOldest)
            && chain.older.first().is_some_and(|first| first.version <= oldest)
        {
            chain.older.remove(0);
            versions += 1;
        }
        let mut again = None;
        let mut dead = false;
        if chain.older.is_empty() && is_tombstone && newest <= oldest {
            let forgotten = chain.forgotten_from > Version::ZERO && chain.forgotten_from <= oldest;
            if forgotten || rt::mutant!(TombstoneCollectedAtOnce) || unobserved() {
                self.newest.swap(None);
                versions += 1;
                dead = true;
            } else {
                if chain.forgotten_from == Version::ZERO {
                    chain.forgotten_from = next;
                }
                again = Some(chain.forgotten_from);
            }
        }
        if chain.older.is_empty() {
            chain.older.shrink_to_fit();
        }
        Collected { versions, dead, again }
    }
}

/// What a collection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collected {
    /// How many versions went.
    pub(crate) versions: usize,
    /// None is left: the slot must leave the index.
    pub(crate) dead: bool,
    /// There is more to collect once no snapshot below this version is left.
    pub(crate) again: Option<Version>,
}

/// The newest entry at or below `at`. Readers mostly want one of the last, so the search starts there.
#[inline]
fn visible(older: &[Shown<VersionEntry>], at: Version) -> Option<&VersionEntry> {
    if older.len() > 8 {
        let behind = older.partition_point(|entry| entry.version <= at);
        return behind.checked_sub(1).map(|position| &*older[position]);
    }
    older.iter().rev().map(|entry| &**entry).find(|entry| entry.version <= at)
}

#[cfg(test)]
mod tests {
    use env::UnixMillis;

    use super::{Slot, VersionEntry};
    use crate::key::{Key, TypeTag};
    use crate::types::{RunNumber, TxnId, Version};
    use crate::value::Value;

    fn entry(version: u64, value: Option<i64>) -> VersionEntry {
        VersionEntry {
            version: Version::new(version),
            txn: TxnId::new(version),
            run: RunNumber::ZERO,
            expires: None.into(),
            value: value.map(Value::I64),
        }
    }

    fn slot(versions: &[(u64, Option<i64>)]) -> Slot {
        let slot = Slot::new(0, Key::shared(TypeTag::Kv, b"k"), entry(versions[0].0, versions[0].1));
        for &(version, value) in &versions[1..] {
            slot.install(entry(version, value)).unwrap();
        }
        slot
    }

    fn seen(slot: &Slot, at: u64) -> (u64, Option<Value>) {
        let read = slot.read(Version::new(at), UnixMillis(0));
        (read.version.get(), read.value)
    }

    #[test]
    fn a_snapshot_sees_the_newest_version_at_or_below() {
        for count in [3_u64, 20] {
            let versions: Vec<_> = (1..=count).map(|number| (number * 10, Some(number as i64))).collect();
            let slot = slot(&versions);
            assert_eq!(seen(&slot, 9), (0, None));
            for number in 1..=count {
                assert_eq!(seen(&slot, number * 10), (number * 10, Some(Value::I64(number as i64))));
                assert_eq!(seen(&slot, number * 10 + 9), (number * 10, Some(Value::I64(number as i64))));
            }
        }
    }

    #[test]
    fn inv_mvcc_3_collection_changes_no_snapshot_at_or_above_oldest() {
        let versions = [(10, Some(1)), (20, None), (30, Some(3)), (40, Some(4)), (50, None)];
        for oldest in 0..60 {
            let (before, after) = (slot(&versions), slot(&versions));
            let collected = after.collect(Version::new(oldest), Version::new(60), || false);
            for at in oldest..60 {
                assert_eq!(seen(&before, at), seen(&after, at), "collected at {oldest}, read at {at}");
            }
            let below = versions.iter().filter(|(version, _)| *version <= oldest).count();
            assert_eq!(collected.versions, below.saturating_sub(1));
            assert_eq!(collected.again, (oldest >= 50).then_some(Version::new(60)));
            assert!(!collected.dead);
        }
    }

    #[test]
    fn a_tombstone_goes_without_anybody_seeing_it_go() {
        let slot = slot(&[(10, Some(1)), (20, None)]);
        let collect = |oldest, next| slot.collect(Version::new(oldest), Version::new(next), || false);
        assert_eq!(collect(25, 30).again, Some(Version::new(30)));
        assert_eq!((seen(&slot, 29), seen(&slot, 30)), ((20, None), (0, None)));
        assert_eq!(collect(29, 40).again, Some(Version::new(30)), "a snapshot at 29 may be in use");
        // Written again meanwhile: snapshots in between go on seeing what they saw.
        slot.install(entry(35, Some(2))).unwrap();
        assert_eq!((seen(&slot, 29), seen(&slot, 34)), ((20, None), (0, None)));
        assert_eq!(seen(&slot, 35).0, 35);
        slot.install(entry(45, None)).unwrap();
        assert_eq!(collect(50, 60).again, Some(Version::new(60)));
        assert_eq!((seen(&slot, 59), seen(&slot, 60)), ((45, None), (0, None)));
        assert!(collect(60, 70).dead);
    }

    #[test]
    fn a_tombstone_that_nobody_can_have_seen_goes_at_once() {
        let slot = slot(&[(10, Some(1)), (20, None)]);
        assert!(slot.collect(Version::new(20), Version::new(21), || true).dead);
    }

    #[test]
    fn expired_entries_are_absent_but_keep_their_version() {
        let mut first = entry(5, Some(1));
        first.expires = Some(UnixMillis(100)).into();
        let slot = Slot::new(0, Key::shared(TypeTag::Kv, b"k"), first);
        assert!(slot.read(Version::new(9), UnixMillis(99)).value.is_some());
        let read = slot.read(Version::new(9), UnixMillis(100));
        assert_eq!((read.version.get(), read.value), (5, None));
    }

    #[test]
    fn rolled_back_versions_are_gone_and_a_new_slot_dies() {
        let old = slot(&[(1, Some(1)), (2, Some(2)), (3, Some(3))]);
        assert_eq!(old.roll_back(Version::new(1)), (2, false));
        assert_eq!(seen(&old, 9), (1, Some(Value::I64(1))));
        let new = slot(&[(2, Some(2))]);
        assert_eq!(new.roll_back(Version::new(1)), (1, true));
        assert!(new.newest().is_none());
        assert!(new.install(entry(3, None)).is_err());
    }

    #[test]
    #[should_panic(expected = "rise")]
    fn inv_mvcc_1_a_version_is_never_installed_twice() {
        let slot = slot(&[(2, Some(1))]);
        let _ = slot.install(entry(2, Some(2)));
    }
}
