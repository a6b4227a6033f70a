//! The write-ahead log.
//!
//! Job: the order and the bytes of commits on disk, and when they are durable. Records are laid out in
//! [`format`], what they hold in [`entry`], files in [`segment`]; [`writer`] owns the end of the log,
//! [`reader`] reads it back; `core` is the state that threads share, `flush` writes and syncs it, `wait` and
//! `ticket` wait until that is done, and [`log`] is the interface for the commit protocol. Not its job: which
//! commits there are (`commit`), what a bad byte means (`recovery`).
//!
//! * INV-DUR-1: durable versions are announced in commit order.
//! * INV-DUR-2: Batched, Async: no commit is acked while `commits_max` unsynced ones would be acked, or while
//!   the oldest unsynced one is older than the interval.
//! * INV-DUR-3: a waiter is woken when its version is durable, when the log is closed for writing, and when a
//!   thread has to lead the next sync.

pub(crate) mod format;
pub(crate) mod entry;
pub(crate) mod header_file;
pub(crate) mod files;
mod shared_directory;
pub(crate) mod segment;
pub(crate) mod manifest;
pub(crate) mod listing;
pub(crate) mod reader;
mod recovered;
mod options;
mod pending;
mod metrics;
mod writer;
mod waiters;
mod state;
mod core;
mod flush;
mod flusher;
mod wait;
mod log;
mod ticket;
mod mutants;

pub(crate) use core::Resume;
pub(crate) use listing::DirectoryListing;
pub(crate) use log::{Capture, Log, Replayable};
pub use metrics::LogMetrics;
pub(crate) use options::LogOptions;
pub(crate) use recovered::RecoveredWrite;
pub(crate) use shared_directory::SharedDirectory;
pub use ticket::{Ticket, TicketFuture};
pub(crate) use writer::{SealedSegment, SegmentWriter};
