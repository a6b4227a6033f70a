//! Findings: rows of the contract, kinds of anomaly, violations in words.

use std::fmt;

use serde::{Deserialize, Serialize};
use stormproof_workloads::History;
use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::Key;

/// A row of the contract that a history can violate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// V1: reads exactly the snapshot.
    Snapshot,
    /// V2: sees its own writes.
    ReadYourWrites,
    /// V3: sees nothing uncommitted.
    CommittedOnly,
    /// V4: the same question has the same answer.
    Repeatable,
    /// V5: what was acked before begin is visible.
    RealTime,
    /// Contract §2: versions are unique, rise, and are never reused.
    Versions,
    /// Contract §3: the first committer wins, conditions hold, aborts have a cause.
    Conflicts,
    /// Contract §3: serializable transactions have a serial order.
    Serializable,
    /// D1: acked means that it survives.
    AckedSurvives,
    /// D2: what survives is a prefix, each commit whole.
    PrefixSurvives,
    /// D3: visible means that it survives.
    VisibleSurvives,
    /// D4: loss is bounded.
    BoundedLoss,
}

impl Invariant {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 12] = [
        Self::Snapshot,
        Self::ReadYourWrites,
        Self::CommittedOnly,
        Self::Repeatable,
        Self::RealTime,
        Self::Versions,
        Self::Conflicts,
        Self::Serializable,
        Self::AckedSurvives,
        Self::PrefixSurvives,
        Self::VisibleSurvives,
        Self::BoundedLoss,
    ];

    /// Returns its row in the contract.
    pub fn row(self) -> &'static str {
        match self {
            Self::Snapshot => "V1",
            Self::ReadYourWrites => "V2",
            Self::CommittedOnly => "V3",
            Self::Repeatable => "V4",
            Self::RealTime => "V5",
            Self::Versions => "§2",
            Self::Conflicts | Self::Serializable => "§3",
            Self::AckedSurvives => "D1",
            Self::PrefixSurvives => "D2",
            Self::VisibleSurvives => "D3",
            Self::BoundedLoss => "D4",
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::ReadYourWrites => "read-your-writes",
            Self::CommittedOnly => "committed-only",
            Self::Repeatable => "repeatable",
            Self::RealTime => "real-time",
            Self::Versions => "versions",
            Self::Conflicts => "conflicts",
            Self::Serializable => "serializable",
            Self::AckedSurvives => "acked-survives",
            Self::PrefixSurvives => "prefix-survives",
            Self::VisibleSurvives => "visible-survives",
            Self::BoundedLoss => "bounded-loss",
        }
    }

    /// Returns what it promises.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Snapshot => "a transaction sees exactly what was committed at or before its start version",
            Self::ReadYourWrites => "a transaction sees its own buffered writes",
            Self::CommittedOnly => "no transaction sees uncommitted, aborted or partly installed data",
            Self::Repeatable => "within a transaction the same question has the same answer",
            Self::RealTime => "what was acked before a transaction begins is visible to it",
            Self::Versions => "one commit, one version: unique, rising, never used twice, across crashes too",
            Self::Conflicts => {
                "of two conflicting transactions the first committer wins, and no other aborts"
            }
            Self::Serializable => "serializable transactions are as if one ran after the other",
            Self::AckedSurvives => "what was acked as durable survives every crash",
            Self::PrefixSurvives => {
                "what survives a crash is a prefix of the commit order, each commit whole"
            }
            Self::VisibleSurvives => "no transaction reads a commit that a crash can still take back",
            Self::BoundedLoss => "a crash takes back fewer commits than the bound",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.row(), self.name())
    }
}

