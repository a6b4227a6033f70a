//! The zoo: deliberate bugs of the engine, and whether they are found.
//!
//! Job: for every mutant, how many seeds and how long it takes until a sweep finds it, from several starts;
//! the invariants that catch it, and the size of its shrunk trace. [`power`] compares strategies by how often
//! they find mutants, and computes the weights with which all of them together do best.

pub mod power;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, Ordering};
use stormproof_rt::time;
use stormproof_rt_shuttle::mutants::Mutant;

use crate::finding::Identity;
use crate::options::Options;
use crate::plan::{Plan, PlanSize};
use crate::registry::Registry;
use crate::run::{Keep, Run};
use crate::runner::{RunnerError, SeedRunner};
use crate::seed::Seed;
use crate::shrink::{Budget, Shrunk, shrink};

/// How soon a mutant was found, and as what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MutantReport {
    /// Its name.
    pub name: String,
    /// What it breaks.
    pub breaks: String,
    /// The kind of real bug that it is modelled on.
    pub modelled_on: String,
    /// The row of the contract that it breaks.
    pub contract: String,
    /// Searches, each from another first seed.
    pub trials: u64,
    /// Seeds that a search may spend.
    pub budget: u64,
    /// The number of seeds of each search that found it.
    pub found_after: Vec<u64>,
    /// The number of seeds of each search that did not find it before its budget or time was used up.
    #[serde(default)]
    pub missed_after: Vec<u64>,
    /// The seconds of each search that found it.
    pub found_seconds: Vec<f64>,
    /// Seeds that all searches together have run.
    pub seeds: u64,
    /// The kinds of failure by which it was caught, each once.
    pub caught_as: Vec<Identity>,
    /// The first seed that found it.
    pub seed: Option<u64>,
    /// How large the shrunk plan is.
    pub shrunk: Option<PlanSize>,
}

impl MutantReport {
    /// Returns whether every search found it.
    pub fn is_found(&self) -> bool {
        self.found_after.len() as u64 == self.trials
    }

    /// Returns the median of seeds to detection, searches without success counted as more than the budget.
    pub fn median_seeds(&self) -> Option<u64> {
        let mut sorted = self.found_after.clone();
        sorted.sort_unstable();
        sorted.get(usize::try_from(self.trials / 2).unwrap_or(usize::MAX)).copied()
    }

    /// Returns a lower bound of the median of seeds to detection: the median over what all searches have run.
    pub fn median_searched(&self) -> u64 {
        let mut sorted: Vec<u64> = self.found_after.iter().chain(&self.missed_after).copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// Returns the median of seconds to detection, likewise.
    pub fn median_seconds(&self) -> Option<f64> {
        let mut sorted = self.found_seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(usize::try_from(self.trials / 2).unwrap_or(usize::MAX)).copied()
    }
}

/// How to search for mutants.
#[derive(Clone, Debug)]
pub struct Search {
    /// What may be drawn; its mutants are ignored.
    pub options: Options,
    /// Searches per mutant.
    pub trials: u64,
    /// Seeds per search.
    pub budget: u64,
    /// Time per search, whatever is left of its seeds.
    pub time_limit: Option<Duration>,
    /// The first seed.
    pub first: u64,
    /// How much to spend on shrinking the first failure; `None` leaves it as it is.
    pub shrink: Option<Budget>,
    /// Set from outside to end the search early.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Search {
    /// The first seed of a trial.
    pub fn first_of(&self, trial: u64) -> u64 {
        self.first.wrapping_add(trial.wrapping_mul(1_000_003))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::SeqCst))
    }
}

