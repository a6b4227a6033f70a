//! The layout of a checkpoint.

use crc32fast::Hasher;

use crate::error::Result;
use crate::types::{Lsn, Version};
use crate::wal::format::{DatabaseId, u64_at};
use crate::wal::header_file::{FileFormat, HeaderWriter, check_numbers, read_header};

pub(super) const HEADER_BYTES: usize = 56;
pub(super) const FOOTER_BYTES: usize = 64;
pub(super) const BLOCK_HEADER_BYTES: usize = 16;
/// A block ends with the page that reaches this size.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Format version of checkpoints. Those of version 1 held one entry after the other.
const VERSION: u32 = 2;
const HEADER: FileFormat = FileFormat { magic: b"STRMCKPT", version: VERSION };
const FOOTER: FileFormat = FileFormat { magic: b"STRMCEND", version: VERSION };

/// The header of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointHeader {
    pub(crate) database: DatabaseId,
    pub(crate) epoch: u64,
    /// The snapshot.
    pub(crate) version: Version,
    /// Replay starts here.
    pub(crate) lsn: Lsn,
}

impl CheckpointHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        HeaderWriter::new(HEADER)
            .bytes(&self.database)
            .u64(self.epoch)
            .u64(self.version.get())
            .u64(self.lsn.get())
            .finish()
    }

    pub(super) fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let fields = read_header(file, 0, bytes, HEADER, HEADER_BYTES)?;
        let header = Self {
            database: fields[..16].try_into().expect("sixteen bytes"),
            epoch: u64_at(fields, 16),
            version: Version::new(u64_at(fields, 24)),
            lsn: Lsn::new(u64_at(fields, 32)),
        };
        check_numbers(file, header.epoch, &[header.version.get(), header.lsn.get()])?;
        Ok(header)
    }
}

/// The footer of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointFooter {
    pub(crate) database: DatabaseId,
    pub(crate) version: Version,
    pub(crate) blocks: u64,
    pub(crate) entries: u64,
    /// The log was durable up to here when the file was finished.
    pub(crate) durable: Lsn,
}

impl CheckpointFooter {
    pub(super) fn encode(&self) -> Vec<u8> {
        HeaderWriter::new(FOOTER)
            .bytes(&self.database)
            .u64(self.version.get())
            .u64(self.blocks)
            .u64(self.entries)
            .u64(self.durable.get())
            .finish()
    }

    pub(super) fn decode(file: &str, offset: u64, bytes: &[u8]) -> Result<Self> {
        let fields = read_header(file, offset, bytes, FOOTER, FOOTER_BYTES)?;
        Ok(Self {
            database: fields[..16].try_into().expect("sixteen bytes"),
            version: Version::new(u64_at(fields, 16)),
            blocks: u64_at(fields, 24),
            entries: u64_at(fields, 32),
            durable: Lsn::new(u64_at(fields, 40)),
        })
    }
}

/// Returns the checksum of a block: of its place, its lengths and its content as stored.
pub(super) fn block_crc(
    database: &DatabaseId,
    version: Version,
    index: u64,
    lengths: &[u8],
    stored: &[u8],
) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(database);
    hasher.update(&version.get().to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(lengths);
    hasher.update(stored);
    hasher.finalize()
}
