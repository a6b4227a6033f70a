//! The engine as a [`Store`]: one source, compiled for the twin and for the production engine.
//!
//! Job: translate calls, values and errors. Not its job: deciding, waiting or remembering anything.

use std::time::Duration;

use stormproof_workloads::store::{
    Capabilities, Committed, Conflict, ConflictKind, Entry, Expected, Isolation, Range, Read, Result,
    RunHandle, Store, StoreError, StoreTxn, TxnOptions,
};

use super::engine::{
    self, ConflictInfo, Database, Error, IntoKey, Key, KeyRange, RunId, RunOptions, ScanOptions, Transaction,
    TransactionOptions, Value, Version,
};

/// A database with the run in which clients write that name none.
#[derive(Clone, Debug)]
pub struct EngineStore {
    database: Database,
    run: RunId,
    wait_durable_every: u64,
}

impl EngineStore {
    /// Begins a run in `database`, and offers it as a store. Of every `wait_durable_every` commits one waits until it
    /// is durable, where the mode leaves that to the caller; none if that is 0.
    ///
    /// # Errors
    /// When the run can't be begun.
    pub fn new(database: Database, wait_durable_every: u64) -> engine::Result<Self> {
        let run = database.begin_run()?;
        Ok(Self { database, run, wait_durable_every })
    }

    /// What every such store can do.
    pub fn can() -> Capabilities {
        Capabilities { versions: true, ttl: true, runs: true, ..Capabilities::default() }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    fn run_of(&self, handle: Option<&RunHandle>) -> Result<RunId> {
        match handle {
            None => Ok(self.run),
            Some(RunHandle(text)) => {
                text.parse().map_err(|_| StoreError::Refused(format!("{text} is not a run of this database")))
            }
        }
    }
}

impl Store for EngineStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let isolation = match options.isolation {
            Isolation::Serializable => engine::Isolation::Serializable,
            Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
        };
        let mut wanted = TransactionOptions::new().isolation(isolation);
        if options.read_only {
            wanted = wanted.read_only();
        }
        let run = self.run_of(options.run.as_ref())?;
        let txn = self.database.begin_transaction_with(run, &wanted).map_err(error)?;
        Ok(Box::new(EngineTxn { txn, wait_durable_every: self.wait_durable_every }))
    }

    fn flush(&self) -> Result<()> {
        self.database.flush().map_err(error)
    }

    fn name(&self) -> String {
        "stormproof".into()
    }

    fn capabilities(&self) -> Capabilities {
        Self::can()
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        let mut options = RunOptions::new();
        if parent.is_some() {
            options = options.parent(self.run_of(parent)?);
        }
        let run = self.database.begin_run_with(options).map_err(error)?;
        Ok(RunHandle(run.to_string()))
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        self.database.end_run(self.run_of(Some(run))?).map_err(error)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.database.close().map_err(error)
    }
}

struct EngineTxn {
    txn: Transaction,
    wait_durable_every: u64,
}

impl StoreTxn for EngineTxn {
    fn start_version(&self) -> Option<u64> {
        Some(self.txn.start_version().get())
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        let found = self.txn.get_versioned(key).map_err(error)?;
        let value = found.value.as_ref().map(bytes).transpose()?;
        Ok(Read { value, version: found.version.map(Version::get) })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        let mut options = ScanOptions::new();
        if let Some(limit) = limit {
            options = options.limit(limit);
        }
        if reverse {
            options = options.reverse();
        }
        let found = self.txn.scan_with(key_range(range), options).map_err(error)?;
        let entry = |entry: engine::Entry| {
            Ok(Entry {
                key: entry.key.user_key().to_vec(),
                value: bytes(&entry.value)?,
                version: entry.version.map(Version::get),
            })
        };
        found.into_iter().map(entry).collect()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.put(key, value).map_err(error)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.txn.delete(key).map_err(error)
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        match expected {
            Expected::Version(version) => self.txn.cas(key, Version::new(*version), value),
            Expected::Value(old) => self.txn.compare_and_set(key, old.as_slice(), value),
            Expected::Absent => self.txn.insert(key, value),
        }
        .map_err(error)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.txn.put_with_ttl(key, value, ttl).map_err(error)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed> {
        let commit = self.txn.commit().map_err(error)?;
        let version = commit.version().map(Version::get);
        let waits = version.is_some_and(|version| {
            self.wait_durable_every > 0 && version.is_multiple_of(self.wait_durable_every)
        });
        // An ack stays an ack when nobody can say any more whether it is durable.
        let durable =
            if waits { commit.wait_durable().is_ok() } else { commit.ticket().is_durable().unwrap_or(false) };
        Ok(Committed { version, durable })
    }

    fn abort(mut self: Box<Self>) {
        self.txn.abort();
    }
}

/// Keys of workloads are plain keys of the shared namespace; a range without an end stops where these do.
fn key_range(range: &Range) -> KeyRange {
    let start = range.start.as_slice().into_key();
    let end = match &range.end {
        Some(end) => Some(end.as_slice().into_key()),
        None => KeyRange::prefix("").end().cloned(),
    };
    match end {
        Some(end) => KeyRange::between(start, end),
        None => KeyRange::prefix(start.user_key()),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Err(StoreError::Refused(format!("a value is a {}, not bytes", other.type_name()))),
    }
}

fn error(error: Error) -> StoreError {
    let text = error.to_string();
    match error {
        Error::Conflict(conflicts) | Error::MaxRetriesExceeded { conflicts, .. } => {
            StoreError::Conflict(conflicts.iter().map(conflict).collect())
        }
        Error::Indeterminate { .. } => StoreError::Indeterminate(text),
        Error::Poisoned { .. } | Error::Closed => StoreError::Closed(text),
        // Nothing happened, and it may work later.
        Error::DiskFull { .. } | Error::Io { .. } => StoreError::Full(text),
        _ => StoreError::Refused(text),
    }
}

fn conflict(info: &ConflictInfo) -> Conflict {
    let (kind, key, winner): (_, &Key, _) = match info {
        ConflictInfo::ReadConflict { key, current, .. } => (ConflictKind::Read, key, current),
        ConflictInfo::WriteConflict { key, current, .. } => (ConflictKind::Write, key, current),
        ConflictInfo::CasConflict { key, current, .. } => (ConflictKind::Cas, key, current),
        ConflictInfo::RangeConflict { start, current, .. } => (ConflictKind::Range, start, current),
    };
    Conflict { kind, key: key.user_key().to_vec(), winner: Some(winner.get()) }
}
