//! From seed and options to a run: what every command starts with.

use stormproof_rt_shuttle::mutants::Mutant;
use stormproof_workloads::Workload;

use crate::options::Options;
use crate::plan::{Plan, StrategyPlan, draw};
use crate::registry::{Registry, SelectionError};
use crate::run::{Run, RunError, Watched, run, run_watched};
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
        let plan = draw(seed, &self.options, &workloads, &streams);
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

    /// Runs a seed as a part of a campaign, twice if it belongs to the sample that is compared.
    pub fn seed_line(&self, seed: Seed) -> (SeedLine, Tally) {
        let (plan, draws) = self.plan(seed);
        let mut line = SeedLine {
            seed: seed.0,
            digest: plan.digest(),
            interleaving: plan.digest(),
            workload: plan.workload.workload.clone(),
            findings: Vec::new(),
            failed: None,
        };
        let run = match self.run(&plan) {
            Ok(run) => run,
            Err(error) => {
                line.failed = Some(error.to_string());
                return (line, Tally { seeds: 1, ..Tally::default() });
            }
        };
        let mut tally = summary::tally(&plan, &run);
        if is_sampled(seed) {
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
        let second = self.run(&again).map_err(|error| format!("not deterministic: {error}"))?;
        if first.digest == second.digest { Ok(()) } else { Err(first_difference(first, &second)) }
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

/// Where two runs of one plan went different ways, in words.
fn first_difference(first: &Run, second: &Run) -> String {
    for (number, (a, b)) in first.lives.iter().zip(&second.lives).enumerate() {
        if a.life.digest == b.life.digest {
            continue;
        }
        let (ours, theirs) = (&a.life.schedule.decisions.0, &b.life.schedule.decisions.0);
        let place = (0..ours.len().max(theirs.len())).find(|&n| ours.get(n) != theirs.get(n));
        return match place {
            Some(place) => format!(
                "not deterministic: in life {number}, scheduling decision {place} is {:?} in one run and {:?} in the other",
                ours.get(place),
                theirs.get(place)
            ),
            None => format!(
                "not deterministic: life {number} took the same decisions to other operations ({} and {} steps)",
                a.life.steps, b.life.steps
            ),
        };
    }
    let place = (0..first.events.len().max(second.events.len()))
        .find(|&n| first.events.get(n) != second.events.get(n));
    match place {
        Some(place) => format!(
            "not deterministic: event {place} of the history is {:?} in one run and {:?} in the other",
            first.events.get(place),
            second.events.get(place)
        ),
        None => "not deterministic: the disks were asked for different things".into(),
    }
}
