//! Tells a torn tail from corruption, in the last segment, after the last valid record.
//!
//! Unsynced writes survive a power cut in any subset and order, so a valid record after a bad one proves
//! nothing. What proves something is what the record carries: the LSN that was durable when it was written.
//! If that lies after the bad place, the bad place had been synced, and is damaged.
//!
//! Rot in the very last record, with nothing written after it, can't be distinguished from a torn tail.
//! Neither can rot that hits every record of the later groups too.

use env::{File, read_up_to_at};

use crate::error::{Error, Result};
use crate::types::Lsn;
use crate::wal::format::Frame;
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// What lies after the last valid record of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Up to the last byte that is not zero.
    pub(crate) bytes: u64,
    /// Valid records among them.
    pub(crate) records: u64,
    /// The highest LSN that one of them proves to have been durable.
    pub(crate) durable: Lsn,
}

/// The most bytes that checksums are computed over, as a multiple of the tail: garbage that looks like a
/// record at every byte would take forever.
const EFFORT: u64 = 64;

/// Examines all that follows `from`, where no valid record is.
///
/// # Errors
/// [`Error::Io`]; [`Error::Corruption`] for garbage made to look like records, which no power cut leaves.
pub(crate) fn examine(header: &SegmentHeader, file: &dyn File, from: Lsn) -> Result<Tail> {
    let name = header.name();
    let start = SEGMENT_HEADER_BYTES + (from.get() - header.first_lsn.get());
    let length = file.len().map_err(|error| Error::io("read the length", name.as_str(), error))?;
    let size = usize::try_from(length.saturating_sub(start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; size];
    let read =
        read_up_to_at(file, start, &mut bytes).map_err(|error| Error::io("read", name.as_str(), error))?;
    bytes.truncate(read);
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);

    let seed = header.crc_seed();
    let mut tail = Tail { bytes: used as u64, ..Tail::default() };
    let mut effort = EFFORT * used as u64 + (1 << 20);
    let mut at = 0;
    while at < used {
        let lsn = Lsn::new(from.get() + at as u64);
        let rest = &bytes[at..];
        // The zeros that were cut off may belong to the last record.
        let frame = Frame::parse(lsn, rest, (read - at) as u64).ok();
        let valid = frame.filter(|frame| {
            effort = effort.saturating_sub(frame.total() as u64);
            frame.total() <= rest.len() && frame.check(&seed, rest).is_ok()
                || frame.total() > rest.len() && frame.check(&seed, &padded(rest, frame.total())).is_ok()
        });
        if effort == 0 {
            return Err(Error::Corruption {
                file: name,
                offset: start + at as u64,
                problem: "garbage that looks like records".to_owned(),
            });
        }
        if let Some(frame) = valid {
            tail.records += 1;
            tail.durable = tail.durable.max(frame.durable);
            at += frame.total();
        } else {
            at += 1;
            at += bytes[at.min(used)..]
                .iter()
                .position(|byte| *byte != 0)
                .map_or(used, |gap| gap.saturating_sub(3));
        }
    }
    Ok(tail)
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(length, 0);
    padded
}
