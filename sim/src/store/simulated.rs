//! The engine compiled on the simulating runtime.

use stormproof_twin as engine;

/// Whether clients delete the first events of streams, and forget runs.
const RETENTION: bool = true;

#[expect(
    clippy::duplicate_mod,
    reason = "one source for both engines, whose types differ and whose interfaces do not"
)]
#[path = "adapter/mod.rs"]
mod adapter;

#[expect(
    clippy::duplicate_mod,
    reason = "one source for both engines, whose types differ and whose interfaces do not"
)]
#[path = "acts.rs"]
mod acts;

#[expect(
    clippy::duplicate_mod,
    reason = "one source for both engines, whose types differ and whose interfaces do not"
)]
#[path = "view.rs"]
mod view;

#[expect(
    clippy::duplicate_mod,
    reason = "one source for both engines, whose types differ and whose interfaces do not"
)]
#[path = "visit.rs"]
mod visit;

pub(crate) use adapter::outcome;
pub use adapter::{Backup, Backups, EngineStore, Siblings, builder};
