//! Runs a workload on real threads, in real time, and judges it.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stormproof_oracle::{Expectations, check};
use stormproof_rt as rt;
use stormproof_rt::sync::Arc;
use stormproof_workloads::client::Stop;
use stormproof_workloads::history::{LifeEnd, Op, Recorder};
use stormproof_workloads::plan::{Client, Plan};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{
    Environment, Evidence, Finding, History, Notebook, Runner, Scale, Store, Workload, verdict,
};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub history: History,
    /// What the workload has against it.
    pub findings: Vec<Finding>,
    /// What the oracle has against it, in words.
    pub violations: Vec<String>,
}

/// One life after the other of one plan, on stores that a caller opens.
pub struct Campaign {
    workload: Arc<dyn Workload>,
    plan: Plan,
    recorder: Recorder,
    notebook: Notebook,
    life: u32,
}

/// Runs a whole plan on a store in one life, and judges it as the contract says.
///
/// # Panics
/// When a client panics, or the store closes before the plan is done.
pub fn run(store: Arc<dyn Store>, workload: Arc<dyn Workload>, scale: &Scale, seed: u64) -> Outcome {
    let mut campaign = Campaign::new(workload, scale, seed);
    assert!(campaign.live(store), "the store closed before the plan was done");
    campaign.judge(&Expectations { isolation: scale.isolation, ..Expectations::default() })
}

impl Campaign {
    /// Plans.
    pub fn new(workload: Arc<dyn Workload>, scale: &Scale, seed: u64) -> Self {
        let plan = workload.plan(scale, &mut ChaCha8Rng::seed_from_u64(seed));
        Self { workload, plan, recorder: Recorder::new(), notebook: Notebook::new(), life: 0 }
    }

    /// Runs setup, all clients at once, and the audit, each from where the life before was cut. False if the store
    /// closed on the way.
    ///
    /// # Panics
    /// When a client panics.
    pub fn live(&mut self, store: Arc<dyn Store>) -> bool {
        self.recorder.opened(self.life);
        let shared = Shared {
            store,
            workload: Arc::clone(&self.workload),
            recorder: self.recorder.clone(),
            notebook: self.notebook.clone(),
            life: self.life,
        };
        if !shared.run(&self.plan.setup) {
            return false;
        }
        let mut threads = Vec::new();
        for client in self.plan.clients.clone() {
            let shared = shared.clone();
            let thread = rt::thread::spawn("client", move || shared.run(&client));
            threads.push(thread.expect("a thread starts"));
        }
        let mut done = true;
        for thread in threads {
            done &= thread.join().expect("no client panics");
        }
        done && shared.run(&self.plan.audit)
    }

    /// Ends a life.
    pub fn end(&mut self, how: LifeEnd) {
        self.recorder.ended(self.life, how);
        self.life += 1;
    }

    /// Has workload and oracle judge all lives.
    ///
    /// # Panics
    /// When what clients recorded does not add up.
    pub fn judge(self, expectations: &Expectations) -> Outcome {
        let history = self.recorder.history().expect("clients record what adds up");
        let notes = self.notebook.take_notes();
        let findings =
            verdict(&*self.workload, &Evidence { plan: &self.plan, history: &history, notes: &notes });
        // Appends to event streams do not conflict with each other, by contract, and the black box takes every write of
        // a snapshot transaction for one that does: there the witness judges alone.
        let blind_appends =
            history.txns.iter().filter(|txn| txn.isolation == Isolation::Snapshot).any(|txn| {
                txn.ops.iter().any(|op| matches!(op, Op::Append { key, .. } if key.starts_with(b"stream/")))
            });
        let expectations =
            Expectations { blackbox: expectations.blackbox && !blind_appends, ..expectations.clone() };
        let verdict = check(&history, &expectations);
        let violations = verdict.violations.iter().map(|violation| violation.message.clone()).collect();
        Outcome { history, findings, violations }
    }
}

impl Outcome {
    /// # Panics
    /// When workload or oracle have found a violation.
    pub fn assert_holds(&self, what: &str) {
        let broken: Vec<_> = self.findings.iter().filter(|finding| finding.violation).collect();
        assert!(broken.is_empty(), "{what}: {broken:#?}");
        assert!(self.violations.is_empty(), "{what}: {:#?}", self.violations);
    }
}

#[derive(Clone)]
struct Shared {
    store: Arc<dyn Store>,
    workload: Arc<dyn Workload>,
    recorder: Recorder,
    notebook: Notebook,
    life: u32,
}

impl Shared {
    fn run(&self, client: &Client) -> bool {
        let runner = Runner {
            store: &*self.store,
            workload: &*self.workload,
            environment: &RealTime,
            recorder: &self.recorder,
            notebook: &self.notebook,
            life: self.life,
        };
        runner.run(client) == Stop::Finished
    }
}

/// The time of this machine.
#[derive(Clone, Copy, Debug)]
pub struct RealTime;

impl Environment for RealTime {
    fn now(&self) -> Duration {
        Duration::from_nanos(rt::time::now().as_nanos())
    }

    fn sleep(&self, duration: Duration) {
        if duration < Duration::from_micros(50) {
            rt::thread::yield_now();
        } else {
            rt::time::sleep(duration);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the store's own clock, on a real machine")]
    fn wall(&self) -> Duration {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default()
    }
}
