//! The possible versions of an unanswered commit.

use std::collections::{BTreeMap, BTreeSet};

use stormproof_workloads::history::{Life, Outcome, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::{Unanswered, fits};
use crate::expectations::Expectations;
use crate::view::{Content, KeyId, Map, Observed, View};
use crate::witness::commits::Commit;

/// Maximum size of a domain.
const VERSIONS_MAX: usize = 64;

/// Returns all unanswered commits with their domains.
pub(super) fn domains(view: &View<'_>, expectations: &Expectations, acked: &[Commit]) -> Vec<Unanswered> {
    let open: Vec<TxnIndex> = view
        .history
        .txns
        .iter()
        .filter(|txn| matches!(txn.outcome, Outcome::Unknown { .. }) && !view.writes(txn.index).is_empty())
        .map(|txn| txn.index)
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    let surroundings = Surroundings::new(view, expectations, acked, &open);
    open.into_iter().map(|txn| surroundings.domain(txn)).collect()
}

/// The keys and lives of unanswered commits, and their neighbours.
struct Surroundings<'v, 'h> {
    view: &'v View<'h>,
    expectations: &'v Expectations,
    acked: &'v [Commit],
    /// The versions of acked commits.
    owned: BTreeMap<Version, Commit>,
    /// By life: versions at which a transaction began or committed; between two of them all versions are
    /// equivalent.
    marks: BTreeMap<Life, BTreeSet<Version>>,
    /// By life: the number of unanswered commits.
    open: BTreeMap<Life, usize>,
    /// By key: its answered commits, in version order.
    writers: Map<KeyId, Vec<(Commit, Content<'h>)>>,
    /// By key: its reads, with the lives of their readers.
    reads: Map<KeyId, Vec<(Life, &'v Observed<'h>)>>,
    /// By life: its first snapshot version, which is above everything that it inherited.
    opened_at: BTreeMap<Life, Version>,
}

impl<'v, 'h> Surroundings<'v, 'h> {
    fn new(
        view: &'v View<'h>,
        expectations: &'v Expectations,
        acked: &'v [Commit],
        open: &[TxnIndex],
    ) -> Self {
        let mut this = Self {
            view,
            expectations,
            acked,
            owned: acked.iter().map(|commit| (commit.version, *commit)).collect(),
            marks: BTreeMap::new(),
            open: BTreeMap::new(),
            writers: Map::default(),
            reads: Map::default(),
            opened_at: BTreeMap::new(),
        };
        for &txn in open {
            *this.open.entry(view.txn(txn).life).or_default() += 1;
            for write in view.writes(txn) {
                this.writers.entry(write.key).or_default();
                this.reads.entry(write.key).or_default();
            }
        }
        for (version, commit) in &this.owned {
            if this.open.contains_key(&commit.life) {
                this.marks.entry(commit.life).or_default().insert(*version);
            }
            for write in view.writes(commit.txn) {
                if let Some(writers) = this.writers.get_mut(&write.key) {
                    writers.push((*commit, write.content));
                }
            }
        }
        for txn in &view.history.txns {
            if let Some(start) = txn.start_version {
                let first = this.opened_at.entry(txn.life).or_insert(start);
                *first = start.min(*first);
            }
            if let Some(start) = txn.start_version.filter(|_| this.open.contains_key(&txn.life)) {
                this.marks.entry(txn.life).or_default().insert(start);
            }
            for read in view.reads(txn.index) {
                if let Some(reads) = this.reads.get_mut(&read.key) {
                    reads.push((txn.life, read));
                }
            }
        }
        this
    }

    fn domain(&self, txn: TxnIndex) -> Unanswered {
        let life = self.view.txn(txn).life;
        let (after, before) = self.bounds(txn);
        let free =
            |version: &Version| after < *version && *version < before && !self.owned.contains_key(version);
        let mut domain: Vec<Version> = self.versions_read(txn).into_iter().filter(free).collect();
        let mut cut_short = false;
        if self.may_be_seen_without_version(txn) {
            let mut gaps = self.versions_between(life, after, before);
            gaps.retain(|version| !domain.contains(version));
            cut_short = domain.len() + gaps.len() > VERSIONS_MAX;
            domain.extend(gaps);
        }
        domain.truncate(VERSIONS_MAX);
        Unanswered { txn, life, domain, cut_short }
    }

    /// Returns the exclusive bounds of the version: above every commit acked before it was called, and below
    /// the first conflicting one.
    fn bounds(&self, txn: TxnIndex) -> (Version, Version) {
        let own = self.view.txn(txn);
        let Outcome::Unknown { invoked } = own.outcome else { return (0, 0) };
        let start = own.start_version.unwrap_or(0);
        let acked_before =
            |commit: &&Commit| commit.life == own.life && commit.acked.is_some_and(|acked| acked < invoked);
        let floor = self.acked.iter().filter(acked_before).map(|commit| commit.version).max();
        let mut before = Version::MAX;
        // A single call tells no snapshot: it may have been run again after any conflict.
        let has_snapshot = own.start_version.is_some();
        if has_snapshot && own.isolation.min(self.expectations.isolation) >= Isolation::Snapshot {
            for write in self.view.writes(txn) {
                // Appends do not conflict, and a delete of an absent key is no write to lose against.
                if matches!(write.content, Content::Appended { .. }) {
                    continue;
                }
                let winner = self.writers[&write.key].iter().find(|(commit, content)| {
                    commit.life == own.life && commit.version > start && *content != Content::Absent
                });
                before = winner.map_or(before, |(commit, _)| before.min(commit.version));
            }
        }
        (start.max(floor.unwrap_or(0)), before)
    }

    /// Returns the versions at which reads saw its writes. Inherited versions are older than all snapshots of
    /// a later life.
    fn versions_read(&self, txn: TxnIndex) -> BTreeSet<Version> {
        let life = self.view.txn(txn).life;
        let inherited = |reader: &Life, version: Option<Version>| {
            *reader > life && version <= self.opened_at.get(reader).copied()
        };
        let mut versions = BTreeSet::new();
        for write in self.view.writes(txn) {
            let reads = self.reads[&write.key].iter();
            let reads = reads.filter(|(reader, read)| *reader == life || inherited(reader, read.version));
            let seen = reads.filter(|(_, read)| fits(self.view, write.content, read));
            versions.extend(seen.filter_map(|(_, read)| read.version));
        }
        versions
    }

    /// Returns whether it may be revealed by something other than its version: an absent key, an element with
    /// later ones after it, a value that was read without a version.
    fn may_be_seen_without_version(&self, txn: TxnIndex) -> bool {
        self.view.writes(txn).iter().any(|write| match write.content {
            Content::Absent | Content::Expiring(_) | Content::Appended { .. } => true,
            Content::Value(_) => self.reads[&write.key]
                .iter()
                .any(|(_, read)| read.version.is_none() && fits(self.view, write.content, read)),
        })
    }

    /// Returns versions of a life that no acked commit has. Between two marks all are equivalent, so as many
    /// suffice as there are unanswered commits.
    fn versions_between(&self, life: Life, after: Version, before: Version) -> Vec<Version> {
        let count = self.open.get(&life).copied().unwrap_or(1);
        let none = BTreeSet::new();
        let marks = self.marks.get(&life).unwrap_or(&none).range(after.saturating_add(1)..);
        let mut versions = Vec::new();
        let mut from = after;
        for &mark in marks.chain([&Version::MAX]) {
            let until = mark.min(before.saturating_sub(1));
            let free = (from.saturating_add(1)..=until).filter(|version| !self.owned.contains_key(version));
            versions.extend(free.take(count));
            from = mark;
            if mark >= before || versions.len() > VERSIONS_MAX {
                break;
            }
        }
        versions
    }
}
