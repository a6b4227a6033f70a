//! The commits that took effect, with their versions.

use stormproof_workloads::history::{Life, LifeEnd, Outcome, Time, TxnIndex};
use stormproof_workloads::store::Version;

use super::context::Witness;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, Map, View, show_version};

/// A transaction that wrote and took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) txn: TxnIndex,
    pub(super) life: Life,
    pub(super) version: Version,
    pub(super) invoked: Time,
    /// Time of the ack; none for an unanswered commit that is assumed to have taken effect.
    pub(super) acked: Option<Time>,
}

/// All commits by version.
#[derive(Debug)]
pub(super) struct Commits {
    /// By life, then version.
    pub(super) list: Vec<Commit>,
    by_version: Map<Version, usize>,
    /// By transaction: its place in `list`.
    by_txn: Vec<Option<u32>>,
    /// Start of each life in `list`, and the end of the last one.
    starts: Vec<usize>,
    /// By life: time and kind of its end.
    pub(super) ends: Vec<Option<(Time, LifeEnd)>>,
    /// By life: its transactions, in the order in which they began.
    txns: Vec<Vec<TxnIndex>>,
}

impl Commits {
    /// Returns the commits of `list`, given in any order.
    pub(super) fn new(view: &View<'_>, mut list: Vec<Commit>) -> Self {
        let history = view.history;
        let lives = history.txns.iter().map(|txn| txn.life as usize + 1).max().unwrap_or(1);
        let lives = lives.max(history.lives.iter().map(|life| life.life as usize + 1).max().unwrap_or(0));
        let mut ends = vec![None; lives];
        for record in &history.lives {
            ends[record.life as usize] = record.ended;
        }
        let mut txns = vec![Vec::new(); lives];
        for txn in &history.txns {
            txns[txn.life as usize].push(txn.index);
        }
        list.sort_by_key(|commit| (commit.life, commit.version));
        let mut by_version = Map::with_capacity_and_hasher(list.len(), foldhash::fast::FixedState::default());
        let mut by_txn = vec![None; history.txns.len()];
        for (at, commit) in list.iter().enumerate() {
            by_version.entry(commit.version).or_insert(at);
            by_txn[commit.txn as usize] = u32::try_from(at).ok();
        }
        let starts = (0..=lives).map(|life| list.partition_point(|c| (c.life as usize) < life)).collect();
        Self { list, by_version, by_txn, starts, ends, txns }
    }

    pub(super) fn lives(&self) -> Life {
        Life::try_from(self.ends.len()).unwrap_or(Life::MAX)
    }

    pub(super) fn of_life(&self, life: Life) -> std::ops::Range<usize> {
        self.starts[life as usize]..self.starts[life as usize + 1]
    }

    pub(super) fn txns_of(&self, life: Life) -> &[TxnIndex] {
        &self.txns[life as usize]
    }

    pub(super) fn at(&self, version: Version) -> Option<&Commit> {
        self.by_version.get(&version).map(|&at| &self.list[at])
    }

    pub(super) fn of_txn(&self, txn: TxnIndex) -> Option<&Commit> {
        self.by_txn[txn as usize].map(|at| &self.list[at as usize])
    }
}

/// Returns the answered commits.
pub(super) fn acked(view: &View<'_>, findings: &mut Findings) -> Vec<Commit> {
    let mut list = Vec::new();
    for txn in &view.history.txns {
        let Outcome::Committed { invoked, acked, version, .. } = txn.outcome else { continue };
        let writes = view.writes(txn.index);
        if writes.is_empty() {
            continue;
        }
        let Some(version) = version else {
            // A delete of an absent key may be no write at all, and then gets no version.
            if writes.iter().any(|write| write.content != Content::Absent) {
                findings.add(|| Violation {
                    invariant: Invariant::Versions,
                    class: AnomalyClass::VersionMismatch,
                    txns: vec![txn.index],
                    keys: Vec::new(),
                    message: format!("T{} wrote and committed, and its commit got no version", txn.index),
                });
            }
            continue;
        };
        list.push(Commit { txn: txn.index, life: txn.life, version, invoked, acked: Some(acked) });
    }
    list
}

impl Witness<'_, '_> {
    /// Checks contract §2: each commit has one version; versions rise and are never used twice.
    pub(super) fn version_rules(&self, findings: &mut Findings) {
        for pair in self.commits.list.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            if second.life == first.life && second.version == first.version {
                findings.add(|| violation(AnomalyClass::VersionReused, first, second, "both got"));
            }
        }
        let mut highest: Option<&Commit> = None;
        for life in 0..self.commits.lives() {
            let commits = &self.commits.list[self.commits.of_life(life)];
            if let Some((before, first)) = highest.zip(commits.first())
                && first.version <= before.version
            {
                let same = self.commits.at(first.version).is_some_and(|other| other.txn != first.txn);
                let class = if same { AnomalyClass::VersionReused } else { AnomalyClass::VersionOrder };
                findings.add(|| violation(class, before, first, "was followed, in a later life, by"));
            }
            highest = highest.into_iter().chain(commits.last()).max_by_key(|commit| commit.version);
            self.acked_order(commits, findings);
        }
        for commit in &self.commits.list {
            let started = self.view.txn(commit.txn).start_version;
            if started.is_some_and(|started| started >= commit.version) {
                findings.add(|| Violation {
                    invariant: Invariant::Versions,
                    class: AnomalyClass::VersionOrder,
                    txns: vec![commit.txn],
                    keys: Vec::new(),
                    message: format!(
                        "T{} started at version {} and committed at version {}, which is not later",
                        commit.txn,
                        show_version(started.unwrap_or(0)),
                        show_version(commit.version)
                    ),
                });
            }
        }
    }

    /// Checks that a commit acked before another was called has the lower version.
    fn acked_order(&self, commits: &[Commit], findings: &mut Findings) {
        let mut latest: Option<&Commit> = None;
        for commit in commits {
            // Versions rise here, so no earlier commit may have been called after this one was acked.
            if let Some((acked, before)) = commit.acked.zip(latest)
                && acked < before.invoked
            {
                findings.add(|| {
                    violation(AnomalyClass::VersionOrder, before, commit, "was called after the ack of")
                });
            }
            latest = latest.into_iter().chain([commit]).max_by_key(|commit| commit.invoked);
        }
    }
}

fn violation(class: AnomalyClass, first: &Commit, second: &Commit, relation: &str) -> Violation {
    let message = if class == AnomalyClass::VersionReused && first.version == second.version {
        format!(
            "T{} and T{} both committed at version {}",
            first.txn,
            second.txn,
            show_version(first.version)
        )
    } else {
        format!(
            "T{} with version {} {relation} T{} with version {}",
            first.txn,
            show_version(first.version),
            second.txn,
            show_version(second.version)
        )
    };
    let (invariant, keys) = (Invariant::Versions, Vec::new());
    Violation { invariant, class, txns: vec![second.txn, first.txn], keys, message }
}
