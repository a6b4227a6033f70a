//! Executes a plan: its lives one after the other, with the power cuts between them, then the verdict.

use std::hash::Hash;

use stormproof_faults::DiskRecording;
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::life::{
    Cancel, KillAt, LifeEnd, LifeOutcome, OnEnd, Progress, Remains, Settings, Starvation, Watch, Watcher,
};
use stormproof_rt_shuttle::mutants::{Mutant, MutantSet};
use stormproof_rt_shuttle::probe;
use stormproof_rt_shuttle::strategy::{Bounded, Strategy};
use stormproof_rt_shuttle::time::Instant;
use stormproof_workloads::Workload;
use stormproof_workloads::history::{Event, LifeEnd as HistoryEnd};

use super::{
    Cut, Keep, LifeRun, Program, ProgramLife, Role, Run, RunError, SimWorld, application, life, verdict,
    watch,
};
use crate::digest::{Digest, DigestValue};
use crate::landmarks;
use crate::plan::{CrashAt, Ending, LifePlan, Plan, Storage};
use crate::registry::Registry;
use crate::task_names;

/// The execution of a plan.
pub(super) struct Execution {
    pub(super) world: Arc<SimWorld>,
    workload: Arc<dyn Workload>,
    /// The application's code, if the workload is one.
    program: Option<Arc<dyn Program>>,
    mutants: MutantSet,
    plan: Arc<Plan>,
    pub(super) keep: Keep,
    /// The search that decides the interleaving of the life with this number.
    pub(super) search: Option<(usize, Bounded)>,
    pub(super) cancel: Option<Cancel>,
    /// Sees what behaviour there is.
    pub(super) coverage: Option<Arc<dyn Watcher>>,
    lives: Vec<LifeRun>,
    /// What the last life did to the disk, if that was to be recorded.
    pub(super) recorded: Option<DiskRecording>,
}

impl Execution {
    pub(super) fn new(plan: &Plan, registry: &Registry, world: Arc<SimWorld>) -> Result<Self, RunError> {
        let workload = registry
            .find(&plan.workload.workload, &plan.workload.parameters)
            .ok_or_else(|| RunError::UnknownWorkload(plan.workload.workload.clone()))?;
        let program = registry.program(&plan.workload.workload);
        let mutants = plan
            .mutants
            .iter()
            .map(|name| name.parse::<Mutant>().map_err(|_| RunError::UnknownMutant(name.clone())))
            .collect::<Result<MutantSet, _>>()?;
        let plan = Arc::new(plan.clone());
        let keep = Keep::Events;
        Ok(Self {
            world,
            workload,
            program,
            mutants,
            plan,
            keep,
            search: None,
            cancel: None,
            coverage: None,
            lives: Vec::new(),
            recorded: None,
        })
    }

    /// Runs all lives and judges them.
    pub(super) fn finish(mut self) -> Result<Run, RunError> {
        self.run_lives()?;
        self.judge()
    }

