//! A history as the level checks want it: who counts, who read which key from whom, who wrote which key.

use stormproof_workloads::history::{Outcome, Time, TxnIndex};
use stormproof_workloads::store::Isolation;

use super::resolve::{Choice, NOBODY, OPEN, Resolved, Source};
use crate::view::{KeyId, Map, View};

/// One read of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRead {
    pub(super) source: Source,
    pub(super) reader: TxnIndex,
}

/// What all level checks of one history share.
#[derive(Debug)]
pub(super) struct Problem<'v, 'h> {
    pub(super) view: &'v View<'h>,
    pub(super) lists: Map<KeyId, Vec<TxnIndex>>,
    pub(super) choices: Vec<Choice>,
    pub(super) sources: Vec<Source>,
    pub(super) included: Vec<bool>,
    /// Whether a transaction asked for less than serializable, so that what it read may change.
    pub(super) weak: Vec<bool>,
}

impl<'v, 'h> Problem<'v, 'h> {
    pub(super) fn new(view: &'v View<'h>, resolved: Resolved, mixed: bool) -> Self {
        let Resolved { sources, choices, included, lists, .. } = resolved;
        let weak =
            view.history.txns.iter().map(|txn| mixed && txn.isolation < Isolation::Serializable).collect();
        let choices = choices.into_iter().filter(|choice| included[choice.reader as usize]).collect();
        Self { view, lists, choices, sources, included, weak }
    }

    /// The problem with the open reads explained as `chosen` says.
    pub(super) fn with_choices(&self, chosen: &[Source]) -> Assigned {
        let mut assigned = Assigned { sources: self.sources.clone(), included: self.included.clone() };
        for (choice, &source) in self.choices.iter().zip(chosen) {
            assigned.sources[choice.place] = source;
            if source < NOBODY {
                assigned.included[source as usize] = true;
            }
        }
        assigned
    }

    /// The problem with the open reads left out.
    pub(super) fn without_choices(&self) -> Assigned {
        Assigned { sources: self.sources.clone(), included: self.included.clone() }
    }

    /// When it was acked; never, if it was not.
    pub(super) fn acked(&self, txn: TxnIndex) -> Time {
        match self.view.txn(txn).outcome {
            Outcome::Committed { acked, .. } => acked,
            _ => Time::MAX,
        }
    }
}

/// One way to explain the reads.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    pub(super) sources: Vec<Source>,
    pub(super) included: Vec<bool>,
}

/// By key: its writers and its reads.
#[derive(Debug)]
pub(super) struct ByKey {
    writer_heads: Vec<u32>,
    writers: Vec<TxnIndex>,
    read_heads: Vec<u32>,
    reads: Vec<KeyRead>,
}

impl ByKey {
    pub(super) fn new(problem: &Problem<'_, '_>, assigned: &Assigned) -> Self {
        let view = problem.view;
        let keys = view.keys.len();
        let (mut writer_heads, mut read_heads) = (vec![0_u32; keys + 1], vec![0_u32; keys + 1]);
        each(
            problem,
            assigned,
            |key, _| writer_heads[key as usize + 1] += 1,
            |key, _| {
                read_heads[key as usize + 1] += 1;
            },
        );
        for key in 0..keys {
            writer_heads[key + 1] += writer_heads[key];
            read_heads[key + 1] += read_heads[key];
        }
        let mut writers = vec![0; writer_heads[keys] as usize];
        let mut reads = vec![KeyRead { source: NOBODY, reader: 0 }; read_heads[keys] as usize];
        let (mut next_writer, mut next_read) = (writer_heads.clone(), read_heads.clone());
        each(
            problem,
            assigned,
            |key, writer| place(&mut writers, &mut next_writer[key as usize], writer),
            |key, read| place(&mut reads, &mut next_read[key as usize], read),
        );
        Self { writer_heads, writers, read_heads, reads }
    }

    pub(super) fn writers(&self, key: KeyId) -> &[TxnIndex] {
        &self.writers[self.writer_heads[key as usize] as usize..self.writer_heads[key as usize + 1] as usize]
    }

    pub(super) fn reads(&self, key: KeyId) -> &[KeyRead] {
        &self.reads[self.read_heads[key as usize] as usize..self.read_heads[key as usize + 1] as usize]
    }
}

fn place<T>(list: &mut [T], next: &mut u32, item: T) {
    list[*next as usize] = item;
    *next += 1;
}

fn each(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    mut write: impl FnMut(KeyId, TxnIndex),
    mut read: impl FnMut(KeyId, KeyRead),
) {
    for txn in &problem.view.history.txns {
        if !assigned.included[txn.index as usize] {
            continue;
        }
        for written in problem.view.writes(txn.index) {
            write(written.key, txn.index);
        }
        for (place, observed) in problem.view.read_places(txn.index).zip(problem.view.reads(txn.index)) {
            let source = assigned.sources[place];
            if source != OPEN && source != NOBODY {
                read(observed.key, KeyRead { source, reader: txn.index });
            }
        }
    }
}
