//! Section 3: the first committer wins, conditions hold at the commit, aborts have a cause.

use stormproof_workloads::history::{Life, Outcome};
use stormproof_workloads::store::{Conflict, ConflictKind, Expected, Isolation, Version};

use super::Witness;
use super::chain::Chains;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, Map, show};

impl<'h> Witness<'_, 'h> {
    pub(super) fn first_committer_wins(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        for commit in &self.commits.list[self.commits.of_life(life)] {
            let Some(start) = self.view.txn(commit.txn).start_version else { continue };
            if self.isolation(commit.txn) < Isolation::Snapshot {
                continue;
            }
            for write in self.view.writes(commit.txn) {
                // Appends keep what was there, so two of them do not take anything from each other.
                if matches!(write.content, Content::Appended { .. }) {
                    continue;
                }
                let chain = chains.of(write.key);
                let Some(winner) = chain.first_between(start, commit.version) else { continue };
                findings.add(|| Violation {
                    invariant: Invariant::Conflicts,
                    class: AnomalyClass::LostUpdate,
                    txns: vec![commit.txn, winner.txn],
                    keys: vec![self.view.keys[write.key as usize].to_vec()],
                    message: format!(
                        "T{} started at version {start} and committed a write of {} at version {}, though T{} had \
                         written it at version {} in between",
                        commit.txn,
                        self.view.key_name(write.key),
                        commit.version,
                        winner.txn,
                        winner.version
                    ),
                });
            }
        }
    }

    /// Conditions of committed transactions held just before they took effect.
    pub(super) fn conditions(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        for condition in &self.view.conditions {
            let Some(commit) = self.commits.of_txn(condition.txn).filter(|commit| commit.life == life) else {
                continue;
            };
            let chain = chains.of(condition.key);
            let current = chain.latest(commit.version - 1).map(|at| &chain.entries[at]);
            let version = current.map_or(0, |entry| entry.version);
            let absent = current.is_none_or(|entry| entry.content == Content::Absent);
            let holds = match (condition.expected, current.map(|entry| entry.content)) {
                // Tombstones are collected some day, and deletes of nothing may leave none.
                (Expected::Version(expected), _) if absent => *expected <= version,
                (Expected::Version(expected), _) => *expected == version,
                (Expected::Absent, content) => absent || matches!(content, Some(Content::Expiring(_))),
                (Expected::Value(expected), Some(Content::Value(value) | Content::Expiring(value))) => {
                    expected.as_slice() == value
                }
                (Expected::Value(_), _) => false,
            };
            if holds {
                continue;
            }
            findings.add(|| {
                let expected = match condition.expected {
                    Expected::Version(version) => format!("version {version}"),
                    Expected::Value(value) => format!("\"{}\"", show(value)),
                    Expected::Absent => "nothing".to_owned(),
                };
                let mut txns = vec![condition.txn];
                txns.extend(current.map(|entry| entry.txn));
                Violation {
                    invariant: Invariant::Conflicts,
                    class: AnomalyClass::BrokenCondition,
                    txns,
                    keys: vec![self.view.keys[condition.key as usize].to_vec()],
                    message: format!(
                        "T{} committed at version {} on the condition that {} was {expected}, but it was at version \
                         {version} then",
                        condition.txn,
                        commit.version,
                        self.view.key_name(condition.key)
                    ),
                }
            });
        }
    }

    /// Whoever was aborted for a write or a read of a key: somebody had written that key.
    pub(super) fn aborts(&self, findings: &mut Findings) {
        let aborted = self.view.history.txns.iter().filter_map(|txn| match &txn.outcome {
            Outcome::Aborted { conflicts, .. } if !conflicts.is_empty() => Some((txn, conflicts)),
            _ => None,
        });
        let mut writers: Option<Writers<'_>> = None;
        for (txn, conflicts) in aborted {
            let Some(start) = txn.start_version else { continue };
            let writers = writers.get_or_insert_with(|| self.writers());
            // One real conflict is cause enough.
            if let Some(conflict) = conflicts.first()
                && !conflicts.iter().any(|conflict| writers.justify(conflict, start))
            {
                findings.add(|| Violation {
                    invariant: Invariant::Conflicts,
                    class: AnomalyClass::BaselessAbort,
                    txns: vec![txn.index],
                    keys: vec![conflict.key.clone()],
                    message: format!(
                        "T{} started at version {start} and was aborted for a conflict on {}, which nobody had \
                         written since",
                        txn.index,
                        show(&conflict.key)
                    ),
                });
            }
        }
    }

    fn writers(&self) -> Writers<'_> {
        let mut writers = Writers::default();
        for txn in &self.view.history.txns {
            let unanswered = matches!(txn.outcome, Outcome::Unknown { .. });
            let version = self.commits.of_txn(txn.index).map(|commit| commit.version);
            for write in self.view.writes(txn.index) {
                let of = writers.by_key.entry(self.view.keys[write.key as usize]).or_default();
                of.newest = of.newest.max(version.unwrap_or(0));
                of.uncertain |= unanswered && version.is_none();
                of.expires |= matches!(write.content, Content::Expiring(_));
            }
        }
        writers
    }
}

/// Who may have written a key.
#[derive(Clone, Copy, Debug, Default)]
struct Writer {
    newest: Version,
    /// An unanswered commit may have been ahead.
    uncertain: bool,
    /// The store itself may have swept the key when its time was over: that is a delete, and nobody's in the history.
    expires: bool,
}

#[derive(Default)]
struct Writers<'v> {
    by_key: Map<&'v [u8], Writer>,
}

impl Writers<'_> {
    fn justify(&self, conflict: &Conflict, start: Version) -> bool {
        if !matches!(conflict.kind, ConflictKind::Write | ConflictKind::Read) {
            return true;
        }
        let Some(writer) = self.by_key.get(conflict.key.as_slice()) else { return false };
        writer.uncertain || writer.expires || writer.newest > start
    }
}
