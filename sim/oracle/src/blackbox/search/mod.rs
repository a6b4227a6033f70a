//! Searches for an order of blind writes that no read reveals, and for the writers of ambiguous reads.
//!
//! Job: an exact answer within limits. Every two writers of a key must be in some order, and each of the two
//! orders adds edges; the history holds if some choice for all pairs leaves the graph without a cycle (a
//! polygraph: C. Papadimitriou, "The serializability of concurrent database updates", JACM 26(4), 1979). Not
//! its job: what follows without a choice ([`super::saturate`]).
//!
//! The orders of pairs are the variables of a satisfiability problem whose theory is acyclicity, as in L.
//! Zhang et al., "Viper", EuroSys 2023, and K. Huang et al., "PolySI", VLDB 2023; here the theory is a
//! topological order that is kept as edges come and go ([`order`]), and a cycle is a clause ([`clauses`]).
//! The order is an answer by itself, wherever it has what follows of it, and remembers what was learned when
//! decisions are taken back. So only neighbours are decided of which it has not, and each in the way that
//! moves less: most of a history never becomes a variable. Without times the order begins with sessions that
//! go on side by side. (`batsat`, a solver from outside, was measured beside it: see README.md.) Everything
//! is taken back on a trail, so that nothing is copied.
//!
//! Invariants: INV-SEARCH-1: a clause holds in every valid order. INV-SEARCH-2: steps and memory are bounded
//! by the limits.

#[cfg(test)]
mod beside_batsat;
mod clauses;
mod encoding;
mod literal;
mod order;
#[cfg(test)]
mod tests;

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::problem::{ByKey, Problem};
use super::resolve::Source;
use super::schedule::{by_likelihood, by_urgency};
use super::terms::Limits;
use crate::view::KeyId;
use clauses::Clauses;
use encoding::{Encoding, Meaning};
use literal::Literal;
use order::Order;

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An order, and a source for each open read.
    Order {
        /// By transaction: its place.
        places: Vec<u32>,
        /// By choice.
        sources: Vec<Source>,
    },
    /// There is none.
    None,
    /// A limit was reached: which one.
    Limit(String),
}

/// Searches for an order of the writers of `keys` and for a writer of each open read; the graph has all known
/// edges. The search begins as `expected` says, by transaction, and by urgency without it.
pub(super) fn search(
    problem: &Problem<'_, '_>,
    events: &Events,
    by_key: &ByKey,
    keys: &[KeyId],
    expected: Option<&[u32]>,
    limits: &mut Limits,
) -> Found {
    let sorted = match expected {
        Some(places) => by_likelihood(events, &events.graph, |txn| places[txn as usize].into()),
        None => by_urgency(problem, events, &events.graph),
    };
    let Some(sorted) = sorted else {
        return Found::None;
    };
    let order = Order::new(&events.graph, &sorted);
    let mut search = Search {
        encoding: Encoding::new(problem, events, by_key, keys),
        order,
        clauses: Clauses::default(),
        lengths: Vec::new(),
        dirty: (0..u32::try_from(keys.len()).unwrap_or(0)).rev().collect(),
        is_dirty: vec![true; keys.len()],
        settled: vec![0; keys.len()],
        open: (0..problem.choices.len()).rev().collect(),
    };
    let found = search.run(limits);
    limits.steps = limits.steps.saturating_sub(search.order.steps);
    found
}

struct Search<'s, 'v, 'h> {
    encoding: Encoding<'s, 'v, 'h>,
    order: Order<'s>,
    clauses: Clauses,
    /// By level: the number of edges before it.
    lengths: Vec<usize>,
    /// Keys whose writers may be in no decided order.
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    /// By key: the number of neighbours about which all is decided, as they stood last, from the first on.
    settled: Vec<usize>,
    /// Choices that may have no writer.
    open: Vec<usize>,
}

/// What the search does next.
enum Next {
    Decide(Literal),
    /// A clause was added, and has consequences.
    Follow,
    /// A clause is violated.
    Conflict(Vec<Literal>),
    Done,
}

