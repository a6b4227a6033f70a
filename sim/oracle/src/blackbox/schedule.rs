//! Plays a history: an order of all transactions in which every read finds what it saw.
//!
//! Job: propose an order of the writes that nobody saw in order, for histories that are too long for a search. What
//! comes out is a guess as any other; that it has no cycle is checked elsewhere.
//!
//! Transactions are taken one by one along the known graph, most urgent first (who must be done before whoever was
//! answered first); a read waits until its key holds what it saw, and a write until all have read what it
//! overwrites. If everybody waits for somebody, they do so in a circle, and in that circle some writer went before
//! another one who had to come first: that is learned as an edge, all from there on is taken back, and tried again
//! (conflicts teach, as in J. Marques-Silva and K. Sakallah, "GRASP: a search algorithm for propositional
//! satisfiability", IEEE Trans. Computers 48(5), 1999).
//!
//! Invariant INV-PLAY-1: the work is bounded by a multiple of the number of events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stormproof_workloads::history::TxnIndex;

use super::events::Events;
use super::problem::{Assigned, ByKey, Problem};
use super::resolve::{INIT, NOBODY, Source};
use crate::graph::{Edge, Graph, Kind};
use crate::view::{KeyId, Map};

/// How many times each event may be looked at, on average.
const LOOKS_MAX: usize = 64;

/// By transaction, the place at which it took effect, if an order was found in which all reads find what they saw.
/// `open` are the keys whose order is not known.
pub(super) fn schedule(
    problem: &Problem<'_, '_>,
    assigned: &Assigned,
    by_key: &ByKey,
    events: &Events,
    open: &[KeyId],
) -> Option<Vec<u32>> {
    let sorted = topological(&events.graph)?;
    let registers = open.iter().any(|key| !problem.lists.contains_key(key));
    let order = if registers || events.split() {
        let due = due(problem, events, &events.graph, &sorted);
        Play::new(problem, assigned, by_key, events, open, due).run()?
    } else {
        // Nobody saw any of the appends in question, so whatever keeps to the graph will do.
        sorted
    };
    let mut places = vec![0; assigned.included.len()];
    for (place, &node) in (0..).zip(&order) {
        if let Some(txn) = events.txn(node) {
            places[txn as usize] = place;
        }
    }
    Some(places)
}

pub(super) fn waits(graph: &Graph) -> Vec<u32> {
    let mut waits = vec![0; graph.nodes()];
    for node in nodes(graph) {
        for edge in graph.from(node) {
            waits[edge.to as usize] += 1;
        }
    }
    waits
}

fn nodes(graph: &Graph) -> std::ops::Range<u32> {
    0..u32::try_from(graph.nodes()).unwrap_or(u32::MAX)
}

pub(super) fn topological(graph: &Graph) -> Option<Vec<u32>> {
    let mut waits = waits(graph);
    let mut order: Vec<u32> = nodes(graph).filter(|&node| waits[node as usize] == 0).collect();
    order.reserve(graph.nodes());
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        at += 1;
        for edge in graph.from(node) {
            waits[edge.to as usize] -= 1;
            if waits[edge.to as usize] == 0 {
                order.push(edge.to);
            }
        }
    }
    (order.len() == graph.nodes()).then_some(order)
}

/// By event: the first answer that has to wait for it.
pub(super) fn due(problem: &Problem<'_, '_>, events: &Events, graph: &Graph, sorted: &[u32]) -> Vec<u64> {
    let mut due = vec![u64::MAX; sorted.len()];
    for &node in sorted.iter().rev() {
        let own = events.txn(node).map_or(u64::MAX, |txn| problem.acked(txn));
        let next = graph.from(node).iter().map(|edge| due[edge.to as usize]).min();
        due[node as usize] = own.min(next.unwrap_or(u64::MAX));
    }
    due
}

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
    /// Who wrote what it holds.
    holds: Source,
    /// Who has begun and will write it, where nobody else may come between.
    taken: Source,
    /// Whether those who write it have to see each other.
    exclusive: bool,
    /// Who waits to write it.
    writers: Vec<u32>,
}

