//! The witness: replays the versions that the store reported and compares them with what clients saw.
//!
//! Job: every row of the contract that reported versions decide, in near linear time. Not its job: stores
//! without versions, and reports that are false but consistent (the black box covers both).
//!
//! The store reports the version at which each transaction read and committed, so the commit order is known
//! and checking is replay, one life after the other:
//!
//! ```text
//! commits by version   1:T0   2:T1   4:T3 ┊ crash, cut at 2 ┊  7:T5
//! chain of key a       1      2           ┊                 ┊  7
//! chain of key b       1             4    ┊ 4 is lost       ┊
//! T6 starts at 7: must see a@7, b@1
//! ```
//!
//! After "Efficient online timestamp-based isolation checking" (Chronos; H. Wei et al., ICDE 2025) for replay
//! and first-committer-wins; cuts at crashes, unanswered commits, scans and conditions are our own.
//!
//! Invariants: INV-WIT-1: an unanswered commit is no violation as long as the history holds with it at some
//! version or without it ([`unanswered`]). INV-WIT-2: a version that no read of a later life contradicts
//! counts as surviving. INV-WIT-3: a wrong cut is reported once, and reads of later lives are not compared
//! after it.

mod aborts;
mod chain;
mod classify;
mod commits;
mod conflicts;
mod context;
mod demands;
mod reads;
mod recency;
mod replay;
mod serial;
mod survival;
mod unanswered;

use crate::expectations::Expectations;
use crate::verdict::Findings;
use crate::view::View;
pub(crate) use replay::Explanation;

/// Checks everything that reported versions decide; returns what explains the history best, or none without
/// versions.
pub(crate) fn check(
    view: &View<'_>,
    expectations: &Expectations,
    findings: &mut Findings,
) -> Option<Explanation> {
    let versioned = view.history.txns.iter().any(|txn| txn.start_version.is_some());
    versioned.then(|| unanswered::decide(view, expectations, findings))
}
