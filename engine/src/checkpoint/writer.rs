//! Writes a checkpoint while commits go on.

use env::{Disk, File, write_all_at};
use rt::sync::Arc;

use super::format::{
    BLOCK_BYTES, BLOCK_HEADER_BYTES, CheckpointFooter, CheckpointHeader, FOOTER_BYTES, HEADER_BYTES,
    block_crc,
};
use super::mutants;
use crate::error::{Error, Result};
use crate::mvcc::Page;
use crate::types::{Lsn, Version};
use crate::wal::files::{IoFailure, checkpoint_name, create_unfinished, publish_file, unfinished_name};
use crate::wal::manifest::Manifest;
use crate::wal::{Capture, DirectoryListing, Log};

/// What a checkpoint holds, and which space it freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The snapshot that it holds.
    pub version: Version,
    /// Replay starts here.
    pub lsn: Lsn,
    /// Keys.
    pub entries: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Segments of the log that were removed.
    pub segments_removed: usize,
}

/// Writes one checkpoint. Dropped before [`CheckpointWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct CheckpointWriter {
    /// Of the database whose checkpoint it is; `None` for a backup.
    log: Option<Arc<Log>>,
    disk: Arc<dyn Disk>,
    header: CheckpointHeader,
    name: String,
    file: Box<dyn File>,
    offset: u64,
    block: Vec<u8>,
    block_entries: u32,
    blocks: u64,
    entries: u64,
    last_key: Vec<u8>,
    finished: bool,
}

impl CheckpointWriter {
    /// Begins a checkpoint of the snapshot `version`, which must be registered with the store until the end,
    /// and not be older than what was captured.
    pub(crate) fn begin(log: &Arc<Log>, capture: Capture, version: Version) -> Result<Self> {
        assert!(version >= capture.version, "the snapshot holds all that lies before the captured place");
        let header =
            CheckpointHeader { database: *log.database(), epoch: log.epoch(), version, lsn: capture.lsn };
        Self::begin_on(Some(Arc::clone(log)), log.shared_disk(), header)
    }

    /// Begins the checkpoint of a backup, in a directory that is not that of an open database.
    pub(crate) fn begin_elsewhere(disk: Arc<dyn Disk>, header: CheckpointHeader) -> Result<Self> {
        Self::begin_on(None, disk, header)
    }

    fn begin_on(log: Option<Arc<Log>>, disk: Arc<dyn Disk>, header: CheckpointHeader) -> Result<Self> {
        let name = checkpoint_name(header.version.get());
        let file = create_unfinished(&*disk, &name).map_err(|error| match &log {
            Some(log) => log.fail(error.into()),
            None => error,
        })?;
        let mut writer = Self {
            log,
            disk,
            header,
            name,
            file,
            offset: 0,
            block: Vec::with_capacity(BLOCK_BYTES + (4 << 10)),
            block_entries: 0,
            blocks: 0,
            entries: 0,
            last_key: Vec::new(),
            finished: false,
        };
        writer.write(&header.encode())?;
        debug_assert_eq!(writer.offset, HEADER_BYTES as u64);
        writer.begin_block();
        Ok(writer)
    }

    /// Adds a page that is not empty: keys come in order, each once. Nothing is written yet, so this does not
    /// wait. The format has a place for tombstones, which a checkpoint of a database leaves out.
    pub(crate) fn push(&mut self, page: &Page) -> Result<()> {
        let (first, last) = page.first_key().zip(page.last_key()).expect("a page with entries");
        assert!(self.entries == 0 || self.last_key.as_slice() < first, "keys come in order");
        assert!(page.newest() <= self.header.version, "the snapshot has nothing newer than itself");
        page.write_onto(&mut self.block).map_err(too_large)?;
        self.last_key.clear();
        self.last_key.extend_from_slice(last);
        self.block_entries += page.len() as u32;
        self.entries += page.len() as u64;
        Ok(())
    }

