//! The entries of a range, one by one, from either end.

use std::cmp::Ordering;
use std::iter::FusedIterator;
use std::ops::ControlFlow;

use env::UnixMillis;

use super::entry::{Entry, EntryRef};
use super::keys::Keys;
use super::own_writes::OwnWrites;
use super::seen::Seen;
use super::tracking::{Tracking, Walked};
use crate::commit::{ReadSet, WriteSet};
use crate::key::{IntoKey, Key};
use crate::mvcc::Cursor;
use crate::range::KeyRange;
use crate::store::{OpenSnapshot, Store};
use crate::types::Version;
use crate::value::Value;

/// The entries of a range of keys in order, from either end: what `range` and `prefix` of a
/// [`Transaction`](crate::Transaction), a [`Snapshot`](crate::Snapshot) and a [`Database`](crate::Database)
/// return. Lazy: what is not iterated is not read.
///
/// In a transaction its own writes are merged in, and exactly what was iterated can conflict with what others
/// commit: the range up to the last entry that was given, or all of it when there was no other. While it
/// exists, the transaction can't be used for anything else: collect first what decides about writes.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// db.put_many(run, (1..=9_i64).map(|number| (format!("item/{number}"), number)))?;
///
/// let newest_two: Vec<i64> =
///     db.prefix("item/").rev().take(2).map(|entry| entry.get()).collect::<Result<_, _>>()?;
/// assert_eq!(newest_two, [9, 8]);
///
/// // A page of three, and the one after it.
/// let page: Vec<_> = db.prefix("item/").keys().take(3).collect();
/// let next = db.prefix("item/").after(&page[2]).next().expect("there are more");
/// assert_eq!(next.user_key(), b"item/4");
/// assert_eq!(db.prefix("item/").before("item/4").limit(2).rev().count(), 2);
///
/// let mut sum = 0;
/// let mut range = db.range("item/2"..="item/4");
/// while let Some(entry) = range.next_ref() {
///     sum += entry.get::<i64>()?; // `next` would copy key and value.
/// }
/// assert_eq!(sum, 9);
/// assert_eq!(db.range("item/2".."item/4").next_back_ref().expect("two").user_key(), b"item/3");
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy: what is not iterated is not read"]
pub struct Range<'a> {
    source: Source<'a>,
    cursor: Cursor,
    own: OwnWrites<'a>,
    tracking: Option<Tracking<'a>>,
    seen: Seen<'a>,
    bounds: KeyRange,
    /// How many entries may still be given.
    left: usize,
    /// How many of them the front can give as they lie in the page of its leaf.
    plain: usize,
    last_front: Last<'a>,
    last_back: Last<'a>,
    is_finished: bool,
}

/// What is read.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// By a snapshot that lives for longer than the range.
    Borrowed(&'a Store),
    /// By a snapshot of its own.
    Open(OpenSnapshot),
}

/// The last entry that an end gave.
#[derive(Debug, Default)]
enum Last<'a> {
    #[default]
    None,
    /// The one to which the cursor has come.
    Snapshot,
    Own(&'a Key, &'a Value),
}

impl Source<'_> {
    #[inline]
    fn store(&self) -> &Store {
        match self {
            Self::Borrowed(store) => store,
            Self::Open(snapshot) => &snapshot.store,
        }
    }
}

impl<'a> Range<'a> {
    /// Returns what a snapshot sees.
    #[inline]
    pub(crate) fn of_snapshot(source: Source<'a>, bounds: KeyRange, at: Version, now: UnixMillis) -> Self {
        Self {
            source,
            cursor: Cursor::new(&bounds, at, now),
            own: OwnWrites::default(),
            tracking: None,
            seen: Seen::default(),
            bounds,
            left: usize::MAX,
            plain: 0,
            last_front: Last::None,
            last_back: Last::None,
            is_finished: false,
        }
    }

    /// Returns what a transaction sees: own writes too. Tracked, if the transaction tracks reads; and
    /// reported to a simulation, if that wants to know.
    pub(crate) fn of_transaction(
        mut self,
        writes: &'a WriteSet,
        reads: Option<&'a mut ReadSet>,
        seen: Seen<'a>,
    ) -> Self {
        self.seen = seen;
        self.own = OwnWrites::new(writes, &self.bounds);
        self.tracking = reads.map(|reads| Tracking::new(reads, &self.bounds));
        self
    }

    /// Limits the iterator to this many entries, from both ends together.
    pub fn limit(mut self, limit: usize) -> Self {
        (self.left, self.plain) = (limit, 0);
        self
    }

    /// Leaves only what comes after a key, which need not exist any more: for the next page.
    pub fn after(mut self, key: impl IntoKey) -> Self {
        let bounds = self.rest();
        let start = key.into_key().successor().max(bounds.start().clone());
        self.restart(KeyRange::from_parts(start, bounds.end().cloned()));
        self
    }

