//! What outlives executions: the disk, the clocks, the entropy, and everything that was recorded.
//!
//! Job: one [`SimWorld`] per run; lives come and go in it.
//! INV-WORLD-1: none of its locks is held across a scheduling point, since a life may end at any.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use stormproof_env::{Clock, Entropy, UnixMillis};
use stormproof_faults::{CrashOdds, DiskOptions, FaultPlan, SimClock, SimDisk, SimEntropy};
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle::life::Watch;
use stormproof_rt_shuttle::{probe, time};
use stormproof_twin::Error;
use stormproof_workloads::history::Recorder;
use stormproof_workloads::{Environment, Notebook};

use super::application::Application;
use super::hook::{BackupHook, SiblingHook, WorldHook};
use super::runs::KnownRuns;
use super::watch::{Onlooker, Watched};
use crate::digest::Digest;
use crate::plan::{CrashAt, Plan};
use crate::store::calls::Calls;

/// What outlives executions.
#[derive(Debug)]
pub struct SimWorld {
    /// The history.
    pub recorder: Recorder,
    /// What clients note beside the history.
    pub notebook: Notebook,
    /// Files.
    pub disk: SimDisk,
    /// Wall time.
    pub clock: SimClock,
    /// Time as clients see it: reading it is no scheduling point, as each call of the store has some.
    pub client_time: ClientTime,
    /// Random bits.
    pub entropy: Arc<WorldEntropy>,
    /// Sees every operation of the disk.
    pub hook: Arc<WorldHook>,
    /// What outlives the lives of an application.
    pub application: Application,
    /// Which functions of the engine were called.
    pub calls: Calls,
    /// What is known of runs, over all lives.
    pub(super) runs: KnownRuns,
    siblings: Mutex<Siblings>,
    now: Mutex<Now>,
    onlooker: Option<Arc<Onlooker>>,
}

/// Disks beside that of the store: they have crashes, and no other faults.
#[derive(Debug)]
struct Siblings {
    options: DiskOptions,
    /// Those of small databases, by name.
    disks: BTreeMap<String, SimDisk>,
    /// Those of backups, of which no other life knows.
    backups: Vec<SimDisk>,
}

/// What the store is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is being opened: recovery runs.
    #[default]
    Recovery,
    /// Clients run.
    Running,
    /// It is being closed.
    Closing,
}

impl Phase {
    /// Returns its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Running => "running",
            Self::Closing => "closing",
        }
    }
}

