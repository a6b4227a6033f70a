//! What a snapshot sees, as pages: what checkpoints are made of. Pages go out as they are where they can.

use rt::lockfree::pin;

use super::directory::Sought;
use super::index::Index;
use super::leaf::Leaf;
use super::page::{ENTRIES_MAX, Page};
use super::page_builder::{Item, PageBuilder};
use crate::types::Version;

/// Bytes of a page with its values from which on it is taken apart: pages are read and written as wholes.
fn stored_max() -> usize {
    if rt::probe::is_simulated() { 8 << 10 } else { 1 << 20 }
}

impl Index {
    /// Calls `visit` with the pages of what a registered snapshot sees of the keys of one leaf, from `from`
    /// on, without tombstones, in key order. Returns where the next leaf begins; `None` after the last.
    /// `visit` must be short: nothing that is replaced meanwhile is freed.
    pub(crate) fn snapshot_pages<E>(
        &self,
        from: &[u8],
        at: Version,
        mut visit: impl FnMut(&Page) -> Result<(), E>,
    ) -> Result<Option<Box<[u8]>>, E> {
        let pin = pin();
        let found = self.directory.find(Sought::Key(from), &pin);
        let leaf = &*found.leaf;
        let keys = leaf.keys();
        let (mut position, end) = (keys.position(Some(from)), keys.position(None));
        if position == keys.position(Some(&[])) && keys.all_newer(at) && is_seen_whole(leaf, at) {
            rt::reached!("page written as it is");
            if leaf.page.len() > 0 {
                visit(&leaf.page)?;
            }
            return Ok(leaf.fence.upper.clone());
        }
        let mut items = Vec::with_capacity(ENTRIES_MAX);
        let mut bytes = 0;
        while let Some(key) = keys.next(&mut position, end) {
            let Some(entry) = key.visible(at).filter(|entry| entry.value().is_some()) else { continue };
            let item = Item { entry, forgotten_from: Version::ZERO };
            // With what lies beside the page.
            let size = item.bytes() + entry.value().map_or(0, <[u8]>::len);
            let is_full = items.len() >= self.sizes.page || bytes + size > stored_max();
            if is_full && !items.is_empty() {
                visit(&PageBuilder::new(&items).build())?;
                items.clear();
                bytes = 0;
            }
            bytes += size;
            items.push(item);
        }
        if !items.is_empty() {
            visit(&PageBuilder::new(&items).build())?;
        }
        Ok(leaf.fence.upper.clone())
    }
}

/// Returns whether a snapshot that sees nothing of the journal sees all that is in the page, and nothing
/// else.
fn is_seen_whole(leaf: &Leaf, at: Version) -> bool {
    let page = &leaf.page;
    // Under a journal, the history may hold what came after the page: see `repack::keep_newest`.
    (leaf.history.is_none() || rt::mutant!(CheckpointLosesHistory))
        && page.newest() <= at
        && page.tombstones() == 0
        && page.stored_bytes() <= stored_max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mvcc::ActiveSnapshots;
    use crate::mvcc::index::{Hint, Sizes};
    use crate::mvcc::record::Record;
    use crate::types::{RunNumber, TxnId};

    /// Sizes of the pages of all that there is, and of what was left out.
    fn pages(values: &[usize]) -> Vec<usize> {
        let (index, mut writer) = Index::new(Sizes { page: 8, journal: 2 });
        for (version, length) in (1..).zip(values) {
            let (key, value) = (version.to_string(), vec![0; *length]);
            let by = (TxnId::new(version), RunNumber::ZERO);
            let at = Version::new(version);
            let record = Record::new(&mut Vec::new(), key.as_bytes(), Some(&value), at, by, None.into());
            writer.install(&index, Hint::NONE, record, &mut || ActiveSnapshots::from(Version::ZERO));
        }
        let mut pages = Vec::new();
        let mut from = Some(Box::default());
        while let Some(start) = from {
            let visit = |page: &Page| {
                pages.push(page.len());
                Ok::<(), std::convert::Infallible>(())
            };
            from = index.snapshot_pages(&start, Version::MAX, visit).unwrap_or_else(|never| match never {});
        }
        pages
    }

    #[test]
    fn what_a_hot_key_had_before_its_journal_is_in_a_checkpoint() {
        rt::check(|| {
            let (index, mut writer) = Index::new(Sizes { page: 8, journal: 2 });
            for version in 1..=5 {
                let (by, at) = ((TxnId::new(version), RunNumber::ZERO), Version::new(version));
                let record = Record::new(&mut Vec::new(), b"hot", Some(&[0]), at, by, None.into());
                writer.install(&index, Hint::NONE, record, &mut || ActiveSnapshots::from(Version::new(2)));
            }
            let mut found = Vec::new();
            let visit = |page: &Page| {
                found.extend((0..page.len()).map(|number| page.entry(number).version().get()));
                Ok::<(), std::convert::Infallible>(())
            };
            assert!(matches!(index.snapshot_pages(&[], Version::new(2), visit), Ok(None)));
            assert_eq!(found, [2]);
        });
    }

    #[test]
    fn a_value_larger_than_a_page_may_be_is_a_page_of_its_own_and_no_page_is_empty() {
        rt::check(|| {
            let large = stored_max() * 2;
            assert_eq!(pages(&[]), [0; 0]);
            assert_eq!(pages(&[large]), [1]);
            assert_eq!(pages(&[10, large, 10]), [1, 1, 1]);
            assert_eq!(pages(&[large; 5]), [1; 5]);
            assert_eq!(pages(&[10; 6]).iter().sum::<usize>(), 6);
        });
    }
}
