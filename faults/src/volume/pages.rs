//! The content of a file: sparse pages that are shared until they are written.
//!
//! INV-PAGES-1: bytes at and after `len` are zeros in the pages, too, so growing a file shows zeros.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes per page: the unit of the page cache.
pub(crate) const PAGE: u64 = 4096;
/// Bytes per sector: the unit that a drive writes whole, usually.
pub(crate) const SECTOR: u64 = 512;

const PAGE_BYTES: usize = PAGE as usize;

pub(crate) type Page = [u8; PAGE_BYTES];

/// The bytes of a write.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// This many zeros: files are often zeroed in advance, and zeros cost nothing here.
    Zeros(u64),
    /// These.
    Bytes(Arc<[u8]>),
}

impl Data {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() >= PAGE_BYTES && is_zero(bytes) {
            Self::Zeros(bytes.len() as u64)
        } else {
            Self::Bytes(bytes.into())
        }
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Zeros(len) => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<u64, Arc<Page>>,
    len: u64,
}

impl Pages {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads up to the end of the file; returns how many bytes.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let len = buffer.len().min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        for (index, within, part) in pages_of(offset, len as u64) {
            let target = &mut buffer[part];
            match self.pages.get(&index) {
                Some(page) => target.copy_from_slice(&page[within]),
                None => target.fill(0),
            }
        }
        len
    }

    /// Returns the bytes of a range; shorter if the file ends before.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let end = range.end.min(self.len).max(range.start);
        let mut bytes = vec![0; to_usize(end - range.start)];
        self.read(range.start, &mut bytes);
        bytes
    }

    /// Writes, and grows the file as needed.
    pub(crate) fn write(&mut self, offset: u64, data: &Data) {
        if data.len() == 0 {
            return;
        }
        self.len = self.len.max(offset + data.len());
        match data {
            Data::Zeros(len) => self.clear(offset..offset + len),
            Data::Bytes(bytes) => self.put(offset, bytes),
        }
    }

    /// Puts bytes into the pages and leaves the length alone, so it may break INV-PAGES-1 until
    /// [`Self::set_len`].
    pub(crate) fn put(&mut self, offset: u64, bytes: &[u8]) {
        for (index, within, part) in pages_of(offset, bytes.len() as u64) {
            let page = self.pages.entry(index).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            Arc::make_mut(page)[within].copy_from_slice(&bytes[part]);
        }
    }

    /// Puts zeros, and leaves the length alone.
    pub(crate) fn clear(&mut self, range: Range<u64>) {
        let first = range.start / PAGE;
        let touched: Vec<u64> =
            self.pages.range(first..range.end.div_ceil(PAGE).max(first)).map(|(index, _)| *index).collect();
        for index in touched {
            let start = range.start.max(index * PAGE) - index * PAGE;
            let end = range.end.min((index + 1) * PAGE) - index * PAGE;
            if end - start == PAGE {
                self.pages.remove(&index);
            } else if let Some(page) = self.pages.get_mut(&index)
                && !is_zero(&page[to_usize(start)..to_usize(end)])
            {
                Arc::make_mut(page)[to_usize(start)..to_usize(end)].fill(0);
            }
        }
    }

    /// Truncates, or extends with zeros; re-establishes INV-PAGES-1.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
        let behind = self.pages.split_off(&len.div_ceil(PAGE));
        drop(behind);
        if !len.is_multiple_of(PAGE) {
            self.clear(len..len.next_multiple_of(PAGE));
        }
    }

    /// Makes a page the same as in `from`; the length stays, so both should agree on it in the end.
    pub(crate) fn copy_page(&mut self, from: &Self, index: u64) {
        match from.pages.get(&index) {
            Some(page) => {
                self.pages.insert(index, Arc::clone(page));
            }
            None => {
                self.pages.remove(&index);
            }
        }
    }

    /// Returns the pages that hold anything, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Page>)> {
        self.pages.iter().map(|(index, page)| (*index, page))
    }

    /// Returns whether no page is kept for this range, so that it is all zeros.
    pub(crate) fn is_hole(&self, range: Range<u64>) -> bool {
        let first = range.start / PAGE;
        self.pages.range(first..range.end.div_ceil(PAGE).max(first)).next().is_none()
    }

    /// Returns whether this range is all zeros.
    pub(crate) fn is_zero(&self, range: Range<u64>) -> bool {
        pages_of(range.start, range.end - range.start)
            .all(|(index, within, _)| self.pages.get(&index).is_none_or(|page| is_zero(&page[within])))
    }

    /// Bytes that the content takes on the medium: whole pages, holes excluded only if they were never
    /// written.
    pub(crate) fn allocated(&self) -> u64 {
        self.len.next_multiple_of(PAGE)
    }
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // In words: a page is checked in some 100 ns.
    let (chunks, rest) = bytes.as_chunks::<32>();
    chunks.iter().all(|chunk| chunk == &[0; 32]) && rest.iter().all(|byte| *byte == 0)
}

/// Cuts a range of a file at the page boundaries: page, range within the page, range within the whole.
pub(crate) fn pages_of(offset: u64, len: u64) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    cut(offset, len, PAGE).map(move |piece| {
        let index = piece.start / PAGE;
        let within = to_usize(piece.start - index * PAGE);
        let length = to_usize(piece.end - piece.start);
        let part = to_usize(piece.start - offset);
        (index, within..within + length, part..part + length)
    })
}

/// Cuts a range of a file at multiples of `grain`.
pub(crate) fn cut(offset: u64, len: u64, grain: u64) -> impl Iterator<Item = Range<u64>> {
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let piece = at..end.min((at / grain + 1) * grain);
            at = piece.end;
            piece
        })
    })
}

pub(crate) fn to_usize(n: u64) -> usize {
    usize::try_from(n).expect("a length in memory fits usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &[u8]) -> Data {
        Data::Bytes(bytes.into())
    }

    #[test]
    fn content_that_was_cut_off_does_not_come_back_when_the_file_grows() {
        let mut pages = Pages::default();
        pages.write(4090, &bytes(b"across the page"));
        pages.set_len(4092);
        pages.set_len(9000);
        assert_eq!(pages.bytes(4088..4096), b"\0\0ac\0\0\0\0");
        assert!(is_zero(&pages.bytes(4092..9000)));
    }

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut pages = Pages::default();
        pages.write(0, &bytes(b"old"));
        let copy = pages.clone();
        pages.write(0, &bytes(b"new"));
        assert_eq!(copy.bytes(0..3), b"old");
        assert_eq!(pages.bytes(0..3), b"new");
    }

    #[test]
    fn zeros_erase_what_was_there() {
        let mut pages = Pages::default();
        pages.write(0, &bytes(&[7; 10_000]));
        pages.write(100, &Data::Zeros(9000));
        assert_eq!(pages.len(), 10_000);
        assert!(is_zero(&pages.bytes(100..9100)));
        assert_eq!(pages.bytes(99..100), [7]);
        assert_eq!(pages.bytes(9100..9101), [7]);
    }

    #[test]
    fn a_far_away_byte_does_not_cost_memory_for_the_hole() {
        let mut pages = Pages::default();
        pages.write(1 << 40, &bytes(b"x"));
        assert_eq!(pages.iter().count(), 1);
        assert_eq!(pages.bytes((1 << 40)..(1 << 40) + 5), b"x");
    }
}
