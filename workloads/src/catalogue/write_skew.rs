//! Write-skew probe: two transactions that read both halves of a pair and write one each.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, judged, parameters_of};
use crate::evidence::Evidence;
use crate::history::{Op, Txn};
use crate::plan::{Payload, Plan, Step, Transaction, Unanswered};
use crate::tx::parse;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "write-skew";

/// Clients withdraw from one of two accounts if both together have enough (Berenson et al., A Critique of
/// ANSI SQL Isolation Levels, 1995, A5B), and pay in again.
///
/// Stresses: validation of keys that were read and not written. Invariant: no pair is ever overdrawn. Under
/// snapshot isolation it can be, and a campaign must see it happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteSkew {
    /// How many pairs.
    pub pairs: u32,
    /// The longest think time between reading and writing.
    pub think_micros_max: u64,
}

impl Default for WriteSkew {
    fn default() -> Self {
        Self { pairs: 2, think_micros_max: 0 }
    }
}

impl Workload for WriteSkew {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "validation of keys that were read and not written",
            invariant: "under serializable no pair is overdrawn; under snapshot isolation it must be seen",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let pairs = self.pairs.max(1);
        let deposits =
            (0..pairs).flat_map(pair).map(|key| Step::Put { key, value: Payload::Text("50".into()) });
        let setup = Transaction { unanswered: Unanswered::Repeat, ..Transaction::of(deposits) };
        plan.setup.actions.push(setup.into());
        clients(&mut plan, scale, rng, |_, _, rng| {
            let accounts = pair(rng.random_range(0..pairs)).to_vec();
            let own = accounts[rng.random_range(0..2)].clone();
            match rng.random_range(0..8) {
                // A scan that ends at the other account, just because it has enough: that one was read all
                // the same.
                0 => {
                    let [left, right] = [&accounts[0], &accounts[1]].map(String::clone);
                    let (reverse, end) = (own == right, format!("{right}~"));
                    let scan = Step::Scan { start: left, end: Some(end), limit: Some(2), reverse };
                    Transaction::of([scan, Step::Add { key: own, amount: 60 }]).into()
                }
                1 => Transaction::reading(accounts.into_iter().map(|key| Step::Get { key })).into(),
                _ => {
                    let think = match self.think_micros_max {
                        0 => None,
                        max => Some(Step::Think { micros: rng.random_range(0..=max) }),
                    };
                    let reads = accounts.iter().cloned().map(|key| Step::Get { key }).collect::<Vec<_>>();
                    let withdraw = Step::Withdraw { accounts, from: own, amount: rng.random_range(50..=90) };
                    Transaction::of(reads.into_iter().chain(think).chain([withdraw])).into()
                }
            }
        });
        let reads = (0..pairs).flat_map(pair).map(|key| Step::Get { key });
        plan.audit.actions.push(Transaction::reading(reads).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for [left, right] in (0..self.pairs.max(1)).map(pair) {
            let overdrawn = |txn: &&Txn| total(txn, &left, &right).is_some_and(|total| total < 0);
            if let Some(txn) = evidence.snapshots().find(overdrawn) {
                let message = format!("{left} and {right} were overdrawn together");
                findings.push(judged(evidence, "no write skew", message, txn.index));
            }
        }
        findings
    }
}

fn pair(pair: u32) -> [String; 2] {
    [format!("pair/{pair}/left"), format!("pair/{pair}/right")]
}

/// Returns what a transaction read both accounts to hold, before it wrote any of them.
fn total(txn: &Txn, left: &str, right: &str) -> Option<i64> {
    let before = txn.ops.iter().take_while(|op| matches!(op, Op::Get { .. }));
    let reads: Vec<_> = before.collect();
    let balance = |account: &str| {
        reads.iter().find_map(|op| match op {
            Op::Get { key, read } if key == account.as_bytes() => {
                read.value.as_ref().and_then(|value| parse(value))
            }
            _ => None,
        })
    };
    Some(balance(left)? + balance(right)?)
}
