//! The manifest: the file that makes a directory a database, and says which. It is created last, so a
//! directory without one holds nothing that was acked.
//!
//! It also records the least that must be there. Written anew, as a whole, at every open and after every
//! checkpoint, it keeps a database whose log was cut short and whose checkpoint is gone from opening as an
//! empty one.
//!
//! ```text
//! magic 8 | format 4 | database id 16 | epoch 8 | durable lsn 8 | checkpoint version 8 | crc 4
//! ```

use env::{Disk, OpenMode, read_up_to_at};

use super::files::{IoFailure, MANIFEST, create_file};
use super::format::{DatabaseId, FORMAT_VERSION, u64_at};
use super::header_file::{FileFormat, HeaderWriter, check_numbers, read_header};
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};

const FORMAT: FileFormat = FileFormat { magic: b"STRMMANI", version: FORMAT_VERSION };
const BYTES: usize = 56;

/// The identity of a database, and the least that there must be of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) database: DatabaseId,
    /// There is a segment of this epoch or a later one.
    pub(crate) epoch: u64,
    /// The log was durable up to here.
    pub(crate) durable: Lsn,
    /// There is a checkpoint of this version or a later one; of zero, there need not be any.
    pub(crate) checkpoint: Version,
}

impl Manifest {
    /// Replaces the manifest, durably.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), IoFailure> {
        let bytes = HeaderWriter::new(FORMAT)
            .bytes(&self.database)
            .u64(self.epoch)
            .u64(self.durable.get())
            .u64(self.checkpoint.get())
            .finish();
        debug_assert_eq!(bytes.len(), BYTES);
        create_file(disk, MANIFEST, &bytes)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corruption`], [`Error::NewerFormat`].
    pub(crate) fn read(disk: &dyn Disk) -> Result<Self> {
        let file = disk.open(MANIFEST, OpenMode::Read).map_err(|error| Error::io("open", MANIFEST, error))?;
        let mut bytes = [0; BYTES + 1];
        let read =
            read_up_to_at(&*file, 0, &mut bytes).map_err(|error| Error::io("read", MANIFEST, error))?;
        let fields = read_header(MANIFEST, 0, &bytes[..read], FORMAT, BYTES)?;
        if read > BYTES {
            return Err(Error::Corruption {
                file: MANIFEST.to_owned(),
                offset: BYTES as u64,
                problem: "bytes after its end".to_owned(),
            });
        }
        let manifest = Self {
            database: fields[..16].try_into().expect("sixteen bytes"),
            epoch: u64_at(fields, 16),
            durable: Lsn::new(u64_at(fields, 24)),
            checkpoint: Version::new(u64_at(fields, 32)),
        };
        check_numbers(MANIFEST, manifest.epoch, &[manifest.durable.get(), manifest.checkpoint.get()])?;
        Ok(manifest)
    }
}
