//! Every workload on the engine, on real threads, judged by its invariant and by the oracle. Seconds, not
//! minutes.

use std::path::Path;
use std::time::Duration;

use stormproof::Database;
use stormproof_rt::sync::Arc;
use stormproof_sim::invariants;
use stormproof_tests::engine_store::engine_store;
use stormproof_tests::real::{Lives, assert_holds, run};
use stormproof_workloads::crashing_store::CrashingStore;
use stormproof_workloads::history::{LifeEnd, Outcome, Txn};
use stormproof_workloads::memory_store::{Flaw, MemoryStore};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::{Scale, Store, Workload, catalogue};

/// Runs every workload on databases that `open` opens in a fresh directory, for each seed.
fn all_hold(scale: &Scale, seeds: std::ops::Range<u64>, open: impl Fn(&Path) -> Database) {
    for workload in catalogue::all() {
        let workload: Arc<dyn Workload> = Arc::from(workload);
        for seed in seeds.clone() {
            let folder = tempfile::tempdir().expect("there is room");
            let store = engine_store(open(folder.path()), folder.path()).expect("a run begins");
            assert!(workload.runs_on(&store.capabilities()), "{} is left out", workload.name());
            let outcome = run(store, &workload, scale, seed);
            assert_holds(&outcome, &format!("{} with seed {seed} on real threads", workload.name()));
            let acked = |txn: &&Txn| matches!(txn.outcome, Outcome::Committed { .. });
            assert!(outcome.history.txns.iter().filter(acked).count() > 0, "{} did nothing", workload.name());
        }
    }
}

fn in_memory(_: &Path) -> Database {
    Database::open_in_memory().expect("it opens")
}

#[test]
fn every_workload_holds_on_real_threads() {
    all_hold(&Scale { clients: 8, transactions: 60, isolation: Isolation::Serializable }, 0..2, in_memory);
}

#[test]
fn every_workload_holds_on_real_threads_under_snapshot_isolation() {
    all_hold(&Scale { clients: 8, transactions: 40, isolation: Isolation::Snapshot }, 10..11, in_memory);
}

#[test]
fn every_workload_holds_on_a_real_disk() {
    let scale = Scale { clients: 4, transactions: 15, isolation: Isolation::Serializable };
    all_hold(&scale, 20..21, |folder| Database::open(folder.join("main")).expect("it opens"));
}

/// The database is dropped without a close in the middle of the plan, twice, and clients go on where they
/// were.
#[test]
fn every_workload_goes_on_after_the_database_was_dropped_and_opened_again() {
    let scale = Scale { clients: 3, transactions: 10, isolation: Isolation::Serializable };
    for workload in catalogue::all() {
        let workload: Arc<dyn Workload> = Arc::from(workload);
        let folder = tempfile::tempdir().expect("there is room");
        let mut lives = Lives::new(&workload, &scale, 30);
        for operations in [60, 60, u64::MAX] {
            let database = Database::open(folder.path().join("main")).expect("it opens again");
            let store = engine_store(database, folder.path()).expect("a run begins");
            if lives.live(CrashingStore::new(store, operations)) {
                break;
            }
            lives.end(LifeEnd::Crashed);
        }
        assert_holds(&lives.judge(), workload.name());
    }
}

/// The same machinery on a store that loses updates: it must not be blind.
#[test]
fn a_store_that_loses_updates_is_found_on_real_threads() {
    let broken = || MemoryStore::broken(Flaw::NoValidation, Arc::new(Duration::default));
    let hotspot: Arc<dyn Workload> = Arc::new(catalogue::Hotspot { counters: 1, think_micros_max: 60 });
    let scale = Scale { clients: 8, transactions: 100, isolation: Isolation::Serializable };
    let outcome = run(broken(), &hotspot, &scale, 1);
    let by_workload = |invariant: &str| invariant == invariants::WORKLOAD;
    let found: Vec<_> = outcome.findings.iter().map(|finding| finding.class.as_str()).collect();
    assert!(found.contains(&"hotspot: no lost update"), "{found:?}");
    assert!(outcome.findings.iter().any(|found| !by_workload(&found.invariant)), "the oracle was blind");
}
