//! TTL cache: keys that expire, read by transactions that wait between two reads.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of};
use crate::evidence::{Evidence, Fate, ended, written};
use crate::history::{Op, Txn};
use crate::notebook::NoteKind;
use crate::plan::{Action, Payload, Plan, Step, Transaction};
use crate::store::{Bytes, Capabilities};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "ttl-cache";

/// Rounding of lifetimes that is no violation.
const SLACK_MICROS: u64 = 1_000;

/// Clients fill a small cache with values that live a few milliseconds, replace some by values that stay,
/// delete some, and read them, twice in one transaction with a wait between. Now and then they write down
/// what they saw, as the holder of a lease does that works on, and another one that takes over.
///
/// Stresses: expiry at snapshot time and at commit, its index and sweep, lifetimes in log and recovery.
/// Invariant: a key does not expire between two reads of one transaction; it is gone when its time is over,
/// and not before, whatever its clock does meanwhile. What was written because a key was there does not
/// follow, in commit order, what was written because it was gone, which the oracle sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TtlCache {
    /// How many keys.
    pub keys: u32,
    /// The longest lifetime.
    pub ttl_ms_max: u64,
    /// How many notes on what was seen.
    pub notes: u32,
    /// How many of a hundred transactions write notes.
    pub note_percent: u32,
}

impl Default for TtlCache {
    fn default() -> Self {
        Self { keys: 4, ttl_ms_max: 8, notes: 2, note_percent: 25 }
    }
}

impl Workload for TtlCache {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "expiry at snapshot time and at commit, its index, its sweep, its recovery",
            invariant: "a key expires in its time, and never between two reads",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        capabilities.ttl
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |_, _, rng| {
            let key = key(rng.random_range(0..self.keys.max(1)));
            if rng.random_range(0..100) < self.note_percent {
                return self.note_what_is_seen(key, rng).into();
            }
            let half = self.ttl_ms_max * 500;
            let step = match rng.random_range(0..10) {
                0..=2 => Step::PutTtl { key, ttl_ms: rng.random_range(1..=self.ttl_ms_max.max(1)) },
                3 => Step::Put { key, value: Payload::Unique { len: 0 } },
                4 => Step::Delete { key },
                5 => return Action::Pause { micros: rng.random_range(0..=half) },
                _ => Step::GetTtl { key, wait_micros: rng.random_range(0..=half) },
            };
            Transaction::of([step]).into()
        });
        let reads = (0..self.keys.max(1)).map(|number| Step::GetTtl { key: key(number), wait_micros: 0 });
        plan.audit.actions.push(Transaction::reading(reads).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for txn in evidence.snapshots() {
            if begun(evidence, txn).is_none() {
                continue;
            }
            for op in &txn.ops {
                let Op::Get { key, read } = op else { continue };
                match &read.value {
                    Some(value) => findings.extend(too_late(evidence, txn, key, value)),
                    None => findings.extend(too_early(evidence, txn, key)),
                }
            }
        }
        findings
    }
}

impl TtlCache {
    /// Creates a transaction that looks at a key, and writes a note: one that is slow writes it blindly, and
    /// one that is not has read another note. Of two of them, the first may have seen the key, and the second
    /// that it was gone, and what the first writes: they have nothing in common but that key, which neither
    /// of them writes.
    fn note_what_is_seen(&self, key: String, rng: &mut ChaCha8Rng) -> Transaction {
        let is_slow = rng.random_bool(0.5);
        let wait_micros = if is_slow { rng.random_range(0..=self.ttl_ms_max * 500) } else { 0 };
        let notes = self.notes.max(1);
        let number = rng.random_range(0..notes);
        let note = |number: u32| format!("note/{}", number % notes);
        let read = (!is_slow).then(|| Step::Get { key: note(number + 1) });
        let write = Step::Put { key: note(number), value: Payload::Unique { len: 0 } };
        Transaction::of([Step::GetTtl { key, wait_micros }].into_iter().chain(read).chain([write]))
    }
}

fn key(number: u32) -> String {
    format!("cache/{number}")
}

/// Returns the times between which the store's clock stood when a transaction began.
fn begun(evidence: &Evidence<'_>, txn: &Txn) -> Option<[u64; 2]> {
    evidence.notes.iter().filter(|note| note.txn == Some(txn.index)).find_map(|note| match note.what {
        NoteKind::Begun { wall } => Some(wall),
        _ => None,
    })
}

/// Returns the latest that the store's clock can have shown at the ack of a transaction.
fn acked(evidence: &Evidence<'_>, txn: &Txn) -> Option<u64> {
    evidence.notes.iter().filter(|note| note.txn == Some(txn.index)).find_map(|note| match note.what {
        NoteKind::Acked { wall } => Some(wall),
        _ => None,
    })
}

/// Finds a value that was read though its time was over before the transaction began.
fn too_late(evidence: &Evidence<'_>, txn: &Txn, key: &[u8], value: &Bytes) -> Option<Finding> {
    let (writer, ttl_ms) = evidence.effective().find_map(|writer| {
        writer.ops.iter().find_map(|op| match op {
            Op::PutExpiring { key: put, value: written, ttl_ms } if put == key && written == value => {
                Some((writer, *ttl_ms))
            }
            _ => None,
        })
    })?;
    if writer.index == txn.index {
        return None;
    }
    let [begun, _] = begun(evidence, txn)?;
    let gone = acked(evidence, writer)? + ttl_ms * 1_000 + SLACK_MICROS;
    (begun > gone).then(|| {
        let message = format!(
            "{} was read at {begun} µs, though its time was over at {gone}",
            String::from_utf8_lossy(key)
        );
        Finding::violation("a key is gone when its time is over", message, [writer.index, txn.index])
    })
}

/// Finds a key that was missing though its last writer gave it more time. Judges only where it is certain
/// which transaction wrote last.
fn too_early(evidence: &Evidence<'_>, txn: &Txn, key: &[u8]) -> Option<Finding> {
    if txn.ops.iter().any(|op| written(op, key).is_some()) {
        return None;
    }
    let writes = |other: &&Txn| other.ops.iter().any(|op| written(op, key).is_some());
    let writers: Vec<&Txn> = evidence.effective().filter(writes).collect();
    let before = |a: &Txn, b: &Txn| ended(a).is_some_and(|end| end < b.begun);
    let last = writers.iter().copied().find(|writer| {
        before(writer, txn)
            && evidence.fate(writer) == Fate::Must
            && writers.iter().all(|other| {
                let unsure = !before(other, writer) && ended(txn).is_none_or(|end| end >= other.begun);
                other.index == writer.index || !unsure
            })
    })?;
    let lifetime = last.ops.iter().rev().find_map(|op| match op {
        Op::PutExpiring { key: put, ttl_ms, .. } if put == key => Some(Some(*ttl_ms)),
        _ => written(op, key).map(|value| value.map(|_| u64::MAX)),
    })??;
    let [_, until] = begun(evidence, txn)?;
    let [begun, _] = begun(evidence, last).unwrap_or_default();
    let expires = begun.saturating_add(lifetime.saturating_mul(1_000));
    (until.saturating_add(SLACK_MICROS) < expires).then(|| {
        let message = format!(
            "{} was missing at {until} µs, though it had time until {expires}",
            String::from_utf8_lossy(key)
        );
        Finding::violation("a key stays for its time", message, [last.index, txn.index])
    })
}
