//! What the variables of a search stand for, and the edges that they add.

use stormproof_workloads::history::TxnIndex;

use super::clauses::Clauses;
use super::literal::Literal;
use super::order::Order;
use crate::blackbox::events::Events;
use crate::blackbox::problem::{ByKey, KeyRead, Problem};
use crate::blackbox::resolve::{Choice, INIT, Source};
use crate::view::{How, KeyId, Map, Seen};

/// What a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    /// Of two writers of a key, the first comes first; if it is false, the second does.
    Before { slot: u32, first: TxnIndex, second: TxnIndex },
    /// An open read is explained by this source.
    Reads { choice: usize, slot: Option<u32>, source: Source },
    /// A reader missed what this transaction wrote.
    Missed { slot: u32, reader: TxnIndex, writer: TxnIndex },
}

pub(super) struct Encoding<'s, 'v, 'h> {
    pub(super) problem: &'s Problem<'v, 'h>,
    pub(super) events: &'s Events,
    /// The keys whose order is searched for, by slot.
    keys: &'s [KeyId],
    slot_of: Map<KeyId, u32>,
    /// By transaction: the slots that it writes, or reads so that it counts.
    slots: Vec<Vec<u32>>,
    /// By slot: its writers, as they stood in the order when they were last arranged.
    writers: Vec<Vec<TxnIndex>>,
    /// By slot: its reads, sorted by source.
    reads: Vec<Vec<(Source, TxnIndex)>>,
    /// By slot: its open reads.
    open: Vec<Vec<usize>>,
    /// By slot, for lists: the places of the writers whose elements were read.
    shown: Vec<Map<TxnIndex, u32>>,
    variables: Map<Meaning, u32>,
    meanings: Vec<Meaning>,
    /// Room for the edges of a literal.
    pub(super) scratch: Vec<(u32, u32)>,
}

impl<'s, 'v, 'h> Encoding<'s, 'v, 'h> {
    pub(super) fn new(
        problem: &'s Problem<'v, 'h>,
        events: &'s Events,
        by_key: &'s ByKey,
        keys: &'s [KeyId],
    ) -> Self {
        let mut encoding = Self {
            problem,
            events,
            keys,
            slot_of: Map::default(),
            slots: vec![Vec::new(); problem.included.len()],
            writers: keys.iter().map(|&key| by_key.writers(key).to_vec()).collect(),
            reads: Vec::with_capacity(keys.len()),
            open: vec![Vec::new(); keys.len()],
            shown: Vec::with_capacity(keys.len()),
            variables: Map::default(),
            meanings: Vec::new(),
            scratch: Vec::new(),
        };
        for (slot, &key) in (0..).zip(keys) {
            encoding.slot_of.insert(key, slot);
            for &writer in by_key.writers(key) {
                encoding.slots[writer as usize].push(slot);
            }
            let reads = by_key.reads(key).iter().filter(|read| problem.is_item(events.rule(), read));
            let reads = reads.map(|read| (read.source, read.reader));
            let mut reads: Vec<_> = reads.filter(|read| encoding.counts(read.1, key)).collect();
            reads.sort_unstable();
            reads.dedup();
            for (_, reader) in &reads {
                encoding.slots[*reader as usize].push(slot);
            }
            encoding.reads.push(reads);
            let shown = problem.lists.get(&key).map_or(&[][..], Vec::as_slice);
            encoding.shown.push(shown.iter().copied().zip(0..).collect());
        }
        for (number, choice) in problem.choices.iter().enumerate() {
            if let Some(&slot) = encoding.slot_of.get(&problem.view.read_at(choice.place).key) {
                encoding.open[slot as usize].push(number);
                encoding.slots[choice.reader as usize].push(slot);
            }
        }
        for slots in &mut encoding.slots {
            slots.sort_unstable();
            slots.dedup();
        }
        encoding
    }

    /// Returns whether anti-dependencies of a reader on a key count.
    fn counts(&self, reader: TxnIndex, key: KeyId) -> bool {
        self.problem.anti_counts(self.events.rule(), reader, key)
    }

