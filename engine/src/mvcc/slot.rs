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
    /// Taken out of the index; whoever still holds the slot must look the key up again.
    dead: bool,
}

impl Slot {
    pub(crate) fn new(key: Key, first: VersionEntry) -> Self {
        let mut versions = SmallVec::new();
        versions.push(first);
        Self { key, chain: RwLock::new("slot", Chain { versions, dead: false }) }
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// What a snapshot at `at`, begun at wall time `now`, sees.
    #[inline]
    pub(crate) fn read(&self, at: Version, now: UnixMillis) -> SlotRead {
        let chain = self.chain.read();
        match visible(&chain.versions, at) {
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
        visible(&self.chain.read().versions, at).cloned()
    }

    /// The newest version, published or not; `None` if the slot is dead.
    #[inline]
    pub(crate) fn newest(&self) -> Option<Version> {
        let chain = self.chain.read();
        if chain.dead { None } else { chain.versions.last().map(|entry| entry.version) }
    }

    /// How many versions there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.chain.read().versions.len()
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

    /// Drops what no snapshot at or above `oldest` sees. Returns how many versions went, and whether none is left:
    /// the slot is dead then and must leave the index.
    pub(crate) fn collect(&self, oldest: Version) -> (usize, bool) {
        let mut chain = self.chain.write();
        let before = chain.versions.len();
        let needed = chain.versions.partition_point(|entry| entry.version <= oldest);
        if needed > 1 {
            chain.versions.drain(..needed - 1);
        }
        if rt::mutant!(CollectNewestBelowOldest) && needed > 0 && chain.versions.len() > 1 {
            chain.versions.remove(0);
        }
        if let [only] = chain.versions.as_slice()
            && only.value.is_none()
            && only.version <= oldest
        {
            chain.versions.clear();
        }
        if chain.versions.len() == 1 {
            chain.versions.shrink_to_fit();
        }
        chain.dead = chain.versions.is_empty();
        (before - chain.versions.len(), chain.dead)
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
            let (_, dead) = after.collect(Version::new(oldest));
            for at in oldest..60 {
                assert_eq!(seen(&before, at).1, seen(&after, at).1, "collected at {oldest}, read at {at}");
            }
            assert_eq!(dead, oldest >= 50);
            assert_eq!(
                after.len(),
                before.len()
                    - versions.iter().filter(|(v, _)| *v <= oldest).count().saturating_sub(1)
                    - usize::from(dead)
            );
        }
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
