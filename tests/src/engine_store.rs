//! The production engine as a [`Store`](stormproof_workloads::Store): the simulator's adapter, on real
//! directories.

use std::path::Path;

use stormproof::Database;
use stormproof_rt::sync::Arc;

pub use stormproof_sim::store::real::EngineStore;

/// Begins a run in `database`, and offers it as a store; databases beside it are directories in `siblings`.
///
/// # Errors
/// When the run can't be begun.
pub fn engine_store(database: Database, siblings: &Path) -> stormproof::Result<EngineStore> {
    let folder = siblings.to_owned();
    let siblings = Arc::new(move |name: &str| Database::open(folder.join(name)));
    Ok(EngineStore::new(database, 0)?.with_siblings(siblings))
}
