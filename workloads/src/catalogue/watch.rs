//! Watch: clients write below one prefix, and clients watch it, from now, from where they were, from the
//! beginning.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::Evidence;
use crate::history::{Life, Op, Outcome, Session, Time, Txn, TxnIndex};
use crate::notebook::NoteKind;
use crate::plan::{Action, End, Payload, Plan, Step, Transaction, Watching, WatchingFrom};
use crate::store::{Bytes, Capabilities, Key, Version, WatchedCommit};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "watch";

/// What is watched; below it lie the keys that each transaction writes once, and those that all write.
const PREFIX: &str = "feed/";
const ENTRIES: &str = "feed/entry/";
const HOT: &str = "feed/hot/";

/// Transactions write an entry of their own, some hot keys, and keys that are not watched; watches end and
/// are made anew.
///
/// Stresses: delivery beside group commit, queues that overflow, reading the log while it is written and
/// checkpointed, resuming after crashes. Invariant: a watch delivers every commit that touched its range,
/// whole, in commit order, without a hole, and none that is not there; what was delivered as durable is there
/// after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    /// Keys that all clients write.
    pub hot_keys: u32,
    /// Bytes of an entry, at least.
    pub entry_bytes: usize,
    /// The longest that a watch waits for a commit.
    pub wait_micros_max: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self { hot_keys: 3, entry_bytes: 200, wait_micros_max: 1_500 }
    }
}

impl Workload for Watch {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "delivery of commits to watches, from queues and from the log",
            invariant: "a watch tells every commit once, whole, in order, without a hole, and no ghost",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        capabilities.watches && capabilities.versions
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |client, number, rng| match rng.random_range(0..16) {
            0..=8 => self.write(client, number, rng),
            9 => Action::Flush,
            10 => Action::Pause { micros: rng.random_range(0..=self.wait_micros_max) },
            _ => Action::Watch(self.watching(rng)),
        });
        plan.audit.actions.push(Action::Watch(Watching {
            from: WatchingFrom::Start,
            durable: true,
            commits: u32::MAX,
            ..self.watching(rng)
        }));
        plan.audit.actions.push(Transaction::reading([scan_prefix(ENTRIES)]).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let facts = Facts::of(evidence);
        let mut findings = Vec::new();
        for span in spans(evidence) {
            findings.extend(facts.out_of_order(&span));
            findings.extend(facts.not_what_was_written(&span));
            findings.extend(facts.ghost(&span));
            findings.extend(facts.hole(&span));
            findings.extend(fell_behind(&span));
        }
        findings
    }
}

impl Watch {
    fn write(&self, client: u32, number: u32, rng: &mut ChaCha8Rng) -> Action {
        let unique = |len| Payload::Unique { len };
        let mut steps = vec![Step::Put {
            key: format!("{ENTRIES}{client:02}-{number:04}"),
            value: unique(self.entry_bytes),
        }];
        for _ in 0..rng.random_range(0..=2) {
            let key = format!("{HOT}{}", rng.random_range(0..self.hot_keys.max(1)));
            let delete = rng.random_bool(0.3);
            steps.push(if delete { Step::Delete { key } } else { Step::Put { key, value: unique(0) } });
        }
        if rng.random_bool(0.3) {
            steps.push(Step::Put { key: format!("unwatched/{client}"), value: unique(0) });
        }
        let end = if rng.random_ratio(1, 12) { End::Abort } else { End::Commit };
        Transaction { end, ..Transaction::of(steps) }.into()
    }

    fn watching(&self, rng: &mut ChaCha8Rng) -> Watching {
        Watching {
            prefix: PREFIX.into(),
            from: match rng.random_range(0..6) {
                0..=1 => WatchingFrom::Now,
                2..=4 => WatchingFrom::Seen,
                _ => WatchingFrom::Start,
            },
            durable: rng.random_bool(0.5),
            polled: rng.random_bool(0.5),
            bytes_max: if rng.random_bool(0.5) { 1 << 10 } else { 1 << 20 },
            commits: rng.random_range(1..=8),
            micros: rng.random_range(0..=self.wait_micros_max),
            pause_micros: if rng.random_bool(0.5) { rng.random_range(0..=self.wait_micros_max) } else { 0 },
        }
    }
}

/// What one watch delivered from one version on.
struct Span<'a> {
    session: Session,
    life: Life,
    durable: bool,
    /// Whether it followed new commits only, and never had to read the log.
    keeps_up: bool,
    after: Version,
    told: Vec<&'a WatchedCommit>,
    /// When it was asked the last time, if nothing was there.
    quiet: Option<Time>,
    behind: Option<(Version, Version)>,
}

