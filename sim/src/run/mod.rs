//! Runs a plan: lives, one after the other, on one world; then judges what came of it.
//!
//! `plan → world → lives → history → verdict`. Everything in here is a function of the plan and the code.

mod scripted;
mod application;
mod hook;
mod life;
mod visitors;
mod verdict;
mod watch;
mod world;

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use stormproof_faults::{CrashReport, DiskRecording, FiredFault};
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::life::{
    Cancel, ForcedSwitch, KillAt, LifeEnd, LifeOutcome, OnEnd, Progress, Remains, Settings, Starvation, Watch,
};
use stormproof_rt_shuttle::mutants::{Mutant, MutantSet};
use stormproof_rt_shuttle::probe;
use stormproof_rt_shuttle::strategy::{Bounded, Strategy};
use stormproof_rt_shuttle::time::Instant;
use stormproof_workloads::history::{Event, LifeEnd as HistoryEnd, Session};
use stormproof_workloads::notebook::Note;
use stormproof_workloads::plan::Client;
use stormproof_workloads::{About, History, Workload};

pub(crate) use application::limit;
pub use application::{Application, Program, ProgramLife};
pub use hook::WorldHook;
pub use life::Role;
pub(crate) use scripted::{Cut, ScriptedLife, run_scripted};

pub use crate::inspector::INSPECTOR;
pub use verdict::{Verdict, expectations};
pub use watch::{Watched, WatchedFrontier, WatchedStep};
pub use world::{Contents, Now, Phase, SimWorld};

use crate::digest::{Digest, DigestValue};
use crate::finding::Finding;
use crate::landmarks;
use crate::plan::{CrashAt, Ending, LifePlan, Plan, Storage, StrategyPlan};
use crate::registry::Registry;
use crate::task_names;

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
    /// The judgement.
    pub verdict: Verdict,
    /// Of everything that happened: every scheduling point, every disk operation, every event.
    pub digest: DigestValue,
    /// Of the switches only.
    pub interleaving: DigestValue,
}

/// One life of a run.
#[derive(Debug)]
pub struct LifeRun {
    /// What it was for.
    pub role: Role,
    /// The strategy that decided it, by name.
    pub strategy: &'static str,
    /// What the runtime says of it.
    pub life: LifeOutcome,
    /// What the world says of it.
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
    /// Returns what the run holds against the engine.
    pub fn findings(&self) -> &[Finding] {
        &self.verdict.findings
    }

    /// Returns the switches that made the lives what they were, by name.
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
    /// It was given up.
    #[error("the run was given up: its time was over, or a signal ended it")]
    Cancelled,
    /// The recorded events do not add up.
    #[error("the recording is damaged: {0}: please report it with the plan")]
    Recording(String),
}

/// What of a run is kept beside its verdict and its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing: what campaigns need.
    #[default]
    Verdict,
    /// [`Run::events`].
    Events,
    /// These, and every draw of every life ([`LifeOutcome::trail`]): for comparing two runs.
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
    stage(plan, registry, SimWorld::new(plan), keep, None)?.perform()
}

/// As [`run`], and gives it up when `cancel` says so.
///
/// # Errors
/// As [`run`], and [`RunError::Cancelled`].
pub fn run_while(plan: &Plan, registry: &Registry, cancel: Option<Cancel>) -> Result<Run, RunError> {
    let stage = stage(plan, registry, SimWorld::new(plan), Keep::Events, None)?;
    Stage { cancel, ..stage }.perform()
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
        stage(plan, registry, SimWorld::new(plan), Keep::Verdict, Some((life, search)))?.perform()?;
    let search = run.lives.get_mut(life).and_then(|run| {
        let used = std::mem::replace(&mut run.life.strategy, StrategyPlan::round_robin(1).build());
        let used: Box<dyn Any> = used;
        used.downcast::<Bounded>().ok()
    });
    Ok((run, search.map(|search| *search)))
}

/// As [`run`], observed: the same run, and what was seen of it.
///
/// # Errors
/// As [`run`].
pub fn run_watched(plan: &Plan, registry: &Registry) -> Result<(Run, Watched), RunError> {
    let world = SimWorld::watched(plan);
    let run = stage(plan, registry, Arc::clone(&world), Keep::Events, None)?.perform()?;
    Ok((run, world.watched_so_far()))
}

fn stage(
    plan: &Plan,
    registry: &Registry,
    world: Arc<SimWorld>,
    keep: Keep,
    search: Option<(usize, Bounded)>,
) -> Result<Stage, RunError> {
    Ok(Stage { keep, search, ..Stage::new(plan, registry, world)? })
}

