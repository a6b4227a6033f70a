//! SurrealKV under threads: the workload `hotspot`, whose increments must all count.
//!
//! The seed decides what clients do and how they back off, but not how threads interleave. So a seed finds
//! the bug with some probability, and a test plays several.

use std::path::Path;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rt::sync::Arc;
use stormproof_workloads::catalogue::Hotspot;
use stormproof_workloads::client::Stop;
use stormproof_workloads::history::{FoldError, Outcome, Recorder};
use stormproof_workloads::plan::Plan;
use stormproof_workloads::store::{
    Capabilities, Committed, Entry, Expected, Isolation, Range, Read, Result, Store, StoreError, StoreTxn,
    TxnOptions, Version,
};
use stormproof_workloads::{Environment, Evidence, Notebook, Runner, Scale, Workload, verdict};
use surrealkv::{Durability, Error, Mode, Transaction, Tree, TreeBuilder};
use tokio::runtime::{Builder, Runtime};

/// What a seed found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Increments that were acked.
    pub acked: usize,
    /// Attempts that met a conflict.
    pub conflicts: usize,
    /// What is wrong, in words: pairs of increments of which one is lost, and the sum.
    pub violations: Vec<String>,
}

/// Plays a seed in `folder`, which must be empty: `clients` threads with `increments` increments each.
///
/// # Errors
/// When the store does not open, or what clients recorded does not add up.
pub fn play(
    folder: &Path,
    seed: u64,
    clients: u32,
    increments: u32,
) -> std::result::Result<Played, Box<dyn std::error::Error>> {
    let hotspot = Hotspot::default();
    let scale = Scale { clients, transactions: increments, isolation: Isolation::Snapshot };
    let plan = hotspot.plan(&scale, &mut ChaCha8Rng::seed_from_u64(seed));
    let crew = Arc::new(Crew {
        store: Surreal::open(folder)?,
        workload: hotspot,
        plan,
        recorder: Recorder::new(),
        notebook: Notebook::new(),
    });
    crew.recorder.opened(0);
    let threads: Vec<_> = (0..crew.plan.clients.len())
        .map(|client| {
            let crew = Arc::clone(&crew);
            rt::thread::spawn("client", move || crew.run(client))
        })
        .collect::<std::io::Result<_>>()?;
    for thread in threads {
        let stop = thread.join().map_err(|_| "a client panicked")?;
        assert_eq!(stop, Stop::Finished);
    }
    crew.runner().run(&crew.plan.audit);
    Ok(crew.judge()?)
}

/// All clients of the store.
struct Crew {
    store: Surreal,
    workload: Hotspot,
    plan: Plan,
    recorder: Recorder,
    notebook: Notebook,
}

impl Crew {
    fn runner(&self) -> Runner<'_> {
        Runner {
            store: &self.store,
            workload: &self.workload,
            environment: &RealTime,
            recorder: &self.recorder,
            notebook: &self.notebook,
            life: 0,
        }
    }

    fn run(&self, client: usize) -> Stop {
        self.runner().run(&self.plan.clients[client])
    }

    fn judge(&self) -> std::result::Result<Played, FoldError> {
        let history = self.recorder.history()?;
        let notes = self.notebook.take_notes();
        let evidence = Evidence { plan: &self.plan, history: &history, notes: &notes };
        let broken = verdict(&self.workload, &evidence).into_iter().filter(|finding| finding.violation);
        let count =
            |wanted: fn(&Outcome) -> bool| evidence.clients().filter(|txn| wanted(&txn.outcome)).count();
        Ok(Played {
            acked: count(|outcome| matches!(outcome, Outcome::Committed { .. })),
            conflicts: count(|outcome| matches!(outcome, Outcome::Aborted { .. })),
            violations: broken.map(|finding| format!("{}: {}", finding.rule, finding.message)).collect(),
        })
    }
}

struct RealTime;

impl Environment for RealTime {
    fn now(&self) -> Duration {
        Duration::from_nanos(rt::time::now().as_nanos())
    }

    fn sleep(&self, duration: Duration) {
        rt::time::sleep(duration);
    }
}

/// A tree, as far as counters need it. Nothing is synced: what is looked for is in memory.
struct Surreal {
    tree: Tree,
    runtime: Runtime,
}

impl Surreal {
    fn open(folder: &Path) -> std::result::Result<Self, Box<dyn std::error::Error>> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
        let inside = runtime.enter();
        let tree = TreeBuilder::new().with_path(folder.to_owned()).build()?;
        drop(inside);
        Ok(Self { tree, runtime })
    }
}

impl Store for Surreal {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let mode = if options.read_only { Mode::ReadOnly } else { Mode::ReadWrite };
        let txn = self.tree.begin_with_mode(mode).map_err(refused)?;
        let read_only = options.read_only;
        Ok(Box::new(SurrealTxn { txn: txn.with_durability(Durability::Eventual), store: self, read_only }))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn name(&self) -> String {
        "surrealkv".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { isolation_max: Isolation::Snapshot, ..Capabilities::default() }
    }
}

struct SurrealTxn<'a> {
    txn: Transaction,
    store: &'a Surreal,
    read_only: bool,
}

impl StoreTxn for SurrealTxn<'_> {
    fn start_version(&self) -> Option<Version> {
        None
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        Ok(Read { value: self.txn.get(key).map_err(refused)?, version: None })
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.set(key, value).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.txn.delete(key).map_err(refused)
    }

    fn scan(&mut self, _range: &Range, _limit: Option<usize>, _reverse: bool) -> Result<Vec<Entry>> {
        Err(refused("counters are not scanned"))
    }

    fn cas(&mut self, _key: &[u8], _expected: &Expected, _value: &[u8]) -> Result<()> {
        Err(refused("counters are not compared"))
    }

    fn commit(mut self: Box<Self>) -> Result<Committed> {
        if !self.read_only {
            let answer = self.store.runtime.block_on(self.txn.commit());
            answer.map_err(|error| match error {
                Error::TransactionWriteConflict | Error::TransactionRetry => StoreError::Conflict(Vec::new()),
                error => StoreError::Indeterminate(error.to_string()),
            })?;
        }
        Ok(Committed { version: None, durable: false })
    }

    fn abort(self: Box<Self>) {}
}

fn refused(error: impl std::fmt::Display) -> StoreError {
    StoreError::Refused(error.to_string())
}
