//! Repairs, for a salvage, what replay can't do without: the manifest, headers of checkpoint and segments,
//! and a log without a hole from the checkpoint on. What comes after it is then salvaged by replay itself.
//!
//! Nothing is guessed: ids and epochs are taken from files that are whole, or found by the checksums that
//! cover them. What is replaced or dropped stays on disk under another name. Every step can be repeated after
//! a crash.

use env::{Disk, OpenMode, read_up_to_at, write_all_at};

use super::report::SalvagedDamage;
use super::salvage::{keep_copy, quarantine_file};
use crate::checkpoint::{CheckpointReader, rebuild_checkpoint, write_empty_checkpoint};
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};
use crate::wal::DirectoryListing;
use crate::wal::files::{FileName, MANIFEST, create_unfinished, publish_file, segment_name};
use crate::wal::format::{CrcSeed, DatabaseId, Frame};
use crate::wal::manifest::Manifest;
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// Bytes that are read to find out in which epoch a segment was written: its first record has to be among
/// them.
const PROBE_BYTES: usize = 4 << 20;
/// Epochs that are tried where nothing bounds them.
const EPOCHS_MAX: u64 = 1 << 12;

/// A database that replay can read, and what was done to it for that.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) manifest: Manifest,
    pub(super) damage: Vec<SalvagedDamage>,
}

/// Repairs the database; returns `None` if there provably never was one.
///
/// # Errors
/// [`Error::Corruption`] and [`Error::Missing`] when no file says which database this is, or one says that it
/// belongs to another; [`Error::NewerFormat`], [`Error::Io`], [`Error::DiskFull`].
pub(super) fn repair(disk: &dyn Disk, listing: &DirectoryListing) -> Result<Option<Repaired>> {
    let mut damage = Vec::new();
    let manifest = match listing.database(disk) {
        Ok(None) => return Ok(None),
        Ok(Some(manifest)) => manifest,
        Err(error @ (Error::Corruption { .. } | Error::Missing { .. })) => {
            let Some(database) = database_of(disk, listing)? else {
                return Err(Error::Invalid(format!(
                    "{}: {error}; and no other file says which database this is, so there is nothing to salvage: \
                     restore the whole database from a copy",
                    disk.describe()
                )));
            };
            damage.push(note(MANIFEST, 0, &error, "what it remembered of what must be there"));
            if listing.manifest {
                keep_copy(disk, MANIFEST)?;
            }
            let manifest = Manifest { database, epoch: 0, durable: Lsn::ZERO, checkpoint: Version::ZERO };
            manifest.write(disk).map_err(|failure| failure.error)?;
            manifest
        }
        Err(error) => return Err(error),
    };
    let mut repair = Repair { disk, listing, manifest, damage };
    let headers = repair.headers()?;
    let from = repair.checkpoint(&headers)?;
    repair.log(&headers, from)?;
    Ok(Some(Repaired { manifest, damage: repair.damage }))
}