/// What an event waits for.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// That this slot holds what this source writes.
    Source(u32, Source),
    /// That all have read what this slot holds.
    Readers(u32),
    /// That this transaction, which has begun, writes this slot.
    Taken(u32, TxnIndex),
}

struct Play<'p, 'v, 'h> {
    problem: &'p Problem<'v, 'h>,
    by_key: &'p ByKey,
    events: &'p Events,
    /// By event: how urgent it is.
    due: Vec<u64>,
    slots: Vec<Slot>,
    /// By transaction: slots that it reads, and from whom.
    reads: Grouped<(u32, Source)>,
    /// By transaction: slots that it writes.
    writes: Grouped<u32>,
    /// By event: how many before it are missing.
    waits: Vec<u32>,
    /// By event: its place in the order, from 1; 0 if it has none yet.
    done: Vec<u32>,
    order: Vec<u32>,
    /// What the slots held before each write, in the order of writes.
    held: Vec<Source>,
    /// How many have not yet read what a source left in a slot.
    pending: Map<(u32, Source), u32>,
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    readers: Map<(u32, Source), Vec<u32>>,
    /// Who was told to wait since something was learned, and to write which slot if it was to write.
    parked: Vec<(u32, Option<u32>)>,
    /// Edges that circles taught.
    learned: Map<u32, Vec<u32>>,
    learned_backwards: Map<u32, Vec<u32>>,
    /// The graph backwards, once it is needed.
    backwards: Option<Graph>,
    looks: usize,
}

