//! The witness: replays the versions that the store reported and compares.
//!
//! Job: every row of the contract that reported versions decide, in near linear time. Not its job: anything about a
//! store without versions; a lie that is consistent in itself (the black box is there for that).
//!
//! The store says at which version each transaction read and committed, so the only possible order is known and
//! checking is replay, one life after the other:
//!
//! ```text
//! commits by version   1:T0   2:T1   4:T3 ┊ crash, cut at 2 ┊  7:T5
//! chain of key a       1      2           ┊                 ┊  7
//! chain of key b       1             4    ┊ 4 is lost       ┊
//! T6 starts at 7: must see a@7, b@1
//! ```
//!
//! After "Efficient online timestamp-based isolation checking" (Chronos; H. Wei et al., ICDE 2025) for replay and
//! first-committer-wins; cuts at crashes, unanswered commits, scans and conditions are our own.
//!
//! Invariants: INV-WIT-1: an unanswered commit convicts nobody as long as the history makes sense with it at some version
//! or without it ([`unanswered`]). INV-WIT-2: a version that no read of a later life contradicts counts as surviving. INV-WIT-3: a wrong cut is
//! reported once, and reads of later lives are not compared after it.

mod aborts;
mod chain;
mod classify;
mod commits;
mod conflicts;
mod demands;
mod reads;
mod recency;
mod serial;
mod survival;
mod unanswered;

use stormproof_workloads::history::{Life, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use crate::expectations::Expectations;
use crate::verdict::Findings;
use crate::view::View;
use chain::Chains;
use commits::{Commit, Commits};
use survival::Cuts;

/// What all parts of the witness work on.
struct Witness<'v, 'h> {
    view: &'v View<'h>,
    expectations: &'v Expectations,
    commits: Commits,
}

/// What happened, as far as reported versions tell.
#[derive(Debug)]
pub(crate) struct Explanation {
    commits: Commits,
    cuts: Cuts,
}

impl Explanation {
    /// The transactions of `life` that took effect and survived its end, in commit order, with their versions.
    pub(crate) fn survivors(&self, life: Life) -> impl Iterator<Item = (TxnIndex, Version)> {
        let commits = if life < self.commits.lives() { self.commits.of_life(life) } else { 0..0 };
        let commits = self.commits.list[commits].iter();
        commits
            .filter(|commit| !self.cuts.is_lost(commit.life, commit.version))
            .map(|one| (one.txn, one.version))
    }

    /// The unanswered commits that took effect, and at which versions.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (TxnIndex, Version)> {
        let unanswered = self.commits.list.iter().filter(|commit| commit.acked.is_none());
        unanswered.map(|commit| (commit.txn, commit.version))
    }
}

/// Checks what the reported versions decide, and tells what explains the history best; nothing if the store reported
/// none.
pub(crate) fn check(
    view: &View<'_>,
    expectations: &Expectations,
    findings: &mut Findings,
) -> Option<Explanation> {
    let versioned = view.history.txns.iter().any(|txn| txn.start_version.is_some());
    versioned.then(|| unanswered::decide(view, expectations, findings))
}

/// Replays the history with these commits.
fn judge(
    view: &View<'_>,
    expectations: &Expectations,
    commits: Vec<Commit>,
    findings: &mut Findings,
) -> Explanation {
    let witness = Witness { view, expectations, commits: Commits::new(view, commits) };
    witness.version_rules(findings);
    let cuts = witness.cuts(findings);
    witness.recency(&cuts, findings);
    witness.aborts(findings);

    let mut chains = Chains::new(view.keys.len());
    for life in 0..witness.commits.lives() {
        chains.crash(view, &witness.commits, life, &cuts);
        chains.extend(view, &witness.commits, life);
        witness.first_committer_wins(&chains, life, findings);
        if cuts.wrong_before.is_some_and(|wrong| wrong < life) {
            continue;
        }
        witness.reads(&chains, life, findings);
        witness.conditions(&chains, life, findings);
        witness.serializable(&chains, life, findings);
    }
    Explanation { commits: witness.commits, cuts }
}

impl Witness<'_, '_> {
    /// What a transaction was promised.
    fn isolation(&self, txn: u32) -> Isolation {
        self.view.txn(txn).isolation.min(self.expectations.isolation)
    }
}
