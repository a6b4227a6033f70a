//! Pages as files have them: each as it is in memory, then the values that lie beside it.
//!
//! ```text
//! page | length 4, value; for each entry whose value lies beside the page, in their order
//! ```
//! What comes from a file is checked once, so that nothing that reads it later can fail: see INV-PAGE-1 and
//! INV-PAGE-2. Checksums are not checked here.

use super::page::{
    COLD, COLD_EXPIRES, ENTRIES_MAX, ENTRY_HEADER, EntryRef, Fingerprints, HAS_EXPIRY, HEADER, INLINE, LARGE,
    NEWEST, Page, PageEntry, TOMBSTONE, compare, u32_at, u64_at,
};
use super::record::{Record, fingerprint};
use crate::types::{TxnId, Version};
use crate::value_ref::ValueRef;

/// A page that came from a file, and was checked.
#[derive(Clone, Debug)]
pub(crate) struct StoredPage {
    pub(super) page: Page,
    pub(super) fingerprints: Fingerprints,
}

/// What the numbers in a page may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// No version is above it.
    pub(crate) version: Version,
    /// Every transaction is below it.
    pub(crate) transaction: u64,
}

/// What is wrong with a page.
type Problem = &'static str;

const SHORT: Problem = "a page that ends too soon";

impl Page {
    /// Returns how many bytes the page takes in a file.
    pub(super) fn stored_bytes(&self) -> usize {
        let beside = |record: &Record| 4 + record.value().map_or(0, <[u8]>::len);
        self.bytes.len() + self.large.iter().flat_map(|large| large.iter()).map(beside).sum::<usize>()
    }

    /// Appends the page as files have it.
    ///
    /// # Errors
    /// When a value takes 4 GiB or more.
    pub(crate) fn write_onto(&self, file: &mut Vec<u8>) -> Result<(), Problem> {
        let start = file.len();
        file.extend_from_slice(&self.bytes);
        forget_expiry(self, &mut file[start..]);
        for value in self.large.iter().flat_map(|large| large.iter()).filter_map(Record::value) {
            let length = u32::try_from(value.len()).map_err(|_| "a value of 4 GiB or more")?;
            file.extend_from_slice(&length.to_le_bytes());
            file.extend_from_slice(value);
        }
        Ok(())
    }

    /// Returns the key of the first entry, if there is one.
    pub(crate) fn first_key(&self) -> Option<&[u8]> {
        (self.len() > 0).then(|| self.entry(0).key())
    }

    /// Returns the key of the last entry, if there is one.
    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|last| self.entry(last).key())
    }
}

/// A deliberate bug of the zoo, empty in production: takes the times from the entries that expire.
fn forget_expiry(page: &Page, bytes: &mut [u8]) {
    if rt::mutant!(CheckpointForgetsExpiry) {
        for number in 0..page.len() {
            bytes[page.entry_start(number) + ENTRY_HEADER - 1] &= !HAS_EXPIRY;
        }
    }
}

impl StoredPage {
    /// Reads the page at the front of `rest`, and moves past it. Nothing of `rest` is kept alive.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(rest: &mut &[u8], bounds: Bounds) -> Result<Self, Problem> {
        let head = rest.get(..HEADER).ok_or(SHORT)?;
        let length = u32_at(head, 0) as usize;
        let (bytes, mut behind) = rest.split_at_checked(length).ok_or(SHORT)?;
        let layout = Layout::read(bytes)?;
        let mut checked = Check { bytes, layout, bounds, fingerprints: Fingerprints::default() };
        let found = checked.entries()?;
        let fingerprints = checked.fingerprints;
        if [found.newest, u64::from(found.tombstones)]
            != [u64_at(bytes, NEWEST), u64::from(u32_at(bytes, 20))]
        {
            return Err("a page whose header does not agree with its entries");
        }
        let mut page = Page {
            bytes: bytes.to_vec().into(),
            count: u32_at(bytes, 4),
            stride: u32_at(bytes, 8),
            cold: u32_at(bytes, 12),
            cold_stride: u32_at(bytes, 16),
            tombstones: found.tombstones,
            newest: Version::new(found.newest),
            large: None,
        };
        if found.large > 0 {
            page.large = Some(beside(&page, &mut behind)?.into());
        }
        *rest = behind;
        Ok(Self { page, fingerprints })
    }

    pub(crate) fn len(&self) -> usize {
        self.page.len()
    }

    /// Returns the last of the transactions that wrote the entries.
    pub(crate) fn last_txn(&self) -> TxnId {
        (0..self.len()).map(|number| self.page.entry(number).txn()).max().unwrap_or_default()
    }

    /// Returns the entries in key order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        (0..self.page.len()).map(|number| EntryRef::Page(self.page.entry(number)))
    }

    pub(crate) fn first_key(&self) -> &[u8] {
        self.page.first_key().unwrap_or_default()
    }

    pub(crate) fn last_key(&self) -> &[u8] {
        self.page.last_key().unwrap_or_default()
    }
}

