//! A segment: one file of the log. A header of 4,096 bytes, of which the first 64 are used, then records,
//! then zeros: space that was allocated ahead, so that a sync need not write the file's length.
//!
//! ```text
//! magic 8 | format 4 | database id 16 | epoch 8 | number 8 | first lsn 8 | first version 8 | crc 4
//! ```
//! The byte at offset `4096 + n` has the LSN `first lsn + n`. A segment's name is its first LSN.

use env::{Disk, File, OpenMode, read_up_to_at};

use super::files::{IoFailure, create_file, segment_name};
use super::format::{CrcSeed, DatabaseId, FORMAT_VERSION, u64_at};
use super::header_file::{FileFormat, HeaderWriter, check_numbers, read_header};
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};

/// Bytes in front of the first record: a page, so that no write of records touches the header.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;

const FORMAT: FileFormat = FileFormat { magic: b"STRMWAL\0", version: FORMAT_VERSION };
const USED_BYTES: usize = 64;
/// Bytes of the header that are used; zeros follow.
pub(crate) const SEGMENT_HEADER_USED: u64 = USED_BYTES as u64;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) database: DatabaseId,
    /// Rises with every open of the database.
    pub(crate) epoch: u64,
    /// Counts the segments of the database, from 1.
    pub(crate) number: u64,
    /// Position of its first record.
    pub(crate) first_lsn: Lsn,
    /// Versions in its records are counted from here.
    pub(crate) first_version: Version,
}

impl SegmentHeader {
    pub(crate) fn name(&self) -> String {
        segment_name(self.first_lsn)
    }

    pub(crate) fn crc_seed(&self) -> CrcSeed {
        CrcSeed::new(&self.database, self.epoch)
    }

    fn encode(&self) -> Vec<u8> {
        HeaderWriter::new(FORMAT)
            .bytes(&self.database)
            .u64(self.epoch)
            .u64(self.number)
            .u64(self.first_lsn.get())
            .u64(self.first_version.get())
            .finish()
    }

    /// Returns the page in front of the records.
    pub(crate) fn page(&self) -> Vec<u8> {
        let mut bytes = self.encode();
        bytes.resize(usize::try_from(SEGMENT_HEADER_BYTES).expect("a page fits in memory"), 0);
        bytes
    }

    /// Creates the segment, durably, with `allocated` bytes for records. Takes the place of one with the same
    /// name.
    pub(crate) fn create(&self, disk: &dyn Disk, allocated: u64) -> Result<Box<dyn File>, IoFailure> {
        let mut bytes = self.encode();
        debug_assert_eq!(bytes.len(), USED_BYTES);
        let length = usize::try_from(SEGMENT_HEADER_BYTES + allocated).expect("a chunk fits in memory");
        bytes.resize(length, 0);
        let name = self.name();
        create_file(disk, &name, &bytes)?;
        // Under its own name from now on.
        let file =
            disk.open(&name, OpenMode::ReadWrite).map_err(|error| Error::io("open", name.as_str(), error))?;
        Ok(file)
    }

    /// Opens a segment and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corruption`], since a segment that has its name was created whole.
    pub(crate) fn open(disk: &dyn Disk, name: &str, mode: OpenMode) -> Result<(Self, Box<dyn File>)> {
        let (header, file) = Self::read(disk, name, mode)?;
        if header.name() != name {
            return Err(Error::Corruption {
                file: name.to_owned(),
                offset: 0,
                problem: format!("its header belongs to {}", header.name()),
            });
        }
        // The whole page is created at once, and no truncation reaches into it.
        let length = file.len().map_err(|error| Error::io("read the length", name, error))?;
        if length < SEGMENT_HEADER_BYTES {
            return Err(Error::Corruption {
                file: name.to_owned(),
                offset: length,
                problem: "it ends within its header".to_owned(),
            });
        }
        Ok((header, file))
    }

    /// Reads the epoch of a segment under another name; returns `None` if it is no segment.
    pub(crate) fn epoch_of(disk: &dyn Disk, name: &str) -> Option<u64> {
        Self::read(disk, name, OpenMode::Read).ok().map(|(header, _)| header.epoch)
    }

    fn read(disk: &dyn Disk, name: &str, mode: OpenMode) -> Result<(Self, Box<dyn File>)> {
        let file = disk.open(name, mode).map_err(|error| Error::io("open", name, error))?;
        let mut bytes = [0; USED_BYTES];
        let read = read_up_to_at(&*file, 0, &mut bytes).map_err(|error| Error::io("read", name, error))?;
        let fields = read_header(name, 0, &bytes[..read], FORMAT, USED_BYTES)?;
        let header = Self {
            database: fields[..16].try_into().expect("sixteen bytes"),
            epoch: u64_at(fields, 16),
            number: u64_at(fields, 24),
            first_lsn: Lsn::new(u64_at(fields, 32)),
            first_version: Version::new(u64_at(fields, 40)),
        };
        check_numbers(
            name,
            header.epoch,
            &[header.number, header.first_lsn.get(), header.first_version.get()],
        )?;
        Ok((header, file))
    }
}

#[cfg(test)]
mod tests {
    use super::{SegmentHeader, USED_BYTES};
    use crate::types::{Lsn, Version};

    #[test]
    fn the_header_has_its_size() {
        let header = SegmentHeader {
            database: [1; 16],
            epoch: 2,
            number: 3,
            first_lsn: Lsn::new(4),
            first_version: Version::new(5),
        };
        assert_eq!(header.encode().len(), USED_BYTES);
    }
}
