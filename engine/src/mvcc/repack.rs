//! Packing a leaf anew: its journal merged into its page, what became old moved to its history, what no
//! snapshot sees dropped.

use std::cmp::Ordering;

use rt::sync::Arc;

use super::active_snapshots::ActiveSnapshots;
use super::history::{History, Old, until};
use super::leaf::{Fence, KeyVersions, Keys, Leaf};
use super::page::EntryRef;
use super::page_builder::{Item, PageBuilder};
use super::record::{Place, Record};
use crate::types::Version;

/// Returns the bytes of a page above which a leaf is split, if it has two entries.
pub(super) fn page_bytes_max() -> usize {
    if rt::probe::is_simulated() { 4 << 10 } else { 32 << 10 }
}

/// How a leaf is packed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Where snapshots may be: what none sees goes.
    pub(super) active: ActiveSnapshots,
    /// A version that no snapshot has reached: from it on, tombstones that are all that is left are
    /// forgotten.
    pub(super) next: Version,
    /// No snapshot is in use, and none can read a tombstone meanwhile: such tombstones go at once.
    pub(super) unobserved: bool,
    /// Versions above this are taken out, as a group failed.
    pub(super) roll_back_above: Option<Version>,
    /// Looks at each version of the history, and not only at whole segments.
    pub(super) thorough: bool,
}

impl Plan {
    pub(super) const fn collecting(active: ActiveSnapshots, next: Version) -> Self {
        Self { active, next, unobserved: false, roll_back_above: None, thorough: false }
    }

    /// Collects nothing.
    pub(super) fn roll_back(published: Version) -> Self {
        let all = ActiveSnapshots::from(Version::ZERO);
        Self { roll_back_above: Some(published), ..Self::collecting(all, published.next()) }
    }

    /// Returns a version at or below all snapshots.
    fn oldest(&self) -> Version {
        self.active.oldest()
    }
}

/// What a leaf is going to hold.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    pub(super) items: Vec<Item<'a>>,
    pub(super) history: History,
    /// Versions that went for good.
    pub(super) dropped: usize,
    /// Keys that there were before.
    pub(super) keys_before: usize,
    /// Whether new keys came after all others only.
    pub(super) is_ascending: bool,
}

/// Gathers what a leaf is going to hold.
pub(super) fn gather<'a>(leaf: &'a Leaf, plan: &Plan) -> Gathered<'a> {
    gather_keys(leaf, &leaf.keys(), plan)
}

/// [`gather`], of these keys of the leaf.
pub(super) fn gather_keys<'a>(leaf: &'a Leaf, keys: &Keys<'a>, plan: &Plan) -> Gathered<'a> {
    let mut gathering = Gathering { leaf, plan, items: Vec::new(), old: Vec::new(), dropped: 0 };
    gathering.items.reserve(leaf.page.len() + 8);
    let (mut at, end) = (keys.position(Some(&[])), keys.position(None));
    let (mut keys_before, mut is_ascending) = (0, true);
    while let Some(key) = keys.next(&mut at, end) {
        keys_before += 1;
        is_ascending &= key.is_in_page() || at.entry == end.entry;
        gathering.add(key);
    }
    let Gathering { items, old, mut dropped, .. } = gathering;
    let before = leaf.history.as_ref().map_or(0, |history| history.len());
    let more = old.len();
    let history = history(leaf, old, plan);
    // What a roll-back takes out of the history was not collected.
    if plan.roll_back_above.is_none() {
        dropped += before + more - history.len();
    }
    Gathered { items, history, dropped, keys_before, is_ascending }
}

fn history(leaf: &Leaf, old: Vec<Old>, plan: &Plan) -> History {
    if old.is_empty() && leaf.history.is_none() {
        return History::default();
    }
    let none = History::default();
    let history = leaf.history.as_deref().unwrap_or(&none);
    match plan.roll_back_above {
        // What the versions above had made old is the newest again, and in the page.
        Some(published) if !rt::mutant!(RollBackForgetsPromotion) => {
            history.with(old, &plan.active, true, Some(&|old| old.successor <= published))
        }
        _ => history.with(old, &plan.active, plan.thorough, None),
    }
}

#[derive(Debug)]
struct Gathering<'a, 'p> {
    leaf: &'a Leaf,
    plan: &'p Plan,
    items: Vec<Item<'a>>,
    old: Vec<Old>,
    dropped: usize,
}

