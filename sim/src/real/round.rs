//! One round: a plan, a store and its lives.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use stormproof_faults::CrashOdds;
use stormproof_rt as rt;
use stormproof_rt::sync::Arc;
use stormproof_workloads::history::{Event, LifeEnd, Recorder};
use stormproof_workloads::notebook::Note;
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{Notebook, Workload};

use super::power::Power;
use super::process_supervisor::ProcessSupervisor;
use super::target::{Target, UnknownStore};
use super::thread_runner::{ThreadRunner, Work};
use super::time::RealTime;
use crate::finding::Finding;
use crate::inspector::{Names, inspect};
use crate::invariants;
use crate::options::{DurabilityKind, IsolationKind, Options};
use crate::plan::{EnginePlan, Storage, draw};
use crate::seed::Seed;

/// What is run, on what, and how often it is killed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The seed that it was drawn from.
    pub seed: Seed,
    /// The store that it runs on.
    pub target: Target,
    /// What clients do.
    pub plan: stormproof_workloads::Plan,
    /// When its processes are killed, one after the other. Empty: it runs in this process, without kills.
    pub kills: Vec<Kill>,
    /// What power cuts take that come with the kills; `None`: kills come alone, and take nothing back.
    #[serde(default)]
    pub power_cuts: Option<CrashOdds>,
}

/// How the processes of a round end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kills {
    /// By themselves, in one process.
    None,
    /// Some are killed.
    Processes,
    /// Some are killed, and with each of these the power goes out.
    PowerCuts,
}

/// When a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kill {
    /// After this number of acked commits of its life.
    Acks(u64),
    /// Some time after it began to open the store: in recovery, or soon after it.
    Opening {
        /// Microseconds.
        micros: u64,
    },
}

/// What happened in a round.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Events, in order.
    pub events: Vec<Event>,
    /// What clients noted beside them.
    pub notes: Vec<Note>,
    /// What went wrong that is not in the history: panics, stores that do not open or close, clients that are
    /// stuck.
    pub trouble: Vec<Finding>,
    /// How many processes were killed.
    pub kills: u64,
    /// How long it took.
    pub took: Duration,
}

impl Round {
    /// Draws a round of `workload` on the store with this name.
    ///
    /// # Errors
    /// When no store has this name.
    pub fn draw(
        seed: Seed,
        workload: &dyn Workload,
        store: &str,
        options: &Options,
        kills: Kills,
    ) -> Result<Self, UnknownStore> {
        let mut options = options.clone();
        if Target::capabilities_of(store)?.isolation_max < Isolation::Serializable {
            options.isolation = Some(IsolationKind::Snapshot);
        }
        // Other databases are asked for all that they promise, unless the user asks for less.
        if store != Target::ENGINE {
            options.durability = options.durability.or(Some(DurabilityKind::Strict));
        }
        let drawn = draw(seed, &options, &[workload], |_, _| None, &seed.streams());
        let engine = EnginePlan { storage: Storage::Disk, ..drawn.engine };
        let target = Target::by_name(store, engine)?;
        let power_cuts =
            (kills == Kills::PowerCuts).then(|| CrashOdds::swarm(&mut seed.generator("power cuts")));
        let kills = if kills == Kills::None { Vec::new() } else { draw_kills(seed, &drawn.workload) };
        Ok(Self { seed, target, plan: drawn.workload, kills, power_cuts })
    }

    /// Plays it in `folder`, which is created.
    ///
    /// # Errors
    /// When the folder can't be created or mounted, or a process can't be started: nothing is known of the
    /// store then.
    pub fn play(&self, workload: &Arc<dyn Workload>, folder: &Path, host: &Host) -> io::Result<Played> {
        std::fs::create_dir_all(folder)?;
        let start = rt::time::now();
        let mut played = if self.kills.is_empty() {
            self.play_here(workload, folder, host.silence_max)
        } else {
            let power = self.power_cuts.clone().map(|odds| Power::supply(&store_in(folder), odds, self.seed));
            let power = power.transpose()?;
            let played = ProcessSupervisor::new(self, folder, host, power.as_ref()).play();
            power.map(|power| power.leave(&store_in(folder))).transpose()?;
            played?
        };
        played.took = rt::time::now().saturating_since(start);
        Ok(played)
    }

