//! Gathers the counters of the engine's parts.

use crate::metrics::Metrics;
use crate::txn::Coordinator;

/// Returns the counts and sizes of a database, as of now.
pub(super) fn measure(coordinator: &Coordinator) -> Metrics {
    let (counters, surplus, retired_bytes) = {
        let leader = coordinator.committer.between_groups();
        (leader.counters, leader.surplus(), leader.retired_bytes())
    };
    let store = &coordinator.store;
    let published = store.published();
    let mut metrics = Metrics {
        commits: counters.commits,
        groups: counters.groups,
        group_max: counters.group_max,
        conflicts: counters.conflicted,
        read_conflicts: counters.read_conflicts,
        write_conflicts: counters.write_conflicts,
        cas_conflicts: counters.cas_conflicts,
        range_conflicts: counters.range_conflicts,
        collected_versions: counters.collected,
        surplus_versions: surplus as u64,
        retired_bytes,
        snapshots: store.snapshots.in_use(),
        queued: coordinator.contention.queued() as u64,
        keys: store.index.len() as u64,
        snapshot_lag: published.get().saturating_sub(store.snapshots.floor().get()),
        aborts: coordinator.counters.aborts(),
        retries: coordinator.counters.retries(),
        expired: store.expiry.swept(),
        ..Metrics::default()
    };
    if let Some(log) = &store.log {
        metrics.log = log.metrics();
    }
    metrics
}