/// Returns all spans, in the order in which clients wrote them down.
fn spans<'a>(evidence: &Evidence<'a>) -> Vec<Span<'a>> {
    let mut open: BTreeMap<Session, Span<'a>> = BTreeMap::new();
    let mut spans = Vec::new();
    for note in evidence.notes {
        match &note.what {
            NoteKind::WatchBegins { durable, after, keeps_up, .. } => {
                let life = evidence.history.lives.iter().rfind(|life| life.opened <= note.at);
                let span = Span {
                    session: note.session,
                    life: life.map_or(0, |life| life.life),
                    durable: *durable,
                    keeps_up: *keeps_up,
                    after: *after,
                    told: Vec::new(),
                    quiet: None,
                    behind: None,
                };
                spans.extend(open.insert(note.session, span));
            }
            NoteKind::Watched { commit } => {
                if let Some(span) = open.get_mut(&note.session) {
                    span.told.push(commit);
                }
            }
            NoteKind::WatchQuiet { called } => {
                if let Some(span) = open.get_mut(&note.session) {
                    span.quiet = Some(*called);
                }
            }
            NoteKind::WatchBehind { read_at, shown } => {
                if let Some(span) = open.get_mut(&note.session) {
                    span.behind = Some((*read_at, *shown));
                }
            }
            _ => {}
        }
    }
    spans.extend(open.into_values());
    spans
}

/// What is known of the transactions.
struct Facts<'a> {
    evidence: &'a Evidence<'a>,
    /// What each transaction that may have committed wrote below the prefix.
    writes: BTreeMap<TxnIndex, BTreeMap<&'a Key, Option<&'a Bytes>>>,
    /// The transactions that were acked with a version.
    by_version: BTreeMap<Version, TxnIndex>,
    /// Transactions whose entry is there in the end; `None` if that was not read.
    survivors: Option<BTreeSet<TxnIndex>>,
    /// Whether acks are known to be durable at all: not on a disk that forgets.
    knows_durable: bool,
}

impl<'a> Facts<'a> {
    fn of(evidence: &'a Evidence<'a>) -> Self {
        let survivors = evidence.final_entries(ENTRIES);
        let durable = |txn: &Txn| matches!(txn.outcome, Outcome::Committed { durable: Some(_), .. });
        let acked = |txn: &Txn| match txn.outcome {
            Outcome::Committed { version, .. } => version.map(|version| (version, txn.index)),
            _ => None,
        };
        Self {
            evidence,
            by_version: evidence.effective().filter_map(acked).collect(),
            writes: evidence.effective().map(|txn| (txn.index, watched(txn))).collect(),
            survivors: survivors
                .map(|entries| entries.iter().filter_map(|entry| writer(&entry.value)).collect()),
            knows_durable: evidence.history.txns.iter().any(durable),
        }
    }

    fn out_of_order(&self, span: &Span<'_>) -> Option<Finding> {
        let mut last = span.after;
        for commit in &span.told {
            if commit.version <= last {
                let message = format!("session {} was told {} behind {last}", span.session, commit.version);
                return Some(Finding::violation("commits are told in order", message, self.by(commit)));
            }
            last = commit.version;
        }
        None
    }

