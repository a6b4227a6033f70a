//! One key and its versions.

use env::UnixMillis;
use rt::sync::RwLock;
use smallvec::SmallVec;

use crate::key::Key;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;

/// One version of a key.
#[derive(Clone, Debug)]
pub(crate) struct VersionEntry {
    pub(crate) version: Version,
    /// The transaction that wrote it.
    pub(crate) txn: TxnId,
    /// The run that wrote it.
    pub(crate) run: RunNumber,
    /// When it ceases to be, if it does.
    pub(crate) expires_at: Option<UnixMillis>,
    /// `None` is a tombstone.
    pub(crate) value: Option<Value>,
}

impl VersionEntry {
    /// The value for a transaction that began at wall time `now`.
    #[inline]
    pub(crate) fn live(&self, now: UnixMillis) -> Option<&Value> {
        if rt::mutant!(NullIsTombstone) && self.value == Some(Value::Null) {
            return None;
        }
        match self.expires_at {
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
#[derive(Debug)]
pub(crate) struct Slot {
    key: Key,
    chain: RwLock<Chain>,
}

#[derive(Debug)]
struct Chain {
    /// Oldest first. Most keys have one version most of the time.
    versions: SmallVec<[VersionEntry; 1]>,
    /// Unless zero: the first version is a tombstone, and snapshots at or above this read the key as if it had never
    /// been.
    forgotten_from: Version,
    /// Taken out of the index; whoever still holds the slot must look the key up again.
    dead: bool,
}

impl Slot {
    pub(crate) fn new(key: Key, first: VersionEntry) -> Self {
        let mut versions = SmallVec::new();
        versions.push(first);
        Self {
            key,
            chain: RwLock::new("slot", Chain { versions, forgotten_from: Version::ZERO, dead: false }),
        }
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// What a snapshot at `at`, begun at wall time `now`, sees.
    #[inline]
    pub(crate) fn read(&self, at: Version, now: UnixMillis) -> SlotRead {
        let chain = self.chain.read();
        match visible(&chain.versions, at) {
            Some(entry) if chain.has_forgotten(entry, at) => SlotRead::default(),
            Some(entry) if rt::mutant!(TombstoneHasVersionZero) && entry.value.is_none() => {
                SlotRead::default()
            }
            Some(entry) => SlotRead { version: entry.version, value: entry.live(now).cloned() },
            None => SlotRead::default(),
        }
    }

    /// Calls `visit` with the version that a snapshot at `at` sees, unless that is a tombstone or has expired.
    #[inline]
    pub(crate) fn visit<R>(
        &self,
        at: Version,
        now: UnixMillis,
        visit: impl FnOnce(&VersionEntry, &Value) -> R,
    ) -> Option<R> {
        let chain = self.chain.read();
        let at = if rt::mutant!(ScanIgnoresSnapshot) { Version::MAX } else { at };
        let entry = visible(&chain.versions, at)?;
        entry.live(now).map(|value| visit(entry, value))
    }

    /// The whole entry that a snapshot at `at` sees, tombstones and expired ones included.
    pub(crate) fn entry(&self, at: Version) -> Option<VersionEntry> {
        let chain = self.chain.read();
        visible(&chain.versions, at).filter(|entry| !chain.has_forgotten(entry, at)).cloned()
    }

    /// The newest version, published or not; `None` if the slot is dead.
    #[inline]
    pub(crate) fn newest(&self) -> Option<Version> {
        let chain = self.chain.read();
        if chain.dead { None } else { chain.versions.last().map(|entry| entry.version) }
    }

    /// Adds a version.
    ///
    /// Returns how many versions there are now, or the entry back if the slot is dead.
    ///
    /// # Panics
    /// When a version at or above it is there already (INV-MVCC-1).
    pub(crate) fn install(&self, entry: VersionEntry) -> Result<usize, VersionEntry> {
        let mut chain = self.chain.write();
        if chain.dead {
            return Err(entry);
        }
        if let Some(newest) = chain.versions.last() {
            assert!(
                newest.version < entry.version,
                "versions of {} rise: {} then {}",
                self.key,
                newest.version,
                entry.version
            );
        }
        if rt::mutant!(DeleteDropsChain) && entry.value.is_none() {
            chain.versions.clear();
        }
        chain.versions.push(entry);
        Ok(chain.versions.len())
    }

    /// Makes `entry` the only version, unless there is a newer one: recovery, before anybody reads.
    pub(crate) fn replace(&self, entry: VersionEntry) {
        let mut chain = self.chain.write();
        if chain.versions.last().is_none_or(|newest| newest.version < entry.version) {
            chain.versions.clear();
            chain.versions.push(entry);
        }
    }

    /// Takes back all versions above `published`. Returns how many were taken, and whether none is left: the slot is
    /// dead then and must leave the index.
    pub(crate) fn roll_back(&self, published: Version) -> (usize, bool) {
        let mut chain = self.chain.write();
        let before = chain.versions.len();
        chain.versions.retain(|entry| entry.version <= published);
        chain.dead = chain.versions.is_empty();
        (before - chain.versions.len(), chain.dead)
    }

    /// Drops what no snapshot at or above `oldest` sees.
    ///
    /// A tombstone that is all that is left goes in two steps, so that nobody sees it go: first it is forgotten for
    /// snapshots from `next` on, a version that none has reached yet; later, when none below is left, it is dropped.
    /// `unobserved` tells whether no snapshot is in use at all: then it is dropped at once.
    pub(crate) fn collect(
        &self,
        oldest: Version,
        next: Version,
        unobserved: impl FnOnce() -> bool,
    ) -> Collected {
        let mut chain = self.chain.write();
        let before = chain.versions.len();
        let needed = chain.versions.partition_point(|entry| entry.version <= oldest);
        if needed > 1 {
            chain.versions.drain(..needed - 1);
            chain.forgotten_from = Version::ZERO;
        }
        if rt::mutant!(CollectNewestBelowOldest) && needed > 0 && chain.versions.len() > 1 {
            chain.versions.remove(0);
        }
        let mut again = None;
        if let [only] = chain.versions.as_slice()
            && only.value.is_none()
            && only.version <= oldest
        {
            let forgotten = chain.forgotten_from > Version::ZERO && chain.forgotten_from <= oldest;
            if forgotten || rt::mutant!(TombstoneCollectedAtOnce) || unobserved() {
                chain.versions.clear();
            } else {
                if chain.forgotten_from == Version::ZERO {
                    chain.forgotten_from = next;
                }
                again = Some(chain.forgotten_from);
            }
        }
        if chain.versions.len() == 1 {
            chain.versions.shrink_to_fit();
        }
        chain.dead = chain.versions.is_empty();
        Collected { versions: before - chain.versions.len(), dead: chain.dead, again }
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

impl Chain {
    #[inline]
    fn has_forgotten(&self, entry: &VersionEntry, at: Version) -> bool {
        self.forgotten_from > Version::ZERO
            && at >= self.forgotten_from
            && self.versions.first().is_some_and(|first| first.version == entry.version)
    }
}

/// The newest entry at or below `at`. Readers mostly want the newest, so the search starts there.
#[inline]
fn visible(versions: &[VersionEntry], at: Version) -> Option<&VersionEntry> {
    if versions.len() > 8 {
        let behind = versions.partition_point(|entry| entry.version <= at);
        return behind.checked_sub(1).map(|position| &versions[position]);
    }
    versions.iter().rev().find(|entry| entry.version <= at)
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
            expires_at: None,
            value: value.map(Value::I64),
        }
    }

    fn slot(versions: &[(u64, Option<i64>)]) -> Slot {
        let slot = Slot::new(Key::shared(TypeTag::Kv, b"k"), entry(versions[0].0, versions[0].1));
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
        first.expires_at = Some(UnixMillis(100));
        let slot = Slot::new(Key::shared(TypeTag::Kv, b"k"), first);
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
