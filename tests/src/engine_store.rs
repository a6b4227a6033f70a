//! The production engine as a [`Store`], with its own event logs and state machines.
//!
//! Job: translate calls, values and errors. Not its job: deciding, waiting or remembering anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stormproof::{
    ConflictInfo, Database, Error, EventLog, IntoKey, Isolation, KeyRange, RunId, RunOptions, ScanOptions,
    StateMachine, Transaction, TransactionOptions, Value, Version,
};
use stormproof_workloads::store::{
    self, Capabilities, Committed, Conflict, ConflictKind, Entry, Expected, Range, Read, Result, RunHandle,
    Store, StoreError, StoreTxn, StreamEvent, TxnOptions,
};

/// A database, and the run in which clients write that name none.
#[derive(Clone, Debug)]
pub struct EngineStore {
    database: Database,
    run: RunId,
    siblings: PathBuf,
}

impl EngineStore {
    /// Begins a run in `database`, and offers it as a store; databases beside it are directories in `siblings`.
    ///
    /// # Errors
    /// When the run can't be begun.
    pub fn new(database: Database, siblings: &Path) -> stormproof::Result<Self> {
        let run = database.begin_run()?;
        Ok(Self { database, run, siblings: siblings.to_owned() })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    fn run_of(&self, handle: Option<&RunHandle>) -> Result<RunId> {
        match handle {
            None => Ok(self.run),
            Some(RunHandle(name)) => {
                name.parse().map_err(|_| StoreError::Refused(format!("{name} is not the id of a run")))
            }
        }
    }
}

impl Store for EngineStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let isolation = match options.isolation {
            store::Isolation::Serializable => Isolation::Serializable,
            store::Isolation::Snapshot | store::Isolation::ReadCommitted => Isolation::Snapshot,
        };
        let mut wanted = TransactionOptions::new().isolation(isolation);
        if options.read_only {
            wanted = wanted.read_only();
        }
        let run = self.run_of(options.run.as_ref())?;
        let txn = self.database.begin_transaction_with(run, &wanted).map_err(translate)?;
        Ok(Box::new(EngineTxn { txn }))
    }

    fn flush(&self) -> Result<()> {
        self.database.flush().map_err(translate)
    }

    fn name(&self) -> String {
        "stormproof".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            ttl: true,
            event_streams: true,
            state_machines: true,
            runs: true,
            siblings: true,
            ..Capabilities::default()
        }
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        let mut options = RunOptions::new();
        if parent.is_some() {
            options = options.parent(self.run_of(parent)?);
        }
        let run = self.database.begin_run_with(options).map_err(translate)?;
        Ok(RunHandle(run.to_string()))
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        self.database.end_run(self.run_of(Some(run))?).map_err(translate)
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        let database = Database::open(self.siblings.join(name)).map_err(translate)?;
        Ok(Box::new(Self::new(database, &self.siblings).map_err(translate)?))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.database.close().map_err(translate)
    }
}

struct EngineTxn {
    txn: Transaction,
}

impl StoreTxn for EngineTxn {
    fn start_version(&self) -> Option<store::Version> {
        Some(self.txn.start_version().get())
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        let found = self.txn.get_versioned(key).map_err(translate)?;
        Ok(Read { value: found.value.map(bytes).transpose()?, version: found.version.map(Version::get) })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        let mut options = ScanOptions::new();
        if let Some(limit) = limit {
            options = options.limit(limit);
        }
        if reverse {
            options = options.reverse();
        }
        let found = self.txn.scan_with(key_range(range), options).map_err(translate)?;
        let entry = |found: stormproof::Entry| {
            Ok(Entry {
                key: found.key.user_key().to_vec(),
                value: bytes(found.value)?,
                version: found.version.map(Version::get),
            })
        };
        found.into_iter().map(entry).collect()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.put(key, value).map_err(translate)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.txn.delete(key).map_err(translate)
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        let answer = match expected {
            Expected::Version(version) => self.txn.cas(key, Version::new(*version), value),
            Expected::Value(old) => self.txn.compare_and_set(key, old.as_slice(), value),
            Expected::Absent => self.txn.insert(key, value),
        };
        answer.map_err(translate)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.txn.put_with_ttl(key, value, ttl).map_err(translate)
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        EventLog::new(stream).append(&mut self.txn, payload).map_err(translate)
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let events = EventLog::new(stream).read(&mut self.txn, ..).map_err(translate)?;
        let event = |event: stormproof::Event| {
            Ok(StreamEvent { sequence: event.sequence, payload: bytes(event.value)? })
        };
        events.into_iter().map(event).collect()
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        EventLog::new(stream).verify(&mut self.txn).map_err(translate)
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        machines(state, None).and_then(|machines| machines.create(&mut self.txn, machine)).map_err(translate)
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        let state = machines("", None).and_then(|machines| machines.state(&mut self.txn, machine));
        Ok(Read { value: state.map_err(translate)?.map(String::into_bytes), version: None })
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        let machines = machines(from, Some(to)).map_err(translate)?;
        machines.transition(&mut self.txn, machine, &from.to_owned(), &to.to_owned()).map_err(translate)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed> {
        let commit = self.txn.commit().map_err(translate)?;
        // Not known to be durable is not durable.
        let durable = commit.ticket().is_durable().unwrap_or(false);
        Ok(Committed { version: commit.version().map(Version::get), durable })
    }

    fn abort(mut self: Box<Self>) {
        self.txn.abort();
    }
}

/// State machines that may do what is asked for: which transitions there are is for a workload to say.
fn machines(from: &str, to: Option<&str>) -> stormproof::Result<StateMachine<String>> {
    let mut builder = StateMachine::builder("machine").initial(from.to_owned());
    if let Some(to) = to {
        builder = builder.transition(from.to_owned(), to.to_owned());
    }
    builder.build()
}

/// Keys of workloads are plain keys of the shared namespace; a range without an end stops where these do.
fn key_range(range: &Range) -> KeyRange {
    let shared = KeyRange::from(..);
    let start = range.start.as_slice().into_key();
    match (&range.end, shared.end()) {
        (Some(end), _) => KeyRange::between(start, end.as_slice().into_key()),
        (None, Some(end)) => KeyRange::between(start, end.clone()),
        (None, None) => shared,
    }
}

fn bytes(value: Value) -> Result<Vec<u8>> {
    Vec::<u8>::try_from(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn translate(error: Error) -> StoreError {
    let why = error.to_string();
    match error {
        Error::Conflict(conflicts) | Error::MaxRetriesExceeded { conflicts, .. } => {
            StoreError::Conflict(conflicts.iter().map(conflict).collect())
        }
        Error::Indeterminate { .. } => StoreError::Indeterminate(why),
        Error::Poisoned { .. } | Error::Closed => StoreError::Closed(why),
        Error::DiskFull { .. } => StoreError::Full(why),
        _ => StoreError::Refused(why),
    }
}

fn conflict(info: &ConflictInfo) -> Conflict {
    let (kind, key) = match info {
        ConflictInfo::ReadConflict { key, .. } => (ConflictKind::Read, key),
        ConflictInfo::WriteConflict { key, .. } => (ConflictKind::Write, key),
        ConflictInfo::CasConflict { key, .. } => (ConflictKind::Cas, key),
        ConflictInfo::RangeConflict { start, .. } => (ConflictKind::Range, start),
    };
    Conflict { kind, key: key.user_key().to_vec(), winner: Some(info.current().get()) }
}
