//! The writer of the last segment: writes groups, allocates ahead, starts new segments, and repairs what a
//! failed write left.
//!
//! * INV-WAL-2: bytes after the last record are zeros, or `damaged` is set and nothing is appended before
//!   they are cut off and the cut is synced.
//! * INV-WAL-3: a segment exists only if the one before it ends with a synced seal.

use env::{Disk, File, write_all_at};
use rt::sync::Arc;

use super::entry::push_varint;
use super::files::IoFailure;
use super::format::{CrcSeed, RecordKind, begin_record, end_record, stamp};
use super::mutants;
use super::options::LogOptions;
use super::pending::Pending;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::Error;
use crate::types::Lsn;

/// Bytes that a new segment allocates for records, if it may allocate as many.
const FIRST_CHUNK_BYTES: u64 = 16 << 10;

/// A segment that is complete.
#[derive(Clone, Debug)]
pub(crate) struct SealedSegment {
    pub(crate) name: String,
    /// The LSN after its seal.
    pub(crate) end: Lsn,
}

/// Writes the last segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    disk: Arc<dyn Disk>,
    segment_bytes_max: u64,
    allocate_bytes: u64,
    header: SegmentHeader,
    seed: CrcSeed,
    file: Box<dyn File>,
    /// Bytes of records.
    end: u64,
    /// Bytes of records and of zeros after them.
    allocated: u64,
    records: u64,
    /// A failed write may have left bytes after the end.
    damaged: bool,
    /// The segment is complete, and its successor does not exist yet.
    sealed: bool,
}

