//! Tries every crash of a short plan: exhaustively, not by chance.
//!
//! Job: for each life in which clients work, each boundary between two operations that change the disk, and
//! each state in which a power cut there may leave it, run the plan with just this cut, then the calm life
//! and two that only open the store, and judge the whole history as a sweep would. Of every n-th state, the
//! recovery that follows is cut once more, at each of *its* boundaries.
//! Not its job: which states there are (`stormproof_faults`, which says how it reduces them), nor what is a
//! violation (`run`).
//!
//! INV-ENUM-1: up to the cut, a run with a cut is the run without it: schedules, clocks and entropy are
//! decided by the plan alone. So what was recorded once is what each cut interrupts.

mod coverage;

use stormproof_faults::{CrashState, DiskSnapshot, EnumerationLimits};

pub use coverage::{Coverage, Crash};

use crate::finding::Finding;
use crate::plan::{Ending, LifePlan, Plan, Storage};
use crate::registry::Registry;
use crate::run::{Cut, Role, Run, RunError, ScriptedLife, run_scripted};

/// How far an enumeration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the states that one boundary has.
    pub states: EnumerationLimits,
    /// Cuts the recovery of every n-th new state too; 0 for none.
    pub nested_every: usize,
    /// Stops at this number of violations.
    pub violations_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            states: EnumerationLimits { subset_max: 4, states_max: 64 },
            nested_every: 16,
            violations_max: 1,
        }
    }
}

/// A crash after which something was wrong.
#[derive(Debug)]
pub struct Broken {
    /// Which.
    pub crash: Crash,
    /// What was wrong.
    pub findings: Vec<Finding>,
    /// The run with this crash.
    pub run: Run,
}

/// What an enumeration saw.
#[derive(Debug, Default)]
pub struct Enumerated {
    /// How much of what there is was tried.
    pub coverage: Coverage,
    /// Crashes after which something was wrong, at most as many as the limits allow.
    pub broken: Vec<Broken>,
}

/// Why nothing was enumerated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnumerationError {
    /// In memory nothing survives a crash.
    #[error(
        "the plan keeps its data in memory only: no crash leaves anything; choose a seed or a plan with a disk"
    )]
    InMemory,
    /// The plan has no lives.
    #[error("the plan has no lives: take one that `stormproof run --plan` prints")]
    NoLives,
    /// A run gave no verdict.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Two runs of one plan differed before the cut.
    #[error(
        "life {life} came to no operation {operation} when it was run again: please report it with the plan"
    )]
    Diverged {
        /// The life that was to be cut.
        life: usize,
        /// The operation after which it was to be cut.
        operation: u64,
    },
}

/// Returns a plan as it is enumerated: its clients, its disk without faults, and its lives, of which a single
/// one is both stormy and calm.
///
/// # Errors
/// [`EnumerationError::InMemory`], [`EnumerationError::NoLives`].
pub fn prepare(mut plan: Plan) -> Result<Plan, EnumerationError> {
    if plan.engine.storage == Storage::Memory {
        return Err(EnumerationError::InMemory);
    }
    let Some(last) = plan.lives.last().cloned() else { return Err(EnumerationError::NoLives) };
    if plan.lives.len() == 1 {
        plan.lives.push(last);
    }
    plan.disk.faults = stormproof_faults::FaultPlan::none();
    plan.disk.capacity = None;
    Ok(plan)
}

/// Tries every crash of a [prepared](prepare) plan. `progress` is called before each run and returns whether
/// to continue.
///
/// # Errors
/// [`EnumerationError`].
pub fn enumerate(
    plan: &Plan,
    limits: &Limits,
    registry: &Registry,
    progress: &mut dyn FnMut(&Coverage) -> bool,
) -> Result<Enumerated, EnumerationError> {
    let mut search = Search { plan, limits, registry, seen: Enumerated::default(), progress };
    let storms = plan.lives.len() - 1;
    for life in 0..storms {
        if !search.life(life)? {
            break;
        }
    }
    Ok(search.seen)
}

