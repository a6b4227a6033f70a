//! V1: every external read against the latest version at or before the snapshot.

use stormproof_workloads::history::{Life, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::Witness;
use super::chain::{Chain, Chains};
use crate::verdict::Findings;
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
            }
        }
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
