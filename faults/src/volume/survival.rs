//! What a power cut leaves, once it is decided what survives.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rand::Rng;

use super::Volume;
use super::inode::{Change, ChangeKind, Fate, Inode, InodeId};
use super::pages::{Data, PAGE, Page, Pages, SECTOR, cut, to_usize};
use crate::streams::stream;

/// Which unsynced changes reach the medium.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survival {
    /// Files that are missing here keep nothing unsynced.
    pub(crate) files: BTreeMap<InodeId, FileSurvival>,
    /// Changes of names, in the order in which they take effect.
    pub(crate) entries: Vec<KeptEntry>,
}

#[derive(Clone, Debug)]
pub(crate) struct FileSurvival {
    /// Pieces of changes, in the order in which they take effect.
    pub(crate) kept: Vec<Kept>,
    /// The length that is found afterwards.
    pub(crate) len: u64,
    /// What stands where the file grew and the data did not come.
    pub(crate) fill: Fill,
}

/// A piece of a change that survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Index in [`Inode::dirty`].
    pub(crate) change: usize,
    /// Bytes of the file; for truncations those that go.
    pub(crate) range: Range<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptEntry {
    /// Index in the pending changes of the directory.
    pub(crate) change: usize,
    /// Of a rename, only the new name came.
    pub(crate) half: bool,
}

/// What a file system may show where blocks were allocated but not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Zeros,
    /// Noise, drawn by this seed.
    Garbage(u64),
    /// What had been written there for another file.
    Stale,
}

impl Volume {
    /// Returns the disk after a power cut that left exactly this: everything on it is durable, nothing is
    /// open.
    pub(crate) fn after_power_cut(&self, survival: &Survival) -> Self {
        let mut entries = self.directory.durable.clone();
        for kept in &survival.entries {
            let change = &self.directory.pending[kept.change];
            if kept.half { change.apply_without_unlink(&mut entries) } else { change.apply(&mut entries) }
        }
        let mut after = Self {
            inodes: BTreeMap::new(),
            directory: super::Directory::default(),
            recycled: self.recycled.clone(),
            inodes_ever: self.inodes_ever,
        };
        for (name, id) in &entries {
            let before = &self.inodes[id];
            let content = match survival.files.get(id) {
                Some(kept) => surviving_content(before, kept, &self.recycled),
                None => before.durable.clone(),
            };
            let mut inode = Inode::durable(Arc::clone(name), content);
            inode.decay.clone_from(&before.decay);
            inode.decay.retain(|sector, _| sector * SECTOR < inode.durable.len());
            after.inodes.insert(*id, Arc::new(inode));
        }
        for (id, inode) in &self.inodes {
            if !after.inodes.contains_key(id) {
                after.recycle(&inode.durable);
            }
        }
        after.directory.durable = entries.clone();
        after.directory.current = entries;
        after
    }
}

fn surviving_content(inode: &Inode, survival: &FileSurvival, recycled: &[(u64, Arc<Page>)]) -> Pages {
    let mut content = inode.durable.clone();
    fill_unwritten(&mut content, inode, survival, recycled);
    for kept in &survival.kept {
        let change = &inode.dirty[kept.change];
        apply(&mut content, change, &kept.range);
    }
    content.set_len(survival.len);
    content
}

fn apply(content: &mut Pages, change: &Change, range: &Range<u64>) {
    match &change.what {
        ChangeKind::Write { fate: Fate::Lost, .. } => {}
        ChangeKind::Write { offset, data, fate, .. } => {
            let to = if let Fate::Misdirected(to) = fate { to + (range.start - offset) } else { range.start };
            match data {
                Data::Zeros(_) => content.clear(to..to + (range.end - range.start)),
                Data::Bytes(bytes) => {
                    content.put(to, &bytes[to_usize(range.start - offset)..to_usize(range.end - offset)]);
                }
            }
        }
        ChangeKind::SetLen { .. } => content.clear(range.clone()),
    }
}

/// Blocks that were allocated for writes after the durable end, before any of the writes reached them.
fn fill_unwritten(
    content: &mut Pages,
    inode: &Inode,
    survival: &FileSurvival,
    recycled: &[(u64, Arc<Page>)],
) {
    if survival.fill == Fill::Zeros || survival.len <= inode.durable.len() {
        return;
    }
    for range in inode.dirty.iter().filter(|change| matches!(change.what, ChangeKind::Write { .. })) {
        let Some(range) = range.range() else { continue };
        let start = range.start.max(inode.durable.len());
        let end = range.end.min(survival.len);
        if start >= end {
            continue;
        }
        match survival.fill {
            Fill::Zeros => {}
            Fill::Garbage(seed) => {
                let mut noise = vec![0; to_usize(end - start)];
                stream(seed ^ start, "garbage").fill_bytes(&mut noise);
                content.put(start, &noise);
            }
            Fill::Stale => {
                for piece in cut(start, end - start, PAGE) {
                    put_stale(content, piece, recycled);
                }
            }
        }
    }
}

/// Puts a piece of a removed file's page there, preferably of the page that had the same place in its file.
fn put_stale(content: &mut Pages, piece: Range<u64>, recycled: &[(u64, Arc<Page>)]) {
    let index = piece.start / PAGE;
    let same_place = recycled.iter().rev().find(|(recycled, _)| *recycled == index);
    let any = || recycled.get(to_usize(index) % recycled.len().max(1));
    if let Some((_, page)) = same_place.or_else(any) {
        let within = to_usize(piece.start - index * PAGE)..to_usize(piece.end - index * PAGE);
        content.put(piece.start, &page[within]);
    }
}
