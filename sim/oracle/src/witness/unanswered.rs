//! Commits that were never answered: which of them took effect, and at which version.
//!
//! Job: everything that is not known of them, as a constraint problem. Not its job: what a history must satisfy once
//! it is known, which is the rest of the witness.
//!
//! A client that got no answer knows that its commit took effect at one version of its life, whole, or not at all. Each
//! such commit is a variable; its [`domain`] are the versions at which it can have been, as far as that shows without
//! looking at other unanswered commits, and that it was not. Given a version for each, the witness decides exactly,
//! so a history holds if and only if it holds for some choice. The choice is looked for in three steps:
//!
//! 1. [`guess`]: versions and list elements that were read tell most of them. Usually that is all there is to do.
//! 2. [`search`]: a violation holds for every choice that agrees on the commits that it depends on. If there are none,
//!    the history is convicted. Else one of those has to change: each is tried at each of its other versions.
//! 3. Past a bound on the attempts the answer is that it is not known ([`Verdict::undecided`](crate::Verdict)).
//!
//! What nobody noticed in any way took no effect as far as this history can tell: that is always as good as any version.
//!
//! Invariants: INV-UNA-1: a conviction stands for every choice. INV-UNA-2: an unanswered commit that nothing in the
//! history depends on costs no attempt.

mod domain;
mod guess;
mod search;

use stormproof_workloads::history::{Life, Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::commits::Commit;
use crate::view::{Content, Observed, Seen, View};

pub(super) use search::decide;

/// A commit that was never answered, and wrote.
#[derive(Clone, Debug)]
struct Unanswered {
    txn: TxnIndex,
    life: Life,
    /// Where it can have been, the likeliest first.
    domain: Vec<Version>,
    /// Whether there were more of those than can be tried.
    cut_short: bool,
}

/// At which version each unanswered commit took effect, if it did.
type Choice = Vec<Option<Version>>;

/// An unanswered commit as if it had been answered with this version.
fn commit_at(view: &View<'_>, txn: TxnIndex, version: Version) -> Option<Commit> {
    let Outcome::Unknown { invoked } = view.txn(txn).outcome else { return None };
    Some(Commit { txn, life: view.txn(txn).life, version, invoked, acked: None })
}

/// Whether a read may have seen this content.
fn fits(view: &View<'_>, content: Content<'_>, read: &Observed<'_>) -> bool {
    match (content, read.seen) {
        (Content::Absent | Content::Expiring(_), Seen::Absent) => true,
        (Content::Value(wrote) | Content::Expiring(wrote), Seen::Value(seen)) => wrote == seen,
        (Content::Appended { .. }, Seen::List(elements)) => {
            view.appended(content).last().copied() == elements.last().map(Vec::as_slice)
        }
        _ => false,
    }
}
