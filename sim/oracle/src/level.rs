//! Isolation levels, and which implies which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stormproof_workloads::store::Isolation;

use crate::expectations::{Expectations, Recency};

/// An isolation level.
///
/// ```text
/// read-committed ─ read-atomic ─┬─ causal ────────────────────┐
///                               └─ snapshot-isolation ─┬─ strong-session-… ─ strict-snapshot-isolation ─┐
///                                                      └─ serializable ──────────────────────── strict-serializable
/// ```
///
/// Without "session" or "strict" in its name, and but for causal, a level says nothing about the order of
/// sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Adya's PL-2: no aborted or intermediate reads, no cycle of writes and reads-from.
    ReadCommitted,
    /// All writes of a transaction are seen, or none (Bailis et al., RAMP).
    ReadAtomic,
    /// Reads include everything that their sources depend on, with convergence (Biswas and Enea's CC).
    Causal,
    /// One snapshot, the first committer wins (Adya's PL-SI).
    SnapshotIsolation,
    /// Snapshot isolation whose snapshots include the session's earlier commits.
    StrongSessionSnapshotIsolation,
    /// Snapshot isolation whose snapshots include everything acked before they were taken.
    StrictSnapshotIsolation,
    /// A serial order.
    Serializable,
    /// A serial order that keeps real time.
    StrictSerializable,
}

impl Level {
    /// All levels, weaker ones first.
    pub const ALL: [Self; 8] = [
        Self::ReadCommitted,
        Self::ReadAtomic,
        Self::Causal,
        Self::SnapshotIsolation,
        Self::StrongSessionSnapshotIsolation,
        Self::StrictSnapshotIsolation,
        Self::Serializable,
        Self::StrictSerializable,
    ];

    /// The name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read-committed",
            Self::ReadAtomic => "read-atomic",
            Self::Causal => "causal",
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            Self::StrictSnapshotIsolation => "strict-snapshot-isolation",
            Self::Serializable => "serializable",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// The next weaker levels.
    pub fn weaker(self) -> &'static [Self] {
        match self {
            Self::ReadCommitted => &[],
            Self::ReadAtomic => &[Self::ReadCommitted],
            Self::Causal | Self::SnapshotIsolation => &[Self::ReadAtomic],
            Self::StrongSessionSnapshotIsolation => &[Self::Causal, Self::SnapshotIsolation],
            Self::StrictSnapshotIsolation => &[Self::StrongSessionSnapshotIsolation],
            Self::Serializable => &[Self::SnapshotIsolation],
            Self::StrictSerializable => &[Self::StrictSnapshotIsolation, Self::Serializable],
        }
    }

    /// Whether every history at this level is at `other` too.
    pub fn implies(self, other: Self) -> bool {
        self == other || self.weaker().iter().any(|weaker| weaker.implies(other))
    }

    /// The level that a store promised.
    pub fn promised(expectations: &Expectations) -> Self {
        match (expectations.isolation, expectations.recency) {
            (Isolation::ReadCommitted, _) => Self::ReadCommitted,
            (Isolation::Snapshot, Recency::Any) => Self::SnapshotIsolation,
            (Isolation::Snapshot, Recency::Session) => Self::StrongSessionSnapshotIsolation,
            (Isolation::Snapshot, Recency::RealTime) => Self::StrictSnapshotIsolation,
            (Isolation::Serializable, Recency::RealTime) => Self::StrictSerializable,
            (Isolation::Serializable, _) => Self::Serializable,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown name of a level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no level \"{0}\"; the levels are {names}", names = Level::ALL.map(Level::name).join(", "))]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        let found = Self::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}