/// The kind of an anomaly; two failures with the same kind and invariant are the same failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyClass {
    /// A value was read that no transaction wrote.
    GarbageRead,
    /// A list holds an element twice.
    DuplicateElement,
    /// A value of an aborted or unfinished transaction was read (Adya's G1a).
    AbortedRead,
    /// A value was read that its writer overwrote itself (Adya's G1b).
    IntermediateRead,
    /// A transaction does not see its own writes.
    InternalInconsistency,
    /// The same question was answered in two ways.
    NonRepeatableRead,
    /// A scan returned keys out of order, outside of its range, twice, or too many.
    MalformedScan,
    /// Two reads of a list can't be prefixes of one list.
    IncompatibleOrder,
    /// A committed transaction updated what an aborted one had written.
    DirtyUpdate,
    /// A read misses a commit of its snapshot.
    StaleRead,
    /// A read sees a commit that came after its snapshot.
    FutureRead,
    /// A part of a commit was seen and another part not.
    FracturedRead,
    /// A scan misses a key of its snapshot, or shows one that is not there.
    Phantom,
    /// The snapshot is older than what had been acked.
    StaleSnapshot,
    /// One key, two transactions that did not see each other, both committed.
    LostUpdate,
    /// A conditional write committed though its condition did not hold.
    BrokenCondition,
    /// A transaction was aborted for a conflict that did not exist.
    BaselessAbort,
    /// One version, two commits.
    VersionReused,
    /// A later commit has a lower version.
    VersionOrder,
    /// A reported version does not fit the write.
    VersionMismatch,
    /// A durable commit is gone.
    LostAck,
    /// A part of a commit survived.
    TornCommit,
    /// A commit survived and an earlier one did not.
    PrefixHole,
    /// A commit that recovery had discarded came back.
    Resurrected,
    /// An unanswered commit appeared after recovery had ended.
    LateAppearance,
    /// A commit that recovery had kept was gone later.
    Vanished,
    /// A commit that had been read is gone.
    LostVisible,
    /// More commits are gone than the bound allows.
    ExcessiveLoss,
    /// A cycle of write-write dependencies (Adya's G0).
    G0,
    /// A cycle of write-write and write-read dependencies (Adya's G1c).
    G1c,
    /// A cycle with one anti-dependency (Adya's G-single): read skew.
    GSingle,
    /// A cycle with anti-dependencies, no two of them adjacent (Elle's G-nonadjacent).
    GNonadjacent,
    /// A cycle with adjacent anti-dependencies between items (Adya's G2-item).
    G2Item,
    /// A cycle with an anti-dependency on what a scan did not find (Adya's G2).
    G2,
    /// Two transactions read what the other wrote, and neither saw it.
    WriteSkew,
    /// Two readers see two writes in opposite orders.
    LongFork,
    /// A causally earlier write is missed.
    CausalViolation,
    /// The effect is seen without what its cause had seen done.
    CausalReverse,
    /// No order of the transactions explains what was seen.
    NoOrder,
}

impl fmt::Display for AnomalyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One violated promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The promise.
    pub invariant: Invariant,
    /// The kind of anomaly.
    pub class: AnomalyClass,
    /// The transactions involved, the victim first.
    pub txns: Vec<TxnIndex>,
    /// The keys involved.
    pub keys: Vec<Key>,
    /// What happened, in words.
    pub message: String,
}

impl Violation {
    /// Returns the signature by which two failures count as the same.
    pub fn signature(&self) -> (Invariant, AnomalyClass) {
        (self.invariant, self.class)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.invariant, self.class, self.message)
    }
}

/// The verdict on a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The violations found, worst evidence first.
    pub violations: Vec<Violation>,
    /// The number of further violations, not described.
    pub more: u64,
    /// The number of transactions examined.
    pub txns: u64,
    /// The number of reads compared.
    pub reads: u64,
    /// What could not be decided, in words; empty if everything was.
    pub undecided: Vec<String>,
}

impl Verdict {
    /// Returns whether no violation was found.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// A bounded collection of violations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    violations: Vec<Violation>,
    more: u64,
    max: usize,
    pub(crate) reads: u64,
    pub(crate) undecided: Vec<String>,
}

impl Findings {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// Returns the total number of violations.
    pub(crate) fn count(&self) -> u64 {
        self.violations.len() as u64 + self.more
    }

    pub(crate) fn first(&self) -> Option<&Violation> {
        self.violations.first()
    }

    /// Returns the violations that are described.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter()
    }

    /// Adds the findings of another checker.
    pub(crate) fn append(&mut self, other: Self) {
        self.more += other.more;
        for violation in other.violations {
            self.add(|| violation);
        }
    }

    /// Adds a violation; its text is built only if there is room.
    pub(crate) fn add(&mut self, violation: impl FnOnce() -> Violation) {
        if self.violations.len() < self.max {
            self.violations.push(violation());
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn into_verdict(self, history: &History) -> Verdict {
        Verdict {
            violations: self.violations,
            more: self.more,
            txns: history.txns.len() as u64,
            reads: self.reads,
            undecided: self.undecided,
        }
    }
}
