//! Replay: reads the checkpoint, then the log, and finds out where the log ends. Changes no file.

use env::{Disk, OpenMode};

use super::mutants;
use super::report::{RecoveryReport, Salvage, SalvagedDamage};
use super::sink::RecoverySink;
use super::torn_tail;
use crate::checkpoint::CheckpointReader;
use crate::error::{Error, Result};
use crate::mvcc::StoredPage;
use crate::types::{Lsn, RunNumber, TxnId, Version};
use crate::wal::entry::decode_transaction;
use crate::wal::files::{checkpoint_name, segment_name};
use crate::wal::manifest::Manifest;
use crate::wal::reader::{Block, SegmentReader, Stop, StopReason};
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::wal::{DirectoryListing, RecoveredWrite, SealedSegment};

/// How the last segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a seal, after which this LSN is the next.
    Sealed(Lsn),
    /// Without one: the next record would be at this LSN, where something torn, or nothing, is.
    Torn(Lsn),
}

/// The result of a replay.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) report: RecoveryReport,
    /// The last segment that counts.
    pub(super) last: SegmentHeader,
    pub(super) end: End,
    /// The segments before it that the log still needs.
    pub(super) sealed: Vec<SealedSegment>,
    pub(super) checkpoint_lsn: Lsn,
    pub(super) epoch_max: u64,
    pub(super) last_txn: TxnId,
    /// Files that the checkpoint makes superfluous.
    pub(super) superfluous: Vec<String>,
    /// Salvage: files to quarantine whole, and those to copy before they are cut or replaced.
    pub(super) quarantine: Vec<String>,
    pub(super) keep_copies: Vec<String>,
}

