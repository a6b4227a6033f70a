//! Register mix: everything that can be done to single keys, on skewed keys, with values of all sizes.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::{Evidence, Fate, written};
use crate::generate::{Burst, Sizes, Zipf};
use crate::history::{Op, Txn};
use crate::plan::{Action, End, Payload, Plan, Retry, Step, Transaction};
use crate::store::{Bytes, Key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "register-mix";

const KEYS: &str = "register/";

/// Clients write blindly, delete, create again, swap, read and scan; some abort on purpose. Some values are
/// empty.
///
/// Stresses: blind writes, tombstones and their versions, read-your-writes, limits and direction of scans,
/// sizes. Invariant: whatever is read was written by a transaction that did not abort; what is there at the
/// end was the last write of one that may have committed, and what is absent may have been deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegisterMix {
    /// How many keys.
    pub keys: u32,
    /// Skew of the keys, in quarters (see [`Zipf`]).
    pub skew_quarters: u32,
    /// Operations of a transaction, at most.
    pub steps_max: u32,
    /// Sizes of values.
    pub sizes: Sizes,
    /// One transaction in this many is aborted on purpose; 0 for none.
    pub abort_every: u32,
    /// The rhythm of clients.
    pub burst: Burst,
}

impl Default for RegisterMix {
    fn default() -> Self {
        Self {
            keys: 12,
            skew_quarters: 3,
            steps_max: 5,
            sizes: Sizes { bytes_max: 512 },
            abort_every: 8,
            burst: Burst { length: 6, pause_micros_max: 2_000 },
        }
    }
}

impl Workload for RegisterMix {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "blind writes, deletes, re-creation, scans of all kinds, sizes",
            invariant: "whatever is read was written, and not by an abort",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let zipf = Zipf::new(self.keys, self.skew_quarters);
        clients(&mut plan, scale, rng, |client, number, rng| match self.burst.pause(number, rng) {
            Some(micros) if number > 0 => Action::Pause { micros },
            _ if rng.random_ratio(1, 12) => empty(client, number).into(),
            _ => self.transaction(&zipf, rng).into(),
        });
        plan.audit.actions.push(Transaction::reading([scan_prefix(KEYS)]).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = garbage(evidence);
        for number in 0..self.keys.max(1) {
            findings.extend(wrong_end(evidence, key(number).as_bytes()));
        }
        findings
    }
}

impl RegisterMix {
    fn transaction(&self, zipf: &Zipf, rng: &mut ChaCha8Rng) -> Transaction {
        let steps: Vec<_> =
            (0..rng.random_range(1..=self.steps_max.max(1))).map(|_| self.step(zipf, rng)).collect();
        let abort = self.abort_every > 0 && rng.random_ratio(1, self.abort_every);
        let end = match (abort, rng.random_bool(0.5)) {
            (false, _) => End::Commit,
            (true, true) => End::Abort,
            (true, false) => End::Drop,
        };
        // An insert over a key that is present fails for as long as it is: retries are soon pointless.
        let hopeless = steps.iter().any(|step| matches!(step, Step::Insert { .. }));
        let attempts_max = if hopeless { 3 } else { Retry::default().attempts_max };
        Transaction { end, retry: Retry { attempts_max, ..Retry::default() }, ..Transaction::of(steps) }
    }

    fn step(&self, zipf: &Zipf, rng: &mut ChaCha8Rng) -> Step {
        let key = key(zipf.draw(rng));
        let value = Payload::Unique { len: self.sizes.draw(rng) };
        match rng.random_range(0..20) {
            0..=5 => Step::Get { key },
            6..=10 => Step::Put { key, value },
            11..=13 => Step::Delete { key },
            14 => Step::Insert { key, value },
            15..=16 => Step::Swap { key, value },
            17 => scan_prefix(KEYS),
            _ => {
                let limit = rng.random_bool(0.7).then(|| rng.random_range(1..=4));
                Step::Scan { start: key, end: Some(format!("{KEYS}~")), limit, reverse: rng.random_bool(0.5) }
            }
        }
    }
}

fn key(number: u32) -> String {
    format!("{KEYS}{number:04}")
}

/// Writes an empty value under a key of its own, as every other value is written once; scans find it.
fn empty(client: u32, number: u32) -> Transaction {
    let key = format!("{KEYS}empty-{client}-{number}");
    Transaction::of([Step::Put { key, value: Payload::Text(String::new()) }])
}

/// Finds reads of values that were never written, or only by an aborted transaction. Every value is written
/// once.
pub(crate) fn garbage(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut writers: BTreeMap<(&Key, &Bytes), &Txn> = BTreeMap::new();
    for txn in &evidence.history.txns {
        for op in &txn.ops {
            if let Op::Put { key, value } | Op::PutExpiring { key, value, .. } | Op::Cas { key, value, .. } =
                op
            {
                writers.insert((key, value), txn);
            }
        }
    }
    let mut findings = Vec::new();
    for txn in &evidence.history.txns {
        for (key, value) in reads(txn) {
            let shown = |value: &[u8]| String::from_utf8_lossy(&value[..value.len().min(24)]).into_owned();
            let (what, other) = match writers.get(&(key, value)) {
                None => ("no transaction wrote", None),
                Some(writer) if writer.index == txn.index => continue,
                Some(writer) if evidence.fate(writer) == Fate::Never => {
                    ("only an abort wrote", Some(writer.index))
                }
                Some(_) => continue,
            };
            let message = format!("{} was read as {:?}, which {what}", shown(key), shown(value));
            let txns = other.into_iter().chain([txn.index]);
            findings.push(Finding::violation("reads see what was committed", message, txns));
        }
    }
    findings
}

fn reads(txn: &Txn) -> Vec<(&Key, &Bytes)> {
    let mut reads = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Get { key, read } => reads.extend(read.value.as_ref().map(|value| (key, value))),
            Op::Scan { entries, .. } => reads.extend(entries.iter().map(|entry| (&entry.key, &entry.value))),
            _ => {}
        }
    }
    reads
}

/// Checks that the final state of a key is the last write of some transaction that no other, surely later one
/// overwrote.
pub(crate) fn wrong_end(evidence: &Evidence<'_>, key: &[u8]) -> Option<Finding> {
    let last = evidence.final_value(key)?;
    let write = |txn: &Txn| txn.ops.iter().rev().find_map(|op| written(op, key).map(|value| value.cloned()));
    let writers: Vec<_> =
        evidence.effective().filter_map(|txn| write(txn).map(|value| (txn, value))).collect();
    let overwritten = |txn: &Txn| {
        let end = crate::evidence::ended(txn);
        let later =
            |other: &Txn| evidence.fate(other) == Fate::Must && end.is_some_and(|end| end < other.begun);
        writers.iter().any(|(other, _)| later(other))
    };
    let never_written = last.is_none() && writers.iter().all(|(txn, _)| evidence.fate(txn) != Fate::Must);
    let fits = writers.iter().any(|(txn, value)| value.as_ref() == last && !overwritten(txn));
    if never_written || fits {
        return None;
    }
    let shown =
        last.map_or_else(|| "absent".into(), |value| String::from_utf8_lossy(&value[..value.len().min(24)]));
    let message = format!("{} ended {shown}, which is no last write", String::from_utf8_lossy(key));
    Some(Finding::violation("the last write stays", message, []))
}
