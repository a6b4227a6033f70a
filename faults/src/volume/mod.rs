//! The state of a simulated disk, without faults, hooks and locks: files, names, and what a power cut leaves.
//!
//! Cloning is cheap: files are shared until they change, and their pages are.

pub(crate) mod directory;
pub(crate) mod inode;
pub(crate) mod pages;
pub(crate) mod survival;

use std::collections::BTreeMap;
use std::sync::Arc;

use twox_hash::xxhash3_128::Hasher;

use directory::{Directory, Entries, EntryChange, EntryWhat};
use inode::{Inode, InodeId};
use pages::{Page, Pages};

/// Pages of removed content that are kept, to show up again in recycled space.
const RECYCLED_PAGES_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub(crate) struct Volume {
    pub(crate) inodes: BTreeMap<InodeId, Arc<Inode>>,
    pub(crate) directory: Directory,
    /// Content that belongs to no file any more, by the place that it had in its file.
    pub(crate) recycled: Vec<(u64, Arc<Page>)>,
    inodes_ever: u64,
}

impl Volume {
    /// Creates a volume of these files, all of them durable.
    pub(crate) fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut volume = Self::default();
        for (name, bytes) in files {
            let name: Arc<str> = name.into();
            let mut content = Pages::default();
            content.write(0, &pages::Data::new(bytes));
            let id = volume.next_id();
            volume.inodes.insert(id, Arc::new(Inode::durable(Arc::clone(&name), content)));
            volume.directory.durable.insert(name, id);
        }
        volume.directory.current = volume.directory.durable.clone();
        volume
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<InodeId> {
        self.directory.current.get(name).copied()
    }

    pub(crate) fn inode(&self, id: InodeId) -> &Inode {
        self.inodes.get(&id).expect("a file that has a handle exists")
    }

    pub(crate) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        Arc::make_mut(self.inodes.get_mut(&id).expect("a file that has a handle exists"))
    }

    pub(crate) fn create(&mut self, operation: u64, name: &Arc<str>) -> InodeId {
        let id = self.next_id();
        self.inodes.insert(id, Arc::new(Inode::new(Arc::clone(name))));
        let what = EntryWhat::Create { name: Arc::clone(name) };
        self.directory.change(EntryChange { operation, inode: id, what });
        id
    }

    /// Renames a file that exists.
    pub(crate) fn rename(&mut self, operation: u64, id: InodeId, from: &Arc<str>, to: &Arc<str>) {
        if from == to {
            return;
        }
        self.inode_mut(id).name = Arc::clone(to);
        let what = EntryWhat::Rename { from: Arc::clone(from), to: Arc::clone(to) };
        self.directory.change(EntryChange { operation, inode: id, what });
    }

    /// Removes a file that exists.
    pub(crate) fn remove(&mut self, operation: u64, id: InodeId, name: &Arc<str>) {
        let what = EntryWhat::Remove { name: Arc::clone(name) };
        self.directory.change(EntryChange { operation, inode: id, what });
    }

    /// Returns the same volume with nothing open.
    pub(crate) fn closed(&self) -> Self {
        let mut volume = self.clone();
        for inode in volume.inodes.values_mut().filter(|inode| inode.handles > 0) {
            Arc::make_mut(inode).handles = 0;
        }
        volume.collect();
        volume
    }

    /// Undoes decay.
    pub(crate) fn heal(&mut self) {
        for inode in self.inodes.values_mut().filter(|inode| !inode.decay.is_empty()) {
            Arc::make_mut(inode).decay.clear();
        }
    }

    /// Forgets files that have neither name nor handle, now or after a power cut.
    pub(crate) fn collect(&mut self) {
        let known = self.directory.known();
        let dead: Vec<InodeId> = (self.inodes.iter())
            .filter(|(id, inode)| inode.handles == 0 && !known.contains(id))
            .map(|(id, _)| *id)
            .collect();
        dead.into_iter().for_each(|id| self.forget(id));
    }

    /// Forgets a file that has just lost its last handle, if it has no name either.
    pub(crate) fn collect_one(&mut self, id: InodeId) {
        if self.inode(id).handles == 0 && !self.directory.knows(id) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: InodeId) {
        if let Some(inode) = self.inodes.remove(&id) {
            self.recycle(&inode.durable);
        }
    }

    /// Remembers content that was given up.
    pub(crate) fn recycle(&mut self, content: &Pages) {
        for (index, page) in content.iter() {
            if self.recycled.len() == RECYCLED_PAGES_MAX {
                self.recycled.remove(0);
            }
            self.recycled.push((index, Arc::clone(page)));
        }
    }

    /// Bytes taken by files that have a name or a handle.
    pub(crate) fn used(&self) -> u64 {
        let named: std::collections::BTreeSet<InodeId> = self.directory.current.values().copied().collect();
        (self.inodes.iter())
            .filter(|(id, inode)| inode.handles > 0 || named.contains(id))
            .map(|(_, inode)| inode.cached.allocated())
            .sum()
    }

    /// Returns the content of every file as calls see it, damage not applied.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.contents(&self.directory.current, |inode| &inode.cached)
    }

    /// Returns the content of every file if nothing unsynced survived.
    pub(crate) fn durable_files(&self) -> BTreeMap<String, Vec<u8>> {
        self.contents(&self.directory.durable, |inode| &inode.durable)
    }

    fn contents(&self, entries: &Entries, of: fn(&Inode) -> &Pages) -> BTreeMap<String, Vec<u8>> {
        (entries.iter())
            .map(|(name, id)| {
                let pages = of(self.inode(*id));
                (name.to_string(), pages.bytes(0..pages.len()))
            })
            .collect()
    }

    /// Returns a hash of what the medium has: names, lengths, contents. The same on every machine.
    pub(crate) fn durable_digest(&self) -> u128 {
        let mut hasher = Hasher::new();
        for (name, id) in &self.directory.durable {
            let inode = self.inode(*id);
            hasher.write(&(name.len() as u64).to_le_bytes());
            hasher.write(name.as_bytes());
            hasher.write(&inode.durable.len().to_le_bytes());
            for (index, page) in inode.durable.iter() {
                // A page of zeros and a hole are the same content.
                if !pages::is_zero(&page[..]) {
                    hasher.write(&index.to_le_bytes());
                    hasher.write(&page[..]);
                }
            }
            // No page has this index, so what follows can't be taken for pages.
            hasher.write(&u64::MAX.to_le_bytes());
            for (sector, decay) in &inode.decay {
                hasher.write(&sector.to_le_bytes());
                match decay {
                    inode::Decay::Flipped { byte, mask } => {
                        hasher.write(&byte.to_le_bytes());
                        hasher.write(&[*mask]);
                    }
                    inode::Decay::Unreadable => hasher.write(&[0xff; 3]),
                }
            }
            hasher.write(&u64::MAX.to_le_bytes());
        }
        hasher.finish_128()
    }

    fn next_id(&mut self) -> InodeId {
        self.inodes_ever += 1;
        InodeId(self.inodes_ever)
    }
}
