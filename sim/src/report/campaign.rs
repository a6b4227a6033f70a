//! The report of a campaign.

use std::collections::BTreeMap;

use stormproof_reports::{
    CallTotal, Campaign, ConflictKind, ConflictTotal, Failure, FailureTotal, FaultTotal, InvariantTotal,
    MarkTotal, StrategyTotal, WorkloadTotal,
};

use crate::finding::Identity;
use crate::stats::Hits;
use crate::surface::FUNCTIONS;
use crate::sweep::{CampaignResult, FailureGroup};
use crate::triage::Rate;
use crate::{invariants, marks};

/// Returns the report of a campaign; `doubts` say why it proves nothing, if it does not.
pub fn campaign(result: &CampaignResult, doubts: &[String]) -> Campaign {
    let stats = &result.stats;
    let (start, end) = (result.start.as_ref(), result.end.as_ref());
    Campaign {
        title: format!("sweep of {} seeds", result.seeds),
        command: start.map(|start| start.command.clone()).unwrap_or_default(),
        subject: start.map(|start| start.build.to_string()).unwrap_or_default(),
        shard: String::new(),
        seconds: end.map_or(0.0, |end| end.seconds),
        jobs: end.map_or(0, |end| end.jobs),
        seeds: result.seeds,
        failed_runs: result.failed_count,
        interleavings: result.interleavings(),
        counts: stats.counts.clone(),
        invariants: invariants::all()
            .iter()
            .map(|about| {
                let sum = stats.invariants.get(about.name).copied().unwrap_or_default();
                InvariantTotal {
                    name: about.name.into(),
                    contract: about.contract.into(),
                    says: about.says.into(),
                    evaluated: sum.evaluated,
                    seeds: sum.seeds,
                    violated: sum.violated,
                }
            })
            .collect(),
        failing_seeds: result.failing,
        failures: failures(result),
        groups: groups(result),
        doubts: doubts.to_vec(),
        marks: marks::ALL
            .iter()
            .map(|&name| {
                let Hits { hits, seeds } = stats.marks.get(name).copied().unwrap_or_default();
                MarkTotal { name: name.into(), hits, seeds }
            })
            .collect(),
        calls: calls(&stats.calls),
        faults: stats
            .faults
            .iter()
            .map(|(name, &Hits { hits, seeds })| FaultTotal { name: name.clone(), fired: hits, seeds })
            .collect(),
        conflicts: stats.conflicts.iter().filter_map(|(kind, &count)| conflicts(kind, count)).collect(),
        workloads: stats
            .workloads
            .iter()
            .map(|(name, share)| WorkloadTotal {
                name: name.clone(),
                seeds: share.seeds,
                commits: share.commits,
                aborts: share.aborts,
                violated: share.violated,
            })
            .collect(),
        strategies: stats
            .strategies
            .iter()
            .map(|(name, share)| StrategyTotal {
                name: name.clone(),
                seeds: share.seeds,
                interleavings: result.interleavings_of(name),
                violated: share.violated,
            })
            .collect(),
        speed: end.map(|end| end.progress.clone()).unwrap_or_default(),
        omitted: omitted(result),
        ..Campaign::default()
    }
}

/// Every public function of the list, those that were never called too.
fn calls(counted: &BTreeMap<String, BTreeMap<String, u64>>) -> Vec<CallTotal> {
    let total = |(name, _): &(&str, _)| CallTotal {
        name: (*name).to_owned(),
        outcomes: counted.get(*name).cloned().unwrap_or_default(),
    };
    FUNCTIONS.iter().map(total).collect()
}

/// Returns what [`CampaignResult`] counts without keeping it.
fn omitted(result: &CampaignResult) -> Vec<String> {
    let kept = |group: &FailureGroup| group.examples.len() as u64;
    let more = |(identity, group): (&Identity, &FailureGroup)| {
        let missing = group.count - kept(group);
        (missing > 0).then(|| format!("{missing} of {} seeds that violated {identity}", group.count))
    };
    let mut omitted: Vec<String> = result.groups.iter().filter_map(more).collect();
    let failed = result.failed_count - result.failed.len() as u64;
    if failed > 0 {
        omitted.push(format!("{failed} of {} runs without a verdict", result.failed_count));
    }
    omitted
}

/// Groups failures by kind, the most frequent first.
pub(super) fn groups(result: &CampaignResult) -> Vec<FailureTotal> {
    let flags = result.flags();
    let total = |(identity, group): (&Identity, &FailureGroup)| {
        let first = group.first()?;
        let example = result.example(identity);
        let rate = Rate { of: result.seeds, count: group.count };
        let (low, high) = rate.interval();
        let trace = example.map(|example| example.shrunk.as_ref().unwrap_or(&example.trace));
        Some(FailureTotal {
            invariant: identity.invariant.clone(),
            contract: first.finding.contract.clone(),
            class: identity.class.clone(),
            shape: example.map(|example| example.shape.clone()).unwrap_or_default(),
            count: group.count,
            of: result.seeds,
            low,
            high,
            seeds_until_gone: rate.seeds_until_gone(),
            reproduce: format!("stormproof run --seed {}{flags}", first.seed),
            trace_file: trace.map(|path| path.display().to_string()),
            operations: example.and_then(|example| example.operations),
            ..FailureTotal::default()
        })
    };
    let mut groups: Vec<FailureTotal> = result.groups.iter().filter_map(total).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn failures(result: &CampaignResult) -> Vec<Failure> {
    let flags = result.flags();
    let of_group = |(identity, group): (&Identity, &FailureGroup)| {
        let example = result.example(identity).cloned();
        let flags = flags.clone();
        group
            .examples
            .iter()
            .map(move |failed| {
                let example = example.as_ref().filter(|example| example.seed == failed.seed);
                Failure {
                    seed: failed.seed,
                    workload: failed.workload.clone(),
                    invariant: failed.finding.invariant.clone(),
                    contract: failed.finding.contract.clone(),
                    message: format!("{}: {}", failed.finding.class, failed.finding.message),
                    reproduce: format!("stormproof run --seed {}{flags}", failed.seed),
                    trace_file: example.map(|example| example.trace.display().to_string()),
                }
            })
            .collect::<Vec<_>>()
    };
    let mut failures: Vec<Failure> = result.groups.iter().flat_map(of_group).collect();
    failures.sort_by(|a, b| (a.seed, &a.invariant).cmp(&(b.seed, &b.invariant)));
    failures
}

/// Returns the total of the kind of conflict with this word; `None` if there is no such kind.
pub(super) fn conflicts(word: &str, count: u64) -> Option<ConflictTotal> {
    Some(ConflictTotal { kind: ConflictKind::of_word(word)?, count })
}
