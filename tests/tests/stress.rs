//! Every workload on the engine, on real threads, judged by its invariant and by the oracle. Seconds, not minutes.

use std::time::Duration;

use stormproof::Database;
use stormproof_rt::sync::Arc;
use stormproof_tests::engine_store::EngineStore;
use stormproof_tests::real::run;
use stormproof_workloads::history::Outcome;
use stormproof_workloads::memory_store::{Flaw, MemoryStore};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{Scale, Store, Workload, catalogue};

fn engine() -> EngineStore {
    EngineStore::new(Database::open_in_memory().expect("it opens")).expect("a run begins")
}

fn all_hold(scale: &Scale, seeds: std::ops::Range<u64>) {
    for workload in catalogue::all() {
        let workload: Arc<dyn Workload> = Arc::from(workload);
        if !workload.runs_on(&engine().capabilities()) {
            continue;
        }
        for seed in seeds.clone() {
            let outcome = run(Arc::new(engine()), Arc::clone(&workload), scale, seed);
            outcome.assert_holds(&format!("{} with seed {seed} on real threads", workload.name()));
            let acked =
                |txn: &&stormproof_workloads::history::Txn| matches!(txn.outcome, Outcome::Committed { .. });
            assert!(outcome.history.txns.iter().filter(acked).count() > 0, "{} did nothing", workload.name());
        }
    }
}

#[test]
fn every_workload_holds_on_real_threads() {
    all_hold(&Scale { clients: 8, transactions: 60, isolation: Isolation::Serializable }, 0..2);
}

#[test]
fn every_workload_holds_on_real_threads_under_snapshot_isolation() {
    all_hold(&Scale { clients: 8, transactions: 40, isolation: Isolation::Snapshot }, 10..11);
}

/// The same machinery on a store that loses updates: it must not be blind.
#[test]
fn a_store_that_loses_updates_is_found_on_real_threads() {
    let broken =
        || MemoryStore::broken(Flaw::NoValidation, Arc::new(Duration::default));
    let hotspot = catalogue::Hotspot { counters: 1, think_micros_max: 60 };
    let scale = Scale { clients: 8, transactions: 100, isolation: Isolation::Serializable };
    let outcome = run(Arc::new(broken()), Arc::new(hotspot), &scale, 1);
    assert!(
        outcome.findings.iter().any(|finding| finding.rule == "no lost update"),
        "{:?}",
        outcome.findings
    );
    assert!(!outcome.violations.is_empty(), "the oracle was blind");
}
