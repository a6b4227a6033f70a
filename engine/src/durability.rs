//! The durability modes: when a commit is durable (contract §4).

use std::time::Duration;

/// When commits become durable (contract §4 has the whole table).
///
/// ```
/// use std::time::Duration;
/// use stormproof::Durability;
///
/// let relaxed = Durability::Async { interval: Duration::from_millis(500) };
/// assert!(Durability::default().is_strict() && !relaxed.is_strict());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is durable before it is visible and before it is acked. Commits that arrive during a sync
    /// share the next.
    #[default]
    Strict,
    /// Commits are visible and acked at once, and synced as fast as the disk can. A ticket resolves when they
    /// are; tickets are fulfilled in commit order.
    Pipelined,
    /// Commits are visible and acked at once. A crash loses fewer than `commits_max` of them, and less than
    /// `interval` of work.
    Batched {
        /// How much acked work a crash may take back.
        interval: Duration,
        /// How many acked commits a crash may take back, plus one.
        commits_max: u64,
    },
    /// Commits are visible and acked at once. A crash loses less than `interval` of work.
    Async {
        /// How much acked work a crash may take back.
        interval: Duration,
    },
}

impl Durability {
    /// Returns whether commits are durable before they are visible.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Strict)
    }

    /// Returns the bound on the age of acked commits that are not durable.
    pub(crate) const fn interval(self) -> Option<Duration> {
        match self {
            Self::Strict | Self::Pipelined => None,
            Self::Batched { interval, .. } | Self::Async { interval } => Some(interval),
        }
    }

    /// Returns the bound on the number of commits that are not durable; acked ones are fewer.
    pub(crate) const fn commits_max(self) -> u64 {
        match self {
            Self::Batched { commits_max, .. } => commits_max,
            _ => u64::MAX,
        }
    }
}
