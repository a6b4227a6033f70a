//! Retry storm: all clients hold the same few keys for as long as possible.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::hotspot::{audit_counters, check_counters};
use super::{clients, parameters_of};
use crate::evidence::Evidence;
use crate::history::{Op, Outcome, Txn};
use crate::plan::{Action, Payload, Plan, Retry, Step, Transaction};
use crate::store::{Chore, Conflict, ConflictKind};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "retry-storm";

/// Clients read several hot keys, think, and raise all of them, with a short backoff. Some of them leave it
/// to the store to run them again, with the loop that it has for applications. Others delete one key beside
/// each other, or write it anew: the loser's rival leaves a tombstone, which may soon be collected.
///
/// Stresses: long conflict sets, retries, fairness, spin loops. Invariant: liveness: no transaction is
/// aborted unless another one, running at the same time, may have won the key that the conflict names. So the
/// number of aborts is bounded by commits times clients, and one always gets through. The store's own loop
/// gives up no transaction before it has run it as often as it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryStorm {
    /// How many keys.
    pub keys: u32,
    /// The longest think time between reads and writes.
    pub think_micros_max: u64,
    /// Attempts of a transaction, at most.
    pub attempts_max: u32,
    /// How many of a hundred transactions the store itself runs again.
    pub by_store_percent: u32,
    /// How many of a hundred transactions delete a key that all share, or write it anew.
    pub delete_percent: u32,
    /// How many of a hundred actions have the store collect what is deleted.
    pub collect_percent: u32,
}

impl Default for RetryStorm {
    fn default() -> Self {
        Self {
            keys: 3,
            think_micros_max: 200,
            attempts_max: 60,
            by_store_percent: 50,
            delete_percent: 20,
            collect_percent: 0,
        }
    }
}

impl Workload for RetryStorm {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "retries (half of them by the store's own loop), long conflict sets, fairness",
            invariant: "no transaction is aborted without a winner",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let keys = self.keys.max(1);
        let retry = Retry { attempts_max: self.attempts_max, backoff_micros: 5, backoff_micros_max: 500 };
        clients(&mut plan, scale, rng, |_, _, rng| {
            if self.collect_percent > 0 && rng.random_range(0..100) < self.collect_percent {
                return Action::Chore { chore: Chore::Collect };
            }
            let by_store = rng.random_range(0..100) < self.by_store_percent;
            if rng.random_range(0..100) < self.delete_percent {
                let step = match rng.random_range(0..4) {
                    0 => Step::Put { key: SHARED.into(), value: Payload::Unique { len: 0 } },
                    _ => Step::Delete { key: SHARED.into() },
                };
                return Transaction { retry, by_store, ..Transaction::of([step]) }.into();
            }
            let first = rng.random_range(0..keys);
            let count = rng.random_range(1..=keys);
            let chosen: Vec<_> = (0..count).map(|offset| key((first + offset) % keys)).collect();
            let reads = chosen.iter().cloned().map(|key| Step::Get { key });
            let think = Step::Think { micros: rng.random_range(0..=self.think_micros_max) };
            let adds = chosen.iter().cloned().map(|key| Step::Add { key, amount: 1 });
            Transaction { retry, by_store, ..Transaction::of(reads.chain([think]).chain(adds)) }.into()
        });
        audit_counters(&mut plan, self.keys());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = check_counters(evidence, self.keys());
        findings.extend(without_winner(evidence));
        findings
    }
}

impl RetryStorm {
    fn keys(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.keys.max(1)).map(key)
    }
}

/// The key that is deleted and written anew.
const SHARED: &str = "storm/shared";

fn key(number: u32) -> String {
    format!("storm/{number}")
}

/// Finds aborts that name a conflict which no transaction can have won.
pub(super) fn without_winner(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for txn in evidence.clients() {
        let Outcome::Aborted { conflicts, .. } = &txn.outcome else { continue };
        for conflict in conflicts.iter().filter(|conflict| conflict.kind != ConflictKind::Cas) {
            let won = |other: &Txn| {
                other.index != txn.index && evidence.overlap(txn, other) && wins(other, conflict)
            };
            if !evidence.effective().any(won) {
                let key = String::from_utf8_lossy(&conflict.key);
                let message = format!(
                    "a {:?} conflict on {key}, which no other transaction wrote meanwhile",
                    conflict.kind
                );
                findings.push(Finding::violation("no abort without a winner", message, [txn.index]));
            }
        }
    }
    findings
}

/// Returns whether the writes of a transaction can be the cause of a conflict. Of a range only the start is
/// known.
fn wins(txn: &Txn, conflict: &Conflict) -> bool {
    txn.ops.iter().any(|op| match op {
        Op::Put { key, .. }
        | Op::PutExpiring { key, .. }
        | Op::Delete { key }
        | Op::Cas { key, .. }
        | Op::DeleteIf { key, .. }
        | Op::Append { key, .. } => *key == conflict.key || conflict.kind == ConflictKind::Range,
        Op::Get { .. } | Op::Scan { .. } | Op::List { .. } | Op::Failed { .. } => false,
    })
}
