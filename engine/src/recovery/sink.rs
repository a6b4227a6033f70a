//! The receiver of what recovery reads.

use crate::error::Result;
use crate::mvcc::StoredPage;
use crate::wal::RecoveredWrite;

/// The store, while it is being recovered.
pub(crate) trait RecoverySink {
    /// Takes the content of the checkpoint, in key order, in batches: before anything else, each key once.
    fn load(&mut self, pages: Vec<StoredPage>) -> Result<()>;

    /// Takes commits, in commit order, in batches of whole commits. A commit's writes follow each other and
    /// have one version; versions rise.
    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()>;
}
