//! Lives of one plan on stores that a test opens, on real threads.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stormproof_oracle::Durability;
use stormproof_rt::sync::Arc;
use stormproof_sim::real::round::Played;
use stormproof_sim::real::{Judged, Promise, RealTime, ThreadRunner, Work, judge};
use stormproof_workloads::history::{LifeEnd, Recorder};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{Notebook, Plan, Scale, Store, Workload};

/// The whole contract.
pub const CONTRACT: Promise = Promise { isolation: Isolation::Serializable, durability: Durability::Strict };

/// One life after the other of one plan.
pub struct Lives {
    workload: Arc<dyn Workload>,
    plan: Arc<Plan>,
    recorder: Recorder,
    notebook: Notebook,
    life: u32,
}

/// Runs a whole plan on a store in one life, and judges it by the whole contract.
///
/// # Panics
/// When the store closes before the plan is done.
pub fn run(store: impl Store + 'static, workload: &Arc<dyn Workload>, scale: &Scale, seed: u64) -> Judged {
    let mut lives = Lives::new(workload, scale, seed);
    assert!(lives.live(store), "the store closed before the plan was done");
    lives.judge()
}

impl Lives {
    /// Plans.
    pub fn new(workload: &Arc<dyn Workload>, scale: &Scale, seed: u64) -> Self {
        let plan = Arc::new(workload.plan(scale, &mut ChaCha8Rng::seed_from_u64(seed)));
        let (recorder, notebook) = (Recorder::new(), Notebook::new());
        Self { workload: Arc::clone(workload), plan, recorder, notebook, life: 0 }
    }

    /// Runs what is left of the plan. False if the store closed on the way.
    ///
    /// # Panics
    /// When a client panics, or nothing happens any more.
    pub fn live(&mut self, store: impl Store + 'static) -> bool {
        self.recorder.opened(self.life);
        let runner = ThreadRunner {
            store: Arc::new(Box::new(store)),
            workload: Arc::clone(&self.workload),
            plan: Arc::clone(&self.plan),
            time: RealTime::default(),
            recorder: self.recorder.clone(),
            notebook: self.notebook.clone(),
            life: self.life,
            silence_max: Duration::from_secs(120),
        };
        match runner.work() {
            Work::Done => true,
            Work::Closed => false,
            broken => panic!("{}: {broken:?}", self.workload.name()),
        }
    }

    /// Ends a life.
    pub fn end(&mut self, how: LifeEnd) {
        self.recorder.ended(self.life, how);
        self.life += 1;
    }

    /// Has workload and oracle judge all lives by the whole contract.
    ///
    /// # Panics
    /// When what clients recorded does not add up.
    pub fn judge(self) -> Judged {
        let events = self.recorder.events();
        let played = Played { events, notes: self.notebook.take_notes(), ..Played::default() };
        judge(&*self.workload, &self.plan, CONTRACT, &played).expect("clients record what adds up")
    }
}

/// # Panics
/// When a violation was found.
pub fn assert_holds(judged: &Judged, what: &str) {
    assert!(judged.findings.is_empty(), "{what}: {:#?}", judged.findings);
}
