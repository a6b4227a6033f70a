//! The engine that applications use.

use stormproof as engine;

/// Whether clients delete the first events of streams, and forget runs. What they truncated they know in one
/// process only, and lives on the real engine are processes.
const RETENTION: bool = false;

#[path = "adapter/mod.rs"]
mod adapter;

#[path = "acts.rs"]
mod acts;

#[path = "view.rs"]
mod view;

#[path = "visit.rs"]
mod visit;

pub use adapter::{Backup, Backups, EngineStore, Siblings, builder};