    fn choice_counts(&self, choice: usize, reader: TxnIndex, slot: u32) -> bool {
        let observed = self.problem.view.read_at(self.problem.choices[choice].place);
        let missed = observed.how == How::Scan && observed.seen == Seen::Absent;
        let read = KeyRead { source: INIT, reader, missed };
        self.counts(reader, self.key(slot)) && self.problem.is_item(self.events.rule(), &read)
    }

    fn key(&self, slot: u32) -> KeyId {
        self.keys[slot as usize]
    }

    pub(super) fn writers(&self, slot: u32) -> &[TxnIndex] {
        &self.writers[slot as usize]
    }

    /// Sorts the writers of a slot by the order.
    pub(super) fn arrange(&mut self, slot: u32, order: &Order<'_>) {
        let events = self.events;
        let place = |writer: &TxnIndex| order.place(events.commit(*writer));
        let writers = &mut self.writers[slot as usize];
        if !writers.is_sorted_by_key(place) {
            writers.sort_by_key(place);
        }
    }

    /// Returns the writer that stands after `source`.
    pub(super) fn next_writer(&self, slot: u32, source: Source) -> Option<TxnIndex> {
        let writers = &self.writers[slot as usize];
        let at = writers.iter().position(|&writer| writer == source)?;
        writers.get(at + 1).copied()
    }

    /// Returns whether nothing has to be decided about two neighbouring writers: known edges say all about
    /// them, or the order agrees with all edges that they would add.
    pub(super) fn is_settled(&self, slot: u32, first: TxnIndex, second: TxnIndex, order: &Order<'_>) -> bool {
        let (events, rule) = (self.events, self.events.rule());
        // Where a cycle may have several anti-dependencies, paths of edges count, and not places.
        if rule.single {
            return self.is_known(slot, first, second);
        }
        let place = order.place(events.commit(second));
        let sees = !rule.split
            || self.problem.commutes(rule, self.key(slot))
            || order.place(events.commit(first)) < order.place(events.start(second));
        let mut readers = self.readers(slot, first).filter(|reader| *reader != second);
        sees && readers.all(|reader| order.place(events.start(reader)) < place)
            || self.is_known(slot, first, second)
    }

    /// Returns, of a literal and its negation, the one whose edges lead less far against the order.
    pub(super) fn nearer(&mut self, literal: Literal, order: &Order<'_>) -> Literal {
        let mut against = |literal| {
            let mut edges = std::mem::take(&mut self.scratch);
            self.edges(literal, &mut edges);
            let back = edges.drain(..).map(|(from, to)| order.place(from).saturating_sub(order.place(to)));
            let farthest = back.max();
            self.scratch = edges;
            farthest
        };
        if against(literal) <= against(literal.negated()) { literal } else { literal.negated() }
    }

    pub(super) fn slots_of(&self, txn: TxnIndex) -> &[u32] {
        &self.slots[txn as usize]
    }

    pub(super) fn meaning(&self, literal: Literal) -> Meaning {
        self.meanings[literal.variable()]
    }

    fn literal(&mut self, meaning: Meaning, clauses: &mut Clauses) -> Literal {
        let meanings = &mut self.meanings;
        let variable = *self.variables.entry(meaning).or_insert_with(|| {
            meanings.push(meaning);
            clauses.variable()
        });
        Literal::of(variable, true)
    }

    /// Returns the literal that says that `first` comes before `second`.
    pub(super) fn before(
        &mut self,
        slot: u32,
        first: TxnIndex,
        second: TxnIndex,
        clauses: &mut Clauses,
    ) -> Literal {
        if first < second {
            return self.literal(Meaning::Before { slot, first, second }, clauses);
        }
        self.literal(Meaning::Before { slot, first: second, second: first }, clauses).negated()
    }

    pub(super) fn missed(
        &mut self,
        slot: u32,
        reader: TxnIndex,
        writer: TxnIndex,
        clauses: &mut Clauses,
    ) -> Literal {
        self.literal(Meaning::Missed { slot, reader, writer }, clauses)
    }

