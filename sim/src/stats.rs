//! Counts of what happened in runs: of one seed, of a batch, of a whole campaign.
//!
//! Job: sums that add up in any order, so that batches, workers and shards come to the same total.
//! INV-STATS-1: `merge` is associative and commutative.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A figure of [`Stats::counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Transactions that began.
    Transactions,
    /// Transactions that committed.
    Commits,
    /// Transactions of clients that committed: without those that set up, audit and inspect.
    ClientCommits,
    /// Transactions that aborted.
    Aborts,
    /// Transactions whose commit was not answered.
    Unanswered,
    /// Transactions that a crash ended before their commit.
    CutOff,
    /// Lives of stores.
    Lives,
    /// Scheduling points.
    Steps,
    /// Switches away from a task that could have gone on.
    Preemptions,
    /// Operations of the simulated disk.
    DiskOperations,
    /// Lives on a full disk.
    FullDisks,
    /// Power cuts.
    Crashes,
    /// Stores that opened after a power cut.
    Recoveries,
    /// Power cuts that lost unsynced data.
    LossyCrashes,
    /// Power cuts that left data in part.
    TornCrashes,
    /// Power cuts that left noise or old content.
    DirtyCrashes,
    /// Runs whose isolation could not be decided by values alone.
    Undecided,
    /// Seeds that were run twice.
    Compared,
}

impl Count {
    /// Returns its name, which is also its key on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Commits => "commits",
            Self::ClientCommits => "commits of clients",
            Self::Aborts => "aborts",
            Self::Unanswered => "unanswered",
            Self::CutOff => "cut off",
            Self::Lives => "lives",
            Self::Steps => "steps",
            Self::Preemptions => "preemptions",
            Self::DiskOperations => "disk operations",
            Self::FullDisks => "lives on a full disk",
            Self::Crashes => "crashes",
            Self::Recoveries => "recoveries",
            Self::LossyCrashes => "crashes that lost data",
            Self::TornCrashes => "crashes that left torn data",
            Self::DirtyCrashes => "crashes that left noise or old content",
            Self::Undecided => "not decided by values alone",
            Self::Compared => "compared",
        }
    }
}

/// How often, and in how many seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hits {
    /// How often in all.
    pub hits: u64,
    /// In how many seeds at least once.
    pub seeds: u64,
}

/// How an invariant fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    /// How many times it was evaluated.
    pub evaluated: u64,
    /// In how many seeds at least once.
    pub seeds: u64,
    /// In how many seeds it was violated.
    pub violated: u64,
}

/// Seeds of one kind (a workload, a strategy) and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Seeds.
    pub seeds: u64,
    /// Transactions that committed.
    pub commits: u64,
    /// Transactions that aborted.
    pub aborts: u64,
    /// Seeds that violated something.
    pub violated: u64,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Seeds.
    pub seeds: u64,
    /// Figures by name: transactions, commits, aborts, crashes, recoveries, steps …
    pub counts: BTreeMap<String, u64>,
    /// Conflicts by kind.
    pub conflicts: BTreeMap<String, u64>,
    /// Crashes by what the store was doing.
    pub crashes: BTreeMap<String, Hits>,
    /// Faults that fired, by kind.
    pub faults: BTreeMap<String, Hits>,
    /// Rare situations that were reached.
    pub marks: BTreeMap<String, Hits>,
    /// Situations that the isolation asked for allows and that were seen (a write skew under snapshot
    /// isolation).
    pub sightings: BTreeMap<String, Hits>,
    /// Invariants by name.
    pub invariants: BTreeMap<String, Evaluations>,
    /// Calls of public functions of the engine: by function, then by outcome.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Pairs of acts on one key in one transaction: by the first one, then by the one after it.
    pub pairs: BTreeMap<String, BTreeMap<String, u64>>,
    /// Seeds by workload.
    pub workloads: BTreeMap<String, Share>,
    /// Seeds by scheduling strategy of their first life.
    pub strategies: BTreeMap<String, Share>,
}

impl Stats {
    /// Adds to a figure.
    pub fn count(&mut self, count: Count, more: u64) {
        add(&mut self.counts, count.name(), more);
    }

    /// Returns a figure; 0 if it was never counted.
    pub fn get(&self, count: Count) -> u64 {
        self.counts.get(count.name()).copied().unwrap_or(0)
    }

    /// Adds the counts of other runs.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        for (name, more) in other.counts {
            add(&mut self.counts, &name, more);
        }
        for (name, more) in other.conflicts {
            add(&mut self.conflicts, &name, more);
        }
        merge_nested(&mut self.calls, other.calls);
        merge_nested(&mut self.pairs, other.pairs);
        merge_hits(&mut self.crashes, other.crashes);
        merge_hits(&mut self.faults, other.faults);
        merge_hits(&mut self.marks, other.marks);
        merge_hits(&mut self.sightings, other.sightings);
        for (name, more) in other.invariants {
            let sum = self.invariants.entry(name).or_default();
            sum.evaluated += more.evaluated;
            sum.seeds += more.seeds;
            sum.violated += more.violated;
        }
        merge_shares(&mut self.workloads, other.workloads);
        merge_shares(&mut self.strategies, other.strategies);
    }
}

/// Counts `hits` of one seed under `name`.
pub(crate) fn hit(hits: &mut BTreeMap<String, Hits>, name: &str, more: u64) {
    if more == 0 {
        return;
    }
    match hits.get_mut(name) {
        Some(sum) => sum.hits += more,
        None => {
            hits.insert(name.to_owned(), Hits { hits: more, seeds: 1 });
        }
    }
}

pub(crate) fn add(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(sum) => *sum += more,
        None => {
            counts.insert(name.to_owned(), more);
        }
    }
}

fn merge_hits(into: &mut BTreeMap<String, Hits>, from: BTreeMap<String, Hits>) {
    for (name, more) in from {
        let sum = into.entry(name).or_default();
        sum.hits += more.hits;
        sum.seeds += more.seeds;
    }
}

/// Adds what was counted by two names.
pub(crate) fn merge_nested(
    into: &mut BTreeMap<String, BTreeMap<String, u64>>,
    from: BTreeMap<String, BTreeMap<String, u64>>,
) {
    for (name, counts) in from {
        let sums = into.entry(name).or_default();
        for (name, more) in counts {
            add(sums, &name, more);
        }
    }
}

fn merge_shares(into: &mut BTreeMap<String, Share>, from: BTreeMap<String, Share>) {
    for (name, more) in from {
        let sum = into.entry(name).or_default();
        sum.seeds += more.seeds;
        sum.commits += more.commits;
        sum.aborts += more.aborts;
        sum.violated += more.violated;
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Stats, hit};

    fn seed(mark: &str, commits: u64) -> Stats {
        let mut stats = Stats { seeds: 1, ..Stats::default() };
        stats.count(Count::Commits, commits);
        hit(&mut stats.marks, mark, 2);
        hit(&mut stats.marks, mark, 1);
        hit(&mut stats.marks, "never", 0);
        stats
    }

    #[test]
    fn batches_add_up_in_any_order() {
        let mut ab = seed("a", 1);
        ab.merge(seed("b", 2));
        let mut ba = seed("b", 2);
        ba.merge(seed("a", 1));
        assert_eq!(ab, ba);
        assert_eq!(ab.get(Count::Commits), 3);
        assert_eq!((ab.marks["a"].hits, ab.marks["a"].seeds), (3, 1));
        assert!(!ab.marks.contains_key("never"));
    }
}
