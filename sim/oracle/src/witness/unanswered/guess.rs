//! A first guess: the versions of unanswered commits that reads reveal.
//!
//! A version that was read and that no acked commit has belongs to the unanswered commit whose write was seen
//! there; of several, to the most plausible one. List elements reveal the commits whose versions were not
//! read.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Life, Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::{Choice, Unanswered, commit_at, fits};
use crate::view::{Content, Map, Observed, Seen, View};
use crate::witness::commits::Commit;

/// Returns the versions of the unanswered commits, as far as reads reveal them.
pub(super) fn guess(view: &View<'_>, acked: &[Commit], unanswered: &[Unanswered]) -> Choice {
    let mut guess = Guess::new(view, acked, unanswered);
    if !unanswered.is_empty() {
        guess.by_version();
        guess.by_element();
    }
    guess.choice
}

/// Unanswered commits by the keys that they wrote, as places among all of them.
type Writers<'h> = Map<u32, Vec<(usize, Content<'h>)>>;

struct Guess<'v, 'h> {
    view: &'v View<'h>,
    unanswered: &'v [Unanswered],
    /// The known commits by version.
    known: BTreeMap<Version, Commit>,
    writers: Writers<'h>,
    choice: Choice,
}

impl<'v, 'h> Guess<'v, 'h> {
    fn new(view: &'v View<'h>, acked: &[Commit], unanswered: &'v [Unanswered]) -> Self {
        let mut writers: Writers<'h> = Map::default();
        for (at, one) in unanswered.iter().enumerate() {
            for write in view.writes(one.txn) {
                writers.entry(write.key).or_default().push((at, write.content));
            }
        }
        let known = acked.iter().map(|commit| (commit.version, *commit)).collect();
        Self { view, unanswered, known, writers, choice: vec![None; unanswered.len()] }
    }

    fn place(&mut self, at: usize, version: Version) {
        if let Some(commit) = commit_at(self.view, self.unanswered[at].txn, version) {
            self.known.insert(version, commit);
            self.choice[at] = Some(version);
        }
    }

    /// Places the commits whose versions were read.
    fn by_version(&mut self) {
        let view = self.view;
        let mut unclaimed: BTreeMap<Version, Vec<(Life, &Observed<'h>)>> = BTreeMap::new();
        for reader in &view.history.txns {
            for read in view.reads(reader.index) {
                let version =
                    read.version.filter(|version| *version > 0 && !self.known.contains_key(version));
                if let Some(version) = version {
                    unclaimed.entry(version).or_default().push((reader.life, read));
                }
            }
        }
        for (version, reads) in unclaimed {
            let candidates = reads.iter().flat_map(|(life, read)| {
                let of_key = self.writers.get(&read.key).into_iter().flatten();
                of_key
                    .filter(|(at, content)| self.unanswered[*at].life <= *life && fits(view, *content, read))
            });
            let mut candidates: Vec<usize> = candidates
                .map(|(at, _)| *at)
                .filter(|&at| self.choice[at].is_none() && self.unanswered[at].domain.contains(&version))
                .collect();
            candidates.sort_unstable();
            candidates.dedup();
            // A sweep of an expired value leaves such a version too, and belongs to no transaction.
            let only_absences = reads.iter().all(|(_, read)| matches!(read.seen, Seen::Absent));
            if let ([only], false) = (candidates.as_slice(), only_absences) {
                self.place(*only, version);
                continue;
            }
            let likeliest =
                candidates.into_iter().map(|at| (self.plausibility(at, version, &reads), at)).max();
            let Some((likelihood, at)) = likeliest else { continue };
            if !only_absences || likelihood.0 {
                self.place(at, version);
            }
        }
    }

    /// Places commits by list elements: an unanswered append may have been read only with later elements
    /// after it. Its version is then the first free one after the version of the element before.
    fn by_element(&mut self) {
        let view = self.view;
        let mut owners: Map<(u32, &[u8]), TxnIndex> = Map::default();
        for txn in &view.history.txns {
            for write in view.writes(txn.index).iter().filter(|write| self.writers.contains_key(&write.key)) {
                for element in view.appended(write.content) {
                    owners.insert((write.key, element), txn.index);
                }
            }
        }
        let mut versions: Map<TxnIndex, Version> =
            self.known.values().map(|commit| (commit.txn, commit.version)).collect();
        for reader in &view.history.txns {
            for read in view.reads(reader.index) {
                let Seen::List(elements) = read.seen else { continue };
                if !self.writers.contains_key(&read.key) {
                    continue;
                }
                let mut before = 0;
                for element in elements {
                    let Some(&owner) = owners.get(&(read.key, element.as_slice())) else { continue };
                    if let Some(&version) = versions.get(&owner) {
                        before = version;
                        continue;
                    }
                    let Some(at) = self.unanswered.iter().position(|one| one.txn == owner) else { continue };
                    let free = |version: &&Version| **version > before && !self.known.contains_key(version);
                    let Some(&version) = self.unanswered[at].domain.iter().filter(free).min() else {
                        continue;
                    };
                    self.place(at, version);
                    versions.insert(owner, version);
                    before = version;
                }
            }
        }
    }

    /// Returns the plausibility of this version for an unanswered commit. Only the best of several is used,
    /// so a store that breaks one of these rules is still found.
    fn plausibility(&self, at: usize, version: Version, reads: &[(Life, &Observed<'_>)]) -> Plausibility {
        let (view, known, txn) = (self.view, &self.known, self.unanswered[at].txn);
        let unanswered = view.txn(txn);
        let Outcome::Unknown { invoked } = unanswered.outcome else { return Plausibility::default() };
        let started = unanswered.start_version.unwrap_or(0);
        let in_order = started < version
            && known.range(version..).all(|(_, later)| {
                later.life > unanswered.life
                    || later.life == unanswered.life && later.acked.is_none_or(|acked| acked > invoked)
            })
            && known.range(..version).all(|(_, earlier)| earlier.life <= unanswered.life);
        let writes = view.writes(txn);
        let first_committer = started >= version
            || !known.range(started + 1..version).any(|(_, between)| {
                view.writes(between.txn).iter().any(|theirs| writes.iter().any(|own| own.key == theirs.key))
            });
        // Everything read at that version must be its write.
        let whole = reads
            .iter()
            .all(|(_, read)| writes.iter().any(|own| own.key == read.key && fits(view, own.content, read)));
        // A reader of a later state saw all of its writes, or later ones.
        let complete =
            view.history.txns.iter().filter(|reader| reader.start_version >= Some(version)).all(|reader| {
                let mut own = view
                    .reads(reader.index)
                    .iter()
                    .filter(|read| writes.iter().any(|own| own.key == read.key));
                own.all(|read| read.version.is_none_or(|seen| seen >= version || seen == 0))
            });
        (in_order, whole, complete, first_committer, started)
    }
}

/// Order, reads of that version, reads of later ones, first committer wins; and the later snapshot.
type Plausibility = (bool, bool, bool, bool, Version);
