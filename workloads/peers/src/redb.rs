//! redb: copy-on-write B-trees in one file.
//!
//! Promises serializable transactions: one writer at a time, readers each on their snapshot. Durable per
//! commit is `Durability::Immediate`; otherwise `Durability::None`, where a crash goes back to the last
//! durable commit.

use std::path::Path;

use redb::{
    AccessGuard, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    WriteTransaction,
};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, refused, unknown};
use crate::{Durability, Peer, Writers};

/// Where the keys are.
pub const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("data");

/// What it promises.
pub const PEER: Peer = Peer {
    name: "redb",
    isolation: Isolation::Serializable,
    writers: Writers::One,
    durable: Some("Durability::Immediate: synced before the commit returns"),
    later: "Durability::None: a crash goes back to the last durable commit",
    open: |dir, durability| Ok(Box::new(RedbStore::open(dir, durability)?)),
};

/// A redb database.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
    durability: Durability,
}

impl RedbStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        Self::with(Database::create(dir.join("data.redb")).map_err(refused)?, durability)
    }

    /// Takes a database that is open, for instance on a storage backend of one's own.
    ///
    /// # Errors
    /// When the table can't be created.
    pub fn with(database: Database, durability: Durability) -> Result<Self> {
        let txn = database.begin_write().map_err(refused)?;
        txn.open_table(TABLE).map_err(refused)?;
        txn.commit().map_err(refused)?;
        Ok(Self { database, durability })
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Begins a transaction that writes with the durability of this store.
    ///
    /// # Errors
    /// When the database refuses it.
    pub fn begin_write(&self) -> Result<WriteTransaction> {
        let mut txn = self.database.begin_write().map_err(refused)?;
        let durability = match self.durability {
            Durability::PerCommit => redb::Durability::Immediate,
            Durability::Later => redb::Durability::None,
        };
        txn.set_durability(durability).map_err(refused)?;
        Ok(txn)
    }
}

impl Store for RedbStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let durable = self.durability == Durability::PerCommit;
        Ok(if options.read_only {
            Box::new(Txn::new(ReadTxn(self.database.begin_read().map_err(refused)?), true, durable))
        } else {
            Box::new(Txn::new(WriteTxn(self.begin_write()?), false, durable))
        })
    }

    fn flush(&self) -> Result<()> {
        // An empty durable commit takes along all that went before it.
        let txn = self.database.begin_write().map_err(refused)?;
        txn.commit().map_err(unknown)
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
        get(&self.0.open_table(TABLE).map_err(refused)?, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.0.open_table(TABLE).map_err(refused)?, range, limit, reverse)
    }

    fn commit(self) -> Result<()> {
        Ok(())
    }
}

struct WriteTxn(WriteTransaction);

impl Native for WriteTxn {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.0.open_table(TABLE).map_err(refused)?, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.0.open_table(TABLE).map_err(refused)?, range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.open_table(TABLE).map_err(refused)?.insert(key, value).map(|_| ()).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.0.open_table(TABLE).map_err(refused)?.remove(key).map(|_| ()).map_err(refused)
    }

    fn commit(self) -> Result<()> {
        self.0.commit().map_err(unknown)
    }
}

fn get(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<Option<Bytes>> {
    Ok(table.get(key).map_err(refused)?.map(|value| value.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: &Range,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Key, Bytes)>> {
    let start = range.start.as_slice();
    let found = match range.end.as_deref() {
        Some(end) => table.range(start..end),
        None => table.range(start..),
    }
    .map_err(refused)?;
    if reverse {
        found.rev().take(limit).map(entry).collect()
    } else {
        found.take(limit).map(entry).collect()
    }
}

type Guard<'a> = AccessGuard<'a, &'static [u8]>;

fn entry(found: std::result::Result<(Guard<'_>, Guard<'_>), StorageError>) -> Result<(Key, Bytes)> {
    let (key, value) = found.map_err(refused)?;
    Ok((key.value().to_vec(), value.value().to_vec()))
}
