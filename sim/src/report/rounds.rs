//! Rounds on the real world, as a report.

use std::collections::BTreeMap;
use std::time::Duration;

use stormproof_reports::{Campaign, Failure, InvariantTotal, WorkloadTotal};

use super::campaign::conflicts;
use crate::invariants;
use crate::options::Options;
use crate::real::campaign::RoundReport;
use crate::real::figures::Figures;

/// What the rounds were.
#[derive(Clone, Copy, Debug)]
pub struct Rounds<'a> {
    /// What they ran on.
    pub store: &'a str,
    /// The flags of real runs, for reproducing commands.
    pub flags: &'a str,
    /// What else was asked for.
    pub options: &'a Options,
    /// The command that ran them.
    pub command: &'a str,
    /// How long they took.
    pub took: Duration,
}

/// Returns the report of real rounds: a seed each. Threads and kills are as they come, so what a command of a
/// failure plays again is its plan; what happened is in its history.
pub fn rounds(about: &Rounds<'_>, reports: &[RoundReport]) -> Campaign {
    let mut sum = Figures::default();
    reports.iter().for_each(|round| sum.add(&round.figures));
    let clients = about.options.clients.map_or(0, u64::from);
    Campaign {
        title: format!("{} rounds on real threads", reports.len()),
        command: about.command.to_owned(),
        subject: about.store.to_owned(),
        seconds: about.took.as_secs_f64(),
        jobs: clients,
        seeds: reports.len() as u64,
        counts: counts(&sum),
        invariants: totals(reports),
        failing_seeds: reports.iter().filter(|round| !round.findings.is_empty()).count() as u64,
        failures: reports.iter().flat_map(|round| failures(about, round)).collect(),
        conflicts: sum.conflicts.iter().filter_map(|(kind, &count)| conflicts(kind, count)).collect(),
        workloads: workloads(reports),
        omitted: undecided(reports),
        ..Campaign::default()
    }
}

fn counts(sum: &Figures) -> BTreeMap<String, u64> {
    [
        ("transactions", sum.transactions),
        ("commits", sum.commits),
        ("aborts", sum.aborts),
        ("unanswered", sum.unanswered),
        ("retries", sum.retries),
        ("given up", sum.given_up),
        ("lives", sum.lives),
        ("kills", sum.kills),
        ("conflicts per mille", sum.conflicts_per_mille()),
        ("worst action, µs", sum.worst_micros),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into()
}

/// Returns the totals of all invariants that every round is judged by: those that need a simulated disk are
/// left out.
fn totals(reports: &[RoundReport]) -> Vec<InvariantTotal> {
    let simulated = [invariants::IDEMPOTENT, invariants::CLEAN_CLOSE];
    let all = invariants::all().into_iter().filter(|about| !simulated.contains(&about.name));
    let total = |about: invariants::About| {
        let violates =
            |round: &&RoundReport| round.findings.iter().any(|found| found.invariant == about.name);
        let rounds = reports.len() as u64;
        InvariantTotal {
            name: about.name.into(),
            contract: about.contract.into(),
            says: about.says.into(),
            evaluated: rounds,
            seeds: rounds,
            violated: reports.iter().filter(violates).count() as u64,
        }
    };
    all.map(total).collect()
}

fn failures<'a>(about: &Rounds<'a>, round: &'a RoundReport) -> impl Iterator<Item = Failure> + use<'a> {
    let options = Options { workload: vec![round.workload.clone()], ..about.options.clone() };
    let reproduce =
        format!("stormproof run{} --seed {} --rounds 1{}", about.flags, round.seed, options.to_flags());
    round.findings.iter().map(move |found| Failure {
        seed: round.seed,
        workload: round.workload.clone(),
        invariant: found.invariant.clone(),
        contract: found.contract.clone(),
        message: format!("{}: {}", found.class, found.message),
        reproduce: reproduce.clone(),
        trace_file: round.history_file.as_ref().map(|path| path.display().to_string()),
    })
}

fn workloads(reports: &[RoundReport]) -> Vec<WorkloadTotal> {
    let mut totals: BTreeMap<&str, WorkloadTotal> = BTreeMap::new();
    for round in reports {
        let total = totals
            .entry(&round.workload)
            .or_insert_with(|| WorkloadTotal { name: round.workload.clone(), ..WorkloadTotal::default() });
        total.seeds += 1;
        total.commits += round.figures.commits;
        total.aborts += round.figures.aborts;
        total.violated += u64::from(!round.findings.is_empty());
    }
    totals.into_values().collect()
}

fn undecided(reports: &[RoundReport]) -> Vec<String> {
    let undecided = reports.iter().filter(|round| !round.undecided.is_empty()).count();
    (undecided > 0)
        .then(|| format!("what the values alone did not decide in {undecided} of {} rounds", reports.len()))
        .into_iter()
        .collect()
}
