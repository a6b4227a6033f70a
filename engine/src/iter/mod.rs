//! Iterating over ranges of keys: one shape for transactions, snapshots and databases.
//!
//! Job: [`Range`], which walks the snapshot and merges a transaction's own writes into it, and what it gives:
//! [`Entry`], [`EntryRef`]. Not its job: which snapshot is read and which reads are tracked at all (`txn`,
//! `snapshot`, `database`), and how the index is walked (`mvcc`).
//!
//! INV-ITER-1: of a tracked range exactly that part is tracked which was walked: from its start to the last
//! entry given from the front, from the first given from the back to its end; all of it once the ends meet.

mod entry;
mod keys;
mod range;
mod own_writes;
mod tracking;
#[cfg(feature = "simulation")]
mod seen;
#[cfg(not(feature = "simulation"))]
#[path = "not_seen.rs"]
mod seen;

pub use entry::{Entry, EntryRef};
pub use keys::Keys;
pub use range::Range;
pub(crate) use range::Source;
pub(crate) use seen::Seen;
