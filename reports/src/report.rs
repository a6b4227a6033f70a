//! One run, as data: what the simulator fills in and every format shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Position in the one global order of events of a run, over all its lives.
pub type Time = u64;

/// A commit version of the store.
pub type Version = u64;

/// The number of a transaction within its run.
pub type TxnId = u32;

/// The number of a lane: its index in [`Report::lanes`].
pub type LaneId = u32;

/// One run: one seed, one trace, or one test on a real machine.
///
/// Every field has a default, so that a producer fills in what it knows, and stored reports stay readable
/// when fields are added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// What was run, in a few words: `bank transfer, seed 7`.
    pub title: String,
    /// What came out.
    pub verdict: Verdict,
    /// The verdict in one sentence, for people.
    pub summary: String,
    /// The command that reproduces it exactly.
    pub reproduce: String,
    /// The seed that decided everything; `None` outside of simulations.
    pub seed: Option<u64>,
    /// The workload.
    pub workload: String,
    /// What the workload does and what must hold, in a sentence.
    pub about: String,
    /// What was tested: name, version and commit of the store.
    pub subject: String,
    /// The trace file that was written, if one was.
    pub trace_file: Option<String>,
    /// The digest of the whole trace: equal digests, equal runs.
    pub digest: Option<String>,
    /// The plan that the seed decided, as names and values, in the order in which to show them.
    pub plan: Vec<(String, String)>,
    /// Figures: transactions, crashes, steps, …
    pub counts: BTreeMap<String, u64>,
    /// Every invariant that was evaluated.
    pub checks: Vec<Check>,
    /// What was violated; empty unless the verdict is [`Verdict::Violated`].
    pub violations: Vec<Violation>,
    /// Clients and engine tasks.
    pub lanes: Vec<Lane>,
    /// Lives of the store, in order.
    pub lives: Vec<Life>,
    /// Transactions, in the order in which they began.
    pub txns: Vec<Txn>,
    /// Faults that were injected, in order.
    pub faults: Vec<Fault>,
    /// What was published and what was durable, whenever either changed, in order.
    pub frontier: Vec<FrontierPoint>,
    /// The interleaving, step by step.
    pub steps: Vec<Step>,
    /// Anomalies, as graphs.
    pub anomalies: Vec<Anomaly>,
    /// Rare situations that were reached, and how often.
    pub marks: BTreeMap<String, u64>,
    /// What the producer left out of the above, and how much of it, in words.
    pub omitted: Vec<String>,
}

/// What came out of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check held.
    #[default]
    Held,
    /// A promise of the contract was broken.
    Violated,
    /// The run itself failed (nondeterminism, a panic outside of the store): it says nothing about the store.
    Failed,
}

/// One invariant that was evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Its name: `acked-survives`.
    pub name: String,
    /// The row of the contract: `D1`.
    pub contract: String,
    /// What it says, in a sentence.
    pub says: String,
    /// How it came out.
    pub result: CheckResult,
    /// How many times it was evaluated: 0 means that it held for lack of occasions.
    pub evaluated: u64,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It held.
    #[default]
    Held,
    /// It was violated.
    Violated,
    /// It could not be decided, or did not apply.
    Skipped,
}

/// One violation of one invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Violation {
    /// The invariant's name, as in [`Check::name`].
    pub invariant: String,
    /// The row of the contract.
    pub contract: String,
    /// What happened, in a sentence.
    pub message: String,
    /// Why that is wrong, step by step.
    pub explanation: Vec<String>,
    /// The transactions involved.
    pub txns: Vec<TxnId>,
    /// The keys involved.
    pub keys: Vec<String>,
    /// When it became visible, if it has a time.
    pub at: Option<Time>,
}

/// A row of the timeline: a client or a task of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LaneKind,
}

/// What a lane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneKind {
    /// A client of the store.
    #[default]
    Client,
    /// A task of the engine.
    Engine,
    /// The simulated world: disk, clock, main task.
    World,
}

