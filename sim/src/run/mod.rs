//! Runs a plan: lives, one after the other, in one world; then judges the result.
//!
//! `plan → world → lives → history → verdict`. Everything in here is a function of the plan and the code.

mod scripted;
mod application;
mod execution;
mod hook;
mod life;
mod rest;
mod runs;
mod visitors;
mod verdict;
mod watch;
mod world;

use std::any::Any;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stormproof_faults::{CrashReport, FiredFault};
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::life::{Cancel, ForcedSwitch, LifeEnd, LifeOutcome};
use stormproof_rt_shuttle::strategy::Bounded;
use stormproof_workloads::history::{Event, Session};
use stormproof_workloads::notebook::Note;
use stormproof_workloads::plan::Client;
use stormproof_workloads::{About, History};

pub use application::{Application, Program, ProgramLife};
use execution::Execution;
pub use hook::WorldHook;
pub use life::Role;
pub use rest::rest_rules;
pub(crate) use scripted::{Cut, ScriptedLife, run_scripted};

pub use crate::inspector::INSPECTOR;
pub use verdict::{Verdict, expectations};
pub use watch::{Watched, WatchedFrontier, WatchedStep};
pub use world::{Contents, Now, Phase, SimWorld};

use crate::digest::DigestValue;
use crate::finding::Finding;
use crate::guided::coverage::{self, Feature};
use crate::plan::{Plan, StrategyPlan};
use crate::registry::Registry;
use crate::store::calls::Counted;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// What its workload is about.
    pub about: About,
    /// Lives, in order, those that only open the store again included.
    pub lives: Vec<LifeRun>,
    /// What happened, event by event, if that was asked for ([`Keep`]).
    pub events: Vec<Event>,
    /// What happened, folded.
    pub history: History,
    /// What clients noted beside it.
    pub notes: Vec<Note>,
    /// Faults that fired.
    pub faults: Vec<FiredFault>,
    /// The clients of an application and what they had to do, if it was one that ran.
    pub clients: Option<Vec<Client>>,
    /// Tasks of an application that are no clients, by the sessions in which they used the database.
    pub others: BTreeMap<Session, String>,
    /// What power cuts did.
    pub crashes: Vec<CrashReport>,
    /// Which functions of the engine were called, and pairs of acts.
    pub counted: Counted,
    /// The judgement.
    pub verdict: Verdict,
    /// The digest of everything that happened: every scheduling point, every disk operation, every event.
    pub digest: DigestValue,
    /// The digest of the switches only.
    pub interleaving: DigestValue,
}

/// One life of a run.
#[derive(Debug)]
pub struct LifeRun {
    /// What it was for.
    pub role: Role,
    /// The strategy that decided it, by name.
    pub strategy: &'static str,
    /// The runtime's outcome.
    pub life: LifeOutcome,
    /// What the world knows of it.
    pub now: Now,
    /// How many operations the disk had.
    pub disk_operations: u64,
    /// How many of them were syncs.
    pub disk_syncs: u64,
    /// The disk operation at which the power went out, if it was at one.
    pub crashed_at: Option<String>,
    /// How many faults had fired when it began, and when it ended.
    pub faults: (usize, usize),
}

impl LifeRun {
    /// Returns whether the power went out.
    pub fn crashed(&self) -> bool {
        matches!(self.life.end, LifeEnd::Killed)
    }

    /// Returns whether the store could be opened.
    pub fn opened(&self) -> bool {
        self.now.open_error.is_none() && self.now.phase > Phase::Recovery
    }
}

impl Run {
    /// Returns the violations.
    pub fn findings(&self) -> &[Finding] {
        &self.verdict.findings
    }

    /// Returns the switches of each life, by name: forcing them repeats the schedule.
    pub fn forced_switches(&self) -> Vec<Vec<ForcedSwitch>> {
        self.lives.iter().map(|run| run.life.schedule.forced_switches()).collect()
    }

    /// Returns where lives first differed from what was to be replayed.
    pub fn divergences(&self) -> Vec<String> {
        let tell = |(number, run): (usize, &LifeRun)| {
            let report = &run.life.report;
            let unmet = report.unmet.iter().map(|point| format!("never came to {point}"));
            let all: Vec<String> = report.diverged.iter().cloned().chain(unmet).collect();
            all.into_iter().map(move |what| format!("life {number}: {what}"))
        };
        self.lives.iter().enumerate().flat_map(tell).collect()
    }
}