    fn reads(&mut self, choice: usize, source: Source, clauses: &mut Clauses) -> Literal {
        let key = self.problem.view.read_at(self.problem.choices[choice].place).key;
        let slot = self.slot_of.get(&key).copied();
        self.literal(Meaning::Reads { choice, slot, source }, clauses)
    }

    /// Returns the clause that says that an open read has one of its sources.
    pub(super) fn one_of(&mut self, choice: usize, clauses: &mut Clauses) -> Vec<Literal> {
        let candidates = self.problem.choices[choice].candidates.clone();
        candidates.into_iter().map(|source| self.reads(choice, source, clauses)).collect()
    }

    /// Returns whether the known edges say all about these two as neighbours: lists show them, or one read
    /// the other.
    pub(super) fn is_known(&self, slot: u32, first: TxnIndex, second: TxnIndex) -> bool {
        let shown = &self.shown[slot as usize];
        let listed = shown.get(&first).zip(shown.get(&second)).is_some_and(|(first, second)| first < second);
        listed || self.reads[slot as usize].binary_search(&(first, second)).is_ok()
    }

    /// Returns the best source of an open read that has none: the latest before it in the order.
    pub(super) fn open_candidate(
        &mut self,
        choice: usize,
        clauses: &Clauses,
        order: &Order<'_>,
    ) -> Option<Literal> {
        let reader = order.place(self.events.start(self.problem.choices[choice].reader));
        let slot =
            self.slot_of.get(&self.problem.view.read_at(self.problem.choices[choice].place).key).copied();
        let mut best = None;
        for &source in &self.problem.choices[choice].candidates {
            let variable = self.variables.get(&Meaning::Reads { choice, slot, source })?;
            let literal = Literal::of(*variable, true);
            match clauses.value(literal) {
                Some(true) => return None,
                Some(false) => continue,
                None => {}
            }
            let place = if source == INIT { 0 } else { order.place(self.events.commit(source)) + 1 };
            // The latest before the reader; if there is none, the first after it.
            let rank = if place <= reader { (true, place) } else { (false, u32::MAX - place) };
            if best.is_none_or(|(other, _)| other < rank) {
                best = Some((rank, literal));
            }
        }
        best.map(|(_, literal)| literal)
    }

    /// Returns the open reads of a key that have a source: the literal, the reader, the source.
    pub(super) fn chosen(&self, slot: u32, clauses: &Clauses) -> Vec<(Literal, TxnIndex, Source)> {
        if self.events.rule().single {
            return Vec::new();
        }
        self.sources(slot, clauses)
    }

    /// Returns, by choice, its source.
    pub(super) fn chosen_sources(&self, clauses: &Clauses) -> Vec<Source> {
        let choices = self.problem.choices.iter().enumerate();
        let source = |(number, choice): (usize, &Choice)| {
            let slot = self.slot_of.get(&self.problem.view.read_at(choice.place).key).copied();
            let chosen = choice.candidates.iter().copied().find(|&source| {
                let variable = self.variables.get(&Meaning::Reads { choice: number, slot, source });
                variable.is_some_and(|&variable| clauses.value(Literal::of(variable, true)) == Some(true))
            });
            chosen.or(choice.candidates.first().copied()).unwrap_or(INIT)
        };
        choices.map(source).collect()
    }

    fn sources(&self, slot: u32, clauses: &Clauses) -> Vec<(Literal, TxnIndex, Source)> {
        let mut chosen = Vec::new();
        for &choice in &self.open[slot as usize] {
            let reader = self.problem.choices[choice].reader;
            if !self.choice_counts(choice, reader, slot) {
                continue;
            }
            for &source in &self.problem.choices[choice].candidates {
                let meaning = Meaning::Reads { choice, slot: Some(slot), source };
                let Some(&variable) = self.variables.get(&meaning) else { continue };
                let literal = Literal::of(variable, true);
                if clauses.value(literal) == Some(true) {
                    chosen.push((literal, reader, source));
                }
            }
        }
        chosen
    }

