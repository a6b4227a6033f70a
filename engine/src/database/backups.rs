//! Backups, the size of the database on disk, and compaction.

use std::path::Path;

use env::{Disk, StdDisk};
use rt::sync::Arc;

use super::{Database, mutants};
use crate::backup::{BackupInfo, BackupTarget, DiskSize};
use crate::checkpoint::CheckpointInfo;
use crate::error::{Error, Result};
use crate::recovery::epoch_of;
use crate::snapshot::Snapshot;
use crate::striped::Stripe;

impl Database {
    /// Writes a backup of the newest state into a directory, which is created if there is none and must be
    /// empty. Returns once it is durable. Writers go on meanwhile, and what they commit is not in it: it is
    /// the whole database at [one version](BackupInfo::version), with versions, runs and expiry times.
    ///
    /// A backup is an ordinary database with an id of its own: to restore it, open it, or a copy of it. One
    /// that was cut off by a crash does not open. A database that is closed for writing after a failed sync
    /// can still be backed up.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (dir, backup) = (dir.path().join("db"), dir.path().join("backup"));
    /// use stormproof::{Database, Error};
    ///
    /// let db = Database::open(&dir)?;
    /// let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let written = db.backup_to(&backup)?;
    /// assert_eq!(written.version, db.version());
    /// assert!(matches!(db.backup_to(&backup), Err(Error::Invalid(_))), "it is not empty");
    ///
    /// db.put(run, "key", 2_i64)?;
    /// let restored = Database::open(&backup)?;
    /// assert_eq!(restored.get("key")?, Some(1_i64));
    /// restored.put(run, "key", 3_i64)?; // the run is there too
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] if the directory is not empty; [`Error::DiskFull`], [`Error::Io`]: then it is
    /// emptied, as far as that is possible.
    pub fn backup_to(&self, dir: impl AsRef<Path>) -> Result<BackupInfo> {
        let dir = dir.as_ref();
        let disk = StdDisk::create(dir)
            .map_err(|error| Error::io("creating the directory", dir.display().to_string(), error))?;
        self.backup_to_disk(Arc::new(disk))
    }

    /// As [`backup_to`](Self::backup_to), on a disk of the caller's: see
    /// [`DatabaseBuilder::disk`](crate::DatabaseBuilder::disk).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// use stormproof::Database;
    ///
    /// let disk = stormproof_faults::SimDisk::new(stormproof_faults::DiskOptions::default());
    /// let written = db.backup_to_disk(disk.mount())?;
    /// assert_eq!(Database::builder().disk(disk.mount()).open()?.version(), written.version);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backup_to`](Self::backup_to).
    pub fn backup_to_disk(&self, disk: Arc<dyn Disk>) -> Result<BackupInfo> {
        let coordinator = self.coordinator();
        let store = &coordinator.store;
        // Before any lock: in a forked child, a thread of the parent may hold it for good.
        store.check_process()?;
        let snapshot = Snapshot::new(Stripe::new(store));
        let version = snapshot.version();
        let held = mutants::released_early(snapshot);
        // The backup must not assign again what commits under way get in this epoch.
        let epoch = store.log.as_ref().map_or(1, |log| log.epoch()).max(epoch_of(version));
        let mut database = [0; 16];
        coordinator.entropy.fill(&mut database);
        let target = BackupTarget::claim(disk, database, epoch, version)?;
        let mut writer = target.begin()?;
        self.handle.checkpoints.fill(&mut writer, version)?;
        drop(held);
        if store.published() > version {
            rt::reached!("backup beside commits");
        }
        target.finish(writer)
    }

    /// Returns the bytes that the database takes on disk; none in memory.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// let db = stormproof::Database::open(dir)?;
    /// assert!(db.disk_size()?.log > 0);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn disk_size(&self) -> Result<DiskSize> {
        self.store().log.as_ref().map_or(Ok(DiskSize::default()), |log| DiskSize::of(log.disk()))
    }

    /// Frees the space that the database does not need: deletes what has expired, drops old versions from
    /// memory, begins a new segment of the log, and writes a checkpoint, after which the older segments are
    /// removed. What is left on disk is one checkpoint and a nearly empty log. Commits wait while the segment
    /// changes, and go on otherwise. Everything but the change of segments happens by itself over time.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// let db = stormproof::Database::open(dir)?;
    /// let run = db.begin_run()?;
    /// for number in 0..1_000_i64 {
    ///     db.put(run, "counter", number)?;
    /// }
    /// let done = db.compact()?;
    /// assert!(done.after.total() < done.before.total());
    /// println!("{} bytes given back", done.bytes_freed());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the log or the checkpoint can't be written; the checkpoint before and its log stay then.
    pub fn compact(&self) -> Result<Compaction> {
        let before = self.disk_size()?;
        let expired = self.sweep_expired()?;
        self.collect();
        let Some(log) = &self.store().log else {
            return Ok(Compaction { expired, ..Compaction::default() });
        };
        {
            // Between two groups, or the flush of the roll would make a group of the strict mode durable that
            // is not complete.
            let _between_groups = self.coordinator().committer.between_groups();
            log.roll()?;
        }
        let checkpoint = Some(self.handle.checkpoints.write(log)?);
        Ok(Compaction { before, after: self.disk_size()?, expired, checkpoint })
    }
}

/// What [`Database::compact`] did.
///
/// ```
/// let done = stormproof::Database::open_in_memory()?.compact()?;
/// assert_eq!((done.bytes_freed(), done.checkpoint), (0, None));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// What the database took on disk before.
    pub before: DiskSize,
    /// What it takes now.
    pub after: DiskSize,
    /// Expired keys that were deleted.
    pub expired: usize,
    /// The checkpoint that was written; `None` in memory.
    pub checkpoint: Option<CheckpointInfo>,
}

impl Compaction {
    /// Returns the bytes on disk that were freed; none if writers took more meanwhile.
    pub const fn bytes_freed(&self) -> u64 {
        self.before.total().saturating_sub(self.after.total())
    }
}
