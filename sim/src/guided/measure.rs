//! How soon a bug is found, blind and guided: in seconds of processor time, over several starts.
//!
//! Source: Klees et al., "Evaluating Fuzz Testing" (CCS 2018): several trials, medians with an interval, and
//! bugs rather than coverage.

use serde::{Deserialize, Serialize};

use super::Guided;
use super::corpus::Corpus;
use crate::registry::Registry;
use crate::run::Keep;
use crate::runner::{RunnerError, SeedRunner};
use crate::seed::Seed;
use crate::zoo::Search;

/// One search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Whether it found the bug.
    pub found: bool,
    /// Plans that were run.
    pub plans: u64,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
}

/// The searches for one bug.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Its name.
    pub mutant: String,
    /// Blind ones.
    pub blind: Vec<Trial>,
    /// Guided ones.
    pub guided: Vec<Trial>,
}

/// Searches for a mutant blind and guided, from the same starts.
///
/// # Errors
/// When the options name something that does not exist.
pub fn compare(mutant: &str, search: &Search, registry: &Registry) -> Result<Comparison, RunnerError> {
    let options = crate::options::Options { mutant: vec![mutant.to_owned()], ..search.options.clone() };
    let runner = SeedRunner::new(registry.clone(), options)?;
    let mut comparison = Comparison { mutant: mutant.to_owned(), blind: Vec::new(), guided: Vec::new() };
    for trial in 0..search.trials {
        let first = search.first_of(trial);
        let mut seed = first;
        comparison.blind.push(until_found(search, || {
            let (plan, _) = runner.plan(Seed(seed));
            seed = seed.wrapping_add(1);
            runner.run_keeping(&plan, Keep::Verdict).is_ok_and(|run| !run.findings().is_empty())
        }));
        let mut guided = Guided::new(&runner, first, Corpus::default());
        comparison
            .guided
            .push(until_found(search, || guided.step().run.is_ok_and(|run| !run.findings().is_empty())));
    }
    Ok(comparison)
}

fn until_found(search: &Search, mut finds: impl FnMut() -> bool) -> Trial {
    let begun = cpu_seconds();
    let spent = || cpu_seconds() - begun;
    let limit = search.time_limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
    for plans in 1..=search.budget {
        if finds() {
            return Trial { found: true, plans, cpu_seconds: spent() };
        }
        if spent() > limit || search.is_stopped() {
            return Trial { found: false, plans, cpu_seconds: spent() };
        }
    }
    Trial { found: false, plans: search.budget, cpu_seconds: spent() }
}

/// Seconds of processor time of this thread, on which all of a run happens; 0 where the system does not say.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: u64 = text.split_ascii_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
    nanos as f64 / 1e9
}

/// The median of some searches, and the interval in which it lies with about 95 %, from order statistics. One
/// that found nothing counts as longer than any; what lies there is `None`.
pub fn median(trials: &[Trial]) -> (Option<f64>, [Option<f64>; 2]) {
    let mut sorted: Vec<Option<f64>> =
        trials.iter().map(|trial| trial.found.then_some(trial.cpu_seconds)).collect();
    sorted.sort_by(|a, b| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)));
    let at = |place: usize| sorted.get(place).copied().flatten();
    if sorted.is_empty() {
        return (None, [None, None]);
    }
    let low = lower_rank(sorted.len());
    (at(sorted.len() / 2), [at(low), at(sorted.len() - 1 - low)])
}

/// The largest number of values that may be left out on each side, so that the rest covers the median with
/// 95 %: binomial with one half.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "few trials"
)]
fn lower_rank(count: usize) -> usize {
    let mut tail = 0.0;
    let mut choose = 1.0;
    for rank in 0..count / 2 {
        tail += choose * 0.5_f64.powi(count as i32);
        if tail > 0.025 {
            return rank.saturating_sub(1);
        }
        choose *= (count - rank) as f64 / (rank + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(seconds: &[Option<f64>]) -> Vec<Trial> {
        let trial = |seconds: &Option<f64>| Trial {
            found: seconds.is_some(),
            plans: 1,
            cpu_seconds: seconds.unwrap_or(9.0),
        };
        seconds.iter().map(trial).collect()
    }

    #[test]
    fn a_median_comes_with_its_interval() {
        let ten: Vec<Option<f64>> = (1..=10).map(|n| Some(f64::from(n))).collect();
        assert_eq!(median(&trials(&ten)), (Some(6.0), [Some(2.0), Some(9.0)]));
        assert_eq!(lower_rank(3), 0);
    }

    #[test]
    fn a_search_that_found_nothing_is_longer_than_any() {
        let found = trials(&[Some(1.0), None, None]);
        assert_eq!(median(&found), (None, [Some(1.0), None]));
        assert_eq!(median(&[]), (None, [None, None]));
    }
}
