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
//! Invariants: INV-WIT-1: an unanswered commit is part of the replay exactly if some read returned its version.
//! INV-WIT-2: a version that no read of a later life contradicts counts as surviving. INV-WIT-3: a wrong cut is
//! reported once, and reads of later lives are not compared after it.

mod chain;
mod classify;
mod commits;
mod conflicts;
mod reads;
mod recency;
mod serial;
mod survival;

use stormproof_workloads::history::{Outcome, TxnIndex};
use stormproof_workloads::store::Isolation;

use crate::expectations::Expectations;
use crate::verdict::Findings;
use crate::view::View;
use chain::Chains;
use commits::Commits;

/// What all parts of the witness work on.
struct Witness<'v, 'h> {
    view: &'v View<'h>,
    expectations: &'v Expectations,
    commits: Commits,
    guess: Guess,
}

/// What is assumed of commits that were never answered.
#[derive(Clone, Debug, Default)]
struct Guess {
    /// These took no effect.
    ignored: Vec<TxnIndex>,
    /// What is gone was deleted by one of them if it can have been, and else lost in a crash; not the other way round.
    deletes_first: bool,
}

/// Checks what the reported versions decide; nothing if the store reported none.
pub(crate) fn check(view: &View<'_>, expectations: &Expectations, findings: &mut Findings) {
    let versioned = view.history.txns.iter().any(|txn| txn.start_version.is_some());
    if !versioned {
        return;
    }
    let mut first = Findings::new(findings.max());
    judge(view, expectations, Guess::default(), &mut first);
    // Which unanswered commits took effect, and at which versions, is partly a guess: a guess convicts nobody as long as
    // the history makes sense without it.
    if !first.is_empty() {
        let guilty = |guess: Guess| {
            let mut other = Findings::new(1);
            judge(view, expectations, guess, &mut other);
            !other.is_empty()
        };
        if !guesses(view).all(guilty) {
            return;
        }
    }
    findings.append(first);
}

/// Other guesses: without none, each and each two of the unanswered commits, not more than can be tried in a moment.
fn guesses(view: &View<'_>) -> impl Iterator<Item = Guess> {
    const ATTEMPTS_MAX: usize = 64;
    let unanswered: Vec<TxnIndex> = view
        .history
        .txns
        .iter()
        .filter(|txn| matches!(txn.outcome, Outcome::Unknown { .. }) && !view.writes(txn.index).is_empty())
        .map(|txn| txn.index)
        .collect();
    let pairs = unanswered.clone().into_iter().enumerate().flat_map({
        let unanswered = unanswered.clone();
        move |(at, first)| unanswered[at + 1..].iter().map(|second| vec![first, *second]).collect::<Vec<_>>()
    });
    let ignored = std::iter::once(Vec::new()).chain(unanswered.into_iter().map(|txn| vec![txn])).chain(pairs);
    ignored
        .flat_map(|ignored| {
            [true, false].map(|deletes_first| Guess { ignored: ignored.clone(), deletes_first })
        })
        .take(ATTEMPTS_MAX)
}

/// Replays the history under a guess.
fn judge(view: &View<'_>, expectations: &Expectations, guess: Guess, findings: &mut Findings) {
    let commits = Commits::collect(view, &guess.ignored, findings);
    let mut witness = Witness { view, expectations, commits, guess };
    witness.adopt_deletes();
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
}

impl Witness<'_, '_> {
    /// Adds unanswered deletes that took effect: all that is seen of them is that something is gone.
    fn adopt_deletes(&mut self) {
        let mut ignored = self.guess.ignored.clone();
        loop {
            let cuts = self.cuts(&mut Findings::new(0));
            let Some((txn, after, until)) = self.unanswered_delete(&cuts, &ignored) else { return };
            if !self.commits.adopt_between(self.view, txn, after, until) {
                ignored.push(txn);
            }
        }
    }

    /// What a transaction was promised.
    fn isolation(&self, txn: u32) -> Isolation {
        self.view.txn(txn).isolation.min(self.expectations.isolation)
    }
}
