//! The layout of a checkpoint.

use bincode::Encode;
use crc32fast::Hasher;

use crate::error::Result;
use crate::types::{Lsn, Version};
use crate::wal::cursor::Cursor;
use crate::wal::format::{DatabaseId, u64_at};
use crate::wal::header_file::{HeaderWriter, check_numbers, read_header};

pub(super) const HEADER_BYTES: usize = 56;
pub(super) const FOOTER_BYTES: usize = 64;
pub(super) const BLOCK_HEADER_BYTES: usize = 16;
/// A block ends with the entry that reaches this size.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

const HEADER_MAGIC: &[u8; 8] = b"STRMCKPT";
const FOOTER_MAGIC: &[u8; 8] = b"STRMCEND";

/// The start of the file.
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
        HeaderWriter::new(HEADER_MAGIC)
            .bytes(&self.database)
            .u64(self.epoch)
            .u64(self.version.get())
            .u64(self.lsn.get())
            .finish()
    }

    pub(super) fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        let fields = read_header(file, 0, bytes, HEADER_MAGIC, HEADER_BYTES)?;
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

/// The end of the file.
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
        HeaderWriter::new(FOOTER_MAGIC)
            .bytes(&self.database)
            .u64(self.version.get())
            .u64(self.blocks)
            .u64(self.entries)
            .u64(self.durable.get())
            .finish()
    }

    pub(super) fn decode(file: &str, offset: u64, bytes: &[u8]) -> Result<Self> {
        let fields = read_header(file, offset, bytes, FOOTER_MAGIC, FOOTER_BYTES)?;
        Ok(Self {
            database: fields[..16].try_into().expect("sixteen bytes"),
            version: Version::new(u64_at(fields, 16)),
            blocks: u64_at(fields, 24),
            entries: u64_at(fields, 32),
            durable: Lsn::new(u64_at(fields, 40)),
        })
    }
}

/// The checksum of a block: of its place, its lengths and its content as stored.
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

/// One key, as bincode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub(super) struct StoredEntry<'a> {
    pub(super) key: &'a [u8],
    /// Snapshot version minus version.
    pub(super) age: u64,
    /// Transaction id minus version, wrapping.
    pub(super) transaction: i64,
    pub(super) run: u64,
    /// `None` is a tombstone: never written, but read.
    pub(super) value: Option<&'a [u8]>,
    pub(super) expires_at: Option<u64>,
}

impl<'a> StoredEntry<'a> {
    /// As the derived decoding does, faster.
    #[inline]
    pub(super) fn decode(rest: &mut Cursor<'a>) -> Option<Self> {
        Some(Self {
            key: rest.bytes()?,
            age: rest.varint()?,
            transaction: rest.signed_varint()?,
            run: rest.varint()?,
            value: rest.option(Cursor::bytes)?,
            expires_at: rest.option(Cursor::varint)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::StoredEntry;
    use crate::wal::cursor::Cursor;
    use crate::wal::entry::CONFIG;

    proptest! {
        #[test]
        fn the_hand_written_decoding_is_the_derived_one(
            key in prop::collection::vec(any::<u8>(), 0..300),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
            numbers in any::<(u64, i64, u64)>(),
            expires_at in any::<Option<u64>>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let (age, transaction, run) = numbers;
            let entry = StoredEntry { key: &key, age, transaction, run, value: value.as_deref(), expires_at };
            let bytes = bincode::encode_to_vec(entry, CONFIG).unwrap();
            let mut rest = Cursor::new(&bytes);
            prop_assert_eq!(StoredEntry::decode(&mut rest), Some(entry));
            prop_assert!(rest.is_empty());
            let short = &bytes[..cut.index(bytes.len())];
            prop_assert_eq!(StoredEntry::decode(&mut Cursor::new(short)), None);
        }
    }
}
