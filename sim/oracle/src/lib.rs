//! Isolation and durability checkers that see recorded histories only.
//!
//! Job: given what clients saw ([`History`]) and what they were promised ([`Expectations`]), say whether the promise
//! was kept, and if not, which row of the contract broke, how, and by which transactions. Two independent judges:
//!
//! - the *witness* replays the versions that the store reported (start and commit versions) and compares every read,
//!   scan, conflict and survivor of a crash with what must have been there: near linear, and exact;
//! - the *black box* trusts only values: it infers who read from whom and who overwrote whom, and looks for cycles.
//!
//! Not its job: running anything, or knowing any engine. Architecture invariant: this crate imports no engine; an
//! oracle must not inherit the bugs of what it judges.

mod expectations;
mod graph;
mod verdict;
mod view;
mod witness;

pub use expectations::{Durability, Expectations, Recency};
pub use verdict::{AnomalyClass, Invariant, Verdict, Violation};

use stormproof_workloads::History;

/// Judges a history by what its clients were promised.
pub fn check(history: &History, expectations: &Expectations) -> Verdict {
    let view = view::View::new(history);
    let mut findings = verdict::Findings::new(expectations.findings_max);
    view.report_internal(&mut findings);
    witness::check(&view, expectations, &mut findings);
    findings.into_verdict(history)
}
