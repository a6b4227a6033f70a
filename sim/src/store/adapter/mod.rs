//! The engine as a [`Store`]: one source, compiled for the twin and for the production engine.
//!
//! Job: translate calls, values and errors. Not its job: deciding, waiting or remembering anything.
//!
//! Workloads know keys and bytes only. A stream is the engine's event log of that name, a machine its state
//! machine of that name, and an empty value is the engine's null: so all three are stored as users store
//! them. Conflicts on their keys name the key that histories have for them ([`stream_key`], [`machine_key`]).

mod builder;
mod convert;
mod loops;
mod txn;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_workloads::act::Act;
use stormproof_workloads::manner::{TicketBy, ViewBy};
use stormproof_workloads::store::{
    Body, Capabilities, Chore, Committed, Result, Retry, RunHandle, Single, Store, StoreError, StoreTxn,
    StoreWatch, TxnOptions, WatchRequest,
};

pub use builder::builder;
pub(crate) use convert::outcome;
pub(super) use convert::{bytes, counted, entry, error, key_range};
use txn::{EngineTxn, check_context, wanted};
use watch::EngineWatch;

use super::acts;
use super::engine::{
    self, BackupInfo, Commit, Database, KeyRange, RunId, RunOptions, RunStatus, Version, WatchOptions,
};
use super::view::ViewTxn;
use crate::store::calls::Calls;

/// Opens another database, by its name.
pub type Siblings = Arc<dyn Fn(&str) -> engine::Result<Database> + Send + Sync>;

/// Writes a backup of a database to a new place, loses what was not synced there, and opens it.
pub type Backups = Arc<dyn Fn(&Database) -> engine::Result<Backup> + Send + Sync>;

/// A backup that was written.
#[derive(Debug)]
pub struct Backup {
    /// What the writer says of it.
    pub info: BackupInfo,
    /// It, opened.
    pub opened: engine::Result<Database>,
}

/// A database, and the run in which transactions write that name no other.
#[derive(Clone)]
pub struct EngineStore {
    database: Database,
    run: RunId,
    wait_durable_every: u64,
    siblings: Option<Siblings>,
    backups: Option<Backups>,
    calls: Calls,
    /// Attempts that loops made beyond the first.
    retries: Arc<AtomicU64>,
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
        Ok(Self {
            database,
            run,
            wait_durable_every,
            siblings: None,
            backups: None,
            calls: Calls::default(),
            retries: Arc::new(AtomicU64::new("adapter.retries", 0)),
        })
    }

    /// Sets where calls are counted.
    #[must_use]
    pub fn counting(self, calls: Calls) -> Self {
        Self { calls, ..self }
    }

    /// Sets how small databases beside it are opened. Without it there are none.
    #[must_use]
    pub fn with_siblings(self, siblings: Siblings) -> Self {
        Self { siblings: Some(siblings), ..self }
    }

    /// Sets where backups go. Without it there are none.
    #[must_use]
    pub fn with_backups(self, backups: Backups) -> Self {
        Self { backups: Some(backups), ..self }
    }

    /// What such a store can do, if it has siblings.
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
            acts: true,
            ..Capabilities::default()
        }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the run in which transactions write that name no other.
    pub fn own_run(&self) -> RunId {
        self.run
    }

    /// Returns how many attempts clients have seen loops make beyond the first.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    fn run_of(&self, handle: Option<&RunHandle>) -> Result<RunId> {
        match handle {
            None => Ok(self.run),
            Some(RunHandle(text)) => {
                text.parse().map_err(|_| StoreError::Refused(format!("{text} is not a run of this database")))
            }
        }
    }

    /// Asks the database, and counts the call.
    fn ask<R>(
        &self,
        function: &'static str,
        question: impl FnOnce(&Database) -> engine::Result<R>,
    ) -> Result<R> {
        counted(&self.calls, function, question(&self.database))
    }

    fn view(&self, by: ViewBy) -> Result<Box<dyn StoreTxn + '_>> {
        let (view, of) = match by {
            ViewBy::Snapshot => {
                self.calls.ok("Database::snapshot");
                (self.database.snapshot(), None)
            }
            ViewBy::Backup => {
                let backup = self.back_up()?;
                (backup.snapshot(), Some(backup))
            }
        };
        Ok(Box::new(ViewTxn { view, of, calls: self.calls.clone() }))
    }

    /// Writes a backup and opens it. One that was written whole has no reason not to open.
    fn back_up(&self) -> Result<Database> {
        let backups = self.backups.as_ref();
        let backups = backups.ok_or_else(|| StoreError::Refused("this store has no backups".into()))?;
        let Backup { info, opened } = self.ask("Database::backup_to_disk", |database| backups(database))?;
        let backup =
            opened.map_err(|error| StoreError::Refused(format!("a backup does not open: {error}")))?;
        if backup.version() != info.version {
            let (found, written) = (backup.version(), info.version);
            return Err(StoreError::Refused(format!("a backup of version {written} opens at {found}")));
        }
        Ok(backup)
    }

    /// Returns a transaction around what is owned or lent.
    fn txn<T>(&self, txn: T, ticket: Option<TicketBy>) -> EngineTxn<'_, T> {
        EngineTxn {
            txn,
            store: self,
            ticket,
            failed: None,
            written: BTreeSet::new(),
            tells_all: true,
            kinds: Vec::new(),
        }
    }

    /// Returns what a commit tells, and uses its ticket; every n-th waits until it is durable, if nothing
    /// else is wanted.
    fn committed(&self, commit: &Commit, ticket: Option<TicketBy>) -> Committed {
        let version = commit.version();
        let every = self.wait_durable_every;
        let waits = version.is_some_and(|version| every > 0 && version.get().is_multiple_of(every));
        let by = ticket.or(waits.then_some(TicketBy::Wait));
        // A failed wait is no failed commit: it only leaves open whether the commit is durable.
        let durable = match by {
            None => {
                let durable = self.ask("Ticket::is_durable", |_| commit.ticket().is_durable());
                durable.unwrap_or(false)
            }
            Some(TicketBy::Drop) => false,
            Some(TicketBy::Wait) if ticket.is_some() => {
                self.ask("Ticket::wait", |_| commit.ticket().wait()).is_ok()
            }
            Some(TicketBy::Wait) => self.ask("Commit::wait_durable", |_| commit.wait_durable()).is_ok(),
            Some(TicketBy::WaitTimeout { micros }) => {
                let timeout = Duration::from_micros(micros);
                self.ask("Ticket::wait_timeout", |_| commit.ticket().wait_timeout(timeout)).unwrap_or(false)
            }
            Some(TicketBy::Poll) => {
                let ticket = commit.ticket().clone();
                self.ask("runtime::block_on", |_| engine::runtime::block_on(ticket.into_future())).is_ok()
            }
            Some(TicketBy::PollOnce) => {
                let future = pin!(commit.ticket().clone().into_future());
                future.poll(&mut Context::from_waker(Waker::noop())).map(|done| done.is_ok())
                    == Poll::Ready(true)
            }
            Some(TicketBy::WaitForVersion) => {
                let version = version.unwrap_or_else(|| commit.ticket().version());
                self.ask("Database::wait_durable", |database| database.wait_durable(version)).is_ok()
            }
        };
        Committed { version: version.map(Version::get), durable }
    }
}

