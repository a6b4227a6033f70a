//! Counters of the log.

use std::time::Duration;

use super::pending::Pending;
use crate::types::{Lsn, Version};

/// Counters of the log since the database was opened, and its current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogMetrics {
    /// The newest durable version.
    pub durable_version: Version,
    /// The place up to which the log is durable.
    pub durable_lsn: Lsn,
    /// Commits that are not durable.
    pub unsynced_commits: u64,
    /// Bytes that are not written.
    pub unsynced_bytes: u64,
    /// Threads and tasks that wait for a commit to become durable.
    pub waiting: u64,
    /// Complete segments that no checkpoint has made superfluous.
    pub sealed_segments: u64,
    /// Commits that were made durable.
    pub commits: u64,
    /// Bytes of records that were made durable.
    pub bytes: u64,
    /// Groups: each one write and one sync.
    pub groups: u64,
    /// The most commits in one group.
    pub group_commits_max: u64,
    /// Time spent in writing and syncing, all groups together.
    pub flush_time: Duration,
    /// The longest that one group took to be written and synced.
    pub flush_time_max: Duration,
    /// Writes that failed.
    pub failed_writes: u64,
}

impl LogMetrics {
    pub(super) fn add_flush(&mut self, group: &Pending, took: Duration) {
        self.commits += group.commits;
        self.bytes += group.bytes.len() as u64;
        self.groups += 1;
        self.group_commits_max = self.group_commits_max.max(group.commits);
        self.flush_time += took;
        self.flush_time_max = self.flush_time_max.max(took);
    }
}
