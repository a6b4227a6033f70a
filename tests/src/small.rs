//! A database with small files, so that growth, rotation and checkpoints happen within a few commits.

use stormproof::{Database, Durability, Result};
use stormproof_faults::SimDisk;

/// Opens it on a simulated disk.
///
/// # Errors
/// As [`stormproof::DatabaseBuilder::open`].
pub fn open(disk: &SimDisk) -> Result<Database> {
    Database::builder()
        .disk(disk.mount())
        .durability(Durability::Strict)
        .segment_bytes_max(4096)
        .allocate_bytes(1024)
        .open()
}
