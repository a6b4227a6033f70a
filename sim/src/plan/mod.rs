//! Everything that a run will do, as plain data.
//!
//! Job: a [`Plan`] can be printed, stored in a trace, compared and shrunk. With the code of one commit it
//! decides the run to the last bit. Not its job: running anything (`run`), or the meaning of a workload
//! (`stormproof_workloads`).
//!
//! INV-PLAN-3: a plan holds every random decision or the seed of a generator that makes it; nothing else is
//! drawn.

mod draw;
mod edges;
mod parameters;
mod program;
mod strategy;
mod scenario;

use serde::{Deserialize, Serialize};
use stormproof_faults::{ClockPlan, CrashOdds, DiskOptions};
use stormproof_oracle::Durability;
use stormproof_rt_shuttle::life::{InjectedEvents, PointKey};
use stormproof_workloads::store::Isolation;

pub use draw::{draw, fault_kinds};
pub use edges::Edge;
pub use program::ProgramSize;
pub use strategy::StrategyPlan;

use crate::digest::DigestValue;
use crate::seed::Seed;

/// Everything that a run will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The seed that it was drawn from.
    pub seed: Seed,
    /// How the engine is opened.
    pub engine: EnginePlan,
    /// What clients do.
    pub workload: stormproof_workloads::Plan,
    /// Lives, one after the other, each on what the one before left. The last one is calm: no fault, no
    /// crash, every client finishes, and the final state is read.
    pub lives: Vec<LifePlan>,
    /// How the disk is made, and what it does wrong in all lives but the last.
    pub disk: DiskOptions,
    /// What power cuts leave.
    pub crash_odds: CrashOdds,
    /// Decides what a power cut leaves, per crash.
    pub disk_seed: u64,
    /// Decides identifiers and jitter.
    pub entropy_seed: u64,
    /// How the wall clock goes, and when it jumps.
    pub clock: ClockPlan,
    /// Deliberate bugs that are switched on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mutants: Vec<String>,
}

/// How the engine is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnginePlan {
    /// Where the data are.
    pub storage: Storage,
    /// The isolation of transactions that ask for none.
    pub isolation: Isolation,
    /// When commits become durable.
    pub durability: DurabilityPlan,
    /// Size of a log segment: small ones make rotation happen.
    pub segment_bytes: u64,
    /// Log bytes after which a checkpoint is made by itself; 0 for never.
    pub checkpoint_bytes: u64,
    /// How far ahead the log allocates space.
    pub allocate_bytes: u64,
    /// Clients wait for every n-th of their commits to be durable; 0 for never.
    pub wait_durable_every: u64,
    /// Most entries of a page of the index.
    #[serde(default = "page_entries")]
    pub page_entries: usize,
    /// Most records of a journal of the index.
    #[serde(default = "journal_records")]
    pub journal_records: usize,
    /// Slots of the snapshot registry.
    pub snapshot_generations: usize,
    /// Commits between two checks of the oldest snapshot, after which old versions are collected.
    #[serde(default = "collect_every")]
    pub collect_every: u64,
    /// How often maintenance runs.
    pub maintenance_interval_micros: u64,
    /// Threads that fill the index in recovery. One in plans from before it was drawn.
    #[serde(default = "one")]
    pub recovery_threads: usize,
    /// Settings at the edges of their ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Most runs that have ended and are kept; all if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_runs_max: Option<usize>,
    /// Whether leaves of the index are packed beside commits. Not in plans from before it was drawn.
    #[serde(default, skip_serializing_if = "is_false")]
    pub packs_beside_commits: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(is: &bool) -> bool {
    !*is
}

const fn one() -> usize {
    1
}

/// Returns the value for traces from before it was drawn.
const fn page_entries() -> usize {
    8
}

/// Returns the value for traces from before it was drawn.
const fn journal_records() -> usize {
    2
}

/// Returns the value for traces from before it was drawn.
const fn collect_every() -> u64 {
    32
}

/// Where the data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// In memory only: one life, and nothing survives it.
    Memory,
    /// In memory and on the simulated disk.
    Disk,
}

/// When commits become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurabilityPlan {
    /// Before the ack.
    Strict,
    /// As soon as possible after the ack.
    Pipelined,
    /// After a number of commits or an interval.
    Batched {
        /// The interval.
        interval_micros: u64,
        /// The number of commits.
        commits_max: u64,
    },
    /// After an interval.
    Async {
        /// The interval.
        interval_micros: u64,
    },
}

impl DurabilityPlan {
    /// Returns what a store that is opened in this mode promises.
    pub fn promise(self) -> Durability {
        match self {
            Self::Strict => Durability::Strict,
            Self::Pipelined => Durability::Pipelined,
            Self::Batched { commits_max, .. } => Durability::Batched { commits_max: Some(commits_max) },
            Self::Async { .. } => Durability::Async,
        }
    }
}

