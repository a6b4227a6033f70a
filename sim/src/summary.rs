//! Counts a run for its campaign.

use stormproof_workloads::history::Outcome;

use crate::finding::Identity;
use crate::plan::Plan;
use crate::run::{Run, marks};
use crate::tally::{Evaluations, Share, Tally, add, hit};

/// What a run adds to its campaign.
pub fn tally(plan: &Plan, run: &Run) -> Tally {
    let mut tally = Tally { seeds: 1, ..Tally::default() };
    count_transactions(run, &mut tally);
    count_lives(run, &mut tally);
    tally.count("not decided by values alone", u64::from(!run.verdict.undecided.is_empty()));
    for fault in &run.faults {
        hit(&mut tally.faults, fault.fault.key.kind.name(), 1);
    }
    for (name, hits) in marks(run) {
        hit(&mut tally.marks, name, hits);
    }
    for sighting in &run.verdict.sightings {
        hit(&mut tally.sightings, sighting, 1);
    }
    count_invariants(run, &mut tally);
    let share = Share {
        seeds: 1,
        commits: tally.get("commits"),
        aborts: tally.get("aborts"),
        violated: u64::from(!run.findings().is_empty()),
    };
    tally.workloads.insert(plan.workload.workload.clone(), share);
    if let Some(first) = run.lives.first() {
        tally.strategies.insert(first.strategy.to_owned(), share);
    }
    tally
}

fn count_transactions(run: &Run, tally: &mut Tally) {
    tally.count("transactions", run.history.txns.len() as u64);
    for txn in &run.history.txns {
        match &txn.outcome {
            Outcome::Committed { .. } => tally.count("commits", 1),
            Outcome::Aborted { conflicts, .. } => {
                tally.count("aborts", 1);
                for conflict in conflicts {
                    let kind = format!("{:?}", conflict.kind).to_lowercase();
                    add(&mut tally.conflicts, &kind, 1);
                }
            }
            Outcome::Unknown { .. } => tally.count("unanswered", 1),
            Outcome::Running => tally.count("cut off", 1),
        }
    }
}

fn count_lives(run: &Run, tally: &mut Tally) {
    let mut crashed = false;
    for life in &run.lives {
        tally.count("lives", 1);
        tally.count("steps", life.life.steps);
        tally.count("preemptions", life.life.preemptions);
        tally.count("disk operations", life.disk_operations);
        tally.count("lives on a full disk", u64::from(life.now.cramped));
        if life.crashed() {
            tally.count("crashes", 1);
            hit(&mut tally.crashes, life.now.phase.name(), 1);
        }
        if crashed && life.opened() {
            tally.count("recoveries", 1);
        }
        crashed = life.crashed() || (crashed && !life.opened());
    }
    for crash in &run.crashes {
        tally.count("crashes that lost data", u64::from(crash.pieces_lost > 0));
        tally.count("crashes that left torn data", u64::from(crash.pieces_torn > 0));
        tally.count("crashes that left noise or old content", u64::from(crash.dirty_tails > 0));
    }
}

fn count_invariants(run: &Run, tally: &mut Tally) {
    for (&name, &evaluated) in &run.verdict.evaluated {
        tally.invariants.insert(name.to_owned(), Evaluations { evaluated, seeds: 1, violated: 0 });
    }
    for finding in run.findings() {
        tally.invariants.entry(finding.invariant.clone()).or_default().violated = 1;
    }
}

/// The kinds of failure of a run, the first one first, each once.
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