/// Returns the id of the database, by the newest file that has it whole.
fn database_of(disk: &dyn Disk, listing: &DirectoryListing) -> Result<Option<DatabaseId>> {
    for name in listing.segments.iter().rev() {
        match SegmentHeader::open(disk, name, OpenMode::Read) {
            Ok((header, _)) => return Ok(Some(header.database)),
            Err(Error::Corruption { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for (_, name) in listing.checkpoints.iter().rev() {
        match CheckpointReader::open(disk, name) {
            Ok(reader) => return Ok(Some(reader.header.database)),
            Err(Error::Corruption { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

struct Repair<'a> {
    disk: &'a dyn Disk,
    listing: &'a DirectoryListing,
    manifest: Manifest,
    damage: Vec<SalvagedDamage>,
}

impl Repair<'_> {
    /// Returns the headers of all segments, oldest first, rebuilt where they were damaged; those that could
    /// not be are quarantined.
    fn headers(&mut self) -> Result<Vec<SegmentHeader>> {
        let mut found = Vec::new();
        for name in &self.listing.segments {
            found.push(match SegmentHeader::open(self.disk, name, OpenMode::Read) {
                Ok((header, _)) if header.database != self.manifest.database => {
                    return Err(super::replay::foreign(name));
                }
                Ok((header, _)) => Ok(header),
                Err(error @ Error::Corruption { .. }) => Err(error),
                Err(error) => return Err(error),
            });
        }
        let mut headers: Vec<SegmentHeader> = Vec::new();
        for index in 0..found.len() {
            let error = match &found[index] {
                Ok(header) => {
                    headers.push(*header);
                    continue;
                }
                Err(error) => error,
            };
            let name = &self.listing.segments[index];
            let next = found[index + 1..].iter().find_map(|header| header.as_ref().ok());
            // Copied before anything is written, whether or not the rebuild succeeds.
            keep_copy(self.disk, name)?;
            if let Some(header) = self.rebuilt(name, headers.last(), next)? {
                self.damage.push(note(name, 0, error, "its header only, which was rebuilt"));
                headers.push(header);
            } else {
                self.damage.push(note(name, 0, error, "this segment"));
                quarantine_file(self.disk, name)?;
            }
        }
        Ok(headers)
    }

    /// Rebuilds the header of a segment from its name, its neighbours, and the checksum of its first record,
    /// which covers database, epoch and place.
    fn rebuilt(
        &self,
        name: &str,
        before: Option<&SegmentHeader>,
        behind: Option<&SegmentHeader>,
    ) -> Result<Option<SegmentHeader>> {
        let FileName::Segment(first_lsn) = FileName::parse(name) else { return Ok(None) };
        let io = |operation| move |error| Error::io(operation, name, error);
        let file = self.disk.open(name, OpenMode::Read).map_err(io("open"))?;
        let length = file.len().map_err(io("read the length"))?;
        let mut bytes = vec![0; PROBE_BYTES];
        let read = read_up_to_at(&*file, SEGMENT_HEADER_BYTES, &mut bytes).map_err(io("read"))?;
        bytes.truncate(read);
        let room = length.saturating_sub(SEGMENT_HEADER_BYTES);
        let Ok(frame) = Frame::parse(first_lsn, &bytes, room) else { return Ok(None) };
        if frame.total() > bytes.len() {
            return Ok(None);
        }
        let least = before.map_or(1, |header| header.epoch);
        let most = behind.map(|header| header.epoch).unwrap_or(self.manifest.epoch.max(least) + 1);
        let database = self.manifest.database;
        let epoch = (least..=most)
            .rev()
            .take(usize::try_from(EPOCHS_MAX).unwrap_or(usize::MAX))
            .find(|epoch| frame.check(&CrcSeed::new(&database, *epoch), &bytes).is_ok());
        let Some(epoch) = epoch else { return Ok(None) };
        let same_epoch = [before, behind].into_iter().flatten().find(|header| header.epoch == epoch);
        let header = SegmentHeader {
            database,
            epoch,
            number: match (before, behind) {
                (Some(before), _) => before.number + 1,
                (None, Some(behind)) => behind.number.saturating_sub(1).max(1),
                (None, None) => 1,
            },
            first_lsn,
            first_version: same_epoch
                .map_or(Version::new(super::first_of_epoch(epoch)), |header| header.first_version),
        };
        // Written whole under another name, then renamed: a crash leaves the damaged file or the rebuilt one.
        let target = create_unfinished(self.disk, name)?;
        let mut copied = vec![0; 1 << 20];
        write_all_at(&*target, 0, &header.page()).map_err(io("write"))?;
        let mut offset = SEGMENT_HEADER_BYTES;
        loop {
            let read = read_up_to_at(&*file, offset, &mut copied).map_err(io("read"))?;
            if read == 0 {
                break;
            }
            write_all_at(&*target, offset, &copied[..read]).map_err(io("write"))?;
            offset += read as u64;
        }
        publish_file(self.disk, &*target, name).map_err(|failure| failure.error)?;
        Ok(Some(header))
    }

    /// Makes sure that the newest checkpoint can be read; returns where replay starts. Where none is left and
    /// the log does not go back to the beginning, an empty one takes its place: what the log still has is all
    /// there is.
    fn checkpoint(&mut self, headers: &[SegmentHeader]) -> Result<Lsn> {
        let oldest = headers.first().map_or(Lsn::ZERO, |header| header.first_lsn);
        let database = self.manifest.database;
        let Some((number, name)) = self.listing.checkpoints.last() else {
            if oldest == Lsn::ZERO {
                return Ok(Lsn::ZERO);
            }
            let lost = Error::Missing {
                file: "the checkpoint".to_owned(),
                problem: "the log does not go back to the beginning".to_owned(),
            };
            self.damage.push(note(
                "the checkpoint",
                0,
                &lost,
                "all that was written before the log that is left",
            ));
            write_empty_checkpoint(self.disk, database, oldest)?;
            return Ok(oldest);
        };
        match CheckpointReader::open(self.disk, name) {
            Ok(reader) if reader.header.database == database => Ok(reader.header.lsn),
            Ok(_) => Err(super::replay::foreign(name)),
            Err(error @ Error::Corruption { .. }) => {
                keep_copy(self.disk, name)?;
                rebuild_checkpoint(self.disk, name, database, Version::new(*number), oldest)?;
                self.damage.push(note(name, 0, &error, "what was not in whole blocks"));
                Ok(CheckpointReader::open(self.disk, name)?.header.lsn)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes sure that the log has no hole from `from` on: what lies after one is quarantined. If the segment
    /// that holds `from` is gone, an empty one takes its place.
    fn log(&mut self, headers: &[SegmentHeader], from: Lsn) -> Result<()> {
        let start = headers.iter().rposition(|header| header.first_lsn <= from);
        let kept = start.map_or(0, |start| {
            let follows = |pair: &[SegmentHeader]| {
                pair[0].number + 1 == pair[1].number && pair[0].epoch <= pair[1].epoch
            };
            start + 1 + headers[start..].windows(2).take_while(|pair| follows(pair)).count()
        });
        let behind = &headers[kept..];
        if !behind.is_empty() {
            let lost = Error::Missing {
                file: segment_name(from),
                problem: "a segment of the log before this one is gone".to_owned(),
            };
            // Newest first: a crash in between leaves the same hole.
            for header in behind.iter().rev() {
                self.damage.push(note(&header.name(), 0, &lost, "this segment, as it lies behind a hole"));
                quarantine_file(self.disk, &header.name())?;
            }
        }
        if start.is_none() {
            let epoch = headers.iter().map(|header| header.epoch).fold(self.manifest.epoch.max(1), u64::max);
            let header = SegmentHeader {
                database: self.manifest.database,
                epoch,
                number: 1,
                first_lsn: from,
                first_version: Version::new(super::first_of_epoch(epoch)),
            };
            if behind.is_empty() {
                let lost = Error::Missing { file: segment_name(from), problem: "the log is gone".to_owned() };
                self.damage.push(note(&header.name(), 0, &lost, "all commits behind the checkpoint"));
            }
            header.create(self.disk, 0).map_err(|failure| failure.error)?;
        }
        Ok(())
    }
}

fn note(file: &str, offset: u64, error: &Error, dropped: &str) -> SalvagedDamage {
    let (offset, problem) = match error {
        Error::Corruption { offset, problem, .. } => (*offset, problem.clone()),
        Error::Missing { problem, .. } => (offset, problem.clone()),
        other => (offset, other.to_string()),
    };
    SalvagedDamage { file: file.to_owned(), offset, problem, dropped: dropped.to_owned() }
}