/// One life of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifePlan {
    /// Who runs next.
    pub strategy: StrategyPlan,
    /// Of all that is random in scheduling.
    pub schedule_seed: u64,
    /// When the power goes out, if the life gets that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<CrashAt>,
    /// What happens when all clients are done, or the store is closed for writing, before the crash.
    pub ending: Ending,
    /// What else chance does: drawn by the rates below, or listed by name.
    #[serde(default, alias = "nudges")]
    pub injected_events: InjectedEvents,
    /// How many of 1,000 waits end with a spurious wake-up.
    pub spurious_wakeups_per_mille: u16,
    /// How many of 1,000 timeouts may run out early.
    pub early_timeouts_per_mille: u16,
    /// How many of 1,000,000 scheduling points the process stalls at.
    pub stalls_per_million: u32,
    /// Makes a checkpoint after this time, in a task that does nothing else; 0 for never.
    pub checkpoint_after_micros: u64,
    /// How many bytes the disk has left for a millisecond from the moment at which clients begin, or, if the
    /// power goes out before that, until clients begin again; no limit if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_bytes: Option<u64>,
    /// Closes the store after this time, beside clients that work, and without waiting for what they have
    /// open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_after_micros: Option<u64>,
    /// Opens the store once more after this time, beside clients that work; it must be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_opener_micros: Option<u64>,
    /// Leaves foreign files at the path of the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign_files: bool,
}

impl LifePlan {
    /// Creates a life in which nothing bad happens.
    pub fn calm(schedule_seed: u64) -> Self {
        Self {
            strategy: StrategyPlan::round_robin(16),
            schedule_seed,
            crash: None,
            ending: Ending::Close,
            injected_events: InjectedEvents::Only(Vec::new()),
            spurious_wakeups_per_mille: 0,
            early_timeouts_per_mille: 0,
            stalls_per_million: 0,
            checkpoint_after_micros: 0,
            room_bytes: None,
            close_after_micros: None,
            second_opener_micros: None,
            foreign_files: false,
        }
    }
}

impl LifePlan {
    /// Returns how many switches and injected events it lists.
    pub(crate) fn switches(&self) -> usize {
        self.strategy.preemptions() + self.injected_events.list().len()
    }
}

/// When the power goes out. All counts are from the start of the life, so small ones hit recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrashAt {
    /// At this scheduling point, counted from 1.
    Step(u64),
    /// When a task comes to this point.
    Point(PointKey),
    /// At this operation of the disk, counted from 1.
    Disk {
        /// Which.
        operation: u64,
        /// Whether it still happens.
        after: bool,
    },
    /// At this sync of the disk, counted from 1.
    Sync {
        /// Which.
        nth: u64,
        /// Whether it still happens.
        after: bool,
    },
    /// Before the n-th sync of a log file that has grown since its last one.
    Growth {
        /// Which, counted from 1.
        nth: u64,
    },
    /// At the first operation of the disk after a client was told for the n-th time that something is
    /// durable: all that was promised must survive, and all that may be lost still can be.
    Promise {
        /// Which, counted from 1.
        nth: u64,
    },
}

/// How a life ends in which the power did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The store is closed in order.
    Close,
    /// The power goes out while nothing is under way.
    Crash,
}

/// The rate, of 1,000 sleeps and waits, at which all of them may run out while others can still run. Time
/// passes as the schedule decides, and a task that is not scheduled misses whole transactions of others,
/// whatever pauses these make.
pub(crate) const TIMEOUTS_AT_WILL: u16 = 1_000;

impl Plan {
    /// Returns the digest of the plan: plans with equal digests are equal.
    pub fn digest(&self) -> DigestValue {
        DigestValue::of_text(&serde_json::to_string(self).unwrap_or_default())
    }

    /// Returns the plan with another schedule, the `attempt`-th, drawn among strategies that differ much.
    pub fn rescheduled(&self, attempt: u64) -> Self {
        let mut plan = self.clone();
        for (number, life) in (1..).zip(&mut plan.lives) {
            life.schedule_seed = self.seed.0 ^ ((attempt << 32) | number);
            life.strategy = StrategyPlan::for_search(attempt);
            life.injected_events = InjectedEvents::Random;
        }
        plan
    }

    /// Returns how large a plan is: what shrinking makes smaller.
    pub fn size(&self) -> PlanSize {
        use stormproof_workloads::plan::Action;
        let clients = &self.workload.clients;
        let actions = || clients.iter().chain([&self.workload.setup]).flat_map(|client| &client.actions);
        let steps = actions().map(|action| match action {
            Action::Transaction(transaction) => transaction.steps.len(),
            _ => 1,
        });
        PlanSize {
            // A client of an application runs, whatever is left of its list.
            clients: clients
                .iter()
                .filter(|client| self.limits_program() || !client.actions.is_empty())
                .count(),
            transactions: actions().filter(|action| matches!(action, Action::Transaction(_))).count(),
            operations: steps.sum(),
            lives: self.lives.len(),
            crashes: self.lives.iter().filter(|life| life.crash.is_some()).count(),
            faults: self.disk.faults.exact.len() + self.disk.faults.rules.len(),
            preemptions: self.lives.iter().map(LifePlan::switches).sum(),
        }
    }
}

/// How large a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanSize {
    /// Clients that do something.
    pub clients: usize,
    /// Transactions, the setup's included.
    pub transactions: usize,
    /// Steps of these transactions.
    pub operations: usize,
    /// Lives.
    pub lives: usize,
    /// Crash points.
    pub crashes: usize,
    /// Faults, or rules that may bring some.
    pub faults: usize,
    /// Forced switches; 0 for a strategy that draws them.
    pub preemptions: usize,
}

impl std::fmt::Display for PlanSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} clients, {} transactions, {} operations, {} lives, {} crash points, {} faults, {} forced switches",
            self.clients,
            self.transactions,
            self.operations,
            self.lives,
            self.crashes,
            self.faults,
            self.preemptions
        )
    }
}
