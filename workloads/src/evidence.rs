//! What a workload's checks use: the plan, the history and the notes, with the queries that most of them
//! need.
//!
//! Not its job: judging isolation or durability in general, which is the oracle's. A workload judges what its
//! numbers mean.

use std::collections::BTreeMap;

use crate::history::{History, LifeEnd, Op, Outcome, Time, Txn};
use crate::notebook::{Note, NoteKind};
use crate::plan::{AUDIT, Plan, SETUP};
use crate::store::{Bytes, Entry, Expected, Isolation, Key, Range};
use crate::workload::Finding;

/// All that is known about a run.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What was done.
    pub history: &'a History,
    /// What clients wrote down beside it.
    pub notes: &'a [Note],
}

/// Whether the effects of a transaction are in the final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They must be.
    Must,
    /// They may be: it was never answered, or acked and not known to be durable when its life crashed.
    May,
    /// They must not be.
    Never,
}

impl<'a> Evidence<'a> {
    /// Returns whether the effects of `txn` must, may or must not be in the final state.
    pub fn fate(&self, txn: &Txn) -> Fate {
        match &txn.outcome {
            Outcome::Unknown { .. } => Fate::May,
            Outcome::Running | Outcome::Aborted { .. } => Fate::Never,
            Outcome::Committed { durable, .. } => {
                let ended = self.history.lives.iter().find(|life| life.life == txn.life);
                let crashed = matches!(ended.and_then(|life| life.ended), Some((_, LifeEnd::Crashed)));
                if crashed && durable.is_none() { Fate::May } else { Fate::Must }
            }
        }
    }

    /// Returns whether `txn` was acked.
    pub fn acked(&self, txn: &Txn) -> bool {
        matches!(txn.outcome, Outcome::Committed { .. })
    }

    /// Returns the transactions of clients, in the order in which they began.
    pub fn clients(&self) -> impl Iterator<Item = &'a Txn> + use<'a> {
        self.history.txns.iter().filter(|txn| txn.session != SETUP && txn.session != AUDIT)
    }

    /// Returns the transactions that may have had effects: acked ones, and those that were never answered.
    pub fn effective(&self) -> impl Iterator<Item = &'a Txn> + use<'a> {
        let effective =
            |txn: &&Txn| matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. });
        self.history.txns.iter().filter(effective)
    }

    /// Returns the transactions that read from one snapshot: all but those that asked for less.
    pub fn snapshots(&self) -> impl Iterator<Item = &'a Txn> + use<'a> {
        self.history.txns.iter().filter(|txn| txn.isolation >= Isolation::Snapshot)
    }

    /// Returns what the audit read, if it was acked: the final state, as far as the audit looked.
    pub fn audit(&self) -> impl Iterator<Item = &'a Op> + use<'a> {
        let audits = self.history.txns.iter().filter(|txn| txn.session == AUDIT);
        audits.filter(|txn| matches!(txn.outcome, Outcome::Committed { .. })).flat_map(|txn| &txn.ops)
    }

    /// Returns the final value of `key`: `None` if the audit did not read it, `Some(None)` if it is absent.
    pub fn final_value(&self, key: &[u8]) -> Option<Option<&'a Bytes>> {
        self.audit().find_map(|op| match op {
            Op::Get { key: read_key, read } if read_key == key => Some(read.value.as_ref()),
            Op::Scan { range, limit: None, entries, .. } if range.contains(key) => {
                Some(entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value))
            }
            _ => None,
        })
    }

    /// Returns the final entries of the keys that start with `prefix`, if the audit scanned exactly them.
    pub fn final_entries(&self, prefix: &str) -> Option<&'a [Entry]> {
        let wanted = Range::prefix(prefix.as_bytes());
        self.audit().find_map(|op| match op {
            Op::Scan { range, limit: None, entries, .. } if *range == wanted => Some(entries.as_slice()),
            _ => None,
        })
    }

    /// Returns the final elements of a list, if the audit read it.
    pub fn final_list(&self, list: &[u8]) -> Option<&'a [Bytes]> {
        self.audit().find_map(|op| match op {
            Op::List { key, elements, .. } if key == list => Some(elements.as_slice()),
            _ => None,
        })
    }

    /// Returns whether two transactions ran at the same time, at least in part. Those that never ended run
    /// for ever.
    pub fn overlap(&self, a: &Txn, b: &Txn) -> bool {
        let end = |txn: &Txn| ended(txn).unwrap_or(Time::MAX);
        a.begun <= end(b) && b.begun <= end(a)
    }

    /// Returns what clients themselves saw to be broken.
    pub fn broken_assertions(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for note in self.notes {
            let NoteKind::Broken { rule, message } = &note.what else { continue };
            // Under weaker isolation than a snapshot, what a client observes by itself proves nothing.
            let weak =
                note.txn.is_some_and(|txn| self.history.txns[txn as usize].isolation < Isolation::Snapshot);
            let finding = Finding::violation(rule, message.clone(), note.txn);
            findings.push(Finding { violation: !weak, ..finding });
        }
        findings
    }

    /// Returns the refusals that the plan did not expect. After a crash, a run that was begun may be lost, so
    /// refusals that follow a crash are left to the workload.
    pub fn refusals(&self) -> Vec<Finding> {
        let crash = self.history.lives.iter().filter_map(|life| life.ended).map(|(at, _)| at).min();
        let mut findings = Vec::new();
        for note in self.notes {
            let NoteKind::Refused { action, error, expected: false } = &note.what else { continue };
            if crash.is_none_or(|crash| note.at < crash) {
                let message = format!("action {action} of session {} was refused: {error}", note.session);
                findings.push(Finding::violation("refuses nothing without a reason", message, note.txn));
            }
        }
        findings
    }

    /// Finds transactions that began after the store had told a client that it takes no writes any more, and
    /// whose writes were acked. One that was open by then may still commit, if the store is only being
    /// closed.
    pub fn acks_after_closing(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for life in &self.history.lives {
            let end = life.ended.map_or(Time::MAX, |(at, _)| at);
            let told = self.notes.iter().filter(|note| (life.opened..end).contains(&note.at));
            let first =
                told.filter(|note| matches!(note.what, NoteKind::Closed { .. })).min_by_key(|note| note.at);
            let Some(Note { at, what: NoteKind::Closed { why }, session, .. }) = first else { continue };
            let acked_later = |txn: &&Txn| {
                let is_acked = matches!(txn.outcome, Outcome::Committed { version: Some(_), .. });
                txn.life == life.life && txn.begun > *at && is_acked
            };
            if let Some(txn) = self.history.txns.iter().find(acked_later) {
                let message = format!(
                    "session {session} was told that the store takes no writes any more ({why}); a transaction \
                     that began after that was acked"
                );
                findings.push(Finding::violation("what is closed acks nothing", message, [txn.index]));
            }
        }
        findings
    }

    /// Finds transactions that did the same read twice without writing between, and got two answers.
    pub fn unrepeatable_reads(&self) -> Vec<Finding> {
        self.snapshots().filter_map(unrepeatable).collect()
    }
}

