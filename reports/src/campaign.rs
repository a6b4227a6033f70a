//! A sweep over many seeds, as data; the results of shards add up with [`Campaign::merge`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{ConflictKind, Verdict};

/// A sweep over many seeds, or what several shards of one found together.
///
/// Every field has a default, as in [`Report`](crate::Report).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Campaign {
    /// What was run, in a few words.
    pub title: String,
    /// The command that ran it.
    pub command: String,
    /// What was tested: name, version and commit of the store.
    pub subject: String,
    /// Which part of the seeds this is: `3/8`; empty for the whole.
    pub shard: String,
    /// Wall-clock seconds that it took; of merged shards, the longest.
    pub seconds: f64,
    /// Workers.
    pub jobs: u64,
    /// Seeds that were run.
    pub seeds: u64,
    /// Runs that ended without a verdict, and did not count.
    pub failed_runs: u64,
    /// Distinct interleavings among them.
    pub interleavings: u64,
    /// Figures: transactions, commits, crashes, recoveries, steps, …
    pub counts: BTreeMap<String, u64>,
    /// Every invariant and how it came out.
    pub invariants: Vec<InvariantTotal>,
    /// Seeds that violated something: each counts once, however much it violated.
    pub failing_seeds: u64,
    /// Violations: of each seed one of each kind.
    pub failures: Vec<Failure>,
    /// The same by kind: how often, how sure that is, and when it is gone.
    pub groups: Vec<FailureTotal>,
    /// Why this campaign proves nothing, if it does not: a shard that is missing or cut off, too little that
    /// happened.
    pub doubts: Vec<String>,
    /// Rare situations that a campaign should have reached.
    pub marks: Vec<MarkTotal>,
    /// Public functions of the store, how often each was called, and how that ended.
    pub calls: Vec<CallTotal>,
    /// Kinds of faults.
    pub faults: Vec<FaultTotal>,
    /// Conflicts by kind.
    pub conflicts: Vec<ConflictTotal>,
    /// Workloads.
    pub workloads: Vec<WorkloadTotal>,
    /// Scheduling strategies.
    pub strategies: Vec<StrategyTotal>,
    /// Progress over time.
    pub speed: Vec<SpeedPoint>,
    /// Deliberate bugs and how fast they were found, if the campaign was a zoo.
    pub zoo: Vec<MutantTotal>,
    /// What the producer left out of the above, and how much of it, in words.
    pub omitted: Vec<String>,
}

/// One invariant over all seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvariantTotal {
    /// Its name.
    pub name: String,
    /// The row of the contract.
    pub contract: String,
    /// What it says, in a sentence.
    pub says: String,
    /// How many times it was evaluated.
    pub evaluated: u64,
    /// In how many seeds it was evaluated at least once.
    pub seeds: u64,
    /// In how many seeds it was violated.
    pub violated: u64,
}

/// One seed that violated something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The workload.
    pub workload: String,
    /// The invariant.
    pub invariant: String,
    /// The row of the contract.
    pub contract: String,
    /// What happened, in a sentence.
    pub message: String,
    /// The command that reproduces it.
    pub reproduce: String,
    /// The trace file that was written, if one was.
    pub trace_file: Option<String>,
}

/// Failures that are likely one bug: of one invariant and class, and of one shape when shrunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureTotal {
    /// The invariant.
    pub invariant: String,
    /// The row of the contract.
    pub contract: String,
    /// The class.
    pub class: String,
    /// What a shrunk trace still needs to fail, in words; empty if none was shrunk.
    pub shape: String,
    /// Seeds that failed so.
    pub count: u64,
    /// Seeds that were run.
    pub of: u64,
    /// The interval in which their share lies with 95 %.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How many seeds must hold until the failure is gone with 99 %, if it is as rare as `low` says.
    pub seeds_until_gone: Option<u64>,
    /// The build in which it first showed; empty for one campaign.
    pub first_build: String,
    /// When that was, in seconds since 1970; 0 if it is not known.
    pub first_seen: u64,
    /// When it last showed, likewise.
    pub last_seen: u64,
    /// The command that reproduces it.
    pub reproduce: String,
    /// The smallest trace of it, if there is one.
    pub trace_file: Option<String>,
    /// Operations of that trace.
    pub operations: Option<u64>,
}

/// One rare situation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MarkTotal {
    /// Its name.
    pub name: String,
    /// How many times it was reached.
    pub hits: u64,
    /// In how many seeds.
    pub seeds: u64,
}

/// One public function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallTotal {
    /// Its name.
    pub name: String,
    /// Calls by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