/// Where the parts of a page lie: inside of it, one after the other.
#[derive(Clone, Copy, Debug)]
struct Layout {
    count: usize,
    stride: usize,
    /// Where the entries begin.
    start: usize,
    cold: usize,
    cold_stride: usize,
}

impl Layout {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let field = |at| bytes.get(at..at + 4).map(|_| u32_at(bytes, at) as usize).ok_or(SHORT);
        if bytes.len() < HEADER {
            return Err(SHORT);
        }
        let (count, stride) = (field(4)?, field(8)?);
        let (cold, cold_stride) = (field(12)?, field(16)?);
        if count == 0 || count > ENTRIES_MAX {
            return Err("a page with another number of entries than can be");
        }
        let start = HEADER + if stride == 0 { (count + 1) * 4 } else { 0 };
        let entries = match stride {
            0 => cold.checked_sub(start),
            stride => stride.checked_mul(count).filter(|entries| cold.checked_sub(start) == Some(*entries)),
        };
        if entries.is_none_or(|entries| entries < count * ENTRY_HEADER)
            || ![COLD, COLD_EXPIRES].contains(&cold_stride)
            || cold.checked_add(count * cold_stride) != Some(bytes.len())
        {
            return Err("a page whose parts do not lie where they must");
        }
        Ok(Self { count, stride, start, cold, cold_stride })
    }

    /// Returns the bytes of an entry.
    fn entry<'a>(&self, bytes: &'a [u8], number: usize) -> Result<&'a [u8], Problem> {
        let (start, end) = if self.stride > 0 {
            let start = self.start + number * self.stride;
            (start, start + self.stride)
        } else {
            let at = HEADER + number * 4;
            (u32_at(bytes, at) as usize, u32_at(bytes, at + 4) as usize)
        };
        let is_first = number > 0 || start == self.start;
        let is_last = number + 1 < self.count || end == self.cold;
        if !is_first || !is_last || end > self.cold || start < self.start {
            return Err("an entry outside of its page");
        }
        bytes.get(start..end).filter(|entry| entry.len() >= ENTRY_HEADER).ok_or("an entry that is too short")
    }
}

/// What the entries of a page say together.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    newest: u64,
    tombstones: u32,
    large: usize,
}

#[derive(Debug)]
struct Check<'a> {
    bytes: &'a [u8],
    layout: Layout,
    bounds: Bounds,
    fingerprints: Fingerprints,
}

impl<'a> Check<'a> {
    fn entries(&mut self) -> Result<Summary, Problem> {
        let mut summary = Summary::default();
        let mut last: Option<&[u8]> = None;
        for number in 0..self.layout.count {
            let entry = self.layout.entry(self.bytes, number)?;
            let key_bytes = (u32_at(entry, 8) & 0x00ff_ffff) as usize;
            let (key, stored) =
                entry[ENTRY_HEADER..].split_at_checked(key_bytes).ok_or("a key longer than its entry")?;
            if last.is_some_and(|last| compare(last, key).is_ge()) {
                return Err("keys that do not rise");
            }
            last = Some(key);
            self.fingerprints.set(number, fingerprint(key));
            let version = u64_at(entry, 0);
            if version > self.bounds.version.get() {
                return Err("a version above that of the checkpoint");
            }
            summary.newest = summary.newest.max(version);
            self.cold(number, entry[ENTRY_HEADER - 1])?;
            match entry[ENTRY_HEADER - 1] & !HAS_EXPIRY {
                TOMBSTONE if stored.len() == 8 => summary.tombstones += 1,
                INLINE => ValueRef::check(stored)?,
                // Each has its own, in order.
                LARGE if stored.len() == 4 && u32_at(stored, 0) as usize == summary.large => {
                    summary.large += 1
                }
                _ => return Err("an entry of a kind that can't be"),
            }
        }
        Ok(summary)
    }

