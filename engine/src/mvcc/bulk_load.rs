//! Builds an index from what recovery found, before there is any reader: the pages of a checkpoint, and the
//! newest versions that the log has.
//!
//! A page becomes a leaf as it is, with what the log has of its keys in the leaf's journal, where that has
//! the room: nothing is copied. Otherwise it is written over, or packed anew.

use std::collections::VecDeque;
use std::ops::Range;

use rt::sync::Arc;

use super::directory::Directory;
use super::entry::VersionEntry;
use super::history::History;
use super::index::{Index, Sizes};
use super::leaf::{Fence, Leaf};
use super::page::{EntryRef, Page, compare};
use super::page_builder::{Item, PageBuilder};
use super::record::Record;
use super::repack::{page_bytes_max, separator};
use super::stored_page::StoredPage;
use super::writer::{Writer, journal_bytes_max};
use crate::key::Key;
use crate::types::Version;

impl Index {
    /// Returns an index of these pages and records, and the right to change it. Both come in key order; of a
    /// key that both have, the newer version counts, and what is deleted is left out. `each` is called with
    /// the entries of all system keys, and of all keys that expire.
    pub(crate) fn load(
        sizes: Sizes,
        pages: Vec<StoredPage>,
        records: Vec<Record>,
        mut each: impl FnMut(&Key, &VersionEntry),
    ) -> (Self, Writer) {
        let (mut index, writer) = Self::new(sizes);
        let leaves = leaves(merged(sizes, pages, records));
        if leaves.is_empty() {
            return (index, writer);
        }
        let new_keys = |leaf: &Leaf| leaf.journal_places().filter(|place| !place.is_in_page()).count();
        let keys: usize = leaves.iter().map(|leaf| leaf.page.len() + new_keys(leaf)).sum();
        leaves.iter().for_each(|leaf| tell_tables(leaf, &mut each));
        let journals: Vec<_> = leaves.iter().map(Journaled::of).collect();
        let (directory, numbers) = Directory::of(leaves);
        index.directory = directory;
        index.keys.fetch_add(keys as u64, rt::sync::atomic::Ordering::Relaxed);
        let mut writer = Writer::new(numbers);
        for (number, journaled) in (0..).zip(journals) {
            writer.has_loaded(number, journaled);
        }
        (index, writer)
    }
}

/// What the journal of a leaf holds that was loaded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Journaled {
    pub(super) bytes: usize,
    /// Versions that it makes superfluous, and its tombstones.
    pub(super) surplus: usize,
    pub(super) tombstones: usize,
    /// Of the page below it.
    pub(super) page_bytes: usize,
}

impl Journaled {
    fn of(leaf: &Leaf) -> Self {
        let begin = Self { page_bytes: leaf.page.bytes(), ..Self::default() };
        leaf.journal.placed(leaf.journal.len()).fold(begin, |sum, (place, record)| {
            let is_tombstone = usize::from(record.value().is_none());
            Self {
                bytes: sum.bytes + record.bytes(),
                surplus: sum.surplus + usize::from(place.is_in_page()) + is_tombstone,
                tombstones: sum.tombstones + is_tombstone,
                ..sum
            }
        })
    }
}

/// A page of the index: one of the checkpoint, or one that was packed.
#[derive(Debug)]
enum Loaded {
    /// By its number, and where the records lie that belong into its journal.
    AsItIs(usize, Range<usize>),
    Packed(StoredPage),
}

/// A leaf on its way: its page, and the records of its journal, in key order.
type Parts = (StoredPage, Vec<Record>);

