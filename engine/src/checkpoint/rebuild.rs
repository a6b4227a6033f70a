//! Rebuilds a checkpoint whose header or footer is damaged, from the blocks that are whole.

use env::{Disk, File, OpenMode, read_up_to_at, write_all_at};

use super::format::{BLOCK_HEADER_BYTES, CheckpointFooter, CheckpointHeader, HEADER_BYTES, block_crc};
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};
use crate::wal::files::{checkpoint_name, create_file, create_unfinished, publish_file};
use crate::wal::format::{DatabaseId, u32_at};

/// Rebuilds the file in place. The version comes from its name, everything else from the header if that is
/// whole; if not, replay starts at `lsn`, and skips what the checkpoint has.
///
/// # Errors
/// [`Error::Io`], [`Error::DiskFull`]; the damaged file is still there then.
pub(crate) fn rebuild_checkpoint(
    disk: &dyn Disk,
    name: &str,
    database: DatabaseId,
    version: Version,
    lsn: Lsn,
) -> Result<()> {
    let io = |operation| move |error| Error::io(operation, name, error);
    let damaged = disk.open(name, OpenMode::Read).map_err(io("open"))?;
    let mut bytes = [0; HEADER_BYTES];
    let read = read_up_to_at(&*damaged, 0, &mut bytes).map_err(io("read"))?;
    let header = CheckpointHeader::decode(name, &bytes[..read])
        .ok()
        .filter(|header| header.database == database && header.version == version)
        .unwrap_or(CheckpointHeader { database, epoch: 0, version, lsn });
    let target = create_unfinished(disk, name)?;
    let mut end = 0;
    let mut write = |bytes: &[u8]| -> Result<()> {
        write_all_at(&*target, end, bytes).map_err(io("write"))?;
        end += bytes.len() as u64;
        Ok(())
    };
    write(&header.encode())?;
    let mut blocks = WholeBlocks { file: &*damaged, name, header, offset: HEADER_BYTES as u64, index: 0 };
    let mut footer = CheckpointFooter { database, version, blocks: 0, entries: 0, durable: Lsn::ZERO };
    while let Some(mut block) = blocks.next()? {
        footer.entries += u64::from(u32_at(&block, 8));
        let (lengths, stored) = block.split_at_mut(BLOCK_HEADER_BYTES);
        let crc = block_crc(&database, version, footer.blocks, &lengths[..12], stored);
        lengths[12..].copy_from_slice(&crc.to_le_bytes());
        write(&block)?;
        footer.blocks += 1;
    }
    write(&footer.encode())?;
    publish_file(disk, &*target, name).map_err(|failure| failure.error)
}

/// Writes a checkpoint without entries, from which a log that begins at `lsn` is replayed.
///
/// # Errors
/// [`Error::Io`], [`Error::DiskFull`].
pub(crate) fn write_empty_checkpoint(disk: &dyn Disk, database: DatabaseId, lsn: Lsn) -> Result<()> {
    let version = Version::ZERO;
    let header = CheckpointHeader { database, epoch: 0, version, lsn };
    let footer = CheckpointFooter { database, version, blocks: 0, entries: 0, durable: Lsn::ZERO };
    let bytes = [header.encode(), footer.encode()].concat();
    create_file(disk, &checkpoint_name(version.get()), &bytes).map_err(|failure| failure.error)
}

/// Steps through the blocks whose checksum matches, as long as their lengths are plausible.
struct WholeBlocks<'a> {
    file: &'a dyn File,
    name: &'a str,
    header: CheckpointHeader,
    offset: u64,
    index: u64,
}

impl WholeBlocks<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let io = |error| Error::io("read", self.name, error);
        let length = self.file.len().map_err(io)?;
        loop {
            let mut lengths = [0; BLOCK_HEADER_BYTES];
            let read = read_up_to_at(self.file, self.offset, &mut lengths).map_err(io)?;
            let stored = u64::from(u32_at(&lengths, 4));
            let size = BLOCK_HEADER_BYTES as u64 + stored;
            let fits = read == BLOCK_HEADER_BYTES && size <= length.saturating_sub(self.offset);
            if !fits || stored != u64::from(u32_at(&lengths, 0)) || stored == 0 {
                return Ok(None);
            }
            let mut block = vec![0; usize::try_from(size).expect("a block fits in memory")];
            read_up_to_at(self.file, self.offset, &mut block).map_err(io)?;
            let (lengths, content) = block.split_at(BLOCK_HEADER_BYTES);
            let crc =
                block_crc(&self.header.database, self.header.version, self.index, &lengths[..12], content);
            let whole = crc == u32_at(lengths, 12);
            self.offset += size;
            self.index += 1;
            if whole {
                return Ok(Some(block));
            }
        }
    }
}