    /// Runs the lives of the plan, and two more that only open the store: recovery must give the same state
    /// after a crash and after a clean close.
    fn run_lives(&mut self) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let Some((last, storms)) = plan.lives.split_last() else { return Ok(()) };
        for life_plan in storms {
            if !self.run_life(life_plan, Role::Storm)? {
                return Ok(());
            }
        }
        // After the storm nothing goes wrong any more: a client that does not finish now never will.
        let calm = stormproof_faults::FaultPlan::none();
        self.world.disk.set_faults(calm);
        self.world.disk.set_capacity(None);
        let last = LifePlan { crash: None, ending: Ending::Close, ..last.clone() };
        if !self.run_life(&last, Role::Last)? {
            return Ok(());
        }
        if plan.engine.storage == Storage::Memory || self.program.is_some() {
            return Ok(());
        }
        let reopen = |seed: u64, ending| LifePlan { ending, ..LifePlan::calm(seed) };
        if self.run_life(&reopen(last.schedule_seed ^ 1, Ending::Crash), Role::Reopen)? {
            self.run_life(&reopen(last.schedule_seed ^ 2, Ending::Close), Role::Reopen)?;
        }
        Ok(())
    }

    /// Runs one life. Returns whether another one may follow.
    fn run_life(&mut self, life_plan: &LifePlan, role: Role) -> Result<bool, RunError> {
        self.run_life_until(life_plan, role, None)
    }

    /// Runs one life, up to a power cut that leaves a given state if there is one. Returns whether another
    /// one may follow.
    pub(super) fn run_life_until(
        &mut self,
        life_plan: &LifePlan,
        role: Role,
        cut: Option<&Cut>,
    ) -> Result<bool, RunError> {
        let number = u32::try_from(self.lives.len()).unwrap_or(u32::MAX);
        let faults_before = self.world.disk.fired().len();
        // The limit on the disk of the life before holds until clients begin.
        let cramped = matches!(self.lives.last(), Some(before) if before.now.cramped) && role == Role::Storm;
        self.world.note(|now| now.cramped = cramped);
        self.world.begin_life(life_plan.crash.clone());
        if let Some(cut) = cut {
            self.world.hook.cut_after(cut.after_operation);
        }
        let life = self.execute_life(life_plan, number, role);
        self.recorded = self.world.disk.take_recording();
        let now = self.world.take_now();
        let run = LifeRun {
            role,
            strategy: life_plan.strategy.name(),
            now,
            disk_operations: self.world.hook.operations(),
            disk_syncs: self.world.hook.syncs(),
            crashed_at: self.world.hook.crashed_at(),
            faults: (faults_before, self.world.disk.fired().len()),
            life,
        };
        if run.life.end == LifeEnd::Cancelled {
            return Err(RunError::Cancelled);
        }
        if let LifeEnd::Panicked(panic) = &run.life.end
            && self.program.is_none()
            && !landmarks::is_in_engine(&panic.place)
        {
            return Err(RunError::Panicked(panic.to_string()));
        }
        let goes_on = matches!(run.life.end, LifeEnd::Completed | LifeEnd::Killed);
        let closed =
            matches!(run.life.end, LifeEnd::Completed) && run.opened() && run.now.close_error.is_none();
        if !closed && run.opened() {
            self.world.recorder.ended(number, HistoryEnd::Crashed);
        }
        if goes_on {
            let seed = self.plan.disk_seed.wrapping_add(u64::from(number));
            self.world.restore_power(&self.plan.crash_odds, seed);
            if let Some(cut) = cut {
                self.world.disk.restore_power_to(&cut.left);
            }
        }
        self.lives.push(run);
        Ok(goes_on)
    }

    fn execute_life(&mut self, life_plan: &LifePlan, number: u32, role: Role) -> LifeOutcome {
        let second = std::time::Duration::from_secs(1);
        let start =
            self.lives.last().map_or(Instant::from_nanos(0), |run| run.life.time.saturating_add(second));
        let is_program = self.program.is_some();
        let (powered, progressing) = (Arc::clone(&self.world), Arc::clone(&self.world));
        let settings = Settings {
            seed: life_plan.schedule_seed,
            kill: match &life_plan.crash {
                Some(CrashAt::Step(step)) => Some(KillAt::Step(*step)),
                Some(CrashAt::Point(point)) => Some(KillAt::Point(point.clone())),
                _ => None,
            },
            mutants: self.mutants,
            start,
            injected_events: life_plan.injected_events.clone(),
            spurious_wakeups_per_mille: life_plan.spurious_wakeups_per_mille,
            early_timeouts_per_mille: life_plan.early_timeouts_per_mille,
            stalls_per_million: life_plan.stalls_per_million,
            steps_max: STEPS_MAX,
            starvation: (role == Role::Last).then_some(STARVATION),
            progress: Some(Progress {
                count: Arc::new(move || progressing.progress(is_program)),
                points_max: self.idle_points_max(),
            }),
            trail: self.keep == Keep::Trail,
            // Tasks of a killed life may be unwound: the power goes off first, so destructors can't change
            // the disk.
            remains: Remains::Unwind,
            on_end: Some(OnEnd(Arc::new(move || powered.cut_power()))),
            watch: self.watch(),
            cancel: self.cancel.clone(),
            ..Settings::default()
        };
        let (world, plan) = (Arc::clone(&self.world), Arc::clone(&self.plan));
        let (workload, life_plan) = (Arc::clone(&self.workload), life_plan.clone());
        let strategy: Box<dyn Strategy> = match self.search.take_if(|(life, _)| *life == number as usize) {
            Some((_, search)) => Box::new(search),
            None => life_plan.strategy.build(),
        };
        let program = self.program.clone();
        stormproof_rt_shuttle::life::run(settings, strategy, move || match program {
            Some(program) => {
                application::live(&*program, &ProgramLife { world, plan, number, role });
                if life_plan.ending == Ending::Crash {
                    probe::crash();
                }
            }
            None => life::live(&world, &plan, &life_plan, workload, number, role),
        })
    }

    fn idle_points_max(&self) -> u64 {
        if self.program.is_some() { PROGRAM_POINTS_MAX } else { IDLE_POINTS_MAX }
    }

    /// Returns the observers of the next life: of the program, and of the world.
    fn watch(&self) -> Option<Watch> {
        let program = self.program.as_ref().and_then(|program| program.watcher());
        let all = [program, self.world.watch().map(|watch| watch.0), self.coverage.clone()];
        let both = |one, other| Arc::new(watch::Both(one, other)) as Arc<dyn Watcher>;
        all.into_iter().flatten().reduce(both).map(Watch)
    }

    pub(super) fn judge(self) -> Result<Run, RunError> {
        let recording = |error: &dyn std::fmt::Display| RunError::Recording(error.to_string());
        let events = self.world.recorder.take().map_err(|error| recording(&error))?;
        let (digest, interleaving) = self.digests(&events);
        let kept = if self.keep >= Keep::Events { events.clone() } else { Vec::new() };
        let history = stormproof_workloads::history::fold(events).map_err(|error| recording(&error))?;
        let notes = self.world.notebook.take_notes();
        let faults = self.world.disk.fired();
        let clients = self.program.is_some().then(|| self.world.application.clients());
        let crashes = self.world.disk.crashes();
        let doubts = self.world.disk.doubts();
        let counted = self.world.calls.take();
        let softened = (!doubts.is_empty()).then(|| verdict::without_durable_acks(&history));
        let plan = self.world.application.changed(&self.plan);
        let evidence = verdict::Case {
            plan: &plan,
            is_program: self.program.is_some(),
            workload: &*self.workload,
            lives: &self.lives,
            history: softened.as_ref().unwrap_or(&history),
            notes: &notes,
            doubts: &doubts,
            notebook: &self.world.notebook,
        };
        let verdict = evidence.judge();
        let others = self.world.application.others();
        Ok(Run {
            about: self.workload.about(),
            lives: self.lives,
            events: kept,
            history,
            notes,
            faults,
            clients,
            others,
            crashes,
            counted,
            verdict,
            digest,
            interleaving,
        })
    }

    fn digests(&self, events: &[Event]) -> (DigestValue, DigestValue) {
        let mut all = Digest::default();
        let mut switches = Digest::default();
        for run in &self.lives {
            all.number(run.life.digest);
            switches.number(run.life.interleaving);
        }
        for crash in self.world.disk.crashes() {
            for count in [crash.pieces_kept, crash.pieces_lost, crash.pieces_torn, crash.entries_lost] {
                all.number(count);
            }
        }
        events.hash(&mut all);
        (all.value(), switches.value())
    }
}

/// The number of scheduling points without an event of the history after which a life makes no progress
/// (livelock bound). The longest background work, collecting what large transactions have deleted, takes less
/// than half of this.
const IDLE_POINTS_MAX: u64 = 100_000;

/// The same for an application's code: only the disk and clients' items count.
const PROGRAM_POINTS_MAX: u64 = 2_000_000;

/// A bound on the scheduling points of a life, with or without progress.
const STEPS_MAX: u64 = 20_000_000;

/// A bound, in scheduling points of the calm life, on the time that a client waits while others run.
const STARVATION: Starvation = Starvation { tasks: task_names::CLIENT, points_max: 40_000 };
