//! Names of files: what calls see, what the medium has, and the changes between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inode::InodeId;

#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) current: Entries,
    pub(crate) durable: Entries,
    /// Not durable, oldest first.
    pub(crate) pending: Vec<EntryChange>,
}

pub(crate) type Entries = BTreeMap<Arc<str>, InodeId>;

#[derive(Clone, Debug)]
pub(crate) struct EntryChange {
    /// The number of the operation that made it.
    pub(crate) operation: u64,
    pub(crate) inode: InodeId,
    pub(crate) what: EntryWhat,
}

#[derive(Clone, Debug)]
pub(crate) enum EntryWhat {
    Create { name: Arc<str> },
    Rename { from: Arc<str>, to: Arc<str> },
    Remove { name: Arc<str> },
}

impl EntryChange {
    /// Applies the change to a directory that may lack earlier changes, or have later ones: a name is only
    /// removed while it still means the same file.
    pub(crate) fn apply(&self, entries: &mut Entries) {
        match &self.what {
            EntryWhat::Create { name } => {
                entries.insert(Arc::clone(name), self.inode);
            }
            EntryWhat::Rename { from, to } => {
                self.unlink(entries, from);
                entries.insert(Arc::clone(to), self.inode);
            }
            EntryWhat::Remove { name } => self.unlink(entries, name),
        }
    }

    /// Applies the half of a rename that adds the new name: some file systems don't do both at once.
    pub(crate) fn apply_without_unlink(&self, entries: &mut Entries) {
        if let EntryWhat::Rename { to, .. } = &self.what {
            entries.insert(Arc::clone(to), self.inode);
        } else {
            self.apply(entries);
        }
    }

    fn unlink(&self, entries: &mut Entries, name: &str) {
        if entries.get(name) == Some(&self.inode) {
            entries.remove(name);
        }
    }
}

impl Directory {
    pub(crate) fn change(&mut self, change: EntryChange) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    /// Makes everything durable.
    pub(crate) fn sync(&mut self) {
        if !self.pending.is_empty() {
            self.pending.clear();
            self.durable = self.current.clone();
        }
    }

    /// Makes durable what concerns one file, as file systems do that log the entry with the file's own sync.
    pub(crate) fn sync_file(&mut self, inode: InodeId) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let concerns = change.inode == inode;
            if concerns {
                change.apply(durable);
            }
            !concerns
        });
    }

    /// Forgets what is pending without writing it: calls go on to see it, until the power goes out.
    pub(crate) fn drop_pending(&mut self) {
        self.pending.clear();
    }

    /// Returns all files that some name means, or may mean after a power cut.
    pub(crate) fn known(&self) -> BTreeSet<InodeId> {
        let named = self.current.values().chain(self.durable.values()).copied();
        named.chain(self.pending.iter().map(|change| change.inode)).collect()
    }

    /// Returns whether any name means this file, or may after a power cut.
    pub(crate) fn knows(&self, inode: InodeId) -> bool {
        self.current.values().chain(self.durable.values()).any(|known| *known == inode)
            || self.pending.iter().any(|change| change.inode == inode)
    }
}