impl<'a> Gathering<'a, '_> {
    fn add(&mut self, key: KeyVersions<'_, 'a>) {
        let published = self.plan.roll_back_above.unwrap_or(Version::MAX);
        let mut versions = key.versions().filter(|entry| entry.version() <= published);
        let mut newest = versions.next();
        if rt::mutant!(RepackKeepsOldest) && key.records() > 1 {
            newest = versions.next();
        }
        if self.plan.roll_back_above.is_some()
            && !rt::mutant!(RollBackForgetsPromotion)
            && let Some(promoted) = self.promoted(&key, published, newest)
        {
            if let Some(left) = newest {
                self.make_old(left, promoted.entry.version());
            }
            self.items.push(promoted);
            newest = Some(promoted.entry);
        } else if let Some(newest) = newest {
            self.keep(newest);
        }
        let Some(newest) = newest else { return };
        let drops_all = rt::mutant!(DeleteDropsChain) && newest.value().is_none();
        let mut successor = newest.version();
        for older in versions.filter(|_| !drops_all) {
            if older.version() < successor {
                self.make_old(older, successor);
                successor = older.version();
            }
        }
    }

    /// Returns the version of the history that a roll-back makes the newest again: above what is `left`, if
    /// there is one.
    fn promoted(
        &self,
        key: &KeyVersions<'_, 'a>,
        published: Version,
        left: Option<EntryRef<'a>>,
    ) -> Option<Item<'a>> {
        let key = key.newest()?.key();
        let promoted = self.leaf.history.as_ref()?.newest_at(key, published)?;
        if left.is_some_and(|left| left.version() > promoted.record.version()) {
            return None;
        }
        rt::reached!("version promoted from the history by a roll-back");
        Some(Item { entry: EntryRef::Record(&promoted.record), forgotten_from: promoted.forgotten_from })
    }

    /// Adds a version that has a successor: for snapshots in between, or for none.
    fn make_old(&mut self, entry: EntryRef<'a>, successor: Version) {
        let mut successor = successor;
        if let (EntryRef::Page(_), Some(history)) = (entry, &self.leaf.history)
            && let Some(nearer) = history.successor(entry.key(), entry.version())
        {
            successor = successor.min(nearer);
        }
        let forgotten_from = entry.forgotten_from();
        let is_needed = if rt::mutant!(CollectNewestBelowOldest) {
            entry.version() > self.plan.oldest()
        } else {
            self.plan.active.may_see(entry.version(), until(successor, forgotten_from))
        };
        if is_needed {
            self.old.push(Old { record: entry.to_record(), successor, forgotten_from });
        } else {
            self.dropped += 1;
        }
    }

    /// Adds the newest version of a key, which stays unless it is a tombstone that no snapshot sees any more.
    ///
    /// A tombstone goes in two steps, so that no transaction sees it go: first it is forgotten for
    /// snapshots from `next` on, a version that none has reached yet; later, when none below is left, it is
    /// dropped.
    fn keep(&mut self, newest: EntryRef<'a>) {
        let mut forgotten_from = newest.forgotten_from();
        if newest.value().is_none() && newest.version() <= self.plan.oldest() {
            let is_forgotten = forgotten_from > Version::ZERO && forgotten_from <= self.plan.oldest();
            if is_forgotten || self.plan.unobserved || rt::mutant!(TombstoneCollectedAtOnce) {
                self.dropped += 1;
                return;
            }
            if forgotten_from == Version::ZERO {
                forgotten_from = self.plan.next;
            }
        }
        self.items.push(Item { entry: newest, forgotten_from });
    }
}

impl Gathered<'_> {
    pub(super) fn bytes(&self) -> usize {
        self.items.iter().map(Item::bytes).sum()
    }

    /// Returns where to split, if it does not fit into one page of `entries_max`.
    pub(super) fn split_at(&self, entries_max: usize) -> Option<usize> {
        let count = self.items.len();
        if count <= entries_max && (count < 2 || self.bytes() <= page_bytes_max()) {
            return None;
        }
        if count <= entries_max || !self.is_ascending {
            return Some(count / 2);
        }
        // Keys that rise never come to the left page again: it stays full.
        rt::reached!("leaf split behind its last key");
        Some(entries_max)
    }

    /// Returns whether both fit well into one page.
    pub(super) fn fits_with(&self, other: &Self, entries_max: usize) -> bool {
        self.items.len() + other.items.len() <= entries_max * 3 / 4
            && self.bytes() + other.bytes() <= page_bytes_max() * 3 / 4
    }

    /// Packs one leaf.
    pub(super) fn pack(&self, fence: &Arc<Fence>) -> Leaf {
        pack(&self.items, self.history.clone(), Arc::clone(fence))
    }

    /// Packs two leaves, split at that item.
    pub(super) fn pack_two(&self, at: usize, fence: &Fence) -> (Leaf, Leaf) {
        let (left, right) = self.items.split_at(at);
        let (Some(last), Some(first)) = (left.last(), right.first()) else {
            unreachable!("a leaf is split between two keys")
        };
        let separator = separator(last.entry.key(), first.entry.key());
        let (old_left, old_right) = self.history.split(&separator);
        let left_fence = Fence { lower: fence.lower.clone(), upper: Some(separator.clone()) };
        let right_fence = Fence { lower: separator, upper: fence.upper.clone() };
        let left = pack(left, old_left, Arc::new(left_fence));
        (left, pack(right, old_right, Arc::new(right_fence)))
    }

    /// Packs one leaf of this and the one after it.
    pub(super) fn pack_with(mut self, right: Self, fence: &Fence, right_fence: &Fence) -> Leaf {
        self.items.extend(right.items);
        let history = if rt::mutant!(MergeLosesHistory) {
            self.history.clone()
        } else {
            self.history.joined(&right.history)
        };
        let fence = Fence { lower: fence.lower.clone(), upper: right_fence.upper.clone() };
        pack(&self.items, history, Arc::new(fence))
    }
}

