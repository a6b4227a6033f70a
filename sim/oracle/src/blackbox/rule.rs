//! Which dependencies count at which level.

use crate::level::Level;

/// The anti-dependencies that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anti {
    None,
    /// Only of readers of an item that write it themselves: their update must not be lost.
    Updates,
    /// Of reads of items, not of what a scan did not find.
    Items,
    All,
}

impl Anti {
    /// Returns whether what a scan did not find may be written by others.
    pub(super) fn only_items(self) -> bool {
        matches!(self, Self::Updates | Self::Items)
    }
}

/// The edges of a level's graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Start and commit are two events.
    pub(super) split: bool,
    /// Read dependencies count.
    pub(super) reads: bool,
    pub(super) anti: Anti,
    /// A cycle is forbidden only if it has at most one anti-dependency.
    pub(super) single: bool,
    /// Writers of a key need not see each other.
    pub(super) commuting: bool,
    /// The order of each session counts.
    pub(super) session: bool,
    /// Real time counts.
    pub(super) time: bool,
}

impl Rule {
    pub(super) fn of(level: Level) -> Self {
        let plain = Self {
            split: false,
            reads: true,
            anti: Anti::None,
            single: false,
            commuting: false,
            session: false,
            time: false,
        };
        let session = Self { session: true, ..plain };
        let time = Self { time: true, ..session };
        match level {
            Level::ReadUncommitted => Self { reads: false, ..plain },
            Level::StrongSessionReadUncommitted => Self { reads: false, ..session },
            Level::StrongReadUncommitted => Self { reads: false, ..time },
            Level::ReadCommitted | Level::ReadAtomic => plain,
            Level::StrongSessionReadCommitted | Level::Causal => session,
            Level::StrongReadCommitted => time,
            Level::CursorStability => Self { anti: Anti::Updates, ..plain },
            Level::RepeatableRead => Self { anti: Anti::Items, ..plain },
            Level::ConsistentView => Self { anti: Anti::All, single: true, ..plain },
            Level::ParallelSnapshotIsolation => Self { anti: Anti::All, single: true, ..session },
            Level::PrefixConsistency => Self { split: true, anti: Anti::All, commuting: true, ..plain },
            Level::StrongSessionPrefixConsistency => {
                Self { split: true, anti: Anti::All, commuting: true, ..session }
            }
            Level::SnapshotIsolation => Self { split: true, anti: Anti::All, ..plain },
            Level::StrongSessionSnapshotIsolation => Self { split: true, anti: Anti::All, ..session },
            Level::StrictSnapshotIsolation => Self { split: true, anti: Anti::All, ..time },
            Level::Serializable => Self { anti: Anti::All, ..plain },
            Level::StrongSessionSerializable => Self { anti: Anti::All, ..session },
            Level::StrictSerializable => Self { anti: Anti::All, ..time },
        }
    }

    /// Returns whether the order of unobserved writes matters.
    pub(super) fn orders_writes(self) -> bool {
        self.anti != Anti::None
    }
}
