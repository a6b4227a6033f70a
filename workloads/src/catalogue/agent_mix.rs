//! Agent mix: what a crew of agents does on a normal day. Mostly everyone works on their own, some things are
//! shared.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::{Evidence, Fate};
use crate::generate::{Burst, Sizes};
use crate::history::{Op, Session, Txn};
use crate::plan::{Action, FIRST_CLIENT, Payload, Plan, Step, Transaction};
use crate::store::{Bytes, Key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "agent-mix";

/// Each client is an agent with memory of its own; few transactions touch what all share: a plan, a log, a
/// counter.
///
/// Stresses: the normal case, which must be fast: disjoint writers hardly conflict.
/// Invariant: what belongs to one agent only is always what that agent wrote last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentMix {
    /// Keys of an agent's own memory.
    pub memories: u32,
    /// Transactions of a hundred that touch what is shared.
    pub shared_percent: u32,
    /// Sizes of values.
    pub sizes: Sizes,
    /// The rhythm of agents.
    pub burst: Burst,
}

impl Default for AgentMix {
    fn default() -> Self {
        Self {
            memories: 16,
            shared_percent: 5,
            sizes: Sizes { bytes_max: 1_024 },
            burst: Burst { length: 5, pause_micros_max: 5_000 },
        }
    }
}

impl Workload for AgentMix {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "the normal case: agents on keys of their own, few shared",
            invariant: "an agent finds in its memory what it wrote last",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |client, number, rng| match self.burst.pause(number, rng) {
            Some(micros) if number > 0 => Action::Pause { micros },
            _ if rng.random_range(0..100) < self.shared_percent => shared(rng).into(),
            _ => self.own(client, number, rng).into(),
        });
        let scans = (0..scale.clients).map(|client| scan_prefix(&memory(client)));
        plan.audit.actions.push(Transaction::reading(scans).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let sessions = evidence.plan.clients.iter().map(|client| client.session);
        sessions.flat_map(|session| forgetful(evidence, session)).collect()
    }
}

impl AgentMix {
    fn own(&self, client: u32, number: u32, rng: &mut ChaCha8Rng) -> Transaction {
        let prefix = memory(client);
        let steps = (0..rng.random_range(1..=4)).map(|_| {
            let key = format!("{prefix}{:03}", rng.random_range(0..self.memories.max(1)));
            match rng.random_range(0..10) {
                0..=4 => Step::Get { key },
                5..=7 => Step::Put { key, value: Payload::Unique { len: self.sizes.draw(rng) } },
                8 => Step::Delete { key },
                _ => scan_prefix(&prefix),
            }
        });
        let mut steps: Vec<_> = steps.collect();
        if rng.random_ratio(1, 4) {
            steps.push(Step::AppendEvent { stream: format!("diary-{client}"), len: 16 });
        }
        if rng.random_ratio(1, 8) {
            steps.push(Step::ToolCall { agent: format!("agent-{client}"), step: u64::from(number) });
        }
        Transaction::of(steps)
    }
}

fn memory(client: u32) -> String {
    format!("memory/{client:03}/")
}

fn shared(rng: &mut ChaCha8Rng) -> Transaction {
    match rng.random_range(0..3) {
        0 => Transaction::of([Step::Add { key: "shared/count".into(), amount: 1 }]),
        1 => Transaction::of([Step::AppendEvent { stream: "shared".into(), len: 16 }]),
        _ => Transaction::of([Step::Swap { key: "shared/plan".into(), value: Payload::Unique { len: 32 } }]),
    }
}

/// Replays an agent's own memory, which no other agent writes: each read must show the agent's own last
/// write. What a crash or an unanswered commit leaves open is open until it is written again.
fn forgetful(evidence: &Evidence<'_>, session: Session) -> Option<Finding> {
    let prefix = memory(session - FIRST_CLIENT);
    let mut memory: BTreeMap<&Key, Option<&Bytes>> = BTreeMap::new();
    let mut open: Vec<&Key> = Vec::new();
    let audits = |txn: &&Txn| txn.session == session || txn.session == crate::plan::AUDIT;
    for txn in evidence.history.txns.iter().filter(audits) {
        let mut own = memory.clone();
        for op in &txn.ops {
            match op {
                Op::Put { key, value } if key.starts_with(prefix.as_bytes()) => {
                    own.insert(key, Some(value));
                }
                Op::Delete { key } if key.starts_with(prefix.as_bytes()) => {
                    own.insert(key, None);
                }
                Op::Get { key, read } if key.starts_with(prefix.as_bytes()) => {
                    let known = own.get(key).copied().flatten();
                    if !open.contains(&key) && known != read.value.as_ref() {
                        return Some(finding(txn, key));
                    }
                }
                Op::Scan { range, limit: None, entries, .. } if range.start == prefix.as_bytes() => {
                    let found: BTreeMap<_, _> =
                        entries.iter().map(|entry| (&entry.key, &entry.value)).collect();
                    let keys =
                        found.keys().copied().chain(own.keys().copied()).filter(|key| !open.contains(key));
                    for key in keys {
                        if own.get(key).copied().flatten() != found.get(key).copied() {
                            return Some(finding(txn, key));
                        }
                    }
                }
                _ => {}
            }
        }
        let written = txn.ops.iter().filter_map(|op| match op {
            Op::Put { key, .. } | Op::Delete { key } => Some(key),
            _ => None,
        });
        match evidence.fate(txn) {
            Fate::Must => {
                open.retain(|key| !written.clone().any(|other| other == *key));
                memory = own;
            }
            Fate::May => open.extend(written),
            Fate::Never => {}
        }
    }
    None
}

fn finding(txn: &Txn, key: &[u8]) -> Finding {
    let message = format!("{} is not what its only writer wrote last", String::from_utf8_lossy(key));
    Finding::violation("own memory is what was written last", message, [txn.index])
}
