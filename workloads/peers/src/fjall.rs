//! fjall: log-structured merge trees with a journal.
//!
//! Promises serializable optimistic transactions (`OptimisticTxDatabase`). Durable per commit is
//! `PersistMode::SyncData`; otherwise commits are left to the operating system.

use std::path::Path;

use fjall::{
    Guard, KeyspaceCreateOptions, OptimisticTxDatabase, OptimisticTxKeyspace, OptimisticWriteTx, PersistMode,
    Readable, Snapshot,
};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "fjall",
    isolation: Isolation::Serializable,
    writers: Writers::Many,
    durable: Some("PersistMode::SyncData: the journal is synced before the commit returns"),
    later: "no persist mode: the journal is left to the operating system, a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(FjallStore::open(dir, durability)?)),
};

/// A fjall database with optimistic transactions.
pub struct FjallStore {
    database: OptimisticTxDatabase,
    keyspace: OptimisticTxKeyspace,
    durability: Durability,
}

impl FjallStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        let database = OptimisticTxDatabase::builder(dir).open().map_err(refused)?;
        Self::with(database, KeyspaceCreateOptions::default(), durability)
    }

    /// Takes a database that is open. The options are those of the keyspace, should it not exist.
    ///
    /// # Errors
    /// When the keyspace can't be created.
    pub fn with(
        database: OptimisticTxDatabase,
        options: KeyspaceCreateOptions,
        durability: Durability,
    ) -> Result<Self> {
        let keyspace = database.keyspace("data", || options).map_err(refused)?;
        Ok(Self { database, keyspace, durability })
    }

    /// Returns the database.
    pub fn database(&self) -> &OptimisticTxDatabase {
        &self.database
    }

    /// Returns where the keys are.
    pub fn keyspace(&self) -> &OptimisticTxKeyspace {
        &self.keyspace
    }

    /// Begins a transaction that writes with the durability of this store.
    ///
    /// # Errors
    /// When the database refuses it.
    pub fn begin_write(&self) -> Result<OptimisticWriteTx> {
        let mode = match self.durability {
            Durability::PerCommit => Some(PersistMode::SyncData),
            Durability::Later => None,
        };
        Ok(self.database.write_tx().map_err(refused)?.durability(mode))
    }
}

impl Store for FjallStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let durable = self.durability == Durability::PerCommit;
        let keyspace = &self.keyspace;
        Ok(if options.read_only {
            Box::new(Txn::new(ReadTxn { snapshot: self.database.read_tx(), keyspace }, true, durable))
        } else {
            Box::new(Txn::new(WriteTxn { txn: self.begin_write()?, keyspace }, false, durable))
        })
    }

    fn flush(&self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct ReadTxn<'a> {
    snapshot: Snapshot,
    keyspace: &'a OptimisticTxKeyspace,
}

impl Native for ReadTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.snapshot, self.keyspace, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.snapshot, self.keyspace, range, limit, reverse)
    }

    fn commit(self) -> Result<()> {
        Ok(())
    }
}

struct WriteTxn<'a> {
    txn: OptimisticWriteTx,
    keyspace: &'a OptimisticTxKeyspace,
}

impl Native for WriteTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.txn, self.keyspace, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.txn, self.keyspace, range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.insert(self.keyspace, key, value);
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.txn.remove(self.keyspace, key);
        Ok(())
    }

    fn commit(self) -> Result<()> {
        self.txn.commit().map_err(unknown)?.map_err(|_| conflict())
    }
}

fn get(view: &impl Readable, keyspace: &OptimisticTxKeyspace, key: &[u8]) -> Result<Option<Bytes>> {
    Ok(view.get(keyspace, key).map_err(refused)?.map(|value| value.to_vec()))
}

fn scan(
    view: &impl Readable,
    keyspace: &OptimisticTxKeyspace,
    range: &Range,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Key, Bytes)>> {
    let start = range.start.as_slice();
    let found = match range.end.as_deref() {
        Some(end) => view.range(keyspace, start..end),
        None => view.range(keyspace, start..),
    };
    let entry = |guard: Guard| {
        let (key, value) = guard.into_inner().map_err(refused)?;
        Ok((key.to_vec(), value.to_vec()))
    };
    if reverse {
        found.rev().take(limit).map(entry).collect()
    } else {
        found.take(limit).map(entry).collect()
    }
}
