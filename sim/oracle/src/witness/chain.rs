//! Version chains: the versions of each key that a life can see.

use stormproof_workloads::history::Life;
use stormproof_workloads::store::Version;

use super::commits::{Commit, Commits};
use super::survival::Cuts;
use crate::view::{Content, KeyId, Observed, Seen, View};

/// One version of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'h> {
    pub(super) life: Life,
    pub(super) version: Version,
    pub(super) txn: u32,
    pub(super) content: Content<'h>,
    /// For lists: the number of elements up to this version.
    pub(super) length: usize,
    /// A delete of an absent key, of which the store may have kept no trace.
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
    /// Adds the version that `commit` left.
    pub(super) fn push(&mut self, view: &View<'h>, commit: &Commit, content: Content<'h>) {
        let absent = self.entries.last().is_none_or(|entry| entry.content == Content::Absent);
        match content {
            Content::Appended { .. } => self.elements.extend(view.appended(content)),
            _ => self.elements.clear(),
        }
        self.entries.push(Entry {
            life: commit.life,
            version: commit.version,
            txn: commit.txn,
            content,
            length: self.elements.len(),
            empty: absent && content == Content::Absent,
        });
    }

    /// Returns the place of the latest version at or before `version`.
    pub(super) fn latest(&self, version: Version) -> Option<usize> {
        self.entries.partition_point(|entry| entry.version <= version).checked_sub(1)
    }

    /// Returns the first version inside `(after, before)` that is not a delete of an absent key.
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

    /// Removes the versions that the crash before `life` lost.
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
                self.by_key[write.key as usize].push(view, commit, write.content);
            }
        }
    }
}

/// Returns whether a read fits the version at `at` of the chain or, without one, an absent key.
pub(super) fn matches(chain: &Chain<'_>, at: Option<usize>, read: &Observed<'_>) -> bool {
    let right_version = |version: Version| read.version.is_none_or(|seen| seen == version);
    let Some(at) = at else {
        let nothing = matches!(read.seen, Seen::Absent | Seen::List([]));
        return nothing && right_version(0);
    };
    let entry = &chain.entries[at];
    match (entry.content, read.seen) {
        (Content::Absent, Seen::Absent) => right_version(0) || in_run_of_deletes(chain, at, read.version),
        (Content::Value(value), Seen::Value(seen)) => value == seen && right_version(entry.version),
        (Content::Expiring(value), Seen::Value(seen)) => value == seen && right_version(entry.version),
        (Content::Expiring(_), Seen::Absent) => {
            // Absence is reported at the value's own version until it is swept, then at the version of the
            // sweep.
            read.version.is_none_or(|seen| seen == 0 || seen >= entry.version)
        }
        (Content::Absent, Seen::List([])) => right_version(0) || in_run_of_deletes(chain, at, read.version),
        (Content::Appended { .. }, Seen::List(seen)) => {
            right_version(entry.version)
                && seen.len() == entry.length
                && seen.iter().zip(&chain.elements).all(|(seen, element)| seen == element)
        }
        _ => false,
    }
}

/// Whether the version at `at` of the chain, or none, may meet a condition on the version `expected`.
pub(super) fn meets(chain: &Chain<'_>, at: Option<usize>, expected: Version) -> bool {
    let Some(entry) = at.map(|at| &chain.entries[at]) else { return expected == 0 };
    match entry.content {
        // Tombstones are garbage-collected eventually, and deletes of absent keys may leave none.
        Content::Absent => expected <= entry.version,
        // Once it has expired the store sweeps it, by a commit that no history has, and collects the
        // tombstone of that.
        Content::Expiring(_) => expected == 0 || expected >= entry.version,
        Content::Value(_) | Content::Appended { .. } => expected == entry.version,
    }
}

/// Returns whether `version` may be reported for a key that has been absent since: the version of a delete,
/// of a value that had expired before it was deleted, or of its sweep. Deletes of absent keys may leave no
/// trace.
fn in_run_of_deletes(chain: &Chain<'_>, at: usize, version: Option<Version>) -> bool {
    let Some(version) = version else { return true };
    for entry in chain.entries[..=at].iter().rev() {
        match entry.content {
            Content::Absent if entry.version == version => return true,
            Content::Absent if entry.version < version => return false,
            Content::Absent => {}
            Content::Expiring(_) => return entry.version <= version,
            Content::Value(_) | Content::Appended { .. } => return false,
        }
    }
    false
}
