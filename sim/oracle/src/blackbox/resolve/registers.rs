//! Registers: the transactions that may have written what a read saw.

use stormproof_workloads::history::{Op, TxnIndex};

use super::{Choice, INIT, NO_SOURCE, OPEN, Resolver, Source};
use crate::verdict::AnomalyClass;
use crate::view::{Observed, Seen};

impl<'h> Resolver<'_, 'h> {
    pub(super) fn register_source(&mut self, reader: TxnIndex, place: usize, read: &Observed<'h>) -> Source {
        let counts = self.resolved.included[reader as usize];
        let candidates = self.candidates(reader, read);
        match candidates[..] {
            [only] => only,
            [] => {
                if counts {
                    self.orphan(reader, read);
                }
                NO_SOURCE
            }
            _ => {
                self.resolved.choices.push(Choice { place, reader, candidates });
                OPEN
            }
        }
    }

    /// The possible writers of a register value that was read.
    pub(super) fn candidates(&self, reader: TxnIndex, read: &Observed<'h>) -> Vec<Source> {
        let none = Vec::new();
        let (first, writers) = match read.seen {
            Seen::Absent => (Some(INIT), self.removers.get(&read.key).unwrap_or(&none)),
            Seen::Value(value) => (None, self.values.get(&(read.key, value)).unwrap_or(&none)),
            Seen::List(_) => return none,
        };
        let others = writers.iter().copied().filter(|&txn| txn != reader && self.may_count(txn));
        let mut candidates: Vec<Source> = first.into_iter().chain(others).collect();
        candidates.sort_by_key(|&txn| txn < NO_SOURCE && !crate::view::is_committed(self.view.txn(txn)));
        candidates
    }

    /// Reports a value that no counted transaction left.
    fn orphan(&mut self, reader: TxnIndex, read: &Observed<'h>) {
        let Seen::Value(value) = read.seen else { return };
        let view = self.view;
        let mut overwritten = view
            .intermediate
            .iter()
            .filter(|one| one.key == read.key && one.value == value && one.txn != reader)
            .map(|one| one.txn)
            .collect::<Vec<_>>();
        overwritten.sort_by_key(|txn| !self.may_count(*txn));
        let passed = overwritten.first().copied().filter(|txn| self.may_count(*txn));
        let dead = self.values.get(&(read.key, value));
        let dead = dead.and_then(|writers| writers.iter().copied().find(|&txn| txn != reader));
        let dead = dead.or(overwritten.first().copied());
        let name = view.key_name(read.key);
        let writes = |op: &Op| match op {
            Op::Put { key, value: own }
            | Op::PutExpiring { key, value: own, .. }
            | Op::Cas { key, value: own, .. } => key == view.keys[read.key as usize] && own == value,
            _ => false,
        };
        let (class, other, why) = match (passed, dead) {
            (Some(passed), _) => {
                let why = format!("T{passed} overwrote it itself before it committed");
                (AnomalyClass::IntermediateRead, Some(passed), why)
            }
            (None, Some(dead)) => (
                AnomalyClass::AbortedRead,
                Some(dead),
                format!("it was written by T{dead}, which did not commit"),
            ),
            (None, None) if view.txn(reader).ops.iter().any(writes) => {
                (AnomalyClass::FutureRead, None, "it wrote that itself, later".to_owned())
            }
            (None, None) => (AnomalyClass::GarbageRead, None, "no transaction wrote that value".to_owned()),
        };
        let message = format!("T{reader} read {name} and saw {}: {why}", view.show_seen(read.seen));
        self.anomaly(class, [reader].into_iter().chain(other).collect(), read.key, message);
    }
}
