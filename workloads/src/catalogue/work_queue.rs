//! Work queue: jobs wait, are leased to a worker for a while, and are done; a job whose lease has expired can
//! be leased again.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::{Evidence, Fate};
use crate::history::{Op, Txn};
use crate::interpret::queue::Keys;
use crate::plan::{Action, Plan, Step, Transaction};
use crate::store::{Entry, Key, Range};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "work-queue";

const QUEUE: &str = "jobs";

/// Clients put jobs in, take leases, think, and complete what they hold; some leases run out first.
///
/// Stresses: scans of a range whose head all clients want, deletes and re-creation of neighbours, moves
/// between ranges. Invariant: in every snapshot a job is in exactly one place; none that was acked is lost;
/// none is done twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkQueue {
    /// How long a lease is valid.
    pub lease_micros: u64,
    /// The longest time between taking and completing.
    pub work_micros_max: u64,
}

impl Default for WorkQueue {
    fn default() -> Self {
        Self { lease_micros: 1_000, work_micros_max: 1_500 }
    }
}

impl Workload for WorkQueue {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "scans of a range whose head all clients want, moves between ranges",
            invariant: "no job is lost, none is done twice",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let queue = || QUEUE.to_owned();
        clients(&mut plan, scale, rng, |client, number, rng| match rng.random_range(0..10) {
            0..=2 => {
                let job = format!("{client:02}-{number:04}");
                Transaction::of([Step::Enqueue { queue: queue(), job }]).into()
            }
            3..=5 => Transaction::of([Step::Lease { queue: queue(), micros: self.lease_micros }]).into(),
            6..=7 => Transaction::of([Step::Complete { queue: queue() }]).into(),
            8 => Action::Pause { micros: rng.random_range(0..=self.work_micros_max) },
            _ => Transaction::reading([whole()]).into(),
        });
        plan.audit.actions.push(Transaction::reading([whole()]).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings: Vec<_> = evidence.snapshots().filter_map(in_two_places).collect();
        findings.extend(lost(evidence));
        findings.extend(done_twice(evidence));
        findings
    }
}

fn whole() -> Step {
    scan_prefix(&prefix())
}

fn prefix() -> String {
    format!("queue/{QUEUE}/")
}

fn job(key: &[u8]) -> &[u8] {
    key.rsplit(|byte| *byte == b'/').next().unwrap_or(key)
}

fn in_two_places(txn: &Txn) -> Option<Finding> {
    let wanted = Range::prefix(prefix().as_bytes());
    for op in &txn.ops {
        let Op::Scan { range, entries, .. } = op else { continue };
        if *range != wanted {
            continue;
        }
        let mut places: BTreeMap<&[u8], &Entry> = BTreeMap::new();
        for entry in entries {
            if let Some(other) = places.insert(job(&entry.key), entry) {
                let (here, there) =
                    (String::from_utf8_lossy(&entry.key), String::from_utf8_lossy(&other.key));
                let message = format!("one job is both {there} and {here}");
                return Some(Finding::violation("a job is in one place", message, [txn.index]));
            }
        }
    }
    None
}

/// Finds a job that was acked into the queue, and is nowhere.
fn lost(evidence: &Evidence<'_>) -> Vec<Finding> {
    let Some(last) = evidence.final_entries(&prefix()) else { return Vec::new() };
    let mut findings = Vec::new();
    for txn in evidence.clients().filter(|txn| evidence.fate(txn) == Fate::Must) {
        for key in puts(txn, &Keys::of(QUEUE).waiting) {
            if !last.iter().any(|entry| job(&entry.key) == job(key)) {
                let message = format!("{} was acked, and the job is nowhere", String::from_utf8_lossy(key));
                findings.push(Finding::violation("no job is lost", message, [txn.index]));
            }
        }
    }
    findings
}

/// Finds two that completed one job, and both were acked in one life, or must both have survived.
fn done_twice(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut done: BTreeMap<&Key, Vec<&Txn>> = BTreeMap::new();
    for txn in evidence.clients().filter(|txn| evidence.acked(txn)) {
        for key in puts(txn, &Keys::of(QUEUE).done) {
            let others = done.entry(key).or_default();
            let both = |other: &&&Txn| {
                let survive = evidence.fate(txn) == Fate::Must && evidence.fate(other) == Fate::Must;
                survive || txn.life == other.life
            };
            if let Some(other) = others.iter().find(both) {
                let message = format!("{} was done by two", String::from_utf8_lossy(key));
                findings.push(Finding::violation("no job is done twice", message, [other.index, txn.index]));
            }
            others.push(txn);
        }
    }
    findings
}

fn puts<'a>(txn: &'a Txn, prefix: &str) -> impl Iterator<Item = &'a Key> {
    txn.ops.iter().filter_map(move |op| match op {
        Op::Put { key, .. } if key.starts_with(prefix.as_bytes()) => Some(key),
        _ => None,
    })
}
