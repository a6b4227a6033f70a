//! Examines the files of a database without opening it: nothing is written, and the lock is not taken.
//!
//! [`inspect`] reports what the files hold, [`verify`] whether they would recover. While a process writes to
//! the database, the end of the log moves; everything else holds.

use std::fmt;

use env::{Disk, OpenMode, read_up_to_at};

use crate::checkpoint::CheckpointReader;
use crate::error::{Error, Result};
use crate::mvcc::StoredPage;
use crate::recovery::{RecoveryReport, RecoverySink, Salvage, examine, read_only_replay};
use crate::types::{Lsn, Version};
use crate::wal::entry::decode_transaction;
use crate::wal::format::DatabaseId;
use crate::wal::manifest::Manifest;
use crate::wal::reader::{SegmentReader, Stop, StopReason};
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SEGMENT_HEADER_USED, SegmentHeader};
use crate::wal::{DirectoryListing, RecoveredWrite};

/// The files of a database.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// The id of the database, if the manifest is there and whole.
    pub database: Option<[u8; 16]>,
    /// Checkpoints, oldest first.
    pub checkpoints: Vec<InspectedCheckpoint>,
    /// Segments of the log, oldest first.
    pub segments: Vec<InspectedSegment>,
    /// Files that a crash left unfinished.
    pub unfinished: Vec<String>,
    /// Files that a salvage quarantined.
    pub salvaged: Vec<String>,
    /// Files that can't be read, or are damaged where a header is.
    pub problems: Vec<Error>,
}

/// A checkpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedCheckpoint {
    /// The file.
    pub name: String,
    /// The snapshot.
    pub version: Version,
    /// Where replay starts.
    pub lsn: Lsn,
    /// Keys.
    pub entries: u64,
}

/// A segment of the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedSegment {
    /// The file.
    pub name: String,
    /// Counts the segments of the database.
    pub number: u64,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// Where it starts.
    pub first_lsn: Lsn,
    /// Records, without the seal.
    pub records: u64,
    /// Commits.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
    /// Bytes of records, without the seal.
    pub bytes: u64,
    /// Versions of the first and the last commit.
    pub versions: Option<(Version, Version)>,
    /// How it ends.
    pub end: SegmentEnd,
}

/// How a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentEnd {
    /// With a seal: it is complete.
    Sealed,
    /// Without one, and nothing follows: it is the last, or its writer stopped.
    Open,
    /// Something that is no record follows.
    Torn {
        /// Where in the file.
        offset: u64,
        /// How many bytes, up to the last that is not zero.
        bytes: u64,
        /// Whole records among them.
        records: u64,
        /// Whether one of those proves that the first of them had been synced: then this is damage, and no
        /// torn tail.
        damaged: bool,
        /// What is there.
        problem: &'static str,
    },
}

/// Lists the files of a database, and what is in them.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # stormproof::Database::open(dir.path())?.close()?;
/// let disk = env::StdDisk::open(dir.path())?;
/// let inspection = stormproof::inspect::inspect(&disk)?;
/// assert!(inspection.database.is_some());
/// assert_eq!(inspection.segments.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the directory can't be listed. What is wrong with a file goes to [`Inspection::problems`].
pub fn inspect(disk: &dyn Disk) -> Result<Inspection> {
    let listing = DirectoryListing::of(disk)?;
    let mut inspection = Inspection {
        unfinished: listing.unfinished.clone(),
        salvaged: listing.quarantined.clone(),
        ..Inspection::default()
    };
    if listing.manifest {
        let database = Manifest::read(disk).map(|manifest| manifest.database);
        inspection.database = inspection.note(database);
    }
    for (_, name) in &listing.checkpoints {
        let checkpoint = CheckpointReader::open(disk, name).map(|reader| InspectedCheckpoint {
            name: name.clone(),
            version: reader.header.version,
            lsn: reader.header.lsn,
            entries: reader.footer.entries,
        });
        let checkpoint = inspection.note(checkpoint);
        inspection.checkpoints.extend(checkpoint);
    }
    for name in &listing.segments {
        let segment = inspect_segment(disk, name);
        let segment = inspection.note(segment);
        inspection.segments.extend(segment);
    }
    Ok(inspection)
}

/// Reads everything that an open would read, and checks it in the same way. What comes back is what recovery
/// would do; `created` means that there is no database yet.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # stormproof::Database::open(dir.path())?.close()?;
/// let disk = env::StdDisk::open(dir.path())?;
/// let report = stormproof::inspect::verify(&disk)?;
/// assert!(!report.created, "there is a database");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those that [`crate::Database::open`] would give, but for the lock.
pub fn verify(disk: &dyn Disk) -> Result<RecoveryReport> {
    let listing = DirectoryListing::of(disk)?;
    let Some(manifest) = listing.database(disk)? else {
        return Ok(RecoveryReport { created: true, ..RecoveryReport::default() });
    };
    for (_, name) in &listing.checkpoints {
        check_checkpoint(disk, name, &manifest.database)?;
    }
    let report = read_only_replay(disk, &listing, manifest, Salvage::Refuse, &mut Values)?;
    for name in &listing.segments {
        check_padding(disk, name, Some(name) == listing.segments.last())?;
    }
    Ok(report)
}

impl Inspection {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.problems.push(error)).ok()
    }
}