    fn cold(&self, number: usize, kind: u8) -> Result<(), Problem> {
        let at = self.layout.cold + number * self.layout.cold_stride;
        if u64_at(self.bytes, at) >= self.bounds.transaction {
            return Err("an entry of a transaction beyond all transactions");
        }
        if kind & HAS_EXPIRY != 0 && self.layout.cold_stride != COLD_EXPIRES {
            return Err("an entry that expires at no time");
        }
        Ok(())
    }
}

/// Returns the values that lie beside a page.
fn beside(page: &Page, rest: &mut &[u8]) -> Result<Vec<Record>, Problem> {
    let mut records = Vec::new();
    let mut buffer = Vec::new();
    for number in 0..page.len() {
        let entry = page.entry(number);
        if entry.kind() != LARGE {
            continue;
        }
        let (length, behind) = rest.split_at_checked(4).ok_or(SHORT)?;
        let (value, behind) = behind.split_at_checked(u32_at(length, 0) as usize).ok_or(SHORT)?;
        *rest = behind;
        ValueRef::check(value)?;
        records.push(record(&mut buffer, &entry, value));
    }
    Ok(records)
}

fn record(buffer: &mut Vec<u8>, entry: &PageEntry<'_>, value: &[u8]) -> Record {
    let by = (entry.txn(), entry.run());
    Record::new(buffer, entry.key(), Some(value), entry.version(), by, entry.expires())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Bounds, Page, StoredPage};
    use crate::mvcc::record::Record;
    use crate::types::{RunNumber, TxnId, Version};
    use crate::value::Value;

    const BOUNDS: Bounds = Bounds { version: Version::new(1_000), transaction: 5_000 };

    /// Keys with values of that length; a tombstone without one. And who expires.
    type Entries = Vec<(Vec<u8>, Option<usize>, bool)>;

    fn entries() -> impl Strategy<Value = Entries> {
        let length = prop_oneof![Just(None), (0..40_usize).prop_map(Some), Just(Some(8)), Just(Some(2_000))];
        let keys = prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..20),
            (length, prop::bool::weighted(0.2)),
            1..40,
        );
        let mixed = keys.prop_map(|keys| {
            keys.into_iter().map(|(key, (length, expires))| (key, length, expires)).collect()
        });
        let even = (1..129_u8).prop_map(|count| (0..count).map(|key| (vec![key], Some(8), false)).collect());
        prop_oneof![3 => mixed, 1 => even]
    }

    /// Key, value; version, transaction, run, expiry.
    type Entry = (Vec<u8>, Option<Vec<u8>>, u64, u64, u64, u64);

    fn records(entries: &Entries) -> Vec<Record> {
        let record = |(number, (key, length, expires)): (u64, &(Vec<u8>, Option<usize>, bool))| {
            let value = length.map(|length| Value::from(vec![7_u8; length]).encoded());
            let at = expires.then_some(env::UnixMillis(number)).into();
            let by = (TxnId::new(number * 3), RunNumber::new(number % 4));
            Record::new(&mut Vec::new(), key, value.as_deref(), Version::new(number), by, at)
        };
        (1..).zip(entries).map(record).collect()
    }

    fn stored(page: &Page) -> Vec<u8> {
        let mut bytes = Vec::new();
        page.write_onto(&mut bytes).unwrap();
        assert_eq!(bytes.len(), page.stored_bytes());
        bytes
    }

    /// Returns everything that readers read.
    fn read_all(stored: &StoredPage) -> Vec<Entry> {
        let entries = stored.entries().map(|entry| {
            let found = stored.page.find(
                &stored.fingerprints,
                crate::mvcc::record::fingerprint(entry.key()),
                entry.key(),
            );
            assert!(found.is_some(), "a key that is there is found");
            drop(entry.to_entry());
            let value = entry.value().map(<[u8]>::to_vec);
            let numbers = (entry.version().get(), entry.txn().get(), entry.run().get());
            (entry.key().to_vec(), value, numbers.0, numbers.1, numbers.2, entry.expires().to_bits())
        });
        let entries: Vec<_> = entries.collect();
        assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0), "keys rise");
        entries
    }

    proptest! {
        #[test]
        fn a_page_comes_back_from_a_file_as_it_was(entries in entries()) {
            let records = records(&entries);
            let mut bytes = stored(&Page::of(&records));
            bytes.extend_from_slice(b"behind");
            let mut rest = bytes.as_slice();
            let found = StoredPage::read(&mut rest, BOUNDS).unwrap();
            prop_assert_eq!(rest, b"behind");
            let expected: Vec<_> = records
                .iter()
                .map(|record| {
                    let value = record.value().map(<[u8]>::to_vec);
                    let numbers = (record.version().get(), record.txn().get(), record.run().get());
                    (record.key().to_vec(), value, numbers.0, numbers.1, numbers.2, record.expires().to_bits())
                })
                .collect();
            prop_assert_eq!(read_all(&found), expected);
            prop_assert_eq!(stored(&found.page), &bytes[..bytes.len() - 6]);
        }

        #[test]
        fn a_page_that_was_made_up_is_refused_or_can_be_read(
            entries in entries(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
            cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        ) {
            let mut bytes = stored(&Page::of(&records(&entries)));
            for (at, byte, is_early) in changes {
                // Half of them in the header and the offsets, where most is at stake.
                let end = if is_early { bytes.len().min(64) } else { bytes.len() };
                bytes[at.index(end)] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let mut rest = bytes.as_slice();
            if let Ok(found) = StoredPage::read(&mut rest, BOUNDS) {
                let read = read_all(&found);
                prop_assert!(read.iter().all(|entry| entry.2 <= 1_000 && entry.3 < 5_000));
            }
        }

        #[test]
        fn bytes_that_are_no_page_are_refused_or_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(found) = StoredPage::read(&mut bytes.as_slice(), BOUNDS) {
                read_all(&found);
            }
        }
    }

    #[test]
    fn a_page_is_refused_by_what_is_wrong_with_it() {
        let records = records(&vec![(b"a".to_vec(), Some(8), false), (b"b".to_vec(), Some(8), false)]);
        let whole = stored(&Page::of(&records));
        let stride = u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
        let entry = 32;
        let cold = entry + 2 * stride;
        let with = |changes: &[(usize, u8)]| {
            let mut bytes = whole.clone();
            changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
            StoredPage::read(&mut bytes.as_slice(), BOUNDS).map(drop)
        };
        assert_eq!(with(&[]), Ok(()));
        for (changes, problem) in [
            (vec![(0, 255)], "a page that ends too soon"),
            (vec![(4, 0)], "a page with another number of entries than can be"),
            (vec![(4, 129)], "a page with another number of entries than can be"),
            (vec![(8, 3)], "a page whose parts do not lie where they must"),
            (vec![(12, 255)], "a page whose parts do not lie where they must"),
            (vec![(16, 17)], "a page whose parts do not lie where they must"),
            (vec![(20, 1)], "a page whose header does not agree with its entries"),
            (vec![(24, 3)], "a page whose header does not agree with its entries"),
            (vec![(entry + 8, 200)], "a key longer than its entry"),
            (vec![(entry + 12, b'b')], "keys that do not rise"),
            (vec![(entry + 11, 2)], "an entry of a kind that can't be"),
            (vec![(entry + 11, 0)], "an entry of a kind that can't be"),
            (vec![(entry + 11, 9)], "an entry of a kind that can't be"),
            (vec![(entry + 11, 1 | 0x80)], "an entry that expires at no time"),
            (vec![(entry + 13, 200)], "a value that can't be decoded"),
            (vec![(entry + 1, 9)], "a version above that of the checkpoint"),
            (vec![(cold + 3, 1)], "an entry of a transaction beyond all transactions"),
        ] {
            assert_eq!(with(&changes), Err(problem), "{changes:?}");
        }
    }
}
