//! Every invariant can fail: on a store that is wrong in a way that the workload is there to find.

use std::sync::Arc;

use super::interleaved::{Trial, try_out};
use crate::catalogue;
use crate::memory_store::Flaw;
use crate::workload::Workload;

/// Within so many seeds a flaw must be found.
const SEEDS: u64 = 40;

/// Runs `name` with `flaw` until `rule` is violated.
fn finds(name: &str, flaw: Flaw, rule: &str) {
    finds_with(name, serde_json::Value::Null, flaw, rule);
}

fn finds_with(name: &str, parameters: serde_json::Value, flaw: Flaw, rule: &str) {
    let workload: Arc<dyn Workload> = Arc::from(catalogue::by_name(name, parameters).expect("it exists"));
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        let tried = try_out(&workload, Trial { flaw: Some(flaw), ..Trial::of(seed) });
        for finding in tried.findings.into_iter().filter(|finding| finding.violation) {
            if finding.rule == rule {
                return;
            }
            others.push(finding.rule);
        }
    }
    others.dedup();
    panic!("{name} does not find {flaw:?} by \"{rule}\" in {SEEDS} seeds; it found {others:?}");
}

#[test]
fn hotspot_sees_increments_that_are_lost() {
    finds("hotspot", Flaw::NoValidation, "no lost update");
    finds("hotspot", Flaw::LostCommit, "counter is the sum");
}

#[test]
fn cas_machine_sees_transitions_taken_twice_and_lost() {
    finds("cas-machine", Flaw::NoValidation, "transitions form a path");
    finds("cas-machine", Flaw::NoCasValidation, "no transition lost or taken twice");
    finds("cas-machine", Flaw::LostCommit, "no transition lost or taken twice");
}

#[test]
fn bank_sees_money_made_and_lost() {
    finds("bank", Flaw::NoValidation, "total is constant");
    finds("bank", Flaw::MovingSnapshot, "total is constant");
    finds("bank", Flaw::TornInstall, "total is constant");
    finds("bank", Flaw::HalfCommit, "total is constant");
}