fn inspect_segment(disk: &dyn Disk, name: &str) -> Result<InspectedSegment> {
    let (header, file) = SegmentHeader::open(disk, name, OpenMode::Read)?;
    let mut segment = InspectedSegment {
        name: name.to_owned(),
        number: header.number,
        epoch: header.epoch,
        first_lsn: header.first_lsn,
        records: 0,
        commits: 0,
        writes: 0,
        bytes: 0,
        versions: None,
        end: SegmentEnd::Sealed,
    };
    let mut reader = SegmentReader::new(&header, &*file, header.first_lsn)?;
    loop {
        let block = reader.next_block()?;
        if block.is_empty() {
            break;
        }
        for (_, payload) in block.records() {
            segment.records += 1;
            let mut writes = 0;
            if let Ok(Some(head)) = decode_transaction(payload, header.first_version, |_| writes += 1) {
                segment.commits += 1;
                segment.writes += writes;
                let first = segment.versions.map_or(head.version, |(first, _)| first);
                segment.versions = Some((first, head.version));
            }
        }
    }
    let stop = reader.stop().expect("an empty block is the last");
    segment.bytes = stop.lsn.get() - header.first_lsn.get();
    if let StopReason::Invalid(problem) = stop.reason {
        let tail = examine(&header, &*file, stop.lsn)?;
        segment.end = if tail.bytes == 0 {
            SegmentEnd::Open
        } else {
            SegmentEnd::Torn {
                offset: SEGMENT_HEADER_BYTES + segment.bytes,
                bytes: tail.bytes,
                records: tail.records,
                damaged: tail.durable > stop.lsn,
                problem: problem.describe(),
            }
        };
    }
    Ok(segment)
}

fn check_checkpoint(disk: &dyn Disk, name: &str, database: &DatabaseId) -> Result<()> {
    let reader = CheckpointReader::open(disk, name)?;
    let damaged = |offset, problem: &str| Error::Corruption {
        file: name.to_owned(),
        offset,
        problem: problem.to_owned(),
    };
    if reader.header.database != *database {
        return Err(damaged(0, "it belongs to another database"));
    }
    reader.read(|_| Ok(()), |block| Err(damaged(block.offset, block.problem))).map(drop)
}

/// Checks what no open reads: the zeros that fill up a segment's header, and those after its seal. They hold
/// nothing, but where one of them has rotted, other bytes may have. Anything may lie after the seal of the
/// last segment, which a crash may have left unsynced, so that one is not checked.
fn check_padding(disk: &dyn Disk, name: &str, is_last: bool) -> Result<()> {
    let (header, file) = SegmentHeader::open(disk, name, OpenMode::Read)?;
    let mut reader = SegmentReader::new(&header, &*file, header.first_lsn)?;
    while !reader.next_block()?.is_empty() {}
    let mut ranges = Vec::with_capacity(2);
    ranges.push(SEGMENT_HEADER_USED..SEGMENT_HEADER_BYTES);
    if let Some(Stop { reason: StopReason::Seal { end }, .. }) = reader.stop()
        && !is_last
    {
        ranges.push(SEGMENT_HEADER_BYTES + end.get() - header.first_lsn.get()..u64::MAX);
    }
    let mut buffer = vec![0; 64 << 10];
    for range in ranges {
        let mut offset = range.start;
        while offset < range.end {
            let wanted = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(buffer.len());
            let read = read_up_to_at(&*file, offset, &mut buffer[..wanted])
                .map_err(|error| Error::io("read", name, error))?;
            if let Some(at) = buffer[..read].iter().position(|byte| *byte != 0) {
                return Err(Error::Corruption {
                    file: name.to_owned(),
                    offset: offset + at as u64,
                    problem: "something where nothing was ever written; all that was committed is whole"
                        .to_owned(),
                });
            }
            offset += read as u64;
            if read < wanted {
                break;
            }
        }
    }
    Ok(())
}

/// Decodes every value, and keeps none.
struct Values;

impl Values {
    fn check(writes: &[RecoveredWrite<'_>]) -> Result<()> {
        for value in writes.iter().filter_map(|write| write.value) {
            crate::encoding::decode_value(value).map_err(|problem| Error::Corruption {
                file: "a value".to_owned(),
                offset: 0,
                problem: problem.to_owned(),
            })?;
        }
        Ok(())
    }
}

impl RecoverySink for Values {
    fn load(&mut self, _pages: Vec<StoredPage>) -> Result<()> {
        // Their values were checked when they were read.
        Ok(())
    }

    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()> {
        Self::check(writes)
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(id) => writeln!(f, "database    {}", uuid::Uuid::from_bytes(*id))?,
            None => writeln!(f, "database    no manifest")?,
        }
        for checkpoint in &self.checkpoints {
            let InspectedCheckpoint { name, version, lsn, entries } = checkpoint;
            writeln!(f, "checkpoint  {name}: {entries} keys at {version}, replay from {lsn}")?;
        }
        for segment in &self.segments {
            let InspectedSegment { name, number, epoch, commits, writes, bytes, .. } = segment;
            write!(
                f,
                "segment     {name}: number {number}, epoch {epoch}, {bytes} bytes, {commits} commits"
            )?;
            if let Some((first, last)) = segment.versions {
                write!(f, " ({first} to {last}, {writes} writes)")?;
            }
            match &segment.end {
                SegmentEnd::Sealed => writeln!(f, ", sealed")?,
                SegmentEnd::Open => writeln!(f, ", open")?,
                SegmentEnd::Torn { offset, bytes, records, damaged, problem } => {
                    let what = if *damaged { "DAMAGED" } else { "torn" };
                    writeln!(
                        f,
                        ", {what} at byte {offset}: {problem}; {bytes} bytes, {records} records behind"
                    )?;
                }
            }
        }
        for name in &self.unfinished {
            writeln!(f, "unfinished  {name}")?;
        }
        for name in &self.salvaged {
            writeln!(f, "salvaged    {name}")?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "PROBLEM     {problem}"))
    }
}
