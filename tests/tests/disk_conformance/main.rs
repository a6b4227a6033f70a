//! One set of properties that a disk has, checked on the simulated one, on a directory of a real file system,
//! and on one that FUSE keeps on simulated disks: a simulation that is kinder than reality proves nothing,
//! and one that is stranger finds bugs that do not exist.

mod suite;

use std::sync::Arc;

use stormproof_env::{Disk, StdDisk};
use stormproof_faults::{DiskOptions, EntryPolicy, SimDisk};

/// Runs a property on every sort of disk, each empty.
fn on_every_disk(property: impl Fn(&Arc<dyn Disk>)) {
    for entries in [EntryPolicy::DirSyncOnly, EntryPolicy::FileSync] {
        let disk = SimDisk::new(DiskOptions { entries, ..DiskOptions::default() });
        property(&disk.mount());
    }
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(StdDisk::open(dir.path()).unwrap());
    property(&disk);
    #[cfg(target_os = "linux")]
    on_a_mounted_disk(property);
}

#[cfg(target_os = "linux")]
fn on_a_mounted_disk(property: impl Fn(&Arc<dyn Disk>)) {
    let dir = tempfile::tempdir().unwrap();
    let options = DiskOptions::default();
    let Some(mounted) = stormproof_fuse::MountedDisk::mount_if_possible(dir.path(), options) else { return };
    let disk: Arc<dyn Disk> = Arc::new(StdDisk::open(dir.path()).unwrap());
    property(&disk);
    drop(disk);
    drop(mounted);
}
