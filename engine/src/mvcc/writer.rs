//! Changes the index: one writer at a time, the commit leader, or maintenance in its place.

use std::collections::VecDeque;

use rt::lockfree::pin;
use rt::sync::atomic::Ordering;
use smallvec::SmallVec;

use super::active_snapshots::ActiveSnapshots;
use super::bulk_load::Journaled;
use super::directory::{Numbers, Replaced};
use super::index::{Hint, Index};
use super::leaf::Leaf;
use super::record::Record;
use super::repack::{Gathered, Plan, gather, keep_newest, patch};
use super::retired::Retired;
use crate::types::Version;

/// Bytes in a journal from which on it counts as full: what is in it twice is kept for as long as it is
/// there.
pub(super) fn journal_bytes_max() -> usize {
    if rt::probe::is_simulated() { 2 << 10 } else { 256 << 10 }
}

/// The state of the writer of an index.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) numbers: Numbers,
    pub(super) retired: Retired,
    /// By number of leaf.
    leaves: Vec<LeafState>,
    /// Leaves with something to collect in page or history, once no snapshot is below the version.
    pub(super) queue: VecDeque<(Version, u32)>,
    /// Leaves whose journal has something to collect, or anything at all.
    pub(super) journals: VecDeque<u32>,
    /// Old versions and tombstones in all leaves.
    surplus: usize,
    /// Records pushed since the last leaf was collected.
    pub(super) credit: usize,
    /// Leaves that the group under way has written, or that took keys from those. Some may come twice.
    touched: SmallVec<[u32; 8]>,
    /// Where snapshots are, if the group under way had to know.
    active: Option<ActiveSnapshots>,
    /// Number of the last pass over all leaves.
    pub(super) pass: u32,
}

/// What the writer knows of a leaf.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeafState {
    pub(super) surplus: u32,
    /// Of the records in the journal.
    pub(super) journal_bytes: usize,
    pub(super) page_bytes: usize,
    pub(super) has_history: bool,
    /// Whether the journal has a tombstone.
    pub(super) has_new_tombstone: bool,
    /// The last pass before the last record was pushed.
    pub(super) pushed_after: u32,
    pub(super) is_queued: bool,
    pub(super) is_in_journals: bool,
}