/// Searches for one mutant. Returns the shrunk failure with the report, if shrinking was asked for.
///
/// # Errors
/// When the options name something that does not exist.
pub fn search_for(
    mutant: Mutant,
    search: &Search,
    registry: &Registry,
) -> Result<(MutantReport, Option<Shrunk>), RunnerError> {
    let options = Options { mutant: vec![mutant.name().to_owned()], ..search.options.clone() };
    let runner = SeedRunner::new(registry.clone(), options)?;
    let mut report = MutantReport {
        name: mutant.name().to_owned(),
        breaks: mutant.breaks().to_owned(),
        modelled_on: mutant.modelled_on().to_owned(),
        contract: mutant.contract().to_owned(),
        trials: search.trials,
        budget: search.budget,
        found_after: Vec::new(),
        missed_after: Vec::new(),
        found_seconds: Vec::new(),
        seeds: 0,
        caught_as: Vec::new(),
        seed: None,
        shrunk: None,
    };
    let mut first = None;
    for trial in 0..search.trials {
        if let Some((plan, run)) = detect(&runner, search, trial, &mut report) {
            first.get_or_insert((plan, run));
        }
    }
    let shrunk = first.zip(search.shrink.clone()).and_then(|((plan, run), budget)| {
        let begun = time::now();
        let in_time = |limit| time::now().saturating_since(begun) < limit;
        let mut go_on = |_: &PlanSize, _: u64| !search.is_stopped() && search.time_limit.is_none_or(in_time);
        shrink(&plan, &run, runner.registry(), budget, &mut go_on)
    });
    report.shrunk = shrunk.as_ref().map(|shrunk| shrunk.after);
    Ok((report, shrunk))
}

/// Runs one search. Returns the failure that ended it.
fn detect(
    runner: &SeedRunner,
    search: &Search,
    trial: u64,
    report: &mut MutantReport,
) -> Option<(Plan, Run)> {
    let start = time::now();
    let first = search.first_of(trial);
    for tried in 0..search.budget {
        let spent = time::now().saturating_since(start);
        if search.is_stopped() || search.time_limit.is_some_and(|limit| spent >= limit) {
            report.missed_after.push(tried);
            return None;
        }
        let seed = Seed(first.wrapping_add(tried));
        let (plan, _) = runner.plan(seed);
        report.seeds += 1;
        // A run without a verdict is no detection.
        let Ok(run) = runner.run_keeping(&plan, Keep::Verdict) else { continue };
        let Some(finding) = run.findings().first() else { continue };
        report.found_after.push(tried + 1);
        report.found_seconds.push(time::now().saturating_since(start).as_secs_f64());
        let identity = finding.identity();
        if !report.caught_as.contains(&identity) {
            report.caught_as.push(identity);
        }
        report.seed.get_or_insert(seed.0);
        return Some((plan, run));
    }
    report.missed_after.push(search.budget);
    None
}

/// Returns the median size of shrunk plans, count by count; `None` if none was shrunk.
pub fn median_size(reports: &[MutantReport]) -> Option<PlanSize> {
    let sizes: Vec<PlanSize> = reports.iter().filter_map(|report| report.shrunk).collect();
    let median = |count: fn(&PlanSize) -> usize| {
        let mut counts: Vec<usize> = sizes.iter().map(count).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied()
    };
    Some(PlanSize {
        clients: median(|size| size.clients)?,
        transactions: median(|size| size.transactions)?,
        operations: median(|size| size.operations)?,
        lives: median(|size| size.lives)?,
        crashes: median(|size| size.crashes)?,
        faults: median(|size| size.faults)?,
        preemptions: median(|size| size.preemptions)?,
    })
}

#[cfg(test)]
mod tests {
    use super::MutantReport;

    #[test]
    fn a_median_that_was_not_reached_is_more_than_what_was_run_and_not_than_the_budget() {
        let mut report: MutantReport = serde_json::from_value(serde_json::json!({
            "name": "A", "breaks": "", "modelled_on": "", "contract": "", "trials": 3, "budget": 20_000,
            "found_after": [298], "missed_after": [5_490, 5_800], "found_seconds": [9.0], "seeds": 11_588,
            "caught_as": [], "seed": 298, "shrunk": null,
        }))
        .expect("a report");
        assert_eq!((report.median_seeds(), report.median_searched()), (None, 5_490));
        report.found_after = vec![298, 7];
        assert_eq!(report.median_seeds(), Some(298));
    }
}
