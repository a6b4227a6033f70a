//! Packs entries into a page: the layout of `page`, written.

use bytes::Bytes;
use rt::sync::Arc;

use super::page::{
    COLD, COLD_EXPIRES, ENTRIES_MAX, ENTRY_HEADER, EntryRef, Fingerprints, HAS_EXPIRY, HEADER, INLINE,
    KIND_MASK, LARGE, Page, PageEntry, TOMBSTONE,
};
use super::record::Record;
use crate::types::Version;

impl Page {
    /// Creates a page of these records, which are in key order.
    #[cfg(test)]
    pub(crate) fn of(records: &[Record]) -> Self {
        let item = |record| Item { entry: EntryRef::Record(record), forgotten_from: Version::ZERO };
        PageBuilder::new(&records.iter().map(item).collect::<Vec<_>>()).build()
    }

    /// Creates a page without entries.
    pub(crate) fn empty() -> Self {
        PageBuilder::new(&[]).build()
    }
}

/// An entry on its way to a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) entry: EntryRef<'a>,
    /// Of a tombstone: see [`PageEntry::forgotten_from`].
    pub(super) forgotten_from: Version,
}

impl Item<'_> {
    /// Returns the bytes that it takes in a page.
    pub(super) fn bytes(&self) -> usize {
        let value = if self.entry.is_large() { 4 } else { self.entry.value().map_or(8, <[u8]>::len) };
        ENTRY_HEADER + self.entry.key().len() + value
    }
}

/// Packs items, which come in key order, into a page.
#[derive(Debug)]
pub(super) struct PageBuilder<'a> {
    items: &'a [Item<'a>],
}

impl<'a> PageBuilder<'a> {
    pub(super) fn new(items: &'a [Item<'a>]) -> Self {
        assert!(items.len() <= ENTRIES_MAX, "a page has a fingerprint for each of its entries");
        Self { items }
    }

    pub(super) fn build(&self) -> Page {
        let count = self.items.len();
        let (mut entries, mut stride, mut expires) = (0, None, false);
        for item in self.items {
            let bytes = item.bytes();
            entries += bytes;
            stride = Some(stride.map_or(bytes, |stride| if stride == bytes { stride } else { 0 }));
            expires |= item.entry.expires().at().is_some();
        }
        let stride = stride.unwrap_or(0);
        let start = HEADER + if stride > 0 { 0 } else { (count + 1) * 4 };
        let cold = start + entries;
        let cold_stride = if expires { COLD_EXPIRES } else { COLD };
        let length = cold + count * cold_stride;
        let mut bytes = Vec::with_capacity(length);
        let mut page = Page {
            bytes: Bytes::new(),
            count: number(count),
            stride: number(stride),
            cold: number(cold),
            cold_stride: number(cold_stride),
            newest: Version::ZERO,
            tombstones: 0,
            large: None,
        };
        for item in self.items {
            page.newest = page.newest.max(item.entry.version());
            page.tombstones += u32::from(item.entry.value().is_none());
        }
        for field in [number(length), page.count, page.stride, page.cold, page.cold_stride, page.tombstones] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&page.newest.get().to_le_bytes());
        if stride == 0 {
            self.push_offsets(&mut bytes, start);
        }
        page.large = self.push_entries(&mut bytes);
        self.push_cold(&mut bytes, expires);
        debug_assert_eq!(bytes.len(), length, "the length was computed before");
        page.bytes = bytes.into();
        page
    }

    fn push_offsets(&self, bytes: &mut Vec<u8>, start: usize) {
        let mut offset = start;
        bytes.extend_from_slice(&number(offset).to_le_bytes());
        for item in self.items {
            offset += item.bytes();
            bytes.extend_from_slice(&number(offset).to_le_bytes());
        }
    }

    /// Returns the values that lie beside the page.
    fn push_entries(&self, bytes: &mut Vec<u8>) -> Option<Arc<[Record]>> {
        let mut large = Vec::new();
        for Item { entry, forgotten_from } in self.items {
            if let EntryRef::Page(PageEntry { bytes: stored, .. }) = entry
                && stored[ENTRY_HEADER - 1] & KIND_MASK == INLINE
            {
                bytes.extend_from_slice(stored);
                continue;
            }
            let key = entry.key();
            let expiry = if entry.expires().at().is_some() { HAS_EXPIRY } else { 0 };
            let kind = match entry.value() {
                None => TOMBSTONE,
                Some(_) if entry.is_large() => LARGE,
                Some(_) => INLINE,
            };
            bytes.extend_from_slice(&entry.version().get().to_le_bytes());
            bytes.extend_from_slice(&number(key.len()).to_le_bytes()[..3]);
            bytes.push(kind | expiry);
            bytes.extend_from_slice(key);
            match kind {
                TOMBSTONE => bytes.extend_from_slice(&forgotten_from.get().to_le_bytes()),
                LARGE => {
                    bytes.extend_from_slice(&number(large.len()).to_le_bytes());
                    large.push(entry.to_record());
                }
                _ => bytes.extend_from_slice(entry.value().unwrap_or_default()),
            }
        }
        if large.is_empty() { None } else { Some(large.into()) }
    }

    fn push_cold(&self, bytes: &mut Vec<u8>, expires: bool) {
        for Item { entry, .. } in self.items {
            bytes.extend_from_slice(&entry.txn().get().to_le_bytes());
            bytes.extend_from_slice(&entry.run().get().to_le_bytes());
            if expires {
                bytes.extend_from_slice(&entry.expires().to_bits().to_le_bytes());
            }
        }
    }

    /// Returns the fingerprints of the items.
    pub(super) fn fingerprints(&self) -> Fingerprints {
        let mut fingerprints = Fingerprints::default();
        for (number, item) in self.items.iter().enumerate() {
            fingerprints.set(number, item.entry.fingerprint());
        }
        fingerprints
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).expect("a page is smaller than 4 GiB: at most 128 keys of 16 MiB")
}
