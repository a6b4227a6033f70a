//! What may go to other threads, or be seen by them, and which errors there are: by types alone, so that a
//! field that takes it away does not compile.

use std::error::Error as StdError;
use std::fmt::Debug;

use stormproof::{
    ArrayRef, BackupInfo, BigInt, CasExpectation, CheckpointInfo, Commit, Compaction, ConflictInfo, Database,
    DatabaseBuilder, DatabaseTable, DiskSize, Displaced, DumpEntry, Durability, Entry, EntryRef, Error,
    Event, EventLog, Key, KeyError, KeyRange, Keys, KvStore, LogMetrics, MapRef, Metrics, Namespace,
    Provenance, Range, Recording, RecoveryReport, RetryPolicy, RunId, RunOptions, RunRecord, SalvagedDamage,
    Serde, Snapshot, SnapshotTable, StateMachine, StateMachineBuilder, Status, StdDisk, Table, TableEntries,
    Ticket, TicketFuture, Transaction, TransactionContext, TransactionOptions, TransactionTable, Value,
    ValueError, ValueRef, Version, Versioned, Watch, WatchOptions, WatchStream, WatchedCommit,
};

fn goes_to_other_threads<T: Debug + Send>() {}
fn is_seen_by_other_threads<T: Debug + Send + Sync>() {}
fn is_an_error<T: StdError + Clone + Send + Sync + 'static>() {}

/// A type that holds no thread's own: what a table says of its types must not keep the table from going.
type Held = std::rc::Rc<()>;

#[test]
fn handles_transactions_and_iterators_go_to_other_threads() {
    goes_to_other_threads::<Transaction>();
    goes_to_other_threads::<TransactionTable<'_, u64, u64>>();
    goes_to_other_threads::<Range<'_>>();
    goes_to_other_threads::<Keys<'_>>();
    goes_to_other_threads::<TableEntries<'_, u64, u64>>();
    goes_to_other_threads::<TicketFuture>();
    goes_to_other_threads::<Watch>();
    goes_to_other_threads::<WatchStream>();
}

#[test]
fn what_is_shared_is_seen_by_other_threads() {
    is_seen_by_other_threads::<Database>();
    is_seen_by_other_threads::<DatabaseBuilder>();
    is_seen_by_other_threads::<DatabaseTable<'_, u64, u64>>();
    is_seen_by_other_threads::<Snapshot>();
    is_seen_by_other_threads::<SnapshotTable<'_, u64, u64>>();
    is_seen_by_other_threads::<Table<Held, Held>>();
    is_seen_by_other_threads::<(Ticket, Commit, WatchOptions, WatchedCommit)>();
    is_seen_by_other_threads::<(Entry, EntryRef<'_>, Key, KeyRange, Namespace)>();
    is_seen_by_other_threads::<(Value, ValueRef<'_>, ArrayRef<'_>, MapRef<'_>, BigInt, Versioned)>();
    is_seen_by_other_threads::<(EventLog, Event, KvStore, StateMachine<String>, StateMachineBuilder<String>)>(
    );
    is_seen_by_other_threads::<(RunId, RunOptions, RunRecord, Provenance, Version, Serde<String>)>();
    is_seen_by_other_threads::<(TransactionContext, TransactionOptions, RetryPolicy, Status, Durability)>();
    is_seen_by_other_threads::<(Metrics, LogMetrics, RecoveryReport, SalvagedDamage, CheckpointInfo)>();
    is_seen_by_other_threads::<(BackupInfo, Compaction, DiskSize, DumpEntry, Recording, StdDisk)>();
}

#[test]
fn errors_are_errors_that_go_anywhere() {
    is_an_error::<Error>();
    is_an_error::<KeyError>();
    is_an_error::<ValueError>();
    is_an_error::<Displaced>();
    is_seen_by_other_threads::<(ConflictInfo, CasExpectation)>();
}
