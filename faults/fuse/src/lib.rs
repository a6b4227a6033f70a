//! Simulated disks as a directory of the operating system, through FUSE.
//!
//! The kernel passes what processes do in the directory to [`stormproof_faults::SimDisk`], which keeps
//! unsynced data and unsynced directory entries apart from those that are durable, and loses a random subset
//! of them on command: a power cut without a machine to pull the plug of. So a production build, with its own
//! way to the operating system, is judged by what a crash may take.
//!
//! Nothing is cached by the kernel, every call arrives here. Directories can be made and not renamed or
//! removed, there are no links, and files can't be mapped into memory for writing. Linux only: elsewhere this
//! crate is empty.

#![cfg(target_os = "linux")]

mod file_system;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use stormproof_faults::{CrashOdds, DiskOptions};

use file_system::FileSystem;
use tree::Tree;

/// What some file systems lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Syncing a directory: `EINVAL`.
    DirectorySync,
    /// Locks: `ENOLCK`.
    Locks,
}

/// A directory that is kept on simulated disks, for as long as this lives.
#[derive(Debug)]
pub struct MountedDisk {
    tree: Arc<Tree>,
    /// Unmounts when it is dropped.
    session: fuser::BackgroundSession,
}

impl MountedDisk {
    /// Mounts an empty disk on a directory, which has to exist.
    ///
    /// # Errors
    /// Where that is not possible: without `/dev/fuse`, or without the right to mount.
    pub fn mount(dir: &Path, options: DiskOptions) -> io::Result<Self> {
        Self::mount_that_lacks(None, dir, options)
    }

    /// As [`mount`](Self::mount), but something that an ordinary file system has is not there.
    ///
    /// # Errors
    /// As of [`mount`](Self::mount).
    pub fn mount_that_lacks(lack: Option<Lack>, dir: &Path, options: DiskOptions) -> io::Result<Self> {
        let tree = Arc::new(Tree::new(options));
        let mut config = fuser::Config::default();
        config.mount_options = vec![fuser::MountOption::FSName("stormproof-simulated".to_owned())];
        let session = fuser::spawn_mount(FileSystem::new(Arc::clone(&tree), lack), dir, &config)?;
        Ok(Self { tree, session })
    }

    /// As [`mount`](Self::mount), but `None` with a word on standard error where that is not possible.
    pub fn mount_if_possible(dir: &Path, options: DiskOptions) -> Option<Self> {
        match Self::mount(dir, options) {
            Ok(mounted) => Some(mounted),
            Err(error) => {
                eprintln!("skipped: no file system can be mounted here: {error}");
                None
            }
        }
    }

    /// The power goes out and comes back: of what was not synced a subset survives, which `odds` and `seed`
    /// decide. Files that are open fail from then on.
    pub fn cut_power(&self, odds: &CrashOdds, seed: u64) {
        self.tree.cut_power(odds, seed);
    }

    /// Unmounts, and writes all files into the directory that it was mounted on, for inspection.
    ///
    /// # Errors
    /// When it can't be unmounted, or a file can't be written.
    pub fn unmount_and_dump(self, dir: &Path) -> io::Result<()> {
        self.session.umount_and_join()?;
        self.tree.dump(dir)
    }
}
