//! The scheduler's state: which transaction is next, and what each key holds.

mod mistake;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stormproof_workloads::history::TxnIndex;

use super::super::events::Events;
use super::super::problem::{Assigned, ByKey, Problem};
use super::super::resolve::{INIT, NO_SOURCE, Source};
use crate::graph::{Graph, nodes, waits};
use crate::view::{KeyId, Map};

/// Maximum number of visits per event, on average.
const VISITS_MAX: usize = 64;

/// Items in groups, by the number of their group.
struct Grouped<T> {
    heads: Vec<u32>,
    items: Vec<T>,
}

impl<T> Grouped<T> {
    fn new() -> Self {
        Self { heads: vec![0], items: Vec::new() }
    }

    fn close(&mut self) {
        self.heads.push(u32::try_from(self.items.len()).unwrap_or(u32::MAX));
    }

    fn of(&self, group: u32) -> &[T] {
        let group = group as usize;
        &self.items[self.heads[group] as usize..self.heads[group + 1] as usize]
    }
}

/// A key whose order is not known.
#[derive(Debug)]
struct Slot {
    key: KeyId,
    /// The writer of the value that it holds.
    holds: Source,
    /// The transaction that has begun and will write it, where no other writer may come between.
    taken: Source,
    /// Whether its writers have to see each other.
    exclusive: bool,
    /// The events that wait to write it.
    writers: Vec<u32>,
}

/// The reason why an event waits.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// Until this slot holds the value of this source.
    Source(u32, Source),
    /// Until all readers have read the value that this slot holds.
    Readers(u32),
    /// Until this transaction, which has begun, writes this slot.
    Taken(u32, TxnIndex),
}

pub(super) struct Play<'p, 'v, 'h> {
    problem: &'p Problem<'v, 'h>,
    by_key: &'p ByKey,
    events: &'p Events,
    /// By event: its urgency, least first.
    due: Vec<u64>,
    slots: Vec<Slot>,
    /// By transaction: slots that it reads, and the sources.
    reads: Grouped<(u32, Source)>,
    /// By transaction: slots that it writes.
    writes: Grouped<u32>,
    /// By event: the number of predecessors that are not yet scheduled.
    waits: Vec<u32>,
    /// By event: its place in the schedule, from 1; 0 if it is not yet scheduled.
    done: Vec<u32>,
    order: Vec<u32>,
    /// The value that each write replaced, in the order of writes, to undo them.
    held: Vec<Source>,
    /// By slot and source: the number of readers still to come.
    pending: Map<(u32, Source), u32>,
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    readers: Map<(u32, Source), Vec<u32>>,
    /// The events parked since the last conflict, with the slot if it is a write that waits.
    parked: Vec<(u32, Option<u32>)>,
    /// Edges learned from deadlocks.
    learned: Map<u32, Vec<u32>>,
    learned_backwards: Map<u32, Vec<u32>>,
    /// The reversed graph, built on demand.
    backwards: Option<Graph>,
    visits_left: usize,
}

impl<'p, 'v, 'h> Play<'p, 'v, 'h> {
    pub(super) fn new(
        problem: &'p Problem<'v, 'h>,
        assigned: &Assigned,
        by_key: &'p ByKey,
        events: &'p Events,
        open: &[KeyId],
        due: Vec<u64>,
    ) -> Self {
        let exclusive = |key: KeyId| events.split() && !problem.commutes(events.rule(), key);
        let slots: Vec<Slot> = open
            .iter()
            .map(|&key| Slot {
                key,
                holds: INIT,
                taken: NO_SOURCE,
                exclusive: exclusive(key),
                writers: Vec::new(),
            })
            .collect();
        let mut slot_of = vec![u32::MAX; problem.view.keys.len()];
        for (slot, &key) in (0..).zip(open) {
            slot_of[key as usize] = slot;
        }
        let nodes = events.graph.nodes();
        let mut play = Self {
            problem,
            by_key,
            events,
            due,
            slots,
            reads: Grouped::new(),
            writes: Grouped::new(),
            waits: waits(&events.graph),
            done: vec![0; nodes],
            order: Vec::with_capacity(nodes),
            held: Vec::new(),
            pending: Map::default(),
            ready: BinaryHeap::new(),
            readers: Map::default(),
            parked: Vec::new(),
            learned: Map::default(),
            learned_backwards: Map::default(),
            backwards: None,
            visits_left: nodes * VISITS_MAX + 1_000,
        };
        for txn in &problem.view.history.txns {
            if assigned.included[txn.index as usize] {
                play.index(txn.index, assigned, &slot_of);
            }
            play.reads.close();
            play.writes.close();
        }
        play
    }

