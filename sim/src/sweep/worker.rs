//! A worker process: reads batches of seeds, runs them, says what came of it.

use std::io::{self, BufRead, Write};

use super::message::{BatchLine, Message, SeedLine};
use crate::tally::Tally;

/// Serves batches from `input` (a line of seeds each, separated by spaces) until it ends; `run` runs one seed.
///
/// # Errors
/// When the coordinator is gone.
pub fn serve(
    input: impl BufRead,
    mut output: impl Write,
    mut run: impl FnMut(u64) -> (SeedLine, Tally),
) -> io::Result<()> {
    for line in input.lines() {
        let mut sum = Tally::default();
        for seed in line?.split_ascii_whitespace().filter_map(|seed| seed.parse().ok()) {
            let (line, tally) = run(seed);
            say(&mut output, &Message::Seed(line))?;
            sum.merge(tally);
        }
        say(&mut output, &Message::Batch(BatchLine { tally: sum, rss_kib: rss_kib() }))?;
    }
    Ok(())
}

/// One line, out at once: if the next seed kills the process, the coordinator knows that this one did not.
fn say(output: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Resident memory of this process; 0 where the system does not tell.
pub(crate) fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::serve;
    use crate::digest::DigestValue;
    use crate::sweep::message::{Message, SeedLine};
    use crate::tally::Tally;

    #[test]
    fn every_seed_is_answered_before_the_next_one_runs() {
        let mut output = Vec::new();
        let run = |seed| {
            let line = SeedLine {
                seed,
                digest: DigestValue(seed),
                interleaving: DigestValue(seed),
                workload: String::new(),
                findings: Vec::new(),
                failed: None,
            };
            (line, Tally { seeds: 1, ..Tally::default() })
        };
        serve(&b"1 2 3\n4\n"[..], &mut output, run).unwrap();
        let lines: Vec<Message> = output
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        assert_eq!(lines.len(), 6);
        assert!(matches!(&lines[3], Message::Batch(batch) if batch.tally.seeds == 3));
        assert!(matches!(&lines[4], Message::Seed(line) if line.seed == 4));
    }
}
