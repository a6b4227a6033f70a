//! From seed and options to a run: what every command starts with.

use stormproof_rt_shuttle::mutants::Mutant;
use stormproof_workloads::Workload;

use crate::digest::DigestValue;
use crate::options::Options;
use crate::plan::{Plan, StrategyPlan, draw};
use crate::registry::{Registry, SelectionError};
use crate::run::{Keep, Run, RunError, Watched, run, run_keeping, run_watched};
use crate::seed::{Draw, Seed};
use crate::store::simulated::EngineStore;
use crate::summary;
use crate::sweep::message::SeedLine;
use crate::tally::Tally;

/// Options that were checked against what this binary has.
pub struct Session {
    registry: Registry,
    options: Options,
    workloads: Vec<stormproof_rt::sync::Arc<dyn Workload>>,
}

/// Options ask for something that is not there.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A mutant or a strategy.
    #[error("no {what} is called `{name}`: this binary does not have it: use one of {}", .known.join(", "))]
    UnknownName {
        /// What was looked for.
        what: &'static str,
        /// By this name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Workloads.
    #[error(transparent)]
    Selection(#[from] SelectionError),
}

impl Session {
    /// Checks the options.
    ///
    /// # Errors
    /// When they name a workload, mutant or strategy that this binary does not have, or a recording that can't be read.
    pub fn new(registry: Registry, options: Options) -> Result<Self, SessionError> {
        let workloads = registry.select(&options, &EngineStore::can())?;
        let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        check("mutant", &options.mutant, &names(Mutant::ALL.iter().map(|mutant| mutant.name()).collect()))?;
        let strategies = names(StrategyPlan::weights().into_iter().map(|(_, name)| name).collect());
        check("strategy", &options.strategy, &strategies)?;
        Ok(Self { registry, options, workloads })
    }

    /// The workloads that this binary knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The plan of a seed, and every draw that made it.
    pub fn plan(&self, seed: Seed) -> (Plan, Vec<Draw>) {
        let streams = seed.streams();
        let workloads: Vec<&dyn Workload> = self.workloads.iter().map(|workload| &**workload).collect();
        let tuned = |name: &str, parameters: &_| self.registry.find(name, parameters);
        let plan = draw(seed, &self.options, &workloads, tuned, &streams);
        (plan, streams.draws())
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run(&self, plan: &Plan) -> Result<Run, RunError> {
        run(plan, &self.registry)
    }

    /// Runs a plan while somebody looks on, for a report.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_watched(&self, plan: &Plan) -> Result<(Run, Watched), RunError> {
        run_watched(plan, &self.registry)
    }

    /// Runs a plan, and keeps more of it.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_keeping(&self, plan: &Plan, keep: Keep) -> Result<Run, RunError> {
        run_keeping(plan, &self.registry, keep)
    }

    /// Runs a seed as a part of a campaign, twice if `twice` or if it belongs to the sample that is compared.
    pub fn seed_line(&self, seed: Seed, twice: bool) -> (SeedLine, Tally) {
        let (plan, draws) = self.plan(seed);
        let mut line = SeedLine {
            seed: seed.0,
            digest: DigestValue::default(),
            interleaving: DigestValue::default(),
            workload: plan.workload.workload.clone(),
            findings: Vec::new(),
            failed: None,
        };
        let run = match self.run_keeping(&plan, Keep::Verdict) {
            Ok(run) => run,
            Err(error) => {
                line.failed = Some(error.to_string());
                // No interleaving of its own to speak of: the plan tells it apart from others.
                line.digest = plan.digest();
                line.interleaving = line.digest;
                return (line, Tally { seeds: 1, ..Tally::default() });
            }
        };
        let mut tally = summary::tally(&plan, &run);
        if twice || is_sampled(seed) {
            tally.count("compared", 1);
            line.failed = self.compare(seed, &plan, &draws, &run).err();
        }
        line.digest = run.digest;
        line.interleaving = run.interleaving;
        line.findings = run.findings().to_vec();
        (line, tally)
    }

    /// Runs a seed again and compares.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn compare(&self, seed: Seed, plan: &Plan, draws: &[Draw], first: &Run) -> Result<(), String> {
        let (again, draws_again) = self.plan(seed);
        if let Some(place) =
            (0..draws.len().max(draws_again.len())).find(|&n| draws.get(n) != draws_again.get(n))
        {
            return Err(format!(
                "not deterministic: draw {place} of the plan is {} in one run and {} in the other",
                tell_draw(draws.get(place)),
                tell_draw(draws_again.get(place))
            ));
        }
        if again != *plan {
            return Err("not deterministic: the same draws gave another plan".into());
        }
        let second =
            self.run_keeping(&again, Keep::Verdict).map_err(|error| format!("not deterministic: {error}"))?;
        if first.digest == second.digest {
            return Ok(());
        }
        // Both are run again, with all draws on record. Chance may have it that these two do not differ.
        let on_record = || self.run_keeping(plan, Keep::Trail).ok();
        let difference = on_record().zip(on_record()).and_then(|(a, b)| first_difference(&a, &b));
        let digests =
            || format!("the digest is {} in one run and {} in the other", first.digest, second.digest);
        Err(format!("not deterministic: {}", difference.unwrap_or_else(digests)))
    }
}

/// One seed in a hundred is run twice.
fn is_sampled(seed: Seed) -> bool {
    let mut digest = crate::digest::Digest::default();
    digest.number(seed.0);
    digest.value().0 % 100 == 0
}

fn check(what: &'static str, names: &[String], known: &[String]) -> Result<(), SessionError> {
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(SessionError::UnknownName { what, name: name.clone(), known: known.to_vec() }),
    }
}

fn tell_draw(draw: Option<&Draw>) -> String {
    draw.map_or("missing".into(), |draw| format!("{} (no. {} of {})", draw.value, draw.nth, draw.stream))
}

/// The first draw at which two runs of one plan went different ways, in words: what was drawn, and where.
fn first_difference(first: &Run, second: &Run) -> Option<String> {
    for (number, (a, b)) in first.lives.iter().zip(&second.lives).enumerate() {
        let (mut ours, mut theirs) = (a.life.trail(), b.life.trail());
        let mut place = String::from("its start");
        for draw in 0_u64.. {
            match (ours.next(), theirs.next()) {
                (None, None) => break,
                (ours, theirs) if ours == theirs => place = ours.unwrap_or(place),
                (ours, theirs) => {
                    let [ours, theirs] =
                        [ours, theirs].map(|draw| draw.unwrap_or_else(|| "the end of the life".into()));
                    return Some(format!(
                        "draw {draw} of life {number}, behind {place}, is {ours} in one run and {theirs} in the other"
                    ));
                }
            }
        }
        // What is unsynced at the end of a life is drawn for, too.
        let (ours, theirs) = (first.crashes.get(number), second.crashes.get(number));
        if ours != theirs {
            return Some(format!(
                "what is left behind life {number} is {ours:?} in one run and {theirs:?} in the other"
            ));
        }
    }
    let count = first.events.len().max(second.events.len());
    let place = (0..count).find(|&n| first.events.get(n) != second.events.get(n))?;
    Some(format!(
        "event {place} of the history is {:?} in one run and {:?} in the other",
        first.events.get(place),
        second.events.get(place)
    ))
}
