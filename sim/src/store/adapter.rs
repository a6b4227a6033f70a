//! The engine as a [`Store`]: one source, compiled for the twin and for the production engine.
//!
//! Job: translate calls, values and errors. Not its job: deciding, waiting or remembering anything.
//!
//! Workloads know keys and bytes only. A stream is the engine's event log of that name, a machine its state
//! machine of that name, and an empty value is the engine's null: so all three are stored as users store
//! them. Conflicts on their keys name the key that histories have for them ([`stream_key`], [`machine_key`]).

use std::borrow::BorrowMut;
use std::fmt;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_workloads::store::{
    Body, Capabilities, Committed, Conflict, ConflictKind, Entry, Expected, Isolation, Iterated, Pull, Range,
    Read, Result, Retry, RunHandle, Store, StoreError, StoreTxn, StoreWatch, StreamEvent, TxnOptions,
    WatchRequest, Watched, WatchedCommit, machine_key, stream_key,
};

use super::engine::runtime::sync::{Condvar, Mutex};
use super::engine::runtime::time;
use super::engine::{
    self, Commit, ConflictInfo, Database, DatabaseBuilder, Durability, Error, EventLog, IntoKey, Key,
    KeyRange, RetryPolicy, RunId, RunOptions, StateMachine, Transaction, TransactionOptions, TypeTag, Value,
    Version, WatchOptions,
};
use crate::plan::{DurabilityPlan, Edge, EnginePlan};

/// Returns how a plan has the engine opened, but for where.
pub fn builder(plan: &EnginePlan) -> DatabaseBuilder {
    let micros = Duration::from_micros;
    let durability = match plan.durability {
        DurabilityPlan::Strict => Durability::Strict,
        DurabilityPlan::Pipelined => Durability::Pipelined,
        DurabilityPlan::Batched { interval_micros, commits_max } => {
            Durability::Batched { interval: micros(interval_micros), commits_max }
        }
        DurabilityPlan::Async { interval_micros } => Durability::Async { interval: micros(interval_micros) },
    };
    let isolation = match plan.isolation {
        Isolation::Serializable => engine::Isolation::Serializable,
        Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
    };
    let builder = Database::builder()
        .isolation(isolation)
        .index_leaf(plan.page_entries, plan.journal_records)
        .snapshot_generations(plan.snapshot_generations)
        .collect_every(plan.collect_every)
        .maintenance_interval(micros(plan.maintenance_interval_micros))
        .recovery_threads(plan.recovery_threads)
        .durability(durability)
        .segment_bytes_max(plan.segment_bytes)
        .allocate_bytes(plan.allocate_bytes);
    let builder = match plan.ended_runs_max {
        Some(runs) => builder.ended_runs_max(runs),
        None => builder,
    };
    let builder =
        if plan.checkpoint_bytes > 0 { builder.checkpoint_log_bytes(plan.checkpoint_bytes) } else { builder };
    plan.edges.iter().fold(builder, at_edge)
}

/// With a setting at an end of its range.
fn at_edge(builder: DatabaseBuilder, edge: &Edge) -> DatabaseBuilder {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
    match edge {
        Edge::SegmentBytesLeast => builder.segment_bytes_max(256),
        Edge::SegmentBytesMost => builder.segment_bytes_max(1 << 40),
        Edge::AllocateBytesMost => builder.allocate_bytes(1 << 30),
        Edge::LogBufferBytesLeast => builder.log_buffer_bytes_max(1 << 10),
        Edge::LogBufferBytesMost => builder.log_buffer_bytes_max(1 << 31),
        Edge::CheckpointLogBytesLeast => builder.checkpoint_log_bytes(1 << 10),
        Edge::CheckpointSegmentsLeast => builder.checkpoint_segments(1),
        Edge::CheckpointSegmentsMost => builder.checkpoint_segments(usize::MAX),
        Edge::CheckpointIntervalLeast => builder.checkpoint_interval(Duration::from_millis(1)),
        Edge::IndexLeafLeast => builder.index_leaf(2, 2),
        Edge::CollectEveryMost => builder.collect_every(u64::MAX),
        Edge::MaintenanceIntervalLeast => builder.maintenance_interval(Duration::from_micros(100)),
        Edge::EndedRunsAgeLeast => builder.ended_runs_age_max(Duration::ZERO),
        Edge::EndedRunsAgeMost => builder.ended_runs_age_max(YEAR),
        Edge::LimitsMost => builder.writes_max(usize::MAX).bytes_max(usize::MAX).key_bytes_max((1 << 24) - 1),
    }
}

