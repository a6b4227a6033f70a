//! Packed pages: the newest version of each key of a leaf, in one piece of memory, in key order.
//!
//! ```text
//! length 4  count 4  stride 4 (0: varied)  cold 4  cold stride 4  tombstones 4  newest version 8
//! offsets 4 × (count + 1), if the stride is varied
//! entries: version 8 | key length 3, kind 1 | key | value
//! cold:    transaction 8 | run 8 | expiry 8, if any entry has one
//! ```
//! The value is the encoded one; of a tombstone, the version from which on snapshots have forgotten it (0:
//! none); of a value above [`INLINE_MAX`] bytes, its number among those that lie beside the page, so that a
//! page is copied without them. All numbers are little-endian.
//!
//! INV-PAGE-1: keys rise strictly. INV-PAGE-2: every offset lies in the page, so reading it never fails.
//! Pages that come from files are checked for both (`stored_page`).

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;
use rt::sync::Arc;

use super::entry::Expires;
use super::record::{Place, Record, find_fingerprint, fingerprint};
use crate::types::{RunNumber, TxnId, Version};

/// Most entries of a page.
pub(crate) const ENTRIES_MAX: usize = 128;
/// Longer encoded values lie beside the page.
pub(super) const INLINE_MAX: usize = 1 << 10;

pub(super) const NEWEST: usize = 24;
pub(super) const HEADER: usize = 32;
pub(super) const ENTRY_HEADER: usize = 12;
pub(super) const COLD: usize = 16;
pub(super) const COLD_EXPIRES: usize = 24;

/// Kinds of entries.
pub(super) const TOMBSTONE: u8 = 0;
pub(super) const INLINE: u8 = 1;
pub(super) const LARGE: u8 = 2;
pub(super) const KIND_MASK: u8 = 0x0f;
pub(super) const HAS_EXPIRY: u8 = 0x80;

/// The newest versions of some keys, in key order. Never changes; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(super) bytes: Bytes,
    pub(super) count: u32,
    pub(super) stride: u32,
    pub(super) cold: u32,
    pub(super) cold_stride: u32,
    pub(super) newest: Version,
    pub(super) tombstones: u32,
    /// Values that lie beside the page.
    pub(super) large: Option<Arc<[Record]>>,
}

/// An entry of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageEntry<'a> {
    page: &'a Page,
    number: usize,
    pub(super) bytes: &'a [u8],
}

