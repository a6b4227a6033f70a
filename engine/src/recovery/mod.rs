//! Opening a database: from the files to the state, and to a log that can be appended to.
//!
//! Job: decide what survived, feed it to the store, cut a torn tail, refuse damage. Not its job: what the
//! writes mean, which is the store's (it sees them through [`RecoverySink`]).
//!
//! In this order: lock; list the directory; read the checkpoint, then the log, segment by segment;
//! distinguish a torn tail from damage; sync what was read; cut the tail and seal the segment; begin the next
//! epoch in a new segment; note it in the manifest; remove leftovers. Nothing is changed before everything
//! was read, and each step can be repeated: a crash in the middle leaves what an earlier crash could have
//! left.
//!
//! * INV-RECOVERY-1: the recovered state is a prefix of the commit order, each commit whole.
//! * INV-RECOVERY-2: what was discarded is gone before the first new commit, durably.
//! * INV-RECOVERY-3: versions and transaction ids of an epoch are greater than all of earlier epochs, those
//!   that a crash lost included: an epoch has 2^40 of each.
//! * INV-RECOVERY-4: damage in what was synced changes no file, unless salvage was asked for.

mod sink;
mod report;
mod options;
mod torn_tail;
mod replay;
mod salvage;
mod repair;
mod mutants;

use env::{Disk, DiskLock, Entropy, OpenMode};
use rt::sync::Arc;

pub(crate) use options::RecoveryOptions;
use replay::{End, Replay};
pub use report::{RecoveryReport, Salvage, SalvagedDamage};
pub(crate) use sink::RecoverySink;
pub(crate) use torn_tail::examine;

use crate::error::{Error, Result};
use crate::types::{Lsn, TxnId, Version};
use crate::wal::files::{LOCK, MANIFEST};
use crate::wal::format::DatabaseId;
use crate::wal::listing::refuse_link;
use crate::wal::manifest::Manifest;
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::wal::{DirectoryListing, Log, LogOptions, Resume, SealedSegment, SegmentWriter, SharedDirectory};

/// Versions and transaction ids in an epoch.
const EPOCH_BITS: u32 = 40;

/// The log of an open database, and what recovery found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: Arc<Log>,
    pub(crate) report: RecoveryReport,
    /// The version of the newest commit that is there.
    pub(crate) last_version: Version,
    /// The version of the next commit.
    pub(crate) first_version: Version,
    /// The id of the next transaction.
    pub(crate) first_txn: TxnId,
}

/// Opens the database on `disk`, creating it if there provably is none.
///
/// # Errors
/// [`Error::Locked`], [`Error::Corruption`], [`Error::Missing`], [`Error::NewerFormat`], [`Error::Io`],
/// [`Error::DiskFull`]. Opening again is safe.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    options: impl Into<RecoveryOptions>,
    entropy: &dyn Entropy,
    sink: &mut dyn RecoverySink,
) -> Result<Opened> {
    let RecoveryOptions { log: options, salvage } = options.into();
    let disk: Arc<dyn Disk> = Arc::new(SharedDirectory::new(disk));
    // A link would lock the file of another directory, and leave this one unlocked.
    refuse_link(&*disk, LOCK)?;
    // Before anything is read: another process may be about to change it.
    let lock = mutants::lock(disk.lock(LOCK)).map_err(|error| lock_error(&*disk, error))?;
    let mut listing = DirectoryListing::of(&*disk)?;
    let found = match salvage {
        Salvage::Refuse => listing.database(&*disk)?.map(|manifest| (manifest, Vec::new())),
        Salvage::DropDamaged => {
            let repaired = repair::repair(&*disk, &listing)?;
            // The repair may have renamed and rebuilt files.
            listing = DirectoryListing::of(&*disk)?;
            repaired.map(|repaired| (repaired.manifest, repaired.damage))
        }
    };
    let Some((manifest, damage)) = found else {
        return create(disk, options, entropy, &listing, lock);
    };
    let replayed = Replay::new(&*disk, &listing, manifest, salvage).after(damage).run(sink)?;
    resume(disk, options, &listing, replayed, lock)
}

