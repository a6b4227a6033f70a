//! A commit, as a watch delivers it.

use env::UnixMillis;
use rt::sync::Arc;

use crate::encoding::decode_value;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::run_id::RunId;
use crate::store::Store;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;

/// A commit that touched the range of a [`Watch`](crate::Watch).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WatchedCommit {
    /// Its version: that of all of its writes, and the place in the commit order.
    pub version: Version,
    /// The transaction.
    pub txn: TxnId,
    /// The run that committed it; `None` for the database itself, or if the run is not known any more.
    pub run: Option<RunId>,
    /// All that it wrote to keys of the range, in key order. Never empty.
    pub writes: Vec<WatchedWrite>,
}

/// One write of a [`WatchedCommit`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WatchedWrite {
    /// The key.
    pub key: Key,
    /// The new value; `None` if the key was deleted.
    pub value: Option<Value>,
    /// When the value expires, if it does. Expiry itself is no commit; the sweep that follows is one, which
    /// deletes.
    pub expires_at: Option<UnixMillis>,
}

/// A commit as queues keep it: values encoded, and shared by all watches of the key.
#[derive(Debug)]
pub(crate) struct RawCommit {
    pub(super) version: Version,
    pub(super) txn: TxnId,
    pub(super) run: RunNumber,
    pub(super) writes: Vec<RawWrite>,
}

/// One write of a [`RawCommit`].
#[derive(Clone, Debug)]
pub(super) struct RawWrite {
    pub(super) key: Key,
    pub(super) value: Option<Arc<[u8]>>,
    pub(super) expires_at: Option<UnixMillis>,
}

/// What a commit and each of its writes take in memory beside their bytes, about.
const OVERHEAD: usize = 64;

impl RawCommit {
    /// Returns the bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let of_write = |write: &RawWrite| {
            OVERHEAD + write.key.as_bytes().len() + write.value.as_ref().map_or(0, |value| value.len())
        };
        OVERHEAD + self.writes.iter().map(of_write).sum::<usize>()
    }

    /// Decodes it.
    pub(super) fn decode(self, store: &Store) -> Result<WatchedCommit> {
        let decode = |write: RawWrite| {
            let value = write.value.as_deref().map(decode_value).transpose();
            let value = value.map_err(|problem| Error::Corruption {
                file: format!("a value at {}", self.version),
                offset: 0,
                problem: problem.to_owned(),
            })?;
            Ok(WatchedWrite { key: write.key, value, expires_at: write.expires_at })
        };
        Ok(WatchedCommit {
            version: self.version,
            txn: self.txn,
            run: store.runs.id_of(self.run),
            writes: self.writes.into_iter().map(decode).collect::<Result<_>>()?,
        })
    }
}
