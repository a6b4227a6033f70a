//! The result of a campaign so far, folded from its messages.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use stormproof_reports::SpeedPoint;

use super::message::{EndLine, FailedLine, Message, SeedLine};
use crate::digest::DigestValue;
use crate::finding::{Finding, Identity};
use crate::stats::Stats;

/// Seeds that a group of failures keeps as examples.
const EXAMPLES_MAX: usize = 100;

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureGroup {
    /// Seeds that failed so.
    pub count: u64,
    /// The lowest of them, sorted.
    pub seeds: Vec<u64>,
    /// A violation of the first of these seeds.
    pub example: Finding,
    /// Its workload.
    pub workload: String,
}

/// The result of a campaign so far. The order of messages makes no difference.
#[derive(Clone, Debug, Default)]
pub struct CampaignResult {
    /// Everything that is counted.
    pub stats: Stats,
    /// Seeds that are done.
    pub seeds: u64,
    /// Seeds that violated something.
    pub failing: u64,
    /// Violations by kind.
    pub groups: BTreeMap<Identity, FailureGroup>,
    /// Runs that ended without a verdict, lowest seeds first; as many as [`FailureGroup::seeds`].
    pub failed: Vec<FailedLine>,
    /// How many there were in all.
    pub failed_count: u64,
    /// How long it took; of merged shards, the longest.
    pub end: Option<EndLine>,
    interleavings: HashSet<u64, FixedState>,
}

impl CampaignResult {
    /// Adds a message.
    pub fn add(&mut self, message: Message) {
        match message {
            Message::Seed(seed) => self.seed(seed),
            Message::Batch(batch) => self.stats.merge(batch.stats),
            Message::Failed(failed) => self.fail(failed),
            Message::End(end) => self.end(end),
        }
    }

    /// How many interleavings were distinct.
    pub fn interleavings(&self) -> u64 {
        self.interleavings.len() as u64
    }

    fn seed(&mut self, line: SeedLine) {
        self.seeds += 1;
        let DigestValue(interleaving) = line.interleaving;
        self.interleavings.insert(interleaving);
        if let Some(why) = line.failed {
            self.fail(FailedLine { seed: line.seed, why });
        }
        self.failing += u64::from(!line.findings.is_empty());
        let mut seen = Vec::new();
        for finding in line.findings {
            let identity = finding.identity();
            if !seen.contains(&identity) {
                seen.push(identity.clone());
                self.group(identity, line.seed, &line.workload, finding);
            }
        }
    }

    fn group(&mut self, identity: Identity, seed: u64, workload: &str, example: Finding) {
        let group = self.groups.entry(identity).or_insert_with(|| FailureGroup {
            count: 0,
            seeds: Vec::new(),
            example: example.clone(),
            workload: workload.to_owned(),
        });
        group.count += 1;
        if group.seeds.first().is_some_and(|&first| seed < first) {
            group.example = example;
            workload.clone_into(&mut group.workload);
        }
        let place = group.seeds.partition_point(|&other| other < seed);
        group.seeds.insert(place, seed);
        group.seeds.truncate(EXAMPLES_MAX);
    }

    fn fail(&mut self, failed: FailedLine) {
        self.failed_count += 1;
        let place = self.failed.partition_point(|other| other.seed < failed.seed);
        self.failed.insert(place, failed);
        self.failed.truncate(EXAMPLES_MAX);
    }

    fn end(&mut self, end: EndLine) {
        self.end = Some(match self.end.take() {
            None => end,
            Some(before) => EndLine {
                seconds: before.seconds.max(end.seconds),
                jobs: before.jobs + end.jobs,
                command: before.command,
                shard: format!("{}, {}", before.shard, end.shard),
                rss_kib_max: before.rss_kib_max.max(end.rss_kib_max),
                interrupted: before.interrupted || end.interrupted,
                progress: SpeedPoint::add_curves(&before.progress, &end.progress),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::CampaignResult;
    use crate::digest::DigestValue;
    use crate::finding::Finding;
    use crate::sweep::message::{Message, SeedLine};

    fn line(seed: u64, class: &str) -> Message {
        let finding = Finding {
            invariant: "acked-survives".into(),
            contract: "D1".into(),
            class: class.into(),
            message: format!("seed {seed}"),
            txns: vec![1],
            keys: Vec::new(),
        };
        Message::Seed(SeedLine {
            seed,
            digest: DigestValue(seed),
            interleaving: DigestValue(seed / 2),
            workload: "bank".into(),
            findings: vec![finding.clone(), finding],
            failed: None,
        })
    }

    #[test]
    fn workers_may_answer_in_any_order() {
        let mut forwards = CampaignResult::default();
        let mut backwards = CampaignResult::default();
        for seed in 0..10 {
            let class = if seed % 3 == 0 { "lost" } else { "torn" };
            forwards.add(line(seed, class));
            backwards.add(line(9 - seed, if (9 - seed) % 3 == 0 { "lost" } else { "torn" }));
        }
        assert_eq!(forwards.groups, backwards.groups);
        assert_eq!(forwards.groups.len(), 2);
        assert_eq!((forwards.seeds, forwards.failing, forwards.interleavings()), (10, 10, 5));
        let group = &forwards.groups.values().next().unwrap();
        assert_eq!(group.example.message, format!("seed {}", group.seeds[0]));
    }
}
