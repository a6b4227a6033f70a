//! Isolation levels, and which implies which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stormproof_workloads::store::Isolation;

use crate::expectations::{Expectations, Recency};

/// An isolation level.
///
/// Each implies those to its left, and a level with "strong-session" or "strong" before its name implies the
/// plain one:
///
/// ```text
/// read-uncommitted ─ read-committed ─┬─ cursor-stability ─┬───────────── repeatable-read ─────────────┐
///                                    │                    └┐                                          │
///                                    └─ read-atomic ─┬─────┴─ consistent-view ───┬─ snapshot-isolation ┴─ serializable
///                                                    ├─ prefix-consistency ──────┘
///                                                    └─ causal ─ parallel-snapshot-isolation (and consistent-view)
/// ```
///
/// A level says nothing about the order of sessions, unless its name has "strong" or "strict" in it; causal
/// consistency and parallel snapshot isolation keep sessions by definition. "Strong" and "strict" levels keep
/// real time too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Adya's PL-1: no cycle of writes; values come from transactions and own writes are seen.
    ReadUncommitted,
    /// PL-1 with an order of writes that keeps sessions.
    StrongSessionReadUncommitted,
    /// PL-1 with an order of writes that keeps real time.
    StrongReadUncommitted,
    /// Adya's PL-2: no aborted or intermediate reads, no cycle of writes and reads.
    ReadCommitted,
    /// PL-2 with an order that keeps sessions.
    StrongSessionReadCommitted,
    /// PL-2 with an order that keeps real time.
    StrongReadCommitted,
    /// Adya's PL-CS: no update of a key is lost.
    CursorStability,
    /// Adya's PL-2.99: no cycle but with an anti-dependency on what a scan did not find.
    RepeatableRead,
    /// All writes of a transaction are seen, or none (Bailis et al., RAMP).
    ReadAtomic,
    /// Reads include everything that their sources depend on, with convergence (Biswas and Enea's CC).
    Causal,
    /// Adya's PL-2+: no cycle with exactly one anti-dependency.
    ConsistentView,
    /// PL-2+ with sessions (Cerone and Gotsman's parallel snapshot isolation).
    ParallelSnapshotIsolation,
    /// Each transaction reads a prefix of the commit order; updates may be lost.
    PrefixConsistency,
    /// Prefix consistency whose prefixes include the session's earlier commits.
    StrongSessionPrefixConsistency,
    /// One snapshot, the first committer wins (Adya's PL-SI).
    SnapshotIsolation,
    /// Snapshot isolation whose snapshots include the session's earlier commits.
    StrongSessionSnapshotIsolation,
    /// Snapshot isolation whose snapshots include everything acked before they were taken (strong SI).
    StrictSnapshotIsolation,
    /// A serial order (Adya's PL-3).
    Serializable,
    /// A serial order that keeps sessions.
    StrongSessionSerializable,
    /// A serial order that keeps real time.
    StrictSerializable,
}

/// Other names of levels, as Adya and Elle call them.
const ALIASES: [(&str, Level); 20] = [
    ("PL-1", Level::ReadUncommitted),
    ("strong-session-PL-1", Level::StrongSessionReadUncommitted),
    ("strong-PL-1", Level::StrongReadUncommitted),
    ("PL-2", Level::ReadCommitted),
    ("strong-session-PL-2", Level::StrongSessionReadCommitted),
    ("strong-PL-2", Level::StrongReadCommitted),
    ("PL-CS", Level::CursorStability),
    ("PL-2.99", Level::RepeatableRead),
    ("causal-cerone", Level::Causal),
    ("PL-2+", Level::ConsistentView),
    ("strong-session-consistent-view", Level::ParallelSnapshotIsolation),
    ("PSI", Level::ParallelSnapshotIsolation),
    ("prefix", Level::PrefixConsistency),
    ("PL-SI", Level::SnapshotIsolation),
    ("strong-session-PL-SI", Level::StrongSessionSnapshotIsolation),
    ("strong-snapshot-isolation", Level::StrictSnapshotIsolation),
    ("PL-3", Level::Serializable),
    ("strong-session-PL-3", Level::StrongSessionSerializable),
    ("PL-SS", Level::StrictSerializable),
    ("strong-serializable", Level::StrictSerializable),
];

/// By level: the levels that it implies, as bits. Weaker levels come first, so theirs are known.
const IMPLIED: [u32; Level::ALL.len()] = {
    let mut implied = [0; Level::ALL.len()];
    let mut at = 0;
    while at < implied.len() {
        implied[at] = 1 << at;
        let weaker = Level::ALL[at].weaker();
        let mut next = 0;
        while next < weaker.len() {
            implied[at] |= implied[weaker[next] as usize];
            next += 1;
        }
        at += 1;
    }
    implied
};

impl Level {
    /// All levels, weaker ones first.
    pub const ALL: [Self; 20] = [
        Self::ReadUncommitted,
        Self::StrongSessionReadUncommitted,
        Self::StrongReadUncommitted,
        Self::ReadCommitted,
        Self::StrongSessionReadCommitted,
        Self::StrongReadCommitted,
        Self::CursorStability,
        Self::RepeatableRead,
        Self::ReadAtomic,
        Self::Causal,
        Self::ConsistentView,
        Self::ParallelSnapshotIsolation,
        Self::PrefixConsistency,
        Self::StrongSessionPrefixConsistency,
        Self::SnapshotIsolation,
        Self::StrongSessionSnapshotIsolation,
        Self::StrictSnapshotIsolation,
        Self::Serializable,
        Self::StrongSessionSerializable,
        Self::StrictSerializable,
    ];

