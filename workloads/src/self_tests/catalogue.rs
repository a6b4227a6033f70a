//! Every workload holds on the reference store, is deterministic, and survives having parts taken away.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::interleaved::{Trial, Tried, try_out, try_plan};
use crate::catalogue;
use crate::history::Outcome;
use crate::plan::{Action, Plan};
use crate::store::Isolation;
use crate::workload::Workload;

fn all() -> Vec<Arc<dyn Workload>> {
    catalogue::all().into_iter().map(Arc::from).collect()
}

fn hold(workload: &dyn Workload, tried: &Tried, what: &str) {
    let broken: Vec<_> = tried.findings.iter().filter(|finding| finding.violation).collect();
    assert!(broken.is_empty(), "{} {what}: {broken:#?}", workload.name());
}

#[test]
fn every_workload_holds_on_the_reference_store_however_clients_interleave() {
    for workload in all() {
        let mut committed = 0;
        for seed in 0..15 {
            let tried = try_out(&workload, Trial::of(seed));
            hold(&*workload, &tried, &format!("with seed {seed}"));
            let acked = |txn: &&crate::history::Txn| matches!(txn.outcome, Outcome::Committed { .. });
            committed += tried.history.txns.iter().filter(acked).count();
        }
        assert!(committed >= 15, "{} has done nothing: {committed} commits", workload.name());
    }
}

#[test]
fn every_workload_holds_under_snapshot_isolation() {
    for workload in all() {
        for seed in 0..10 {
            let mut trial = Trial::of(seed);
            trial.scale.isolation = Isolation::Snapshot;
            hold(&*workload, &try_out(&workload, trial), &format!("with seed {seed}"));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for workload in all() {
        let (first, second) = (try_out(&workload, Trial::of(3)), try_out(&workload, Trial::of(3)));
        assert_eq!(first.plan, second.plan, "{}", workload.name());
        assert_eq!(first.history, second.history, "{}", workload.name());
        assert_eq!(first.notes, second.notes, "{}", workload.name());
    }
}

#[test]
fn a_plan_comes_back_from_json() {
    for workload in all() {
        let plan = workload.plan(&Trial::of(1).scale, &mut ChaCha8Rng::seed_from_u64(1));
        let text = serde_json::to_string(&plan).expect("a plan is plain data");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("it reads what it wrote"), plan);
        let made =
            catalogue::by_name(workload.name(), plan.parameters.clone()).expect("it knows its own name");
        assert_eq!(made.parameters(), workload.parameters());
    }
}

#[test]
fn no_invariant_fails_when_parts_of_a_plan_are_taken_away() {
    for workload in all() {
        for seed in 0..12 {
            let trial = Trial::of(seed);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut plan = workload.plan(&trial.scale, &mut rng);
            plan.clients.retain(|_| rng.random_ratio(3, 4));
            for client in plan.clients.iter_mut().chain([&mut plan.setup, &mut plan.audit]) {
                client.actions.retain(|_| rng.random_ratio(3, 4));
                for action in &mut client.actions {
                    if let Action::Transaction(transaction) = action {
                        transaction.steps.retain(|_| rng.random_ratio(3, 4));
                    }
                }
            }
            hold(&*workload, &try_plan(&workload, plan, trial), &format!("with parts of seed {seed}"));
        }
    }
}
