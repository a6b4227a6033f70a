//! The production engine as a [`Store`](stormproof_workloads::Store): the simulator's adapter, on real
//! directories.

use std::path::Path;

use stormproof::Database;
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicU64, Ordering};

use stormproof_sim::store::real::Backup;
pub use stormproof_sim::store::real::EngineStore;

/// Begins a run in `database`, and offers it as a store; databases beside it, and backups, are directories in
/// `siblings`.
///
/// # Errors
/// When the run can't be begun.
pub fn engine_store(database: Database, siblings: &Path) -> stormproof::Result<EngineStore> {
    let folder = siblings.to_owned();
    let backups = Arc::new({
        let (folder, number) = (folder.clone(), AtomicU64::new("real.backups", 0));
        move |database: &Database| {
            let dir = folder.join(format!("backup-{}", number.fetch_add(1, Ordering::Relaxed)));
            let info = database.backup_to(&dir)?;
            Ok(Backup { info, opened: Database::builder().dir(&dir).read_only().open() })
        }
    });
    let siblings = Arc::new(move |name: &str| Database::open(folder.join(name)));
    Ok(EngineStore::new(database, 0)?.with_siblings(siblings).with_backups(backups))
}