/// Why a store could not be opened, or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The store's error message.
    pub words: String,
    /// Whether it only asks for space.
    pub wants_space: bool,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self { words: error.to_string(), wants_space: wants_space(error) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

fn wants_space(error: &Error) -> bool {
    match error {
        Error::DiskFull { .. } => true,
        Error::Indeterminate { cause } | Error::Poisoned { cause } => wants_space(cause),
        _ => false,
    }
}

/// The state of the current life.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// What the store is doing.
    pub phase: Phase,
    /// Why it could not be opened.
    pub open_error: Option<Refusal>,
    /// Why it could not be closed.
    pub close_error: Option<Refusal>,
    /// Whether the disk had a limit.
    pub cramped: bool,
    /// Sessions of clients that have not finished their program.
    pub unfinished: Vec<u32>,
    /// How the application broke its own invariant.
    pub broken: Option<String>,
    /// What others did at the path of the store.
    pub visitors: Visitors,
    /// What of the rules of rest it never came to, with all clients gone.
    pub unrest: Option<(&'static str, String)>,
    /// How many rules of rest were evaluated.
    pub rest_rules: u64,
    /// What is wrong with its records of runs, by what earlier lives left.
    pub runs_trouble: Option<String>,
    /// How many records of runs were compared with those of earlier lives.
    pub runs_compared: u64,
    /// What recovery did, in words.
    pub recovery: Vec<String>,
    /// The whole states that the inspector read after opening, and after the last client.
    pub states: Vec<Contents>,
}

/// What others did at the path of the store.
#[derive(Clone, Debug, Default)]
pub struct Visitors {
    /// Foreign files that must be there.
    pub files: Vec<&'static str>,
    /// How often a second opener tried to open the store.
    pub openers: u64,
    /// What must not have happened.
    pub trouble: Option<String>,
}

/// The whole content of the store: keys, values and versions, in order.
pub type Contents = Vec<stormproof_workloads::store::Entry>;

impl SimWorld {
    /// Creates the world of a plan, before anything has happened.
    pub fn new(plan: &Plan) -> Arc<Self> {
        Self::with(plan, Recorder::new(), None)
    }

    /// As [`Self::new`], observed.
    pub fn watched(plan: &Plan) -> Arc<Self> {
        let recorder = Recorder::new();
        let onlooker = Arc::new(Onlooker::new(recorder.clone()));
        Self::with(plan, recorder, Some(onlooker))
    }

    fn with(plan: &Plan, recorder: Recorder, onlooker: Option<Arc<Onlooker>>) -> Arc<Self> {
        let hook = Arc::new(WorldHook::new(recorder.clone(), onlooker.clone()));
        let disk = SimDisk::new(plan.disk.clone());
        disk.set_hook(Arc::clone(&hook) as _);
        let clock = SimClock::following(plan.clock.clone(), || time::now().as_nanos());
        Arc::new(Self {
            recorder: recorder.clone(),
            notebook: Notebook::new(),
            disk,
            client_time: ClientTime {
                clock: SimClock::following(plan.clock.clone(), || time::glance().as_nanos()),
                recorder,
                may_crash: plan.lives.len() > 1,
            },
            clock,
            entropy: Arc::new(WorldEntropy { bits: SimEntropy::new(plan.entropy_seed) }),
            hook,
            application: Application::new(),
            calls: Calls::default(),
            runs: KnownRuns::new(),
            siblings: Mutex::new(
                "world.siblings",
                Siblings {
                    options: DiskOptions { faults: FaultPlan::none(), ..plan.disk.clone() },
                    disks: BTreeMap::new(),
                    backups: Vec::new(),
                },
            ),
            now: Mutex::new("world.now", Now::default()),
            onlooker,
        })
    }

    /// Returns the disk of the small database of that name.
    pub fn sibling(&self, name: &str) -> SimDisk {
        let mut siblings = self.siblings.lock();
        if let Some(disk) = siblings.disks.get(name) {
            return disk.clone();
        }
        let disk = SimDisk::new(siblings.options.clone());
        disk.set_hook(Arc::new(self.sibling_hook()));
        siblings.disks.insert(name.to_owned(), disk.clone());
        disk
    }

    /// Returns an empty, slow disk for one backup.
    pub fn disk_for_backup(&self) -> SimDisk {
        let mut siblings = self.siblings.lock();
        let disk = SimDisk::new(siblings.options.clone());
        disk.set_hook(Arc::new(BackupHook(self.sibling_hook())));
        siblings.backups.push(disk.clone());
        disk
    }

    fn sibling_hook(&self) -> SiblingHook {
        SiblingHook(Arc::clone(&self.hook))
    }

    /// Cuts the power.
    pub fn cut_power(&self) {
        self.disk.cut_power();
        let siblings = self.siblings.lock();
        siblings.disks.values().chain(&siblings.backups).for_each(SimDisk::cut_power);
    }

    /// Restores the power; `odds` and `seed` decide what has survived.
    pub fn restore_power(&self, odds: &CrashOdds, seed: u64) {
        self.disk.restore_power(odds, seed);
        let mut siblings = self.siblings.lock();
        siblings.backups.clear();
        for (number, disk) in (1..).zip(siblings.disks.values()) {
            disk.restore_power(odds, seed ^ (number << 32));
        }
    }

    /// Begins a life, which ends at `crash`.
    pub fn begin_life(&self, crash: Option<CrashAt>) {
        self.hook.begin_life(crash);
        if let Some(onlooker) = &self.onlooker {
            onlooker.begin_life();
        }
    }

    /// Returns the observer, for the next life.
    pub fn watch(&self) -> Option<Watch> {
        self.onlooker.clone().map(|onlooker| Watch(onlooker as _))
    }

    /// Returns what was seen since the last call; nothing if it is not observed.
    pub fn watched_so_far(&self) -> Watched {
        self.onlooker.as_ref().map(|onlooker| onlooker.take()).unwrap_or_default()
    }

    /// Notes what the store is doing from now on.
    pub fn enter(&self, phase: Phase) {
        self.now.lock().phase = phase;
    }

    /// Limits the room on the disk from now on.
    pub fn leave_room(&self, bytes: Option<u64>) {
        self.disk.set_capacity(bytes.map(|bytes| self.disk.used().saturating_add(bytes)));
        self.note(|now| now.cramped |= bytes.is_some());
    }

    /// Counts the progress of a life: events of its history, and waits for the disk. A program may retry the
    /// same transaction for ever, so for programs only items and the disk count.
    pub fn progress(&self, is_program: bool) -> u64 {
        let waits = self.hook.progress();
        if is_program {
            waits + self.application.progress() + self.hook.total()
        } else {
            waits + self.recorder.now()
        }
    }

    /// Changes what is known of the current life.
    pub fn note<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        change(&mut self.now.lock())
    }

    /// Takes what was known of the life that has ended; the next one starts empty.
    pub fn take_now(&self) -> Now {
        std::mem::take(&mut self.now.lock())
    }
}

/// Random bits; each draw goes into the digest of the life.
#[derive(Debug)]
pub struct WorldEntropy {
    bits: SimEntropy,
}

impl Entropy for WorldEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.bits.fill(bytes);
        let mut digest = Digest::default();
        digest.bytes(bytes);
        probe::draw("entropy", digest.value().0);
    }
}

/// Time as clients see it.
#[derive(Debug)]
pub struct ClientTime {
    pub(super) clock: SimClock,
    recorder: Recorder,
    may_crash: bool,
}

/// The longest that a client sleeps without an event: the store works in the background meanwhile, and the
/// livelock bound must not take that for a lack of progress.
const UNHEARD: Duration = Duration::from_millis(20);

impl Environment for ClientTime {
    fn now(&self) -> Duration {
        Duration::from_nanos(time::glance().as_nanos())
    }

    fn sleep(&self, duration: Duration) {
        let mut left = duration;
        while left > UNHEARD {
            time::sleep(UNHEARD);
            left -= UNHEARD;
            self.recorder.tick();
        }
        time::sleep(left);
    }

    fn may_crash(&self) -> bool {
        self.may_crash
    }

    fn wall(&self) -> Duration {
        let UnixMillis(millis) = self.clock.now();
        Duration::from_millis(millis)
    }

    fn store_time(&self) -> [Duration; 2] {
        self.clock.store_time().map(|UnixMillis(millis)| Duration::from_millis(millis))
    }

    fn store_time_ever(&self) -> Duration {
        let UnixMillis(millis) = self.clock.store_time_ever();
        Duration::from_millis(millis)
    }
}
