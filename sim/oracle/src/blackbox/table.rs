//! The answer of the black box: a standing for each level, and the anomalies that explain it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::Key;

use super::cycle_edge::CycleEdge;
use crate::level::Level;
use crate::verdict::{AnomalyClass, Invariant};

/// The answer for one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Some order explains the history.
    Holds,
    /// No order does.
    Violated,
    /// Undecided, for this reason.
    Unknown(String),
}

/// An anomaly that a level forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its kind.
    pub class: AnomalyClass,
    /// Its name, as Adya and Elle call it: `G-single-process` for a cycle with one anti-dependency that needs
    /// the order of a session.
    pub name: String,
    /// The weakest level that forbids it.
    pub level: Level,
    /// The transactions involved; for a cycle, in its order.
    pub txns: Vec<TxnIndex>,
    /// The keys involved.
    pub keys: Vec<Key>,
    /// What happened, in words.
    pub message: String,
    /// The cycle; empty if the anomaly is none.
    pub cycle: Vec<CycleEdge>,
}

impl Anomaly {
    /// Creates an anomaly that is no cycle.
    pub(super) fn direct(
        class: AnomalyClass,
        level: Level,
        txns: Vec<TxnIndex>,
        keys: Vec<Key>,
        message: String,
    ) -> Self {
        Self { class, name: class.elle().to_owned(), level, txns, keys, message, cycle: Vec::new() }
    }

    /// Returns the row of the contract that it violates.
    pub fn invariant(&self) -> Invariant {
        match (self.class, self.level) {
            (
                AnomalyClass::GarbageRead
                | AnomalyClass::DuplicateElement
                | AnomalyClass::AbortedRead
                | AnomalyClass::IntermediateRead
                | AnomalyClass::IncompatibleOrder
                | AnomalyClass::DirtyUpdate
                | AnomalyClass::FutureRead,
                _,
            ) => Invariant::CommittedOnly,
            (AnomalyClass::InternalInconsistency, _) => Invariant::ReadYourWrites,
            (AnomalyClass::NonRepeatableRead, _) => Invariant::Repeatable,
            (AnomalyClass::LostUpdate, _) => Invariant::Conflicts,
            (AnomalyClass::StaleRead | AnomalyClass::CausalReverse, _) => Invariant::RealTime,
            (_, Level::StrongSessionSnapshotIsolation | Level::StrictSnapshotIsolation) => {
                Invariant::RealTime
            }
            (_, Level::Serializable | Level::StrictSerializable) => Invariant::Serializable,
            _ => Invariant::Snapshot,
        }
    }
}

/// The answers for all levels asked for, with the anomalies that explain them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Levels, weaker ones first.
    pub levels: Vec<(Level, Standing)>,
    /// The anomalies found, weakest level first, shortest cycle first.
    pub anomalies: Vec<Anomaly>,
    /// By name: the number of anomalies, described or not; empty unless all levels were asked for.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// The steps that searches took, of all levels together.
    #[serde(default)]
    pub steps: u64,
}

impl Table {
    /// Returns the answer for a level, if it was asked for.
    pub fn standing(&self, level: Level) -> Option<&Standing> {
        self.levels.iter().find(|(other, _)| *other == level).map(|(_, standing)| standing)
    }

    /// Returns the weakest level that is violated.
    pub fn weakest_violated(&self) -> Option<Level> {
        self.minimal_violated().first().copied()
    }

    /// Returns the weakest levels that are violated: those that imply no other violated level.
    pub fn minimal_violated(&self) -> Vec<Level> {
        let violated = self.of(|standing| *standing == Standing::Violated);
        let above = |level: Level| violated.iter().any(|other| *other != level && level.implies(*other));
        violated.iter().copied().filter(|level| !above(*level)).collect()
    }

    /// Returns the strongest levels that hold: those that no other level that holds implies.
    pub fn strongest_satisfied(&self) -> Vec<Level> {
        let holds = self.of(|standing| *standing == Standing::Holds);
        let beaten = |level: Level| holds.iter().any(|other| *other != level && other.implies(level));
        holds.iter().copied().filter(|level| !beaten(*level)).collect()
    }

    /// Returns the levels that are neither known to hold nor to be violated.
    pub fn undecided(&self) -> Vec<Level> {
        self.of(|standing| matches!(standing, Standing::Unknown(_)))
    }

    fn of(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<Level> {
        self.levels.iter().filter(|(_, standing)| wanted(standing)).map(|(level, _)| *level).collect()
    }
}