impl SegmentWriter {
    /// Creates a segment to write to.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        options: &LogOptions,
        header: SegmentHeader,
    ) -> Result<Self, IoFailure> {
        let allocate_bytes = options.allocate_bytes.min(options.segment_bytes_max);
        let (file, allocated) = create_segment(&*disk, &header, allocate_bytes)?;
        Ok(Self {
            disk,
            segment_bytes_max: options.segment_bytes_max,
            allocate_bytes,
            seed: header.crc_seed(),
            header,
            file,
            end: 0,
            allocated,
            records: 0,
            damaged: false,
            sealed: false,
        })
    }

    /// Resumes a segment that recovery has read, and whose content and length are synced: `end` bytes of
    /// records and nothing else.
    pub(crate) fn resume(
        disk: Arc<dyn Disk>,
        options: &LogOptions,
        header: SegmentHeader,
        file: Box<dyn File>,
        end: u64,
    ) -> Self {
        Self {
            disk,
            segment_bytes_max: options.segment_bytes_max,
            allocate_bytes: options.allocate_bytes.min(options.segment_bytes_max),
            seed: header.crc_seed(),
            header,
            file,
            end,
            allocated: end,
            records: 0,
            damaged: false,
            sealed: false,
        }
    }

    pub(crate) const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Returns where the next record goes.
    pub(crate) const fn end_lsn(&self) -> Lsn {
        Lsn::new(self.header.first_lsn.get() + self.end)
    }

    /// Makes room for `bytes` of records: repairs, and seals the segment and starts the next when it is full.
    /// Returns what was sealed. Everything written before must be synced.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<Option<SealedSegment>, IoFailure> {
        self.repair()?;
        let full = self.records > 0 && self.end + bytes as u64 > self.segment_bytes_max;
        if !full && !self.sealed {
            return Ok(None);
        }
        rt::reached!("segment full");
        self.next_segment().map(Some)
    }

    /// Seals the segment and starts the next, unless it has no records. Returns what was sealed. Everything
    /// written before must be synced.
    pub(crate) fn roll(&mut self) -> Result<Option<SealedSegment>, IoFailure> {
        self.repair()?;
        if self.end == 0 && !self.sealed {
            return Ok(None);
        }
        self.next_segment().map(Some)
    }

    fn next_segment(&mut self) -> Result<SealedSegment, IoFailure> {
        // Sealed, durably, before the successor exists: recovery takes a segment that has one and no seal for
        // damaged.
        let sealed = self.seal()?;
        rt::probe::at("segment sealed");
        let header =
            SegmentHeader { number: self.header.number + 1, first_lsn: self.end_lsn(), ..self.header };
        let (file, allocated) = create_segment(&*self.disk, &header, self.allocate_bytes)?;
        self.file = file;
        rt::probe::at("segment created");
        self.header = header;
        self.end = 0;
        self.allocated = allocated;
        self.records = 0;
        self.sealed = false;
        Ok(sealed)
    }

    /// Ends the segment, durably.
    pub(crate) fn seal(&mut self) -> Result<SealedSegment, IoFailure> {
        if !self.sealed {
            self.repair()?;
            let mut seal = Pending { records: 1, ..Pending::default() };
            let start = begin_record(&mut seal.bytes);
            push_varint(&mut seal.bytes, self.header.number);
            end_record(&mut seal.bytes, start, RecordKind::Seal);
            let durable = self.end_lsn();
            self.write(&mut seal, durable)?;
            if !rt::mutant!(SealNotSynced) {
                self.sync()?;
            }
            self.advance(&seal);
            self.sealed = true;
        }
        Ok(SealedSegment { name: self.header.name(), end: self.end_lsn() })
    }

    /// Writes the group after the last record, without syncing. When that fails, the group is not in the
    /// log, or [`Self::repair`] has to be called until it succeeds.
    pub(crate) fn write(&mut self, group: &mut Pending, durable: Lsn) -> Result<(), IoFailure> {
        assert!(!self.damaged && !self.sealed, "make_room comes before write");
        stamp(&mut group.bytes, self.end_lsn(), durable, &self.seed);
        let length = group.bytes.len();
        let end = self.end + length as u64;
        let allocated = if end > self.allocated { self.next_allocation(end) } else { self.allocated };
        if allocated > self.allocated {
            let zeros = usize::try_from(allocated - end).expect("a chunk fits in memory");
            group.bytes.resize(length + zeros, 0);
        }
        let mut written = self.write_bytes(&group.bytes);
        if let Err(Error::DiskFull { .. }) = written
            && group.bytes.len() > length
        {
            // The zeros only save later syncs work: records that still fit must not fail for lack of room for
            // them.
            rt::reached!("no room to allocate ahead");
            written = self.write_bytes(&group.bytes[..length]);
            if written.is_ok() {
                self.allocated = self.allocated.max(end);
            }
        } else if written.is_ok() {
            self.allocated = allocated;
        }
        group.bytes.truncate(length);
        if written.is_err() {
            self.damaged = true;
            mutants::ignore_failed_write(self, end);
        }
        written.map_err(IoFailure::from)
    }

    /// Makes what was written durable. Called once per write: what a failed sync covered is lost to every
    /// later one, even if that succeeds.
    pub(crate) fn sync(&self) -> Result<(), IoFailure> {
        let sync = || {
            let synced = self.file.sync_data();
            synced.map_err(|error| IoFailure::of_sync(Error::io("sync", self.header.name(), error)))
        };
        mutants::synced(sync(), sync)
    }

    /// Moves the end past a group that was written and synced.
    pub(crate) fn advance(&mut self, group: &Pending) {
        self.end += group.bytes.len() as u64;
        self.records += group.records;
    }

    /// Cuts off what a failed write left, durably.
    pub(crate) fn repair(&mut self) -> Result<(), IoFailure> {
        if !self.damaged {
            return Ok(());
        }
        rt::reached!("failed write repaired");
        self.file
            .set_len(SEGMENT_HEADER_BYTES + self.end)
            .map_err(|error| Error::io("truncate", self.header.name(), error))?;
        rt::probe::at("failed write cut");
        self.file
            .sync_all()
            .map_err(|error| IoFailure::of_sync(Error::io("sync", self.header.name(), error)))?;
        self.allocated = self.end;
        self.damaged = false;
        Ok(())
    }

    /// Frees the space that was allocated ahead. Best effort: the next open ignores what lies after the seal.
    pub(crate) fn trim(&self) {
        if self.sealed && !self.damaged && self.allocated > self.end {
            let _ = self.file.set_len(SEGMENT_HEADER_BYTES + self.end);
        }
    }

    /// Counts what a failed write was to leave as part of the log: for a deliberate bug only.
    pub(super) fn take_as_written(&mut self, end: u64) {
        self.damaged = false;
        self.end = end;
        self.allocated = self.allocated.max(end);
    }

    fn write_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        write_all_at(&*self.file, SEGMENT_HEADER_BYTES + self.end, bytes)
            .map_err(|error| Error::io("write", self.header.name(), error))
    }

    /// Returns up to where to allocate for records that end at `end`: in chunks that grow with the segment,
    /// so that a database takes space in proportion to what it holds, but no more than the segment may hold.
    fn next_allocation(&self, end: u64) -> u64 {
        let chunk = end.next_power_of_two().min(self.allocate_bytes).max(1);
        end.next_multiple_of(chunk).min(self.segment_bytes_max.max(end))
    }
}

/// Creates a segment; returns it with the bytes that are allocated for records. On a full disk, none are:
/// what fits can still be written, and a database can be opened to be read, or to delete something.
fn create_segment(
    disk: &dyn Disk,
    header: &SegmentHeader,
    allocate_bytes: u64,
) -> Result<(Box<dyn File>, u64), IoFailure> {
    let allocated = allocate_bytes.min(FIRST_CHUNK_BYTES);
    match header.create(disk, allocated) {
        Err(IoFailure { error: Error::DiskFull { .. }, fatal: false }) if allocated > 0 => {
            rt::reached!("no room to allocate ahead");
            Ok((header.create(disk, 0)?, 0))
        }
        created => Ok((created?, allocated)),
    }
}