impl Page {
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count as usize
    }

    /// Returns the newest version of all entries.
    #[inline]
    pub(crate) const fn newest(&self) -> Version {
        self.newest
    }

    pub(crate) const fn tombstones(&self) -> usize {
        self.tombstones as usize
    }

    /// Returns whether any entry has an expiry.
    #[inline]
    pub(super) const fn can_expire(&self) -> bool {
        self.cold_stride as usize == COLD_EXPIRES
    }

    /// Returns the bytes that it takes, without the values beside it.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes of the values that lie beside it, with their keys.
    pub(super) fn bytes_beside(&self) -> usize {
        self.large.iter().flat_map(|large| large.iter()).map(Record::bytes).sum()
    }

    /// Returns whether all entries have one length.
    const fn is_even(&self) -> bool {
        self.stride > 0
    }

    #[inline]
    pub(crate) fn entry(&self, number: usize) -> PageEntry<'_> {
        let bytes = if self.is_even() {
            let stride = self.stride as usize;
            &self.bytes[HEADER + number * stride..][..stride]
        } else {
            self.varied(number)
        };
        PageEntry { page: self, number, bytes }
    }

    /// Returns some entries in order.
    #[inline]
    pub(super) fn entries(&self, numbers: Range<usize>) -> impl Iterator<Item = PageEntry<'_>> {
        let stride = self.stride as usize;
        let start = HEADER + numbers.start * stride;
        let mut even = &self.bytes[start..start + numbers.len() * stride];
        numbers.map(move |number| {
            let bytes;
            (bytes, even) = if stride > 0 { even.split_at(stride) } else { (self.varied(number), even) };
            PageEntry { page: self, number, bytes }
        })
    }

    /// The bytes of an entry of a page whose entries vary in length.
    fn varied(&self, number: usize) -> &[u8] {
        let at = HEADER + number * 4;
        let (start, end) = (u32_at(&self.bytes, at), u32_at(&self.bytes, at + 4));
        &self.bytes[start as usize..end as usize]
    }

    /// Returns the number of a key's entry.
    #[inline]
    pub(super) fn find(&self, fingerprints: &Fingerprints, fingerprint: u8, key: &[u8]) -> Option<usize> {
        let words = &fingerprints.0[..self.len().div_ceil(8)];
        find_fingerprint(words, fingerprint, |number| {
            number < self.len() && is_same(self.entry(number).key(), key)
        })
    }

    /// Reads something of the first entry with that fingerprint, without comparing keys.
    #[inline]
    pub(super) fn touch(&self, fingerprints: &Fingerprints, fingerprint: u8) -> u64 {
        let words = &fingerprints.0[..self.len().div_ceil(8)];
        let found = find_fingerprint(words, fingerprint, |number| number < self.len());
        found.map_or(0, |number| u64::from(self.bytes[self.entry_start(number)]))
    }

    /// Returns where a key belongs.
    #[inline]
    pub(super) fn place(&self, fingerprints: &Fingerprints, fingerprint: u8, key: &[u8]) -> Place {
        match self.find(fingerprints, fingerprint, key) {
            Some(number) => Place::at(number),
            None => Place::before(self.lower_bound(key)),
        }
    }

    /// Returns the number of the first entry at or after a key.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        // Keys that rise come after the last.
        if high > 0 && compare(self.entry(high - 1).key(), key) == Ordering::Less {
            return high;
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if compare(self.entry(middle).key(), key) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns whether a record can be written over an entry: it takes as many bytes, and neither is more
    /// than a value in the page.
    pub(super) fn takes(&self, number: usize, record: &Record) -> bool {
        let entry = self.entry(number);
        entry.bytes[ENTRY_HEADER - 1] == INLINE
            && record.expires().at().is_none()
            && record.value().is_some_and(|value| value.len() == entry.stored().len())
    }

    /// Returns a copy with some entries written over, each by a record that it [takes](Self::takes).
    pub(super) fn patched<'a>(&self, records: impl Iterator<Item = (usize, &'a Record)>) -> Self {
        let mut bytes = self.bytes.to_vec();
        let mut newest = self.newest;
        for (number, record) in records {
            let start = self.entry_start(number);
            let value = record.value().unwrap_or_default();
            let value_start = start + ENTRY_HEADER + record.key().len();
            bytes[start..start + 8].copy_from_slice(&record.version().get().to_le_bytes());
            bytes[value_start..value_start + value.len()].copy_from_slice(value);
            let cold = self.cold as usize + number * self.cold_stride as usize;
            bytes[cold..cold + 8].copy_from_slice(&record.txn().get().to_le_bytes());
            bytes[cold + 8..cold + 16].copy_from_slice(&record.run().get().to_le_bytes());
            newest = newest.max(record.version());
        }
        bytes[NEWEST..NEWEST + 8].copy_from_slice(&newest.get().to_le_bytes());
        Self { bytes: bytes.into(), newest, ..self.clone() }
    }

    pub(super) fn entry_start(&self, number: usize) -> usize {
        if self.is_even() {
            HEADER + number * self.stride as usize
        } else {
            u32_at(&self.bytes, HEADER + number * 4) as usize
        }
    }

    #[inline]
    fn cold_field(&self, number: usize, field: usize) -> u64 {
        u64_at(&self.bytes, self.cold as usize + number * self.cold_stride as usize + field)
    }
}

impl<'a> PageEntry<'a> {
    /// Returns its place in the page.
    #[inline]
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    #[inline]
    pub(crate) fn version(&self) -> Version {
        Version::new(u64_at(self.bytes, 0))
    }

