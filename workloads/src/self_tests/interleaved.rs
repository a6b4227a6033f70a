//! Runs a plan on a store, all clients interleaved by a seed.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shuttle::scheduler::RandomScheduler;
use shuttle::sync::atomic::{AtomicU64, Ordering};

use crate::client::Stop;
use crate::crashing_store::CrashingStore;
use crate::history::{History, LifeEnd, Recorder};
use crate::memory_store::{Clock, Flaw, MemoryStore};
use crate::notebook::{Note, Notebook};
use crate::plan::{Client, Plan};
use crate::store::Isolation;
use crate::workload::{Finding, Scale, Workload, verdict};
use crate::{Environment, Evidence, Runner};

/// A seed and the circumstances under which to run it.
#[derive(Clone, Copy)]
pub(super) struct Trial {
    pub(super) seed: u64,
    pub(super) scale: Scale,
    pub(super) flaw: Option<Flaw>,
    /// How many lives end in a crash.
    pub(super) crashes: u32,
}

impl Trial {
    pub(super) fn of(seed: u64) -> Self {
        let scale = Scale { clients: 4, transactions: 12, isolation: Isolation::Serializable };
        Self { seed, scale, flaw: None, crashes: 0 }
    }
}

/// The result of a trial.
pub(super) struct Tried {
    pub(super) plan: Plan,
    pub(super) history: History,
    pub(super) notes: Vec<Note>,
    pub(super) findings: Vec<Finding>,
}

/// Plans from the seed, runs, and checks.
pub(super) fn try_out(workload: &Arc<dyn Workload>, trial: Trial) -> Tried {
    let mut rng = ChaCha8Rng::seed_from_u64(trial.seed);
    let plan = workload.plan(&trial.scale, &mut rng);
    try_plan(workload, plan, trial)
}

/// Runs a plan, and checks.
pub(super) fn try_plan(workload: &Arc<dyn Workload>, plan: Plan, trial: Trial) -> Tried {
    let (recorder, notebook) = (Recorder::new(), Notebook::new());
    let mut config = shuttle::Config::new();
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.stack_size = 256 * 1024;
    let scheduler = RandomScheduler::new_from_seed(trial.seed, 1);
    let world = (Arc::clone(workload), plan.clone(), recorder.clone(), notebook.clone());
    shuttle::Runner::new(scheduler, config).run(move || {
        let (workload, plan, recorder, notebook) = world.clone();
        execute(workload, &plan, &recorder, &notebook, trial);
    });
    let history = recorder.history().expect("clients record what adds up");
    let notes = notebook.take_notes();
    let evidence = Evidence { plan: &plan, history: &history, notes: &notes };
    let findings = verdict(&**workload, &evidence);
    Tried { plan, history, notes, findings }
}

fn execute(workload: Arc<dyn Workload>, plan: &Plan, recorder: &Recorder, notebook: &Notebook, trial: Trial) {
    let time = Arc::new(AtomicU64::new(0));
    let ticking = Arc::clone(&time);
    let clock: Clock = Arc::new(move || Duration::from_micros(ticking.load(Ordering::SeqCst)));
    let memory = match trial.flaw {
        None => MemoryStore::with_clock(clock),
        Some(flaw) => MemoryStore::broken(flaw, clock),
    };
    for life in 0..=trial.crashes {
        let last = life == trial.crashes;
        let budget = if last { u64::MAX } else { 40 + (trial.seed * 37 + u64::from(life) * 101) % 200 };
        let world = Clients {
            store: Arc::new(CrashingStore::new(memory.clone(), budget).yielding(interleave)),
            time: Arc::clone(&time),
            workload: Arc::clone(&workload),
            recorder: recorder.clone(),
            notebook: notebook.clone(),
            life,
        };
        recorder.opened(life);
        let done = world.live(plan);
        if last {
            assert!(done, "a store that lives for ever finishes every plan");
            return;
        }
        recorder.ended(life, LifeEnd::Crashed);
    }
}

/// Before each call: lets others run, twice.
fn interleave() {
    shuttle::thread::yield_now();
    AtomicU64::new(0).fetch_add(1, Ordering::SeqCst);
}

#[derive(Clone)]
struct Clients {
    store: Arc<CrashingStore<MemoryStore>>,
    time: Arc<AtomicU64>,
    workload: Arc<dyn Workload>,
    recorder: Recorder,
    notebook: Notebook,
    life: u32,
}

impl Clients {
    /// Runs one life: setup, clients, audit. Returns false if it was cut.
    fn live(&self, plan: &Plan) -> bool {
        if self.run(&plan.setup) != Stop::Finished {
            return false;
        }
        let tasks = plan.clients.iter().cloned().map(|client| {
            let world = self.clone();
            shuttle::thread::spawn(move || world.run(&client))
        });
        let tasks: Vec<_> = tasks.collect();
        let stops: Vec<_> = tasks.into_iter().map(|task| task.join().expect("no client panics")).collect();
        stops.iter().all(|stop| *stop == Stop::Finished) && self.run(&plan.audit) == Stop::Finished
    }

    fn run(&self, client: &Client) -> Stop {
        let runner = Runner {
            store: &*self.store,
            workload: &*self.workload,
            environment: self,
            recorder: &self.recorder,
            notebook: &self.notebook,
            life: self.life,
        };
        runner.run(client)
    }
}

impl Environment for Clients {
    fn now(&self) -> Duration {
        Duration::from_micros(self.time.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) {
        let until = self.now() + duration;
        while self.now() < until {
            self.time.fetch_add(20, Ordering::SeqCst);
            shuttle::thread::yield_now();
        }
    }
}
