//! What a candidate has to do, and the candidates.

mod beside;
mod congee;
mod hash_index;
mod papaya;
mod persistent;
mod skip_list;
mod slotted;
mod tree;
mod tree_index;

use crate::key::{Bytes, Key};

pub(crate) use beside::HashBeside;
pub(crate) use congee::CongeeSlab;
pub(crate) use hash_index::HashIndexBeside;
pub(crate) use papaya::PapayaBeside;
pub(crate) use persistent::Persistent;
pub(crate) use skip_list::SkipList;
use slotted::{Slotted, Structure};
pub(crate) use tree::{OneTree, ShardedTree};
pub(crate) use tree_index::EpochTree;

/// A multi-version index. One thread at a time commits, any number read.
pub(crate) trait Index: Send + Sync + 'static {
    /// What a reader holds.
    type Snapshot: Send;

    /// An empty index.
    fn new() -> Self;

    /// Name in tables.
    fn name() -> String;

    /// Opens a snapshot at the newest published version.
    fn snapshot(&self) -> Self::Snapshot;

    /// Calls `visit` with the value of a key.
    fn read<T>(&self, snapshot: &Self::Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T>;

    /// Commits a write of one key, new or not.
    fn put(&self, key: Key, value: Bytes);

    /// Commits a transaction that reads one existing key and writes it: snapshot, read, validate, install,
    /// publish. Returns whether validation passed.
    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool;

    /// Visits at most `limit` keys from `start` on, in order.
    fn scan(&self, snapshot: &Self::Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes));
}

#[cfg(test)]
mod tests {
    use super::{
        CongeeSlab, EpochTree, HashBeside, HashIndexBeside, Index, OneTree, PapayaBeside, Persistent,
        ShardedTree, SkipList,
    };
    use crate::key::{key, number, value};
    use crate::slot::{Epochs, Locked, Swapped};

    /// A snapshot sees what was committed before it, and nothing later, by point and by scan.
    fn snapshot_stands_still<I: Index>() {
        let index = I::new();
        for i in (0..100).rev() {
            index.put(key(i), value(i));
        }
        let before = index.snapshot();
        for i in 0..100 {
            for _ in 0..3 {
                assert!(index.read_modify_write(&key(i), |old| value(number(old) + 1000)));
            }
        }
        index.put(key(5), value(7));
        let after = index.snapshot();
        let scanned = |snapshot, limit| {
            let mut numbers = Vec::new();
            index.scan(snapshot, &key(5), limit, &mut |value| numbers.push(number(value)));
            numbers
        };
        for i in 0..100 {
            assert_eq!(index.read(&before, &key(i), |value| number(value)), Some(i), "{}", I::name());
        }
        assert_eq!(index.read(&after, &key(5), |value| number(value)), Some(7), "{}", I::name());
        assert_eq!(index.read(&after, &key(100), |value| number(value)), None, "{}", I::name());
        assert_eq!(scanned(&before, 3), [5, 6, 7], "{}", I::name());
        assert_eq!(scanned(&after, 3), [7, 3006, 3007], "{}", I::name());
        assert_eq!(scanned(&after, usize::MAX).len(), 95, "{}", I::name());
    }

    #[test]
    fn a_snapshot_stands_still_in_every_candidate() {
        snapshot_stands_still::<HashBeside<Locked<1>>>();
        snapshot_stands_still::<HashBeside<Locked<2>>>();
        snapshot_stands_still::<HashBeside<Swapped>>();
        snapshot_stands_still::<HashBeside<Epochs>>();
        snapshot_stands_still::<HashIndexBeside<Epochs>>();
        snapshot_stands_still::<PapayaBeside<Locked<2>>>();
        snapshot_stands_still::<PapayaBeside<Epochs>>();
        snapshot_stands_still::<OneTree<Locked<2>>>();
        snapshot_stands_still::<ShardedTree<Locked<2>>>();
        snapshot_stands_still::<Persistent>();
        snapshot_stands_still::<SkipList<Locked<2>>>();
        snapshot_stands_still::<EpochTree<Locked<2>>>();
        snapshot_stands_still::<CongeeSlab<Locked<2>>>();
    }
}
