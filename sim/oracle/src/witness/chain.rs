//! The versions of each key that a life can see.

use stormproof_workloads::history::Life;
use stormproof_workloads::store::Version;

use super::commits::Commits;
use super::survival::Cuts;
use crate::view::{Content, KeyId, View};

/// One version of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'h> {
    pub(super) version: Version,
    pub(super) txn: u32,
    pub(super) content: Content<'h>,
    /// For lists: how many elements there are up to this version.
    pub(super) length: usize,
    /// A delete of what was absent: the store may have kept no trace of it.
    pub(super) empty: bool,
}

/// The versions of one key, rising.
#[derive(Debug, Default)]
pub(super) struct Chain<'h> {
    pub(super) entries: Vec<Entry<'h>>,
    /// For lists: all elements.
    pub(super) elements: Vec<&'h [u8]>,
}

impl<'h> Chain<'h> {
    /// Where the latest version at or before `version` is.
    pub(super) fn latest(&self, version: Version) -> Option<usize> {
        self.entries.partition_point(|entry| entry.version <= version).checked_sub(1)
    }

    /// The first version inside `(after, before)` that is more than a delete of nothing.
    pub(super) fn first_between(&self, after: Version, before: Version) -> Option<&Entry<'h>> {
        let from = self.entries.partition_point(|entry| entry.version <= after);
        self.entries[from..].iter().take_while(|entry| entry.version < before).find(|entry| !entry.empty)
    }
}

/// The chains of all keys.
#[derive(Debug)]
pub(super) struct Chains<'h> {
    pub(super) by_key: Vec<Chain<'h>>,
}

impl<'h> Chains<'h> {
    pub(super) fn new(keys: usize) -> Self {
        let mut by_key = Vec::new();
        by_key.resize_with(keys, Chain::default);
        Self { by_key }
    }

    pub(super) fn of(&self, key: KeyId) -> &Chain<'h> {
        &self.by_key[key as usize]
    }

    /// Takes back what the crash before `life` took.
    pub(super) fn crash(&mut self, view: &View<'h>, commits: &Commits, life: Life, cuts: &Cuts) {
        let Some(before) = life.checked_sub(1) else { return };
        let lost = &commits.list[commits.of_life(before)];
        for commit in lost.iter().rev().take_while(|commit| cuts.is_lost(commit.life, commit.version)) {
            for write in view.writes(commit.txn) {
                let chain = &mut self.by_key[write.key as usize];
                if chain.entries.last().is_some_and(|entry| entry.version == commit.version) {
                    chain.entries.pop();
                    chain.elements.truncate(chain.entries.last().map_or(0, |entry| entry.length));
                }
            }
        }
    }

    /// Adds the commits of `life`.
    pub(super) fn extend(&mut self, view: &View<'h>, commits: &Commits, life: Life) {
        for commit in &commits.list[commits.of_life(life)] {
            for write in view.writes(commit.txn) {
                let chain = &mut self.by_key[write.key as usize];
                let last = chain.entries.last();
                let absent = last.is_none_or(|entry| entry.content == Content::Absent);
                match write.content {
                    Content::Appended { .. } => chain.elements.extend(view.appended(write.content)),
                    _ => chain.elements.clear(),
                }
                chain.entries.push(Entry {
                    version: commit.version,
                    txn: commit.txn,
                    content: write.content,
                    length: chain.elements.len(),
                    empty: absent && write.content == Content::Absent,
                });
            }
        }
    }
}
