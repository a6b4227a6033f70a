//! Where recovery puts what it reads.

use env::UnixMillis;

use crate::error::Result;
use crate::types::{RunNumber, TxnId, Version};

/// One put or delete that recovery read. Borrowed: copy what you keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoveredWrite<'a> {
    pub(crate) key: &'a [u8],
    /// The encoded value, for [`crate::wal::entry::decode_value`]; `None` is a delete.
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) version: Version,
    pub(crate) transaction: TxnId,
    pub(crate) run: RunNumber,
    pub(crate) expires_at: Option<UnixMillis>,
}

/// The store, while it is being recovered.
pub(crate) trait RecoverySink {
    /// So many keys will be loaded.
    fn expect(&mut self, keys: u64) {
        let _ = keys;
    }

    /// The content of the checkpoint, in key order, in batches: before anything else, each key once.
    fn load(&mut self, entries: &[RecoveredWrite<'_>]) -> Result<()>;

    /// Commits, in commit order, in batches of whole commits. A commit's writes follow each other and have one
    /// version; versions rise.
    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()>;
}
