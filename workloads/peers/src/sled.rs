//! sled: a lock-free tree with a log.
//!
//! Has no interactive transactions and no snapshots: a transaction is a closure over single keys that sled
//! runs at once, alone (`Tree::transaction`). So this adapter reads what is newest and remembers it, buffers
//! writes, and commits in one such closure, which first compares all that was read by key with what is there
//! now. That makes transactions over single keys serializable, at the moment of their commit; a scan is not
//! part of it, and two reads of one transaction may see two states. Hence the promise of
//! [`Isolation::ReadCommitted`]. Durable per commit is a flush after it; otherwise sled flushes every 500 ms.
//! On Linux a flush is `sync_file_range` (sled 0.34.7), which waits for neither the disk's cache nor the
//! file's metadata: it survives the process, and the power only with luck.

use std::collections::BTreeMap;
use std::path::Path;

use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};
use sled::{Db, IVec};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "sled",
    isolation: Isolation::ReadCommitted,
    writers: Writers::Many,
    durable: Some(
        "a flush before the commit returns, which on Linux is sync_file_range and no sync of the disk",
    ),
    later: "flushed every 500 ms, a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(SledStore::open(dir, durability)?)),
};

/// A sled database.
#[derive(Debug)]
pub struct SledStore {
    database: Db,
    durability: Durability,
}

impl SledStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        let database = sled::Config::new().path(dir).open().map_err(refused)?;
        Ok(Self { database, durability })
    }

    /// Returns the database, whose default tree holds the keys.
    pub fn database(&self) -> &Db {
        &self.database
    }
}

impl Store for SledStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let durable = self.durability == Durability::PerCommit;
        let native =
            SledTxn { database: &self.database, durable, reads: BTreeMap::new(), writes: BTreeMap::new() };
        Ok(Box::new(Txn::new(native, options.read_only, durable)))
    }

    fn flush(&self) -> Result<()> {
        self.database.flush().map(|_| ()).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct SledTxn<'a> {
    database: &'a Db,
    durable: bool,
    reads: BTreeMap<Key, Option<IVec>>,
    writes: BTreeMap<Key, Option<Bytes>>,
}

impl SledTxn<'_> {
    /// Checks that what was read has not changed, and applies the writes: the closure that sled runs alone.
    fn apply(&self, tree: &TransactionalTree) -> std::result::Result<(), ConflictableTransactionError<()>> {
        for (key, read) in &self.reads {
            if tree.get(key)? != *read {
                return Err(ConflictableTransactionError::Abort(()));
            }
        }
        for (key, write) in &self.writes {
            match write {
                Some(value) => tree.insert(key.as_slice(), value.as_slice())?,
                None => tree.remove(key.as_slice())?,
            };
        }
        Ok(())
    }
}

impl Native for SledTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        if let Some(own) = self.writes.get(key) {
            return Ok(own.clone());
        }
        if !self.reads.contains_key(key) {
            let read = self.database.get(key).map_err(refused)?;
            self.reads.insert(key.to_vec(), read);
        }
        Ok(self.reads[key].as_ref().map(|value| value.to_vec()))
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        let start = range.start.as_slice();
        let found = match range.end.as_deref() {
            Some(end) => self.database.range(start..end),
            None => self.database.range(start..),
        };
        let mut entries = BTreeMap::new();
        // Own deletes take away from what is found, so as many more are read.
        let enough = limit.saturating_add(self.writes.len());
        let mut visit = |entry: sled::Result<(IVec, IVec)>| {
            let (key, value) = entry.map_err(refused)?;
            entries.insert(key.to_vec(), value.to_vec());
            Ok(())
        };
        if reverse {
            found.rev().take(enough).try_for_each(&mut visit)?;
        } else {
            found.take(enough).try_for_each(&mut visit)?;
        }
        for (key, write) in self.writes.iter().filter(|(key, _)| range.contains(key)) {
            match write {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        let entries = entries.into_iter();
        Ok(if reverse { entries.rev().take(limit).collect() } else { entries.take(limit).collect() })
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.writes.insert(key.to_vec(), Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.writes.insert(key.to_vec(), None);
        Ok(())
    }

    fn commit(self) -> Result<()> {
        match self.database.transaction(|tree| self.apply(tree)) {
            Ok(()) => {}
            Err(TransactionError::Abort(())) => return Err(conflict()),
            Err(TransactionError::Storage(error)) => return Err(unknown(error)),
        }
        if self.durable && !self.writes.is_empty() {
            self.database.flush().map_err(unknown)?;
        }
        Ok(())
    }
}
