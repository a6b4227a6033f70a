//! The multi-version store: every key's versions, found by key and walked in key order.
//!
//! ```text
//!            points: hash table, sharded        order: B-tree
//!   "a"  ──►  Arc<Slot> ◄───────────────────────  "a"
//!                │ newest           │ older, under a lock
//!                ▼                  ▼
//!             [ v9 = 3 ]         [ v3 = 1 ][ v7 = 2 ]
//! ```
//! A reader at snapshot `s` sees of each key the newest version at or below `s`; a tombstone or nothing means
//! that the key is absent. Hash table and newest versions are read without locks, and without writing
//! anything that other threads read (`rt::lockfree`). A slot's lock is taken by those who want an older
//! version, or have found a tombstone; the lock of the order by scans for reading, and by the first write of
//! a new key for writing.
//!
//! Not its job: deciding who may write what when (`commit`), and which versions are still needed
//! (`snapshot`).
//!
//! Invariants:
//! * INV-MVCC-1: versions in a slot rise strictly; only the commit leader adds or removes any.
//! * INV-MVCC-2: a slot is in `points` exactly if it is in `order`, but for the moment in which the leader
//!   adds or removes it; a slot that was removed has no newest version and is never written again.
//! * INV-MVCC-3: collection at `oldest` keeps, of every key, the newest version at or below `oldest` and all
//!   above, so that no snapshot at or above `oldest` reads anything else than before. A tombstone that is all
//!   that is left goes too, in two steps ([`Slot::collect`]).

mod garbage;
mod index;
mod restore;
mod slot;

pub(crate) use garbage::Garbage;
pub(crate) use index::Index;
pub(crate) use restore::{FullPart, IndexPart, PartHash};
pub(crate) use slot::{Slot, SlotRead, VersionEntry};
