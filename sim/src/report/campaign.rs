//! The report of a campaign.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stormproof_reports::{
    Campaign, ConflictKind, ConflictTotal, Failure, FaultTotal, InvariantTotal, MarkTotal, StrategyTotal,
    WorkloadTotal,
};

use crate::stats::Hits;
use crate::sweep::CampaignResult;
use crate::{invariants, marks};

/// The report of a campaign; `flags` are those of its options, for reproducing commands, `traces` the trace
/// files that were written, by seed.
pub fn campaign(result: &CampaignResult, flags: &str, traces: &BTreeMap<u64, PathBuf>) -> Campaign {
    let stats = &result.stats;
    let end = result.end.as_ref();
    Campaign {
        title: format!("sweep of {} seeds", result.seeds),
        command: end.map(|end| end.command.clone()).unwrap_or_default(),
        subject: format!("stormproof {}", env!("CARGO_PKG_VERSION")),
        shard: end.map(|end| end.shard.clone()).unwrap_or_default(),
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
        failures: failures(result, flags, traces),
        marks: marks::ALL
            .iter()
            .map(|&name| {
                let Hits { hits, seeds } = stats.marks.get(name).copied().unwrap_or_default();
                MarkTotal { name: name.into(), hits, seeds }
            })
            .collect(),
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
                violated: share.violated,
                ..StrategyTotal::default()
            })
            .collect(),
        speed: end.map(|end| end.progress.clone()).unwrap_or_default(),
        omitted: omitted(result),
        ..Campaign::default()
    }
}

/// What [`CampaignResult`] counts without keeping it.
fn omitted(result: &CampaignResult) -> Vec<String> {
    let kept = |group: &crate::sweep::FailureGroup| group.seeds.len() as u64;
    let more = |(identity, group): (&crate::finding::Identity, &crate::sweep::FailureGroup)| {
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

fn failures(result: &CampaignResult, flags: &str, traces: &BTreeMap<u64, PathBuf>) -> Vec<Failure> {
    let of_group = |group: &crate::sweep::FailureGroup| {
        let example = group.example.clone();
        let workload = group.workload.clone();
        group
            .seeds
            .iter()
            .map(move |&seed| Failure {
                seed,
                workload: workload.clone(),
                invariant: example.invariant.clone(),
                contract: example.contract.clone(),
                message: format!("{}: {}", example.class, example.message),
                reproduce: format!("stormproof run --seed {seed}{flags}"),
                trace_file: traces.get(&seed).map(|path| path.display().to_string()),
            })
            .collect::<Vec<_>>()
    };
    result.groups.values().flat_map(of_group).collect()
}

/// The total of the kind of conflict with this word; `None` if there is no such kind.
pub(super) fn conflicts(word: &str, count: u64) -> Option<ConflictTotal> {
    Some(ConflictTotal { kind: ConflictKind::of_word(word)?, count })
}
