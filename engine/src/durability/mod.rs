//! When a commit is durable, and how its committer learns of it (SEMANTICS §4).
//!
//! Job: the four modes, the thread that syncs in the background, tickets, and who waits for what. Not its job:
//! bytes, which are the log's.
//!
//! * INV-DUR-1: durable versions are announced in commit order.
//! * INV-DUR-2: Batched, Async: no commit is acked while `max_commits` unsynced ones would be acked, or while the oldest
//!   unsynced one is older than the interval.
//! * INV-DUR-3: whoever waits is woken when the version is durable, when the log is closed for writing, and
//!   when somebody has to lead the next sync.

mod flusher;
mod mode;
mod ticket;
mod waiters;

pub(crate) use flusher::run as run_flusher;
pub use mode::Durability;
pub use ticket::{Ticket, TicketFuture};
pub(crate) use waiters::{Waiter, Waiters};
