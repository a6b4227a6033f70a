//! The multi-version store: every key's versions, found by key and walked in key order.
//!
//! ```text
//!            points: hash table, sharded        order: B-tree
//!   "a"  ──►  Arc<Slot> ◄───────────────────────  "a"
//!                │
//!                ▼ versions, oldest first
//!             [ v3 = 1 ][ v7 = 2 ][ v9 tombstone ]
//! ```
//! A reader at snapshot `s` sees of each key the newest version at or below `s`; a tombstone or nothing means that the
//! key is absent. Point reads take one shard's lock for reading and the slot's, both for an instant; only the first
//! write of a new key locks the order for writing.
//!
//! Not its job: deciding who may write what when (`commit`), and which versions are still needed (`snapshot`).
//!
//! Invariants:
//! * INV-MVCC-1: versions in a slot rise strictly; only the commit leader adds or removes any.
//! * INV-MVCC-2: a slot is in `points` exactly if it is in `order`, but for the moment in which the leader adds or
//!   removes it; a slot that was removed is marked dead and never written again.
//! * INV-MVCC-3: collection at `oldest` keeps, of every key, the newest version at or below `oldest` and all above,
//!   so that no snapshot at or above `oldest` reads anything else than before. A tombstone that is all that is left
//!   goes too, in two steps ([`Slot::collect`]).

mod garbage;
mod index;
mod restore;
mod slot;

pub(crate) use garbage::Garbage;
pub(crate) use index::Index;
pub(crate) use restore::{FullPart, IndexPart, PartHash};
pub(crate) use slot::{Slot, SlotRead, VersionEntry};
