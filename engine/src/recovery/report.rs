//! The report of an open.

use crate::types::{Lsn, Version};

/// What to do about damage in what had been synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvage {
    /// Open fails, and nothing is changed.
    #[default]
    Refuse,
    /// Opens with what is left: of a damaged log every commit before the damage, of a damaged checkpoint the
    /// blocks that are whole, and of both what the other has. A manifest and headers are rebuilt from
    /// what other files and checksums say; nothing is guessed. Damaged files are kept under another name, and
    /// [`RecoveryReport::salvaged`] says what was dropped.
    DropDamaged,
}

/// The report of an open: what was found, and what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Whether the database was created.
    pub created: bool,
    /// The epoch that begins with this open.
    pub epoch: u64,
    /// The snapshot that was loaded.
    pub checkpoint_version: Option<Version>,
    /// Keys that were loaded from it.
    pub checkpoint_entries: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Bytes of records that were read.
    pub log_bytes: u64,
    /// Commits that were applied.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
    /// Commits that the checkpoint contained already.
    pub commits_in_checkpoint: u64,
    /// Transactions in the log that had been withdrawn.
    pub withdrawn: u64,
    /// The version of the last commit that is there.
    pub last_version: Version,
    /// Where the log ended.
    pub end: Lsn,
    /// Bytes after the end that were discarded: a torn tail, never acked as durable.
    pub torn_bytes: u64,
    /// Whole records among them.
    pub torn_records: u64,
    /// What was dropped because of damage; empty unless salvage was asked for.
    pub salvaged: Vec<SalvagedDamage>,
}

/// Damage, and what was dropped because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedDamage {
    /// The damaged file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// What was wrong.
    pub problem: String,
    /// What was dropped, in words.
    pub dropped: String,
}
