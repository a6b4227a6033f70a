//! Collects what no snapshot sees any more: a little after each group, or leaf by leaf in a pass.

use rt::lockfree::pin;

use super::active_snapshots::ActiveSnapshots;
use super::index::Index;
use super::repack::Plan;
use super::writer::{LeafState, Writer};
use crate::types::Version;

/// Most leaves that a pass goes by, as they have too little to collect, before commits get their turn.
fn passed_by_max() -> usize {
    if rt::probe::is_simulated() { 12 } else { 1 << 9 }
}

/// A pass over the leaves that have something to collect, one at a time: the writer does other things in
/// between.
#[derive(Debug)]
pub(crate) struct Pass {
    /// Leaves that scans ask to pack.
    scanned: Vec<u32>,
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
    pub(crate) fn collect_some(&mut self, index: &Index, active: &ActiveSnapshots, next: Version) -> usize {
        let mut dropped = 0;
        while self.credit >= index.sizes.journal {
            match self.queue.front() {
                Some((due, _)) if *due <= active.oldest() => {}
                _ => break,
            }
            self.credit -= index.sizes.journal;
            let Some((_, number)) = self.queue.pop_front() else { break };
            dropped += self.collect(index, number, &Plan::collecting(active.clone(), next));
        }
        self.credit = self.credit.min(index.sizes.journal * 4);
        self.retired.free_some();
        dropped
    }

    /// Begins a pass over all leaves that have something to collect now; with `idle_only`, without the
    /// journals of leaves that were written since the pass before.
    pub(crate) fn begin_pass(&mut self, index: &Index, idle_only: bool) -> Pass {
        self.pass = self.pass.wrapping_add(1);
        // What was written lately may fill its journal by itself.
        let scanned = index.scanned.take(|number| self.was_written_lately(number));
        Pass { scanned, journals: self.journals.len(), queued: self.queue.len(), idle_only }
    }

    /// Collects all that no snapshot sees from the next leaf of a pass, or goes by some leaves. Returns how
    /// many versions went; `None` if there is no leaf left.
    pub(crate) fn collect_next(
        &mut self,
        index: &Index,
        pass: &mut Pass,
        active: &ActiveSnapshots,
        next: Version,
        unobserved: impl Fn() -> bool,
    ) -> Option<usize> {
        for _ in 0..passed_by_max() {
            let number = match self.next_of(pass, active, &unobserved)? {
                Visit::Scanned(number) => number,
                Visit::Leaf(number) if self.state(number).surplus > 0 => number,
                _ => continue,
            };
            let dropped = self.collect_thoroughly(index, number, active, next, &unobserved);
            // Here too, or a pass over all leaves would have two states of all of them in memory.
            self.retired.free_some();
            return Some(dropped);
        }
        rt::reached!("collection lets commits in before it has found a leaf");
        Some(0)
    }

    /// Visits the next leaf of a pass, and takes it out of its queue if it is collected now. Commits add to
    /// the back of the queues meanwhile, and take from the front: so the pass ends, and what it misses is
    /// left to the next.
    fn next_of(
        &mut self,
        pass: &mut Pass,
        active: &ActiveSnapshots,
        unobserved: &impl Fn() -> bool,
    ) -> Option<Visit> {
        if let Some(number) = pass.scanned.pop() {
            rt::reached!("leaf packed because it is scanned");
            return Some(Visit::Scanned(number));
        }
        if pass.journals > 0
            && let Some(number) = self.journals.pop_front()
        {
            pass.journals -= 1;
            let is_recent = self.was_written_lately(number);
            let state = self.state(number);
            if state.journal_bytes == 0 {
                // It was packed since; the other queue has what it holds.
                state.is_in_journals = false;
                return Some(Visit::PassedBy);
            }
            if pass.idle_only && (is_recent || !state.is_worth_packing()) {
                self.journals.push_back(number);
                return Some(Visit::PassedBy);
            }
            state.is_in_journals = false;
            return Some(Visit::Leaf(number));
        }
        pass.journals = 0;
        pass.queued = pass.queued.checked_sub(1)?;
        let (due, number) = self.queue.pop_front()?;
        // Of what such leaves hold, some may lie in a gap.
        let is_due = due <= active.oldest() || !pass.idle_only && active.has_gaps();
        if !is_due && !unobserved() {
            self.queue.push_front((due, number));
            pass.queued = 0;
            return None;
        }
        self.state(number).is_queued = false;
        Some(Visit::Leaf(number))
    }

    /// Returns whether a leaf was written since the pass before this one.
    fn was_written_lately(&mut self, number: u32) -> bool {
        let recent = [self.pass.wrapping_sub(1), self.pass];
        recent.contains(&self.state(number).pushed_after)
    }