/// Opens another database, by its name.
pub type Siblings = Arc<dyn Fn(&str) -> engine::Result<Database> + Send + Sync>;

/// A database with the run in which clients write that name none.
#[derive(Clone)]
pub struct EngineStore {
    database: Database,
    run: RunId,
    wait_durable_every: u64,
    siblings: Option<Siblings>,
}

impl fmt::Debug for EngineStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineStore").field("database", &self.database).field("run", &self.run).finish()
    }
}

impl EngineStore {
    /// Begins a run in `database`, and offers it as a store. Of every `wait_durable_every` commits one waits
    /// until it is durable, where the mode leaves that to the caller; none if that is 0.
    ///
    /// # Errors
    /// When the run can't be begun.
    pub fn new(database: Database, wait_durable_every: u64) -> engine::Result<Self> {
        let run = database.begin_run()?;
        Ok(Self { database, run, wait_durable_every, siblings: None })
    }

    /// Databases beside it are opened like this. Without it there are none.
    #[must_use]
    pub fn with_siblings(self, siblings: Siblings) -> Self {
        Self { siblings: Some(siblings), ..self }
    }

    /// Returns what such a store can do, if it has siblings.
    pub fn can() -> Capabilities {
        Capabilities {
            versions: true,
            ttl: true,
            event_streams: true,
            state_machines: true,
            runs: true,
            retention: super::RETENTION,
            siblings: true,
            retries: true,
            watches: true,
            ..Capabilities::default()
        }
    }

    /// Returns the database.
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
        let run = self.run_of(options.run.as_ref())?;
        let txn = self.database.begin_transaction_with(run, &wanted(options)).map_err(error)?;
        Ok(Box::new(EngineTxn { txn, wait_durable_every: self.wait_durable_every }))
    }

    fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
        let run = self.run_of(options.run.as_ref())?;
        let wanted = wanted(options).retry(policy(retry));
        let wait_durable_every = self.wait_durable_every;
        let done = self.database.try_transaction_with_commit(run, &wanted, |txn| {
            body(&mut EngineTxn { txn, wait_durable_every }).map_err(Told)
        });
        match done {
            Ok(((), commit)) => Ok(committed(&commit, wait_durable_every)),
            Err(Told(error)) => Err(error),
        }
    }

    fn flush(&self) -> Result<()> {
        self.database.flush().map_err(error)
    }

    fn name(&self) -> String {
        "stormproof".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { siblings: self.siblings.is_some(), ..Self::can() }
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

    fn forget_run(&self, run: &RunHandle) -> Result<()> {
        self.database.forget_run(self.run_of(Some(run))?).map_err(error)
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        let open = self.siblings.as_ref();
        let open = open.ok_or_else(|| StoreError::Refused("this store opens no others".into()))?;
        let database = open(name).map_err(error)?;
        Ok(Box::new(Self::new(database, self.wait_durable_every).map_err(error)?))
    }

    fn watch(&self, request: &WatchRequest) -> Result<Box<dyn StoreWatch + '_>> {
        let mut options = WatchOptions::new().bytes_max(request.bytes_max);
        if let Some(after) = request.after {
            options = options.after(Version::new(after));
        }
        if request.durable {
            options = options.durable();
        }
        let range = KeyRange::prefix(&request.prefix);
        let watch = self.database.watch_with(range, &options).map_err(error)?;
        Ok(Box::new(EngineWatch { watch, polled: request.polled }))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.database.close().map_err(error)
    }
}

/// A watch of the engine.
struct EngineWatch {
    watch: engine::Watch,
    polled: bool,
}

impl EngineWatch {
    /// Polls as an executor does, until `timeout` has passed.
    fn poll_until(&mut self, timeout: Duration) -> engine::Result<Option<engine::WatchedCommit>> {
        let deadline = time::now().saturating_add(timeout);
        let signal =
            Arc::new(Signal { woken: Mutex::new("watcher.woken", false), wake: Condvar::new("watcher") });
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            match self.watch.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(Err(error))) => return Err(error),
                Poll::Ready(Some(Ok(commit))) => return Ok(Some(commit)),
                // Behind an error the sequence has ended, and this tells it again.
                Poll::Ready(None) => return self.watch.try_next(),
                Poll::Pending => {}
            }
            if !signal.wait_until(deadline) {
                return Ok(None);
            }
        }
    }
}

