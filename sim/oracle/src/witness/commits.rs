//! Which transactions took effect, at which versions.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Life, LifeEnd, Outcome, Time, TxnIndex};
use stormproof_workloads::store::Version;

use super::Witness;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, Map, Observed, Seen, View};

/// A transaction that wrote and took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) txn: TxnIndex,
    pub(super) life: Life,
    pub(super) version: Version,
    pub(super) invoked: Time,
    /// When it was acked; never, if it was not and a read returned its version all the same.
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
    /// Where each life begins in `list`; one more at the end.
    starts: Vec<usize>,
    /// By life: when it ended in a crash or close.
    pub(super) ends: Vec<Option<(Time, LifeEnd)>>,
    /// By life: its transactions, in the order in which they began.
    txns: Vec<Vec<TxnIndex>>,
}

impl Commits {
    pub(super) fn collect(view: &View<'_>, ignored: &[TxnIndex], findings: &mut Findings) -> Self {
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
        let mut list = acked(view, findings);
        adopt(view, ignored, &mut list);
        let by_txn = vec![None; history.txns.len()];
        let mut commits =
            Self { list: Vec::new(), by_version: Map::default(), by_txn, starts: Vec::new(), ends, txns };
        commits.index(list);
        commits
    }

    fn index(&mut self, mut list: Vec<Commit>) {
        list.sort_by_key(|commit| (commit.life, commit.version));
        self.by_version.clear();
        self.by_txn.fill(None);
        for (at, commit) in list.iter().enumerate() {
            self.by_version.entry(commit.version).or_insert(at);
            self.by_txn[commit.txn as usize] = u32::try_from(at).ok();
        }
        let lives = self.ends.len();
        self.starts = (0..=lives).map(|life| list.partition_point(|c| (c.life as usize) < life)).collect();
        self.list = list;
    }

