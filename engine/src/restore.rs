//! Fills an empty store with what recovery reads.
//!
//! Nobody reads yet, so of every key only the newest version is kept, and of a deleted key nothing: a snapshot from now
//! on sees the last recovered state, below which no version is asked for. Keys are put into the hash index as they come
//! and into order at the end, sorted once.
//!
//! Replay is idempotent: a write at or below the version that a key has already changes nothing, so a log that begins
//! before its checkpoint gives the same state (SEMANTICS §5).

use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc::{Index, VersionEntry};
use crate::recovery::{RecoveredWrite, RecoverySink};
use crate::wal::entry::decode_value;

/// An index on its way.
#[derive(Debug)]
pub(crate) struct Restore {
    index: Index,
}

impl Restore {
    pub(crate) const fn new(index: Index) -> Self {
        Self { index }
    }

    /// The whole index. `each` sees every key's newest version.
    pub(crate) fn finish(mut self, each: impl FnMut(&Key, &VersionEntry)) -> Index {
        self.index.put_in_order(each);
        self.index
    }

    fn write(&mut self, write: &RecoveredWrite<'_>) -> Result<()> {
        let value = match write.value.map(decode_value) {
            None => None,
            Some(Ok(value)) => Some(value),
            Some(Err(problem)) => {
                let key = Key::from_encoded(write.key);
                return Err(Error::Corruption {
                    file: "log".to_owned(),
                    offset: 0,
                    problem: format!("{key} at {}: {problem}", write.version),
                });
            }
        };
        let entry = VersionEntry {
            version: write.version,
            txn: write.transaction,
            run: write.run,
            expires_at: write.expires_at,
            value,
        };
        self.index.restore(Key::from_encoded(write.key), entry);
        Ok(())
    }
}

impl RecoverySink for Restore {
    fn load(&mut self, entries: &[RecoveredWrite<'_>]) -> Result<()> {
        entries.iter().try_for_each(|entry| self.write(entry))
    }

    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()> {
        writes.iter().try_for_each(|write| self.write(write))
    }
}
