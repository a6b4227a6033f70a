//! Canopydb: copy-on-write B-trees in memory in front of a file, with a write-ahead log.
//!
//! Promises serializable transactions with one writer at a time, and snapshot isolation with writers side by
//! side: a transaction that asks for [`Isolation::Snapshot`] gets the latter. Durable per commit is a synced
//! log; otherwise the log is left to the operating system.

use std::path::Path;

use canopydb::{Database, DbOptions, EnvOptions, Error, RangeIter, ReadTransaction, WriteTransaction};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// Where the keys are.
pub const TREE: &[u8] = b"data";

/// What it promises.
pub const PEER: Peer = Peer {
    name: "canopydb",
    isolation: Isolation::Serializable,
    writers: Writers::One,
    durable: Some("commit_with(sync): the log is synced before the commit returns"),
    later: "the log is left to the operating system, a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(CanopyStore::open(dir, durability)?)),
};

/// A Canopydb database.
#[derive(Debug)]
pub struct CanopyStore {
    database: Database,
    durability: Durability,
}

impl CanopyStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        Self::with(EnvOptions::new(dir), DbOptions::new(), durability)
    }

    /// Opens the database that the options describe.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn with(environment: EnvOptions, mut options: DbOptions, durability: Durability) -> Result<Self> {
        options.default_commit_sync = durability == Durability::PerCommit;
        let database = Database::with_options(environment, options).map_err(refused)?;
        let txn = database.begin_write().map_err(refused)?;
        drop(txn.get_or_create_tree(TREE).map_err(refused)?);
        txn.commit().map_err(unknown)?;
        Ok(Self { database, durability })
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl Store for CanopyStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let durable = self.durability == Durability::PerCommit;
        Ok(if options.read_only {
            Box::new(Txn::new(ReadTxn(self.database.begin_read().map_err(refused)?), true, durable))
        } else {
            let side_by_side = options.isolation < Isolation::Serializable;
            let txn = self.database.begin_write_with(side_by_side).map_err(refused)?;
            Box::new(Txn::new(WriteTxn(txn), false, durable))
        })
    }

    fn flush(&self) -> Result<()> {
        self.database.sync().map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct ReadTxn(ReadTransaction);

impl Native for ReadTxn {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        let tree = self.0.get_tree(TREE).map_err(refused)?.ok_or_else(missing)?;
        Ok(tree.get(key).map_err(refused)?.map(|value| value.to_vec()))
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        let tree = self.0.get_tree(TREE).map_err(refused)?.ok_or_else(missing)?;
        scan(&tree, range, limit, reverse)
    }

    fn commit(self) -> Result<()> {
        Ok(())
    }
}

struct WriteTxn(WriteTransaction);

impl Native for WriteTxn {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        let tree = self.0.get_or_create_tree(TREE).map_err(refused)?;
        Ok(tree.get(key).map_err(refused)?.map(|value| value.to_vec()))
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.0.get_or_create_tree(TREE).map_err(refused)?, range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.get_or_create_tree(TREE).map_err(refused)?.insert(key, value).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.0.get_or_create_tree(TREE).map_err(refused)?.delete(key).map(|_| ()).map_err(refused)
    }

    fn commit(self) -> Result<()> {
        match self.0.commit() {
            Ok(_) => Ok(()),
            Err(Error::WriteConflict) => Err(conflict()),
            Err(error) => Err(unknown(error)),
        }
    }
}

fn missing() -> stormproof_workloads::store::StoreError {
    refused("the tree that holds the keys is missing")
}

fn scan(tree: &canopydb::Tree<'_>, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
    let start = range.start.as_slice();
    let found: RangeIter<'_> = match range.end.as_deref() {
        Some(end) => tree.range(start..end),
        None => tree.range(start..),
    }
    .map_err(refused)?;
    let entry = |entry: std::result::Result<(canopydb::Bytes, canopydb::Bytes), Error>| {
        let (key, value) = entry.map_err(refused)?;
        Ok((key.to_vec(), value.to_vec()))
    };
    if reverse {
        found.rev().take(limit).map(entry).collect()
    } else {
        found.take(limit).map(entry).collect()
    }
}