fn pack(items: &[Item<'_>], history: History, fence: Arc<Fence>) -> Leaf {
    let builder = PageBuilder::new(items);
    Leaf::new(builder.build(), builder.fingerprints(), Some(Arc::new(history)), fence)
}

/// Returns the shortest key above the last one on the left, and not above the first one on the right.
pub(super) fn separator(last: &[u8], first: &[u8]) -> Box<[u8]> {
    let shared = last.iter().zip(first).take_while(|(a, b)| a == b).count();
    if rt::mutant!(FenceOffByOne) {
        return last.into();
    }
    debug_assert_eq!(last.cmp(first), Ordering::Less, "keys rise");
    first[..=shared].into()
}

/// Returns a leaf whose page differs in the values of some entries only, which take as many bytes as before:
/// it is copied as a whole, and written over. `None` if there is more to do than that.
pub(super) fn patch(leaf: &Leaf, plan: &Plan) -> Option<Leaf> {
    let is_needed = leaf.newest() > plan.oldest() && !rt::mutant!(PatchForgetsSnapshots);
    if is_needed || leaf.history.is_some() {
        return None;
    }
    patch_by(leaf, leaf.journal.len())
}

/// [`patch`], by the first `len` records of the journal, of which every snapshot sees the newest.
pub(super) fn patch_by(leaf: &Leaf, len: usize) -> Option<Leaf> {
    let fits =
        |(place, record): (Place, &Record)| place.is_in_page() && leaf.page.takes(place.entry(), record);
    if rt::mutant!(RepackKeepsOldest) || !leaf.journal.placed(len).all(fits) {
        return None;
    }
    // In commit order, so that the newest of each key is written last.
    let records = leaf.journal.placed(len).map(|(place, record)| (place.entry(), record));
    let page = leaf.page.patched(records);
    Some(Leaf::new(page, leaf.fingerprints.clone(), None, Arc::clone(&leaf.fence)))
}

/// Returns a leaf with the same page, and only the newest version of each key of its journal, which has few:
/// a hot key costs no packing. Returns how many versions went, too.
pub(super) fn keep_newest(leaf: &Leaf, plan: &Plan) -> (Leaf, usize) {
    let keys = leaf.keys();
    let (mut at, end) = (keys.position(Some(&[])), keys.position(None));
    let (mut newest, mut old, mut dropped): (Vec<(&Record, Place)>, _, _) = (Vec::new(), Vec::new(), 0);
    while let Some(key) = keys.next(&mut at, end) {
        let Some(place) = key.place() else { continue };
        let mut records = key.versions().filter_map(|entry| match entry {
            EntryRef::Record(record) => Some(record),
            EntryRef::Page(_) => None,
        });
        let Some(first) = records.next() else { continue };
        let mut successor = first.version();
        newest.push((first, place));
        for record in records {
            if plan.active.may_see(record.version(), successor) {
                old.push(Old { record: record.clone(), successor, forgotten_from: Version::ZERO });
            } else {
                dropped += 1;
            }
            successor = record.version();
        }
    }
    let (before, more) = (leaf.history.as_ref().map_or(0, |history| history.len()), old.len());
    let history = history(leaf, old, plan);
    dropped += before + more - history.len();
    let fresh = Leaf::new(
        leaf.page.clone(),
        leaf.fingerprints.clone(),
        Some(Arc::new(history)),
        Arc::clone(&leaf.fence),
    );
    newest.sort_by_key(|(record, _)| record.version());
    newest.into_iter().for_each(|(record, place)| fresh.journal.push(record.clone(), place));
    (fresh, dropped)
}