/// Returns what a transaction wrote to a key, if `op` is such a write; `Some(None)` is a delete.
pub fn written<'a>(op: &'a Op, key: &[u8]) -> Option<Option<&'a Bytes>> {
    match op {
        Op::Put { key: written, value }
        | Op::PutExpiring { key: written, value, .. }
        | Op::Cas { key: written, value, .. }
            if written == key =>
        {
            Some(Some(value))
        }
        Op::Delete { key: deleted } | Op::DeleteIf { key: deleted, .. } if deleted == key => Some(None),
        _ => None,
    }
}

/// Returns what a conditional write by value replaced, and with what.
pub(crate) fn replaced<'a>(op: &'a Op, key: &[u8]) -> Option<(&'a Bytes, &'a Bytes)> {
    match op {
        Op::Cas { key: written, expected: Expected::Value(from), value } if written == key => {
            Some((from, value))
        }
        _ => None,
    }
}

/// Returns when a transaction ended, if it did.
pub fn ended(txn: &Txn) -> Option<Time> {
    match txn.outcome {
        Outcome::Committed { acked, .. } => Some(acked),
        Outcome::Aborted { at, .. } => Some(at),
        Outcome::Running | Outcome::Unknown { .. } => None,
    }
}

fn unrepeatable(txn: &Txn) -> Option<Finding> {
    let mut points: BTreeMap<&Key, &Option<Bytes>> = BTreeMap::new();
    let mut ranges: Vec<(&Op, &Vec<Entry>)> = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Get { key, read } => {
                let before = points.insert(key, &read.value);
                if before.is_some_and(|before| *before != read.value) {
                    let message = format!("{} was read twice with two answers", String::from_utf8_lossy(key));
                    return Some(Finding::violation("reads repeat", message, [txn.index]));
                }
            }
            Op::Scan { range, limit, reverse, entries } => {
                let same = |(other, _): &&(&Op, &Vec<Entry>)| {
                    matches!(other, Op::Scan { range: r, limit: l, reverse: v, .. }
                        if r == range && l == limit && v == reverse)
                };
                match ranges.iter().find(same) {
                    Some((_, before)) if *before != entries => {
                        let start = String::from_utf8_lossy(&range.start);
                        let message = format!("the range from {start} was scanned twice with two answers");
                        return Some(Finding::violation("reads repeat", message, [txn.index]));
                    }
                    Some(_) => {}
                    None => ranges.push((op, entries)),
                }
            }
            Op::List { .. } | Op::Failed { .. } => {}
            Op::Put { .. }
            | Op::PutExpiring { .. }
            | Op::Delete { .. }
            | Op::DeleteIf { .. }
            | Op::Cas { .. }
            | Op::Append { .. } => {
                points.clear();
                ranges.clear();
            }
        }
    }
    None
}
