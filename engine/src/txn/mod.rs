//! Transactions: what one has read and written, and how it is run.
//!
//! Reads all pass through one place, [`Transaction`]'s `read` and `walk`, which track them; writes are buffered in the
//! [`WriteSet`] and touch nothing shared before `commit`.

mod context;
mod ids;
mod options;
mod read;
mod read_set;
mod retry;
mod scan;
mod transaction;
mod turnstile;
mod write;
mod write_set;

pub use context::{AbortReason, Status, TransactionContext};
pub(crate) use ids::TxnIds;
pub(crate) use options::Limits;
pub use options::{RetryPolicy, TransactionOptions};
pub(crate) use read_set::ReadSet;
pub(crate) use retry::run as run_with_retry;
pub use scan::{Entry, ScanOptions};
pub use transaction::{Commit, Transaction};
pub(crate) use turnstile::Turnstile;
pub(crate) use write_set::{Buffered, WriteSet};
