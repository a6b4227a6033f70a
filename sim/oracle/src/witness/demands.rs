//! Demands of later lives on the state that a crash left, and the cuts that meet them.
//!
//! Job: the highest cuts under which every read of an inherited key is right. Not its job: whether those cuts
//! are allowed.
//!
//! A life reads inherited values of a key until it writes the key itself. Such a read demands that the newest
//! surviving version of the key is the one that it saw, by version where one was reported, otherwise by
//! value. If the newest one is another, that version did not survive, and neither did anything after it in
//! its life: no other cut meets the demand. So cuts are only ever lowered, and the fixpoint is the highest
//! cut that all demands allow. A higher cut is never worse, because everything that had to survive survives
//! under it too.
//!
//! Invariant INV-DEM-1: a demand that no cut meets lowers a cut only by versions that it proves lost; the
//! comparison of reads reports what is wrong with it.

use stormproof_workloads::history::{Life, TxnIndex};
use stormproof_workloads::store::{Bytes, Expected, Isolation, Version};

use super::chain::{Chain, Entry, matches, meets};
use super::context::Witness;
use super::survival::{AllVersions, Evidence, Owned, Proof};
use crate::view::{Content, How, KeyId, Observed, Seen};

/// A condition on the state of a key when a life opened.
#[derive(Clone, Copy, Debug)]
struct Demand<'v, 'h> {
    life: Life,
    key: KeyId,
    reader: TxnIndex,
    test: Test<'v, 'h>,
}

/// The test that the state of a key must pass.
#[derive(Clone, Copy, Debug)]
enum Test<'v, 'h> {
    /// The state fits this read.
    Read(&'v Observed<'h>),
    /// These are its elements: a read found them, with later elements after them.
    Elements(&'h [Bytes]),
    /// Its version is this one, the condition of a conditional write.
    Version(Version),
}

impl Test<'_, '_> {
    /// Returns whether the version at `at`, or none, passes.
    fn holds(&self, chain: &Chain<'_>, at: Option<usize>) -> bool {
        match self {
            Test::Read(read) => matches(chain, at, read),
            Test::Elements(elements) => {
                let length = at.map_or(0, |at| chain.entries[at].length);
                elements.len() == length
                    && elements.iter().zip(&chain.elements).all(|(seen, element)| seen == element)
            }
            Test::Version(expected) => meets(chain, at, *expected),
        }
    }

    /// Returns whether it proves that an entry is lost, even if no cut meets the demand.
    fn misses(&self, entry: &Entry<'_>, elements: &[&[u8]]) -> bool {
        let lacks = |seen: &[Bytes]| {
            !elements.iter().all(|element| seen.iter().any(|other| other.as_slice() == *element))
        };
        match self {
            Test::Version(_) => false,
            Test::Elements(seen) => lacks(seen),
            Test::Read(read) => match (read.version, read.seen) {
                (Some(version), seen) if version > 0 => {
                    entry.version > version && (seen != Seen::Absent || entry.content != Content::Absent)
                }
                (_, Seen::List(seen)) => lacks(seen),
                _ => false,
            },
        }
    }
}

/// Returns what a life itself had written to a key up to a version: nothing, a number of elements, or
/// something else.
fn own(all: &AllVersions<'_>, life: Life, key: KeyId, at: Version) -> Option<Option<usize>> {
    let versions = &all[key as usize];
    let end = versions.partition_point(|one| (one.commit.life, one.commit.version) <= (life, at));
    let latest = versions[..end].last().filter(|one| one.commit.life == life)?;
    Some(latest.appended)
}

impl<'v, 'h> Witness<'v, 'h> {
    /// Lowers the cuts until all demands are met that any cut can meet; returns the keys that lowered one.
    pub(super) fn demands(&self, all: &AllVersions<'h>, evidence: &mut [Evidence]) -> Vec<KeyId> {
        let demands = self.all_demands(all);
        let mut decided_by: Vec<KeyId> = Vec::new();
        loop {
            let before = decided_by.len();
            for group in demands.chunk_by(|one, other| (one.life, one.key) == (other.life, other.key)) {
                let mut chain = self.inherited(all, &group[0], evidence);
                for demand in group {
                    if self.lower(&chain, demand, evidence) {
                        decided_by.push(demand.key);
                        chain = self.inherited(all, demand, evidence);
                    }
                }
            }
            if decided_by.len() == before {
                decided_by.sort_unstable();
                decided_by.dedup();
                return decided_by;
            }
        }
    }