    /// Adds an unanswered commit that took effect at some version of its life behind `after` and not behind `until`.
    /// Returns whether there was such a version.
    pub(super) fn adopt_between(
        &mut self,
        view: &View<'_>,
        txn: TxnIndex,
        after: Version,
        until: Version,
    ) -> bool {
        let started = view.txn(txn).start_version.unwrap_or(0);
        let mut version = after.max(started) + 1;
        while self.by_version.contains_key(&version) {
            version += 1;
        }
        let Some(commit) = unanswered(view, txn, version).filter(|_| version <= until) else { return false };
        let mut list = std::mem::take(&mut self.list);
        list.push(commit);
        self.index(list);
        true
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

fn acked(view: &View<'_>, findings: &mut Findings) -> Vec<Commit> {
    let mut list = Vec::new();
    for txn in &view.history.txns {
        let Outcome::Committed { invoked, acked, version, .. } = txn.outcome else { continue };
        let writes = view.writes(txn.index);
        if writes.is_empty() {
            continue;
        }
        let Some(version) = version else {
            // A delete of an absent key may have been nothing to commit.
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

/// Adds the unanswered commits whose versions were read, and those whose elements were read in lists.
fn adopt<'h>(view: &View<'h>, ignored: &[TxnIndex], list: &mut Vec<Commit>) {
    let history = view.history;
    let mut writers: Map<u32, Vec<(TxnIndex, Content<'h>)>> = Map::default();
    for txn in &history.txns {
        if matches!(txn.outcome, Outcome::Unknown { .. }) && !ignored.contains(&txn.index) {
            for write in view.writes(txn.index) {
                writers.entry(write.key).or_default().push((txn.index, write.content));
            }
        }
    }
    if writers.is_empty() {
        return;
    }
    let mut known: BTreeMap<Version, Commit> = list.iter().map(|commit| (commit.version, *commit)).collect();
    let mut unclaimed: BTreeMap<Version, Vec<(Life, &Observed<'h>)>> = BTreeMap::new();
    for reader in &history.txns {
        for read in view.reads(reader.index) {
            if let Some(version) = read.version.filter(|version| *version > 0 && !known.contains_key(version))
            {
                unclaimed.entry(version).or_default().push((reader.life, read));
            }
        }
    }
    let mut adopted: Map<TxnIndex, ()> = Map::default();
    for (version, reads) in unclaimed {
        // Values repeat, so several may fit: the likeliest is the one whose story holds best.
        let candidates = reads.iter().flat_map(|(life, read)| {
            let of_key = writers.get(&read.key).into_iter().flatten();
            of_key.filter(|(txn, content)| view.txn(*txn).life <= *life && fits(view, *content, read))
        });
        let likeliest = candidates
            .map(|(txn, _)| *txn)
            .filter(|txn| !adopted.contains_key(txn))
            .map(|txn| (plausibility(view, &known, txn, version, &reads), txn))
            .max();
        let Some((likelihood, txn)) = likeliest else { continue };
        // A sweep of what has expired leaves such a version too, and is nobody's.
        let only_absences = reads.iter().all(|(_, read)| matches!(read.seen, Seen::Absent));
        if only_absences && !likelihood.0 {
            continue;
        }
        if let Some(commit) = unanswered(view, txn, version) {
            list.push(commit);
            known.insert(version, commit);
            adopted.insert(txn, ());
        }
    }
    adopted.extend(ignored.iter().map(|txn| (*txn, ())));
    adopt_elements(view, list, &mut known, &adopted, &writers);
}

/// Of an unanswered append others may have read the elements only behind those of later ones: its version is then
/// the first that nobody else has, behind the one of the element before.
fn adopt_elements<'h>(
    view: &View<'h>,
    list: &mut Vec<Commit>,
    known: &mut BTreeMap<Version, Commit>,
    adopted: &Map<TxnIndex, ()>,
    writers: &Map<u32, Vec<(TxnIndex, Content<'h>)>>,
) {
    let mut owners: Map<(u32, &[u8]), TxnIndex> = Map::default();
    for txn in &view.history.txns {
        for write in view.writes(txn.index) {
            for element in view.appended(write.content) {
                owners.insert((write.key, element), txn.index);
            }
        }
    }
    let mut versions: Map<TxnIndex, Version> =
        list.iter().map(|commit| (commit.txn, commit.version)).collect();
    for reader in &view.history.txns {
        for read in view.reads(reader.index) {
            let Seen::List(elements) = read.seen else { continue };
            if !writers.contains_key(&read.key) {
                continue;
            }
            let mut before = 0;
            for element in elements {
                let Some(&owner) = owners.get(&(read.key, element.as_slice())) else { continue };
                if let Some(&version) = versions.get(&owner) {
                    before = version;
                    continue;
                }
                if adopted.contains_key(&owner) {
                    continue;
                }
                let started = view.txn(owner).start_version.unwrap_or(0);
                let mut version = before.max(started) + 1;
                while known.contains_key(&version) {
                    version += 1;
                }
                let Some(commit) = unanswered(view, owner, version) else { continue };
                list.push(commit);
                known.insert(version, commit);
                versions.insert(owner, version);
                before = version;
            }
        }
    }
}

fn unanswered(view: &View<'_>, txn: TxnIndex, version: Version) -> Option<Commit> {
    let Outcome::Unknown { invoked } = view.txn(txn).outcome else { return None };
    Some(Commit { txn, life: view.txn(txn).life, version, invoked, acked: None })
}

/// Order, reads of that version, reads of later ones, first committer wins; and the later snapshot.
type Plausibility = (bool, bool, bool, bool, Version);

/// How well it fits that an unanswered commit got this version. Only the best of several counts, so a store that breaks
/// one of these rules is found all the same.
fn plausibility(
    view: &View<'_>,
    known: &BTreeMap<Version, Commit>,
    txn: TxnIndex,
    version: Version,
    reads: &[(Life, &Observed<'_>)],
) -> Plausibility {
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
    // All that was read at that version must be its work.
    let whole = reads
        .iter()
        .all(|(_, read)| writes.iter().any(|own| own.key == read.key && fits(view, own.content, read)));
    // Whoever saw a later state saw all of its work, or what came after it.
    let complete =
        view.history.txns.iter().filter(|reader| reader.start_version >= Some(version)).all(|reader| {
            let mut own =
                view.reads(reader.index).iter().filter(|read| writes.iter().any(|own| own.key == read.key));
            own.all(|read| read.version.is_none_or(|seen| seen >= version || seen == 0))
        });
    (in_order, whole, complete, first_committer, started)
}

fn fits(view: &View<'_>, content: Content<'_>, read: &Observed<'_>) -> bool {
    match (content, read.seen) {
        (Content::Absent | Content::Expiring(_), Seen::Absent) => true,
        (Content::Value(wrote) | Content::Expiring(wrote), Seen::Value(seen)) => wrote == seen,
        (Content::Appended { .. }, Seen::List(elements)) => {
            view.appended(content).last().copied() == elements.last().map(Vec::as_slice)
        }
        _ => false,
    }
}

impl Witness<'_, '_> {
    /// Section 2: one commit, one version; rising, never used twice.
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
                        started.unwrap_or(0),
                        commit.version
                    ),
                });
            }
        }
    }

    /// What was acked before another commit was called has the lower version.
    fn acked_order(&self, commits: &[Commit], findings: &mut Findings) {
        let mut latest: Option<&Commit> = None;
        for commit in commits {
            // By rising version: nobody before may have been called after this one was acked.
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
        format!("T{} and T{} both committed at version {}", first.txn, second.txn, first.version)
    } else {
        format!(
            "T{} with version {} {relation} T{} with version {}",
            first.txn, first.version, second.txn, second.version
        )
    };
    let (invariant, keys) = (Invariant::Versions, Vec::new());
    Violation { invariant, class, txns: vec![second.txn, first.txn], keys, message }
}
