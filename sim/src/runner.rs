//! From seed and options to a run: what every command starts with.

use stormproof_rt_shuttle::mutants::Mutant;
use stormproof_workloads::Workload;

use crate::options::Options;
use crate::plan::{Plan, StrategyPlan, draw};
use crate::registry::{Registry, SelectionError};
use crate::run::{Keep, Run, RunError, Watched, run, run_keeping, run_watched};
use crate::seed::{Draw, Seed};
use crate::store::simulated::EngineStore;
use crate::suggest::use_one_of;

/// Plans and runs seeds, with options that were checked against what this binary has.
pub struct SeedRunner {
    registry: Registry,
    options: Options,
    workloads: Vec<stormproof_rt::sync::Arc<dyn Workload>>,
    change: Option<Change>,
}

/// Changes a plan.
type Change = Box<dyn Fn(&mut Plan)>;

/// The options name something that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A mutant or a strategy.
    #[error("no {what} is called `{name}`: this binary does not have it: {}", use_one_of(name, known))]
    UnknownName {
        /// What was named: a mutant or a strategy.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Workloads.
    #[error(transparent)]
    Selection(#[from] SelectionError),
}

impl SeedRunner {
    /// Checks the options.
    ///
    /// # Errors
    /// When they name a workload, mutant or strategy that this binary does not have, or a recording that
    /// can't be read.
    pub fn new(registry: Registry, options: Options) -> Result<Self, RunnerError> {
        let workloads = registry.select(&options, &EngineStore::can())?;
        let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        check("mutant", &options.mutant, &names(Mutant::ALL.iter().map(|mutant| mutant.name()).collect()))?;
        let strategies = names(StrategyPlan::weights().into_iter().map(|(_, name)| name).collect());
        check("strategy", &options.strategy, &strategies)?;
        Ok(Self { registry, options, workloads, change: None })
    }

    /// Changes every plan that is drawn, in ways that no option offers. The change must depend on the plan
    /// alone.
    #[must_use]
    pub fn changing(self, change: impl Fn(&mut Plan) + 'static) -> Self {
        Self { change: Some(Box::new(change)), ..self }
    }

    /// Returns the workloads that this binary knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the plan of a seed, and every draw that made it.
    pub fn plan(&self, seed: Seed) -> (Plan, Vec<Draw>) {
        let streams = seed.streams();
        let workloads: Vec<&dyn Workload> = self.workloads.iter().map(|workload| &**workload).collect();
        let tuned = |name: &str, parameters: &_| self.registry.find(name, parameters);
        let mut plan = draw(seed, &self.options, &workloads, tuned, &streams);
        if let Some(change) = &self.change {
            change(&mut plan);
        }
        (plan, streams.draws())
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run(&self, plan: &Plan) -> Result<Run, RunError> {
        run(plan, &self.registry)
    }

    /// Runs a plan and watches it step by step, for a report.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_watched(&self, plan: &Plan) -> Result<(Run, Watched), RunError> {
        run_watched(plan, &self.registry)
    }

    /// Runs a plan and keeps what `keep` says of it.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_keeping(&self, plan: &Plan, keep: Keep) -> Result<Run, RunError> {
        run_keeping(plan, &self.registry, keep)
    }
}

fn check(what: &'static str, names: &[String], known: &[String]) -> Result<(), RunnerError> {
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(RunnerError::UnknownName { what, name: name.clone(), known: known.to_vec() }),
    }
}