impl CallTotal {
    /// Calls in all.
    pub fn calls(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Outcomes other than success, in words.
    pub fn failures(&self) -> String {
        let failed = self.outcomes.iter().filter(|(outcome, _)| *outcome != "ok");
        failed.map(|(outcome, count)| format!("{outcome} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// One kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultTotal {
    /// Its name.
    pub name: String,
    /// How many times it was injected.
    pub fired: u64,
    /// In how many seeds.
    pub seeds: u64,
}

/// Conflicts of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConflictTotal {
    /// The kind.
    pub kind: ConflictKind,
    /// How many.
    pub count: u64,
}

/// One workload over all seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkloadTotal {
    /// Its name.
    pub name: String,
    /// Seeds that ran it.
    pub seeds: u64,
    /// Transactions that committed.
    pub commits: u64,
    /// Transactions that aborted.
    pub aborts: u64,
    /// Seeds that violated something.
    pub violated: u64,
}

/// One scheduling strategy over all seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategyTotal {
    /// Its name.
    pub name: String,
    /// Seeds that ran under it.
    pub seeds: u64,
    /// Distinct interleavings among them.
    pub interleavings: u64,
    /// Seeds that violated something.
    pub violated: u64,
}

/// How far a campaign had got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeedPoint {
    /// Wall-clock seconds since its start.
    pub second: f64,
    /// Seeds that were done.
    pub seeds: u64,
    /// Distinct interleavings among them.
    pub interleavings: u64,
}

/// One deliberate bug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MutantTotal {
    /// Its name.
    pub name: String,
    /// What is wrong with it, in a sentence.
    pub says: String,
    /// Trials: sweeps from different first seeds, each until it is found or the budget is spent.
    pub trials: u64,
    /// The seeds that a trial may spend.
    pub budget: u64,
    /// For every trial that found it, after how many seeds.
    pub found_after: Vec<u64>,
    /// For every trial that found it, after how many wall-clock seconds, in the same order.
    pub found_seconds: Vec<f64>,
    /// The invariants that caught it.
    pub caught_by: Vec<String>,
    /// The command that shows its minimal trace.
    pub reproduce: String,
}

impl Campaign {
    /// Adds what another shard of the same campaign found.
    ///
    /// Sums add up, lists are joined by name, speeds are added second by second. Distinct interleavings are
    /// added too: shards run different seeds, so the sum is an upper bound.
    pub fn merge(&mut self, other: Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.jobs += other.jobs;
        self.seeds += other.seeds;
        self.failed_runs += other.failed_runs;
        self.interleavings += other.interleavings;
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
        self.shard = join(&self.shard, &other.shard);
        self.speed = SpeedPoint::add_curves(&self.speed, &other.speed);
        self.failing_seeds += other.failing_seeds;
        self.doubts.extend(other.doubts);
        self.groups.extend(other.groups);
        self.failures.extend(other.failures);
        self.failures.sort_by(|a, b| (a.seed, &a.invariant).cmp(&(b.seed, &b.invariant)));
        self.omitted.extend(other.omitted);
        merge_by(
            &mut self.invariants,
            other.invariants,
            |a, b| a.name == b.name,
            |a, b| {
                a.evaluated += b.evaluated;
                a.seeds += b.seeds;
                a.violated += b.violated;
            },
        );
        merge_by(
            &mut self.marks,
            other.marks,
            |a, b| a.name == b.name,
            |a, b| {
                a.hits += b.hits;
                a.seeds += b.seeds;
            },
        );
        merge_by(
            &mut self.calls,
            other.calls,
            |a, b| a.name == b.name,
            |a, b| {
                for (outcome, count) in b.outcomes {
                    *a.outcomes.entry(outcome).or_default() += count;
                }
            },
        );
        merge_by(
            &mut self.faults,
            other.faults,
            |a, b| a.name == b.name,
            |a, b| {
                a.fired += b.fired;
                a.seeds += b.seeds;
            },
        );
        merge_by(&mut self.conflicts, other.conflicts, |a, b| a.kind == b.kind, |a, b| a.count += b.count);
        merge_by(
            &mut self.workloads,
            other.workloads,
            |a, b| a.name == b.name,
            |a, b| {
                a.seeds += b.seeds;
                a.commits += b.commits;
                a.aborts += b.aborts;
                a.violated += b.violated;
            },
        );
        merge_by(
            &mut self.strategies,
            other.strategies,
            |a, b| a.name == b.name,
            |a, b| {
                a.seeds += b.seeds;
                a.interleavings += b.interleavings;
                a.violated += b.violated;
            },
        );
        merge_by(
            &mut self.zoo,
            other.zoo,
            |a, b| a.name == b.name,
            |a, b| {
                a.trials += b.trials;
                a.budget = a.budget.max(b.budget);
                a.found_after.extend(b.found_after);
                a.found_seconds.extend(b.found_seconds);
                a.caught_by.extend(b.caught_by);
                a.caught_by.sort();
                a.caught_by.dedup();
            },
        );
    }

    /// Returns the verdict. A violation stands, whatever doubts there are about the campaign.
    pub fn verdict(&self) -> Verdict {
        let violated = self.failing_seeds > 0
            || !self.failures.is_empty()
            || self.invariants.iter().any(|invariant| invariant.violated > 0);
        match () {
            () if violated => Verdict::Violated,
            () if self.failed_runs > 0 || !self.doubts.is_empty() => Verdict::Failed,
            () => Verdict::Held,
        }
    }

