//! A history in the form that the level checks need: included transactions, sources of reads, writers by key.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Outcome, Session, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::resolve::{Choice, NO_SOURCE, OPEN, Resolved, Source};
use super::rule::{Anti, Rule};
use super::terms::Terms;
use crate::view::{How, KeyId, Map, Seen, View};

/// One read of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRead {
    pub(super) source: Source,
    pub(super) reader: TxnIndex,
    /// A scan that did not show the key.
    pub(super) missed: bool,
}

/// The input that all level checks of one history share.
#[derive(Clone, Debug)]
pub(super) struct Problem<'v, 'h> {
    pub(super) view: &'v View<'h>,
    pub(super) lists: Map<KeyId, Vec<TxnIndex>>,
    /// By key, for lists whose last elements only unanswered commits read: the number of writers before
    /// those.
    certain: Map<KeyId, usize>,
    /// Writers whose places in a list are unknown, because others appended the same element.
    repeated: Map<(TxnIndex, KeyId), ()>,
    pub(super) choices: Vec<Choice>,
    pub(super) sources: Vec<Source>,
    pub(super) included: Vec<bool>,
    /// By transaction: whether it asked for less than serializable, so that its reads may be overwritten.
    pub(super) weak: Vec<bool>,
    /// Whether appends to one list do not conflict with each other.
    appends_commute: bool,
    hints: &'v Map<TxnIndex, Version>,
    /// By transaction, where no ack is known: its place in its session, as if all sessions had begun and
    /// ended together. Empty if acks are known.
    places: Vec<Time>,
    /// Transactions that contradict their own writes or reads.
    inconsistent: Map<TxnIndex, ()>,
}

impl<'v, 'h> Problem<'v, 'h> {
    pub(super) fn new(view: &'v View<'h>, resolved: Resolved, terms: &'v Terms) -> Self {
        let Resolved { sources, choices, included, lists, certain, repeated, .. } = resolved;
        let Terms { mixed, appends_commute, ref hints, .. } = *terms;
        let weak =
            view.history.txns.iter().map(|txn| mixed && txn.isolation < Isolation::Serializable).collect();
        let inconsistent = view.internal().iter().map(|violation| (violation.txns[0], ())).collect();
        Self {
            view,
            lists,
            certain,
            repeated,
            choices,
            sources,
            included,
            weak,
            appends_commute,
            hints,
            places: places_in_sessions(&view.history.txns),
            inconsistent,
        }
    }

    /// Returns the problem with the open reads explained as `chosen` says. Unanswered commits whose writes
    /// are thereby read are included, and so on with their reads.
    pub(super) fn with_choices(&self, chosen: &[Source]) -> Assigned {
        let mut assigned = self.without_choices();
        for (choice, &source) in self.choices.iter().zip(chosen) {
            assigned.sources[choice.place] = source;
        }
        let readers = self.choices.iter().map(|choice| choice.reader);
        let mut queue: Vec<TxnIndex> = readers.filter(|&reader| self.included[reader as usize]).collect();
        while let Some(reader) = queue.pop() {
            let late = !self.included[reader as usize];
            for (place, read) in self.view.read_places(reader).zip(self.view.reads(reader)) {
                let source = assigned.sources[place];
                if source < NO_SOURCE && !assigned.included[source as usize] {
                    assigned.included[source as usize] = true;
                    queue.push(source);
                }
                if source == NO_SOURCE && late {
                    match read.seen {
                        Seen::List(_) => assigned.unsure = true,
                        _ => assigned.broken = true,
                    }
                }
            }
            assigned.broken |= late && self.inconsistent.contains_key(&reader);
        }
        assigned
    }

    /// Returns the problem without the open reads.
    pub(super) fn without_choices(&self) -> Assigned {
        let (sources, included) = (self.sources.clone(), self.included.clone());
        Assigned { sources, included, broken: false, unsure: false }
    }

    /// Returns the problem as if it had no open reads: an explanation of them is part of the graph already.
    pub(super) fn without_open_reads(&self) -> Self {
        Self { choices: Vec::new(), ..self.clone() }
    }

