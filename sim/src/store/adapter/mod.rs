//! The engine as a [`Store`]: one source, compiled for the twin and for the production engine.
//!
//! Job: translate calls, values and errors. Not its job: deciding, waiting or remembering anything.
//!
//! Workloads know keys and bytes only. A stream is the engine's event log of that name, a machine its state
//! machine of that name, and an empty value is the engine's null: so all three are stored as users store
//! them. Conflicts on their keys name the key that histories have for them ([`stream_key`], [`machine_key`]).

mod builder;
mod convert;
mod txn;
mod watch;

use std::fmt;

use stormproof_rt::sync::Arc;
use stormproof_workloads::store::{
    Body, Capabilities, Committed, Result, Retry, RunHandle, Store, StoreError, StoreTxn, StoreWatch,
    TxnOptions, WatchRequest,
};

pub use builder::builder;
use convert::error;
use txn::{EngineTxn, Told, committed, policy, wanted};
use watch::EngineWatch;

use super::engine::{self, Database, KeyRange, RunId, RunOptions, Version, WatchOptions};

/// Opens another database, by its name.
pub type Siblings = Arc<dyn Fn(&str) -> engine::Result<Database> + Send + Sync>;

/// A database, and the run in which transactions write that name no other.
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

    /// Sets how small databases beside it are opened. Without it there are none.
    #[must_use]
    pub fn with_siblings(self, siblings: Siblings) -> Self {
        Self { siblings: Some(siblings), ..self }
    }

    /// Returns what a store with siblings can do.
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
