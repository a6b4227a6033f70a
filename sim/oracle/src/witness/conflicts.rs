//! Contract §3: the first committer wins, and conditions hold at the commit.

use stormproof_workloads::history::Life;
use stormproof_workloads::store::{Expected, Isolation};

use super::chain::{Chains, meets};
use super::context::Witness;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, show, show_version};

impl<'h> Witness<'_, 'h> {
    pub(super) fn first_committer_wins(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        for commit in &self.commits.list[self.commits.of_life(life)] {
            let Some(start) = self.view.txn(commit.txn).start_version else { continue };
            if self.isolation(commit.txn) < Isolation::Snapshot {
                continue;
            }
            for write in self.view.writes(commit.txn) {
                // Appends keep what was there, so two of them lose nothing.
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
                        "T{} started at version {} and committed a write of {} at version {}, though T{} had \
                         written it at version {} in between",
                        commit.txn,
                        show_version(start),
                        self.view.key_name(write.key),
                        show_version(commit.version),
                        winner.txn,
                        show_version(winner.version)
                    ),
                });
            }
        }
    }

    /// Checks that conditions of committed transactions held just before the commit.
    pub(super) fn conditions(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        for condition in &self.view.conditions {
            let Some(commit) = self.commits.of_txn(condition.txn).filter(|commit| commit.life == life) else {
                continue;
            };
            let chain = chains.of(condition.key);
            let at = chain.latest(commit.version - 1);
            let current = at.map(|at| &chain.entries[at]);
            let version = current.map_or(0, |entry| entry.version);
            let absent = current.is_none_or(|entry| entry.content == Content::Absent);
            let holds = match (condition.expected, current.map(|entry| entry.content)) {
                // What is newer than all that the history knows of the key is a sweep, and no client's
                // commit.
                (Expected::Version(expected), _) => {
                    meets(chain, at, *expected)
                        && (*expected <= version || self.commits.at(*expected).is_none())
                }
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
                    Expected::Version(version) => format!("version {}", show_version(*version)),
                    Expected::Value(value) => format!("\"{}\"", show(value)),
                    Expected::Absent => "nothing".to_owned(),
                };
                let mut txns = vec![condition.txn];
                txns.extend(current.map(|entry| entry.txn));
                // Who is said to have that version is a reason too: without it, it may be a sweep's.
                if let Expected::Version(expected) = condition.expected {
                    txns.extend(self.commits.at(*expected).map(|commit| commit.txn));
                }
                Violation {
                    invariant: Invariant::Conflicts,
                    class: AnomalyClass::BrokenCondition,
                    txns,
                    keys: vec![self.view.keys[condition.key as usize].to_vec()],
                    message: format!(
                        "T{} committed at version {} on the condition that {} was {expected}, but it was at version \
                         {} then",
                        condition.txn,
                        show_version(commit.version),
                        self.view.key_name(condition.key),
                        show_version(version)
                    ),
                }
            });
        }
    }
}