impl Store for EngineStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        if let Some(by) = options.manner.view {
            return self.view(by);
        }
        let run = self.run_of(options.run.as_ref())?;
        let wanted = wanted(options);
        let txn = self.ask("Database::begin_transaction_with", |database| {
            database.begin_transaction_with(run, &wanted)
        })?;
        check_context(&txn, run, options)?;
        Ok(Box::new(self.txn(txn, options.manner.ticket)))
    }

    fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
        self.run_in_loop(options, retry, body)
    }

    fn single(&self, run: Option<&RunHandle>, key: &str, act: &Act) -> Result<Single> {
        let own = run.is_some();
        acts::alone(&self.database, &self.calls, (self.run_of(run)?, own), key, act)
    }

    fn chore(&self, chore: Chore) -> Result<()> {
        match chore {
            Chore::Collect => {
                self.calls.ok("Database::collect");
                self.database.collect();
                Ok(())
            }
            Chore::Sweep => self.ask("Database::sweep_expired", Database::sweep_expired).map(drop),
            Chore::Checkpoint => self.ask("Database::checkpoint", Database::checkpoint).map(drop),
            Chore::Metrics => {
                self.calls.ok("Database::metrics");
                let before = self.database.version();
                let commits = self.database.metrics().commits;
                let more = self.database.metrics().commits;
                if more < commits || self.database.version() < before {
                    return Err(StoreError::Refused("the number of commits or the version went back".into()));
                }
                Ok(())
            }
            Chore::Runs => self.check_runs(),
        }
    }

    fn flush(&self) -> Result<()> {
        self.ask("Database::flush", Database::flush)
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
            options = options.parent(self.run_of(parent)?).tag("begun", "from another");
        }
        let run = self.ask("Database::begin_run_with", |database| database.begin_run_with(options))?;
        Ok(RunHandle(run.to_string()))
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        let run = self.run_of(Some(run))?;
        self.ask("Database::end_run", |database| database.end_run(run))
    }

    fn run_has_ended(&self, run: &RunHandle) -> Option<bool> {
        let run = self.run_of(Some(run)).ok()?;
        let record = self.ask("Database::run", |database| database.run(run)).ok()?;
        Some(record.status == RunStatus::Ended)
    }

    fn forget_run(&self, run: &RunHandle) -> Result<()> {
        let run = self.run_of(Some(run))?;
        self.ask("Database::forget_run", |database| database.forget_run(run))
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
        let watch = self.ask("Database::watch_with", |database| database.watch_with(range, &options))?;
        Ok(Box::new(EngineWatch { watch, polled: request.polled }))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.ask("Database::close", Database::close)
    }
}

impl EngineStore {
    /// Checks that every run that is listed can be asked for, and that what is said of it then may be later,
    /// and nothing else.
    fn check_runs(&self) -> Result<()> {
        self.calls.ok("Database::runs");
        let listed = self.database.runs();
        for record in &listed {
            let again = self.ask("Database::run", |database| database.run(record.id))?;
            let same = (again.number, again.parent, &again.tags, again.started)
                == (record.number, record.parent, &record.tags, record.started);
            let went_back = record.ended.is_some() && again.ended != record.ended;
            let ended_first = record.ended.is_some_and(|ended| ended < record.started);
            if !same || went_back || ended_first {
                return Err(StoreError::Refused(format!("a run was {record:?}, and is {again:?} now")));
            }
        }
        let rises = listed.windows(2).all(|pair| pair[0].number < pair[1].number);
        let is_there = listed.iter().any(|record| record.id == self.run);
        if rises && is_there {
            Ok(())
        } else {
            Err(StoreError::Refused(format!("these are no runs: {listed:?}")))
        }
    }

    fn count<R>(&self, function: &'static str, answer: &engine::Result<R>) {
        self.calls.add(function, outcome(answer));
    }
}