/// One replay, while it runs.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    disk: &'a dyn Disk,
    listing: &'a DirectoryListing,
    manifest: Manifest,
    salvage: Salvage,
    report: RecoveryReport,
    last_txn: TxnId,
    /// Commits up to this version are in the checkpoint, and are skipped.
    covered: Option<Version>,
    /// The version of the last commit of the log that counts.
    log_version: Version,
    keep_copies: Vec<String>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        listing: &'a DirectoryListing,
        manifest: Manifest,
        salvage: Salvage,
    ) -> Self {
        Self {
            disk,
            listing,
            manifest,
            salvage,
            report: RecoveryReport::default(),
            last_txn: TxnId::ZERO,
            covered: None,
            log_version: Version::ZERO,
            keep_copies: Vec::new(),
        }
    }

    /// Reports what was repaired before.
    pub(super) fn after(mut self, damage: Vec<SalvagedDamage>) -> Self {
        self.report.salvaged = damage;
        self
    }

    pub(super) fn run(mut self, sink: &mut dyn RecoverySink) -> Result<Replayed> {
        // The checkpoint first: it says from where on the log counts, and up to where it must be whole.
        let (from, durable, checkpoint_epoch) = self.load_checkpoint(sink)?;
        let durable = durable.max(self.manifest.durable);
        let mut chain = self.chain(from)?;
        let epoch_max = chain
            .iter()
            .map(|header| header.epoch)
            .chain(self.listing.quarantined.iter().filter_map(|name| self.epoch_of_salvaged(name)))
            .fold(checkpoint_epoch, u64::max);
        // Before any segment is applied: a log that lacks what the manifest remembers must not open as a
        // shorter one.
        match self.check_manifest(epoch_max) {
            Err(Error::Missing { file, problem }) if self.salvage == Salvage::DropDamaged => {
                // What is left is better than nothing.
                let dropped = "all that only this file had".to_owned();
                self.report.salvaged.push(SalvagedDamage { file, offset: 0, problem, dropped });
            }
            checked => checked?,
        }
        let epoch_max = self.above_lost_epochs(epoch_max);
        let mut sealed = Vec::new();
        let mut quarantine = Vec::new();
        let mut index = 0;
        let end = loop {
            let header = chain[index];
            let next = chain.get(index + 1);
            match self.segment(&header, next, from, durable, sink) {
                Ok(end) => match (end, next) {
                    (End::Sealed(end), Some(_)) => sealed.push(SealedSegment { name: header.name(), end }),
                    (end, _) => break end,
                },
                Err(SegmentError::Damaged { lsn, error }) if self.salvage == Salvage::DropDamaged => {
                    // What comes after a hole is dropped: with it, the state would be no prefix of the commit
                    // order.
                    let later = chain.split_off(index + 1);
                    self.drop_from(&header, lsn, &error, later.len());
                    quarantine = later.iter().map(SegmentHeader::name).collect();
                    self.keep_copies.push(header.name());
                    break End::Torn(lsn);
                }
                Err(SegmentError::Damaged { error, .. } | SegmentError::Other(error)) => return Err(error),
            }
            index += 1;
        };
        self.report.end = match end {
            End::Sealed(lsn) | End::Torn(lsn) => lsn,
        };
        let superfluous = self.superfluous(&chain[0]);
        Ok(Replayed {
            report: self.report,
            last: chain[index],
            end,
            sealed,
            checkpoint_lsn: from,
            epoch_max,
            last_txn: self.last_txn,
            superfluous,
            quarantine,
            keep_copies: self.keep_copies,
        })
    }

    fn newest_checkpoint(&self) -> Result<Option<CheckpointReader>> {
        self.listing.checkpoints.last().map(|(_, name)| CheckpointReader::open(self.disk, name)).transpose()
    }

    /// Loads the newest checkpoint; returns where replay starts, up to where the log was durable when it was
    /// finished, and its epoch.
    fn load_checkpoint(&mut self, sink: &mut dyn RecoverySink) -> Result<(Lsn, Lsn, u64)> {
        let Some(checkpoint) = self.newest_checkpoint()? else {
            return Ok((Lsn::ZERO, Lsn::ZERO, 0));
        };
        if checkpoint.header.database != self.manifest.database {
            return Err(foreign(&checkpoint.name));
        }
        let last_txn = &mut self.last_txn;
        let (salvage, salvaged) = (self.salvage, &mut self.report.salvaged);
        let repaired = salvaged.len();
        let entries = checkpoint.read(
            |pages| {
                let newest = pages.iter().map(StoredPage::last_txn).max();
                *last_txn = newest.unwrap_or_default().max(*last_txn);
                sink.load(pages)
            },
            |block| match salvage {
                Salvage::Refuse => Err(Error::Corruption {
                    file: checkpoint.name.clone(),
                    offset: block.offset,
                    problem: block.problem.to_owned(),
                }),
                Salvage::DropDamaged => {
                    salvaged.push(SalvagedDamage {
                        file: checkpoint.name.clone(),
                        offset: block.offset,
                        problem: block.problem.to_owned(),
                        dropped: "the keys of this block".to_owned(),
                    });
                    Ok(())
                }
            },
        )?;
        if self.report.salvaged.len() > repaired {
            self.keep_copies.push(checkpoint.name.clone());
        } else if entries != checkpoint.footer.entries {
            return Err(Error::Corruption {
                file: checkpoint.name.clone(),
                offset: 0,
                problem: format!("{entries} entries instead of {}", checkpoint.footer.entries),
            });
        }
        self.report.checkpoint_version = Some(checkpoint.header.version);
        self.report.checkpoint_entries = entries;
        self.report.last_version = checkpoint.header.version;
        let is_whole = !self.report.salvaged.iter().any(|damage| damage.file == checkpoint.name);
        if is_whole {
            self.covered = Some(checkpoint.header.version);
            self.log_version = checkpoint.header.version;
        }
        // Otherwise all that the log has is applied: it may have what the checkpoint lost, and what is older
        // than the version that a key has changes nothing.
        Ok((checkpoint.header.lsn, checkpoint.footer.durable, checkpoint.header.epoch))
    }

    /// Returns an epoch above those that damage may have taken with their segments.
    fn above_lost_epochs(&self, epoch_max: u64) -> u64 {
        /// More than a database has opens between two checkpoints.
        const MARGIN: u64 = 1 << 12;
        let known = epoch_max.max(self.manifest.epoch);
        if self.report.salvaged.is_empty() { known } else { known + MARGIN }
    }

    /// Checks that everything is there that the manifest remembers.
    fn check_manifest(&self, epoch_max: u64) -> Result<()> {
        let missing = |file: String| Error::Missing {
            file,
            problem: "the manifest knows that there was one".to_owned(),
        };
        if self.report.checkpoint_version.unwrap_or(Version::ZERO) < self.manifest.checkpoint {
            return Err(missing(checkpoint_name(self.manifest.checkpoint.get())));
        }
        if epoch_max < self.manifest.epoch {
            return Err(missing(segment_name(self.manifest.durable)));
        }
        Ok(())
    }

    /// Returns the headers of all segments from the one that holds `from`, checked to follow each other.
    fn chain(&self, from: Lsn) -> Result<Vec<SegmentHeader>> {
        let missing =
            |lsn, problem: &str| Error::Missing { file: segment_name(lsn), problem: problem.to_owned() };
        let mut chain: Vec<SegmentHeader> = Vec::new();
        for name in self.listing.segments.iter().rev() {
            let (header, _) = SegmentHeader::open(self.disk, name, OpenMode::Read)?;
            if header.database != self.manifest.database {
                return Err(foreign(name));
            }
            if let Some(next) = chain.last()
                && (header.number + 1 != next.number || header.epoch > next.epoch)
            {
                return Err(missing(header.first_lsn, "a segment between this one and the next is gone"));
            }
            chain.push(header);
            if header.first_lsn <= from {
                break;
            }
        }
        chain.reverse();
        match chain.first() {
            Some(first) if first.first_lsn <= from => Ok(chain),
            _ => Err(missing(from, "the log must have a segment that holds this place")),
        }
    }

    /// Reads one segment. `next` is its successor; `durable` is a place up to which the log is known to have
    /// been durable.
    fn segment(
        &mut self,
        header: &SegmentHeader,
        next: Option<&SegmentHeader>,
        from: Lsn,
        durable: Lsn,
        sink: &mut dyn RecoverySink,
    ) -> Result<End, SegmentError> {
        let name = header.name();
        let file =
            self.disk.open(&name, OpenMode::Read).map_err(|error| Error::io("open", name.as_str(), error))?;
        let start = from.max(header.first_lsn);
        let mut reader = SegmentReader::new(header, &*file, start)?;
        self.report.segments += 1;
        loop {
            let block = reader.next_block()?;
            if block.is_empty() {
                break;
            }
            if rt::mutant!(OnlyNewestSegmentReplayed) && next.is_some() {
                continue;
            }
            self.apply(header, &block, sink)?;
        }
        let Stop { lsn, reason } = reader.stop().expect("an empty block is the last");
        self.report.log_bytes += lsn.get() - start.get();
        let damaged = |problem: &str| damage(header, lsn, problem);
        match (reason, next) {
            (StopReason::Seal { end }, Some(next)) if end != next.first_lsn => {
                Err(damaged("a seal, and the next segment does not start behind it"))
            }
            (StopReason::Seal { end }, None) if end < durable && self.salvage == Salvage::DropDamaged => {
                self.report.salvaged.push(SalvagedDamage {
                    file: segment_name(end),
                    offset: 0,
                    problem: "it is missing: checkpoint or manifest know that there was more log".to_owned(),
                    dropped: format!("every commit after {}", self.report.last_version),
                });
                Ok(End::Sealed(end))
            }
            (StopReason::Seal { end }, None) if end < durable => Err(SegmentError::Other(Error::Missing {
                file: segment_name(end),
                problem: "checkpoint or manifest know that there was more log".to_owned(),
            })),
            (StopReason::Seal { end }, _) => Ok(End::Sealed(end)),
            (StopReason::Invalid(error), Some(_)) => Err(damaged(error.describe())),
            (StopReason::Invalid(error), None) => {
                let tail = torn_tail::examine(header, &*file, lsn)?;
                // A valid record after the gap proves nothing, as unsynced writes survive in any order. A
                // place that was known to be durable when it was written does.
                if tail.durable.max(durable) > lsn && !rt::mutant!(DamagedMiddleCut) {
                    rt::reached!("damage told from a tear");
                    return Err(damaged(error.describe()));
                }
                if tail.bytes > 0 {
                    rt::reached!("torn tail found");
                }
                self.report.torn_bytes = tail.bytes;
                self.report.torn_records = tail.records;
                Ok(End::Torn(lsn))
            }
        }
    }

    fn apply(
        &mut self,
        header: &SegmentHeader,
        block: &Block<'_>,
        sink: &mut dyn RecoverySink,
    ) -> Result<(), SegmentError> {
        // Whole commits only go to the sink: the writes of a record are taken out again when its end does not
        // hold.
        let mut writes: Vec<RecoveredWrite<'_>> = Vec::new();
        let mut bad = None;
        for (frame, payload) in block.records() {
            let first = writes.len();
            let decoded = decode_transaction(payload, header.first_version, |write| {
                writes.push(RecoveredWrite {
                    key: write.key,
                    value: write.value,
                    version: Version::ZERO,
                    transaction: TxnId::ZERO,
                    run: RunNumber::ZERO,
                    expires_at: write.expires_at,
                });
            });
            let head = match decoded {
                Ok(Some(head)) => head,
                Ok(None) => {
                    writes.truncate(first);
                    self.report.withdrawn += 1;
                    continue;
                }
                Err(problem) => {
                    writes.truncate(first);
                    bad = Some(damage(header, frame.lsn, problem));
                    break;
                }
            };
            self.last_txn = self.last_txn.max(head.transaction);
            // The log is kept from a place before the checkpoint's snapshot, so it begins with commits that
            // the checkpoint has: applied again, they would bring back values that later commits of the
            // snapshot replaced.
            let covered = self.covered.map(mutants::covered);
            if covered.is_some_and(|covered| head.version <= covered) {
                writes.truncate(first);
                self.report.commits_in_checkpoint += 1;
                continue;
            }
            if head.version <= self.log_version {
                writes.truncate(first);
                bad = Some(damage(header, frame.lsn, "a commit whose version does not rise"));
                break;
            }
            for write in &mut writes[first..] {
                write.version = head.version;
                write.transaction = head.transaction;
                write.run = head.run;
            }
            self.log_version = head.version;
            self.report.last_version = self.report.last_version.max(head.version);
            self.report.commits += 1;
        }
        self.report.writes += writes.len() as u64;
        if !writes.is_empty() {
            sink.apply(&writes)?;
        }
        bad.map_or(Ok(()), Err)
    }

    fn drop_from(&mut self, header: &SegmentHeader, lsn: Lsn, error: &Error, segments: usize) {
        let problem = match error {
            Error::Corruption { problem, .. } => problem.clone(),
            other => other.to_string(),
        };
        self.report.salvaged.push(SalvagedDamage {
            file: header.name(),
            offset: SEGMENT_HEADER_BYTES + (lsn.get() - header.first_lsn.get()),
            problem,
            dropped: format!(
                "every commit after {} (the rest of this segment, and {segments} more)",
                self.report.last_version
            ),
        });
    }

    /// Returns the segments before the first that is needed, and the older checkpoints.
    fn superfluous(&self, first: &SegmentHeader) -> Vec<String> {
        let needed = first.name();
        let segments = self.listing.segments.iter().filter(|name| **name < needed);
        let newest = self.listing.checkpoints.len().saturating_sub(1);
        let checkpoints = self.listing.checkpoints[..newest].iter().map(|(_, name)| name);
        segments.chain(checkpoints).cloned().collect()
    }

    /// Returns the epoch of a quarantined file, which counts too: a crash in the middle of a salvage must not
    /// make it come again.
    fn epoch_of_salvaged(&self, name: &str) -> Option<u64> {
        SegmentHeader::epoch_of(self.disk, name)
    }
}

/// Why a segment could not be read to its end.
#[derive(Debug)]
enum SegmentError {
    /// It is damaged from this place on.
    Damaged {
        lsn: Lsn,
        error: Error,
    },
    Other(Error),
}

impl From<Error> for SegmentError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn damage(header: &SegmentHeader, lsn: Lsn, problem: &str) -> SegmentError {
    let error = Error::Corruption {
        file: header.name(),
        offset: SEGMENT_HEADER_BYTES + (lsn.get() - header.first_lsn.get()),
        problem: problem.to_owned(),
    };
    SegmentError::Damaged { lsn, error }
}

pub(super) fn foreign(file: &str) -> Error {
    Error::Corruption {
        file: file.to_owned(),
        offset: 0,
        problem: "it belongs to another database".to_owned(),
    }
}
