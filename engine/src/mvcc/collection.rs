//! Collects what no snapshot sees any more: a little after each group, or leaf by leaf in a pass.

use rt::lockfree::pin;

use super::index::Index;
use super::repack::Plan;
use super::writer::Writer;
use crate::types::Version;

/// A pass over the leaves that have something to collect, one at a time: the writer does other things in
/// between.
#[derive(Debug)]
pub(crate) struct Pass {
    /// How many leaves with a journal are left to visit.
    journals: usize,
    /// How many leaves with something to collect in page or history are left to visit.
    queued: usize,
    /// Leaves that were written since the pass before keep their journal: they will fill it soon.
    idle_only: bool,
}

impl Writer {
    /// Collects a little, after a group: a leaf for every journal's worth of records. Returns how many
    /// versions went.
    pub(crate) fn collect_some(&mut self, index: &Index, oldest: Version, next: Version) -> usize {
        let mut dropped = 0;
        while self.credit >= index.sizes.journal {
            match self.queue.front() {
                Some((due, _)) if *due <= oldest => {}
                _ => break,
            }
            self.credit -= index.sizes.journal;
            let Some((_, number)) = self.queue.pop_front() else { break };
            dropped += self.collect(index, number, &Plan::collecting(oldest, next));
        }
        self.credit = self.credit.min(index.sizes.journal * 4);
        self.retired.free_some();
        dropped
    }

    /// Begins a pass over all leaves that have something to collect now; with `idle_only`, without the
    /// journals of leaves that were written since the pass before.
    pub(crate) fn begin_pass(&mut self, idle_only: bool) -> Pass {
        self.pass = self.pass.wrapping_add(1);
        Pass { journals: self.journals.len(), queued: self.queue.len(), idle_only }
    }

    /// Collects all that no snapshot sees from the next leaf of a pass. Returns how many versions went;
    /// `None` if there is no leaf left.
    pub(crate) fn collect_next(
        &mut self,
        index: &Index,
        pass: &mut Pass,
        oldest: Version,
        next: Version,
        unobserved: impl Fn() -> bool,
    ) -> Option<usize> {
        while let Some(number) = self.next_of(index, pass, oldest, &unobserved) {
            if self.state(number).surplus > 0 {
                let dropped = self.collect_thoroughly(index, number, oldest, next, &unobserved);
                // Here too, or a pass over all leaves would have two states of all of them in memory.
                self.retired.free_some();
                return Some(dropped);
            }
        }
        None
    }

    /// Returns the next leaf of a pass, taken out of its queue. Commits add to the back of the queues
    /// meanwhile, and take from the front: so the pass ends, and what it misses is left to the next.
    fn next_of(
        &mut self,
        index: &Index,
        pass: &mut Pass,
        oldest: Version,
        unobserved: &impl Fn() -> bool,
    ) -> Option<u32> {
        while pass.journals > 0 {
            pass.journals -= 1;
            let Some(number) = self.journals.pop_front() else { break };
            let recent = [self.pass.wrapping_sub(1), self.pass];
            let state = self.state(number);
            if pass.idle_only && (recent.contains(&state.pushed_after) || !is_worth_packing(index, number)) {
                self.journals.push_back(number);
                continue;
            }
            state.is_in_journals = false;
            return Some(number);
        }
        pass.queued = pass.queued.checked_sub(1)?;
        let (due, number) = self.queue.pop_front()?;
        if due > oldest && !unobserved() {
            self.queue.push_front((due, number));
            pass.queued = 0;
            return None;
        }
        self.state(number).is_queued = false;
        Some(number)
    }

    fn collect_thoroughly(
        &mut self,
        index: &Index,
        number: u32,
        oldest: Version,
        next: Version,
        unobserved: &impl Fn() -> bool,
    ) -> usize {
        // Readers that found a tombstone wait, so that none sees it disappear: see `Index::read_with`.
        let _no_tombstone_is_read = index.tombstones.write();
        let plan = Plan { unobserved: unobserved(), thorough: true, ..Plan::collecting(oldest, next) };
        if plan.unobserved {
            rt::probe::at("collect.idle→drop");
        }
        self.collect(index, number, &plan)
    }

    fn collect(&mut self, index: &Index, number: u32, plan: &Plan) -> usize {
        self.state(number).is_queued = false;
        let pin = pin();
        let Some(leaf) = index.directory.leaf(number, &pin) else { return 0 };
        if self.state(number).surplus == 0 && leaf.journal.len() == 0 {
            return 0;
        }
        self.repack(index, number, &leaf, plan)
    }
}

/// Returns whether packing an idle leaf gives back more than a little, or ends a tombstone. A thread's memory
/// does not always come from where others give theirs back: packing all leaves of a large database for a
/// tenth of its bytes may well let it grow.
fn is_worth_packing(index: &Index, number: u32) -> bool {
    let pin = pin();
    index.directory.leaf(number, &pin).is_some_and(|leaf| {
        let has_tombstone = leaf.journal.records().any(|record| record.value().is_none());
        has_tombstone || leaf.history.is_some() || leaf.journal_bytes() * 4 >= leaf.page.bytes()
    })
}
