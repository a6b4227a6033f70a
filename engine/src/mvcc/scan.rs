//! Walks ranges of keys, leaf by leaf: each is found anew by the bound of the one before, so nothing is
//! held between two, and what splits or merges meanwhile is neither missed nor seen twice.

use std::ops::ControlFlow;

use rt::lockfree::pin;

use super::directory::Sought;
use super::index::Index;
use super::leaf::Leaf;
use super::page::{EntryRef, compare};
use crate::types::Version;

impl Index {
    /// Calls `visit` with what a snapshot sees of the keys from `start` up to, but not including, `end`, in
    /// key order: tombstones too, unless they are forgotten. Until it breaks.
    pub(crate) fn scan(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        at: Version,
        mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) {
        self.walk_leaves(start, end, |leaf, from| {
            let keys = leaf.keys();
            let (mut position, stop) = (keys.position(Some(from)), keys.position(end));
            if keys.is_page_only() && leaf.page.newest() <= at && leaf.page.tombstones() == 0 {
                for number in position.entry..stop.entry {
                    visit(EntryRef::Page(leaf.page.entry(number)))?;
                }
                return ControlFlow::Continue(());
            }
            while let Some(key) = keys.next(&mut position, stop) {
                if rt::mutant!(ScanForgetsNewKeys) && !key.is_in_page() {
                    continue;
                }
                if let Some(entry) = key.visible(at) {
                    visit(entry)?;
                }
            }
            ControlFlow::Continue(())
        });
    }

    /// Like [`scan`](Self::scan), from the last key to the first.
    pub(crate) fn scan_reverse(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        at: Version,
        mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) {
        let mut bound = end.map(<[u8]>::to_vec);
        loop {
            if bound.as_deref().is_some_and(|bound| compare(bound, start).is_le()) {
                return;
            }
            let pin = pin();
            let found = self.directory.find(Sought::Below(bound.as_deref()), &pin);
            let keys = found.leaf.keys();
            let mut position = keys.position(bound.as_deref());
            let stop = keys.position(Some(start));
            let is_empty = position == stop;
            while let Some(key) = keys.previous(&mut position, stop) {
                if let Some(entry) = key.visible(at)
                    && visit(entry).is_break()
                {
                    return;
                }
            }
            if is_empty && rt::mutant!(ReverseScanEndsAtEmptyLeaf) {
                return;
            }
            let lower = &found.leaf.fence.lower;
            if compare(lower, start).is_le() {
                return;
            }
            let next = bound.get_or_insert_default();
            next.clear();
            next.extend_from_slice(lower);
        }
    }

    /// Calls `visit` with the keys of a range that have a version above `since`, published or not, and the
    /// newest. For the writer. A leaf without such versions costs one comparison.
    pub(crate) fn newer_in(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        since: Version,
        mut visit: impl FnMut(&[u8], Version),
    ) {
        self.walk_leaves(start, end, |leaf, from| {
            if leaf.newest() <= since {
                return ControlFlow::Continue(());
            }
            let keys = leaf.keys();
            let (mut position, stop) = (keys.position(Some(from)), keys.position(end));
            while let Some(key) = keys.next(&mut position, stop) {
                if let Some(newest) = key.newest()
                    && newest.version() > since
                {
                    visit(newest.key(), newest.version());
                }
            }
            ControlFlow::Continue(())
        });
    }

    /// Calls `visit` with the leaves of a range in order, and where to begin in each.
    pub(super) fn walk_leaves(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        mut visit: impl FnMut(&Leaf, &[u8]) -> ControlFlow<()>,
    ) {
        if end.is_some_and(|end| compare(end, start).is_le()) {
            return;
        }
        let mut from = start.to_vec();
        loop {
            let pin = pin();
            let found = self.directory.find(Sought::Key(&from), &pin);
            if visit(&found.leaf, &from).is_break() {
                return;
            }
            let Some(upper) = &found.leaf.fence.upper else { return };
            if end.is_some_and(|end| compare(end, upper).is_le()) {
                return;
            }
            from.clear();
            from.extend_from_slice(upper);
        }
    }
}