    /// Collects the edges that a true literal adds.
    pub(super) fn edges(&self, literal: Literal, edges: &mut Vec<(u32, u32)>) {
        let events = self.events;
        let positive = literal.is_positive();
        match self.meaning(literal) {
            Meaning::Before { slot, first, second } => {
                let (first, second) = if positive { (first, second) } else { (second, first) };
                let see = !self.problem.commutes(events.rule(), self.key(slot));
                edges.push((
                    events.commit(first),
                    if see { events.start(second) } else { events.commit(second) },
                ));
                if !events.rule().single {
                    let readers = self.readers(slot, first).filter(|reader| *reader != second);
                    edges.extend(readers.map(|reader| (events.start(reader), events.commit(second))));
                }
            }
            Meaning::Reads { choice, slot, source } if positive => {
                let reader = self.problem.choices[choice].reader;
                if source != INIT {
                    edges.push((events.commit(source), events.start(reader)));
                } else if let Some(slot) = slot
                    && self.choice_counts(choice, reader, slot)
                    && !events.rule().single
                {
                    let writers = self.writers(slot).iter().filter(|writer| **writer != reader);
                    edges.extend(writers.map(|writer| (events.start(reader), events.commit(*writer))));
                }
            }
            Meaning::Missed { reader, writer, .. } if positive => {
                edges.push((events.start(reader), events.commit(writer)));
            }
            Meaning::Reads { .. } | Meaning::Missed { .. } => {}
        }
    }

    fn readers(&self, slot: u32, source: Source) -> impl Iterator<Item = TxnIndex> {
        let reads = &self.reads[slot as usize];
        let from = reads.partition_point(|read| read.0 < source);
        reads[from..].iter().take_while(move |read| read.0 == source).map(|read| read.1)
    }

    /// Returns a clause that a cycle with one anti-dependency violates, at levels that forbid only those.
    pub(super) fn missed_at_most_once(
        &mut self,
        order: &mut Order<'_>,
        clauses: &Clauses,
    ) -> Option<Vec<Literal>> {
        if !self.events.rule().single {
            return None;
        }
        let mut missed: Vec<(TxnIndex, TxnIndex, Vec<Literal>)> =
            self.events.antis().iter().map(|anti| (anti.reader, anti.writer, Vec::new())).collect();
        for slot in 0..u32::try_from(self.keys.len()).unwrap_or(0) {
            self.missed_of(slot, order, clauses, &mut missed);
        }
        for (reader, writer, mut literals) in missed {
            if reader == writer || order.place(writer) > order.place(reader) {
                continue;
            }
            let path = order.path(writer, reader);
            order.moved.clear();
            if let Some(path) = path {
                literals.extend(path);
                return Some(literals.into_iter().map(Literal::negated).collect());
            }
        }
        None
    }

    fn missed_of(
        &self,
        slot: u32,
        order: &Order<'_>,
        clauses: &Clauses,
        missed: &mut Vec<(TxnIndex, TxnIndex, Vec<Literal>)>,
    ) {
        let mut writers = self.writers(slot).to_vec();
        writers.sort_unstable_by_key(|&writer| order.place(self.events.commit(writer)));
        let chosen = self.sources(slot, clauses);
        let first = writers.first().copied();
        let from_init = chosen.iter().filter(|(_, _, source)| *source == INIT);
        missed.extend(
            from_init.flat_map(|(literal, reader, _)| first.map(|first| (*reader, first, vec![*literal]))),
        );
        for pair in writers.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let why: Vec<Literal> = self.before_if_decided(slot, first, second).into_iter().collect();
            missed.extend(self.readers(slot, first).map(|reader| (reader, second, why.clone())));
            for (literal, reader, _) in chosen.iter().filter(|(_, _, source)| *source == first) {
                missed.push((*reader, second, why.iter().copied().chain([*literal]).collect()));
            }
        }
    }

    fn before_if_decided(&self, slot: u32, first: TxnIndex, second: TxnIndex) -> Option<Literal> {
        if self.is_known(slot, first, second) {
            return None;
        }
        let (least, most) = (first.min(second), first.max(second));
        let variable = self.variables.get(&Meaning::Before { slot, first: least, second: most })?;
        Some(Literal::of(*variable, first == least))
    }
}