/// Runs a [prepared](prepare) plan with one crash of its enumeration.
///
/// # Errors
/// [`EnumerationError`]; `None` if there is no such crash.
pub fn repeat(
    plan: &Plan,
    limits: &Limits,
    registry: &Registry,
    crash: &Crash,
) -> Result<Option<Run>, EnumerationError> {
    let mut run = None;
    let unlimited = Limits { violations_max: usize::MAX, ..*limits };
    let mut ignore = |_: &Coverage| true;
    let mut search =
        Search { plan, limits: &unlimited, registry, seen: Enumerated::default(), progress: &mut ignore };
    if crash.life + 1 >= plan.lives.len() {
        return Ok(None);
    }
    search.only(crash, &mut run)?;
    Ok(run)
}

struct Search<'a> {
    plan: &'a Plan,
    limits: &'a Limits,
    registry: &'a Registry,
    seen: Enumerated,
    progress: &'a mut dyn FnMut(&Coverage) -> bool,
}

impl Search<'_> {
    /// Tries all crashes of one life. Returns whether to go on.
    fn life(&mut self, life: usize) -> Result<bool, EnumerationError> {
        let before = self.before(life);
        let (run, recording) = run_scripted(self.plan, &before, self.registry)?;
        self.seen.coverage.lives += 1;
        let Some(recording) = recording.filter(|_| run.lives.len() == before.len()) else { return Ok(true) };
        self.seen.coverage.boundaries_total += recording.len() + 1;
        let operations: Vec<String> = recording.operations().map(ToString::to_string).collect();
        let mut states = recording.crash_states(self.limits.states);
        let mut number = 0;
        let mut boundary = usize::MAX;
        while let Some(state) = states.next() {
            number = if state.boundary == boundary { number + 1 } else { 0 };
            boundary = state.boundary;
            let crash = Crash::new(life, &state, number, &operations);
            let reduced = states.summary();
            self.seen.coverage.count(&state, &reduced);
            let is_new = self.seen.coverage.is_new_image(&state.disk);
            let goes_on = self.try_crash(&before, &crash, &state.disk)?
                && (!is_new || !self.is_nested_turn() || self.nested(&before, &crash, &state)?)
                && (self.progress)(&self.seen.coverage);
            if !goes_on {
                return Ok(false);
            }
        }
        self.seen.coverage.end_life(&states.summary());
        Ok(true)
    }

    /// Tries one crash only.
    fn only(&mut self, crash: &Crash, run: &mut Option<Run>) -> Result<(), EnumerationError> {
        let before = self.before(crash.life);
        let (_, recording) = run_scripted(self.plan, &before, self.registry)?;
        let Some(recording) = recording else { return Ok(()) };
        let at_boundary = |state: &CrashState| state.boundary == crash.boundary;
        let found = recording.crash_states(self.limits.states).filter(at_boundary).nth(crash.state);
        let Some(state) = found else { return Ok(()) };
        let cuts = vec![cut(state.after_operation, &state.disk)];
        *run = match crash.nested {
            None => Some(self.run(&before, &cuts)?),
            Some((boundary, state)) => {
                let Some(recovery) = self.recovery(&before, &cuts[0])? else { return Ok(()) };
                let at = |found: &CrashState| found.boundary == boundary;
                let Some(second) = recovery.crash_states(RECOVERY).filter(at).nth(state) else {
                    return Ok(());
                };
                Some(self.run(&before, &[cuts[0].clone(), cut(second.after_operation, &second.disk)])?)
            }
        };
        Ok(())
    }

    /// Returns the lives up to the one that is enumerated, as the plan has them; that one without its crash.
    fn before(&self, life: usize) -> Vec<ScriptedLife> {
        let storm = |plan: &LifePlan| ScriptedLife { plan: plan.clone(), role: Role::Storm, cut: None };
        let mut lives: Vec<_> = self.plan.lives[..=life].iter().map(storm).collect();
        lives[life].plan.crash = None;
        lives
    }

    fn is_nested_turn(&self) -> bool {
        let every = self.limits.nested_every;
        every > 0 && (self.seen.coverage.images - 1).is_multiple_of(every)
    }

    /// Cuts the recovery that follows a crash at each of its boundaries.
    fn nested(
        &mut self,
        before: &[ScriptedLife],
        crash: &Crash,
        state: &CrashState,
    ) -> Result<bool, EnumerationError> {
        let first = cut(state.after_operation, &state.disk);
        let Some(recovery) = self.recovery(before, &first)? else { return Ok(true) };
        self.seen.coverage.recoveries += 1;
        let operations: Vec<String> = recovery.operations().map(ToString::to_string).collect();
        let (mut number, mut boundary) = (0, usize::MAX);
        // At the first boundary nothing has changed yet: that was the first crash.
        for second in recovery.crash_states(RECOVERY).filter(|second| second.boundary > 0) {
            number = if second.boundary == boundary { number + 1 } else { 0 };
            boundary = second.boundary;
            let crash = crash.clone().then(&second, number, &operations);
            self.seen.coverage.nested += 1;
            let cuts = [first.clone(), cut(second.after_operation, &second.disk)];
            if !self.judge(before, &crash, &cuts)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns what an opening does to the disk after a cut.
    fn recovery(
        &self,
        before: &[ScriptedLife],
        first: &Cut,
    ) -> Result<Option<stormproof_faults::DiskRecording>, EnumerationError> {
        let mut lives = before.to_vec();
        if let Some(last) = lives.last_mut() {
            last.cut = Some(first.clone());
        }
        lives.push(ScriptedLife { plan: opening(self.plan, 3), role: Role::Reopen, cut: None });
        Ok(run_scripted(self.plan, &lives, self.registry)?.1)
    }

    fn try_crash(
        &mut self,
        before: &[ScriptedLife],
        crash: &Crash,
        left: &DiskSnapshot,
    ) -> Result<bool, EnumerationError> {
        self.judge(before, crash, &[cut(crash.after_operation, left)])
    }

    /// Runs the plan with these cuts and keeps a violation; returns whether to go on.
    fn judge(
        &mut self,
        before: &[ScriptedLife],
        crash: &Crash,
        cuts: &[Cut],
    ) -> Result<bool, EnumerationError> {
        let run = self.run(before, cuts)?;
        self.seen.coverage.runs += 1;
        if !run.findings().is_empty() {
            let findings = run.findings().to_vec();
            self.seen.broken.push(Broken { crash: crash.clone(), findings, run });
        }
        Ok(self.seen.broken.len() < self.limits.violations_max)
    }

    /// Runs the lives before, the last of them cut; an opening, if there is a second cut, which ends it; and
    /// the calm life.
    fn run(&self, before: &[ScriptedLife], cuts: &[Cut]) -> Result<Run, EnumerationError> {
        let mut lives = before.to_vec();
        let stormy = lives.len() - 1;
        lives[stormy].cut = cuts.first().cloned();
        if let Some(second) = cuts.get(1) {
            // The recorded life ends here; without the cut, clients would start and the run would differ from
            // it.
            let plan = opening(self.plan, 3);
            lives.push(ScriptedLife { plan, role: Role::Storm, cut: Some(second.clone()) });
        }
        let last = self.plan.lives.last().expect("a prepared plan has two lives or more");
        let last = LifePlan { crash: None, ending: Ending::Close, ..last.clone() };
        lives.push(ScriptedLife { plan: last, role: Role::Last, cut: None });
        let again = LifePlan { ending: Ending::Close, ..opening(self.plan, 2) };
        for plan in [opening(self.plan, 1), again] {
            lives.push(ScriptedLife { plan, role: Role::Reopen, cut: None });
        }
        let run = run_scripted(self.plan, &lives, self.registry)?.0;
        for (life, given) in lives.iter().enumerate() {
            if let (Some(cut), Some(lived)) = (&given.cut, run.lives.get(life))
                && !lived.crashed()
            {
                return Err(EnumerationError::Diverged { life, operation: cut.after_operation });
            }
        }
        Ok(run)
    }
}

/// States of a crash inside recovery: what recovery changes is little, so nothing and everything, and each
/// piece alone.
const RECOVERY: EnumerationLimits = EnumerationLimits { subset_max: 2, states_max: 8 };

/// Returns a life that only opens the store.
fn opening(plan: &Plan, number: u64) -> LifePlan {
    let seed = plan.lives.last().map_or(0, |last| last.schedule_seed);
    LifePlan { ending: Ending::Crash, ..LifePlan::calm(seed ^ number) }
}

fn cut(after_operation: u64, left: &DiskSnapshot) -> Cut {
    Cut { after_operation, left: left.clone() }
}
