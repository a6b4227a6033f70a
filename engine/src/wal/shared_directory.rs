//! A directory that several threads sync: one at a time, and never again once it has failed.
//!
//! The log creates segments while a checkpoint gets its name in the same directory. A failed sync is told
//! once, and the operating system takes what it covered for written: the sync of another thread that renamed
//! a file just before would succeed, and prove nothing.
//!
//! INV-WAL-7: no sync of the directory succeeds after one that failed.

use std::io;

use env::{Disk, DiskLock, EntryKind, File, OpenMode};
use rt::sync::{Arc, Mutex};

/// The disk of an open database.
#[derive(Debug)]
pub(crate) struct SharedDirectory {
    disk: Arc<dyn Disk>,
    /// How a sync of the directory failed.
    failed: Mutex<Option<(io::ErrorKind, String)>>,
}

impl SharedDirectory {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, failed: Mutex::new("wal.directory", None) }
    }
}

impl Disk for SharedDirectory {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        self.disk.open(name, mode)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        self.disk.kind_of(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        // Held during the sync: a failure is known before the next one begins.
        let mut failed = self.failed.lock();
        if let Some((kind, message)) = &*failed {
            rt::reached!("directory not synced after a failure");
            return Err(io::Error::new(*kind, format!("an earlier sync of it failed: {message}")));
        }
        let synced = self.disk.sync_dir();
        if let Err(error) = &synced {
            *failed = Some((error.kind(), error.to_string()));
        }
        synced
    }

    fn lock(&self, name: &str) -> io::Result<Arc<dyn DiskLock>> {
        self.disk.lock(name)
    }

    fn lock_shared(&self, name: &str) -> io::Result<Option<Arc<dyn DiskLock>>> {
        self.disk.lock_shared(name)
    }

    fn describe(&self) -> String {
        self.disk.describe()
    }
}

#[cfg(test)]
mod tests {
    use stormproof_faults::{CrashOdds, DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};

    use super::*;
    use crate::wal::files::create_file;

    /// Creates two files at once, of which a sync of the directory fails; checks that those that were
    /// created are there after a power cut.
    fn create_two(seed: u64) {
        let disk = SimDisk::new(DiskOptions::default());
        let directory: Arc<dyn Disk> = Arc::new(SharedDirectory::new(disk.mount()));
        let fails = FaultRule::new(FaultKind::DirSyncFails, Odds::ALWAYS).at_most(1);
        disk.set_faults(FaultPlan::random(seed, vec![fails]));
        let create = |directory: &dyn Disk, name: &str| create_file(directory, name, b"content").is_ok();
        let other = {
            let directory = Arc::clone(&directory);
            rt::thread::spawn("other", move || create(&*directory, "checkpoint")).unwrap()
        };
        let is_durable = create(&*directory, "segment");
        let other_is_durable = other.join().unwrap();
        disk.crash(&CrashOdds::lose_all(), 1);
        let names = disk.mount().list().unwrap();
        for (name, is_durable) in [("segment", is_durable), ("checkpoint", other_is_durable)] {
            assert!(!is_durable || names.iter().any(|there| there == name), "{name} is gone: {names:?}");
        }
    }

    #[test]
    fn what_is_named_beside_a_sync_of_the_directory_that_fails_is_not_called_durable() {
        // What a failure does to the names is drawn.
        rt::check(|| (0..4).for_each(create_two));
    }
}
