//! Every invariant can fail: on a store that is wrong in a way that the workload is there to find.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::interleaved::{Trial, try_out, try_plan};
use crate::catalogue;
use crate::memory_store::Flaw;
use crate::plan::{Action, Step};
use crate::workload::Workload;

/// The number of seeds within which a flaw must be found.
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
    finds("cas-machine", Flaw::StrayState, "a machine is in a declared state");
}

/// Transitions come from the plan: a plan that declares others than the workload does is caught.
#[test]
fn cas_machine_sees_transitions_that_nobody_declared() {
    let workload: Arc<dyn Workload> = Arc::new(catalogue::CasMachine::default());
    let trial = Trial::of(1);
    let mut plan = workload.plan(&trial.scale, &mut ChaCha8Rng::seed_from_u64(1));
    for action in plan.clients.iter_mut().flat_map(|client| &mut client.actions) {
        let Action::Transaction(transaction) = action else { continue };
        for step in &mut transaction.steps {
            let Step::Advance { table, .. } = step else { continue };
            let last = table.last().cloned().expect("there are transitions");
            table.iter_mut().for_each(|(_, to)| to.clone_from(&last.1));
        }
    }
    let found = try_plan(&workload, plan, trial).findings;
    assert!(found.iter().any(|finding| finding.rule == "only declared transitions"), "{found:#?}");
}

#[test]
fn bank_sees_money_made_and_lost() {
    finds("bank", Flaw::NoValidation, "total is constant");
    finds("bank", Flaw::MovingSnapshot, "total is constant");
    finds("bank", Flaw::TornInstall, "total is constant");
    finds("bank", Flaw::HalfCommit, "total is constant");
}

#[test]
fn list_append_sees_lost_leaked_and_strange_elements() {
    finds("list-append", Flaw::NoValidation, "no append is lost");
    finds("list-append", Flaw::LostCommit, "no append is lost");
    finds("list-append", Flaw::LeakyAbort, "no append of an abort");
    finds("list-append", Flaw::NoValidation, "reads of a list are prefixes");
    finds("list-append", Flaw::DoubleAppend, "no append counts twice");
}

#[test]
fn register_mix_sees_leaked_and_buried_writes() {
    finds("register-mix", Flaw::LeakyAbort, "reads see what was committed");
    finds("register-mix", Flaw::NoDelete, "the last write stays");
    finds("register-mix", Flaw::LostCommit, "the last write stays");
    finds("register-mix", Flaw::MovingSnapshot, "reads repeat");
}

#[test]
fn write_skew_is_seen_when_reads_are_not_validated() {
    finds("write-skew", Flaw::NoReadValidation, "no write skew");
}

#[test]
fn phantom_is_seen_when_ranges_are_not_validated() {
    finds("phantom", Flaw::NoRangeValidation, "no phantom");
}

#[test]
fn event_log_sees_events_that_are_lost_doubled_misplaced_and_unproven() {
    finds("event-log", Flaw::NoValidation, "no append is lost");
    finds("event-log", Flaw::LostCommit, "no append is lost");
    finds("event-log", Flaw::DoubleAppend, "no append counts twice");
    finds("event-log", Flaw::AppendsInFront, "events are in commit order");
    finds("event-log", Flaw::HoleInStream, "sequence numbers have no hole");
    finds("event-log", Flaw::BrokenChain, "a stream proves itself");
}

#[test]
fn tool_calls_sees_half_steps_and_lost_steps() {
    finds("tool-calls", Flaw::HalfCommit, "a step is all or nothing");
    finds("tool-calls", Flaw::TornInstall, "a step is all or nothing");
    finds("tool-calls", Flaw::LostCommit, "no step is lost");
    finds("tool-calls", Flaw::DoubleAppend, "no step is done twice");
}

#[test]
fn work_queue_sees_jobs_lost_doubled_and_done_twice() {
    finds("work-queue", Flaw::HalfCommit, "no job is lost");
    finds("work-queue", Flaw::LostCommit, "no job is lost");
    finds("work-queue", Flaw::NoValidation, "no job is done twice");
    finds("work-queue", Flaw::NoDelete, "a job is in one place");
}

#[test]
fn ttl_cache_sees_keys_that_stay_too_long_too_short_or_vanish_meanwhile() {
    finds("ttl-cache", Flaw::NoExpiry, "a key is gone when its time is over");
    finds("ttl-cache", Flaw::EarlyExpiry, "a key stays for its time");
    finds("ttl-cache", Flaw::RestlessExpiry, "reads repeat");
}

#[test]
fn run_lifecycle_sees_an_ended_run_that_writes() {
    finds("run-lifecycle", Flaw::ZombieRun, "an ended run writes nothing");
    finds("run-lifecycle", Flaw::RefusesLiveRuns, "refuses nothing without a reason");
    finds("run-lifecycle", Flaw::NoValidation, "no lost update");
}

#[test]
fn long_reader_sees_its_snapshot_move() {
    finds("long-reader", Flaw::MovingSnapshot, "reads repeat");
    finds("long-reader", Flaw::TornInstall, "groups are whole");
}

#[test]
fn retry_storm_sees_aborts_without_a_winner() {
    finds("retry-storm", Flaw::SpuriousConflict, "no abort without a winner");
    finds("retry-storm", Flaw::NoValidation, "no lost update");
    let by_store = serde_json::json!({ "by_store_percent": 100 });
    finds_with("retry-storm", by_store, Flaw::NoValidation, "no lost update");
}

#[test]
fn large_transactions_sees_half_of_one() {
    finds("large-transactions", Flaw::HalfCommit, "groups are whole");
    finds("large-transactions", Flaw::TornInstall, "groups are whole");
}

#[test]
fn tiny_databases_sees_a_close_that_forgets() {
    finds("tiny-databases", Flaw::SiblingForgets, "a close loses nothing");
    finds("tiny-databases", Flaw::SiblingGone, "a database opens again");
}

#[test]
fn agent_mix_sees_a_memory_that_fails() {
    finds("agent-mix", Flaw::LostCommit, "own memory is what was written last");
    finds("agent-mix", Flaw::NoDelete, "own memory is what was written last");
}

/// The probes exist to see what snapshot isolation allows: if they never see it, they prove nothing.
#[test]
fn snapshot_isolation_lets_write_skew_and_phantoms_be_seen() {
    for (name, rule) in [("write-skew", "no write skew"), ("phantom", "no phantom")] {
        let workload: Arc<dyn Workload> =
            Arc::from(catalogue::by_name(name, serde_json::Value::Null).expect("known"));
        let seen = (0..SEEDS).any(|seed| {
            let mut trial = Trial::of(seed);
            trial.scale.isolation = crate::store::Isolation::Snapshot;
            try_out(&workload, trial)
                .findings
                .iter()
                .any(|finding| !finding.violation && finding.rule == rule)
        });
        assert!(seen, "{name} saw nothing in {SEEDS} seeds");
    }
}

#[test]
fn watch_sees_what_is_told_twice_in_part_not_at_all_and_for_nothing() {
    finds("watch", Flaw::WatchRepeats, "commits are told in order");
    finds("watch", Flaw::WatchFallsBehind, "a watch that keeps up is not behind");
    finds("watch", Flaw::HalfCommit, "a commit is told whole");
    finds("watch", Flaw::LostCommit, "no commit is left out");
    finds("watch", Flaw::LeakyAbort, "no ghost is told");
}
