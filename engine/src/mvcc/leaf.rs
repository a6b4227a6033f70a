//! A leaf of the index: a page with the newest version of each key, a journal of what came since, a history
//! of what snapshots still need.

use std::ops::Deref;

use rt::sync::Arc;
use smallvec::SmallVec;

use super::history::History;
use super::journal::Journal;
use super::page::{EntryRef, Fingerprints, Page, compare, is_same};
use super::record::{Place, Record, fingerprint};
use super::retired::Garbage;
use super::scanned::Scans;
use crate::types::Version;

/// The keys from `lower` up to, but not including, `upper` lie in a leaf.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    pub(crate) lower: Box<[u8]>,
    /// `None`: there is no end.
    pub(crate) upper: Option<Box<[u8]>>,
}

impl Fence {
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        compare(&self.lower, key).is_le()
            && self.upper.as_ref().is_none_or(|upper| compare(key, upper).is_lt())
    }
}

/// The state of a leaf: only its journal ever changes, by growing.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Leaf {
    pub(super) journal: Journal,
    pub(super) page: Page,
    pub(super) history: Option<Arc<History>>,
    pub(super) fence: Arc<Fence>,
    pub(super) fingerprints: Fingerprints,
    pub(super) garbage: Garbage,
    pub(super) scans: Scans,
}

/// What a lookup of one key found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found<'a> {
    /// What the snapshot sees.
    pub(crate) entry: Option<EntryRef<'a>>,
    /// Whether there is a newer version than what the snapshot sees.
    pub(crate) has_newer: bool,
}

impl Leaf {
    pub(super) fn new(
        page: Page,
        fingerprints: Fingerprints,
        history: Option<Arc<History>>,
        fence: Arc<Fence>,
    ) -> Self {
        let history = history.filter(|history| !history.is_empty());
        let (garbage, scans) = (Garbage::default(), Scans::new());
        Self { journal: Journal::new(page.newest()), page, history, fence, fingerprints, garbage, scans }
    }

    /// Returns the leaf of an index without keys.
    pub(super) fn empty() -> Self {
        let fence = Fence { lower: Box::default(), upper: None };
        Self::new(Page::empty(), Fingerprints::default(), None, Arc::new(fence))
    }

    /// Returns the newest version of all its keys, published or not. For the commit leader.
    #[inline]
    pub(crate) fn newest(&self) -> Version {
        self.journal.newest()
    }

