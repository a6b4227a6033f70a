//! Stormproof: an embeddable, in-memory-first transactional store for applications and agents.
//!
//! Any number of threads share a [`Database`]; each agent works in a *run*. A [`Transaction`] reads one
//! snapshot and buffers its writes; on commit it is validated against what has been committed since, and the
//! first committer wins (optimistic concurrency control). [`Database::transaction`] runs a closure again
//! until it commits.
//!
//! ```
//! use stormproof::Database;
//!
//! # fn main() -> Result<(), stormproof::Error> {
//! let db = Database::open_in_memory()?;
//! let run = db.begin_run()?;
//! db.transaction(run, |txn| {
//!     let visits: u64 = txn.get("visits")?.unwrap_or(0);
//!     txn.put("visits", visits + 1)
//! })?;
//! assert_eq!(db.get("visits")?, Some(1_u64));
//! # Ok(())
//! # }
//! ```
//!
//! How a transaction goes through: from `txn` to `commit` (validate, sequence, log, install, sync, publish,
//! ack) and to `mvcc`. Locks, threads and monotonic time are named only through `rt`, files, wall time and
//! entropy only through `env`: so a simulation can take their place, and the engine that it tests is this
//! one.

// Takes the place of the dependency `rt`, which has the same interface.
#[cfg(feature = "simulation")]
extern crate simulating_rt as rt;

mod types;
mod error;
mod conflict;
mod big_int;
mod value;
mod value_ref;
mod encoding;
mod decoder;
mod run_id;
mod key;
mod range;
mod tuple;

mod table;
#[cfg(feature = "serde")]
mod serde_values;
mod database;
mod primitives;
mod txn;
mod snapshot;
mod iter;
mod commit;
mod watch;
mod store;

mod run;
mod expiry;
mod mvcc;
mod striped;

mod durability;
mod wal;
mod checkpoint;
mod backup;
mod recovery;
mod index_loader;
pub mod inspect;
pub mod runtime;

mod metrics;
mod telemetry;
mod reentry;
mod cost;

#[cfg(test)]
mod concurrency;

/// The code on the crate's page, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use backup::{BackupInfo, DiskSize};
pub use big_int::BigInt;
pub use checkpoint::CheckpointInfo;
pub use conflict::{CasExpectation, ConflictInfo};
pub use database::{Compaction, Database, DatabaseBuilder, DumpEntry, Provenance};
pub use durability::Durability;
pub use env::{
    Clock, Disk, DiskLock, Displaced, Entropy, EntryKind, File, OpenMode, OsEntropy, StdDisk, SystemClock,
    UnixMillis,
};
pub use error::{Error, Result};
pub use iter::{Entry, EntryRef, Keys, Range};
pub use key::{IntoKey, Key, Namespace, TypeTag};
pub use metrics::Metrics;
#[cfg(feature = "sha2")]
pub use primitives::{Event, EventLog};
pub use primitives::{KvStore, State, StateMachine, StateMachineBuilder};
pub use range::KeyRange;
pub use recovery::{RecoveryReport, Salvage, SalvagedDamage};
pub use run::{RunOptions, RunRecord, RunStatus};
pub use run_id::RunId;
#[cfg(feature = "serde")]
pub use serde_values::Serde;
pub use snapshot::{Snapshot, Versioned};
pub use table::{DatabaseTable, SnapshotTable, Table, TableEntries, TableValue, TransactionTable};
pub use tuple::{FromKeyPart, KeyError, KeyPart, KeyReader, KeyWriter};
// For tests that compare with an implementation by copying.
#[doc(hidden)]
pub use snapshot::{ClonedSnapshotView, SnapshotView};
pub use txn::{
    AbortReason, Commit, Recording, RetryPolicy, Status, Transaction, TransactionContext, TransactionOptions,
};
#[cfg(feature = "simulation")]
pub use txn::{Observed, Observer};
pub use types::{Isolation, Lsn, RunNumber, TxnId, Version};
pub use value::{Array, Map, VALUE_DEPTH_MAX, Value, ValueError};
pub use value_ref::{ArrayIter, ArrayRef, MapIter, MapRef, ValueRef};
pub use wal::{LogMetrics, Ticket, TicketFuture};
#[cfg(feature = "futures")]
pub use watch::WatchStream;
pub use watch::{Watch, WatchOptions, WatchedCommit, WatchedWrite};