/// Wakes a thread that polls.
struct Signal {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Signal {
    /// Whether the wake-up came before the deadline.
    fn wait_until(&self, deadline: time::Instant) -> bool {
        let mut woken = self.woken.lock();
        while !std::mem::take(&mut *woken) {
            if time::now() >= deadline {
                return false;
            }
            self.wake.wait_until(&mut woken, deadline);
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.wake.notify_one();
    }
}

impl StoreWatch for EngineWatch {
    fn next(&mut self, timeout: Duration) -> Result<Watched> {
        let found = if self.polled { self.poll_until(timeout) } else { self.watch.next_timeout(timeout) };
        match found {
            Ok(None) => Ok(Watched::Quiet),
            Ok(Some(commit)) => {
                let write = |write: engine::WatchedWrite| {
                    Ok((write.key.user_key().to_vec(), write.value.as_ref().map(bytes).transpose()?))
                };
                let writes = commit.writes.into_iter().map(write).collect::<Result<_>>()?;
                Ok(Watched::Commit(WatchedCommit { version: commit.version.get(), writes }))
            }
            Err(Error::WatchBehind { read_at, .. }) => Ok(Watched::Behind { read_at: read_at.get() }),
            Err(failed) => Err(error(failed)),
        }
    }

    fn skip_to(&mut self, version: u64) -> Result<()> {
        self.watch.skip_to(Version::new(version)).map_err(error)
    }

    fn position(&self) -> u64 {
        self.watch.position().get()
    }
}

/// A transaction of the engine, or one that its loop has lent.
struct EngineTxn<T> {
    txn: T,
    wait_durable_every: u64,
}

/// A transaction that is owned, and can be ended, or lent, and can't.
trait Held: BorrowMut<Transaction> {
    fn commit(self) -> engine::Result<Commit>;
    fn abort(self);
}

impl Held for Transaction {
    fn commit(self) -> engine::Result<Commit> {
        self.commit()
    }

    fn abort(self) {
        self.abort();
    }
}

impl Held for &mut Transaction {
    fn commit(self) -> engine::Result<Commit> {
        Err(Error::Invalid("the loop commits the transaction that it has lent".into()))
    }

    fn abort(self) {}
}

/// The error of a closure: what its client was told.
struct Told(StoreError);

impl From<Error> for Told {
    fn from(failed: Error) -> Self {
        Self(error(failed))
    }
}

impl<T: BorrowMut<Transaction>> EngineTxn<T> {
    fn ask<R>(&mut self, question: impl FnOnce(&mut Transaction) -> engine::Result<R>) -> Result<R> {
        question(self.txn.borrow_mut()).map_err(error)
    }
}

impl<T: Held> StoreTxn for EngineTxn<T> {
    fn start_version(&self) -> Option<u64> {
        Some(self.txn.borrow().start_version().get())
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        let found = self.ask(|txn| txn.get_versioned(key))?;
        let value = found.value.as_ref().map(bytes).transpose()?;
        Ok(Read { value, version: found.version.map(Version::get) })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.ask(|txn| {
            let range = txn.range(key_range(range))?.limit(limit.unwrap_or(usize::MAX));
            Ok(if reverse { range.rev().map(entry).collect() } else { range.map(entry).collect() })
        })?
    }

    fn iterate(&mut self, range: &Range, pulls: &[Pull]) -> Result<Iterated> {
        self.ask(|txn| {
            let mut found = txn.range(key_range(range))?;
            let mut next = |back: bool| if back { found.next_back() } else { found.next() };
            Ok(Iterated::pull(pulls, |back| next(back).map(entry)))
        })?
    }

    fn page(
        &mut self,
        range: &Range,
        cursor: Option<&[u8]>,
        size: usize,
        reverse: bool,
    ) -> Result<Vec<Entry>> {
        self.ask(|txn| {
            let found = txn.range(key_range(range))?;
            let found = match cursor {
                Some(key) if reverse => found.before(key),
                Some(key) => found.after(key),
                None => found,
            };
            let page = found.limit(size);
            Ok(if reverse { page.rev().map(entry).collect() } else { page.map(entry).collect() })
        })?
    }

