//! LMDB: a memory-mapped copy-on-write B-tree.
//!
//! Promises serializable transactions: one writer at a time, readers each on their snapshot. Durable per
//! commit is the default; otherwise `NO_SYNC`, where a power cut takes the last commits and may take the
//! database.

use std::path::Path;

use lmdb::{
    Cursor, Database, DatabaseFlags, Environment, EnvironmentFlags, RoTransaction, RwTransaction,
    Transaction, WriteFlags,
};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "lmdb",
    isolation: Isolation::Serializable,
    writers: Writers::One,
    durable: Some("the default: data and then the meta page are synced before the commit returns"),
    later: "NO_SYNC: a power cut takes the last commits, and may take the database",
    open: |dir, durability| Ok(Box::new(LmdbStore::open(dir, durability, Readers::Anywhere)?)),
};

/// The address space that is set aside for the map.
const MAP_BYTES: usize = 16 << 30;

/// Where a reader's slot is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// With the thread, LMDB's default and faster: a thread reads in one transaction at a time.
    OfThreads,
    /// With the transaction (`NO_TLS`): a thread may hold several.
    Anywhere,
}

/// An LMDB environment with one database.
#[derive(Debug)]
pub struct LmdbStore {
    environment: Environment,
    database: Database,
    durability: Durability,
}

impl LmdbStore {
    /// Opens the environment in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability, readers: Readers) -> Result<Self> {
        let mut flags = EnvironmentFlags::empty();
        if durability == Durability::Later {
            flags |= EnvironmentFlags::NO_SYNC;
        }
        if readers == Readers::Anywhere {
            flags |= EnvironmentFlags::NO_TLS;
        }
        let mut builder = Environment::new();
        builder.set_flags(flags).set_map_size(MAP_BYTES);
        let environment = builder.open(dir).map_err(refused)?;
        let database = environment.create_db(None, DatabaseFlags::empty()).map_err(refused)?;
        Ok(Self { environment, database, durability })
    }

    /// Returns the environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Returns where the keys are.
    pub fn database(&self) -> Database {
        self.database
    }
}

impl Store for LmdbStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let database = self.database;
        let durable = self.durability == Durability::PerCommit;
        Ok(if options.read_only {
            let txn = self.environment.begin_ro_txn().map_err(refused)?;
            Box::new(Txn::new(ReadTxn { txn, database }, true, durable))
        } else {
            let txn = self.environment.begin_rw_txn().map_err(refused)?;
            Box::new(Txn::new(WriteTxn { txn, database }, false, durable))
        })
    }

    fn flush(&self) -> Result<()> {
        self.environment.sync(true).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

struct ReadTxn<'a> {
    txn: RoTransaction<'a>,
    database: Database,
}

impl Native for ReadTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.txn, self.database, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.txn, self.database, range, limit, reverse)
    }

    fn commit(self) -> Result<()> {
        self.txn.commit().map_err(refused)
    }
}

struct WriteTxn<'a> {
    txn: RwTransaction<'a>,
    database: Database,
}

impl Native for WriteTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.txn, self.database, key)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        scan(&self.txn, self.database, range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.put(self.database, &key, &value, WriteFlags::empty()).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        match self.txn.del(self.database, &key, None) {
            Ok(()) | Err(lmdb::Error::NotFound) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    fn commit(self) -> Result<()> {
        self.txn.commit().map_err(unknown)
    }
}

fn get(txn: &impl Transaction, database: Database, key: &[u8]) -> Result<Option<Bytes>> {
    match txn.get(database, &key) {
        Ok(value) => Ok(Some(value.to_vec())),
        Err(lmdb::Error::NotFound) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn scan(
    txn: &impl Transaction,
    database: Database,
    range: &Range,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Key, Bytes)>> {
    let cursor = txn.open_ro_cursor(database).map_err(refused)?;
    let (mut at, step) = if reverse {
        (place_before(&cursor, range.end.as_deref())?, op::PREV)
    } else {
        (seek(&cursor, Some(&range.start), op::SET_RANGE)?, op::NEXT)
    };
    let mut found = Vec::new();
    while let Some((key, value)) = at {
        if found.len() == limit || !range.contains(key) {
            break;
        }
        found.push((key.to_vec(), value.to_vec()));
        at = seek(&cursor, None, step)?;
    }
    Ok(found)
}

type Place<'a> = Option<(&'a [u8], &'a [u8])>;

/// Returns the last key before `end`.
fn place_before<'a>(cursor: &impl Cursor<'a>, end: Option<&[u8]>) -> Result<Place<'a>> {
    let behind = match end {
        Some(end) => seek(cursor, Some(end), op::SET_RANGE)?,
        None => None,
    };
    match behind {
        Some(_) => seek(cursor, None, op::PREV),
        None => seek(cursor, None, op::LAST),
    }
}

fn seek<'a>(cursor: &impl Cursor<'a>, key: Option<&[u8]>, op: u32) -> Result<Place<'a>> {
    // LMDB has no empty keys: what starts at one starts at the first key.
    let (key, op) = if key == Some(&[]) { (None, op::FIRST) } else { (key, op) };
    match cursor.get(key, None, op) {
        Ok((key, value)) => Ok(key.map(|key| (key, value))),
        Err(lmdb::Error::NotFound) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

/// Where a cursor goes: the numbers of `MDB_cursor_op` in `lmdb.h`.
mod op {
    pub(super) const FIRST: u32 = 0;
    pub(super) const LAST: u32 = 6;
    pub(super) const NEXT: u32 = 8;
    pub(super) const PREV: u32 = 12;
    pub(super) const SET_RANGE: u32 = 17;
}
