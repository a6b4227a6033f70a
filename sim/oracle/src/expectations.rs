//! What a store promised its clients.

use serde::{Deserialize, Serialize};
use stormproof_workloads::store::Isolation;

/// When an ack means that a crash can't take the commit back.
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
        /// The bound.
        commits_max: Option<u64>,
    },
    /// Commits recorded as durable are.
    Async,
}

/// How new a transaction's snapshot has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recency {
    /// Any consistent snapshot.
    Any,
    /// What its own session committed before is in it.
    Session,
    /// All that was acked before it began is in it (V5).
    RealTime,
}

/// What a store promised its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectations {
    /// The strongest isolation that it gives; a transaction that asked for less is judged by what it asked for.
    pub isolation: Isolation,
    /// What survives a crash.
    pub durability: Durability,
    /// How new snapshots are.
    pub recency: Recency,
    /// Whether the black-box judge looks as well.
    pub blackbox: bool,
    /// How many steps the black box may take to decide orders that clients could not see.
    pub search_steps_max: u64,
    /// How many violations are described; the rest is counted.
    pub findings_max: usize,
}

impl Default for Expectations {
    /// The whole contract: serializable, strict real time, strict durability.
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
