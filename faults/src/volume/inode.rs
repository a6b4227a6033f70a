//! One file: what reads see, what the medium has, and what lies between.
//!
//! INV-INODE-1: `dirty` lists every change since the last sync that took them all, oldest first.
//! INV-INODE-2: without dropped pages and lying devices, `durable` plus `dirty` in order equals `cached`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::pages::{Data, PAGE, Pages, SECTOR};

/// The identity of a file, independent of its name; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InodeId(pub(crate) u64);

#[derive(Clone, Debug)]
pub(crate) struct Inode {
    /// The name that it got last, for messages.
    pub(crate) name: Arc<str>,
    pub(crate) cached: Pages,
    pub(crate) durable: Pages,
    pub(crate) dirty: Vec<Change>,
    /// Damaged sectors: an overlay, the content below is pristine.
    pub(crate) decay: BTreeMap<u64, Decay>,
    /// Open handles.
    pub(crate) handles: u32,
}

/// A change that is not durable.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The number of the operation that made it.
    pub(crate) operation: u64,
    pub(crate) what: ChangeKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ChangeKind {
    Write {
        offset: u64,
        data: Data,
        /// Whether the file grew by it.
        grew: bool,
        fate: Fate,
    },
    SetLen {
        from: u64,
        to: u64,
    },
}

/// What the device makes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Sound,
    Lost,
    Misdirected(u64),
}

/// What is wrong with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decay {
    /// These bits of this byte read inverted.
    Flipped { byte: u16, mask: u8 },
    /// Can't be read.
    Unreadable,
}

/// How much of a sync takes effect.
pub(crate) enum Persist<'a> {
    All,
    /// The pages for which the answer is yes; the rest is forgotten, not kept dirty.
    Some {
        page: &'a mut dyn FnMut(u64) -> bool,
        /// Whether the cache goes back to what the medium has.
        revert: bool,
    },
}

impl Inode {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            cached: Pages::default(),
            durable: Pages::default(),
            dirty: Vec::new(),
            decay: BTreeMap::new(),
            handles: 0,
        }
    }

    /// Creates a file whose content is on the medium.
    pub(crate) fn durable(name: Arc<str>, content: Pages) -> Self {
        Self { cached: content.clone(), durable: content, ..Self::new(name) }
    }

    pub(crate) fn write(&mut self, operation: u64, offset: u64, bytes: &[u8], fate: Fate) {
        if bytes.is_empty() {
            return;
        }
        let data = Data::new(bytes);
        let end = offset + data.len();
        let grew = end > self.cached.len();
        self.cached.write(offset, &data);
        if !self.decay.is_empty() {
            // The drive remaps a bad sector when it is written.
            let sectors = offset / SECTOR..end.div_ceil(SECTOR);
            self.decay.retain(|sector, _| !sectors.contains(sector));
        }
        self.dirty.push(Change { operation, what: ChangeKind::Write { offset, data, grew, fate } });
    }

    pub(crate) fn set_len(&mut self, operation: u64, to: u64) {
        let from = self.cached.len();
        if from == to {
            return;
        }
        self.cached.set_len(to);
        self.decay.retain(|sector, _| sector * SECTOR < to);
        self.dirty.push(Change { operation, what: ChangeKind::SetLen { from, to } });
    }

    /// Reads with the damage applied; returns the number of bytes read, or the first unreadable sector.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, u64> {
        let read = self.cached.read(offset, buffer);
        if self.decay.is_empty() {
            return Ok(read);
        }
        let range = offset..offset + read as u64;
        for (sector, decay) in self.decay.range(range.start / SECTOR..range.end.div_ceil(SECTOR)) {
            match *decay {
                Decay::Unreadable => return Err(*sector),
                Decay::Flipped { byte, mask } => {
                    let at = sector * SECTOR + u64::from(byte);
                    if range.contains(&at) {
                        buffer[super::pages::to_usize(at - offset)] ^= mask;
                    }
                }
            }
        }
        Ok(read)
    }

    /// Returns the sectors of a range that hold synced content and nothing newer, so that they can decay.
    pub(crate) fn settled_sectors(&self, range: Range<u64>) -> Vec<u64> {
        let end = range.end.min(self.durable.len());
        if range.start >= end {
            return Vec::new();
        }
        let dirty: Vec<Range<u64>> = self.dirty.iter().filter_map(Change::range).collect();
        (range.start / SECTOR..end.div_ceil(SECTOR))
            .filter(|sector| {
                let bytes = sector * SECTOR..(sector + 1) * SECTOR;
                !dirty.iter().any(|range| range.start < bytes.end && bytes.start < range.end)
            })
            .collect()
    }

    /// Writes the dirty pages to the medium, and marks everything clean.
    pub(crate) fn sync(&mut self, mut persist: Persist<'_>) {
        if self.dirty.is_empty() {
            return;
        }
        let changes = std::mem::take(&mut self.dirty);
        let mut dirty = BTreeSet::new();
        let mut shortest = self.durable.len();
        let mut withheld = Vec::new();
        for change in &changes {
            match &change.what {
                ChangeKind::Write { offset, data, fate, .. } => {
                    let end = offset + data.len();
                    dirty.extend(offset / PAGE..end.div_ceil(PAGE));
                    if *fate != Fate::Sound {
                        withheld.push((*offset, self.durable_at(*offset, data.len()), data.clone(), *fate));
                    }
                }
                ChangeKind::SetLen { to, .. } => shortest = shortest.min(*to),
            }
        }
        let whole = matches!(persist, Persist::All);
        // The length is metadata, which a journal writes to the medium even when data blocks fail. The
        // shortest length comes first, so that what a truncation cut off reads as zeros afterwards.
        self.durable.set_len(shortest);
        self.durable.set_len(self.cached.len());
        for page in dirty {
            let survives = match &mut persist {
                Persist::All => true,
                Persist::Some { page: survives, .. } => survives(page),
            };
            if survives {
                self.durable.copy_page(&self.cached, page);
            }
        }
        self.durable.set_len(self.cached.len());
        for (offset, before, data, fate) in withheld {
            self.durable.put(offset, &before);
            if let (Fate::Misdirected(to), Data::Bytes(bytes)) = (fate, &data) {
                let room = self.durable.len().saturating_sub(to).min(data.len());
                self.durable.put(to, &bytes[..super::pages::to_usize(room)]);
            }
        }
        // What was put at the very end may reach beyond the length, and INV-PAGES-1 wants zeros there.
        self.durable.set_len(self.durable.len());
        if let Persist::Some { revert: true, .. } = persist {
            debug_assert!(!whole, "a whole sync has nothing to take back");
            self.cached = self.durable.clone();
        }
    }

    /// Returns the medium's bytes, zeros where it has none.
    fn durable_at(&self, offset: u64, len: u64) -> Vec<u8> {
        let mut bytes = self.durable.bytes(offset..offset + len);
        bytes.resize(super::pages::to_usize(len), 0);
        bytes
    }
}

impl Change {
    /// Returns the bytes that the change touched.
    pub(crate) fn range(&self) -> Option<Range<u64>> {
        match &self.what {
            ChangeKind::Write { offset, data, .. } => Some(*offset..offset + data.len()),
            ChangeKind::SetLen { from, to } => (to < from).then_some(*to..*from),
        }
    }
}