    /// Writes what was added, once it is a block's worth.
    pub(crate) fn write_full_block(&mut self) -> Result<()> {
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    /// Makes the checkpoint durable, then removes what it made superfluous.
    ///
    /// # Errors
    /// When it can't be made durable: the old checkpoint and its log stay. [`Error::Poisoned`] if a sync
    /// failed.
    pub(crate) fn finish(mut self) -> Result<CheckpointInfo> {
        let log = Arc::clone(self.log.as_ref().expect("a checkpoint of a database has its log"));
        mutants::drop_segments_first(&log, self.header.lsn, self.header.version)?;
        if self.block_entries > 0 {
            self.end_block()?;
        }
        // The snapshot may hold commits whose records are not durable yet. A checkpoint that was durable
        // before them would keep commits that the log loses, and what comes before them in the log with it:
        // no prefix of the commit order.
        log.wait_durable(self.header.version, None)?;
        let durable = log.capture()?.lsn;
        self.publish(durable)?.map_err(|failure| log.fail(failure))?;
        rt::probe::at("checkpoint published");
        rt::reached!("checkpoint finished");
        // Between the new file's name and the removal of what it replaces. Earlier, the manifest could ask
        // for a checkpoint that a crash took; later, nothing would tell a database that lost its checkpoint
        // from one that never had any.
        let manifest = Manifest {
            database: self.header.database,
            epoch: self.header.epoch,
            durable,
            checkpoint: self.header.version,
        };
        manifest.write(&*self.disk).map_err(|failure| log.fail(failure))?;
        // Now that the new one is durable by name. Checkpoints go before segments: an older checkpoint
        // without the log after it is of no use, while the log without it is only long.
        self.remove_older(&log)?;
        let needed = mutants::needed_from(self.header.lsn, durable);
        let segments_removed = log.drop_segments_before(needed, self.header.version)?;
        Ok(CheckpointInfo {
            version: self.header.version,
            lsn: self.header.lsn,
            entries: self.entries,
            bytes: self.offset,
            segments_removed,
        })
    }

    /// Makes the checkpoint of a backup durable; returns how many entries and bytes it has.
    ///
    /// # Errors
    /// When it can't be made durable.
    pub(crate) fn finish_elsewhere(mut self) -> Result<(u64, u64)> {
        if self.block_entries > 0 {
            self.end_block()?;
        }
        self.publish(Lsn::ZERO)?.map_err(|failure| failure.error)?;
        Ok((self.entries, self.offset))
    }

    /// Writes the footer, and gives the file its name, durably.
    fn publish(&mut self, durable: Lsn) -> Result<Result<(), IoFailure>> {
        let footer = CheckpointFooter {
            database: self.header.database,
            version: self.header.version,
            blocks: self.blocks,
            entries: self.entries,
            durable,
        };
        self.write(&footer.encode())?;
        rt::probe::at("checkpoint written");
        let published = publish_file(&*self.disk, &*self.file, &self.name);
        self.finished = published.is_ok();
        Ok(published)
    }

    fn remove_older(&self, log: &Log) -> Result<()> {
        for (_, name) in DirectoryListing::of(&*self.disk)?.checkpoints {
            if name < self.name {
                self.disk
                    .remove(&name)
                    .map_err(|error| log.fail(Error::io("remove", name.as_str(), error).into()))?;
            }
        }
        Ok(())
    }

    fn begin_block(&mut self) {
        self.block.clear();
        self.block.extend_from_slice(&[0; BLOCK_HEADER_BYTES]);
        self.block_entries = 0;
    }

    fn end_block(&mut self) -> Result<()> {
        let length = u32::try_from(self.block.len() - BLOCK_HEADER_BYTES)
            .map_err(|_| too_large("a block of 4 GiB or more"))?;
        let (header, stored) = self.block.split_at_mut(BLOCK_HEADER_BYTES);
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[8..12].copy_from_slice(&self.block_entries.to_le_bytes());
        let crc = block_crc(&self.header.database, self.header.version, self.blocks, &header[..12], stored);
        header[12..].copy_from_slice(&crc.to_le_bytes());
        let block = std::mem::take(&mut self.block);
        let written = self.write(&block);
        self.block = block;
        written?;
        self.blocks += 1;
        self.begin_block();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        write_all_at(&*self.file, self.offset, bytes)
            .map_err(|error| Error::io("write", unfinished_name(&self.name), error))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

fn too_large(problem: &str) -> Error {
    Error::Invalid(format!("{problem}, which is too large for a checkpoint: keep values below 1 GiB"))
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Frees the space. Best effort: the next open removes what is left.
            let _ = self.disk.remove(&unfinished_name(&self.name));
        }
    }
}

const _: () = assert!(FOOTER_BYTES == 64 && HEADER_BYTES == 56);
