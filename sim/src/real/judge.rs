//! Judges a round by its history, with the oracle and the workload, against what the store promises.

use stormproof_workloads::history::{FoldError, History, fold};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{Evidence, Plan, Workload, verdict};

use super::round::Played;
use super::target::Promise;
use crate::finding::Finding;

/// The judgement on a round.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What happened.
    pub history: History,
    /// Violations, those that are not in the history first.
    pub findings: Vec<Finding>,
    /// What the isolation asked for allows, and is worth knowing.
    pub sightings: Vec<String>,
    /// What could not be decided.
    pub undecided: Vec<String>,
}

/// Judges what was played of `plan`.
///
/// # Errors
/// When the recorded events do not add up.
pub fn judge(
    workload: &dyn Workload,
    plan: &Plan,
    promise: Promise,
    played: &Played,
) -> Result<Judged, FoldError> {
    let history = fold(played.events.iter().cloned())?;
    let judged = stormproof_oracle::check(&history, &promise.expectations());
    let mut findings = played.trouble.clone();
    findings.extend(judged.violations.into_iter().map(Finding::from));
    let mut sightings = Vec::new();
    // What a workload's numbers mean rests on snapshots; a store that promises none breaks no promise there.
    let snapshots = promise.isolation >= Isolation::Snapshot;
    for found in verdict(workload, &Evidence { plan, history: &history, notes: &played.notes }) {
        if found.violation && snapshots {
            findings.push(Finding::of_workload(workload.name(), found));
        } else {
            sightings.push(format!("{}: {}", workload.name(), found.rule));
        }
    }
    Ok(Judged { history, findings, sightings, undecided: judged.undecided })
}
