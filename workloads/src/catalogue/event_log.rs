//! Event log: agents append to shared streams, and read them back.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::list_append::{appends, check_list};
use super::{clients, parameters_of};
use crate::evidence::Evidence;
use crate::generate::Sizes;
use crate::history::Outcome;
use crate::plan::{Plan, Step, Transaction};
use crate::store::{Version, stream_key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "event-log";

/// Clients append one or several events to a stream, alone or beside a note under a key of their own, and now
/// and then read a stream whole and have the store prove it.
///
/// Stresses: event streams: their numbering under concurrent appends, their hash chain, their recovery.
/// Invariant: no hole, no duplicate, nothing lost; the hash chain holds; the order of events is the order of
/// commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventLog {
    /// How many streams.
    pub streams: u32,
    /// Bytes of payload, at most.
    pub bytes_max: usize,
    /// One transaction in this many reads a stream; 0 for none.
    pub read_every: u32,
}

impl Default for EventLog {
    fn default() -> Self {
        Self { streams: 2, bytes_max: 256, read_every: 4 }
    }
}

impl Workload for EventLog {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "event streams: numbers, hash chain, concurrent appends",
            invariant: "no hole, no duplicate, nothing lost, in commit order",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let sizes = Sizes { bytes_max: self.bytes_max };
        clients(&mut plan, scale, rng, |client, _, rng| {
            let stream = name(rng.random_range(0..self.streams.max(1)));
            if self.read_every > 0 && rng.random_ratio(1, self.read_every) {
                return Transaction::reading([Step::ReadEvents { stream, verify: true }]).into();
            }
            let mut steps = Vec::new();
            for _ in 0..rng.random_range(1..=2) {
                steps.push(Step::AppendEvent { stream: stream.clone(), len: sizes.draw(rng) });
            }
            if rng.random_bool(0.3) {
                steps.push(Step::Add { key: format!("written/{client}"), amount: 1 });
            }
            if rng.random_bool(0.2) {
                steps.push(Step::ReadEvents { stream, verify: false });
            }
            Transaction::of(steps).into()
        });
        let reads =
            (0..self.streams.max(1)).map(|stream| Step::ReadEvents { stream: name(stream), verify: true });
        plan.audit.actions.push(Transaction::reading(reads).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for stream in 0..self.streams.max(1) {
            let key = stream_key(&name(stream));
            findings.extend(check_list(evidence, &key));
            findings.extend(disorder(evidence, &key));
        }
        findings
    }
}

fn name(stream: u32) -> String {
    format!("stream-{stream}")
}

/// Two neighbours in the stream whose commits came in the other order.
fn disorder(evidence: &Evidence<'_>, stream: &[u8]) -> Option<Finding> {
    let last = evidence.final_list(stream)?;
    let version = |event| -> Option<(Version, u32)> {
        let txn = evidence.effective().find(|txn| appends(txn, stream).any(|element| element == event))?;
        match txn.outcome {
            Outcome::Committed { version: Some(version), .. } => Some((version, txn.index)),
            _ => None,
        }
    };
    let order: Vec<_> = last.iter().filter_map(version).collect();
    let swapped = order.windows(2).find(|pair| pair[0].0 > pair[1].0)?;
    let stream = String::from_utf8_lossy(stream);
    let message =
        format!("{stream} holds an event of version {} before one of {}", swapped[0].0, swapped[1].0);
    Some(Finding::violation("events are in commit order", message, [swapped[0].1, swapped[1].1]))
}