/// Returns the pages of an index in key order, none of them empty.
fn merged(sizes: Sizes, mut pages: Vec<StoredPage>, records: Vec<Record>) -> Vec<Parts> {
    let records = patch(sizes, &mut pages, records);
    let mut merging = Merging { sizes, loaded: Vec::with_capacity(pages.len()), pending: Vec::new() };
    let mut first = 0;
    for (number, page) in pages.iter().enumerate() {
        let (here, _) = split_before(&records[first..], pages.get(number + 1));
        merging.add(number, page, (first, here));
        first += here.len();
    }
    records[first..].iter().for_each(|record| merging.push(EntryRef::Record(record)));
    merging.pack_all();
    let loaded = merging.loaded;
    let mut pages: Vec<_> = pages.into_iter().map(Some).collect();
    let mut records: Vec<_> = records.into_iter().map(Some).collect();
    let take = |loaded| match loaded {
        Loaded::AsItIs(number, journal) => {
            let journal = records[journal].iter_mut().filter_map(Option::take).collect();
            pages[number].take().map(|page| (page, journal))
        }
        Loaded::Packed(page) => Some((page, Vec::new())),
    };
    loaded.into_iter().filter_map(take).collect()
}

/// Returns whether these records, which belong to a page, can be left to the journal of its leaf. What the
/// tables beside the index have to know of is not left there: they are told of what lies in pages.
fn can_be_journaled(stored: &StoredPage, records: &[Record], most: usize) -> bool {
    let is_plain = |record: &Record| record.expires().at().is_none() && !Key::is_system_encoded(record.key());
    records.len() <= most
        && !stored.page.can_expire()
        && !Key::is_system_encoded(stored.first_key())
        && records.iter().all(is_plain)
        && records.iter().map(Record::bytes).sum::<usize>() <= journal_bytes_max()
}

/// Writes records over the entries of pages, where all that belong to a page take the room of what was there:
/// then it need not be packed anew, and both are not in memory at once. Returns the other records.
fn patch(sizes: Sizes, pages: &mut [StoredPage], mut records: Vec<Record>) -> Vec<Record> {
    // Where those lie that are done.
    let mut done: VecDeque<Range<usize>> = VecDeque::new();
    let mut first = 0;
    for number in 0..pages.len() {
        let (here, _) = split_before(&records[first..], pages.get(number + 1));
        // A few are left to the journal, which must not be full at once.
        if !can_be_journaled(&pages[number], here, sizes.journal / 2)
            && let Some(page) = patched(&pages[number], here)
        {
            rt::reached!("page of a checkpoint patched by the log");
            pages[number].page = page;
            done.push_back(first..first + here.len());
        }
        first += here.len();
    }
    let mut number = 0;
    records.retain(|_| {
        while done.front().is_some_and(|done| done.end <= number) {
            done.pop_front();
        }
        number += 1;
        !done.front().is_some_and(|done| done.contains(&(number - 1)))
    });
    records
}

/// Returns the page with these records written over its entries, if that is all there is to do.
fn patched(stored: &StoredPage, records: &[Record]) -> Option<Page> {
    let mut over: Vec<(usize, &Record)> = Vec::with_capacity(records.len());
    for record in records {
        let number = stored.page.find(&stored.fingerprints, record.fingerprint(), record.key())?;
        // Replay may begin before the checkpoint: what is older changes nothing.
        if record.version() > stored.page.entry(number).version() {
            over.push(stored.page.takes(number, record).then_some((number, record))?);
        }
    }
    Some(stored.page.patched(over.into_iter()))
}

/// Returns the records before the keys of a page, and the others; all of them without one.
fn split_before<'a>(records: &'a [Record], page: Option<&StoredPage>) -> (&'a [Record], &'a [Record]) {
    let is_before =
        |record: &&Record| page.is_none_or(|page| compare(record.key(), page.first_key()).is_lt());
    records.split_at(records.iter().take_while(is_before).count())
}

#[derive(Debug)]
struct Merging<'a> {
    sizes: Sizes,
    loaded: Vec<Loaded>,
    /// Entries after those of all pages in `loaded`.
    pending: Vec<Item<'a>>,
}

