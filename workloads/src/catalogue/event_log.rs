//! Event log: agents append to shared streams, and read them back.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::list_append::{appends, check_list};
use super::{clients, parameters_of};
use crate::evidence::{Evidence, Fate, ended};
use crate::generate::Sizes;
use crate::history::Outcome;
use crate::notebook::{Note, NoteKind};
use crate::plan::{Plan, Step, Transaction};
use crate::store::{Version, stream_key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "event-log";

/// Clients append one or several events to a stream, alone or beside a note under a key of their own, now and
/// then read a stream whole and have the store prove it, and delete its first events.
///
/// Stresses: event streams: their numbering under concurrent appends, their hash chain, their truncation,
/// their recovery. Invariant: no hole, no duplicate, nothing lost but what was truncated, which does not come
/// back; the hash chain holds; the order of events is the order of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventLog {
    /// How many streams.
    pub streams: u32,
    /// Bytes of payload, at most.
    pub bytes_max: usize,
    /// One transaction in this many reads a stream; 0 for none.
    pub read_every: u32,
    /// One transaction in this many truncates a stream, where the store can; 0 for none.
    pub truncate_every: u32,
}

impl Default for EventLog {
    fn default() -> Self {
        Self { streams: 2, bytes_max: 256, read_every: 4, truncate_every: 10 }
    }
}

impl Workload for EventLog {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "event streams: numbers, hash chain, concurrent appends, truncation",
            invariant: "no hole, no duplicate, nothing lost but what was truncated, in commit order",
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
            if self.truncate_every > 0 && rng.random_ratio(1, self.truncate_every) {
                let keep = rng.random_range(0..4);
                return Transaction::of([Step::TruncateEvents { stream, keep }]).into();
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
            findings.extend(come_back(evidence, &name(stream)));
        }
        findings
    }
}

fn name(stream: u32) -> String {
    format!("stream-{stream}")
}

/// Finds two neighbours in the stream whose commits came in the other order.
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

/// Finds a stream that begins before where it must have been truncated.
fn come_back(evidence: &Evidence<'_>, stream: &str) -> Option<Finding> {
    let txn_of = |note: &Note| evidence.history.txns.get(note.txn? as usize);
    let truncated = evidence.notes.iter().filter_map(|note| match &note.what {
        NoteKind::Truncated { stream: truncated, before } if truncated == stream => {
            Some((txn_of(note)?, *before))
        }
        _ => None,
    });
    let truncated: Vec<_> = truncated.filter(|(txn, _)| evidence.acked(txn)).collect();
    evidence.notes.iter().find_map(|note| {
        let NoteKind::Begins { stream: read, first } = &note.what else { return None };
        let reader = txn_of(note).filter(|_| read == stream)?;
        let (by, before) = truncated.iter().find(|(by, before)| {
            let must_be = by.life == reader.life || evidence.fate(by) == Fate::Must;
            first < before && must_be && ended(by).is_some_and(|end| end < reader.begun)
        })?;
        let message = format!("{stream} begins with event {first}, and was truncated before event {before}");
        Some(Finding::violation("truncated events do not come back", message, [by.index, reader.index]))
    })
}
