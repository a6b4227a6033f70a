//! The directory of a backup, while it is written.

use env::{Disk, DiskLock};
use rt::sync::Arc;

use crate::checkpoint::{CheckpointHeader, CheckpointWriter};
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};
use crate::wal::files::{LOCK, MANIFEST, checkpoint_name, sync_dir};
use crate::wal::format::DatabaseId;
use crate::wal::manifest::Manifest;
use crate::wal::segment::SegmentHeader;

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupInfo {
    /// The version of its content.
    pub version: Version,
    /// Keys, the database's own included.
    pub entries: u64,
    /// Bytes of its files, about.
    pub bytes: u64,
}

/// The directory of a backup. Dropped before [`BackupTarget::finish`], it is empty again.
#[derive(Debug)]
pub(crate) struct BackupTarget {
    disk: Arc<dyn Disk>,
    lock: Arc<dyn DiskLock>,
    checkpoint: CheckpointHeader,
    finished: bool,
}

impl BackupTarget {
    /// Takes an empty directory for a backup at `version`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is anything in it; [`Error::Locked`]; [`Error::Io`].
    pub(crate) fn claim(
        disk: Arc<dyn Disk>,
        database: DatabaseId,
        epoch: u64,
        version: Version,
    ) -> Result<Self> {
        let names = disk.list().map_err(|error| Error::io("list the directory", disk.describe(), error))?;
        // An attempt that failed leaves its lock file.
        if let Some(name) = names.iter().find(|name| *name != LOCK) {
            return Err(Error::Invalid(format!(
                "{} is not empty, it holds {name}: give a new or an empty directory for the backup",
                disk.describe()
            )));
        }
        let lock = disk.lock(LOCK).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked { directory: disk.describe() },
            _ => Error::io("lock", format!("{LOCK} in {}", disk.describe()), error),
        })?;
        let checkpoint = CheckpointHeader { database, epoch, version, lsn: Lsn::ZERO };
        Ok(Self { disk, lock, checkpoint, finished: false })
    }

    /// Begins its checkpoint.
    pub(crate) fn begin(&self) -> Result<CheckpointWriter> {
        let writer = CheckpointWriter::begin_elsewhere(Arc::clone(&self.disk), self.checkpoint)?;
        // Durable before anything else is (INV-BACKUP-1).
        sync_dir(&*self.disk).map_err(|failure| failure.error)?;
        rt::probe::at("backup begun");
        Ok(writer)
    }

    /// Makes the backup durable, whole.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`]; the directory is empty again then, as far as it can be emptied.
    pub(crate) fn finish(mut self, writer: CheckpointWriter) -> Result<BackupInfo> {
        let (entries, bytes) = writer.finish_elsewhere()?;
        rt::probe::at("backup without log");
        self.create_log()?;
        rt::probe::at("backup without manifest");
        let CheckpointHeader { database, epoch, version, .. } = self.checkpoint;
        let manifest = Manifest { database, epoch, durable: Lsn::ZERO, checkpoint: version };
        manifest.write(&*self.disk).map_err(|failure| failure.error)?;
        self.finished = true;
        self.lock.unlock();
        Ok(BackupInfo { version, entries, bytes: bytes + crate::wal::segment::SEGMENT_HEADER_BYTES })
    }

    fn create_log(&self) -> Result<()> {
        self.segment().create(&*self.disk, 0).map(drop).map_err(|failure| failure.error)
    }

    fn segment(&self) -> SegmentHeader {
        let CheckpointHeader { database, epoch, version, lsn } = self.checkpoint;
        SegmentHeader { database, epoch, number: 1, first_lsn: lsn, first_version: version.next() }
    }
}

impl Drop for BackupTarget {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // Best effort: a directory that is not emptied does not open. The checkpoint goes last, and durably
        // so: a log without it would open as an empty database (INV-BACKUP-1).
        for name in [MANIFEST, &self.segment().name()] {
            let _ = self.disk.remove(name);
        }
        if sync_dir(&*self.disk).is_ok() {
            let _ = self.disk.remove(&checkpoint_name(self.checkpoint.version.get()));
        }
        self.lock.unlock();
    }
}