impl<'a> Merging<'a> {
    /// Adds the next page, and the records that belong to it.
    /// `first` is the number of the first one.
    fn add(&mut self, number: usize, stored: &'a StoredPage, (first, records): (usize, &'a [Record])) {
        let few = self.sizes.page / 4;
        let is_small = !self.pending.is_empty() && self.pending.len() < few;
        let is_left = can_be_journaled(stored, records, self.sizes.journal);
        if is_left && self.fits(stored) && !is_small {
            if records.is_empty() {
                rt::reached!("page of a checkpoint taken as it is");
            } else {
                rt::reached!("log left to the journals of a checkpoint's pages");
            }
            self.pack_all();
            return self.loaded.push(Loaded::AsItIs(number, first..first + records.len()));
        }
        let mut rest = records;
        for entry in stored.entries() {
            while let Some((record, behind)) = rest.split_first()
                && compare(record.key(), entry.key()).is_lt()
            {
                self.push(EntryRef::Record(record));
                rest = behind;
            }
            match rest.split_first() {
                Some((record, behind)) if record.key() == entry.key() => {
                    rest = behind;
                    // Replay may begin before the checkpoint: what is older changes nothing.
                    let is_newer = record.version() > entry.version();
                    self.push(if is_newer { EntryRef::Record(record) } else { entry });
                }
                _ => self.push(entry),
            }
        }
        rest.iter().for_each(|record| self.push(EntryRef::Record(record)));
    }

    /// Returns whether a page can be a leaf's: the settings may have been others, and the file may be forged.
    fn fits(&self, stored: &StoredPage) -> bool {
        let page = &stored.page;
        let is_large = page.len() > self.sizes.page || page.len() > 1 && page.bytes() > page_bytes_max() * 2;
        page.tombstones() == 0 && !is_large
    }

    fn push(&mut self, entry: EntryRef<'a>) {
        // No snapshot asks for what was deleted before.
        if entry.value().is_none() {
            return;
        }
        self.pending.push(Item { entry, forgotten_from: Version::ZERO });
        if self.pending.len() >= self.sizes.page * 8 {
            self.pack(self.sizes.page);
        }
    }

    fn pack_all(&mut self) {
        self.pack(0);
    }

    /// Packs all that is pending but for a rest of at most `kept`.
    fn pack(&mut self, kept: usize) {
        let mut first = 0;
        while self.pending.len() - first > kept {
            let last = first + last_of_page(&self.pending[first..], self.sizes.page);
            let builder = PageBuilder::new(&self.pending[first..last]);
            let packed = StoredPage { page: builder.build(), fingerprints: builder.fingerprints() };
            self.loaded.push(Loaded::Packed(packed));
            first = last;
        }
        self.pending.drain(..first);
    }
}

