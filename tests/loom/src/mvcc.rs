//! Of the engine's module of this name, what the others need.

#[path = "../../../engine/src/mvcc/active_snapshots.rs"]
mod active_snapshots;

pub(crate) use active_snapshots::ActiveSnapshots;
