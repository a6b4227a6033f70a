//! The promises of a store to its clients.

use serde::{Deserialize, Serialize};
use stormproof_workloads::store::Isolation;

/// The durability of acked commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Nothing is promised: an in-memory store.
    None,
    /// Every ack is durable, and what a transaction reads is durable too (D3).
    Strict,
    /// Commits recorded as durable are.
    Pipelined,
    /// Commits recorded as durable are, and fewer than `commits_max` acked ones are lost (D4).
    Batched {
        /// Exclusive upper bound of the acked commits that a crash may lose.
        commits_max: Option<u64>,
    },
    /// Commits recorded as durable are.
    Async,
}

/// The required recency of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recency {
    /// Any consistent snapshot.
    Any,
    /// It includes the earlier commits of its session.
    Session,
    /// It includes everything acked before it began (V5).
    RealTime,
}

/// The promises of a store to its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectations {
    /// The strongest isolation level; a transaction that asked for less is judged by what it asked for.
    pub isolation: Isolation,
    /// What survives a crash (contract §4).
    pub durability: Durability,
    /// The recency of snapshots.
    pub recency: Recency,
    /// Whether the black-box checker runs as well.
    pub blackbox: bool,
    /// Maximum number of steps to decide orders that clients could not observe.
    pub search_steps_max: u64,
    /// Maximum number of violations described; the rest is counted.
    pub findings_max: usize,
}

impl Default for Expectations {
    /// Returns the whole contract: serializable, strict real time, strict durability.
    fn default() -> Self {
        Self {
            isolation: Isolation::Serializable,
            durability: Durability::Strict,
            recency: Recency::RealTime,
            blackbox: true,
            search_steps_max: 1_000_000,
            findings_max: 32,
        }
    }
}