    /// Returns whether nothing was violated, every run counted, and the whole is there.
    pub fn held(&self) -> bool {
        self.verdict() == Verdict::Held
    }

    /// Returns the seeds per second over the whole campaign; 0 if it took no time.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn seeds_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.seeds as f64 / self.seconds } else { 0.0 }
    }
}

impl MutantTotal {
    /// Returns after how many seeds half of all trials had found it; `None` if fewer than half did.
    pub fn median_seeds(&self) -> Option<u64> {
        let mut found = self.found_after.clone();
        found.sort_unstable();
        found.get(median_index(self.trials)?).copied()
    }

    /// Returns after how many wall-clock seconds half of all trials had found it; `None` if fewer than half
    /// did.
    pub fn median_seconds(&self) -> Option<f64> {
        let mut found = self.found_seconds.clone();
        found.sort_by(f64::total_cmp);
        found.get(median_index(self.trials)?).copied()
    }
}

/// Returns the index of the median of `trials` sorted trials; those that found nothing count as the slowest.
fn median_index(trials: u64) -> Option<usize> {
    usize::try_from(trials.checked_sub(1)? / 2).ok()
}

fn merge_by<T>(into: &mut Vec<T>, from: Vec<T>, same: impl Fn(&T, &T) -> bool, add: impl Fn(&mut T, T)) {
    for item in from {
        match into.iter_mut().find(|known| same(known, &item)) {
            Some(known) => add(known, item),
            None => into.push(item),
        }
    }
}

fn join(a: &str, b: &str) -> String {
    match (a, b) {
        ("", only) | (only, "") => only.to_owned(),
        (a, b) => format!("{a}, {b}"),
    }
}

impl SpeedPoint {
    /// Adds two progress curves: at every time of either, what both had done by then.
    pub fn add_curves(a: &[Self], b: &[Self]) -> Vec<Self> {
        let mut seconds: Vec<f64> = a.iter().chain(b).map(|p| p.second).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.dedup();
        let by = |curve: &[Self], second: f64| {
            curve.iter().rev().find(|p| p.second <= second).copied().unwrap_or_default()
        };
        seconds
            .into_iter()
            .map(|second| {
                let (a, b) = (by(a, second), by(b, second));
                Self { second, seeds: a.seeds + b.seeds, interleavings: a.interleavings + b.interleavings }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Campaign, Failure, InvariantTotal, MarkTotal, MutantTotal, SpeedPoint, Verdict};

    fn shard(seeds: u64, violated: u64, first_seed: u64) -> Campaign {
        Campaign {
            shard: format!("{first_seed}"),
            seconds: 2.0,
            seeds,
            invariants: vec![InvariantTotal {
                name: "acked-survives".into(),
                violated,
                ..Default::default()
            }],
            marks: vec![MarkTotal { name: format!("mark {first_seed}"), hits: 1, seeds: 1 }],
            failures: (0..violated).map(|n| Failure { seed: first_seed + n, ..Default::default() }).collect(),
            speed: vec![SpeedPoint { second: 1.0, seeds: seeds / 2, interleavings: 0 }],
            ..Default::default()
        }
    }

    #[test]
    fn shards_add_up_whatever_their_order() {
        let mut ab = shard(10, 1, 100);
        ab.merge(shard(20, 0, 0));
        let mut ba = shard(20, 0, 0);
        ba.merge(shard(10, 1, 100));
        for merged in [&ab, &ba] {
            assert_eq!(merged.seeds, 30);
            assert_eq!(merged.invariants.len(), 1);
            assert_eq!(merged.invariants[0].violated, 1);
            assert_eq!(merged.marks.len(), 2);
            assert_eq!(merged.speed, [SpeedPoint { second: 1.0, seeds: 15, interleavings: 0 }]);
            assert!((merged.seeds_per_second() - 15.0).abs() < 1e-9);
            assert!(!merged.held());
        }
        assert_eq!(ab.failures, ba.failures);
    }

    #[test]
    fn trials_that_found_nothing_count_in_the_median() {
        let mutant = |trials| MutantTotal { trials, found_after: vec![9, 3, 5], ..Default::default() };
        assert_eq!(mutant(3).median_seeds(), Some(5));
        assert_eq!(mutant(5).median_seeds(), Some(9));
        assert_eq!(mutant(7).median_seeds(), None);
        assert_eq!(MutantTotal::default().median_seeds(), None);
    }

    #[test]
    fn a_run_without_a_verdict_is_not_a_campaign_that_held() {
        assert!(Campaign::default().held());
        assert!(!Campaign { failed_runs: 1, ..Default::default() }.held());
        let doubtful = Campaign { doubts: vec!["shard 1/3 is missing".into()], ..Default::default() };
        assert_eq!(doubtful.verdict(), Verdict::Failed);
        assert_eq!(Campaign { failing_seeds: 1, ..doubtful }.verdict(), Verdict::Violated);
    }
}
