//! A batch of writes for one part of the index, copied out of the block in which they were read.

use env::UnixMillis;

use super::part::Part;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc::Record;
use crate::types::{RunNumber, TxnId, Version};
use crate::value_ref::ValueRef;
use crate::wal::RecoveredWrite;

/// Writes to keys of one part, in log order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    writes: Vec<Queued>,
    /// Their keys, and their values still encoded.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Queued {
    version: Version,
    txn: TxnId,
    run: RunNumber,
    expires_at: Option<UnixMillis>,
    key_bytes: u32,
    /// `None` is a delete.
    value_bytes: Option<u32>,
}

impl Batch {
    #[inline]
    pub(super) fn push(&mut self, write: &RecoveredWrite<'_>) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("no record is as large");
        self.writes.push(Queued {
            version: write.version,
            txn: write.transaction,
            run: write.run,
            expires_at: write.expires_at,
            key_bytes: length(write.key),
            value_bytes: write.value.map(length),
        });
        self.bytes.extend_from_slice(write.key);
        self.bytes.extend_from_slice(write.value.unwrap_or_default());
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.writes.clear();
        self.bytes.clear();
    }

    /// Loads all writes into the part.
    ///
    /// # Errors
    /// [`Error::Corruption`] for a value that can't be decoded.
    pub(super) fn restore_into(&self, part: &mut Part) -> Result<()> {
        let mut buffer = Vec::new();
        let mut rest = self.bytes.as_slice();
        for write in &self.writes {
            let (key, tail) = rest.split_at(write.key_bytes as usize);
            let (value, tail) = tail.split_at(write.value_bytes.unwrap_or(0) as usize);
            rest = tail;
            let value = write.value_bytes.map(|_| value);
            if let Some(Err(problem)) = value.map(ValueRef::check) {
                return Err(undecodable(key, write.version, problem));
            }
            let by = (write.txn, write.run);
            part.add(Record::new(&mut buffer, key, value, write.version, by, write.expires_at.into()));
        }
        Ok(())
    }
}

fn undecodable(key: &[u8], version: Version, problem: &str) -> Error {
    let key = Key::from_encoded(key);
    Error::Corruption { file: "log".to_owned(), offset: 0, problem: format!("{key} at {version}: {problem}") }
}