/// Returns how many of the items fill a page.
fn last_of_page(items: &[Item<'_>], entries_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |item: &&Item<'_>| {
        bytes += item.bytes();
        bytes <= page_bytes_max()
    };
    items.iter().take(entries_max).take_while(fits).count().max(1)
}

/// Leaves of these pages, which are in key order.
fn leaves(pages: Vec<Parts>) -> Vec<Leaf> {
    let separators: Vec<Box<[u8]>> =
        pages.windows(2).map(|pair| separator(last_key(&pair[0]), pair[1].0.first_key())).collect();
    let mut lower: Box<[u8]> = Box::default();
    let uppers = separators.into_iter().map(Some).chain([None]);
    let leaf = |((stored, journal), upper): (Parts, Option<Box<[u8]>>)| {
        let next = upper.clone().unwrap_or_default();
        let fence = Fence { lower: std::mem::replace(&mut lower, next), upper };
        let leaf = Leaf::new(stored.page, stored.fingerprints, None::<Arc<History>>, Arc::new(fence));
        fill_journal(&leaf, journal);
        leaf
    };
    pages.into_iter().zip(uppers).map(leaf).collect()
}

/// Returns the last key of a page and its journal.
fn last_key((page, journal): &Parts) -> &[u8] {
    journal.last().map_or(page.last_key(), |last| last.key().max(page.last_key()))
}

/// Fills the journal of a leaf, in the order of versions as commits would.
fn fill_journal(leaf: &Leaf, mut records: Vec<Record>) {
    records.sort_unstable_by_key(Record::version);
    for record in records {
        let place = leaf.place(record.key(), record.fingerprint());
        let is_news = if place.is_in_page() {
            // Replay may begin before the checkpoint: what is older changes nothing.
            leaf.page.entry(place.entry()).version() < record.version()
        } else {
            // No snapshot asks for what was deleted before.
            record.value().is_some()
        };
        if is_news {
            leaf.journal.push(record, place);
        }
    }
}

/// Hands `each` what the tables beside the index must know: system keys, which come first of all, and keys
/// that expire.
fn tell_tables(leaf: &Leaf, each: &mut impl FnMut(&Key, &VersionEntry)) {
    let page = &leaf.page;
    for number in 0..page.len() {
        let entry = EntryRef::Page(page.entry(number));
        let is_system = Key::is_system_encoded(entry.key());
        if is_system || entry.expires().at().is_some() {
            each(&Key::from_encoded(entry.key()), &entry.to_entry());
        } else if !page.can_expire() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::mvcc::ActiveSnapshots;
    use crate::mvcc::stored_page::Bounds;
    use crate::types::{RunNumber, TxnId};
    use crate::value::Value;

    /// Versions with a value, or deletes, by key.
    type Content = BTreeMap<Vec<u8>, (u64, bool)>;

    fn records(content: &Content) -> Vec<Record> {
        let record = |(key, (version, is_put)): (&Vec<u8>, &(u64, bool))| {
            let value = is_put.then(|| Value::from(vec![1_u8; *version as usize % 3]).encoded());
            let by = (TxnId::new(*version), RunNumber::ZERO);
            Record::new(&mut Vec::new(), key, value.as_deref(), Version::new(*version), by, None.into())
        };
        content.iter().map(record).collect()
    }

    /// Pages of these records, of up to that many entries, through a file.
    fn pages(records: &[Record], entries: usize) -> Vec<StoredPage> {
        let bounds = Bounds { version: Version::new(u64::MAX / 2), transaction: u64::MAX };
        let page = |records: &[Record]| {
            let mut file = Vec::new();
            Page::of(records).write_onto(&mut file).unwrap();
            StoredPage::read(&mut file.as_slice(), bounds).unwrap()
        };
        records.chunks(entries).map(page).collect()
    }

    /// All keys with a value, in order.
    fn live(index: &Index) -> Vec<(Vec<u8>, u64)> {
        let mut found = Vec::new();
        index.scan(&[], None, Version::MAX, |entry| {
            if entry.value().is_some() {
                found.push((entry.key().to_vec(), entry.version().get()));
            }
            std::ops::ControlFlow::Continue(())
        });
        found
    }

    fn content() -> impl Strategy<Value = Content> {
        let key = (0..400_u16).prop_map(|number| number.to_be_bytes().to_vec());
        prop::collection::btree_map(key, (1..900_u64, prop::bool::weighted(0.8)), 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if rt::CHECKS > 1 { 8 } else { 128 }))]

        #[test]
        fn of_checkpoint_and_log_the_newer_version_of_each_key_is_there(
            checkpoint in content(),
            log in content(),
            entries in 1..129_usize,
            page in prop::sample::select(vec![4, 8, 128]),
            journal in prop::sample::select(vec![2, 8, 32]),
        ) {
            let sizes = Sizes { page, journal };
            let stored = records(&checkpoint);
            let (index, mut writer) = Index::load(sizes, pages(&stored, entries), records(&log), |_, _| ());
            let mut expected = checkpoint;
            for (key, version) in log {
                let newest = expected.entry(key).or_insert(version);
                if version.0 > newest.0 {
                    *newest = version;
                }
            }
            expected.retain(|_, (_, is_put)| *is_put);
            let expected: Vec<_> = expected.into_iter().map(|(key, (version, _))| (key, version)).collect();
            prop_assert_eq!(&live(&index), &expected);
            for (key, version) in &expected {
                let seen = index.read_with(key, Version::MAX, |entry, _| entry.map(|entry| entry.version()));
                prop_assert_eq!(seen, Some(Version::new(*version)));
            }
            let mut pass = writer.begin_pass(&index, false);
            let (all, next) = (ActiveSnapshots::from(Version::new(1_000)), Version::new(1_001));
            while writer.collect_next(&index, &mut pass, &all, next, || true).is_some() {}
            prop_assert_eq!(&live(&index), &expected);
            prop_assert_eq!((index.len(), writer.surplus()), (expected.len(), 0));
        }
    }
}