impl Writer {
    pub(super) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            retired: Retired::new(),
            leaves: vec![LeafState::default()],
            queue: VecDeque::new(),
            journals: VecDeque::new(),
            surplus: 0,
            credit: 0,
            touched: SmallVec::new(),
            active: None,
            pass: 0,
        }
    }

    /// Adds a version to a key. Returns the key's leaf. `active` tells where the snapshots in use are.
    ///
    /// # Panics
    /// When the key has a version at or above it (INV-MVCC-1).
    pub(crate) fn install(
        &mut self,
        index: &Index,
        hint: Hint,
        record: Record,
        active: &mut impl FnMut() -> ActiveSnapshots,
    ) -> Hint {
        loop {
            let pin = pin();
            let found = index.find_hinted(hint, record.key(), &pin);
            let (number, leaf) = (found.number, &*found.leaf);
            let len = leaf.journal.len();
            let is_heavy = len > 0 && self.state(number).journal_bytes + record.bytes() > journal_bytes_max();
            if len >= index.sizes.journal || is_heavy {
                // Looked up when a journal is full, so that no history comes to be without a reader; once
                // in a group.
                let known = self.active.take().unwrap_or_else(&mut *active);
                let plan = Plan::collecting(known, record.version().next());
                self.make_room(index, number, leaf, &plan, is_heavy);
                self.active = Some(plan.active);
                continue;
            }
            let fingerprint = record.fingerprint();
            let place = leaf.place(record.key(), fingerprint);
            let before = leaf.newest_at(place, record.key(), fingerprint, len);
            assert!(
                before.is_none_or(|before| before < record.version()),
                "versions of a key rise: {before:?}, then {}",
                record.version()
            );
            let is_tombstone = record.value().is_none();
            let bytes = record.bytes();
            leaf.journal.push(record, place);
            if before.is_none() {
                index.keys.fetch_add(1, Ordering::Relaxed);
            }
            self.pushed(number, bytes, before.is_some(), is_tombstone);
            if len + 1 == index.sizes.journal * 3 / 4 {
                index.packing.ask(number);
            }
            return Hint::new(number, index.directory.shape());
        }
    }

    /// Notes what the journal of a leaf holds that was loaded.
    pub(super) fn has_loaded(&mut self, number: u32, journaled: Journaled) {
        if journaled.bytes > 0 {
            self.surplus += journaled.surplus;
            self.journals.push_back(number);
            *self.state(number) = LeafState {
                surplus: journaled.surplus as u32,
                journal_bytes: journaled.bytes,
                page_bytes: journaled.page_bytes,
                has_new_tombstone: journaled.tombstones > 0,
                is_in_journals: true,
                ..LeafState::default()
            };
        }
    }

    /// Counts a record that was pushed, and what it made superfluous.
    fn pushed(&mut self, number: u32, bytes: usize, is_newer: bool, is_tombstone: bool) {
        let surplus = usize::from(is_newer) + usize::from(is_tombstone);
        self.credit += 1;
        if self.touched.last() != Some(&number) {
            self.touched.push(number);
        }
        self.surplus += surplus;
        let pass = self.pass;
        let state = self.state(number);
        state.surplus += surplus as u32;
        state.journal_bytes += bytes;
        state.has_new_tombstone |= is_tombstone;
        state.pushed_after = pass;
        if !state.is_in_journals {
            state.is_in_journals = true;
            self.journals.push_back(number);
        }
    }

    /// A leaf that takes keys of others: if any of those was written by the group under way, it is too.
    fn touch(&mut self, number: u32) {
        if !self.touched.is_empty() {
            self.touched.push(number);
        }
    }

    pub(super) fn state(&mut self, number: u32) -> &mut LeafState {
        let needed = number as usize + 1;
        if self.leaves.len() < needed {
            self.leaves.resize(needed, LeafState::default());
        }
        &mut self.leaves[number as usize]
    }

    /// Notes that the group under way is published, and will not be rolled back.
    pub(crate) fn end_group(&mut self) {
        self.touched.clear();
        self.active = None;
    }

    /// Removes all versions above `published`, which the group under way has added.
    pub(crate) fn roll_back(&mut self, index: &Index, published: Version) {
        self.active = None;
        for number in std::mem::take(&mut self.touched) {
            let pin = pin();
            if let Some(leaf) = index.directory.leaf(number, &pin)
                && leaf.newest() > published
            {
                rt::reached!("leaf rolled back");
                self.repack(index, number, &leaf, &Plan::roll_back(published));
            }
        }
    }

    /// Makes room in a full journal, which may be full because of its bytes.
    fn make_room(&mut self, index: &Index, number: u32, leaf: &Leaf, plan: &Plan, is_heavy: bool) {
        if is_heavy {
            rt::reached!("journal full of large values");
        } else if leaf.keys().has_few_old_keys(index.sizes.journal.max(4)) {
            rt::reached!("journal kept to the newest versions");
            let (fresh, _) = keep_newest(leaf, plan);
            let packed = Packed::with_journal(&fresh);
            let kept = fresh.bytes_by_reference() + packed.journal_bytes + fresh.page.bytes();
            let before = index.directory.replace(number, fresh);
            self.retire(before, self.bytes_of(number, leaf), kept);
            self.note(number, packed, plan.next);
            return;
        }
        if let Some(patched) = patch(leaf, plan) {
            rt::reached!("page patched by its journal");
            let (kept, packed) = (patched.bytes_by_reference(), Packed::of(&patched));
            let before = index.directory.replace(number, patched);
            self.retire(before, self.bytes_of(number, leaf), kept);
            self.note(number, packed, plan.next);
            return;
        }
        rt::reached!("journal merged into its page");
        self.repack(index, number, leaf, plan);
    }

    /// Packs a leaf anew. Returns how many versions went for good.
    pub(super) fn repack(&mut self, index: &Index, number: u32, leaf: &Leaf, plan: &Plan) -> usize {
        let gathered = gather(leaf, plan);
        index.keys.fetch_sub((gathered.keys_before - gathered.items.len()) as u64, Ordering::Relaxed);
        let dropped = gathered.dropped;
        if let Some(at) = gathered.split_at(index.sizes.page) {
            let (left, right) = gathered.pack_two(at, &leaf.fence);
            let (packed_left, packed_right) = (Packed::of(&left), Packed::of(&right));
            let kept = left.bytes_by_reference() + right.bytes_by_reference();
            let (new, before) = index.directory.split(&mut self.numbers, number, left, right);
            self.retire(before, self.bytes_of(number, leaf), kept);
            self.note(number, packed_left, plan.next);
            self.note(new, packed_right, plan.next);
            if !rt::mutant!(RollBackForgetsSplit) {
                self.touch(new);
            }
            return dropped;
        }
        if gathered.items.len() < index.sizes.page / 4 && plan.roll_back_above.is_none() {
            return dropped + self.merge_or_replace(index, number, leaf, gathered, plan);
        }
        self.replace(index, number, leaf, gathered.pack(&leaf.fence), plan);
        dropped
    }

    /// Merges a leaf that has few entries with those before and behind it, if they fit: with both, as one
    /// that is empty is not packed again. Returns how many versions of these went.
    fn merge_or_replace(
        &mut self,
        index: &Index,
        number: u32,
        leaf: &Leaf,
        gathered: Gathered<'_>,
        plan: &Plan,
    ) -> usize {
        let pin = pin();
        let left = index.directory.neighbours(&leaf.fence.lower).left;
        if let Some(left) = left
            && let Some(left_leaf) = index.directory.leaf(left, &pin)
        {
            let before = gather(&left_leaf, plan);
            if before.fits_with(&gathered, index.sizes.page) {
                rt::reached!("leaf merged with the one before it");
                let dropped = count_gone(index, &before);
                self.merge(index, (left, &left_leaf, before), (number, leaf, gathered), plan);
                let Some(merged) = index.directory.leaf(left, &pin) else { return dropped };
                return dropped + self.merge_right(index, left, &merged, gather(&merged, plan), plan).1;
            }
        }
        match self.merge_right(index, number, leaf, gathered, plan) {
            (Some(gathered), dropped) => {
                self.replace(index, number, leaf, gathered.pack(&leaf.fence), plan);
                dropped
            }
            (None, dropped) => dropped,
        }
    }

    /// Merges a leaf with the one behind it, if both fit; otherwise gives back what was gathered of it.
    fn merge_right<'a>(
        &mut self,
        index: &Index,
        number: u32,
        leaf: &'a Leaf,
        gathered: Gathered<'a>,
        plan: &Plan,
    ) -> (Option<Gathered<'a>>, usize) {
        let pin = pin();
        let right = index.directory.neighbours(&leaf.fence.lower).right;
        let Some(right) = right else { return (Some(gathered), 0) };
        let Some(right_leaf) = index.directory.leaf(right, &pin) else { return (Some(gathered), 0) };
        let behind = gather(&right_leaf, plan);
        if !gathered.fits_with(&behind, index.sizes.page) {
            return (Some(gathered), 0);
        }
        let dropped = count_gone(index, &behind);
        self.merge(index, (number, leaf, gathered), (right, &right_leaf, behind), plan);
        (None, dropped)
    }

    /// Merges two leaves that follow each other in one chunk.
    fn merge(&mut self, index: &Index, left: Packing<'_>, right: Packing<'_>, plan: &Plan) {
        let ((left, left_leaf, gathered), (right, right_leaf, behind)) = (left, right);
        let merged = gathered.pack_with(behind, &left_leaf.fence, &right_leaf.fence);
        let (packed, kept) = (Packed::of(&merged), merged.bytes_by_reference());
        let bytes = self.bytes_of(left, left_leaf) + self.bytes_of(right, right_leaf);
        let before = index.directory.merge(&mut self.numbers, left, merged);
        self.retire(before, bytes, kept);
        if !rt::mutant!(MergeKeepsSurplus) {
            self.note(right, Packed::default(), plan.next);
        }
        self.note(left, packed, plan.next);
        self.touch(left);
    }

    /// Replaces a leaf by what it was packed to.
    fn replace(&mut self, index: &Index, number: u32, leaf: &Leaf, fresh: Leaf, plan: &Plan) {
        let (packed, kept) = (Packed::of(&fresh), fresh.bytes_by_reference());
        let before = index.directory.replace(number, fresh);
        self.retire(before, self.bytes_of(number, leaf), kept);
        self.note(number, packed, plan.next);
    }

    /// Returns the bytes that a leaf takes.
    pub(super) fn bytes_of(&self, number: u32, leaf: &Leaf) -> usize {
        let journal = self.leaves.get(number as usize).map_or(0, |state| state.journal_bytes);
        leaf.page.bytes() + leaf.bytes_by_reference() + journal
    }

    /// Takes leaves that were replaced, of whose bytes those that replace them have some, about.
    fn retire(&mut self, leaves: Replaced, bytes: usize, kept: usize) {
        let mut garbage = bytes.saturating_sub(kept);
        for leaf in leaves {
            self.retired.add(leaf, std::mem::take(&mut garbage));
        }
    }

    /// Returns how many bytes of what was replaced wait until no reader has them.
    pub(crate) fn retired_bytes(&self) -> u64 {
        self.retired.waiting()
    }

    /// Frees what was replaced, unless a reader is in the way.
    pub(crate) fn free_retired(&mut self) {
        self.retired.free();
    }

    /// Notes the new state of a leaf: how much it holds that will have to go, once no snapshot is below
    /// `due`.
    fn note(&mut self, number: u32, packed: Packed, due: Version) {
        let Packed { surplus, page_bytes, has_history, journal_bytes, has_new_tombstone } = packed;
        let has_journal = journal_bytes > 0;
        let state = self.state(number);
        (state.journal_bytes, state.has_new_tombstone) = (journal_bytes, has_new_tombstone);
        (state.page_bytes, state.has_history) = (page_bytes, has_history);
        let before = std::mem::replace(&mut state.surplus, surplus as u32) as usize;
        let enqueue = surplus > 0 && !has_journal && !std::mem::replace(&mut state.is_queued, true);
        self.surplus = self.surplus + surplus - before;
        if enqueue {
            self.queue.push_back((due, number));
        }
    }

    /// Notes the new state of a leaf that was packed beside commits, whose pages hold nothing that will have
    /// to go.
    pub(super) fn note_packed(&mut self, number: u32, packed: Packed) {
        self.note(number, packed, Version::ZERO);
        let pass = self.pass;
        let state = self.state(number);
        state.pushed_after = pass;
        if packed.journal_bytes > 0 && !std::mem::replace(&mut state.is_in_journals, true) {
            self.journals.push_back(number);
        }
    }

    /// Returns how many old versions and tombstones wait to be collected.
    pub(crate) fn surplus(&self) -> usize {
        self.surplus
    }
}

