//! SQLite: a B-tree in one file, with a write-ahead log (WAL mode).
//!
//! Promises serializable transactions: one writer at a time, readers each on the snapshot of their first
//! read. Durable per commit is `synchronous = FULL`; otherwise `synchronous = NORMAL`, where a power cut
//! takes the last commits. Writers share one connection under a lock; SQLite's own waiting is sleeping and
//! asking again.

#![expect(
    clippy::disallowed_types,
    reason = "connections are shared by real threads only; SQLite is not simulated"
)]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "sqlite",
    isolation: Isolation::Serializable,
    writers: Writers::One,
    durable: Some("WAL, synchronous = FULL: the log is synced before the commit returns"),
    later: "WAL, synchronous = NORMAL: a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(SqliteStore::open(dir, durability)?)),
};

/// Reads one key.
pub const GET: &str = "SELECT value FROM data WHERE key = ?1";

/// Writes one key.
pub const PUT: &str =
    "INSERT INTO data (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// A SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    file: PathBuf,
    durability: Durability,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the database in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        let file = dir.join("data.sqlite");
        let writer = connect(&file, durability)?;
        writer
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS data (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            )
            .map_err(refused)?;
        Ok(Self { file, durability, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    /// Opens one more connection.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn connect(&self) -> Result<Connection> {
        connect(&self.file, self.durability)
    }

    /// Returns the connection that writes, for as long as the guard is held.
    pub fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(file: &Path, durability: Durability) -> Result<Connection> {
    let connection = Connection::open(file).map_err(refused)?;
    connection.busy_timeout(Duration::from_secs(60)).map_err(refused)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(refused)?;
    let synchronous = match durability {
        Durability::PerCommit => "full",
        Durability::Later => "normal",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(refused)?;
    Ok(connection)
}

impl Store for SqliteStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let durable = self.durability == Durability::PerCommit;
        let connection = if options.read_only {
            let idle = self.readers().pop();
            Held::Reader { connection: Some(idle.map_or_else(|| self.connect(), Ok)?), store: self }
        } else {
            Held::Writer(self.writer())
        };
        let begin = if options.read_only { "BEGIN DEFERRED" } else { "BEGIN IMMEDIATE" };
        connection.get().execute_batch(begin).map_err(busy_or(refused))?;
        Ok(Box::new(Txn::new(SqliteTxn { connection, open: true }, options.read_only, durable)))
    }

    fn flush(&self) -> Result<()> {
        self.writer().query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }
}

enum Held<'a> {
    Reader { connection: Option<Connection>, store: &'a SqliteStore },
    Writer(MutexGuard<'a, Connection>),
}

impl Held<'_> {
    fn get(&self) -> &Connection {
        match self {
            Self::Reader { connection, .. } => connection.as_ref().expect("it is given back by drop only"),
            Self::Writer(connection) => connection,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Self::Reader { connection, store } = self
            && let Some(connection) = connection.take()
        {
            store.readers().push(connection);
        }
    }
}

struct SqliteTxn<'a> {
    connection: Held<'a>,
    open: bool,
}

impl Native for SqliteTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        let mut statement = self.connection.get().prepare_cached(GET).map_err(refused)?;
        statement.query_row(params![key], |row| row.get(0)).optional().map_err(busy_or(refused))
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        let limit = i64::try_from(limit).unwrap_or(-1);
        let order = if reverse { "DESC" } else { "ASC" };
        match &range.end {
            Some(end) => self.rows(
                &format!(
                    "SELECT key, value FROM data WHERE key >= ?1 AND key < ?2 ORDER BY key {order} LIMIT ?3"
                ),
                params![range.start, end, limit],
            ),
            None => self.rows(
                &format!("SELECT key, value FROM data WHERE key >= ?1 ORDER BY key {order} LIMIT ?2"),
                params![range.start, limit],
            ),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.execute(PUT, params![key, value])
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.execute("DELETE FROM data WHERE key = ?1", params![key])
    }

    fn commit(mut self) -> Result<()> {
        self.connection.get().execute_batch("COMMIT").map_err(busy_or(unknown))?;
        self.open = false;
        Ok(())
    }
}

impl SqliteTxn<'_> {
    fn rows(&self, query: &str, parameters: impl Params) -> Result<Vec<(Key, Bytes)>> {
        let mut statement = self.connection.get().prepare_cached(query).map_err(refused)?;
        let entry = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows = statement.query_map(parameters, entry).map_err(busy_or(refused))?;
        rows.map(|row| row.map_err(busy_or(refused))).collect()
    }

    fn execute(&self, statement: &str, parameters: impl Params) -> Result<()> {
        let mut statement = self.connection.get().prepare_cached(statement).map_err(refused)?;
        statement.execute(parameters).map(|_| ()).map_err(busy_or(refused))
    }
}

impl Drop for SqliteTxn<'_> {
    fn drop(&mut self) {
        if self.open {
            // Without a transaction to roll back, the connection is as it should be.
            let _ = self.connection.get().execute_batch("ROLLBACK");
        }
    }
}

/// Converts an error: a lock that was not granted in time is a conflict with another writer.
fn busy_or(
    otherwise: fn(rusqlite::Error) -> stormproof_workloads::store::StoreError,
) -> impl Fn(rusqlite::Error) -> stormproof_workloads::store::StoreError {
    move |error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => conflict(),
        _ => otherwise(error),
    }
}
