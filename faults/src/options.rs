//! Options of a simulated disk.

use serde::{Deserialize, Serialize};

use crate::plan::FaultPlan;

/// What makes a name durable besides a sync of the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryPolicy {
    /// Nothing: what POSIX promises.
    #[default]
    DirSyncOnly,
    /// A sync of the file, as with ext4: a store that relies on it loses data elsewhere, one that does not
    /// must work here, too.
    FileSync,
}

/// Options of a simulated disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskOptions {
    /// The faults while the power is on.
    pub faults: FaultPlan,
    /// What makes names durable.
    pub entries: EntryPolicy,
    /// Bytes that fit, in whole pages of 4 KiB; `None` for no limit.
    pub capacity: Option<u64>,
}