fn create(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    entropy: &dyn Entropy,
    listing: &DirectoryListing,
    lock: Arc<dyn DiskLock>,
) -> Result<Opened> {
    let mut database: DatabaseId = [0; 16];
    entropy.fill(&mut database);
    let first_version = Version::new(1);
    let header = SegmentHeader { database, epoch: 1, number: 1, first_lsn: Lsn::ZERO, first_version };
    remove_unfinished(&*disk, listing);
    let writer = SegmentWriter::create(Arc::clone(&disk), &options, header).map_err(|f| f.error)?;
    rt::probe::at("database without manifest");
    let manifest = Manifest { database, epoch: 1, durable: Lsn::ZERO, checkpoint: Version::ZERO };
    manifest.write(&*disk).map_err(|failure| failure.error)?;
    let report = RecoveryReport { created: true, epoch: 1, ..RecoveryReport::default() };
    let resume = Resume {
        writer,
        last_version: Version::ZERO,
        sealed: Vec::new(),
        checkpoint_lsn: Lsn::ZERO,
        covered: Version::ZERO,
        lock,
    };
    Ok(Opened {
        log: Log::start(disk, options, resume)?,
        report,
        last_version: Version::ZERO,
        first_version,
        first_txn: TxnId::new(1),
    })
}

/// Loads the database on `disk` into the sink, and changes nothing. Locked against writers meanwhile, if
/// there is a lock file.
///
/// # Errors
/// Those of [`open`], and [`Error::Missing`] when there is no database.
pub(crate) fn load(disk: &dyn Disk, salvage: Salvage, sink: &mut dyn RecoverySink) -> Result<RecoveryReport> {
    refuse_link(disk, LOCK)?;
    let _shared = disk.lock_shared(LOCK).map_err(|error| lock_error(disk, error))?;
    let listing = DirectoryListing::of(disk)?;
    let manifest = listing.database(disk)?.ok_or_else(|| Error::Missing {
        file: MANIFEST.to_owned(),
        problem: format!("{} holds no database", disk.describe()),
    })?;
    read_only_replay(disk, &listing, manifest, salvage, sink)
}

/// Returns the first version of an epoch, unless an earlier one had more than its share.
const fn first_of_epoch(epoch: u64) -> u64 {
    ((epoch - 1) << EPOCH_BITS) + 1
}

/// Returns the epoch whose share of versions this one is in.
pub(crate) const fn epoch_of(version: Version) -> u64 {
    (version.get().saturating_sub(1) >> EPOCH_BITS) + 1
}

fn lock_error(disk: &dyn Disk, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { directory: disk.describe() },
        _ => Error::io("lock", format!("{} in {}", LOCK, disk.describe()), error),
    }
}

/// Reads what [`open`] would read, and changes nothing; returns what recovery would report.
///
/// # Errors
/// Those of [`open`], but for the lock.
pub(crate) fn read_only_replay(
    disk: &dyn Disk,
    listing: &DirectoryListing,
    manifest: Manifest,
    salvage: Salvage,
    sink: &mut dyn RecoverySink,
) -> Result<RecoveryReport> {
    Replay::new(disk, listing, manifest, salvage).run(sink).map(|replayed| replayed.report)
}

