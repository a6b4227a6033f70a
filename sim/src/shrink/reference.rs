//! Whether a plan says what its workload means: it is run on a store without bugs, and must hold there.
//!
//! Job: refuses candidates that fail for a reason of their own. A workload knows its keys by their names, and
//! with others its invariant may fail on any store, under the very rule that a bug of the engine broke. Not
//! its job: deliberate bugs; a plan with one is run without it, on the engine itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_workloads::history::Recorder;
use stormproof_workloads::memory_store::MemoryStore;
use stormproof_workloads::{Environment, Evidence, Notebook, Runner, Workload, verdict};

use crate::plan::Plan;
use crate::registry::Registry;

/// Returns whether a plan holds on the reference store, one client after the other; `None` if that store
/// can't tell.
pub(super) fn holds(plan: &Plan, registry: &Registry) -> Option<bool> {
    let name = &plan.workload.workload;
    if registry.program(name).is_some() {
        return None;
    }
    let workload = registry.find(name, &plan.workload.parameters)?;
    // Code of a user may panic; that it does so here says nothing.
    catch_unwind(AssertUnwindSafe(|| holds_for(plan, &*workload))).ok().flatten()
}

fn holds_for(plan: &Plan, workload: &dyn Workload) -> Option<bool> {
    let (recorder, notebook, time) = (Recorder::new(), Notebook::new(), Time::default());
    let clock = time.clone();
    let store = MemoryStore::with_clock(Arc::new(move || clock.now()));
    let runner = Runner {
        store: &store,
        workload,
        environment: &time,
        recorder: &recorder,
        notebook: &notebook,
        life: 0,
    };
    recorder.opened(0);
    let clients = &plan.workload.clients;
    for client in [&plan.workload.setup].into_iter().chain(clients).chain([&plan.workload.audit]) {
        runner.run(client);
    }
    let history = recorder.history().ok()?;
    let notes = notebook.take_notes();
    let evidence = Evidence { plan: &plan.workload, history: &history, notes: &notes };
    Some(verdict(workload, &evidence).iter().all(|finding| !finding.violation))
}

/// Time that passes when a client sleeps.
#[derive(Clone, Debug)]
struct Time(Arc<AtomicU64>);

impl Default for Time {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new("reference.nanos", 0)))
    }
}

impl Environment for Time {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}