/// What a leaf that was packed holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packed {
    surplus: usize,
    page_bytes: usize,
    has_history: bool,
    journal_bytes: usize,
    has_new_tombstone: bool,
}

impl Packed {
    /// Of a leaf without a journal.
    fn of(leaf: &Leaf) -> Self {
        let (page_bytes, has_history) = (leaf.page.bytes(), leaf.history.is_some());
        Self { surplus: leaf.surplus(), page_bytes, has_history, ..Self::default() }
    }

    pub(super) fn with_journal(leaf: &Leaf) -> Self {
        if leaf.journal.len() == 0 {
            return Self::of(leaf);
        }
        Self {
            surplus: leaf.surplus_with_journal(),
            journal_bytes: leaf.journal_bytes(),
            has_new_tombstone: leaf.has_new_tombstone(),
            ..Self::of(leaf)
        }
    }
}

/// A leaf by its number, and what it is going to hold.
type Packing<'a> = (u32, &'a Leaf, Gathered<'a>);

/// Counts the keys of a neighbour that go. Returns how many versions of it do.
fn count_gone(index: &Index, gathered: &Gathered<'_>) -> usize {
    let keys = gathered.keys_before - gathered.items.len();
    index.keys.fetch_sub(keys as u64, Ordering::Relaxed);
    gathered.dropped
}

impl Leaf {
    /// Returns the bytes of the records of the journal.
    pub(super) fn journal_bytes(&self) -> usize {
        self.journal.records().map(Record::bytes).sum()
    }

    /// Returns whether the journal has a tombstone.
    fn has_new_tombstone(&self) -> bool {
        self.journal.records().any(|record| record.value().is_none())
    }

    /// [`surplus`](Leaf::surplus), and what the journal makes superfluous.
    fn surplus_with_journal(&self) -> usize {
        let mut surplus = self.surplus();
        let keys = self.keys();
        let (mut at, end) = (keys.position(Some(&[])), keys.position(None));
        while let Some(key) = keys.next(&mut at, end) {
            let versions = key.versions().count();
            let is_new_tombstone =
                key.has_record() && key.newest().is_some_and(|entry| entry.value().is_none());
            surplus += versions - 1 + usize::from(is_new_tombstone);
        }
        surplus
    }
}
