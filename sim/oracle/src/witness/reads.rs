//! V1: every external read against the latest version at or before the snapshot.

use stormproof_workloads::history::{Life, Outcome, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::Witness;
use super::chain::{Chain, Chains};
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, How, Observed, Seen};

impl<'h> Witness<'_, 'h> {
    pub(super) fn reads(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        for &txn in self.commits.txns_of(life) {
            if self.isolation(txn) >= Isolation::Snapshot {
                self.reads_of(chains, txn, findings);
            }
        }
    }

    fn reads_of(&self, chains: &Chains<'h>, txn: TxnIndex, findings: &mut Findings) {
        let Some(start) = self.view.txn(txn).start_version else { return };
        for read in self.view.reads(txn) {
            if read.how == How::Condition {
                continue;
            }
            let chain = chains.of(read.key);
            if !matches(chain, chain.latest(start), read) && !self.is_sweep(read) {
                findings.add(|| self.classify(chain, txn, start, read));
            } else if let Some((deleter, older)) = self.forgotten_too_early(chain, txn, start, read) {
                findings.add(|| Violation {
                    invariant: Invariant::Versions,
                    class: AnomalyClass::VersionMismatch,
                    txns: vec![txn, deleter, older],
                    keys: vec![self.view.keys[read.key as usize].to_vec()],
                    message: format!(
                        "T{txn} read {} as if it had never been, though T{deleter} had deleted it before its snapshot, \
                         and T{older}, whose snapshot is older than the delete, was still running",
                        self.view.key_name(read.key)
                    ),
                });
            }
        }
    }
}

impl<'h> Witness<'_, 'h> {
    /// Whether a deleted key read as one that never existed (version 0) while a transaction from before the delete was
    /// running: the tombstone must be there as long as that one may see what was deleted. Returns who deleted, and who
    /// was running.
    fn forgotten_too_early(
        &self,
        chain: &Chain<'h>,
        reader: TxnIndex,
        start: Version,
        read: &Observed<'h>,
    ) -> Option<(TxnIndex, TxnIndex)> {
        if read.seen != Seen::Absent || read.version != Some(0) || read.how != How::Get {
            return None;
        }
        let at = chain.latest(start).filter(|at| *at > 0)?;
        let (tombstone, deleted) = (&chain.entries[at], &chain.entries[at - 1]);
        let (life, ended) = (self.view.txn(reader).life, invoked(self.view.txn(reader))?);
        let deleter = self.view.txn(tombstone.txn);
        let certain = tombstone.content == Content::Absent
            && matches!(deleted.content, Content::Value(_))
            && matches!(deleter.outcome, Outcome::Committed { .. })
            && deleter.life == life;
        let older = |txn: &&Txn| {
            txn.life == life
                && txn.start_version.is_some_and(|start| start < tombstone.version)
                && invoked(txn).is_some_and(|until| until > ended)
        };
        let older = certain.then(|| self.view.history.txns.iter().find(older))??;
        Some((tombstone.txn, older.index))
    }
}

/// When a transaction called commit: until then its snapshot was in use.
fn invoked(txn: &Txn) -> Option<Time> {
    match txn.outcome {
        Outcome::Committed { invoked, .. } | Outcome::Unknown { invoked } => Some(invoked),
        Outcome::Running | Outcome::Aborted { .. } => None,
    }
}

impl Witness<'_, '_> {
    /// Whether an absence may be that of a key that has expired and been swept: the store's own work, at a version that
    /// is nobody's. The write that expired may never have been answered, and what came behind it may be lost.
    fn is_sweep(&self, read: &Observed<'_>) -> bool {
        let nobodys = read.version.is_some_and(|version| version > 0 && self.commits.at(version).is_none());
        let expiring = |txn: &Txn| {
            let writes = self.view.writes(txn.index);
            matches!(txn.outcome, Outcome::Unknown { .. } | Outcome::Committed { .. })
                && writes
                    .iter()
                    .any(|write| write.key == read.key && matches!(write.content, Content::Expiring(_)))
        };
        read.seen == Seen::Absent && nobodys && self.view.history.txns.iter().any(expiring)
    }
}

/// Whether a read saw the version at `at` of the chain, or, without one, that there was none.
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
        (Content::Expiring(_), Seen::Absent) => true,
        (Content::Absent, Seen::List([])) => right_version(0) || in_run_of_deletes(chain, at, read.version),
        (Content::Appended { .. }, Seen::List(seen)) => {
            right_version(entry.version)
                && seen.len() == entry.length
                && seen.iter().zip(&chain.elements).all(|(seen, element)| seen == element)
        }
        _ => false,
    }
}

/// Whether `version` is that of a delete since which the key stayed absent, or of what had expired before it was
/// deleted: deletes of nothing may leave no trace.
fn in_run_of_deletes(chain: &Chain<'_>, at: usize, version: Option<Version>) -> bool {
    let Some(version) = version else { return true };
    for entry in chain.entries[..=at].iter().rev() {
        if entry.version == version {
            return matches!(entry.content, Content::Absent | Content::Expiring(_));
        }
        if entry.content != Content::Absent {
            return false;
        }
    }
    false
}
