//! The power of a round: its store is on a disk that loses what was not synced when the power goes out.

use std::io;
use std::path::Path;

use stormproof_faults::CrashOdds;
#[cfg(all(target_os = "linux", feature = "fuse"))]
use stormproof_faults::DiskOptions;
#[cfg(all(target_os = "linux", feature = "fuse"))]
use stormproof_fuse::MountedDisk;
use stormproof_workloads::history::Life;

use crate::seed::Seed;

/// The power supply of one round's store.
#[cfg(all(target_os = "linux", feature = "fuse"))]
pub(super) struct Power {
    disk: MountedDisk,
    odds: CrashOdds,
    seed: Seed,
}

#[cfg(all(target_os = "linux", feature = "fuse"))]
impl Power {
    /// Makes `folder`, and mounts an empty disk on it.
    pub(super) fn supply(folder: &Path, odds: CrashOdds, seed: Seed) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let disk = MountedDisk::mount(folder, DiskOptions::default()).map_err(|error| {
            let message = format!(
                "power cuts need FUSE, and no file system can be mounted here ({error}): be root or install \
                 fuse3 (with access to /dev/fuse), or leave out --power-cuts"
            );
            io::Error::new(io::ErrorKind::Unsupported, message)
        })?;
        Ok(Self { disk, odds, seed })
    }

    /// The power goes out after this life, and comes back.
    pub(super) fn cut(&self, life: Life) {
        self.disk.cut_power(&self.odds, self.seed.0 ^ (u64::from(life) << 32));
    }

    /// Leaves the files in `folder`, without the disk.
    pub(super) fn leave(self, folder: &Path) -> io::Result<()> {
        self.disk.unmount_and_dump(folder)
    }
}

/// Not to be had in this build.
#[cfg(not(all(target_os = "linux", feature = "fuse")))]
pub(super) enum Power {}

#[cfg(not(all(target_os = "linux", feature = "fuse")))]
impl Power {
    pub(super) fn supply(_: &Path, _: CrashOdds, _: Seed) -> io::Result<Self> {
        let message = "power cuts need FUSE, which this build has not: build on Linux with the feature \
                       `fuse`, or leave out --power-cuts";
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }

    pub(super) fn cut(&self, _: Life) {
        match *self {}
    }

    pub(super) fn leave(self, _: &Path) -> io::Result<()> {
        match self {}
    }
}
