//! Large transactions: many keys at once, and values up to a mebibyte.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::generate::Sizes;
use crate::history::{Op, Txn};
use crate::plan::{Plan, Step, Transaction};
use crate::store::{Bytes, Range};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "large-transactions";

/// Clients overwrite whole groups of keys, each value with the transaction's own mark, and read groups whole.
///
/// Stresses: log records that span buffers, blocks and segments, rotation, big batches, memory, validation of
/// big sets. Invariant: a group carries one mark, all of it, in every snapshot and after every crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LargeTransactions {
    /// How many groups.
    pub groups: u32,
    /// Keys of a group.
    pub keys: u32,
    /// Sizes of values; all of a transaction are of one size.
    pub sizes: Sizes,
    /// Bytes of a transaction, at most: many keys or large values, not both.
    pub bytes_max: usize,
}

impl Default for LargeTransactions {
    fn default() -> Self {
        // Several times a small log segment. With four times as much, simulations spent most of their time
        // here.
        Self { groups: 2, keys: 100, sizes: Sizes { bytes_max: 16 << 10 }, bytes_max: 64 << 10 }
    }
}

impl Workload for LargeTransactions {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "long log records, rotation, big write sets, big values",
            invariant: "a transaction is there whole, or not at all",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let groups = self.groups.max(1);
        // How many keys a group has is settled once: a smaller one would leave keys of an older mark.
        let counts: Vec<u32> = (0..groups).map(|_| rng.random_range(1..=self.keys.max(1))).collect();
        clients(&mut plan, scale, rng, |_, _, rng| {
            let number = rng.random_range(0..groups);
            let prefix = group(number);
            if rng.random_ratio(1, 4) {
                return Transaction::reading([scan_prefix(&prefix)]).into();
            }
            let count = counts[number as usize];
            let len = self.sizes.draw(rng).min(self.bytes_max / count as usize);
            Transaction::of([Step::PutMany { prefix, count, len }]).into()
        });
        let scans = (0..groups).map(|number| scan_prefix(&group(number)));
        plan.audit.actions.push(Transaction::reading(scans).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        (0..self.groups.max(1)).flat_map(|number| torn_groups(evidence, &group(number))).collect()
    }
}

fn group(group: u32) -> String {
    format!("bulk/{group}/")
}

/// Finds snapshots in which the keys of `prefix`, written by [`Step::PutMany`], carry more than one mark, or
/// some are missing.
pub(super) fn torn_groups(evidence: &Evidence<'_>, prefix: &str) -> Vec<Finding> {
    let range = Range::prefix(prefix.as_bytes());
    let mut findings = Vec::new();
    for txn in evidence.snapshots() {
        if let Some(message) = torn(txn, &range) {
            findings.push(Finding::violation(
                "groups are whole",
                format!("{prefix}: {message}"),
                [txn.index],
            ));
        }
    }
    findings
}

fn torn(txn: &Txn, wanted: &Range) -> Option<String> {
    for op in &txn.ops {
        match op {
            Op::Scan { range, limit: None, entries, .. } if range == wanted => {
                let marks: Vec<_> = entries.iter().map(|entry| mark(&entry.value)).collect();
                let Some(first) = marks.first() else { continue };
                if let Some(other) = marks.iter().find(|mark| *mark != first) {
                    return Some(format!("marks {first:?} and {other:?} in one snapshot"));
                }
                let (_, count) = (*first)?;
                if count != entries.len() {
                    return Some(format!("{} of {count} keys in one snapshot", entries.len()));
                }
            }
            Op::Get { .. } | Op::Scan { .. } => {}
            // It is about to write the group itself.
            _ => return None,
        }
    }
    None
}

/// Returns the mark of a value, and how many keys carry it.
fn mark(value: &Bytes) -> Option<(&[u8], usize)> {
    let mut parts = value.split(|byte| *byte == b'/');
    let mark = parts.next()?;
    let count = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((mark, count))
}
