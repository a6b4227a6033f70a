//! Commit: the one protocol through which every write goes.
//!
//! ```text
//! queue → validate → sequence → log → install → sync → publish → ack
//! ```
//! [`protocol`](Protocol) is that sequence; [`Committer`] decides who runs it and for whom (group commit); [`validate`]
//! is the rule by which a transaction may commit.
//!
//! New versions are installed before the sync and published after it. They are above the published version all the
//! while, so nobody sees them; and the members of a group, which are validated one after the other against the index,
//! see each other there, without a second structure for what is on its way. A group that fails is taken out again.
//!
//! Invariants:
//! * INV-COMMIT-1: what is published is installed: a version is stored in `published` after all its writes are in the
//!   index (V1, V3).
//! * INV-COMMIT-2: in strict mode what is published is durable (D3).
//! * INV-COMMIT-3: versions are published in the order in which they were assigned, without holes inside an epoch; an
//!   aborted transaction takes none.

mod committer;
mod protocol;
mod validate;

pub(crate) use committer::Committer;
pub(crate) use protocol::{COLLECT_EVERY, Protocol, Request};
