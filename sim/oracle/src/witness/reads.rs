//! V1: compares every external read with the latest version at or before the snapshot.

use stormproof_workloads::history::{Life, Outcome, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::chain::{Chain, Chains, matches};
use super::context::Witness;
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
            if !matches(chain, chain.latest(start), read) {
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
    /// Returns whether a deleted key was reported as one that never existed (version 0) while a transaction
    /// from before the delete was running: the tombstone must be kept as long as a snapshot may see the
    /// deleted value. Returns the deleter and the running transaction.
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

/// Returns the time at which a transaction called commit; its snapshot was in use until then.
fn invoked(txn: &Txn) -> Option<Time> {
    match txn.outcome {
        Outcome::Committed { invoked, .. } | Outcome::Unknown { invoked } => Some(invoked),
        Outcome::Running | Outcome::Aborted { .. } => None,
    }
}