    fn index(&mut self, txn: TxnIndex, assigned: &Assigned, slot_of: &[u32]) {
        let view = self.problem.view;
        for write in view.writes(txn) {
            let slot = slot_of[write.key as usize];
            if slot != u32::MAX {
                self.writes.items.push(slot);
            }
        }
        if self.problem.weak[txn as usize] {
            return;
        }
        for (place, read) in view.read_places(txn).zip(view.reads(txn)) {
            let (slot, source) = (slot_of[read.key as usize], assigned.sources[place]);
            // The order of list elements is known, so edges cover their reads.
            let counts = source < NO_SOURCE || source == INIT;
            if slot != u32::MAX && counts && source != txn && !self.problem.lists.contains_key(&read.key) {
                self.reads.items.push((slot, source));
                *self.pending.entry((slot, source)).or_default() += 1;
            }
        }
    }

    pub(super) fn run(mut self) -> Option<Vec<u32>> {
        let free: Vec<u32> =
            nodes(&self.events.graph).filter(|&node| self.waits[node as usize] == 0).collect();
        self.make_ready(free);
        loop {
            while let Some(Reverse((_, node))) = self.ready.pop() {
                self.visits_left = self.visits_left.checked_sub(1)?;
                if self.done[node as usize] == 0 && self.waits[node as usize] == 0 {
                    self.visit(node);
                }
            }
            if self.order.len() == self.done.len() {
                return Some(self.order);
            }
            self.learn()?;
        }
    }

    fn make_ready(&mut self, nodes: impl IntoIterator<Item = u32>) {
        for node in nodes {
            self.ready.push(Reverse((self.due[node as usize], node)));
        }
    }

    fn visit(&mut self, node: u32) {
        match self.obstacle(node) {
            None => self.take(node),
            Some(Obstacle::Source(slot, source)) => {
                self.parked.push((node, None));
                self.readers.entry((slot, source)).or_default().push(node);
            }
            Some(Obstacle::Readers(slot) | Obstacle::Taken(slot, _)) => {
                self.parked.push((node, Some(slot)));
                self.slots[slot as usize].writers.push(node);
            }
        }
    }

    /// Returns the transaction that an event starts and the one that it commits; both may be the same.
    fn halves(&self, node: u32) -> (Option<TxnIndex>, Option<TxnIndex>) {
        let Some(txn) = self.events.txn(node) else { return (None, None) };
        let half = |is: bool| is.then_some(txn);
        (half(self.events.start(txn) == node), half(self.events.commit(txn) == node))
    }

    fn obstacle(&self, node: u32) -> Option<Obstacle> {
        let (start, commit) = self.halves(node);
        if let Some(txn) = start {
            for &(slot, source) in self.reads.of(txn) {
                if self.slots[slot as usize].holds != source {
                    return Some(Obstacle::Source(slot, source));
                }
            }
            for &slot in self.writes.of(txn) {
                let taken = self.slots[slot as usize].taken;
                if taken != NO_SOURCE {
                    return Some(Obstacle::Taken(slot, taken));
                }
            }
        }
        for &slot in commit.map_or(&[][..], |txn| self.writes.of(txn)) {
            let holds = self.slots[slot as usize].holds;
            let of_it = |read: &&(u32, Source)| **read == (slot, holds);
            let own = start.map_or(0, |txn| self.reads.of(txn).iter().filter(of_it).count());
            if self.pending.get(&(slot, holds)).copied().unwrap_or(0) as usize > own {
                return Some(Obstacle::Readers(slot));
            }
        }
        None
    }

    fn take(&mut self, node: u32) {
        self.order.push(node);
        self.done[node as usize] = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let (start, commit) = self.halves(node);
        if let Some(txn) = start {
            self.begin(txn);
        }
        if let Some(txn) = commit {
            self.write(txn);
        }
        let events = self.events;
        let learned = self.learned.get(&node).cloned().unwrap_or_default();
        for to in events.graph.from(node).iter().map(|edge| edge.to).chain(learned) {
            self.waits[to as usize] -= 1;
            if self.waits[to as usize] == 0 {
                self.make_ready([to]);
            }
        }
    }

    fn begin(&mut self, txn: TxnIndex) {
        for at in 0..self.reads.of(txn).len() {
            let (slot, source) = self.reads.of(txn)[at];
            let left = self.pending.entry((slot, source)).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.wake_writers(slot);
            }
        }
        for at in 0..self.writes.of(txn).len() {
            let slot = &mut self.slots[self.writes.of(txn)[at] as usize];
            if slot.exclusive {
                slot.taken = txn;
            }
        }
    }

    fn write(&mut self, txn: TxnIndex) {
        for at in 0..self.writes.of(txn).len() {
            let slot = self.writes.of(txn)[at];
            let state = &mut self.slots[slot as usize];
            self.held.push(state.holds);
            (state.holds, state.taken) = (txn, NO_SOURCE);
            self.wake_writers(slot);
            if let Some(readers) = self.readers.remove(&(slot, txn)) {
                self.make_ready(readers);
            }
        }
    }

    fn wake_writers(&mut self, slot: u32) {
        let writers = std::mem::take(&mut self.slots[slot as usize].writers);
        self.make_ready(writers);
    }
}
