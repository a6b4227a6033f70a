//! Deadlocks of the schedule: finds the event that went too early, and undoes it.

use super::super::super::resolve::{INIT, NO_SOURCE};
use super::{Obstacle, Play, Slot};
use crate::graph::reversed;
use crate::view::Map;

impl Play<'_, '_, '_> {
    /// Resolves a deadlock: finds the cycle of waiting events, the event in it that went too early, and
    /// undoes it.
    pub(super) fn learn(&mut self) -> Option<()> {
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
                slot.taken = if slot.exclusive { txn } else { NO_SOURCE };
            }
        }
        if let Some(txn) = start {
            for at in 0..self.reads.of(txn).len() {
                *self.pending.entry(self.reads.of(txn)[at]).or_default() += 1;
            }
            for at in 0..self.writes.of(txn).len() {
                self.slots[self.writes.of(txn)[at] as usize].taken = NO_SOURCE;
            }
        }
        Some(node)
    }

    /// Returns the event that was scheduled too early, and the one that had to come before it.
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

    /// Returns the event that this one waits for and, if the cause is the order of two writers, the writer
    /// that went first and the one that should have.
    fn blocker(&mut self, node: u32) -> Option<(u32, Option<(u32, u32)>)> {
        if self.waits[node as usize] > 0 {
            return Some((self.missing(node)?, None));
        }
        let events = self.events;
        let txn = events.txn(node)?;
        match self.obstacle(node)? {
            Obstacle::Source(_, source) => {
                let writer = (source < NO_SOURCE).then(|| events.commit(source));
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

    /// Returns a predecessor that is not yet scheduled.
    fn missing(&mut self, node: u32) -> Option<u32> {
        let events = self.events;
        let backwards = self.backwards.get_or_insert_with(|| reversed(&events.graph));
        let known = backwards.from(node).iter().map(|edge| edge.to);
        let learned = self.learned_backwards.get(&node).into_iter().flatten().copied();
        known.chain(learned).find(|&before| self.done[before as usize] == 0)
    }
}
