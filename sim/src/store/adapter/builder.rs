//! Opens the engine with the settings of a plan.

use std::time::Duration;

use stormproof_workloads::store::Isolation;

use super::engine::{self, Database, DatabaseBuilder, Durability};
use crate::plan::{DurabilityPlan, Edge, EnginePlan};

/// Returns a builder with the settings of a plan, but for the place of the files.
pub fn builder(plan: &EnginePlan) -> DatabaseBuilder {
    let micros = Duration::from_micros;
    let durability = match plan.durability {
        DurabilityPlan::Strict => Durability::Strict,
        DurabilityPlan::Pipelined => Durability::Pipelined,
        DurabilityPlan::Batched { interval_micros, commits_max } => {
            Durability::Batched { interval: micros(interval_micros), commits_max }
        }
        DurabilityPlan::Async { interval_micros } => Durability::Async { interval: micros(interval_micros) },
    };
    let isolation = match plan.isolation {
        Isolation::Serializable => engine::Isolation::Serializable,
        Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
    };
    let builder = Database::builder()
        .isolation(isolation)
        .index_leaf(plan.page_entries, plan.journal_records)
        .background_packing(plan.packs_beside_commits)
        .snapshot_generations(plan.snapshot_generations)
        .collect_every(plan.collect_every)
        .maintenance_interval(micros(plan.maintenance_interval_micros))
        .recovery_threads(plan.recovery_threads)
        .durability(durability)
        .segment_bytes_max(plan.segment_bytes)
        .allocate_bytes(plan.allocate_bytes);
    let builder = match plan.ended_runs_max {
        Some(runs) => builder.ended_runs_max(runs),
        None => builder,
    };
    let builder =
        if plan.checkpoint_bytes > 0 { builder.checkpoint_log_bytes(plan.checkpoint_bytes) } else { builder };
    plan.edges.iter().fold(builder, at_edge)
}

/// Sets a setting to an end of its range.
fn at_edge(builder: DatabaseBuilder, edge: &Edge) -> DatabaseBuilder {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
    match edge {
        Edge::SegmentBytesLeast => builder.segment_bytes_max(256),
        Edge::SegmentBytesMost => builder.segment_bytes_max(1 << 40),
        Edge::AllocateBytesMost => builder.allocate_bytes(1 << 30),
        Edge::LogBufferBytesLeast => builder.log_buffer_bytes_max(1 << 10),
        Edge::LogBufferBytesMost => builder.log_buffer_bytes_max(1 << 31),
        Edge::CheckpointLogBytesLeast => builder.checkpoint_log_bytes(1 << 10),
        Edge::CheckpointSegmentsLeast => builder.checkpoint_segments(1),
        Edge::CheckpointSegmentsMost => builder.checkpoint_segments(usize::MAX),
        Edge::CheckpointIntervalLeast => builder.checkpoint_interval(Duration::from_millis(1)),
        Edge::IndexLeafLeast => builder.index_leaf(2, 2),
        Edge::CollectEveryMost => builder.collect_every(u64::MAX),
        Edge::MaintenanceIntervalLeast => builder.maintenance_interval(Duration::from_micros(100)),
        Edge::EndedRunsAgeLeast => builder.ended_runs_age_max(Duration::ZERO),
        Edge::EndedRunsAgeMost => builder.ended_runs_age_max(YEAR),
        Edge::LimitsMost => builder.writes_max(usize::MAX).bytes_max(usize::MAX).key_bytes_max((1 << 24) - 1),
    }
}
