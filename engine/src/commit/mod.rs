//! Commit: the one protocol through which every write goes.
//!
//! ```text
//! queue → validate → sequence → log → install → sync → publish → ack
//! ```
//! Read in this order: [`Request`], what a transaction hands over; [`Committer`], which brings requests to a
//! leader, alone or in groups; [`Leader::commit_group`], the protocol; `validate`, the rule by which a
//! transaction may commit.
//!
//! Job: the order of commits, and who may be part of it. Not its job: running transactions and retrying them
//! (`txn`), and what the log and the index do with a commit (`wal`, `mvcc`, reached through `store`).
//!
//! New versions are installed before the sync and published after it. They are above the published version
//! all the while, so no snapshot sees them; and the members of a group, which are validated one after the
//! other against the index, see each other there, without a second structure for what is under way. A group
//! that fails is rolled back.
//!
//! Invariants:
//! * INV-COMMIT-1: what is published is installed: a version is stored in `published` after all its writes
//!   are in the index (V1, V3).
//! * INV-COMMIT-2: in strict mode what is published is durable (D3).
//! * INV-COMMIT-3: versions are published in the order in which they were assigned, without holes inside an
//!   epoch; an aborted transaction takes none. The versions of a group whose outcome is not known are
//!   skipped, because its losers were told them.

mod request;
mod read_set;
mod write_set;
mod group;
mod leader;
mod validate;
mod event_numbers;
mod counters;
mod mutants;

#[cfg(feature = "sha2")]
pub(crate) use event_numbers::unpack;
pub(crate) use event_numbers::{Append, StreamHead};
pub(crate) use group::Committer;
pub(crate) use leader::{COLLECT_EVERY, Leader};
pub(crate) use read_set::{ReadEntry, ReadSet};
pub(crate) use request::Request;
pub(crate) use write_set::{BufferedWrite, WriteSet, WritesInRange};