    /// Returns whether writers of this key need not see each other.
    pub(super) fn commutes(&self, rule: Rule, key: KeyId) -> bool {
        rule.commuting || self.appends_commute && self.lists.contains_key(&key)
    }

    /// Returns whether anti-dependencies of a reader on a key count.
    pub(super) fn anti_counts(&self, rule: Rule, reader: TxnIndex, key: KeyId) -> bool {
        let counts = match rule.anti {
            Anti::None => false,
            Anti::Updates => self.view.writes(reader).iter().any(|write| write.key == key),
            Anti::Items | Anti::All => true,
        };
        counts && !self.weak[reader as usize]
    }

    /// Returns whether the anti-dependencies of a read count, if those of its reader do.
    pub(super) fn is_item(&self, rule: Rule, read: &KeyRead) -> bool {
        !rule.anti.only_items() || !read.missed
    }

    /// Returns the writers of a list in the order that transactions saw that certainly committed.
    pub(super) fn certain_order(&self, key: KeyId) -> &[TxnIndex] {
        let shown = self.lists.get(&key).map_or(&[][..], Vec::as_slice);
        &shown[..self.certain.get(&key).copied().unwrap_or(shown.len())]
    }

    /// Returns whether a transaction appended to a list an element that others appended too, so that its
    /// place is unknown.
    pub(super) fn is_repeated(&self, txn: TxnIndex, key: KeyId) -> bool {
        self.repeated.contains_key(&(txn, key))
    }

    /// Returns whether any list was appended one element twice.
    pub(super) fn has_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// Returns the reported version of a commit, or the one that it may have had.
    pub(super) fn version(&self, txn: TxnIndex) -> Option<Version> {
        match self.view.txn(txn).outcome {
            Outcome::Committed { version, .. } => version,
            _ => self.hints.get(&txn).copied(),
        }
    }

    /// Returns the time of the ack; `Time::MAX` means never.
    pub(super) fn acked(&self, txn: TxnIndex) -> Time {
        match self.view.txn(txn).outcome {
            Outcome::Committed { acked, .. } => acked,
            _ => Time::MAX,
        }
    }

    /// Returns the time by which a transaction likely took effect, for guesses: its ack, or its place in its
    /// session in histories without times.
    pub(super) fn likely(&self, txn: TxnIndex) -> Time {
        self.places.get(txn as usize).copied().unwrap_or_else(|| self.acked(txn))
    }

    /// Returns whether any ack is known.
    pub(super) fn is_timed(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the time before which what a transaction read likely took effect.
    pub(super) fn likely_begun(&self, txn: TxnIndex) -> Time {
        self.places.get(txn as usize).copied().unwrap_or_else(|| self.view.txn(txn).begun)
    }
}

fn places_in_sessions(txns: &[Txn]) -> Vec<Time> {
    let timed = |txn: &Txn| matches!(txn.outcome, Outcome::Committed { acked, .. } if acked < Time::MAX);
    if txns.iter().any(timed) {
        return Vec::new();
    }
    let mut lengths: BTreeMap<Session, Time> = BTreeMap::new();
    let mut place = |txn: &Txn| {
        let length = lengths.entry(txn.session).or_default();
        *length += 1;
        *length
    };
    let places: Vec<Time> = txns.iter().map(&mut place).collect();
    let share = |(txn, place): (&Txn, Time)| (place << 32) / (lengths[&txn.session] + 1);
    txns.iter().zip(places).map(share).collect()
}

/// One explanation of the reads.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    pub(super) sources: Vec<Source>,
    pub(super) included: Vec<bool>,
    /// An included unanswered commit read a value that no transaction left, or misses its own writes.
    pub(super) broken: bool,
    /// An included unanswered commit read a list whose order was computed without it.
    pub(super) unsure: bool,
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
        let mut reads =
            vec![KeyRead { source: NO_SOURCE, reader: 0, missed: false }; read_heads[keys] as usize];
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
            if source != OPEN && source != NO_SOURCE {
                let missed = observed.how == How::Scan && observed.seen == Seen::Absent;
                read(observed.key, KeyRead { source, reader: txn.index, missed });
            }
        }
    }
}
