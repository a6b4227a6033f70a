//! What outlives executions: the disk, the clocks, the entropy, and everything that was written down.
//!
//! Job: one [`World`] per run; lives come and go in it.
//! INV-WORLD-1: none of its locks is held across a scheduling point, since a life may end at any.

use std::time::Duration;

use stormproof_env::{Clock, UnixMillis};
use stormproof_faults::{SimClock, SimDisk, SimEntropy};
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle::time;
use stormproof_workloads::history::Recorder;
use stormproof_workloads::{Environment, Notebook};

use super::hook::WorldHook;
use crate::plan::Plan;

/// What outlives executions.
#[derive(Debug)]
pub struct World {
    /// The history.
    pub recorder: Recorder,
    /// What workloads want to remember.
    pub notebook: Notebook,
    /// Files.
    pub disk: SimDisk,
    /// Wall time.
    pub clock: SimClock,
    /// Time as clients have it.
    pub client_time: ClientTime,
    /// Random bits.
    pub entropy: Arc<SimEntropy>,
    /// Sees every operation of the disk.
    pub hook: Arc<WorldHook>,
    now: Mutex<Now>,
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
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Running => "running",
            Self::Closing => "closing",
        }
    }
}

/// What is going on in the current life.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// What the store is doing.
    pub phase: Phase,
    /// Why it could not be opened.
    pub open_error: Option<String>,
    /// Why it could not be closed.
    pub close_error: Option<String>,
    /// Sessions of clients that have not finished their program.
    pub unfinished: Vec<u32>,
    /// What the inspector saw after opening, and after the last client: whole states.
    pub states: Vec<State>,
}

/// The whole content of the store: keys, values and versions, in order.
pub type State = Vec<stormproof_workloads::store::Entry>;

impl World {
    /// The world of a plan, before anything has happened.
    pub fn new(plan: &Plan) -> Arc<Self> {
        let hook = Arc::new(WorldHook::default());
        let disk = SimDisk::new(plan.disk.clone());
        disk.set_hook(Arc::clone(&hook) as _);
        let clock = SimClock::following(plan.clock.clone(), || time::now().as_nanos());
        Arc::new(Self {
            recorder: Recorder::new(),
            notebook: Notebook::new(),
            disk,
            client_time: ClientTime { clock: clock.clone() },
            clock,
            entropy: Arc::new(SimEntropy::new(plan.entropy_seed)),
            hook,
            now: Mutex::new("world.now", Now::default()),
        })
    }

    /// Notes that the store does something else now.
    pub fn enter(&self, phase: Phase) {
        self.now.lock().phase = phase;
    }

    /// Changes what is known of the current life.
    pub fn note<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        change(&mut self.now.lock())
    }

    /// What was known of the life that has ended; the next one starts afresh.
    pub fn take_now(&self) -> Now {
        std::mem::take(&mut self.now.lock())
    }
}

/// Time as clients have it.
#[derive(Debug)]
pub struct ClientTime {
    clock: SimClock,
}

impl Environment for ClientTime {
    fn now(&self) -> Duration {
        Duration::from_nanos(time::now().as_nanos())
    }

    fn sleep(&self, duration: Duration) {
        time::sleep(duration);
    }

    fn wall(&self) -> Duration {
        let UnixMillis(millis) = self.clock.now();
        Duration::from_millis(millis)
    }
}
