//! The space that the files of a database take on disk.

use env::{Disk, OpenMode};

use crate::error::{Error, Result};
use crate::wal::files::FileName;

/// Bytes that the files of a database take on disk, by their lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSize {
    /// The log, with the space that it has allocated ahead.
    pub log: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Everything else: the manifest, leftovers of crashes, what a salvage quarantined.
    pub other: u64,
}

impl DiskSize {
    /// Returns all of it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// let db = stormproof::Database::open(dir)?;
    /// let size = db.disk_size()?;
    /// assert_eq!(size.total(), size.log + size.checkpoints + size.other);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn total(&self) -> u64 {
        self.log + self.checkpoints + self.other
    }

    /// Adds up the files of a database.
    pub(crate) fn of(disk: &dyn Disk) -> Result<Self> {
        let mut size = Self::default();
        let names = disk.list().map_err(|error| Error::io("list the directory", disk.describe(), error))?;
        for name in names {
            let kind = FileName::parse(&name);
            if kind == FileName::Foreign {
                continue;
            }
            let length = match disk.open(&name, OpenMode::Read).and_then(|file| file.len()) {
                Ok(length) => length,
                // A checkpoint has removed it meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("read the length", name, error)),
            };
            match kind {
                FileName::Segment(_) => size.log += length,
                FileName::Checkpoint(_) => size.checkpoints += length,
                _ => size.other += length,
            }
        }
        Ok(size)
    }
}