    /// Plays it in this process: one life, and one more in which only the inspector reads.
    fn play_here(&self, workload: &Arc<dyn Workload>, folder: &Path, silence_max: Duration) -> Played {
        let (recorder, notebook) = (Recorder::new(), Notebook::new());
        let mut trouble = Vec::new();
        for life in [0, 1] {
            let store = match self.target.open(folder) {
                Ok(store) => Arc::new(store),
                Err(error) => {
                    trouble.push(open_failed(life, &error.to_string()));
                    break;
                }
            };
            recorder.opened(life);
            if life == 0 {
                let work = ThreadRunner {
                    store: Arc::clone(&store),
                    workload: Arc::clone(workload),
                    plan: Arc::new(self.plan.clone()),
                    time: RealTime::default(),
                    recorder: recorder.clone(),
                    notebook: notebook.clone(),
                    life,
                    silence_max,
                }
                .work();
                trouble.extend(unfinished(life, &work));
                if work != Work::Done {
                    break;
                }
            }
            inspect(&recorder, &**store, life, &Names::of(&recorder.events()), &notebook);
            let Some(store) = Arc::into_inner(store) else { break };
            if let Err(error) = store.close() {
                trouble.push(close_failed(life, &error.to_string()));
                break;
            }
            recorder.ended(life, LifeEnd::Closed);
        }
        Played { events: recorder.events(), notes: notebook.take_notes(), trouble, ..Played::default() }
    }
}

/// Where the store of a round with kills is.
pub(super) fn store_in(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// What rounds need of this machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// The binary that runs lives which are killed; it gets [`LIFE`] as its argument.
    pub program: PathBuf,
    /// A life without an event for this long is stuck.
    pub silence_max: Duration,
}

/// The hidden command by which a life is started in a process of its own.
pub const LIFE: &str = "__life";

/// Draws one to five kills, spread over the plan: most in the midst of commits, some in recovery.
fn draw_kills(seed: Seed, plan: &stormproof_workloads::Plan) -> Vec<Kill> {
    let mut rng = seed.generator("kills");
    let count = rng.random_range(1..=5_u64);
    let share = (plan.transactions() as u64 / (count + 1)).max(1);
    let kill = |number| {
        if number > 0 && rng.random_range(0..4) == 0 {
            Kill::Opening { micros: rng.random_range(0..4_000) }
        } else {
            Kill::Acks(rng.random_range(1..=share))
        }
    };
    (0..count).map(kill).collect()
}

pub(super) fn open_failed(life: u32, error: &str) -> Finding {
    let message = format!("life {life}: the store does not open: {error}");
    Finding::of_world(invariants::RECOVERS, "open-failed", message)
}

pub(super) fn close_failed(life: u32, error: &str) -> Finding {
    let message = format!("life {life}: the store does not close: {error}");
    Finding::of_world(invariants::CLOSES, "close-failed", message)
}

/// Returns a finding unless all work of a life was done.
pub(super) fn unfinished(life: u32, work: &Work) -> Option<Finding> {
    let (invariant, class, message) = match work {
        Work::Done => return None,
        Work::Closed => (
            invariants::LIVENESS,
            "client-stuck",
            "the store takes no more writes, though no client closed it".to_owned(),
        ),
        Work::Stuck => {
            (invariants::LIVENESS, "stuck", "clients wait, and nothing happens any more".to_owned())
        }
        Work::Panicked(words) => (invariants::NO_PANIC, "panic", format!("a client panicked: {words}")),
    };
    Some(Finding::of_world(invariant, class, format!("life {life}: {message}")))
}