/// The number of scheduling points without an event of the history after which a life makes no progress
/// (livelock bound). The longest that the store works alone, collecting what large transactions have deleted,
/// takes less than half of this.
const IDLE_POINTS_MAX: u64 = 100_000;

/// The same for an application's code: only the disk and clients' items count.
const PROGRAM_POINTS_MAX: u64 = 2_000_000;

/// A bound on the scheduling points of a life, with or without progress.
const STEPS_MAX: u64 = 20_000_000;

/// A bound, in scheduling points of the calm life, on the time that a client waits while others run.
const STARVATION: Starvation = Starvation { tasks: task_names::CLIENT, points_max: 40_000 };

/// A run under way.
struct Stage {
    world: Arc<SimWorld>,
    workload: Arc<dyn Workload>,
    /// The application's code, if the workload is one.
    program: Option<Arc<dyn Program>>,
    mutants: MutantSet,
    plan: Arc<Plan>,
    keep: Keep,
    /// Of the life with this number: what decides its interleaving.
    search: Option<(usize, Bounded)>,
    cancel: Option<Cancel>,
    lives: Vec<LifeRun>,
    /// What the last life did to the disk, if that was to be recorded.
    recorded: Option<DiskRecording>,
}

impl Stage {
    fn new(plan: &Plan, registry: &Registry, world: Arc<SimWorld>) -> Result<Self, RunError> {
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
            lives: Vec::new(),
            recorded: None,
        })
    }

    fn perform(mut self) -> Result<Run, RunError> {
        self.play()?;
        self.judge()
    }

    fn play(&mut self) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let Some((last, storms)) = plan.lives.split_last() else { return Ok(()) };
        for life_plan in storms {
            if !self.live(life_plan, Role::Storm)? {
                return Ok(());
            }
        }
        // After the storm nothing goes wrong any more: a client that does not finish now never will.
        let calm = stormproof_faults::FaultPlan::none();
        self.world.disk.set_faults(calm);
        self.world.disk.set_capacity(None);
        let last = LifePlan { crash: None, ending: Ending::Close, ..last.clone() };
        if !self.live(&last, Role::Last)? {
            return Ok(());
        }
        if plan.engine.storage == Storage::Memory || self.program.is_some() {
            return Ok(());
        }
        let reopen = |seed: u64, ending| LifePlan { ending, ..LifePlan::calm(seed) };
        if self.live(&reopen(last.schedule_seed ^ 1, Ending::Crash), Role::Reopen)? {
            self.live(&reopen(last.schedule_seed ^ 2, Ending::Close), Role::Reopen)?;
        }
        Ok(())
    }

    /// Runs one life. Returns whether another one may follow.
    fn live(&mut self, life_plan: &LifePlan, role: Role) -> Result<bool, RunError> {
        self.live_until(life_plan, role, None)
    }

    /// Runs one life, to a cut that leaves what it says, if there is one.
    fn live_until(&mut self, life_plan: &LifePlan, role: Role, cut: Option<&Cut>) -> Result<bool, RunError> {
        let number = u32::try_from(self.lives.len()).unwrap_or(u32::MAX);
        let faults_before = self.world.disk.fired().len();
        // The limit of the life before holds until clients begin.
        let cramped = matches!(self.lives.last(), Some(before) if before.now.cramped) && role == Role::Storm;
        self.world.note(|now| now.cramped = cramped);
        self.world.begin_life(life_plan.crash.clone());
        if let Some(cut) = cut {
            self.world.hook.cut_after(cut.after_operation);
        }
        let life = self.execute(life_plan, number, role);
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

    fn execute(&mut self, life_plan: &LifePlan, number: u32, role: Role) -> LifeOutcome {
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
            // What a killed life leaves may be unwound, as the power is off before that.
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
        match (program, self.world.watch()) {
            (None, world) => world,
            (Some(program), None) => Some(Watch(program)),
            (Some(program), Some(world)) => Some(Watch(Arc::new(watch::Both(program, world.0)))),
        }
    }

    fn judge(self) -> Result<Run, RunError> {
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

/// Returns how often each mark was reached in a run.
pub fn marks(run: &Run) -> BTreeMap<&'static str, u64> {
    let mut marks = BTreeMap::new();
    for &(name, hits) in run.lives.iter().flat_map(|run| &run.life.reached) {
        *marks.entry(name).or_default() += hits;
    }
    marks
}