    fn collect_thoroughly(
        &mut self,
        index: &Index,
        number: u32,
        active: &ActiveSnapshots,
        next: Version,
        unobserved: &impl Fn() -> bool,
    ) -> usize {
        rt::probe::at("collect all");
        // Readers that found a tombstone wait, so that none sees it disappear: see `Index::read_with`.
        let _no_tombstone_is_read = index.tombstones.write();
        let plan =
            Plan { unobserved: unobserved(), thorough: true, ..Plan::collecting(active.clone(), next) };
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

/// What a pass does with the leaf that it comes to.
enum Visit {
    /// Packs it, whatever it holds.
    Scanned(u32),
    /// Packs it if it holds something old.
    Leaf(u32),
    PassedBy,
}

impl LeafState {
    /// Returns whether packing an idle leaf gives back more than a little, or ends a tombstone. A thread's
    /// memory does not always come from where others give theirs back: packing all leaves of a large database
    /// for a tenth of its bytes may well let it grow. Looks at no leaf: of many, each is a wait for memory.
    const fn is_worth_packing(&self) -> bool {
        self.has_new_tombstone || self.has_history || self.journal_bytes * 4 >= self.page_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::{Hint, Index, Record, Sizes, Writer};
    use super::{ActiveSnapshots, passed_by_max};
    use crate::range::KeyRange;
    use crate::types::{RunNumber, TxnId, Version};

    const LAST: Version = Version::new(1_000_000);

    /// Writes some keys in random order, so that most leaves have a journal.
    fn fill(keys: u64) -> (Index, Writer) {
        let (index, mut writer) = Index::new(Sizes { page: 128, journal: 32 });
        for number in 0..keys {
            let (key, at) =
                (number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(), Version::new(number + 1));
            let by = (TxnId::ZERO, RunNumber::ZERO);
            let record = Record::new(&mut Vec::new(), &key, Some(&[7; 20]), at, by, None.into());
            writer.install(&index, Hint::NONE, record, &mut || ActiveSnapshots::from(at));
            writer.end_group();
        }
        (index, writer)
    }

    fn scan(index: &Index) -> usize {
        let mut cursor = Cursor::new(&KeyRange::everything(), LAST, env::UnixMillis(0));
        cursor.skip(index, usize::MAX)
    }

    fn journaled(index: &Index) -> usize {
        let mut records = 0;
        index.walk_leaves(&[], None, |leaf, _| {
            records += leaf.journal.len();
            std::ops::ControlFlow::Continue(())
        });
        records
    }

    fn pass(index: &Index, writer: &mut Writer) -> usize {
        let mut pass = writer.begin_pass(index, true);
        let all = ActiveSnapshots::from(LAST);
        let mut turns = 0;
        while writer.collect_next(index, &mut pass, &all, LAST.next(), || true).is_some() {
            turns += 1;
        }
        turns
    }

    #[test]
    fn leaves_that_are_scanned_and_not_written_any_more_are_packed() {
        let (index, mut writer) = fill(4_000);
        (0..3).for_each(|_| _ = pass(&index, &mut writer));
        let before = journaled(&index);
        assert!(before > 0, "nothing would be shown");
        (0..20).for_each(|_| assert_eq!(scan(&index), 4_000));
        pass(&index, &mut writer);
        assert_eq!((journaled(&index), scan(&index)), (0, 4_000));
    }

    #[test]
    fn leaves_that_are_written_wait_for_their_packing() {
        let (index, mut writer) = fill(4_000);
        (0..20).for_each(|_| _ = scan(&index));
        let before = journaled(&index);
        pass(&index, &mut writer);
        assert_eq!(journaled(&index), before, "they were written since the pass before");
        (0..2).for_each(|_| _ = pass(&index, &mut writer));
        assert_eq!(journaled(&index), 0, "they asked once, and were put off");
    }

    #[test]
    fn leaves_that_are_written_and_scanned_for_ever_wait_once() {
        let (index, mut writer) = fill(4_000);
        for round in 1..100 {
            for number in 0..4_000_u64 {
                let (key, at) =
                    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15), Version::new(round * 4_000 + number + 1));
                let by = (TxnId::ZERO, RunNumber::ZERO);
                let record =
                    Record::new(&mut Vec::new(), &key.to_be_bytes(), Some(&[7; 20]), at, by, None.into());
                writer.install(&index, Hint::NONE, record, &mut || ActiveSnapshots::from(at));
                writer.end_group();
            }
            (0..10).for_each(|_| _ = scan(&index));
            pass(&index, &mut writer);
        }
        let (_, leaves) = index.directory.counts();
        assert!(index.scanned.len() <= leaves, "{} wait, of {leaves} leaves", index.scanned.len());
    }

    #[test]
    fn a_pass_over_leaves_with_little_to_collect_lets_commits_in() {
        let keys = passed_by_max() as u64 * 200;
        let (index, mut writer) = fill(keys);
        (0..3).for_each(|_| _ = pass(&index, &mut writer));
        let waiting = writer.journals.len();
        assert!(waiting > passed_by_max(), "{waiting} leaves have a journal");
        assert!(pass(&index, &mut writer) >= waiting / passed_by_max());
    }
}
