//! The layout of a record: 16 bytes of header, then the payload. All integers are little-endian.
//!
//! ```text
//! 0        4        8      9              16
//! | length | crc32  | kind | durable lag   | payload (length bytes) |
//! ```
//! The CRC32 covers, in this order: database id, epoch, LSN of the record (none of which is stored), length,
//! kind, durable lag, payload. So a record is valid in one place only: moved, in another segment, epoch or
//! database it is garbage, and stale bytes can't come back.
//!
//! The durable lag is the record's LSN minus the LSN up to which the log was known to be durable when the
//! record was written. It distinguishes corruption from a torn tail: below the durable LSN of any surviving
//! record, nothing may be missing.
//!
//! INV-WAL-1: a record that passes [`Frame::check`] was written at this LSN, whole, by this database in this
//! epoch.

use crc32fast::Hasher;

use crate::types::Lsn;

/// Bytes in front of every payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 16;
/// No payload is longer.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 30;
/// Format version of segments and of the manifest.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Identifies a database, so that files of two can't be mixed up.
pub(crate) type DatabaseId = [u8; 16];

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    /// The entries of one transaction.
    Transaction = 1,
    /// The end of a segment: nothing follows, and everything before was durable.
    Seal = 2,
}

impl RecordKind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Transaction),
            2 => Some(Self::Seal),
            _ => None,
        }
    }
}

/// The start of every record's checksum in one segment: database and epoch.
#[derive(Clone, Debug)]
pub(crate) struct CrcSeed(Hasher);

impl CrcSeed {
    pub(crate) fn new(database: &DatabaseId, epoch: u64) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(database);
        hasher.update(&epoch.to_le_bytes());
        Self(hasher)
    }

    fn of_record(&self, lsn: Lsn, header: &[u8], payload: &[u8]) -> u32 {
        if rt::mutant!(CrcCoversPayloadOnly) {
            return crc32fast::hash(payload);
        }
        let mut covered = [0; 20];
        covered[..8].copy_from_slice(&lsn.get().to_le_bytes());
        covered[8..12].copy_from_slice(&header[..4]);
        covered[12..].copy_from_slice(&header[8..16]);
        let mut hasher = self.0.clone();
        hasher.update(&covered);
        hasher.update(payload);
        hasher.finalize()
    }
}

/// The header of a record, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) lsn: Lsn,
    pub(crate) kind: RecordKind,
    /// Payload bytes.
    pub(crate) length: usize,
    /// The place up to which the log was durable when the record was written.
    pub(crate) durable: Lsn,
}

/// Why there is no valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The length is zero, as where nothing was written yet.
    Empty,
    /// The header can't be one: length, kind or lag is impossible.
    Header,
    /// The checksum does not match.
    Checksum,
}

impl FrameError {
    /// Returns it in words, for messages.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Empty => "no record where one must be",
            Self::Header => "a record header that can't be",
            Self::Checksum => "a record whose checksum does not match",
        }
    }
}

impl Frame {
    /// Returns the bytes that the record takes, with its header.
    pub(crate) const fn total(&self) -> usize {
        RECORD_HEADER_BYTES + self.length
    }

    /// Reads the header at the start of `bytes`, without checking the checksum. `room` is how many bytes are
    /// left in the file, from the start of the record.
    pub(crate) fn parse(lsn: Lsn, bytes: &[u8], room: u64) -> Result<Self, FrameError> {
        let Some(header) = bytes.first_chunk::<RECORD_HEADER_BYTES>() else {
            return Err(if bytes.iter().all(|byte| *byte == 0) {
                FrameError::Empty
            } else {
                FrameError::Header
            });
        };
        let length = u32_at(header, 0) as usize;
        if length == 0 {
            return Err(FrameError::Empty);
        }
        let kind = RecordKind::from_byte(header[8]).ok_or(FrameError::Header)?;
        let lag = u64_at(header, 8) >> 8;
        if length > PAYLOAD_BYTES_MAX || (RECORD_HEADER_BYTES + length) as u64 > room || lag > lsn.get() {
            return Err(FrameError::Header);
        }
        Ok(Self { lsn, kind, length, durable: Lsn::new(lsn.get() - lag) })
    }

    /// Checks the record whose frame this is; `bytes` starts with it and holds all of it.
    pub(crate) fn check(&self, seed: &CrcSeed, bytes: &[u8]) -> Result<(), FrameError> {
        let (header, payload) = bytes[..self.total()].split_at(RECORD_HEADER_BYTES);
        if seed.of_record(self.lsn, header, payload) == u32_at(header, 4) {
            Ok(())
        } else {
            Err(FrameError::Checksum)
        }
    }
}

