//! What a database has done so far.

use crate::wal::LogMetrics;

/// Counts since the database was opened, and sizes now.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// db.put(run, "key", 1_i64)?;
/// let metrics = db.metrics();
/// println!("{} commits, {:.1} % conflicts", metrics.commits, 100.0 * metrics.conflict_rate());
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Transactions that committed and had written something.
    pub commits: u64,
    /// Groups in which they did: with one write and one sync each, in strict mode.
    pub groups: u64,
    /// Most commits in one group.
    pub group_max: u64,
    /// Commits that were refused because others committed first.
    pub conflicts: u64,
    /// Of these, those with a key that had been read, and was written or expired since.
    pub read_conflicts: u64,
    /// Of these, those with a key to be written.
    pub write_conflicts: u64,
    /// Of these, those with a conditional write.
    pub cas_conflicts: u64,
    /// Of these, those with a range that had been scanned.
    pub range_conflicts: u64,
    /// Transactions that ended without a commit for other reasons.
    pub aborts: u64,
    /// Attempts that closures made beyond the first.
    pub retries: u64,
    /// Snapshots and transactions that are open.
    pub snapshots: u64,
    /// Closures that keep losing, and wait for their turn to run undisturbed, or have it.
    pub queued: u64,
    /// Keys in the store, deleted ones included that some snapshot may still see.
    pub keys: u64,
    /// Old versions and tombstones that wait until no snapshot sees them.
    pub surplus_versions: u64,
    /// Bytes of replaced pages, values and versions that were not freed yet, as a reader may have them. Some
    /// hundred KiB are normal while there are commits; much more shows a read that takes long, such as a slow
    /// closure of `visit`.
    pub retired_bytes: u64,
    /// Versions that were collected.
    pub collected_versions: u64,
    /// Keys that expired and were swept.
    pub expired: u64,
    /// How far the oldest snapshot is behind the newest version.
    pub snapshot_lag: u64,
    /// What the log has done; nothing in memory.
    pub log: LogMetrics,
}

impl Metrics {
    /// Returns the share of commits that conflicted, from 0 to 1.
    pub fn conflict_rate(&self) -> f64 {
        let asked = self.commits + self.conflicts;
        if asked == 0 { 0.0 } else { self.conflicts as f64 / asked as f64 }
    }

    /// Nothing: see the feature `metrics`.
    #[cfg(not(feature = "metrics"))]
    #[expect(clippy::unused_self, reason = "with the feature `metrics` it does something")]
    pub(crate) fn record(&self) {}

    /// Hands the figures to the recorder of the `metrics` crate, if the application has installed one.
    #[cfg(feature = "metrics")]
    pub(crate) fn record(&self) {
        let counters = [
            ("stormproof_commits_total", self.commits),
            ("stormproof_groups_total", self.groups),
            ("stormproof_conflicts_total", self.conflicts),
            ("stormproof_read_conflicts_total", self.read_conflicts),
            ("stormproof_write_conflicts_total", self.write_conflicts),
            ("stormproof_cas_conflicts_total", self.cas_conflicts),
            ("stormproof_range_conflicts_total", self.range_conflicts),
            ("stormproof_aborts_total", self.aborts),
            ("stormproof_retries_total", self.retries),
            ("stormproof_collected_versions_total", self.collected_versions),
            ("stormproof_expired_total", self.expired),
            ("stormproof_log_bytes_total", self.log.bytes),
            ("stormproof_log_groups_total", self.log.groups),
        ];
        for (name, value) in counters {
            metrics::counter!(name).absolute(value);
        }
        let gauges = [
            ("stormproof_snapshots", self.snapshots as f64),
            ("stormproof_queued", self.queued as f64),
            ("stormproof_keys", self.keys as f64),
            ("stormproof_surplus_versions", self.surplus_versions as f64),
            ("stormproof_retired_bytes", self.retired_bytes as f64),
            ("stormproof_snapshot_lag", self.snapshot_lag as f64),
            ("stormproof_conflict_rate", self.conflict_rate()),
            ("stormproof_log_flush_seconds", self.log.flush_time.as_secs_f64()),
        ];
        for (name, value) in gauges {
            metrics::gauge!(name).set(value);
        }
    }
}
