//! Reads a checkpoint, block by block.

use env::{Disk, File, OpenMode, read_exact_at, read_up_to_at};

use super::format::{
    BLOCK_HEADER_BYTES, CheckpointFooter, CheckpointHeader, FOOTER_BYTES, HEADER_BYTES, block_crc,
};
use crate::error::{Error, Result};
use crate::mvcc::{Bounds, StoredPage};
use crate::wal::format::u32_at;
use crate::wal::header_file::NUMBER_MAX;

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
    /// [`Error::Corruption`], [`Error::NewerFormat`], [`Error::OlderFormat`], [`Error::Io`].
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

    /// Hands all pages to `visit`, block by block, in key order; none is empty. Damaged blocks go to `bad`,
    /// which may skip them; a block whose length is damaged takes all that follow with it. Returns how many
    /// entries there were.
    ///
    /// # Errors
    /// [`Error::Io`], and those of `visit` and `bad`.
    pub(crate) fn read(
        &self,
        mut visit: impl FnMut(Vec<StoredPage>) -> Result<()>,
        mut bad: impl FnMut(BadBlock) -> Result<()>,
    ) -> Result<u64> {
        let mut offset = HEADER_BYTES as u64;
        let mut block = Vec::new();
        let mut last_key = None;
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
                self.decode(&block, u32_at(&header, 8), &mut last_key)
            } else {
                Err("a block whose checksum does not match")
            };
            match decoded {
                Ok(decoded) => {
                    entries += u64::from(u32_at(&header, 8));
                    visit(decoded)?;
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

    /// Returns the pages of a block, which has `count` entries, after `last_key`.
    fn decode(
        &self,
        block: &[u8],
        count: u32,
        last_key: &mut Option<Vec<u8>>,
    ) -> Result<Vec<StoredPage>, &'static str> {
        let bounds = Bounds { version: self.header.version, transaction: NUMBER_MAX };
        let mut pages: Vec<StoredPage> = Vec::new();
        let mut rest = block;
        while !rest.is_empty() {
            let page = StoredPage::read(&mut rest, bounds)?;
            let before = pages.last().map(StoredPage::last_key).or(last_key.as_deref());
            if before.is_some_and(|before| before >= page.first_key()) {
                return Err("a page whose keys do not come behind those before");
            }
            pages.push(page);
        }
        if pages.iter().map(StoredPage::len).sum::<usize>() != count as usize {
            return Err("another number of entries than the block says");
        }
        if let Some(last) = pages.last() {
            *last_key = Some(last.last_key().to_vec());
        }
        Ok(pages)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&*self.file, offset, buffer)
            .map_err(|error| Error::io("read", self.name.as_str(), error))
    }
}
