//! Reads a checkpoint, block by block.

use env::{Disk, File, OpenMode, UnixMillis, read_exact_at, read_up_to_at};

use super::format::{
    BLOCK_HEADER_BYTES, CheckpointFooter, CheckpointHeader, FOOTER_BYTES, HEADER_BYTES, StoredEntry,
    block_crc,
};
use crate::error::{Error, Result};
use crate::types::{RunNumber, TxnId, Version};
use crate::wal::RecoveredWrite;
use crate::wal::cursor::Cursor;
use crate::wal::format::u32_at;
use crate::wal::header_file::NUMBER_MAX;

/// An entry takes six bytes or more.
const ENTRY_BYTES_MIN: usize = 6;

/// An open checkpoint, header and footer checked.
#[derive(Debug)]
pub(crate) struct CheckpointReader {
    pub(crate) name: String,
    pub(crate) header: CheckpointHeader,
    pub(crate) footer: CheckpointFooter,
    file: Box<dyn File>,
    end: u64,
}

/// A block that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadBlock {
    pub(crate) offset: u64,
    pub(crate) problem: &'static str,
}

impl CheckpointReader {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// [`Error::Corruption`], [`Error::NewerFormat`], [`Error::Io`].
    pub(crate) fn open(disk: &dyn Disk, name: &str) -> Result<Self> {
        let io = |operation| move |error| Error::io(operation, name, error);
        let file = disk.open(name, OpenMode::Read).map_err(io("open"))?;
        let mut bytes = [0; HEADER_BYTES];
        let read = read_up_to_at(&*file, 0, &mut bytes).map_err(io("read"))?;
        let header = CheckpointHeader::decode(name, &bytes[..read])?;
        let length = file.len().map_err(io("read the length"))?;
        let damaged = |offset, problem: &str| Error::Corruption {
            file: name.to_owned(),
            offset,
            problem: problem.to_owned(),
        };
        let end = length
            .checked_sub(FOOTER_BYTES as u64)
            .filter(|end| *end >= HEADER_BYTES as u64)
            .ok_or_else(|| damaged(length, "too short for a footer"))?;
        let mut bytes = [0; FOOTER_BYTES];
        read_exact_at(&*file, end, &mut bytes).map_err(io("read"))?;
        let footer = CheckpointFooter::decode(name, end, &bytes)?;
        if footer.database != header.database || footer.version != header.version {
            return Err(damaged(end, "the footer belongs to another checkpoint"));
        }
        Ok(Self { name: name.to_owned(), header, footer, file, end })
    }

    /// More entries can't be in it.
    pub(crate) const fn entries_max(&self) -> u64 {
        self.end / ENTRY_BYTES_MIN as u64
    }

    /// Hands all entries to `visit`, block by block, in key order. Damaged blocks go to `bad`, which may skip
    /// them; a block whose length is damaged takes all that follow with it.
    ///
    /// # Errors
    /// [`Error::Io`], and those of `visit` and `bad`.
    pub(crate) fn read(
        &self,
        mut visit: impl FnMut(&[RecoveredWrite<'_>]) -> Result<()>,
        mut bad: impl FnMut(BadBlock) -> Result<()>,
    ) -> Result<u64> {
        let mut offset = HEADER_BYTES as u64;
        let mut block = Vec::new();
        let mut entries = 0;
        let mut index = 0;
        while offset < self.end {
            let mut header = [0; BLOCK_HEADER_BYTES];
            let room = self.end - offset;
            if room < BLOCK_HEADER_BYTES as u64 {
                bad(BadBlock { offset, problem: "bytes that are no block" })?;
                return Ok(entries);
            }
            self.read_at(offset, &mut header)?;
            let stored = u64::from(u32_at(&header, 4));
            if stored > room - BLOCK_HEADER_BYTES as u64 || stored != u64::from(u32_at(&header, 0)) {
                bad(BadBlock { offset, problem: "a block whose length can't be" })?;
                return Ok(entries);
            }
            block.resize(usize::try_from(stored).expect("a block fits in memory"), 0);
            self.read_at(offset + BLOCK_HEADER_BYTES as u64, &mut block)?;
            let crc = block_crc(&self.header.database, self.header.version, index, &header[..12], &block);
            let decoded = if crc == u32_at(&header, 12) {
                self.decode(&block, u32_at(&header, 8))
            } else {
                Err("a block whose checksum does not match")
            };
            match decoded {
                Ok(decoded) => {
                    entries += decoded.len() as u64;
                    visit(&decoded)?;
                }
                Err(problem) => bad(BadBlock { offset, problem })?,
            }
            offset += BLOCK_HEADER_BYTES as u64 + stored;
            index += 1;
        }
        if index != self.footer.blocks {
            bad(BadBlock { offset, problem: "another number of blocks than the footer says" })?;
        }
        Ok(entries)
    }

    fn decode<'a>(&self, block: &'a [u8], count: u32) -> Result<Vec<RecoveredWrite<'a>>, &'static str> {
        let mut entries = Vec::with_capacity((count as usize).min(block.len() / ENTRY_BYTES_MIN + 1));
        let mut rest = Cursor::new(block);
        while !rest.is_empty() {
            let entry = StoredEntry::decode(&mut rest).ok_or("an entry that can't be decoded")?;
            let version = self
                .header
                .version
                .get()
                .checked_sub(entry.age)
                .ok_or("an entry with a version before all versions")?;
            let transaction = version.wrapping_add(entry.transaction.cast_unsigned());
            if transaction >= NUMBER_MAX {
                return Err("an entry of a transaction beyond all transactions");
            }
            entries.push(RecoveredWrite {
                key: entry.key,
                value: entry.value,
                version: Version::new(version),
                transaction: TxnId::new(transaction),
                run: RunNumber::new(entry.run),
                expires_at: entry.expires_at.map(UnixMillis),
            });
        }
        if entries.len() == count as usize {
            Ok(entries)
        } else {
            Err("another number of entries than the block says")
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&*self.file, offset, buffer)
            .map_err(|error| Error::io("read", self.name.as_str(), error))
    }
}