    /// Reads something of each of its lines that a look reads.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.journal.len() as u64 ^ self.page.len() as u64 ^ self.fingerprints.touch()
    }

    /// Reads something of the entry that a key probably has in the page.
    #[inline]
    pub(super) fn touch_entry(&self, key: &[u8]) -> u64 {
        self.page.touch(&self.fingerprints, fingerprint(key))
    }

    /// Returns what a snapshot sees of a key: a tombstone too, unless it is forgotten.
    #[inline]
    pub(crate) fn version_at<'a>(&'a self, key: &[u8], at: Version) -> Found<'a> {
        let fingerprint = fingerprint(key);
        let len = self.journal.len();
        let mut has_newer = false;
        if len > 0 {
            let seen = self.journal.find(len, fingerprint, |record| {
                let is_key = is_same(record.key(), key);
                has_newer |= is_key && record.version() > at;
                is_key && record.version() <= at
            });
            if let Some((_, record)) = seen {
                return Found { entry: Some(EntryRef::Record(record)), has_newer };
            }
        }
        let in_page =
            self.page.find(&self.fingerprints, fingerprint, key).map(|number| self.page.entry(number));
        if let Some(entry) = in_page
            && entry.version() <= at
            && !has_newer
        {
            let forgotten = entry.forgotten_from();
            let is_forgotten = forgotten > Version::ZERO && forgotten <= at;
            return Found { entry: Some(EntryRef::Page(entry)).filter(|_| !is_forgotten), has_newer };
        }
        has_newer |= in_page.is_some();
        let in_page = in_page.filter(|entry| entry.version() <= at).map(EntryRef::Page);
        let entry = if has_newer { self.older(key, at, in_page) } else { None };
        Found { entry, has_newer }
    }

    /// Returns what a snapshot sees of a key that has a newer version than it sees, if `candidate` is in the
    /// page.
    #[cold]
    fn older<'a>(&'a self, key: &[u8], at: Version, candidate: Option<EntryRef<'a>>) -> Option<EntryRef<'a>> {
        let candidate = candidate.filter(|entry| {
            let forgotten = entry.forgotten_from();
            forgotten == Version::ZERO || at < forgotten
        });
        let old = self.history.as_ref().and_then(|history| history.visible(key, at)).map(EntryRef::Record);
        match (old, candidate) {
            (Some(old), Some(candidate)) if candidate.version() > old.version() => Some(candidate),
            (Some(old), _) => Some(old),
            (None, candidate) => candidate,
        }
    }

    /// Returns the newest version of a key, published or not; zero if there is none. For the commit leader.
    #[inline]
    pub(crate) fn newest_of(&self, key: &[u8]) -> Version {
        self.newest_entry(key, fingerprint(key), self.journal.len())
            .map_or(Version::ZERO, |entry| entry.version())
    }

    /// Returns the newest entry of a key, in the page and the first `len` records.
    pub(super) fn newest_entry(&self, key: &[u8], fingerprint: u8, len: usize) -> Option<EntryRef<'_>> {
        if let Some((_, record)) = self.journal.find(len, fingerprint, |record| is_same(record.key(), key)) {
            return Some(EntryRef::Record(record));
        }
        let number = self.page.find(&self.fingerprints, fingerprint, key)?;
        Some(EntryRef::Page(self.page.entry(number)))
    }

    /// Returns the newest version of a key whose place in the page is known, in the page and the first `len`
    /// records.
    pub(super) fn newest_at(&self, place: Place, key: &[u8], fingerprint: u8, len: usize) -> Option<Version> {
        if let Some((_, record)) = self.journal.find(len, fingerprint, |record| is_same(record.key(), key)) {
            return Some(record.version());
        }
        place.is_in_page().then(|| self.page.entry(place.entry()).version())
    }

    /// Where the keys of the journal's records belong in the page.
    pub(super) fn journal_places(&self) -> impl Iterator<Item = Place> {
        self.journal.places(self.journal.len())
    }

    /// Returns where a key belongs in the page.
    pub(super) fn place(&self, key: &[u8], fingerprint: u8) -> Place {
        self.page.place(&self.fingerprints, fingerprint, key)
    }

    /// Returns all keys in order, with the versions that page and journal have of them.
    pub(super) fn keys(&self) -> Keys<'_> {
        Keys::new(self, Order::of(self))
    }

    /// Returns the bytes of what it has by reference: the next state of the leaf may have the same.
    pub(super) fn bytes_by_reference(&self) -> usize {
        self.page.bytes_beside() + self.history.as_ref().map_or(0, |history| history.bytes())
    }

    /// Returns the number of versions that are no longer the newest of their key, and of tombstones.
    pub(super) fn surplus(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.len()) + self.page.tombstones()
    }
}

/// The journal of a leaf in the order of keys, and of falling versions, beside its page.
#[derive(Debug)]
pub(crate) struct Keys<'a, O = Order> {
    leaf: &'a Leaf,
    order: O,
}

/// The records of a journal in the order of keys.
#[derive(Debug, Default)]
pub(super) struct Order(SmallVec<[Ordered; 32]>);

impl Deref for Order {
    type Target = [Ordered];

    #[inline]
    fn deref(&self) -> &[Ordered] {
        &self.0
    }
}

/// A key with its versions in page and journal; at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyVersions<'k, 'a> {
    leaf: &'a Leaf,
    /// Newest first.
    records: &'k [Ordered],
    in_page: Option<usize>,
}

impl Order {
    pub(super) fn of(leaf: &Leaf) -> Self {
        Self::of_first(leaf, leaf.journal.len())
    }

    /// That of the first `len` records.
    pub(super) fn of_first(leaf: &Leaf, len: usize) -> Self {
        let places = leaf.journal.places(len).enumerate();
        let mut order: SmallVec<[Ordered; 32]> =
            places.map(|(number, place)| Ordered::new(place, number)).collect();
        if order.len() > 1 {
            order.sort_unstable();
            sort_new_keys(leaf, &mut order);
        }
        Self(order)
    }
}

