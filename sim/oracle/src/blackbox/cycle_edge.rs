//! The edges of a cycle as evidence: from which transaction to which, why, and in which words.

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::TxnIndex;

/// Why one transaction comes before the next in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependency {
    /// The second overwrote what the first wrote.
    WriteWrite,
    /// The second read what the first wrote.
    WriteRead,
    /// The second overwrote what the first read.
    ReadWrite,
    /// Both ran in the same session, in this order.
    Session,
    /// The first was acked before the second began.
    RealTime,
    /// The reads of a third transaction leave no other order.
    Inferred,
    /// The versions of a key are in an order that the user vouches for.
    KeyOrder,
}

impl Dependency {
    /// Returns its short name: ww, wr, rw, session, time, inferred, key-order.
    pub fn short(self) -> &'static str {
        match self {
            Self::WriteWrite => "ww",
            Self::WriteRead => "wr",
            Self::ReadWrite => "rw",
            Self::Session => "session",
            Self::RealTime => "time",
            Self::Inferred => "inferred",
            Self::KeyOrder => "key-order",
        }
    }
}

/// One edge of a cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleEdge {
    /// The earlier transaction.
    pub from: TxnIndex,
    /// The later transaction.
    pub to: TxnIndex,
    /// The kind of dependency.
    pub why: Dependency,
    /// The key, if there is one.
    pub key: Option<Vec<u8>>,
    /// The operations and values that prove it.
    pub sentence: String,
}