    fn count(&mut self, range: &Range) -> Result<usize> {
        self.ask(|txn| Ok(txn.range(key_range(range))?.keys().count()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.ask(|txn| txn.put(key, stored(value)))
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.ask(|txn| txn.delete(key))
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.ask(|txn| match expected {
            Expected::Version(version) => txn.cas(key, Version::new(*version), stored(value)),
            Expected::Value(old) => txn.compare_and_set(key, stored(old), stored(value)),
            Expected::Absent => txn.insert(key, stored(value)),
        })
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.ask(|txn| txn.put_with_ttl(key, stored(value), ttl))
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.ask(|txn| EventLog::new(stream).append(txn, stored(payload)))
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let events = self.ask(|txn| EventLog::new(stream).read(txn, ..))?;
        let event = |event: engine::Event| {
            Ok(StreamEvent { sequence: event.sequence, payload: bytes(&event.value)? })
        };
        events.into_iter().map(event).collect()
    }

    fn truncate_events(&mut self, stream: &str, before: u64) -> Result<()> {
        self.ask(|txn| EventLog::new(stream).truncate_before(txn, before)).map(drop)
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        self.ask(|txn| EventLog::new(stream).verify(txn))
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.ask(|txn| machines(state, None)?.create(txn, machine))
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        let (state, version) = self.ask(|txn| machines("", None)?.state_versioned(txn, machine))?;
        Ok(Read { value: state.map(String::into_bytes), version: version.map(Version::get) })
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.ask(|txn| machines(from, Some(to))?.transition(txn, machine, &from.to_owned(), &to.to_owned()))
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        let Self { txn, wait_durable_every } = *self;
        txn.commit().map(|commit| committed(&commit, wait_durable_every)).map_err(error)
    }

    fn abort(self: Box<Self>) {
        self.txn.abort();
    }
}

fn wanted(options: &TxnOptions) -> TransactionOptions {
    let isolation = match options.isolation {
        Isolation::Serializable => engine::Isolation::Serializable,
        Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
    };
    let wanted = TransactionOptions::new().isolation(isolation);
    if options.read_only { wanted.read_only() } else { wanted }
}

/// Soon with a pause, and soon alone: so that few attempts come to all that the loop has.
fn policy(retry: Retry) -> RetryPolicy {
    RetryPolicy::new()
        .attempts_max(retry.attempts_max)
        .immediate(1)
        .pause_min(Duration::from_micros(retry.backoff_micros))
        .pause_max(Duration::from_micros(retry.backoff_micros_max))
        .alone_after(2)
}

/// A commit; every n-th waits until it is durable.
fn committed(commit: &Commit, wait_durable_every: u64) -> Committed {
    let version = commit.version().map(Version::get);
    let waits =
        version.is_some_and(|version| wait_durable_every > 0 && version.is_multiple_of(wait_durable_every));
    // An ack stays an ack when it is no longer known whether it is durable.
    let durable =
        if waits { commit.wait_durable().is_ok() } else { commit.ticket().is_durable().unwrap_or(false) };
    Committed { version, durable }
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

/// State machines that may do what is asked for: which transitions there are is for a workload to say.
fn machines(from: &str, to: Option<&str>) -> engine::Result<StateMachine<String>> {
    let mut builder = StateMachine::builder(MACHINES).initial(from.to_owned());
    if let Some(to) = to {
        builder = builder.transition(from.to_owned(), to.to_owned());
    }
    builder.build()
}

/// The kind of all machines.
const MACHINES: &str = "machine";

/// Returns what is stored for the bytes of a workload.
fn stored(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { Value::from(bytes) }
}

fn entry(found: engine::Entry) -> Result<Entry> {
    Ok(Entry {
        key: found.user_key().to_vec(),
        value: bytes(&found.to_value())?,
        version: found.version().map(Version::get),
    })
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::Null => Ok(Vec::new()),
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
        other => unreachable!("a kind of conflict that histories do not have: {other}"),
    };
    Conflict { kind, key: recorded(key), winner: Some(winner.get()) }
}

/// Returns the key under which histories have what is stored there.
fn recorded(key: &Key) -> Vec<u8> {
    let user = key.user_key();
    match key.tag() {
        // The stream's name, and the event's number after it.
        Some(TypeTag::Event) => stream_key(&first_name(user)),
        // The kind, and the machine's name after it.
        Some(TypeTag::State) => {
            machine_key(&first_name(&user[(MACHINES.len() + END.len()).min(user.len())..]))
        }
        _ => user.to_vec(),
    }
}

/// Ends a name inside of a key. Workloads have no names with zero bytes.
const END: &[u8] = &[0, 1];

fn first_name(bytes: &[u8]) -> String {
    let end = bytes.windows(END.len()).position(|window| window == END).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
