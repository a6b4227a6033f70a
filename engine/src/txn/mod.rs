//! Transactions: what one has read and written, and how it is run.
//!
//! # Versions, and two transactions that overlap
//!
//! A commit gives every key that it writes one new version of the whole database. Older versions of a key
//! stay for as long as a snapshot may read them, so each column of this grid is a key, each row a commit, and
//! a snapshot is a row: it reads in each column the lowest entry at or above its row (a tombstone `†` means
//! that the key is absent).
//!
//! ```text
//! version   a        b        c
//!   v1      a=1      b=1
//!   v2                        c=1
//!   v3      a=2                        ← a snapshot at v3 reads a=2, b=1, c=1
//!   v4               b=†               ← a snapshot at v4 reads a=2, b absent, c=1
//! ```
//!
//! Two transactions `T1` and `T2` of serializable isolation, both begun when `v4` was the published version:
//!
//! ```text
//! T1                            T2                            published   what happens
//! begin: snapshot v4                                             v4
//!                               begin: snapshot v4               v4
//! get a → 2 (read set: a@v3)                                     v4
//!                               get a → 2 (read set: a@v3)       v4
//!                               put c=7 (buffered)               v4       no other transaction sees it
//! put a=3 (buffered)                                             v4
//! get a → 3 (own write)                                          v4
//! commit                                                         v5       a is still at v3: a=3 at v5
//!                               get a → 2                        v5       the snapshot is still v4
//!                               commit                           v5       a is at v5 > v4: ReadConflict
//!                               begin: snapshot v5               v5       the retry reads a=3
//! ```
//!
//! `T2` would have read `a` and written `c` as if `T1` had never been, although `T1` was first: so it runs
//! again. Under snapshot isolation reads are not validated, and it would have committed. What each level
//! prevents is written down as scripts in `tests/isolation`, which run in the tests under both levels:
//!
//! | anomaly | script | snapshot | serializable |
//! |---|---|---|---|
//! | dirty read, aborted read | `dirty_read`, `abort_leaves_nothing` | prevented | prevented |
//! | non-repeatable read, read skew | `repeatable_read`, `read_skew`, `long_fork` | prevented | prevented |
//! | lost update | `lost_update`, `blind_writes`, `insert_twice`, `swap_lost_race` | prevented | prevented |
//! | read, deleted and created again with the same value (ABA) | `aba_delete` | possible | prevented |
//! | phantom | `phantom`, `phantom_by_delete`, `missing_key_read` | possible | prevented |
//! | write skew | `write_skew`, `read_only_anomaly` | possible | prevented |
//!
//! # How it is done
//!
//! Reads pass through two gates, which track them: `Transaction::read_with` for keys and
//! [`Transaction::range`] for ranges. Writes are buffered in the [`WriteSet`](crate::commit::WriteSet) and
//! touch nothing shared before [`commit`](Transaction::commit) hands both sets to `commit::Committer`.
//! [`Database::transaction`](crate::Database) runs a closure again after a conflict, after a pause (`retry`);
//! one that keeps losing gets a reservation (`contention`).
//!
//! Not the job of this module: which transaction wins (`commit`), and which versions are kept (`store`).

mod transaction;
mod context;
mod options;
mod read;
mod iterate;
mod write;
mod update;
mod retry;
mod contention;
mod coordinator;
mod ids;
#[cfg(feature = "sha2")]
mod own_events;
mod recording;
mod simulation;
mod mutants;
#[cfg(test)]
mod tests;

pub use context::{AbortReason, Status, TransactionContext};
pub(crate) use coordinator::{Coordinator, TxnDefaults};
pub(crate) use ids::TxnIds;
pub(crate) use options::Limits;
pub use options::{RetryPolicy, TransactionOptions};
pub use recording::Recording;
pub(crate) use retry::{run as run_with_retry, run_with_own_errors};
pub(crate) use simulation::Hooks;
#[cfg(feature = "simulation")]
pub use simulation::{Observed, Observer};
pub use transaction::{Commit, Transaction};