    #[inline]
    pub(crate) fn key(&self) -> &'a [u8] {
        &self.bytes[ENTRY_HEADER..ENTRY_HEADER + self.key_bytes()]
    }

    /// Key and encoded value; `None` is a tombstone.
    #[inline]
    pub(crate) fn key_and_value(&self) -> (&'a [u8], Option<&'a [u8]>) {
        let (header, rest) = self.bytes.split_at(ENTRY_HEADER);
        let word = u32_at(header, 8);
        let (key, stored) = rest.split_at((word & 0x00ff_ffff) as usize);
        let value = match (word >> 24) as u8 & KIND_MASK {
            INLINE => Some(stored),
            LARGE => self.large().and_then(Record::value),
            _ => None,
        };
        (key, value)
    }

    /// Returns the encoded value; `None` is a tombstone.
    #[inline]
    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        self.key_and_value().1
    }

    #[inline]
    pub(crate) fn expires(&self) -> Expires {
        if self.bytes[ENTRY_HEADER - 1] & HAS_EXPIRY == 0 {
            return None.into();
        }
        Expires::from_bits(self.page.cold_field(self.number, 16))
    }

    pub(crate) fn txn(&self) -> TxnId {
        TxnId::new(self.page.cold_field(self.number, 0))
    }

    pub(crate) fn run(&self) -> RunNumber {
        RunNumber::new(self.page.cold_field(self.number, 8))
    }

    /// Of a tombstone: snapshots at or above this read the key as if it had never been; zero if none do.
    #[inline]
    pub(crate) fn forgotten_from(&self) -> Version {
        if self.kind() == TOMBSTONE { Version::new(u64_at(self.stored(), 0)) } else { Version::ZERO }
    }

    #[inline]
    pub(super) fn kind(&self) -> u8 {
        self.bytes[ENTRY_HEADER - 1] & KIND_MASK
    }

    #[cold]
    pub(super) fn large(&self) -> Option<&'a Record> {
        if self.kind() != LARGE {
            return None;
        }
        self.page.large.as_ref()?.get(u32_at(self.stored(), 0) as usize)
    }

    /// Returns what is stored in the place of the value.
    #[inline]
    fn stored(&self) -> &'a [u8] {
        &self.bytes[ENTRY_HEADER + self.key_bytes()..]
    }

    #[inline]
    fn key_bytes(&self) -> usize {
        (u32_at(self.bytes, 8) & 0x00ff_ffff) as usize
    }
}

/// A version of a key, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EntryRef<'a> {
    Page(PageEntry<'a>),
    Record(&'a Record),
}

macro_rules! either {
    ($self:ident, $entry:ident => $read:expr) => {
        match $self {
            EntryRef::Page($entry) => $read,
            EntryRef::Record($entry) => $read,
        }
    };
}

impl<'a> EntryRef<'a> {
    #[inline]
    pub(crate) fn version(&self) -> Version {
        either!(self, entry => entry.version())
    }

    #[inline]
    pub(crate) fn key(&self) -> &'a [u8] {
        match self {
            EntryRef::Page(entry) => entry.key(),
            EntryRef::Record(record) => record.key(),
        }
    }

    /// Returns the encoded value; `None` is a tombstone.
    #[inline]
    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        match self {
            EntryRef::Page(entry) => entry.value(),
            EntryRef::Record(record) => record.value(),
        }
    }

    /// Key and encoded value; `None` is a tombstone.
    #[inline]
    pub(crate) fn key_and_value(&self) -> (&'a [u8], Option<&'a [u8]>) {
        match self {
            EntryRef::Page(entry) => entry.key_and_value(),
            EntryRef::Record(record) => (record.key(), record.value()),
        }
    }

    #[inline]
    pub(crate) fn expires(&self) -> Expires {
        either!(self, entry => entry.expires())
    }

    pub(crate) fn txn(&self) -> TxnId {
        either!(self, entry => entry.txn())
    }

    pub(crate) fn run(&self) -> RunNumber {
        either!(self, entry => entry.run())
    }

    #[inline]
    pub(crate) fn forgotten_from(&self) -> Version {
        match self {
            EntryRef::Page(entry) => entry.forgotten_from(),
            EntryRef::Record(_) => Version::ZERO,
        }
    }

    /// Returns a record of it that is free to keep.
    pub(crate) fn to_record(self) -> Record {
        match self {
            EntryRef::Record(record) => record.clone(),
            EntryRef::Page(entry) => entry.large().cloned().unwrap_or_else(|| {
                let by = (entry.txn(), entry.run());
                Record::new(&mut Vec::new(), entry.key(), entry.value(), entry.version(), by, entry.expires())
            }),
        }
    }

    pub(super) fn fingerprint(&self) -> u8 {
        match self {
            EntryRef::Record(record) => record.fingerprint(),
            EntryRef::Page(entry) => fingerprint(entry.key()),
        }
    }

    /// Returns whether the value lies, or has to lie, beside the page.
    pub(super) fn is_large(&self) -> bool {
        match self {
            EntryRef::Page(entry) => entry.kind() == LARGE,
            EntryRef::Record(record) => record.value().is_some_and(|value| value.len() > INLINE_MAX),
        }
    }
}

