//! Records what an application's transactions do, as the engine reports it, for the oracle and the page.
//!
//! Job: events of the engine become events of the history. Not its job: judging it. What the history has no
//! form for is left out, which the oracle never holds against the store: reads of parts of event logs, ranges
//! in namespaces of their own, keys that begin with the byte 254 or 255.
#![expect(
    clippy::disallowed_types,
    reason = "bookkeeping outside of the simulated world: locked between two scheduling points only"
)]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stormproof::{
    CasExpectation, ConflictInfo, Durability, Entry, Isolation, Key, Observed, Observer, TxnId, Value,
    Version,
};
use stormproof_rt_shuttle::life;
use stormproof_sim::inspector::INSPECTOR;
use stormproof_sim::plan::DurabilityPlan;
use stormproof_sim::run::ProgramLife;
use stormproof_workloads::Environment as _;
use stormproof_workloads::history::{Op, Session, TxnIndex};
use stormproof_workloads::store::{
    self, Bytes, Committed, Conflict, ConflictKind, Expected, Isolation as AskedIsolation, Read,
};

use crate::recorded_keys::{KV_END, is_kv, recorded, scanned, stream_of, whole_stream};

/// Records one database of one life.
#[derive(Debug)]
pub(crate) struct Historian {
    life: ProgramLife,
    open: Mutex<BTreeMap<TxnId, Open>>,
}

/// A transaction under way.
#[derive(Debug)]
struct Open {
    index: TxnIndex,
    /// What it has appended itself, by stream: reads of the stream see it after the rest.
    appended: BTreeMap<store::Key, Vec<Bytes>>,
}

