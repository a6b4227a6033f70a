//! Turns a run into the figures of its campaign.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Outcome, Session};
use stormproof_workloads::plan::FIRST_CLIENT;

use crate::finding::Identity;
use crate::plan::Plan;
use crate::report;
use crate::run::{INSPECTOR, Run, marks};
use crate::stats::{Count, Evaluations, Share, Stats, add, hit};
use crate::store::calls::Counts;

/// Returns the figures of a run.
pub fn stats(plan: &Plan, run: &Run) -> Stats {
    let mut stats = Stats { seeds: 1, ..Stats::default() };
    count_transactions(run, &mut stats);
    count_lives(run, &mut stats);
    stats.count(Count::Undecided, u64::from(!run.verdict.undecided.is_empty()));
    for fault in &run.faults {
        hit(&mut stats.faults, fault.fault.key.kind.name(), 1);
    }
    for (name, hits) in marks(run) {
        hit(&mut stats.marks, name, hits);
    }
    for sighting in &run.verdict.sightings {
        hit(&mut stats.sightings, sighting, 1);
    }
    stats.calls = nested(&run.counted.calls);
    stats.pairs = nested(&run.counted.pairs);
    count_invariants(run, &mut stats);
    let share = Share {
        seeds: 1,
        commits: stats.get(Count::Commits),
        aborts: stats.get(Count::Aborts),
        violated: u64::from(!run.findings().is_empty()),
    };
    stats.workloads.insert(plan.workload.workload.clone(), share);
    if let Some(first) = run.lives.first() {
        stats.strategies.insert(first.strategy.to_owned(), share);
    }
    stats
}

fn nested(counts: &Counts) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut nested: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((first, second), count) in counts {
        nested.entry((*first).to_owned()).or_default().insert((*second).to_owned(), *count);
    }
    nested
}

/// Returns how many transactions of clients committed in a run.
pub fn client_commits(run: &Run) -> u64 {
    let committed = run
        .history
        .txns
        .iter()
        .filter(|txn| is_client(txn.session) && matches!(txn.outcome, Outcome::Committed { .. }));
    committed.count() as u64
}

fn count_transactions(run: &Run, stats: &mut Stats) {
    stats.count(Count::Transactions, run.history.txns.len() as u64);
    for txn in &run.history.txns {
        match &txn.outcome {
            Outcome::Committed { .. } => {
                stats.count(Count::Commits, 1);
                stats.count(Count::ClientCommits, u64::from(is_client(txn.session)));
            }
            Outcome::Aborted { conflicts, .. } => {
                stats.count(Count::Aborts, 1);
                for conflict in conflicts {
                    add(&mut stats.conflicts, report::conflict_kind(conflict.kind).word(), 1);
                }
            }
            Outcome::Unknown { .. } => stats.count(Count::Unanswered, 1),
            Outcome::Running => stats.count(Count::CutOff, 1),
        }
    }
}

/// Returns whether a session is a client's, and not that of the setup, the audit or the inspector.
fn is_client(session: Session) -> bool {
    session >= FIRST_CLIENT && session != INSPECTOR
}

fn count_lives(run: &Run, stats: &mut Stats) {
    let mut crashed = false;
    for life in &run.lives {
        stats.count(Count::Lives, 1);
        stats.count(Count::Steps, life.life.steps);
        stats.count(Count::Preemptions, life.life.preemptions);
        stats.count(Count::DiskOperations, life.disk_operations);
        stats.count(Count::FullDisks, u64::from(life.now.cramped));
        if life.crashed() {
            stats.count(Count::Crashes, 1);
            hit(&mut stats.crashes, life.now.phase.name(), 1);
        }
        if crashed && life.opened() {
            stats.count(Count::Recoveries, 1);
        }
        crashed = life.crashed() || (crashed && !life.opened());
    }
    for crash in &run.crashes {
        stats.count(Count::LossyCrashes, u64::from(crash.pieces_lost > 0));
        stats.count(Count::TornCrashes, u64::from(crash.pieces_torn > 0));
        stats.count(Count::DirtyCrashes, u64::from(crash.dirty_tails > 0));
    }
}

fn count_invariants(run: &Run, stats: &mut Stats) {
    for (&name, &evaluated) in &run.verdict.evaluated {
        stats.invariants.insert(name.to_owned(), Evaluations { evaluated, seeds: 1, violated: 0 });
    }
    for finding in run.findings() {
        stats.invariants.entry(finding.invariant.clone()).or_default().violated = 1;
    }
}

/// Returns the kinds of failure of a run, in the order in which they came, each once.
pub fn identities(run: &Run) -> Vec<Identity> {
    let mut identities = Vec::new();
    for finding in run.findings() {
        let identity = finding.identity();
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities
}