/// One life of the store, from opening to crash or close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// When its opening began.
    pub begun: Time,
    /// When recovery had ended and it was open for use; `None` if it never was.
    pub opened: Option<Time>,
    /// When it ended; `None` for one that was still open.
    pub ended: Option<Time>,
    /// How it ended.
    pub end: LifeEnd,
    /// The version that recovery found.
    pub recovered_version: Option<Version>,
    /// What recovery did, in words.
    pub recovery: Vec<String>,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifeEnd {
    /// It did not.
    #[default]
    Open,
    /// Closed in order.
    Closed,
    /// A power cut.
    Crashed,
}

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Txn {
    /// Its number.
    pub id: TxnId,
    /// Whose it was.
    pub lane: LaneId,
    /// In which life: an index of [`Report::lives`].
    pub life: u32,
    /// When it began.
    pub begun: Time,
    /// When commit was called, if it was.
    pub commit_called: Option<Time>,
    /// When it ended: acked, aborted, or cut off by a crash.
    pub ended: Time,
    /// When it was known to be durable.
    pub durable: Option<Time>,
    /// The snapshot that it read.
    pub start_version: Option<Version>,
    /// The version at which it committed.
    pub commit_version: Option<Version>,
    /// The isolation that it asked for.
    pub isolation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in order.
    pub accesses: Vec<Access>,
    /// Why it was aborted.
    pub conflicts: Vec<Conflict>,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Acked.
    Committed,
    /// Aborted by the store.
    Aborted,
    /// Aborted by the client.
    RolledBack,
    /// Commit was called and never answered, or answered that it does not know.
    Unknown,
    /// Cut off before commit was called.
    #[default]
    Running,
}

/// One operation of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// When it returned.
    pub at: Time,
    /// What it was.
    pub kind: AccessKind,
    /// The key, or the range in words; see [`show_bytes`](crate::show_bytes).
    pub key: String,
    /// The value that was read or written; `None` for an absent key.
    pub value: Option<String>,
    /// The version that was read.
    pub version: Option<Version>,
    /// The transaction that wrote what was read, if that is known.
    pub from: Option<TxnId>,
    /// More, in words: the condition of a CAS, the entries of a scan, an error.
    pub note: String,
}

/// What an operation was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// A point read.
    #[default]
    Read,
    /// A range read.
    Scan,
    /// A blind write.
    Write,
    /// A delete.
    Delete,
    /// A conditional write.
    Cas,
    /// An append to a list or log.
    Append,
    /// An operation that returned an error.
    Failed,
}

/// One reason for an abort.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conflict {
    /// Which rule.
    pub kind: ConflictKind,
    /// The key, or the range in words.
    pub key: String,
    /// The version at which the winner wrote.
    pub winner_version: Option<Version>,
    /// The winner, if it is known.
    pub winner: Option<TxnId>,
}

/// Which rule a commit broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// A key that was written has a newer version.
    #[default]
    Write,
    /// A condition did not hold.
    Cas,
    /// A key that was read has a newer version.
    Read,
    /// A range that was read has changed.
    Range,
}

/// One injected fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// When.
    pub at: Time,
    /// Which kind: `torn write`, `failed sync`, `crash`, `clock jump`, …
    pub kind: String,
    /// What exactly, in words: the file, the offset, the error.
    pub detail: String,
    /// The lane that it hit.
    pub lane: Option<LaneId>,
    /// Whether it was the power cut that ended a life.
    pub crash: bool,
}

/// What was published and what was durable from a time on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontierPoint {
    /// From when on.
    pub at: Time,
    /// The newest version that a new transaction sees.
    pub published: Version,
    /// The newest version that a crash can't take back.
    pub durable: Version,
}

/// One step of the interleaving: a task ran until its next scheduling point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// The time at which it was taken; steps may share one, their order is that of [`Report::steps`].
    pub at: Time,
    /// Who ran.
    pub lane: LaneId,
    /// At which operation: `lock commit-queue`, `probe published`, …
    pub label: String,
    /// Whether the task before could have gone on, but the scheduler switched.
    pub preempted: bool,
}

/// A cycle, or another subgraph, of dependencies that the contract forbids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Anomaly {
    /// Its class: `G2-item (write skew)`.
    pub class: String,
    /// What it means, in a sentence.
    pub message: String,
    /// Its edges, in order; the nodes are the transactions that they name.
    pub edges: Vec<Edge>,
}

/// One dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Edge {
    /// The transaction that must come first.
    pub from: TxnId,
    /// The transaction that must come after it.
    pub to: TxnId,
    /// Why.
    pub kind: EdgeKind,
    /// On which key.
    pub key: String,
    /// The evidence, in a sentence.
    pub explanation: String,
}

/// Why one transaction must come before another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The second overwrote what the first wrote.
    #[default]
    WriteWrite,
    /// The second read what the first wrote.
    WriteRead,
    /// The second overwrote what the first read.
    ReadWrite,
    /// The first was acked before the second began.
    RealTime,
    /// One client's transactions, one after the other.
    Session,
}
