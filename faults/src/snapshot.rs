//! A disk at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::volume::Volume;

/// The state of a disk at one moment, unsynced changes included. Cheap to take and to clone: content is
/// shared until it changes.
#[derive(Clone)]
pub struct DiskSnapshot {
    volume: Volume,
}

impl DiskSnapshot {
    pub(crate) fn new(volume: Volume) -> Self {
        Self { volume }
    }

    pub(crate) fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Returns a hash of what is durable: names, lengths, contents, damage. The same on every machine.
    pub fn digest(&self) -> u128 {
        self.volume.durable_digest()
    }

    /// Returns the content of every file as a store would read it, without damage.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.volume.files()
    }

    /// Returns the content of every file if nothing unsynced survived.
    pub fn durable_files(&self) -> BTreeMap<String, Vec<u8>> {
        self.volume.durable_files()
    }

    /// Writes every file, as a store would read it, into a directory that exists.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn dump(&self, dir: &Path) -> io::Result<()> {
        for (name, bytes) in self.files() {
            fs::write(dir.join(name), bytes)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DiskSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: BTreeMap<&str, u64> = (self.volume.directory.current.iter())
            .map(|(name, id)| (&**name, self.volume.inode(*id).cached.len()))
            .collect();
        f.debug_struct("DiskSnapshot").field("files", &lengths).finish_non_exhaustive()
    }
}
