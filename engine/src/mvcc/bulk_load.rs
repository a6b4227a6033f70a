//! Builds an index from records in key order: recovery, before there is any reader.

use rt::sync::Arc;

use super::directory::Directory;
use super::history::History;
use super::index::{Index, Sizes};
use super::leaf::{Fence, Leaf};
use super::page::{EntryRef, Item};
use super::record::Record;
use super::repack::{pack, page_bytes_max, separator};
use super::writer::Writer;
use crate::types::Version;

impl Index {
    /// An index of these records, each of another key, in key order; and the right to change it.
    pub(crate) fn load(sizes: Sizes, records: Vec<Record>) -> (Self, Writer) {
        let (mut index, _) = Self::new(sizes);
        let keys = records.len();
        let mut leaves: Vec<Leaf> = Vec::with_capacity(keys / index.sizes.page + 1);
        let mut lower: Box<[u8]> = Box::default();
        let mut first = 0;
        while first < keys {
            let last = last_of_page(&records[first..], index.sizes.page) + first;
            let items: Vec<Item<'_>> = records[first..last].iter().map(item).collect();
            let upper = records.get(last).map(|next| separator(&items, &[item(next)]));
            let fence = Fence { lower, upper: upper.clone() };
            leaves.push(pack(&items, History::default(), Arc::new(fence)));
            lower = upper.unwrap_or_default();
            first = last;
        }
        if leaves.is_empty() {
            leaves.push(Leaf::empty());
        }
        let (directory, numbers) = Directory::of(leaves);
        index.directory = directory;
        index.keys.fetch_add(keys as u64, rt::sync::atomic::Ordering::Relaxed);
        (index, Writer::new(numbers))
    }
}

fn item(record: &Record) -> Item<'_> {
    Item { entry: EntryRef::Record(record), forgotten_from: Version::ZERO }
}

/// How many of the records fill a page.
fn last_of_page(records: &[Record], entries_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Record| {
        bytes += item(record).bytes();
        bytes <= page_bytes_max()
    };
    records.iter().take(entries_max).take_while(fits).count().max(1)
}
