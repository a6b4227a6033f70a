//! Hotspot counter: all clients increment the same few numbers.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of};
use crate::evidence::{Evidence, Fate};
use crate::history::{Op, Txn};
use crate::plan::{Plan, Step, Transaction};
use crate::store::Bytes;
use crate::tx::parse;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "hotspot";

/// Clients read a number and write it raised, on very few keys.
///
/// Stresses: validation and commit under the hardest contention, retries, recovery of values that change all
/// the time. Invariant: no increment is lost and none counts twice; no two acked increments wrote the same
/// number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hotspot {
    /// How many numbers.
    pub counters: u32,
    /// The longest think time between a first read of the number and its increment.
    pub think_micros_max: u64,
}

impl Default for Hotspot {
    fn default() -> Self {
        Self { counters: 1, think_micros_max: 0 }
    }
}

impl Workload for Hotspot {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "validation and commit under the hardest contention",
            invariant: "no increment is lost, none counts twice",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |_, _, rng| {
            let key = key(rng.random_range(0..self.counters.max(1)));
            let add = Step::Add { key: key.clone(), amount: 1 };
            if self.think_micros_max == 0 {
                return Transaction::of([add]).into();
            }
            let micros = rng.random_range(0..=self.think_micros_max);
            Transaction::of([Step::Get { key }, Step::Think { micros }, add]).into()
        });
        audit_counters(&mut plan, self.keys());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        check_counters(evidence, self.keys())
    }
}

impl Hotspot {
    fn keys(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.counters.max(1)).map(key)
    }
}

fn key(counter: u32) -> String {
    format!("counter/{counter}")
}

/// Makes the audit read the keys that [`check_counters`] judges.
pub(super) fn audit_counters(plan: &mut Plan, keys: impl Iterator<Item = String>) {
    plan.audit.actions.push(Transaction::reading(keys.map(|key| Step::Get { key })).into());
}

/// Judges counters that transactions raise by 1 with [`Step::Add`].
pub(super) fn check_counters(evidence: &Evidence<'_>, keys: impl Iterator<Item = String>) -> Vec<Finding> {
    let check = |key: String| {
        let mut findings = lost_updates(evidence, key.as_bytes());
        findings.extend(wrong_sum(evidence, key.as_bytes()));
        findings
    };
    keys.flat_map(check).collect()
}

/// Finds two increments that were acked in one life and wrote the same number: one of them is lost.
fn lost_updates(evidence: &Evidence<'_>, key: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrote: BTreeMap<(u32, &Bytes), &Txn> = BTreeMap::new();
    for txn in evidence.clients().filter(|txn| evidence.acked(txn)) {
        let Some(value) = puts(txn, key).last() else { continue };
        if let Some(other) = wrote.insert((txn.life, value), txn) {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            let message =
                format!("two acked transactions both raised {key} to {value}: one increment is lost");
            findings.push(Finding::violation("no lost update", message, [other.index, txn.index]));
        }
    }
    findings
}

/// Checks that the final number counts every increment that must survive, and no more than those that may.
fn wrong_sum(evidence: &Evidence<'_>, key: &[u8]) -> Option<Finding> {
    let value = evidence.final_value(key)?;
    let total = value.map_or(Some(0), |value| parse(value));
    let (mut must, mut may) = (0, 0);
    for txn in evidence.clients() {
        let amount = puts(txn, key).count() as i64;
        match evidence.fate(txn) {
            Fate::Must => must += amount,
            Fate::May => may += amount,
            Fate::Never => {}
        }
    }
    if total.is_some_and(|total| (must..=must + may).contains(&total)) {
        return None;
    }
    let key = String::from_utf8_lossy(key);
    let total = total.map_or_else(|| "no number".to_owned(), |total| total.to_string());
    let message = format!("{key} ended at {total}; {must} increments must count, {may} more may");
    Some(Finding::violation("counter is the sum", message, []))
}

fn puts<'a>(txn: &'a Txn, key: &[u8]) -> impl Iterator<Item = &'a Bytes> {
    txn.ops.iter().filter_map(move |op| match op {
        Op::Put { key: put, value } if put == key => Some(value),
        _ => None,
    })
}
