//! A worker process: reads batches of seeds, runs them, reports each result.

use std::io::{self, BufRead, Write};

use super::message::{BatchLine, Message, SeedLine};
use crate::determinism::compare;
use crate::digest::{Digest, DigestValue};
use crate::run::Keep;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::stats::{Count, Stats};
use crate::summary;

/// Serves batches from `input` (a line of seeds each, separated by spaces) until it ends; `run` runs one
/// seed.
///
/// # Errors
/// When the coordinator is gone.
pub fn serve(
    input: impl BufRead,
    mut output: impl Write,
    mut run: impl FnMut(u64) -> (SeedLine, Stats),
) -> io::Result<()> {
    for line in input.lines() {
        let mut sum = Stats::default();
        for seed in line?.split_ascii_whitespace().filter_map(|seed| seed.parse().ok()) {
            let (line, stats) = run(seed);
            write_line(&mut output, &Message::Seed(line))?;
            sum.merge(stats);
        }
        write_line(&mut output, &Message::Batch(BatchLine { stats: sum, rss_kib: rss_kib() }))?;
    }
    Ok(())
}

/// Runs a seed of a campaign, twice if `twice` is set or if it belongs to the sample that is compared.
pub fn seed_line(runner: &SeedRunner, seed: Seed, twice: bool) -> (SeedLine, Stats) {
    let (plan, draws) = runner.plan(seed);
    let mut line = SeedLine {
        seed: seed.0,
        digest: DigestValue::default(),
        interleaving: DigestValue::default(),
        workload: plan.workload.workload.clone(),
        strategy: String::new(),
        findings: Vec::new(),
        failed: None,
    };
    let run = match runner.run_keeping(&plan, Keep::Verdict) {
        Ok(run) => run,
        Err(error) => {
            line.failed = Some(error.to_string());
            // A run without a verdict has no digests: that of its plan stands for them.
            line.digest = plan.digest();
            line.interleaving = line.digest;
            return (line, Stats { seeds: 1, ..Stats::default() });
        }
    };
    let mut stats = summary::stats(&plan, &run);
    if twice || is_sampled(seed) {
        stats.count(Count::Compared, 1);
        line.failed = compare(runner, seed, &plan, &draws, &run).err().map(|error| error.to_string());
    }
    line.digest = run.digest;
    line.interleaving = run.interleaving;
    line.findings = run.findings().to_vec();
    line.strategy = run.lives.first().map(|life| life.strategy.to_owned()).unwrap_or_default();
    (line, stats)
}

/// Returns whether a seed is in the one per cent that is run twice.
fn is_sampled(seed: Seed) -> bool {
    let mut digest = Digest::default();
    digest.number(seed.0);
    digest.value().0 % 100 == 0
}

/// Writes one line and flushes: if the next seed kills the process, the coordinator knows that this one did
/// not.
fn write_line(output: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Returns the resident memory of this process, in KiB; 0 where it is not known.
pub(crate) fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::serve;
    use crate::digest::DigestValue;
    use crate::stats::Stats;
    use crate::sweep::message::{Message, SeedLine};

    #[test]
    fn every_seed_is_answered_before_the_next_one_runs() {
        let mut output = Vec::new();
        let run = |seed| {
            let line = SeedLine {
                seed,
                digest: DigestValue(seed),
                interleaving: DigestValue(seed),
                workload: String::new(),
                strategy: String::new(),
                findings: Vec::new(),
                failed: None,
            };
            (line, Stats { seeds: 1, ..Stats::default() })
        };
        serve(&b"1 2 3\n4\n"[..], &mut output, run).unwrap();
        let lines: Vec<Message> = output
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        assert_eq!(lines.len(), 6);
        assert!(matches!(&lines[3], Message::Batch(batch) if batch.stats.seeds == 3));
        assert!(matches!(&lines[4], Message::Seed(line) if line.seed == 4));
    }
}
