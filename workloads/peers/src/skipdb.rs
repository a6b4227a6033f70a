//! skipdb: a skip list with versions, in memory only.
//!
//! Promises serializable optimistic transactions. Keeps nothing when it is closed, so there is no durable
//! setting.
//!
//! Known to be wrong, and left as it is: after a transaction has removed a key, its own `get` returns the
//! committed value (skipdb 0.2.1 with txn 0.1.3, whose `Wtm::get` answers "not written here" and "removed
//! here" alike). Its scans are right.

use std::path::Path;
use std::sync::Arc;

use skipdb::serializable::{SerializableDb, SerializableTransaction};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "skipdb",
    isolation: Isolation::Serializable,
    writers: Writers::Many,
    durable: None,
    later: "memory only: the end of the process takes everything",
    open: |dir, durability| Ok(Box::new(SkipStore::open(dir, durability)?)),
};

/// Keys and values as skipdb keeps them: cheap to clone.
pub type Slice = Arc<[u8]>;

/// A skipdb database.
#[derive(Default)]
pub struct SkipStore {
    database: SerializableDb<Slice, Slice>,
}

impl SkipStore {
    /// Creates a database. Nothing is read from the directory, or written to it.
    ///
    /// # Errors
    /// When a durable one is asked for.
    pub fn open(_dir: &Path, durability: Durability) -> Result<Self> {
        match durability {
            Durability::PerCommit => {
                Err(refused("skipdb keeps nothing on disk: open it with Durability::Later"))
            }
            Durability::Later => Ok(Self::default()),
        }
    }

    /// Returns the database.
    pub fn database(&self) -> &SerializableDb<Slice, Slice> {
        &self.database
    }
}

impl Store for SkipStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        // Its read transactions have no ranges without borrowing from themselves; one that writes nothing
        // does as well.
        let native = SkipTxn(self.database.serializable_write());
        Ok(Box::new(Txn::new(native, options.read_only, false)))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct SkipTxn(SerializableTransaction<Slice, Slice>);

impl Native for SkipTxn {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        let key = Slice::from(key);
        Ok(self.0.get(&key).map_err(refused)?.map(|found| found.value().to_vec()))
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        let start = Slice::from(range.start.as_slice());
        match range.end.as_deref().map(Slice::from) {
            Some(end) => visit(&mut self.0, start..end, limit, reverse),
            None => visit(&mut self.0, start.., limit, reverse),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.insert(key.into(), value.into()).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.0.remove(key.into()).map_err(refused)
    }

    fn commit(mut self) -> Result<()> {
        // Nothing is written anywhere but in memory: what fails is validation.
        self.0.commit().map_err(|_| conflict())
    }
}

fn visit(
    txn: &mut SerializableTransaction<Slice, Slice>,
    range: impl std::ops::RangeBounds<Slice>,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Key, Bytes)>> {
    Ok(if reverse {
        let found = txn.range_rev(range).map_err(refused)?;
        found.take(limit).map(|entry| (entry.key().to_vec(), entry.value().to_vec())).collect()
    } else {
        let found = txn.range(range).map_err(refused)?;
        found.take(limit).map(|entry| (entry.key().to_vec(), entry.value().to_vec())).collect()
    })
}
