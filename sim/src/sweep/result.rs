//! The result of a campaign so far, folded from its messages.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stormproof_reports::SpeedPoint;

use super::message::{CanaryLine, EndLine, ExampleLine, FailedLine, Message, SeedLine, StartLine};
use crate::digest::DigestValue;
use crate::finding::{Finding, Identity};
use crate::stats::Stats;

/// Seeds that a group of failures keeps as examples.
const EXAMPLES_MAX: usize = 100;

/// Failures of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FailureGroup {
    /// How many seeds failed in this way.
    pub count: u64,
    /// The failures with the lowest seeds, sorted by seed.
    pub examples: Vec<FailedSeed>,
}

/// A seed that violated something.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// Its workload.
    pub workload: String,
    /// Its first violation of this kind.
    pub finding: Finding,
}

impl FailureGroup {
    /// Returns the failure with the lowest seed.
    pub fn first(&self) -> Option<&FailedSeed> {
        self.examples.first()
    }

    fn add(&mut self, failed: FailedSeed) {
        self.count += 1;
        let place = self.examples.partition_point(|other| other.seed < failed.seed);
        self.examples.insert(place, failed);
        self.examples.truncate(EXAMPLES_MAX);
    }
}

/// The result of a campaign so far. The order of messages makes no difference.
#[derive(Clone, Debug, Default)]
pub struct CampaignResult {
    /// What was to be run; of merged shards, what the first of them was to run.
    pub start: Option<Box<StartLine>>,
    /// Whether a deliberate bug was found; of merged shards, the first that was not.
    pub canary: Option<CanaryLine>,
    /// Everything that is counted.
    pub stats: Stats,
    /// Seeds that are done.
    pub seeds: u64,
    /// Seeds that violated something.
    pub failing: u64,
    /// Violations by kind.
    pub groups: BTreeMap<Identity, FailureGroup>,
    /// Files of examples.
    pub examples: Vec<ExampleLine>,
    /// Runs that ended without a verdict, lowest seeds first; a bounded number of them.
    pub failed: Vec<FailedLine>,
    /// How many there were in all.
    pub failed_count: u64,
    /// How it ended; of merged shards, the sum.
    pub end: Option<EndLine>,
    /// Distinct interleavings, each with the strategies that led to it, as bits.
    interleavings: HashMap<u64, u16, FixedState>,
    /// The strategies, in the order of those bits.
    strategies: Vec<String>,
}

impl CampaignResult {
    /// Adds a message.
    pub fn add(&mut self, message: Message) {
        match message {
            Message::Start(start) => _ = self.start.get_or_insert(start),
            Message::Canary(canary) => self.canary(canary),
            Message::Seed(seed) => self.seed(seed),
            Message::Batch(batch) => self.stats.merge(batch.stats),
            Message::Failed(failed) => self.fail(failed),
            Message::Example(example) => self.examples.push(example),
            Message::End(end) => self.end(end),
        }
    }

    /// Returns how many interleavings were distinct.
    pub fn interleavings(&self) -> u64 {
        self.interleavings.len() as u64
    }

    /// Returns how many interleavings of seeds under this strategy were distinct.
    pub fn interleavings_of(&self, strategy: &str) -> u64 {
        let Some(bit) = self.strategies.iter().position(|known| known == strategy) else { return 0 };
        self.interleavings.values().filter(|strategies| *strategies & (1 << bit) != 0).count() as u64
    }

    /// Returns the files of the example of a kind of failure.
    pub fn example(&self, identity: &Identity) -> Option<&ExampleLine> {
        self.examples.iter().find(|example| example.identity == *identity)
    }

    /// Returns the flags with which a seed of this campaign is run again.
    pub fn flags(&self) -> String {
        self.start.as_ref().map(|start| start.options.to_flags()).unwrap_or_default()
    }

    fn canary(&mut self, canary: CanaryLine) {
        if self.canary.as_ref().is_none_or(|known| known.found) {
            self.canary = Some(canary);
        }
    }

    fn seed(&mut self, line: SeedLine) {
        self.seeds += 1;
        let DigestValue(interleaving) = line.interleaving;
        let bit = self.strategy_bit(&line.strategy);
        *self.interleavings.entry(interleaving).or_default() |= bit;
        if let Some(why) = line.failed {
            self.fail(FailedLine { seed: line.seed, why });
        }
        self.failing += u64::from(!line.findings.is_empty());
        let mut seen = Vec::new();
        for finding in line.findings {
            let identity = finding.identity();
            if !seen.contains(&identity) {
                seen.push(identity.clone());
                let failed = FailedSeed { seed: line.seed, workload: line.workload.clone(), finding };
                self.groups.entry(identity).or_default().add(failed);
            }
        }
    }

    /// Returns the bit of a strategy; none for a run that had none, and for more strategies than there are
    /// bits.
    fn strategy_bit(&mut self, strategy: &str) -> u16 {
        if strategy.is_empty() {
            return 0;
        }
        let place = self.strategies.iter().position(|known| known == strategy).unwrap_or_else(|| {
            self.strategies.push(strategy.to_owned());
            self.strategies.len() - 1
        });
        1_u16.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0)
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
                seeds: before.seeds + end.seeds,
                rss_kib_max: before.rss_kib_max.max(end.rss_kib_max),
                ended: before.ended.max(end.ended),
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
            strategy: if seed < 4 { "pct".into() } else { "sticky".into() },
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
        for result in [&forwards, &backwards] {
            assert_eq!((result.interleavings_of("pct"), result.interleavings_of("sticky")), (2, 3));
            assert_eq!(result.interleavings_of("walk"), 0);
        }
    }

    #[test]
    fn each_example_keeps_its_own_message() {
        let mut result = CampaignResult::default();
        [7, 3, 5].into_iter().for_each(|seed| result.add(line(seed, "lost")));
        let group = result.groups.values().next().expect("one kind");
        let messages: Vec<_> = group.examples.iter().map(|failed| failed.finding.message.as_str()).collect();
        assert_eq!(messages, ["seed 3", "seed 5", "seed 7"]);
    }
}