impl<'a, O: Deref<Target = [Ordered]>> Keys<'a, O> {
    /// `order` is that of the leaf.
    #[inline]
    pub(super) const fn new(leaf: &'a Leaf, order: O) -> Self {
        Self { leaf, order }
    }

    /// Returns whether there is no journal.
    pub(super) fn is_page_only(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns whether a snapshot sees nothing of the journal.
    pub(super) fn all_newer(&self, at: Version) -> bool {
        self.order.iter().all(|ordered| record_of(self.leaf, *ordered).version() > at)
    }

    /// Positions of the first key at or after a bound; of the end without one.
    pub(super) fn position(&self, bound: Option<&[u8]>) -> Position {
        let Some(bound) = bound else {
            return Position { entry: self.leaf.page.len(), record: self.order.len() };
        };
        let entry = self.leaf.page.lower_bound(bound);
        let before = Place::before(entry).order();
        let record = self.order.partition_point(|ordered| {
            let order = ordered.place();
            order < before || order == before && compare(record_of(self.leaf, *ordered).key(), bound).is_lt()
        });
        Position { entry, record }
    }

    /// Returns the key at a position, which moves past it; `None` at `end`.
    #[inline]
    pub(super) fn next<'k>(&'k self, at: &mut Position, end: Position) -> Option<KeyVersions<'k, 'a>> {
        if at.record < end.record {
            let order = self.order[at.record].place();
            let place = usize::from(order / 2);
            if place <= at.entry || at.entry >= end.entry {
                let count = self.group(at.record, end.record);
                let records = &self.order[at.record..at.record + count];
                at.record += count;
                let in_page = (order % 2 == 1).then_some(place);
                at.entry += usize::from(in_page.is_some());
                return Some(KeyVersions { leaf: self.leaf, records, in_page });
            }
        }
        (at.entry < end.entry).then(|| {
            at.entry += 1;
            KeyVersions { leaf: self.leaf, records: &[], in_page: Some(at.entry - 1) }
        })
    }

    /// Returns the key before a position, which moves to it; `None` at `start`.
    #[inline]
    pub(super) fn previous<'k>(&'k self, at: &mut Position, start: Position) -> Option<KeyVersions<'k, 'a>> {
        if at.record > start.record {
            let order = self.order[at.record - 1].place();
            let place = usize::from(order / 2);
            let is_in_page = order % 2 == 1;
            // A record at an entry stands for it; one before it comes after the entries before.
            if at.entry <= start.entry
                || is_in_page && place + 1 == at.entry
                || !is_in_page && place >= at.entry
            {
                let mut first = at.record - 1;
                while first > start.record && self.is_same_key(first - 1, at.record - 1) {
                    first -= 1;
                }
                let records = &self.order[first..at.record];
                at.record = first;
                at.entry -= usize::from(is_in_page);
                return Some(KeyVersions { leaf: self.leaf, records, in_page: is_in_page.then_some(place) });
            }
        }
        (at.entry > start.entry).then(|| {
            at.entry -= 1;
            KeyVersions { leaf: self.leaf, records: &[], in_page: Some(at.entry) }
        })
    }

    /// Returns whether the records are of few keys for a journal of that size, all of which the page has:
    /// leaving the newest of each in the journal costs less than a new page. A key that is not in the page is
    /// not among them, as its records are told from those of others by comparing keys, each time.
    pub(super) fn has_few_old_keys(&self, journal: usize) -> bool {
        let (mut first, mut keys) = (0, 0);
        while first < self.order.len() {
            if self.order[first].place().is_multiple_of(2) {
                return false;
            }
            first += self.group(first, self.order.len());
            keys += 1;
        }
        keys * 4 <= journal
    }

    /// Returns how many records from `first` on have its key.
    fn group(&self, first: usize, end: usize) -> usize {
        (first + 1..end).take_while(|next| self.is_same_key(first, *next)).count() + 1
    }

    fn is_same_key(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.order[a], self.order[b]);
        let is_in_page = a.place() % 2 == 1;
        a.place() == b.place()
            && (is_in_page || is_same(record_of(self.leaf, a).key(), record_of(self.leaf, b).key()))
    }
}