impl<'p, 'v, 'h> Play<'p, 'v, 'h> {
    fn new(
        problem: &'p Problem<'v, 'h>,
        assigned: &Assigned,
        by_key: &'p ByKey,
        events: &'p Events,
        open: &[KeyId],
        due: Vec<u64>,
    ) -> Self {
        let exclusive = |key: KeyId| events.split() && !problem.commutes(key);
        let slots: Vec<Slot> = open
            .iter()
            .map(|&key| Slot {
                key,
                holds: INIT,
                taken: NOBODY,
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
            looks: nodes * LOOKS_MAX + 1_000,
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
            // The edges of lists say all that there is to say about their reads.
            let counts = source < NOBODY || source == INIT;
            if slot != u32::MAX && counts && source != txn && !self.problem.lists.contains_key(&read.key) {
                self.reads.items.push((slot, source));
                *self.pending.entry((slot, source)).or_default() += 1;
            }
        }
    }

    fn run(mut self) -> Option<Vec<u32>> {
        let free: Vec<u32> =
            nodes(&self.events.graph).filter(|&node| self.waits[node as usize] == 0).collect();
        self.make_ready(free);
        loop {
            while let Some(Reverse((_, node))) = self.ready.pop() {
                self.looks = self.looks.checked_sub(1)?;
                if self.done[node as usize] == 0 && self.waits[node as usize] == 0 {
                    self.look_at(node);
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

    fn look_at(&mut self, node: u32) {
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

    /// Of which transaction an event is the start, and of which the commit; both may be one.
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
                if taken != NOBODY {
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
            (state.holds, state.taken) = (txn, NOBODY);
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

    /// Everybody waits: finds who waits for whom in a circle, who in it went first by mistake, and takes that back.
    fn learn(&mut self) -> Option<()> {
        let (first, last) = self.mistake()?;
        let place = self.done[first as usize] as usize - 1;
        let mut free = self.waiting();
        while self.order.len() > place {
            free.extend(self.take_back());
        }
        self.learned.entry(last).or_default().push(first);
        self.learned_backwards.entry(first).or_default().push(last);
        self.waits[first as usize] += 1;
        self.ready.clear();
        self.readers.clear();
        for (_, slot) in self.parked.drain(..) {
            if let Some(slot) = slot {
                self.slots[slot as usize].writers.clear();
            }
        }
        free.retain(|&node| self.waits[node as usize] == 0);
        self.make_ready(free);
        Some(())
    }

    fn waiting(&self) -> Vec<u32> {
        let nodes = self.parked.iter().map(|(node, _)| *node);
        let mut waiting: Vec<u32> =
            nodes.filter(|&node| self.done[node as usize] == 0 && self.waits[node as usize] == 0).collect();
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    fn take_back(&mut self) -> Option<u32> {
        let node = self.order.pop()?;
        self.done[node as usize] = 0;
        let events = self.events;
        let learned = self.learned.get(&node).cloned().unwrap_or_default();
        for to in events.graph.from(node).iter().map(|edge| edge.to).chain(learned) {
            self.waits[to as usize] += 1;
        }
        let (start, commit) = self.halves(node);
        if let Some(txn) = commit {
            for at in (0..self.writes.of(txn).len()).rev() {
                let slot = &mut self.slots[self.writes.of(txn)[at] as usize];
                slot.holds = self.held.pop()?;
                slot.taken = if slot.exclusive { txn } else { NOBODY };
            }
        }
        if let Some(txn) = start {
            for at in 0..self.reads.of(txn).len() {
                *self.pending.entry(self.reads.of(txn)[at]).or_default() += 1;
            }
            for at in 0..self.writes.of(txn).len() {
                self.slots[self.writes.of(txn)[at] as usize].taken = NOBODY;
            }
        }
        Some(node)
    }

    /// The event that was taken too early, and the one that had to come before it.
    fn mistake(&mut self) -> Option<(u32, u32)> {
        let mut node = *self.waiting().iter().min_by_key(|&&node| (self.due[node as usize], node))?;
        let mut path: Vec<(u32, Option<(u32, u32)>)> = Vec::new();
        let mut place: Map<u32, usize> = Map::default();
        loop {
            if let Some(&from) = place.get(&node) {
                let decisions = path[from..].iter().filter_map(|(_, decision)| *decision);
                return decisions.max_by_key(|(first, _)| self.done[*first as usize]);
            }
            place.insert(node, path.len());
            let (next, decision) = self.blocker(node)?;
            path.push((node, decision));
            node = next;
        }
    }

    /// For whom an event waits, and, if that is so only because one writer of a key went first, which one, and which
    /// had to.
    fn blocker(&mut self, node: u32) -> Option<(u32, Option<(u32, u32)>)> {
        if self.waits[node as usize] > 0 {
            return Some((self.missing(node)?, None));
        }
        let events = self.events;
        let txn = events.txn(node)?;
        match self.obstacle(node)? {
            Obstacle::Source(_, source) => {
                let writer = (source < NOBODY).then(|| events.commit(source));
                writer.filter(|&writer| self.done[writer as usize] == 0).map(|writer| (writer, None))
            }
            Obstacle::Taken(_, owner) => {
                Some((events.commit(owner), Some((events.start(owner), events.commit(txn)))))
            }
            Obstacle::Readers(slot) => {
                let Slot { key, holds, .. } = self.slots[slot as usize];
                let mut reads = self.by_key.reads(key).iter();
                let late = reads.find(|read| {
                    read.source == holds
                        && read.reader != txn
                        && !self.problem.weak[read.reader as usize]
                        && self.done[events.start(read.reader) as usize] == 0
                })?;
                let decision = (holds != INIT).then(|| (events.start(holds), events.commit(txn)));
                Some((events.start(late.reader), decision))
            }
        }
    }

    /// An event that has to come before this one and has not.
    fn missing(&mut self, node: u32) -> Option<u32> {
        let events = self.events;
        let backwards = self.backwards.get_or_insert_with(|| {
            let graph = &events.graph;
            let list: Vec<(u32, Edge)> = nodes(graph)
                .flat_map(|from| {
                    graph
                        .from(from)
                        .iter()
                        .map(move |edge| (edge.to, Edge { to: from, key: 0, kind: Kind::Pass }))
                })
                .collect();
            Graph::new(graph.nodes(), &list)
        });
        let known = backwards.from(node).iter().map(|edge| edge.to);
        let learned = self.learned_backwards.get(&node).into_iter().flatten().copied();
        known.chain(learned).find(|&before| self.done[before as usize] == 0)
    }
}
