//! Reads the records of one segment, block by block, in bounded memory.
//!
//! Job: whole, valid records, and where they end. Not its job: what that end means (a torn tail, or
//! corruption), which a single segment does not show.

use env::{File, read_up_to_at};

use super::format::{CrcSeed, Frame, FrameError, RECORD_HEADER_BYTES, RecordKind};
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Error, Result};
use crate::types::Lsn;

/// Bytes read at once, unless a record is longer.
const BLOCK_BYTES: usize = 2 << 20;

/// Reads a segment forward.
#[derive(Debug)]
pub(crate) struct SegmentReader<'a> {
    header: &'a SegmentHeader,
    file: &'a dyn File,
    name: String,
    seed: CrcSeed,
    /// Bytes after the header.
    length: u64,
    /// Where the next block starts, in bytes after the header.
    position: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that the last block took.
    taken: usize,
    /// Bytes of the buffer that hold data.
    filled: usize,
    frames: Vec<(usize, Frame)>,
    stop: Option<Stop>,
}

/// Where, and why, the valid records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The place of the seal, or of the first byte that is not a valid record.
    pub(crate) lsn: Lsn,
    pub(crate) reason: StopReason,
}

/// Why the valid records of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// With a seal; the segment ends at this LSN.
    Seal { end: Lsn },
    /// There is no valid record.
    Invalid(FrameError),
}

impl<'a> SegmentReader<'a> {
    /// Starts at `from`, which must be the LSN of a record or of the end.
    pub(crate) fn new(header: &'a SegmentHeader, file: &'a dyn File, from: Lsn) -> Result<Self> {
        let name = header.name();
        let length = file.len().map_err(|error| Error::io("read the length", name.as_str(), error))?;
        Ok(Self {
            header,
            file,
            name,
            seed: header.crc_seed(),
            length: length.saturating_sub(SEGMENT_HEADER_BYTES),
            position: from.get() - header.first_lsn.get(),
            buffer: Vec::new(),
            taken: 0,
            filled: 0,
            frames: Vec::new(),
            stop: None,
        })
    }

    /// Reads the next records: at least one, unless there are no more. The slices start with a record's
    /// header.
    pub(crate) fn next_block(&mut self) -> Result<Block<'_>> {
        self.frames.clear();
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        let mut wanted = BLOCK_BYTES;
        while self.stop.is_none() && self.frames.is_empty() {
            self.fill(wanted)?;
            wanted = self.parse().max(BLOCK_BYTES);
        }
        self.position += self.taken as u64;
        Ok(Block { bytes: &self.buffer[..self.taken], frames: &self.frames })
    }

    /// Returns where the records ended, once a block without records was read.
    pub(crate) const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        let behind = self.length.saturating_sub(self.position + self.filled as u64);
        let more = wanted.saturating_sub(self.filled).min(usize::try_from(behind).unwrap_or(usize::MAX));
        if self.buffer.len() < self.filled + more {
            self.buffer.resize(self.filled + more, 0);
        }
        let offset = SEGMENT_HEADER_BYTES + self.position + self.filled as u64;
        let read = read_up_to_at(self.file, offset, &mut self.buffer[self.filled..self.filled + more])
            .map_err(|error| Error::io("read", self.name.as_str(), error))?;
        self.filled += read;
        if read < more {
            // The file has become shorter since its length was read, or a read lied.
            self.length = self.position + self.filled as u64;
        }
        Ok(())
    }

    /// Takes whole records from the buffer. Returns how many bytes the next one needs, if it is cut off by
    /// the end of the buffer.
    fn parse(&mut self) -> usize {
        loop {
            let at = self.position + self.taken as u64;
            let lsn = Lsn::new(self.header.first_lsn.get() + at);
            let bytes = &self.buffer[self.taken..self.filled];
            let room = self.length.saturating_sub(at);
            if bytes.len() < RECORD_HEADER_BYTES && (bytes.len() as u64) < room {
                return RECORD_HEADER_BYTES;
            }
            let frame = match Frame::parse(lsn, bytes, room) {
                Ok(frame) if frame.total() > bytes.len() => return frame.total(),
                Ok(frame) => frame,
                Err(error) => {
                    self.stop = Some(Stop { lsn, reason: StopReason::Invalid(error) });
                    return 0;
                }
            };
            if let Err(error) = frame.check(&self.seed, bytes) {
                self.stop = Some(Stop { lsn, reason: StopReason::Invalid(error) });
                return 0;
            }
            if frame.kind == RecordKind::Seal {
                let end = Lsn::new(lsn.get() + frame.total() as u64);
                self.stop = Some(Stop { lsn, reason: StopReason::Seal { end } });
                return 0;
            }
            self.frames.push((self.taken, frame));
            self.taken += frame.total();
        }
    }
}

/// Some records of a segment.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    bytes: &'a [u8],
    frames: &'a [(usize, Frame)],
}

impl<'a> Block<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the records, with their payloads.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Frame, &'a [u8])> {
        let bytes = self.bytes;
        self.frames
            .iter()
            .map(move |(start, frame)| (*frame, &bytes[start + RECORD_HEADER_BYTES..start + frame.total()]))
    }
}