/// A place between two keys of a leaf: the number of page entries and of records before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) entry: usize,
    pub(super) record: usize,
}

impl<'a> KeyVersions<'_, 'a> {
    /// Returns all versions, newest first.
    #[inline]
    pub(super) fn versions(&self) -> impl Iterator<Item = EntryRef<'a>> {
        let leaf = self.leaf;
        let records = self.records.iter().map(move |ordered| EntryRef::Record(record_of(leaf, *ordered)));
        records.chain(self.in_page.map(move |number| EntryRef::Page(leaf.page.entry(number))))
    }

    /// Returns what a snapshot sees: a tombstone too, unless it is forgotten.
    #[inline]
    pub(super) fn visible(&self, at: Version) -> Option<EntryRef<'a>> {
        if self.records.is_empty()
            && let Some(number) = self.in_page
        {
            let entry = EntryRef::Page(self.leaf.page.entry(number));
            if entry.version() <= at {
                let forgotten = entry.forgotten_from();
                return (forgotten == Version::ZERO || at < forgotten).then_some(entry);
            }
        }
        let mut has_newer = false;
        for entry in self.versions() {
            if entry.version() > at {
                has_newer = true;
                continue;
            }
            if has_newer && matches!(entry, EntryRef::Page(_)) {
                return self.leaf.older(entry.key(), at, Some(entry));
            }
            let forgotten = entry.forgotten_from();
            return (forgotten == Version::ZERO || at < forgotten).then_some(entry);
        }
        let key = self.versions().next()?.key();
        self.leaf.older(key, at, None)
    }

    pub(super) const fn is_in_page(&self) -> bool {
        self.in_page.is_some()
    }

    /// Returns the newest version that the journal has, with its number there.
    #[inline]
    pub(super) fn newest_record(&self) -> Option<(usize, &'a Record)> {
        self.records.first().map(|ordered| (ordered.number(), record_of(self.leaf, *ordered)))
    }

    /// Returns the place in the page; `None` if the journal does not have the key.
    pub(super) fn place(&self) -> Option<Place> {
        self.records.first().map(|ordered| Place::of_order(ordered.place()))
    }

    /// Returns how many versions the journal has.
    pub(super) const fn records(&self) -> usize {
        self.records.len()
    }

    pub(super) const fn has_record(&self) -> bool {
        !self.records.is_empty()
    }

    /// Returns the newest version, published or not.
    pub(super) fn newest(&self) -> Option<EntryRef<'a>> {
        self.versions().next()
    }
}

/// A record of a journal: its place in the page, then its number, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ordered(u32);

impl Ordered {
    fn new(place: Place, number: usize) -> Self {
        Self(u32::from(place.order()) << 8 | (255 - number as u32))
    }

    const fn place(self) -> u16 {
        (self.0 >> 8) as u16
    }

    /// Returns the number of the page's entry that it comes before, or stands for.
    pub(super) const fn entry(self) -> usize {
        self.place() as usize / 2
    }

    /// Returns how many entries of the page come before it or are its own.
    pub(super) const fn ends_at(self) -> usize {
        (self.place() as usize).div_ceil(2)
    }

    const fn number(self) -> usize {
        255 - (self.0 & 255) as usize
    }
}

/// Sorts the records of keys that the page does not have: before one of its entries there may be several.
fn sort_new_keys(leaf: &Leaf, order: &mut [Ordered]) {
    for records in order.chunk_by_mut(|a, b| a.place() == b.place()) {
        if records.len() > 1 && records[0].place() % 2 == 0 {
            let key = |ordered: &Ordered| record_of(leaf, *ordered).key();
            records.sort_unstable_by(|a, b| compare(key(a), key(b)).then(a.cmp(b)));
        }
    }
}

fn record_of(leaf: &Leaf, ordered: Ordered) -> &Record {
    leaf.journal.get(ordered.number()).expect("what the journal's length counted is there")
}