/// Makes the end of the log fit to be appended to, in a new epoch. Called after everything was read.
fn resume(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    listing: &DirectoryListing,
    mut replayed: replay::Replayed,
    lock: Arc<dyn DiskLock>,
) -> Result<Opened> {
    // Before anything is cut: what a salvage drops stays on disk under another name.
    salvage::quarantine(&*disk, &mut replayed)?;
    let epoch = replayed.epoch_max + 1;
    // Not only above what was read: a commit that the crash took back may have been seen, and its version
    // with it.
    let base = mutants::base_of_epoch(first_of_epoch(epoch) - 1);
    let next = |last: u64| last.max(base) + 1;
    let first_version = Version::new(next(replayed.report.last_version.get()));
    let first_txn = TxnId::new(next(replayed.last_txn.get()));

    let mut header = replayed.last;
    header.epoch = epoch;
    header.first_version = first_version;
    match replayed.end {
        // The segment holds nothing: a new one takes its place, by a rename.
        End::Torn(lsn) if lsn == header.first_lsn => {}
        End::Torn(lsn) => {
            let torn = replayed.report.torn_bytes;
            let sealed = cut_and_seal(&disk, &options, &replayed.last, lsn, torn)?;
            header.number += 1;
            header.first_lsn = sealed.end;
            replayed.sealed.push(sealed);
        }
        End::Sealed(end) => {
            // The process that wrote the seal may have died before syncing it. Served as durable, it must be
            // so: else a second crash could take it back, and with it the proof that the log goes on after
            // it.
            let (_, file) = SegmentHeader::open(&*disk, &replayed.last.name(), OpenMode::ReadWrite)?;
            file.set_len(SEGMENT_HEADER_BYTES + end.get() - replayed.last.first_lsn.get())
                .map_err(|error| Error::io("truncate", replayed.last.name(), error))?;
            file.sync_all().map_err(|error| Error::io("sync", replayed.last.name(), error))?;
            replayed.sealed.push(SealedSegment { name: replayed.last.name(), end });
            header.number += 1;
            header.first_lsn = end;
        }
    }
    rt::probe::at("end of log sealed");
    // After the seal is durable: a successor without a sealed predecessor is damage (INV-WAL-3).
    let writer = SegmentWriter::create(Arc::clone(&disk), &options, header).map_err(|f| f.error)?;
    rt::probe::at("epoch raised");
    // After the segment of the new epoch: a manifest that came first would ask for a segment that a crash
    // left uncreated.
    let manifest = Manifest {
        database: header.database,
        epoch,
        durable: header.first_lsn,
        checkpoint: replayed.report.checkpoint_version.unwrap_or(Version::ZERO),
    };
    manifest.write(&*disk).map_err(|failure| failure.error)?;
    remove_unfinished(&*disk, listing);
    // Last: the directory was synced with the new segment, so the name of the checkpoint that replaces these
    // is durable.
    for name in &replayed.superfluous {
        let _ = disk.remove(name);
    }
    let mut report = replayed.report;
    report.epoch = epoch;
    let last_version = report.last_version;
    // What a salvage dropped is in no log: all that is left counts as read.
    let covered =
        if report.salvaged.is_empty() { report.checkpoint_version.unwrap_or_default() } else { last_version };
    let resume = Resume {
        writer,
        last_version,
        sealed: replayed.sealed,
        checkpoint_lsn: replayed.checkpoint_lsn,
        covered,
        lock,
    };
    let log = Log::start(disk, options, resume)?;
    Ok(Opened { log, report, last_version, first_version, first_txn })
}

/// Cuts the torn tail off, durably; then ends the segment, durably.
fn cut_and_seal(
    disk: &Arc<dyn Disk>,
    options: &LogOptions,
    header: &SegmentHeader,
    lsn: Lsn,
    torn_bytes: u64,
) -> Result<SealedSegment> {
    let name = header.name();
    let (_, file) = SegmentHeader::open(&**disk, &name, OpenMode::ReadWrite)?;
    let end = lsn.get() - header.first_lsn.get();
    let end = mutants::cut_tail(&*file, end, torn_bytes, |file, end| {
        file.set_len(SEGMENT_HEADER_BYTES + end).map_err(|error| Error::io("truncate", name.as_str(), error))
    })?;
    rt::probe::at("tail cut");
    // Before the seal: a torn record that came back after it would be read as damage. The sync also covers
    // what was read and is about to be served.
    file.sync_all().map_err(|error| Error::io("sync", name.as_str(), error))?;
    rt::probe::at("cut synced");
    let mut writer = SegmentWriter::resume(Arc::clone(disk), options, *header, file, end);
    let sealed = writer.seal().map_err(|failure| failure.error)?;
    Ok(sealed)
}

/// Removes leftovers of crashes. Best effort: they only take space, and the next open tries again.
fn remove_unfinished(disk: &dyn Disk, listing: &DirectoryListing) {
    for name in &listing.unfinished {
        let _ = disk.remove(name);
    }
}

#[cfg(test)]
mod tests;