/// Starts a record at the end of `buffer`; what is appended next is its payload. Returns where it starts.
pub(crate) fn begin_record(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
    start
}

/// Ends the record that starts at `start`: fills in length and kind. Lag and checksum follow in [`stamp`].
pub(crate) fn end_record(buffer: &mut [u8], start: usize, kind: RecordKind) {
    let length = buffer.len() - start - RECORD_HEADER_BYTES;
    assert!(length > 0 && length <= PAYLOAD_BYTES_MAX, "payload of {length} bytes");
    let length = u32::try_from(length).expect("the maximum is below 4 GiB");
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 8] = kind as u8;
}

/// Fills in lag and checksum of all records in `records`, the first of which will be written at `lsn`. May be
/// repeated, with another place or a later `durable`.
pub(crate) fn stamp(records: &mut [u8], mut lsn: Lsn, durable: Lsn, seed: &CrcSeed) {
    let mut rest = records;
    while !rest.is_empty() {
        let total = RECORD_HEADER_BYTES + u32_at(rest, 0) as usize;
        let (record, tail) = rest.split_at_mut(total);
        let lag = lsn.get() - durable.get();
        record[9..RECORD_HEADER_BYTES].copy_from_slice(&lag.to_le_bytes()[..7]);
        let (header, payload) = record.split_at(RECORD_HEADER_BYTES);
        let crc = seed.of_record(lsn, header, payload);
        record[4..8].copy_from_slice(&crc.to_le_bytes());
        lsn = Lsn::new(lsn.get() + total as u64);
        rest = tail;
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::{CrcSeed, Frame, FrameError, RecordKind, begin_record, end_record, stamp};
    use crate::types::Lsn;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = begin_record(&mut bytes);
        bytes.extend_from_slice(payload);
        end_record(&mut bytes, start, RecordKind::Transaction);
        bytes
    }

    fn read(seed: &CrcSeed, lsn: u64, bytes: &[u8]) -> Result<Frame, FrameError> {
        let frame = Frame::parse(Lsn::new(lsn), bytes, bytes.len() as u64)?;
        frame.check(seed, bytes).map(|()| frame)
    }

    #[test]
    fn a_record_is_valid_in_one_place_only() {
        let seed = CrcSeed::new(&[7; 16], 3);
        let mut bytes = record(b"payload");
        stamp(&mut bytes, Lsn::new(1000), Lsn::new(900), &seed);
        let frame = read(&seed, 1000, &bytes).unwrap();
        assert_eq!((frame.length, frame.durable), (7, Lsn::new(900)));
        assert_eq!(read(&seed, 1001, &bytes).unwrap_err(), FrameError::Checksum);
        assert_eq!(read(&CrcSeed::new(&[7; 16], 4), 1000, &bytes).unwrap_err(), FrameError::Checksum);
        assert_eq!(read(&CrcSeed::new(&[8; 16], 3), 1000, &bytes).unwrap_err(), FrameError::Checksum);
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let seed = CrcSeed::new(&[7; 16], 3);
        let mut bytes = record(b"some payload");
        stamp(&mut bytes, Lsn::new(77), Lsn::new(70), &seed);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&seed, 77, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_that_moves_can_be_stamped_again() {
        let seed = CrcSeed::new(&[7; 16], 3);
        let mut bytes = [record(b"first"), record(b"second one")].concat();
        stamp(&mut bytes, Lsn::new(50), Lsn::new(50), &seed);
        stamp(&mut bytes, Lsn::new(90), Lsn::new(60), &seed);
        let first = read(&seed, 90, &bytes).unwrap();
        let second = read(&seed, 90 + first.total() as u64, &bytes[first.total()..]).unwrap();
        assert_eq!((first.durable, second.durable), (Lsn::new(60), Lsn::new(60)));
    }

    #[test]
    fn zeros_are_the_end_and_not_a_record() {
        assert_eq!(Frame::parse(Lsn::ZERO, &[0; 64], 64).unwrap_err(), FrameError::Empty);
        assert_eq!(Frame::parse(Lsn::ZERO, &[0; 3], 3).unwrap_err(), FrameError::Empty);
        assert_eq!(Frame::parse(Lsn::ZERO, &[9; 3], 3).unwrap_err(), FrameError::Header);
    }
}