    /// Finds a commit that is not all that one transaction wrote, or that has another version than it was
    /// acked with.
    fn not_what_was_written(&self, span: &Span<'_>) -> Option<Finding> {
        span.told.iter().find_map(|commit| {
            let index = self.by(commit)?;
            // Told of a transaction that had no effect: a ghost.
            let expected = self.writes.get(&index)?;
            let told: BTreeMap<_, _> =
                commit.writes.iter().map(|(key, value)| (key, value.as_ref())).collect();
            if told != *expected {
                let words = |writes: &BTreeMap<&Key, Option<&Bytes>>| {
                    writes
                        .keys()
                        .map(|key| String::from_utf8_lossy(key).into_owned())
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                let message = format!(
                    "session {} was told {} of what T{index} wrote to {}",
                    span.session,
                    words(&told),
                    words(expected)
                );
                return Some(Finding::violation("a commit is told whole", message, [index]));
            }
            let acked = self.version(index)?;
            (acked != commit.version).then(|| {
                let message = format!("T{index} was acked at {acked} and told at {}", commit.version);
                Finding::violation("a commit has one version", message, [index])
            })
        })
    }

    /// Finds a commit that is not there: of no transaction, of one that was aborted, or delivered as durable
    /// and lost.
    fn ghost(&self, span: &Span<'_>) -> Option<Finding> {
        span.told.iter().find_map(|commit| {
            let rule = "no ghost is told";
            let index = self.by(commit);
            let Some(index) = index.filter(|index| self.writes.contains_key(index)) else {
                let message = format!("{} was told, and no transaction committed that", commit.version);
                return Some(Finding::violation(rule, message, index));
            };
            let survivors = self.survivors.as_ref().filter(|_| span.durable && self.knows_durable)?;
            // Only an entry is still there if it survived: all others are overwritten.
            self.writes[&index].keys().find(|key| key.starts_with(ENTRIES.as_bytes()))?;
            (!survivors.contains(&index)).then(|| {
                let message = format!("T{index} was told as durable at {}, and is lost", commit.version);
                Finding::violation(rule, message, [index])
            })
        })
    }

    /// Finds a commit that should have been delivered between two that were, or before it was said that there
    /// is none.
    fn hole(&self, span: &Span<'_>) -> Option<Finding> {
        let told: BTreeSet<_> = span.told.iter().filter_map(|commit| self.by(commit)).collect();
        let last = span.told.last().map_or(span.after, |commit| commit.version);
        self.writes.iter().find_map(|(&index, writes)| {
            if writes.is_empty() || told.contains(&index) {
                return None;
            }
            let version = self.version(index)?;
            let txn = &self.evidence.history.txns[index as usize];
            if version <= span.after || !self.was_there(txn, span) {
                return None;
            }
            let passed = version < last;
            let missing = span.quiet.is_some_and(|called| self.was_to_be_told(txn, span, called));
            (passed || missing).then(|| {
                let message = format!(
                    "session {} was told all behind {} up to {last}, but not T{index} at {version}",
                    span.session, span.after
                );
                Finding::violation("no commit is left out", message, [index])
            })
        })
    }

    /// Returns whether a transaction had its effects in the life of a span, if it had them at all when it was
    /// told.
    fn was_there(&self, txn: &Txn, span: &Span<'_>) -> bool {
        let survived = || self.survivors.as_ref().is_some_and(|survivors| survivors.contains(&txn.index));
        txn.life == span.life || (txn.life < span.life && survived())
    }

    /// Returns whether a watch that was asked at `called` had to deliver it.
    fn was_to_be_told(&self, txn: &Txn, span: &Span<'_>, called: Time) -> bool {
        let Outcome::Committed { acked, durable, .. } = txn.outcome else { return false };
        txn.life < span.life
            || durable.is_some_and(|durable| durable < called)
            || (span.keeps_up && !span.durable && acked < called)
    }

    /// Returns the transaction of a commit, by the first value in it. One that only deletes holds no name:
    /// then by the version that it was acked with, or, if it never was, by what it did.
    fn by(&self, commit: &WatchedCommit) -> Option<TxnIndex> {
        let named = commit.writes.iter().find_map(|(_, value)| writer(value.as_deref()?));
        let deletes_only = commit.writes.iter().all(|(_, value)| value.is_none());
        let acked = || self.by_version.get(&commit.version).copied().filter(|_| deletes_only);
        let unanswered = || {
            let told: BTreeMap<_, _> =
                commit.writes.iter().map(|(key, value)| (key, value.as_ref())).collect();
            let mut same = self.writes.iter().filter(|(_, writes)| **writes == told);
            same.find(|(index, _)| self.version(**index).is_none()).map(|(index, _)| *index)
        };
        named.or_else(acked).or_else(|| unanswered().filter(|_| deletes_only))
    }

    fn version(&self, index: TxnIndex) -> Option<Version> {
        match self.evidence.history.txns[index as usize].outcome {
            Outcome::Committed { version, .. } => version,
            _ => None,
        }
    }
}

/// Finds a watch that fell behind although it followed new commits only and had room for all of them, or that
/// was sent to a version from which it can't go on.
fn fell_behind(span: &Span<'_>) -> Option<Finding> {
    let (read_at, shown) = span.behind?;
    if span.keeps_up {
        let message =
            format!("session {} was told to read anew at {read_at}, without a reason", span.session);
        return Some(Finding::violation("a watch that keeps up is not behind", message, []));
    }
    (shown < read_at).then(|| {
        let message = format!("a reader that is behind was sent to {read_at}, and snapshots were at {shown}");
        Finding::violation("a reader that is behind can go on", message, [])
    })
}

/// Returns the last writes of a transaction below the prefix.
fn watched(txn: &Txn) -> BTreeMap<&Key, Option<&Bytes>> {
    let mut writes = BTreeMap::new();
    for op in &txn.ops {
        match op {
            Op::Put { key, value } => writes.insert(key, Some(value)),
            Op::Delete { key } => writes.insert(key, None),
            _ => continue,
        };
    }
    writes.retain(|key, _| key.starts_with(PREFIX.as_bytes()));
    writes
}

/// Returns the transaction that wrote a value: it is in its text.
fn writer(value: &[u8]) -> Option<TxnIndex> {
    let text = std::str::from_utf8(value).ok()?.strip_prefix('t')?;
    text.split('.').next()?.parse().ok()
}
