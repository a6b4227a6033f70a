//! Walks a range of keys from both ends, entry by entry, at the pace of the caller. Holds a reference to the
//! leaf at each end and no epoch, so that whatever others replace meanwhile is freed.
//!
//! An end first *seeks* the next entry, which can then be looked at, and *takes* it or not.
//!
//! * INV-CURSOR-1: what one end has taken, the other does not find.
//! * INV-CURSOR-2: an entry that was found and not taken stays the next one of its end, and the other end
//!   can find it, too.

use std::ops::ControlFlow;

use env::UnixMillis;
use rt::lockfree::{Published, pin};

use super::directory::Sought;
use super::index::Index;
use super::leaf::{KeyVersions, Keys, Leaf, Order, Position};
use super::page::{EntryRef, PageEntry, compare};
use super::record::Record;
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::Version;

/// What is left to walk of a range, as a registered snapshot sees it.
#[derive(Debug)]
pub(crate) struct Cursor {
    view: View,
    /// Nothing below is left. Behind it in its leaf lies the front's place.
    lower: Key,
    /// Nothing at or above is left. Before it in its leaf lies the back's place.
    upper: Option<Key>,
    front: Side,
    back: Side,
    is_done: bool,
}

/// What the snapshot sees: versions, and what has not expired.
#[derive(Clone, Copy, Debug)]
struct View {
    at: Version,
    now: UnixMillis,
}

/// One end of what is left.
#[derive(Debug, Default)]
struct Side {
    leaf: Option<HeldLeaf>,
    position: Position,
    /// Where the other end's bound lies in the leaf.
    stop: Position,
    found: Found,
    is_taken: bool,
    /// Whether it has moved since the other end took notice.
    has_moved: bool,
}

#[derive(Debug)]
struct HeldLeaf {
    leaf: Published<Leaf>,
    order: Order,
    /// Whether the snapshot sees each entry of the page, unless the journal has its key.
    is_page_seen: bool,
}

/// The entry that an end has come to.
#[derive(Debug, Default)]
enum Found {
    #[default]
    Nothing,
    /// By its number in the page of the leaf.
    Page(usize),
    /// By its number in the journal of the leaf.
    Journal(usize),
    Record(Record),
}

impl Cursor {
    /// Creates a cursor over a range, as a snapshot at `at`, begun at wall time `now`, sees it.
    pub(crate) fn new(range: &KeyRange, at: Version, now: UnixMillis) -> Self {
        let (lower, upper) = (range.start().clone(), range.end().cloned());
        let is_done = upper.as_ref().is_some_and(|upper| *upper <= lower);
        let at = if rt::mutant!(ScanIgnoresSnapshot) { Version::MAX } else { at };
        let view = View { at, now };
        Self { view, lower, upper, front: Side::default(), back: Side::default(), is_done }
    }

    /// Creates a cursor over another range, as the same snapshot sees it.
    pub(crate) fn over(&self, range: &KeyRange) -> Self {
        Self::new(range, self.view.at, self.view.now)
    }

    /// Seeks the next entry from the front. Returns whether there is one.
    #[inline]
    pub(crate) fn seek_front(&mut self, index: &Index) -> bool {
        if self.is_done || self.back.has_moved && !self.notice_back() {
            return false;
        }
        if self.front.has_waiting() || self.front.step_forward(self.view) {
            return true;
        }
        self.seek_front_in_next_leaf(index)
    }

    fn seek_front_in_next_leaf(&mut self, index: &Index) -> bool {
        loop {
            if let Some(HeldLeaf { leaf, .. }) = &self.front.leaf {
                match &leaf.fence.upper {
                    Some(next)
                        if self.upper.as_ref().is_none_or(|end| compare(next, end.as_bytes()).is_lt()) =>
                    {
                        self.lower.set_encoded(next);
                    }
                    _ => return self.finish(),
                }
            }
            let held = HeldLeaf::find(index, Sought::Key(self.lower.as_bytes()), self.view);
            let position = held.position(Some(self.lower.as_bytes()));
            let stop = held.position(self.upper.as_ref().map(Key::as_bytes));
            self.front.enter(held, position, stop);
            if self.front.step_forward(self.view) {
                return true;
            }
        }
    }

    /// Seeks the next entry from the back. Returns whether there is one.
    #[inline]
    pub(crate) fn seek_back(&mut self, index: &Index) -> bool {
        if self.is_done || self.front.has_moved && !self.notice_front() {
            return false;
        }
        if self.back.has_waiting() || self.back.step_backward(self.view) {
            return true;
        }
        self.seek_back_in_next_leaf(index)
    }

    fn seek_back_in_next_leaf(&mut self, index: &Index) -> bool {
        loop {
            if let Some(HeldLeaf { leaf, .. }) = &self.back.leaf {
                let next = &leaf.fence.lower;
                if compare(next, self.lower.as_bytes()).is_le() {
                    return self.finish();
                }
                self.upper.get_or_insert_with(|| Key::from_encoded(&[])).set_encoded(next);
            }
            let upper = self.upper.as_ref().map(Key::as_bytes);
            let held = HeldLeaf::find(index, Sought::Below(upper), self.view);
            let (position, stop) = (held.position(upper), held.position(Some(self.lower.as_bytes())));
            self.back.enter(held, position, stop);
            if self.back.step_backward(self.view) {
                return true;
            }
            if position == stop && rt::mutant!(ReverseScanEndsAtEmptyLeaf) {
                return self.finish();
            }
        }
    }