    /// Returns all demands, grouped by life and key.
    fn all_demands(&self, all: &AllVersions<'h>) -> Vec<Demand<'v, 'h>> {
        let mut demands = Vec::new();
        for txn in self.view.history.txns.iter().filter(|txn| txn.life > 0) {
            let (life, reader) = (txn.life, txn.index);
            // A condition is checked at the commit, a read at the start.
            let committed = self.commits.of_txn(reader).map(|commit| commit.version - 1);
            for read in self.view.reads(reader) {
                let at = if read.how == How::Condition { committed } else { txn.start_version };
                let checked = read.how == How::Condition || self.isolation(reader) >= Isolation::Snapshot;
                let Some(at) = at.filter(|_| checked) else { continue };
                let test = match (own(all, life, read.key, at), read.seen) {
                    (None, _) => Test::Read(read),
                    // The elements that this life appended follow the inherited ones.
                    (Some(Some(appended)), Seen::List(elements)) => {
                        let Some(inherited) = elements.len().checked_sub(appended) else { continue };
                        Test::Elements(&elements[..inherited])
                    }
                    _ => continue,
                };
                demands.push(Demand { life, key: read.key, reader, test });
            }
        }
        for condition in &self.view.conditions {
            let life = self.view.txn(condition.txn).life;
            if let Some(commit) = self.commits.of_txn(condition.txn).filter(|_| life > 0)
                && let Expected::Version(version) = condition.expected
                && own(all, life, condition.key, commit.version - 1).is_none()
            {
                let (key, reader, test) = (condition.key, condition.txn, Test::Version(*version));
                demands.push(Demand { life, key, reader, test });
            }
        }
        demands.sort_by_key(|demand| (demand.life, demand.key));
        demands
    }

    /// Returns the versions of a key that are left when the life of `demand` opens, under the current cuts.
    fn inherited(&self, all: &AllVersions<'h>, demand: &Demand<'_, '_>, evidence: &[Evidence]) -> Chain<'h> {
        let mut chain = Chain::default();
        let before = all[demand.key as usize].iter().take_while(|one| one.commit.life < demand.life);
        for Owned { commit, content, .. } in before {
            let missed = evidence[commit.life as usize].missed;
            if missed.is_none_or(|missed| commit.version < missed.version) {
                chain.push(self.view, commit, *content);
            }
        }
        chain
    }

    /// Lowers the cut below whatever contradicts a demand; returns whether it changed.
    fn lower(&self, chain: &Chain<'h>, demand: &Demand<'_, '_>, evidence: &mut [Evidence]) -> bool {
        let met = (0..=chain.entries.len()).rev().find(|kept| demand.test.holds(chain, kept.checked_sub(1)));
        let lost: Vec<&Entry<'_>> = match met {
            Some(kept) => chain.entries[kept..].iter().collect(),
            None => {
                let missed =
                    |entry: &&Entry<'_>| demand.test.misses(entry, self.view.appended(entry.content));
                chain.entries.iter().filter(missed).collect()
            }
        };
        for entry in &lost {
            let old = &mut evidence[entry.life as usize].missed;
            if old.is_none_or(|old| entry.version < old.version) {
                *old = Some(Proof { version: entry.version, reader: demand.reader, key: demand.key });
            }
        }
        !lost.is_empty()
    }
}