impl Historian {
    pub(crate) fn new(life: ProgramLife) -> Self {
        Self { life, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<TxnId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the session of the task that runs; none when the life is over, and tasks are only unwound.
    fn session(&self) -> Option<Session> {
        Some(self.life.world.application.session_of(life::task()?))
    }

    fn begin(&self, session: Session, called: u64, start: Option<Version>, isolation: Isolation) -> TxnIndex {
        let isolation = match isolation {
            Isolation::Serializable => AskedIsolation::Serializable,
            _ => AskedIsolation::Snapshot,
        };
        let start = start.map(Version::get);
        self.life.world.recorder.begin(session, self.life.number, called, start, isolation)
    }

    fn commit_at_once(&self, txn: TxnIndex) {
        self.life.world.recorder.commit(txn);
        self.life.world.recorder.committed(txn, &Committed::default());
    }

    fn op(&self, txn: TxnId, op: Option<Op>) {
        let open = self.open();
        if let Some((open, op)) = open.get(&txn).zip(op) {
            self.life.world.recorder.op(open.index, op);
        }
    }

    fn scanned(&self, txn: TxnId, range: &stormproof::KeyRange, reverse: bool, entries: &[Entry]) {
        if let Some(stream) = whole_stream(range) {
            if !reverse {
                let own = self.open().get(&txn).and_then(|open| open.appended.get(&stream).cloned());
                let elements = elements(entries).into_iter().chain(own.unwrap_or_default()).collect();
                self.op(txn, Some(Op::List { key: stream, elements, version: None }));
            }
            return;
        }
        let Some(range) = scanned(range) else { return };
        let entries = entries.iter().filter_map(|entry| is_kv(entry.key()).then(|| recorded_entry(entry))?);
        self.op(txn, Some(Op::Scan { range, limit: None, reverse, entries: entries.collect() }));
    }

    fn ended(&self, txn: TxnId, end: impl FnOnce(TxnIndex)) {
        if let Some(open) = self.open().remove(&txn) {
            end(open.index);
        }
    }
}

impl Observer for Historian {
    fn now(&self) -> u64 {
        self.life.world.recorder.tick()
    }

    /// Puts the whole database on record, as one more client that reads it.
    fn opened(&self, durability: Durability, version: Version, entries: Vec<Entry>) {
        if life::task().is_none() {
            return;
        }
        self.life.opened();
        self.life.world.application.opened(plan_of(durability));
        let recorder = &self.life.world.recorder;
        let txn = self.begin(INSPECTOR, recorder.tick(), Some(version), Isolation::Serializable);
        let kv = entries.iter().filter(|entry| is_kv(entry.key())).filter_map(recorded_entry).collect();
        let range = store::Range { start: Vec::new(), end: Some(KV_END.to_vec()) };
        recorder.op(txn, Op::Scan { range, limit: None, reverse: false, entries: kv });
        let mut streams: BTreeMap<store::Key, Vec<Entry>> = BTreeMap::new();
        for entry in entries.into_iter().filter(|entry| !is_kv(entry.key())) {
            if let Some(stream) = stream_of(entry.key()) {
                streams.entry(stream).or_default().push(entry);
            } else if let Some(store::Entry { key, value, version }) = recorded_entry(&entry) {
                recorder.op(txn, Op::Get { key, read: Read { value: Some(value), version } });
            }
        }
        for (key, entries) in streams {
            recorder.op(txn, Op::List { key, elements: elements(&entries), version: None });
        }
        self.commit_at_once(txn);
    }

    fn observe(&self, txn: TxnId, what: Observed<'_>) {
        let Some(session) = self.session() else { return };
        let recorder = &self.life.world.recorder;
        match what {
            Observed::Begun { called, start_version, isolation } => {
                let index = self.begin(session, called, Some(start_version), isolation);
                self.open().insert(txn, Open { index, appended: BTreeMap::new() });
            }
            Observed::Read { key, value, version } => {
                let read = Read { value: value.as_ref().map(bytes), version: version.map(Version::get) };
                self.op(txn, recorded(key).map(|key| Op::Get { key, read }));
            }
            Observed::Scanned { range, reverse, entries } => self.scanned(txn, range, reverse, &entries),
            Observed::Written { key, value, expires_at, condition } => {
                let now = self.life.world.client_time.wall();
                let ttl_ms = expires_at.map(|at| at.0.saturating_sub(now.as_millis() as u64));
                self.op(txn, recorded(key).map(|key| write(key, value, ttl_ms, condition)));
            }
            Observed::Appended { stream, value } => {
                let (Some(key), element) = (stream_of(stream), bytes(value)) else { return };
                if let Some(open) = self.open().get_mut(&txn) {
                    open.appended.entry(key.clone()).or_default().push(element.clone());
                }
                self.op(txn, Some(Op::Append { key, element }));
            }
            Observed::CommitCalled => {
                if let Some(open) = self.open().get(&txn) {
                    recorder.commit(open.index);
                }
            }
            Observed::Committed { version, durable } => self.ended(txn, |index| {
                recorder.committed(index, &Committed { version: version.map(Version::get), durable });
            }),
            Observed::Aborted { conflicts } => self.ended(txn, |index| {
                recorder.aborted(index, conflicts.iter().filter_map(conflict).collect());
            }),
            Observed::Indeterminate => self.ended(txn, |index| recorder.unknown(index)),
            _ => {}
        }
    }

    fn looked(&self, called: u64, key: &Key, value: Option<Value>) {
        let (Some(session), Some(key)) = (self.session(), recorded(key)) else { return };
        let txn = self.begin(session, called, None, Isolation::Snapshot);
        let read = Read { value: value.as_ref().map(bytes), version: None };
        self.life.world.recorder.op(txn, Op::Get { key, read });
        self.commit_at_once(txn);
    }

    fn flushed(&self, called: u64) {
        if life::task().is_some() {
            self.life.world.recorder.flushed(called);
        }
    }

    fn closed(&self) {
        if life::task().is_some() {
            self.life.world.application.closed();
        }
    }
}

fn write(
    key: store::Key,
    value: Option<&Value>,
    ttl_ms: Option<u64>,
    condition: Option<&CasExpectation>,
) -> Op {
    let Some(value) = value.map(bytes) else { return Op::Delete { key } };
    let expected = condition.and_then(|condition| match condition {
        CasExpectation::Version(version) => Some(Expected::Version(version.get())),
        CasExpectation::Value(value) => Some(Expected::Value(bytes(value))),
        CasExpectation::Absent => Some(Expected::Absent),
        _ => None,
    });
    match (ttl_ms, expected) {
        (Some(ttl_ms), _) => Op::PutExpiring { key, value, ttl_ms },
        (None, Some(expected)) => Op::Cas { key, expected, value },
        (None, None) => Op::Put { key, value },
    }
}

fn conflict(info: &ConflictInfo) -> Option<Conflict> {
    let (kind, key, winner) = match info {
        ConflictInfo::ReadConflict { key, current, .. } => (ConflictKind::Read, key, current),
        ConflictInfo::WriteConflict { key, current, .. } => (ConflictKind::Write, key, current),
        ConflictInfo::CasConflict { key, current, .. } => (ConflictKind::Cas, key, current),
        ConflictInfo::RangeConflict { start, current, .. } => (ConflictKind::Range, start, current),
        ConflictInfo::Expired { key, .. } => {
            return Some(Conflict::new(ConflictKind::Read, recorded(key)?, None));
        }
        _ => return None,
    };
    let key = stream_of(key).or_else(|| recorded(key))?;
    Some(Conflict::new(kind, key, Some(winner.get())))
}

fn recorded_entry(entry: &Entry) -> Option<store::Entry> {
    let key = recorded(entry.key())?;
    Some(store::Entry { key, value: bytes(&entry.to_value()), version: entry.version().map(Version::get) })
}

/// Returns the events of a log, without their hash chain.
fn elements(entries: &[Entry]) -> Vec<Bytes> {
    let element = |entry: &Entry| match entry.to_value() {
        Value::Array(parts) if parts.len() == 2 => bytes(&parts[1]),
        other => bytes(&other),
    };
    entries.iter().map(element).collect()
}

/// Returns a value as it is shown: two values that differ are shown differently.
fn bytes(value: &Value) -> Bytes {
    value.to_string().into_bytes()
}

fn plan_of(durability: Durability) -> DurabilityPlan {
    let micros = |interval: std::time::Duration| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    match durability {
        Durability::Strict => DurabilityPlan::Strict,
        Durability::Pipelined => DurabilityPlan::Pipelined,
        Durability::Batched { interval, commits_max } => {
            DurabilityPlan::Batched { interval_micros: micros(interval), commits_max }
        }
        Durability::Async { interval } => DurabilityPlan::Async { interval_micros: micros(interval) },
    }
}
