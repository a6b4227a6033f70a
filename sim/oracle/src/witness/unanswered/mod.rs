//! Unanswered commits: which of them took effect, and at which version.
//!
//! Job: the unknown versions as a constraint problem. Not its job: checking a history once they are known,
//! which is the rest of the witness.
//!
//! An unanswered commit took effect at one version of its life, whole, or not at all. Each such commit is a
//! variable; its [`domain`] holds the versions that are possible regardless of other unanswered commits, and
//! "no effect". Given a value for each variable the witness decides exactly, so a history holds if and only
//! if it holds for some assignment. The assignment is found in three steps:
//!
//! 1. [`guess`]: versions and list elements that were read determine most of them, and usually all.
//! 2. [`search`]: a violation holds for every assignment that agrees on the commits that it depends on. If it
//!    depends on none, the history is violated. Otherwise one of them must change: each is tried at each of
//!    its other versions.
//! 3. Past a bound on the attempts the history is undecided ([`Verdict::undecided`](crate::Verdict)).
//!
//! A commit that no read reveals counts as without effect, which is always as good as any version.
//!
//! Invariants: INV-UNA-1: a violation stands for every assignment. INV-UNA-2: an unanswered commit that
//! nothing in the history depends on costs no attempt.

mod domain;
mod guess;
mod search;

use stormproof_workloads::history::{Life, Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::commits::Commit;
use crate::view::{Content, Observed, Seen, View};

pub(super) use search::decide;

/// An unanswered commit with writes.
#[derive(Clone, Debug)]
struct Unanswered {
    txn: TxnIndex,
    life: Life,
    /// The possible versions, the likeliest first.
    domain: Vec<Version>,
    /// Whether the domain was cut short.
    cut_short: bool,
}

/// An assignment: the version at which each unanswered commit took effect, or none.
type Choice = Vec<Option<Version>>;

/// Returns the commit record of an unanswered commit at this version.
fn commit_at(view: &View<'_>, txn: TxnIndex, version: Version) -> Option<Commit> {
    let Outcome::Unknown { invoked } = view.txn(txn).outcome else { return None };
    Some(Commit { txn, life: view.txn(txn).life, version, invoked, acked: None })
}

/// Returns whether a read may have seen this write.
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