    /// Returns the name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read-uncommitted",
            Self::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            Self::StrongReadUncommitted => "strong-read-uncommitted",
            Self::ReadCommitted => "read-committed",
            Self::StrongSessionReadCommitted => "strong-session-read-committed",
            Self::StrongReadCommitted => "strong-read-committed",
            Self::CursorStability => "cursor-stability",
            Self::RepeatableRead => "repeatable-read",
            Self::ReadAtomic => "read-atomic",
            Self::Causal => "causal",
            Self::ConsistentView => "consistent-view",
            Self::ParallelSnapshotIsolation => "parallel-snapshot-isolation",
            Self::PrefixConsistency => "prefix-consistency",
            Self::StrongSessionPrefixConsistency => "strong-session-prefix-consistency",
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            Self::StrictSnapshotIsolation => "strict-snapshot-isolation",
            Self::Serializable => "serializable",
            Self::StrongSessionSerializable => "strong-session-serializable",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// Returns the next weaker levels.
    pub const fn weaker(self) -> &'static [Self] {
        match self {
            Self::ReadUncommitted => &[],
            Self::StrongSessionReadUncommitted | Self::ReadCommitted => &[Self::ReadUncommitted],
            Self::StrongReadUncommitted => &[Self::StrongSessionReadUncommitted],
            Self::StrongSessionReadCommitted => &[Self::ReadCommitted, Self::StrongSessionReadUncommitted],
            Self::StrongReadCommitted => &[Self::StrongSessionReadCommitted, Self::StrongReadUncommitted],
            Self::CursorStability | Self::ReadAtomic => &[Self::ReadCommitted],
            Self::RepeatableRead => &[Self::CursorStability],
            Self::Causal => &[Self::ReadAtomic, Self::StrongSessionReadCommitted],
            Self::ConsistentView => &[Self::ReadAtomic, Self::CursorStability],
            Self::ParallelSnapshotIsolation => &[Self::ConsistentView, Self::Causal],
            Self::PrefixConsistency => &[Self::ReadAtomic],
            Self::StrongSessionPrefixConsistency => &[Self::PrefixConsistency, Self::Causal],
            Self::SnapshotIsolation => &[Self::ConsistentView, Self::PrefixConsistency],
            Self::StrongSessionSnapshotIsolation => &[
                Self::SnapshotIsolation,
                Self::ParallelSnapshotIsolation,
                Self::StrongSessionPrefixConsistency,
            ],
            Self::StrictSnapshotIsolation => {
                &[Self::StrongSessionSnapshotIsolation, Self::StrongReadCommitted]
            }
            Self::Serializable => &[Self::SnapshotIsolation, Self::RepeatableRead],
            Self::StrongSessionSerializable => &[Self::Serializable, Self::StrongSessionSnapshotIsolation],
            Self::StrictSerializable => &[Self::StrongSessionSerializable, Self::StrictSnapshotIsolation],
        }
    }

    /// Returns whether every history at this level is at `other` too.
    pub fn implies(self, other: Self) -> bool {
        IMPLIED[self as usize] >> other as usize & 1 == 1
    }

    /// Returns whether it keeps real time, so that a history without times cannot be said to hold.
    pub fn needs_time(self) -> bool {
        matches!(
            self,
            Self::StrongReadUncommitted
                | Self::StrongReadCommitted
                | Self::StrictSnapshotIsolation
                | Self::StrictSerializable
        )
    }

    /// Returns the level that a store promised.
    pub fn promised(expectations: &Expectations) -> Self {
        match (expectations.isolation, expectations.recency) {
            (Isolation::ReadCommitted, _) => Self::ReadCommitted,
            (Isolation::Snapshot, Recency::Any) => Self::SnapshotIsolation,
            (Isolation::Snapshot, Recency::Session) => Self::StrongSessionSnapshotIsolation,
            (Isolation::Snapshot, Recency::RealTime) => Self::StrictSnapshotIsolation,
            (Isolation::Serializable, Recency::Any) => Self::Serializable,
            (Isolation::Serializable, Recency::Session) => Self::StrongSessionSerializable,
            (Isolation::Serializable, Recency::RealTime) => Self::StrictSerializable,
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
        let by_name = Self::ALL.into_iter().find(|level| level.name() == name);
        let by_alias = || ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, level)| *level);
        by_name.or_else(by_alias).ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn weaker_levels_come_first_and_the_strongest_implies_all() {
        for (at, level) in Level::ALL.into_iter().enumerate() {
            assert_eq!(level as usize, at, "{level}");
            assert!(Level::StrictSerializable.implies(level), "{level}");
            for weaker in level.weaker() {
                let place = Level::ALL.iter().position(|other| other == weaker);
                assert!(place < Some(at), "{level} before {weaker}");
                assert!(!weaker.needs_time() || level.needs_time(), "{level} implies {weaker}");
            }
        }
    }
}
