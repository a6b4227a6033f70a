//! Replays a history, one life after the other, with a known set of commits.

use stormproof_workloads::history::{Life, TxnIndex};
use stormproof_workloads::store::Version;

use super::chain::Chains;
use super::commits::{Commit, Commits};
use super::context::Witness;
use super::survival::Cuts;
use crate::expectations::Expectations;
use crate::verdict::Findings;
use crate::view::View;

/// The commits that took effect and the cuts of crashes, as far as reported versions tell.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(super) commits: Commits,
    pub(super) cuts: Cuts,
}

impl Explanation {
    /// Returns the transactions of `life` that took effect and survived its end, in commit order, with their
    /// versions.
    pub(crate) fn survivors(&self, life: Life) -> impl Iterator<Item = (TxnIndex, Version)> {
        let commits = if life < self.commits.lives() { self.commits.of_life(life) } else { 0..0 };
        let commits = self.commits.list[commits].iter();
        commits
            .filter(|commit| !self.cuts.is_lost(commit.life, commit.version))
            .map(|one| (one.txn, one.version))
    }

    /// Returns the unanswered commits that took effect, and at which versions.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (TxnIndex, Version)> {
        let unanswered = self.commits.list.iter().filter(|commit| commit.acked.is_none());
        unanswered.map(|commit| (commit.txn, commit.version))
    }
}

/// Replays the history with these commits.
pub(super) fn judge(
    view: &View<'_>,
    expectations: &Expectations,
    commits: Vec<Commit>,
    findings: &mut Findings,
) -> Explanation {
    let witness = Witness { view, expectations, commits: Commits::new(view, commits) };
    witness.version_rules(findings);
    // Cuts come first: without them a read of a lost version would look stale, and a lost commit like a
    // missing ack.
    let cuts = witness.cuts(findings);
    witness.recency(&cuts, findings);
    witness.aborts(findings);

    let mut chains = Chains::new(view.keys.len());
    for life in 0..witness.commits.lives() {
        // The crash takes its versions back before the life adds its own: a lost version may be written
        // again, and the chain must stay in version order.
        chains.crash(view, &witness.commits, life, &cuts);
        chains.extend(view, &witness.commits, life);
        witness.first_committer_wins(&chains, life, findings);
        // With a wrong cut every inherited read would be reported again (INV-WIT-3); conflicts do not depend
        // on cuts.
        if cuts.wrong_before.is_some_and(|wrong| wrong < life) {
            continue;
        }
        witness.reads(&chains, life, findings);
        witness.conditions(&chains, life, findings);
        witness.serializable(&chains, life, findings);
    }
    Explanation { commits: witness.commits, cuts }
}