/// The fingerprints of the keys of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprints([u64; ENTRIES_MAX / 8]);

impl Fingerprints {
    /// Reads something of each line.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.0[0] ^ self.0[ENTRIES_MAX / 16]
    }

    pub(super) fn set(&mut self, number: usize, fingerprint: u8) {
        self.0[number / 8] |= u64::from(fingerprint) << (number % 8 * 8);
    }
}

/// Returns the order of keys. Most differ within sixteen bytes, and two words are compared faster than
/// strings.
#[inline]
pub(super) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    if let (Some((left, left_rest)), Some((right, right_rest))) =
        (left.split_first_chunk::<16>(), right.split_first_chunk::<16>())
    {
        let first = u128::from_be_bytes(*left).cmp(&u128::from_be_bytes(*right));
        return first.then_with(|| compare_rests(left_rest, right_rest));
    }
    if let (Some((left, left_rest)), Some((right, right_rest))) =
        (left.split_first_chunk::<8>(), right.split_first_chunk::<8>())
    {
        let first = u64::from_be_bytes(*left).cmp(&u64::from_be_bytes(*right));
        return first.then_with(|| compare_rests(left_rest, right_rest));
    }
    compare_rests(left, right)
}

/// Without the library where there is nothing to compare: it reads what an empty slice points to, under a
/// mask, which costs a hundred nanoseconds where there is no memory.
#[inline]
fn compare_rests(left: &[u8], right: &[u8]) -> Ordering {
    if left.is_empty() || right.is_empty() { left.len().cmp(&right.len()) } else { left.cmp(right) }
}

/// Returns whether two keys are the same, faster than strings are compared.
#[inline]
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    // The first and the last word are all that there is of up to two.
    match left.len() {
        8..=16 => {
            left.first_chunk::<8>() == right.first_chunk::<8>()
                && left.last_chunk::<8>() == right.last_chunk::<8>()
        }
        17..=32 => {
            left.first_chunk::<16>() == right.first_chunk::<16>()
                && left.last_chunk::<16>() == right.last_chunk::<16>()
        }
        _ => left.is_empty() || left == right,
    }
}

#[inline]
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{compare, is_same};

    proptest! {
        #[test]
        fn keys_are_compared_as_their_bytes_are(
            left in prop::collection::vec(0_u8..3, 0..40),
            right in prop::collection::vec(0_u8..3, 0..40),
            cut in 0_usize..40,
        ) {
            // Many that begin alike, or are alike.
            let other = [&left[..cut.min(left.len())], &right].concat();
            for right in [&right, &other, &left, &left[..cut.min(left.len())].to_vec()] {
                prop_assert_eq!(compare(&left, right), left.cmp(right));
                prop_assert_eq!(is_same(&left, right), left == *right);
            }
        }
    }
}