/// Why a run could not be judged: a failure of the simulator, or of the plan, and never of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RunError {
    /// The plan names a workload that this binary does not have.
    #[error("no workload is called {0:?}: `stormproof list` names those that there are")]
    UnknownWorkload(String),
    /// The plan names a mutant that this binary does not have.
    #[error("no mutant is called {0:?}: `stormproof list` names those that there are")]
    UnknownMutant(String),
    /// Something outside of the engine panicked.
    #[error("the simulator panicked, not the engine: {0}: please report it with the plan")]
    Panicked(String),
    /// It was cancelled.
    #[error("the run was given up: its time was over, or a signal ended it")]
    Cancelled,
    /// The recorded events do not add up.
    #[error("the recording is damaged: {0}: please report it with the plan")]
    Recording(String),
}

/// What is kept of a run besides its verdict and its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing: what campaigns need.
    #[default]
    Verdict,
    /// [`Run::events`].
    Events,
    /// The events, and every draw of every life ([`LifeOutcome::trail`]): for comparing two runs.
    Trail,
}

/// Runs a plan and judges it.
///
/// # Errors
/// When there is no verdict; see [`RunError`].
pub fn run(plan: &Plan, registry: &Registry) -> Result<Run, RunError> {
    run_keeping(plan, registry, Keep::Events)
}

/// As [`run`], and keeps more of it. What is kept makes no difference to what happens.
///
/// # Errors
/// As [`run`].
pub fn run_keeping(plan: &Plan, registry: &Registry, keep: Keep) -> Result<Run, RunError> {
    prepare(plan, registry, SimWorld::new(plan), keep, None)?.finish()
}

/// As [`run`], but stops when `cancel` says so.
///
/// # Errors
/// As [`run`], and [`RunError::Cancelled`].
pub fn run_while(plan: &Plan, registry: &Registry, cancel: Option<Cancel>) -> Result<Run, RunError> {
    let mut execution = prepare(plan, registry, SimWorld::new(plan), Keep::Events, None)?;
    execution.cancel = cancel;
    execution.finish()
}

/// As [`run`], but that the interleaving of the life with this number is the one that `search` is at.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_exploring(
    plan: &Plan,
    registry: &Registry,
    life: usize,
    search: Bounded,
) -> Result<(Run, Option<Bounded>), RunError> {
    let mut run =
        prepare(plan, registry, SimWorld::new(plan), Keep::Verdict, Some((life, search)))?.finish()?;
    let search = run.lives.get_mut(life).and_then(|run| {
        let used = std::mem::replace(&mut run.life.strategy, StrategyPlan::round_robin(1).build());
        let used: Box<dyn Any> = used;
        used.downcast::<Bounded>().ok()
    });
    Ok((run, search.map(|search| *search)))
}

/// As [`run`], observed: the same run, and its interleaving step by step.
///
/// # Errors
/// As [`run`].
pub fn run_watched(plan: &Plan, registry: &Registry) -> Result<(Run, Watched), RunError> {
    let world = SimWorld::watched(plan);
    let run = prepare(plan, registry, Arc::clone(&world), Keep::Events, None)?.finish()?;
    Ok((run, world.watched_so_far()))
}

/// As [`run_keeping`], and returns what behaviour it showed. Watching makes no difference to what happens.
///
/// # Errors
/// As [`run`].
pub fn run_covered(plan: &Plan, registry: &Registry, keep: Keep) -> Result<(Run, Vec<Feature>), RunError> {
    let onlooker = Arc::new(coverage::Onlooker::new());
    let mut execution = prepare(plan, registry, SimWorld::new(plan), keep, None)?;
    execution.coverage = Some(Arc::clone(&onlooker) as _);
    let run = execution.finish()?;
    let features = coverage::features(&run, onlooker.take());
    Ok((run, features))
}

/// Prepares the execution of a plan in `world`.
fn prepare(
    plan: &Plan,
    registry: &Registry,
    world: Arc<SimWorld>,
    keep: Keep,
    search: Option<(usize, Bounded)>,
) -> Result<Execution, RunError> {
    let mut execution = Execution::new(plan, registry, world)?;
    execution.keep = keep;
    execution.search = search;
    Ok(execution)
}

/// Returns how often each mark was reached in a run.
pub fn marks(run: &Run) -> BTreeMap<&'static str, u64> {
    let mut marks = BTreeMap::new();
    for &(name, hits) in run.lives.iter().flat_map(|run| &run.life.reached) {
        *marks.entry(name).or_default() += hits;
    }
    marks
}
