//! File systems that lack what a database needs are named, with the directory and what to do.
#![cfg(target_os = "linux")]

use stormproof::Database;
use stormproof_faults::DiskOptions;
use stormproof_fuse::{Lack, MountedDisk};

/// Returns what opening a database says on a file system that lacks this, if one can be mounted here.
fn opened_without(lack: Lack) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let mounted = match MountedDisk::mount_that_lacks(Some(lack), dir.path(), DiskOptions::default()) {
        Ok(mounted) => mounted,
        Err(error) => {
            eprintln!("skipped: no file system can be mounted here: {error}");
            return None;
        }
    };
    let error = Database::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains(&dir.path().display().to_string()), "the directory is not named: {error}");
    drop(mounted);
    Some(error)
}

#[test]
fn a_file_system_that_can_not_sync_directories_is_told_so() {
    if let Some(error) = opened_without(Lack::DirectorySync) {
        assert!(error.contains("this file system can't sync directories"), "{error}");
    }
}

#[test]
fn a_file_system_without_locks_is_told_so() {
    if let Some(error) = opened_without(Lack::Locks) {
        assert!(error.contains("this file system can't lock files"), "{error}");
    }
}