    /// Returns the entry that was found from the front.
    ///
    /// # Panics
    /// When none was.
    #[inline]
    pub(crate) fn front(&self) -> EntryRef<'_> {
        self.front.entry()
    }

    /// Returns the entry that was found from the back.
    ///
    /// # Panics
    /// When none was.
    #[inline]
    pub(crate) fn back(&self) -> EntryRef<'_> {
        self.back.entry()
    }

    /// Returns whether there is an entry to look at from the front.
    pub(crate) const fn is_front_at_entry(&self) -> bool {
        self.front.is_at_entry()
    }

    /// Returns whether there is an entry to look at from the back.
    pub(crate) const fn is_back_at_entry(&self) -> bool {
        self.back.is_at_entry()
    }

    /// Takes the entry that was found from the front. It stays to be looked at until the next is sought.
    #[inline]
    pub(crate) fn take_front(&mut self) {
        self.front.take();
    }

    /// Takes the entry that was found from the back. It stays to be looked at until the next is sought.
    #[inline]
    pub(crate) fn take_back(&mut self) {
        self.back.take();
    }

    /// How many entries the front can come to with [`take_plain`](Self::take_plain): those that follow the
    /// one it took last in the page of its leaf, up to the next key of the journal, if the snapshot sees them
    /// as they are and the other end has not moved.
    #[inline]
    pub(crate) fn plain_ahead(&self) -> usize {
        if self.front.is_taken && !self.back.has_moved && !self.is_done { self.front.plain_run() } else { 0 }
    }

    /// Comes to the next entry from the front and takes it, if there are any [ahead](Self::plain_ahead).
    #[inline]
    pub(crate) fn take_plain(&mut self) -> Option<PageEntry<'_>> {
        let Side { leaf, position, found, .. } = &mut self.front;
        let number = position.entry;
        *found = Found::Page(number);
        position.entry = number + 1;
        leaf.as_ref().map(|held| held.leaf.page.entry(number))
    }

    /// Takes this many entries of those that are [ahead](Self::plain_ahead), each before it is visited, until
    /// `visit` breaks.
    #[inline]
    pub(crate) fn take_run(
        &mut self,
        count: usize,
        mut visit: impl FnMut(PageEntry<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Side { leaf, position, found, .. } = &mut self.front;
        if let Some(held) = leaf {
            for entry in held.leaf.page.entries(position.entry..position.entry + count) {
                *found = Found::Page(position.entry);
                position.entry += 1;
                visit(entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Skips at most `most` entries from the front, without reading them; returns how many there were.
    pub(crate) fn skip(&mut self, index: &Index, most: usize) -> usize {
        let mut taken = 0;
        while taken < most && self.seek_front(index) {
            self.front.take();
            taken += 1;
            taken += self.front.skip_plain(most - taken);
        }
        taken
    }

    /// Ends the walk for both ends: they have met.
    #[cold]
    fn finish(&mut self) -> bool {
        self.is_done = true;
        false
    }

    /// Takes notice of where the back has come to. Returns whether anything is left for the front.
    #[cold]
    fn notice_back(&mut self) -> bool {
        self.back.has_moved = false;
        let key = Key::from_encoded(self.back.entry().key());
        let upper = if self.back.is_taken { key } else { key.successor() };
        if self.front.has_waiting() && self.front.entry().key() >= upper.as_bytes() {
            return self.finish();
        }
        if !rt::mutant!(IteratorEndsPassEachOther) {
            self.front.set_stop(upper.as_bytes());
            self.upper = Some(upper);
        }
        true
    }

    /// Takes notice of where the front has come to. Returns whether anything is left for the back.
    #[cold]
    fn notice_front(&mut self) -> bool {
        self.front.has_moved = false;
        let key = Key::from_encoded(self.front.entry().key());
        let lower = if self.front.is_taken { key.successor() } else { key };
        if self.back.has_waiting() && self.back.entry().key() < lower.as_bytes() {
            return self.finish();
        }
        self.back.set_stop(lower.as_bytes());
        self.lower = lower;
        true
    }
}

impl Side {
    #[inline]
    const fn has_waiting(&self) -> bool {
        !self.is_taken && !matches!(self.found, Found::Nothing)
    }

    const fn is_at_entry(&self) -> bool {
        !matches!(self.found, Found::Nothing)
    }

    fn enter(&mut self, leaf: HeldLeaf, position: Position, stop: Position) {
        self.found = Found::Nothing;
        (self.leaf, self.position, self.stop) = (Some(leaf), position, stop);
    }

    fn set_stop(&mut self, bound: &[u8]) {
        if let Some(held) = &self.leaf {
            self.stop = held.position(Some(bound));
        }
    }

    #[inline]
    fn take(&mut self) {
        self.is_taken = true;
        self.has_moved = true;
    }

    #[inline]
    fn entry(&self) -> EntryRef<'_> {
        match (&self.found, &self.leaf) {
            (Found::Page(number), Some(held)) => return EntryRef::Page(held.leaf.page.entry(*number)),
            (Found::Journal(number), Some(held)) => {
                if let Some(record) = held.leaf.journal.get(*number) {
                    return EntryRef::Record(record);
                }
            }
            (Found::Record(record), _) => return EntryRef::Record(record),
            _ => {}
        }
        panic!("an entry is looked at after it was found")
    }

    /// How many entries of the page come next, forward, of which the snapshot sees each as it is.
    #[inline]
    fn plain_run(&self) -> usize {
        let Some(held) = &self.leaf else { return 0 };
        if !held.is_page_seen {
            return 0;
        }
        let end = if self.position.record < self.stop.record {
            held.order[self.position.record].entry().min(self.stop.entry)
        } else {
            self.stop.entry
        };
        end.saturating_sub(self.position.entry)
    }

    /// Returns whether such an entry comes next backward.
    #[inline]
    fn is_plain_before(&self, held: &HeldLeaf) -> bool {
        let before = self.position.entry;
        held.is_page_seen
            && before > self.stop.entry
            && (self.position.record <= self.stop.record
                || held.order[self.position.record - 1].ends_at() < before)
    }

    #[inline]
    fn has_come_to(&mut self, found: Found) -> bool {
        self.found = found;
        self.is_taken = false;
        self.has_moved = true;
        true
    }

    /// Moves to the next entry in its leaf, if there is one.
    #[inline]
    fn step_forward(&mut self, view: View) -> bool {
        let Some(held) = &self.leaf else { return false };
        if self.plain_run() > 0 {
            self.position.entry += 1;
            return self.has_come_to(Found::Page(self.position.entry - 1));
        }
        let keys = held.keys();
        while let Some(key) = keys.next(&mut self.position, self.stop) {
            if rt::mutant!(ScanForgetsNewKeys) && !key.is_in_page() {
                continue;
            }
            if let Some(found) = view.find(key) {
                return self.has_come_to(found);
            }
        }
        false
    }

    /// Moves to the entry before in its leaf, if there is one.
    #[inline]
    fn step_backward(&mut self, view: View) -> bool {
        let Some(held) = &self.leaf else { return false };
        if self.is_plain_before(held) {
            self.position.entry -= 1;
            return self.has_come_to(Found::Page(self.position.entry));
        }
        let keys = held.keys();
        while let Some(key) = keys.previous(&mut self.position, self.stop) {
            if let Some(found) = view.find(key) {
                return self.has_come_to(found);
            }
        }
        false
    }

    /// Takes entries that need no more than the page, forward; returns how many.
    fn skip_plain(&mut self, most: usize) -> usize {
        let count = self.plain_run().min(most);
        if count > 0 {
            self.position.entry += count;
            self.found = Found::Page(self.position.entry - 1);
        }
        count
    }
}

impl HeldLeaf {
    fn find(index: &Index, sought: Sought<'_>, view: View) -> Self {
        loop {
            let pin = pin();
            // One that has been replaced since can no longer be held.
            let found = index.directory.find(sought, &pin);
            let Some(leaf) = found.leaf.keep() else { continue };
            let order = Order::of(&leaf);
            if !order.is_empty() {
                index.scanned.note(found.number, &leaf.scans);
            }
            let page = &leaf.page;
            let is_page_seen = page.newest() <= view.at
                && page.tombstones() == 0
                && !page.can_expire()
                && !rt::mutant!(NullIsTombstone);
            return Self { leaf, order, is_page_seen };
        }
    }

    /// [`Keys::position`], which looks at no entry for bounds outside of the leaf: most leaves of a long scan
    /// lie between its ends.
    fn position(&self, bound: Option<&[u8]>) -> Position {
        let fence = &self.leaf.fence;
        match bound {
            Some(bound) if compare(bound, &fence.lower).is_le() => Position::default(),
            Some(bound) if fence.upper.as_ref().is_none_or(|upper| compare(bound, upper).is_lt()) => {
                self.keys().position(Some(bound))
            }
            _ => self.keys().position(None),
        }
    }

    fn keys(&self) -> Keys<'_, &[super::leaf::Ordered]> {
        Keys::new(&self.leaf, &self.order)
    }
}

impl View {
    /// Returns what the snapshot sees of a key, unless it is absent.
    #[inline]
    fn find(self, key: KeyVersions<'_, '_>) -> Option<Found> {
        if let Some((number, record)) = key.newest_record()
            && record.version() <= self.at
        {
            EntryRef::Record(record).live_encoded(self.now)?;
            return Some(Found::Journal(number));
        }
        let entry = key.visible(self.at)?;
        entry.live_encoded(self.now)?;
        Some(match entry {
            EntryRef::Page(entry) => Found::Page(entry.number()),
            EntryRef::Record(record) => Found::Record(record.clone()),
        })
    }
}
