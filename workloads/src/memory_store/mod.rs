//! A store that is obviously right: everything under one lock, every version kept for ever.
//!
//! Job: the reference on which workloads and checkers are tested; and, with a [`Flaw`], a store that is wrong
//! in one known way, so that a check is seen to fail. Not its job: speed, durability, bounded memory.
//!
//! * INV-MEM-1: a commit is one critical section: validate, take the next version, install all writes.
//! * INV-MEM-2: reads see versions up to the start version only, and at the transaction's own writes
//!   first.

#![expect(
    clippy::disallowed_types,
    reason = "the lock is held within a call only and never while a client waits, so no interleaving depends on it"
)]

mod flaw;
mod primitives;
mod table;
mod txn;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use flaw::Flaw;
use table::Table;
use txn::MemoryTxn;
use watch::MemoryWatch;

use crate::store::{
    Body, Capabilities, Committed, Key, Result, Retry, RunHandle, Store, StoreError, StoreTxn, StoreWatch,
    TxnOptions, Version, WatchRequest, run_again,
};

/// A store in memory; clones are the same store.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

/// The clock by which keys expire.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

struct Shared {
    state: Mutex<Data>,
    clock: Clock,
    flaw: Option<Flaw>,
}

#[derive(Default)]
struct Data {
    table: Table,
    version: Version,
    commits: u64,
    begins: u64,
    /// Runs, and whether they have ended.
    runs: BTreeMap<RunHandle, bool>,
    siblings: BTreeMap<String, MemoryStore>,
    /// What [`Flaw::TornInstall`] has not installed yet, and at which begin it will.
    late: Vec<(u64, Version, Key, table::Value)>,
}

impl MemoryStore {
    /// Creates an empty store in which no key expires: its clock stands still.
    pub fn new() -> Self {
        Self::with(Arc::new(|| Duration::ZERO), None)
    }

    /// Creates an empty store with a clock.
    pub fn with_clock(clock: Clock) -> Self {
        Self::with(clock, None)
    }

    /// Creates an empty store that is wrong in one way.
    pub fn broken(flaw: Flaw, clock: Clock) -> Self {
        Self::with(clock, Some(flaw))
    }

    fn with(clock: Clock, flaw: Option<Flaw>) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), clock, flaw }) }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.shared.flaw == Some(flaw)
    }

    fn now(&self) -> Duration {
        (self.shared.clock)()
    }

    fn state(&self) -> MutexGuard<'_, Data> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let now = self.now();
        let mut state = self.state();
        if let Some(run) = &options.run
            && !state.runs.contains_key(run)
        {
            return Err(StoreError::Refused(format!("run {} is not known", run.0)));
        }
        if options.run.is_some() && self.has(Flaw::RefusesLiveRuns) && state.begins.is_multiple_of(5) {
            state.begins += 1;
            return Err(StoreError::Refused("no".into()));
        }
        state.begins += 1;
        state.install_late();
        let start = state.version;
        drop(state);
        Ok(Box::new(MemoryTxn::new(self, options.clone(), start, now)))
    }

    fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
        run_again(self, options, retry, body)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn watch(&self, request: &WatchRequest) -> Result<Box<dyn StoreWatch + '_>> {
        Ok(Box::new(MemoryWatch::new(self, request)))
    }

    fn name(&self) -> String {
        match self.shared.flaw {
            None => "memory".into(),
            Some(flaw) => format!("memory with {flaw:?}"),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            ttl: true,
            runs: true,
            siblings: true,
            retries: true,
            watches: true,
            ..Capabilities::default()
        }
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        let mut state = self.state();
        if let Some(parent) = parent
            && state.runs.get(parent).is_none_or(|ended| *ended)
        {
            return Err(StoreError::Refused(format!("run {} is over, or not known", parent.0)));
        }
        let run = RunHandle(format!("run-{}", state.runs.len()));
        state.runs.insert(run.clone(), false);
        Ok(run)
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        match self.state().runs.get_mut(run) {
            Some(ended) => {
                *ended = true;
                Ok(())
            }
            None => Err(StoreError::Refused(format!("run {} is not known", run.0))),
        }
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        if self.has(Flaw::SiblingForgets) {
            return Ok(Box::new(Self::new()));
        }
        if self.has(Flaw::SiblingGone) && self.state().siblings.contains_key(name) {
            return Err(StoreError::Refused("no".into()));
        }
        Ok(Box::new(self.state().siblings.entry(name.into()).or_default().clone()))
    }
}

impl Data {
    fn install_late(&mut self) {
        let begins = self.begins;
        let (due, late) = self.late.drain(..).partition(|(at, ..)| *at <= begins);
        self.late = late;
        let due: Vec<_> = due;
        for (_, version, key, value) in due {
            self.table.install(key, version, value);
        }
    }
}