    /// Leaves only what comes before a key: for the page before, or the next one backwards.
    pub fn before(mut self, key: impl IntoKey) -> Self {
        let bounds = self.rest();
        let key = key.into_key();
        let end = bounds.end().map_or_else(|| key.clone(), |end| key.clone().min(end.clone()));
        self.restart(KeyRange::from_parts(bounds.start().clone(), Some(end)));
        self
    }

    /// Returns the keys alone.
    pub fn keys(self) -> Keys<'a> {
        Keys(self)
    }

    /// Returns the next entry, where it is stored: nothing is copied. It keeps a leaf of the index from being
    /// freed, and blocks no other thread.
    #[inline]
    pub fn next_ref(&mut self) -> Option<EntryRef<'_>> {
        if self.plain > 0 {
            (self.plain, self.left) = (self.plain - 1, self.left - 1);
            return self.cursor.take_plain().map(EntryRef::of_page);
        }
        self.next_ref_beyond_page()
    }

    /// Calls `visit` with the entries in order, where they are stored, until it breaks. The fastest way
    /// through many: between two entries of a page there is no more to do than the addition of a length.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use std::ops::ControlFlow;
    ///
    /// db.put(run, "a", 20_i64)?;
    /// db.put(run, "b", 22_i64)?;
    /// let mut sum = 0;
    /// db.range(..).for_each_ref(|entry| {
    ///     sum += entry.get::<i64>().unwrap_or(0);
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!(sum, 42);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn for_each_ref(&mut self, mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<()>) {
        while let Some(entry) = self.next_ref_beyond_page() {
            if visit(entry).is_break() {
                return;
            }
            let Self { plain, left, cursor, .. } = self;
            let flow = cursor.take_run(*plain, |entry| {
                // Counted one by one: `visit` may break, or panic.
                (*plain, *left) = (*plain - 1, *left - 1);
                visit(EntryRef::of_page(entry))
            });
            if flow.is_break() {
                return;
            }
        }
    }

    /// Apart, so that what most entries need is small enough to be inlined.
    fn next_ref_beyond_page(&mut self) -> Option<EntryRef<'_>> {
        if !self.step::<false>() {
            return None;
        }
        Some(match self.last_front {
            Last::Own(key, value) => EntryRef::own(key, value),
            _ => EntryRef::stored(self.cursor.front()),
        })
    }

    /// Returns the next entry from the back, where it is stored.
    #[inline]
    pub fn next_back_ref(&mut self) -> Option<EntryRef<'_>> {
        if !self.step::<true>() {
            return None;
        }
        Some(match self.last_back {
            Last::Own(key, value) => EntryRef::own(key, value),
            _ => EntryRef::stored(self.cursor.back()),
        })
    }

    /// Skips entries without reading them; `None` if there were fewer.
    pub(super) fn skip_entries(&mut self, number: usize) -> Option<()> {
        (self.advance(number) == number).then_some(())
    }

    /// Skips at most `most` entries; returns how many there were.
    fn advance(&mut self, most: usize) -> usize {
        if !self.own.is_empty() || self.seen.is_on() {
            return (0..most).take_while(|_| self.step::<false>()).count();
        }
        let most = most.min(self.left);
        self.plain = 0;
        let taken = self.cursor.skip(&self.source.store().index, most);
        self.is_finished |= taken < most;
        self.left -= taken;
        if taken > 0 {
            self.last_front = Last::Snapshot;
        }
        taken
    }

    /// Moves to the next entry from an end; returns whether there is one.
    #[inline]
    fn step<const BACK: bool>(&mut self) -> bool {
        let found = self.step_unseen::<BACK>();
        if found && self.seen.is_on() {
            let Self { seen, cursor, last_front, last_back, .. } = self;
            seen.add(BACK, || match if BACK { last_back } else { last_front } {
                Last::Own(key, value) => EntryRef::own(key, value).to_entry(),
                _ => EntryRef::stored(if BACK { cursor.back() } else { cursor.front() }).to_entry(),
            });
        }
        found
    }

    #[inline]
    fn step_unseen<const BACK: bool>(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.plain = 0;
        if !self.own.is_empty() {
            return self.step_merged::<BACK>();
        }
        if !self.seek::<BACK>() {
            self.is_finished = true;
            return false;
        }
        self.give_stored::<BACK>();
        if !BACK && !self.seen.is_on() {
            self.plain = self.cursor.plain_ahead().min(self.left);
        }
        true
    }

    /// Moves to the next entry of the snapshot or of the own writes, of which the latter hide the former.
    fn step_merged<const BACK: bool>(&mut self) -> bool {
        loop {
            let found = self.seek::<BACK>();
            let order = if found {
                let entry = if BACK { self.cursor.back() } else { self.cursor.front() };
                self.own.order::<BACK>(entry.key()).unwrap_or(Ordering::Greater)
            } else if self.own.is_empty() {
                self.is_finished = true;
                return false;
            } else {
                Ordering::Less
            };
            if order == Ordering::Greater {
                self.give_stored::<BACK>();
                return true;
            }
            if order == Ordering::Equal {
                if rt::mutant!(ScanIgnoresOwnDeletes) && self.own.is_delete::<BACK>() {
                    self.own.take::<BACK>();
                    self.give_stored::<BACK>();
                    return true;
                }
                self.take_stored::<BACK>();
            }
            let own = self.own.take::<BACK>();
            if order == Ordering::Equal && rt::mutant!(MergeSkipsOwnWrite) {
                self.own.take::<BACK>();
            }
            if let Some((key, write)) = own
                && let Some(value) = &write.value
            {
                self.give::<BACK>(Last::Own(key, value));
                return true;
            }
        }
    }

    #[inline]
    fn seek<const BACK: bool>(&mut self) -> bool {
        let index = &self.source.store().index;
        if BACK { self.cursor.seek_back(index) } else { self.cursor.seek_front(index) }
    }

    #[inline]
    fn take_stored<const BACK: bool>(&mut self) {
        if BACK {
            self.cursor.take_back();
        } else {
            self.cursor.take_front();
        }
    }

    #[inline]
    fn give_stored<const BACK: bool>(&mut self) {
        self.take_stored::<BACK>();
        self.give::<BACK>(Last::Snapshot);
    }

    #[inline]
    fn give<const BACK: bool>(&mut self, last: Last<'a>) {
        self.left -= 1;
        if BACK {
            self.last_back = last;
        } else {
            self.last_front = last;
        }
    }

    /// Returns the keys that the ends gave last.
    fn given(&self) -> (Option<Key>, Option<Key>) {
        let front = match self.last_front {
            Last::None => None,
            Last::Snapshot => Some(Key::from_encoded(self.cursor.front().key())),
            Last::Own(key, _) => Some(key.clone()),
        };
        let back = match self.last_back {
            Last::None => None,
            Last::Snapshot => Some(Key::from_encoded(self.cursor.back().key())),
            Last::Own(key, _) => Some(key.clone()),
        };
        (front, back)
    }

    fn walked(&self) -> Walked {
        // A panic in the middle of a move leaves an end at no entry: where it was is not known any more, so
        // all counts as read.
        if self.is_finished || self.is_in_a_move() {
            return Walked::All;
        }
        let (front, back) = self.given();
        Walked::Ends(front, back)
    }

    fn is_in_a_move(&self) -> bool {
        matches!(self.last_front, Last::Snapshot) && !self.cursor.is_front_at_entry()
            || matches!(self.last_back, Last::Snapshot) && !self.cursor.is_back_at_entry()
    }

    /// Returns what is left between the ends.
    fn rest(&self) -> KeyRange {
        if self.is_finished {
            return KeyRange::between(self.bounds.start().clone(), self.bounds.start().clone());
        }
        let (front, back) = self.given();
        let start = front.map_or_else(|| self.bounds.start().clone(), |last| last.successor());
        KeyRange::from_parts(start, back.or_else(|| self.bounds.end().cloned()))
    }

    /// Begins anew, with what is left of the bounds.
    fn restart(&mut self, bounds: KeyRange) {
        let walked = self.walked();
        self.seen.walked(&self.bounds, &walked);
        if let Some(tracking) = &mut self.tracking {
            tracking.advance(&walked, bounds.clone());
        }
        self.cursor = self.cursor.over(&bounds);
        self.own.narrow(&bounds);
        (self.last_front, self.last_back) = (Last::None, Last::None);
        (self.is_finished, self.plain) = (false, 0);
        self.bounds = bounds;
    }
}

impl Drop for Range<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.seen.is_on() {
            let walked = self.walked();
            self.seen.walked(&self.bounds, &walked);
        }
        if self.tracking.is_none() {
            return;
        }
        let walked = match self.walked() {
            Walked::All
                if rt::mutant!(EmptyScanNotTracked)
                    && matches!((&self.last_front, &self.last_back), (Last::None, Last::None)) =>
            {
                Walked::Ends(None, None)
            }
            walked => walked,
        };
        if let Some(tracking) = &mut self.tracking {
            tracking.close(&walked);
        }
    }
}

impl Iterator for Range<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        self.next_ref().map(|entry| entry.to_entry())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, (self.left < usize::MAX).then_some(self.left))
    }

    fn count(mut self) -> usize {
        self.advance(usize::MAX)
    }

    fn nth(&mut self, number: usize) -> Option<Entry> {
        self.skip_entries(number)?;
        self.next()
    }
}

impl DoubleEndedIterator for Range<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Entry> {
        self.next_back_ref().map(|entry| entry.to_entry())
    }
}

impl FusedIterator for Range<'_> {}
