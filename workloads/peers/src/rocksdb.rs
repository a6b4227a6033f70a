//! RocksDB, as `OptimisticTransactionDB`: a log-structured merge tree with a write-ahead log.
//!
//! Promises snapshot isolation: a transaction reads the snapshot of its begin, and its commit fails if a key
//! that it writes was written since. Durable per commit is `WriteOptions::set_sync`; otherwise the log is
//! left to the operating system.

use std::path::Path;

use rocksdb::{
    Direction, ErrorKind, IteratorMode, OptimisticTransactionDB, OptimisticTransactionOptions, Options,
    ReadOptions, Transaction, WriteOptions,
};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "rocksdb",
    isolation: Isolation::Snapshot,
    writers: Writers::Many,
    durable: Some("WriteOptions::sync: the log is synced before the commit returns"),
    later: "the log is left to the operating system, a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(RocksStore::open(dir, durability)?)),
};

/// A RocksDB database with optimistic transactions.
pub struct RocksStore {
    database: OptimisticTransactionDB,
    durability: Durability,
}

impl RocksStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        Self::with(&options, dir, durability)
    }

    /// Opens the database in `dir` with options of one's own.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn with(options: &Options, dir: &Path, durability: Durability) -> Result<Self> {
        let database = OptimisticTransactionDB::open(options, dir).map_err(refused)?;
        Ok(Self { database, durability })
    }

    /// Returns the database.
    pub fn database(&self) -> &OptimisticTransactionDB {
        &self.database
    }

    /// Begins a transaction with the durability of this store: on a snapshot, or reading what is newest,
    /// where only what is read for an update is validated.
    pub fn begin_on(&self, snapshot: bool) -> Transaction<'_, OptimisticTransactionDB> {
        let mut write = WriteOptions::default();
        write.set_sync(self.durability == Durability::PerCommit);
        let mut options = OptimisticTransactionOptions::default();
        options.set_snapshot(snapshot);
        self.database.transaction_opt(&write, &options)
    }
}

impl Store for RocksStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let native = RocksTxn(self.begin_on(true));
        Ok(Box::new(Txn::new(native, options.read_only, self.durability == Durability::PerCommit)))
    }

    fn flush(&self) -> Result<()> {
        self.database.flush_wal(true).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct RocksTxn<'a>(Transaction<'a, OptimisticTransactionDB>);

impl Native for RocksTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        self.0.snapshot().get(key).map_err(refused)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.start.clone());
        if let Some(end) = &range.end {
            options.set_iterate_upper_bound(end.clone());
        }
        let mode =
            if reverse { IteratorMode::End } else { IteratorMode::From(&range.start, Direction::Forward) };
        let snapshot = self.0.snapshot();
        let entry = |entry: std::result::Result<Pair, rocksdb::Error>| {
            let (key, value) = entry.map_err(refused)?;
            Ok((key.into_vec(), value.into_vec()))
        };
        snapshot.iterator_opt(mode, options).take(limit).map(entry).collect()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.put(key, value).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.0.delete(key).map_err(refused)
    }

    fn commit(self) -> Result<()> {
        self.0.commit().map_err(|error| match error.kind() {
            // "Try again" says that the history to validate against is gone.
            ErrorKind::Busy | ErrorKind::TryAgain => conflict(),
            _ => unknown(error),
        })
    }
}

/// Key and value, as iterators give them.
type Pair = (Box<[u8]>, Box<[u8]>);
