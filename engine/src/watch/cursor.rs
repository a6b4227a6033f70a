//! Reading commits of the past from the log of an open database, a part at a time.

use env::OpenMode;
use rt::sync::Arc;

use super::commit::{RawCommit, RawWrite};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::{Lsn, RunNumber, TxnId, Version};
use crate::wal::entry::decode_transaction;
use crate::wal::files::FileName;
use crate::wal::reader::{SegmentReader, StopReason};
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::wal::{Log, Replayable};

/// A place in the log of an open database. Files may be removed while it reads, so it finds each part anew.
#[derive(Debug)]
pub(super) struct LogCursor {
    /// Where the next record is; `None` before the first read.
    lsn: Option<Lsn>,
    /// Whether the version after which it reads is known to be one of this database.
    checked: bool,
}

/// What a reader gets of the log.
#[derive(Debug)]
pub(super) enum Part {
    /// The next commits of the range; all up to this version are among them, or were before.
    Commits(Vec<RawCommit>, Version),
    /// The log no longer has all that comes after the version, or a crash took that version back.
    Gone,
}

impl LogCursor {
    /// `checked`: whether the version after which it will read is one that this opening of the database
    /// published.
    pub(super) const fn new(checked: bool) -> Self {
        Self { lsn: None, checked }
    }

    /// Reads the next commits of `range` above `after`, up to `up_to`, which must be durable: those of one
    /// block of the log.
    ///
    /// # Errors
    /// When the log can't be read, or is closed.
    pub(super) fn read(
        &mut self,
        log: &Log,
        range: &KeyRange,
        after: Version,
        up_to: Version,
    ) -> Result<Part> {
        loop {
            let bounds = log.replayable()?;
            // The version itself counts: replay from here gives what comes after it.
            if after < bounds.covered {
                return Ok(Part::Gone);
            }
            self.checked |= after == bounds.covered;
            match self.part(log, range, after, up_to, &bounds) {
                // A checkpoint has removed the file meanwhile: check again whether what it had is still
                // needed.
                Err(Error::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound
                        && log.replayable()?.covered > bounds.covered =>
                {
                    rt::reached!("a watch finds the log gone");
                }
                part => return part,
            }
        }
    }

    fn part(
        &mut self,
        log: &Log,
        range: &KeyRange,
        after: Version,
        up_to: Version,
        bounds: &Replayable,
    ) -> Result<Part> {
        let mut lsn = self.lsn.unwrap_or(bounds.start).max(bounds.start);
        let name = segment_of(log, lsn)?;
        let (header, file) = SegmentHeader::open(log.disk(), &name, OpenMode::Read)?;
        let mut reader = SegmentReader::new(&header, &*file, lsn)?;
        rt::reached!("a watch reads the log");
        let mut commits = Vec::new();
        let mut last = after;
        // One block, and not the whole segment: what it has is kept in memory.
        let block = reader.next_block()?;
        let is_empty = block.is_empty();
        for (frame, payload) in block.records() {
            if frame.lsn >= bounds.durable {
                break;
            }
            let mut writes = Vec::new();
            let decoded = decode_transaction(payload, header.first_version, |write| {
                // Compared as bytes first: most writes of a log are of no interest to one watch.
                let key = Key::from_encoded(write.key);
                if range.contains(&key) {
                    writes.push(RawWrite {
                        key,
                        value: write.value.map(Arc::from),
                        expires_at: write.expires_at,
                    });
                }
            });
            let decoded = decoded.map_err(|problem| Error::Corruption {
                file: name.clone(),
                offset: SEGMENT_HEADER_BYTES + frame.lsn.get() - header.first_lsn.get(),
                problem: problem.to_owned(),
            })?;
            if let Some(head) = decoded {
                self.checked |= head.version == after;
                if head.version > after && !self.checked {
                    rt::reached!("a watch knows a version that a crash took back");
                    return Ok(Part::Gone);
                }
                if head.version > up_to || (rt::mutant!(WatchSkipsLastOfLog) && head.version == up_to) {
                    self.lsn = Some(lsn);
                    return Ok(Part::Commits(commits, up_to));
                }
                if head.version > after && !writes.is_empty() {
                    commits.push(raw(head.version, head.transaction, head.run, writes));
                }
                last = last.max(head.version);
            }
            lsn = Lsn::new(frame.lsn.get() + frame.total() as u64);
        }
        if is_empty {
            match reader.stop().map(|stop| stop.reason) {
                Some(StopReason::Seal { end }) => lsn = end,
                _ if lsn >= bounds.durable => {}
                _ => {
                    return Err(Error::Corruption {
                        file: name,
                        offset: SEGMENT_HEADER_BYTES + lsn.get() - header.first_lsn.get(),
                        problem: "no record where one was synced".to_owned(),
                    });
                }
            }
        }
        self.lsn = Some(lsn);
        // All that is durable was read, and `up_to` is: no commit between has touched the range.
        let end = if lsn >= bounds.durable { up_to } else { last };
        Ok(Part::Commits(commits, end))
    }
}

const fn raw(version: Version, txn: TxnId, run: RunNumber, writes: Vec<RawWrite>) -> RawCommit {
    RawCommit { version, txn, run, writes }
}

/// Returns the name of the segment that holds a place of the log.
fn segment_of(log: &Log, lsn: Lsn) -> Result<String> {
    let names =
        log.disk().list().map_err(|error| Error::io("list the directory", log.disk().describe(), error))?;
    let starts_before =
        |name: &String| matches!(FileName::parse(name), FileName::Segment(first) if first <= lsn);
    names.into_iter().rfind(starts_before).ok_or_else(|| {
        Error::io("find", format!("the segment that holds {lsn}"), std::io::ErrorKind::NotFound.into())
    })
}
