//! Examples: one seed of each kind of failure is run again, written as a trace, and shrunk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stormproof_rt::sync::atomic::{AtomicBool, Ordering};
use stormproof_rt::time;

use super::Arguments;
use crate::cli::Failure;
use crate::cli::output::{reproduce, write_trace};
use crate::cli::rendering::page_beside;
use crate::finding::Identity;
use crate::plan::PlanSize;
use crate::report::{Origin, report};
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::shrink::{Budget, shrink};
use crate::sweep::CampaignResult;
use crate::trace::Trace;

/// Kinds of failure that get a trace.
const TRACES_MAX: usize = 10;

/// What shrinking may cost: runs and time per example, time for all.
const SHRINK_RUNS: u64 = 600;
const SHRINK_EACH: Duration = Duration::from_secs(5);
const SHRINK_ALL: Duration = Duration::from_secs(20);

/// The example of one kind of failure.
pub(super) struct Example {
    pub(super) seed: u64,
    pub(super) identity: Identity,
    pub(super) trace: PathBuf,
    pub(super) shrunk: Option<(PathBuf, PlanSize)>,
}

/// Runs an example of each kind of failure again, writes its trace, and shrinks it.
pub(super) fn examples(
    arguments: &Arguments,
    runner: &SeedRunner,
    result: &CampaignResult,
    interrupted: &AtomicBool,
) -> Result<Vec<Example>, Failure> {
    let folder = arguments.failures.clone().unwrap_or_else(|| PathBuf::from("failures"));
    let begun = time::now();
    let mut examples: Vec<Example> = Vec::new();
    for (identity, group) in result.groups.iter().take(TRACES_MAX) {
        let Some(&seed) = group.seeds.first() else { continue };
        let (plan, _) = runner.plan(Seed(seed));
        let command = reproduce(seed, runner.options());
        // A seed that failed in a worker and holds here has no trace; `compare` reports the nondeterminism.
        let Ok((mut run, watched)) = runner.run_watched(&plan) else { continue };
        if !run.findings().iter().any(|finding| finding.identity() == *identity) {
            continue;
        }
        run.verdict.findings.sort_by_key(|finding| finding.identity() != *identity);
        let trace = write_trace(&folder, &plan, &run, &command)?;
        let origin = Origin { reproduce: &command, trace_file: Some(&trace) };
        page_beside(&trace, &report(&plan, &run, &watched, origin).into())?;
        let started = time::now();
        let left = SHRINK_ALL.saturating_sub(started.saturating_since(begun)).min(SHRINK_EACH);
        let mut go_on = |_: &PlanSize, _: u64| {
            !interrupted.load(Ordering::SeqCst) && time::now().saturating_since(started) < left
        };
        let budget = Budget { runs: SHRINK_RUNS, ..Budget::default() };
        let shrunk = if arguments.no_shrink {
            None
        } else {
            shrink(&plan, &run, runner.registry(), budget, &mut go_on)
        };
        let shrunk = match shrunk {
            None => None,
            Some(shrunk) => {
                let path = shrunk_path(&trace, identity, &examples);
                Trace::shrunk(&shrunk.plan, &shrunk.run, &shrunk.finding, &command)
                    .write(&path)
                    .map_err(Failure::own)?;
                Some((path, shrunk.after))
            }
        };
        examples.push(Example { seed, identity: identity.clone(), trace, shrunk });
    }
    Ok(examples)
}

/// The file of a shrunk trace. One run can fail in several ways, and each of them is shrunk to a file of its
/// own.
fn shrunk_path(trace: &Path, identity: &Identity, examples: &[Example]) -> PathBuf {
    let path = trace.with_extension("min.trace");
    let taken = |example: &Example| example.shrunk.as_ref().is_some_and(|(other, _)| *other == path);
    if !examples.iter().any(taken) {
        return path;
    }
    let class: String =
        identity.class.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    trace.with_extension(format!("{class}.min.trace"))
}
