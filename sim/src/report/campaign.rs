//! What a campaign found, as a report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stormproof_reports::{
    Campaign, ConflictKind, ConflictTotal, Failure, FaultTotal, InvariantTotal, MarkTotal, StrategyTotal,
    WorkloadTotal,
};

use crate::sweep::Found;
use crate::tally::Hits;
use crate::{invariants, marks};

/// The report of a campaign; `flags` are those of its options, for reproducing commands, `traces` the trace files that were
/// written, by seed.
pub fn campaign(found: &Found, flags: &str, traces: &BTreeMap<u64, PathBuf>) -> Campaign {
    let tally = &found.tally;
    let end = found.end.as_ref();
    Campaign {
        title: format!("sweep of {} seeds", found.seeds),
        command: end.map(|end| end.command.clone()).unwrap_or_default(),
        subject: format!("stormproof {}", env!("CARGO_PKG_VERSION")),
        shard: end.map(|end| end.shard.clone()).unwrap_or_default(),
        seconds: end.map_or(0.0, |end| end.seconds),
        jobs: end.map_or(0, |end| end.jobs),
        seeds: found.seeds,
        failed_runs: found.failed_count,
        interleavings: found.interleavings(),
        counts: tally.counts.clone(),
        invariants: invariants::all()
            .iter()
            .map(|about| {
                let sum = tally.invariants.get(about.name).copied().unwrap_or_default();
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
        failures: failures(found, flags, traces),
        marks: marks::ALL
            .iter()
            .map(|&name| {
                let Hits { hits, seeds } = tally.marks.get(name).copied().unwrap_or_default();
                MarkTotal { name: name.into(), hits, seeds }
            })
            .collect(),
        faults: tally
            .faults
            .iter()
            .map(|(name, &Hits { hits, seeds })| FaultTotal { name: name.clone(), fired: hits, seeds })
            .collect(),
        conflicts: tally.conflicts.iter().filter_map(|(kind, &count)| conflicts(kind, count)).collect(),
        workloads: tally
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
        strategies: tally
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
        omitted: omitted(found),
        ..Campaign::default()
    }
}

/// What [`Found`] counts and does not keep.
fn omitted(found: &Found) -> Vec<String> {
    let kept = |group: &crate::sweep::Group| group.seeds.len() as u64;
    let more = |(identity, group): (&crate::finding::Identity, &crate::sweep::Group)| {
        let missing = group.count - kept(group);
        (missing > 0).then(|| format!("{missing} of {} seeds that violated {identity}", group.count))
    };
    let mut omitted: Vec<String> = found.groups.iter().filter_map(more).collect();
    let failed = found.failed_count - found.failed.len() as u64;
    if failed > 0 {
        omitted.push(format!("{failed} of {} runs without a verdict", found.failed_count));
    }
    omitted
}

fn failures(found: &Found, flags: &str, traces: &BTreeMap<u64, PathBuf>) -> Vec<Failure> {
    let of_group = |group: &crate::sweep::Group| {
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
    found.groups.values().flat_map(of_group).collect()
}

pub(super) fn conflicts(kind: &str, count: u64) -> Option<ConflictTotal> {
    let kind = match kind {
        "write" => ConflictKind::Write,
        "cas" => ConflictKind::Cas,
        "read" => ConflictKind::Read,
        "range" => ConflictKind::Range,
        _ => return None,
    };
    Some(ConflictTotal { kind, count })
}