impl Search<'_, '_, '_> {
    fn run(&mut self, limits: &Limits) -> Found {
        for choice in 0..self.encoding.problem.choices.len() {
            let clause = self.encoding.one_of(choice, &mut self.clauses);
            match clause[..] {
                [] => return Found::None,
                [_] => self.clauses.imply(clause),
                _ => {
                    self.clauses.add(clause);
                }
            }
        }
        loop {
            if self.order.steps > limits.steps {
                return Found::Limit(format!(
                    "{} steps of search (--steps) did not decide it",
                    limits.steps_max
                ));
            }
            if (self.clauses.size * 4) as u64 > limits.memory_max {
                let mib = limits.memory_max >> 20;
                return Found::Limit(format!("{mib} MiB of memory (--memory) did not decide it"));
            }
            let next = match self.propagate() {
                Some(conflict) => Next::Conflict(conflict),
                None => self.next(),
            };
            match next {
                Next::Decide(literal) => {
                    self.lengths.push(self.order.length());
                    self.clauses.decide(literal);
                }
                Next::Follow => {}
                Next::Conflict(conflict) => {
                    if !self.learn(&conflict) {
                        return Found::None;
                    }
                }
                Next::Done => {
                    let sources = self.encoding.chosen_sources(&self.clauses);
                    return Found::Order { places: self.places(), sources };
                }
            }
        }
    }

    /// Adds the edges of what was assigned, and assigns what follows by clauses; returns a violated clause,
    /// if there is one.
    fn propagate(&mut self) -> Option<Vec<Literal>> {
        while let Some(literal) = self.clauses.next() {
            let mut edges = std::mem::take(&mut self.encoding.scratch);
            self.encoding.edges(literal, &mut edges);
            let mut cycle = None;
            for &(from, to) in &edges {
                if let Err(literals) = self.order.add(from, to, literal) {
                    cycle = Some(literals);
                    break;
                }
            }
            edges.clear();
            self.encoding.scratch = edges;
            self.mark_moved();
            if let Some(literals) = cycle {
                return Some(literals.into_iter().map(Literal::negated).collect());
            }
            if let Some(conflict) = self.clauses.follow(literal) {
                return Some(conflict);
            }
        }
        None
    }

    fn mark_moved(&mut self) {
        let mut moved = std::mem::take(&mut self.order.moved);
        for node in moved.drain(..) {
            if let Some(txn) = self.encoding.events.txn(node) {
                for &slot in self.encoding.slots_of(txn) {
                    self.settled[slot as usize] = 0;
                    mark(&mut self.dirty, &mut self.is_dirty, slot);
                }
            }
        }
        self.order.moved = moved;
    }

    /// Learns from a violated clause and goes back; returns false if it is violated whatever is decided.
    fn learn(&mut self, conflict: &[Literal]) -> bool {
        self.order.steps += 8;
        let highest = self.clauses.highest(conflict);
        if highest == 0 {
            return false;
        }
        self.undo_to(highest);
        let (clause, level) = self.clauses.learn(conflict);
        self.undo_to(level);
        self.clauses.imply(clause);
        true
    }

    fn undo_to(&mut self, level: usize) {
        if level >= self.clauses.level() {
            return;
        }
        self.order.undo_to(self.lengths[level]);
        self.lengths.truncate(level);
        let Self { encoding, clauses, dirty, is_dirty, settled, open, .. } = self;
        let mut undone = |slot: u32| {
            mark(dirty, is_dirty, slot);
            settled[slot as usize] = 0;
        };
        clauses.undo_to(level, |literal| match encoding.meaning(literal) {
            Meaning::Before { slot, .. } | Meaning::Missed { slot, .. } => undone(slot),
            Meaning::Reads { choice, slot, .. } => {
                open.push(choice);
                slot.into_iter().for_each(&mut undone);
            }
        });
    }

    fn next(&mut self) -> Next {
        while let Some(&choice) = self.open.last() {
            if let Some(literal) = self.encoding.open_candidate(choice, &self.clauses, &self.order) {
                return Next::Decide(literal);
            }
            self.open.pop();
        }
        while let Some(&slot) = self.dirty.last() {
            match self.settle(slot) {
                Next::Done => {
                    self.dirty.pop();
                    self.is_dirty[slot as usize] = false;
                }
                next => return next,
            }
        }
        match self.encoding.missed_at_most_once(&mut self.order, &self.clauses) {
            Some(conflict) => Next::Conflict(conflict),
            None => Next::Done,
        }
    }

    /// Decides the next undecided neighbours among the writers of a key of which one was read, or what their
    /// order means for open reads.
    fn settle(&mut self, slot: u32) -> Next {
        self.encoding.arrange(slot, &self.order);
        let pairs = self.encoding.writers(slot).len().saturating_sub(1);
        for at in self.settled[slot as usize]..pairs {
            self.order.steps += 1;
            let (first, second) = (self.encoding.writers(slot)[at], self.encoding.writers(slot)[at + 1]);
            if self.encoding.is_settled(slot, first, second, &self.order) {
                continue;
            }
            self.settled[slot as usize] = at;
            let literal = self.encoding.before(slot, first, second, &mut self.clauses);
            match self.clauses.value(literal) {
                None => return Next::Decide(self.encoding.nearer(literal, &self.order)),
                // The opposite order has an edge, so its writers would not stand like this.
                Some(decided) => debug_assert!(decided, "the order contradicts an edge"),
            }
        }
        self.settled[slot as usize] = pairs;
        self.settle_open_reads(slot)
    }

    /// Decides what the order of the writers of a key means for the open reads that have a source.
    fn settle_open_reads(&mut self, slot: u32) -> Next {
        for (reads, reader, source) in self.encoding.chosen(slot, &self.clauses) {
            let Some(next) = self.encoding.next_writer(slot, source).filter(|&next| next != reader) else {
                continue;
            };
            let events = self.encoding.events;
            if self.order.place(events.start(reader)) < self.order.place(events.commit(next)) {
                continue;
            }
            let mut clause = vec![reads.negated()];
            if !self.encoding.is_known(slot, source, next) {
                let before = self.encoding.before(slot, source, next, &mut self.clauses);
                if self.clauses.value(before).is_none() {
                    return Next::Decide(before);
                }
                clause.push(before.negated());
            }
            let missed = self.encoding.missed(slot, reader, next, &mut self.clauses);
            clause.insert(0, missed);
            match self.clauses.value(missed) {
                Some(true) => debug_assert!(false, "the order contradicts an edge"),
                Some(false) => return Next::Conflict(clause),
                None => {
                    self.clauses.imply(clause);
                    return Next::Follow;
                }
            }
        }
        Next::Done
    }

    fn places(&self) -> Vec<u32> {
        let txns = 0..u32::try_from(self.encoding.problem.included.len()).unwrap_or(0);
        txns.map(|txn: TxnIndex| self.order.place(self.encoding.events.commit(txn))).collect()
    }
}

fn mark(dirty: &mut Vec<u32>, is_dirty: &mut [bool], slot: u32) {
    if !is_dirty[slot as usize] {
        is_dirty[slot as usize] = true;
        dirty.push(slot);
    }
}
