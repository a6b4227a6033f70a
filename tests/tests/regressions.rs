//! Every trace in `regressions/`: what once failed.
//!
//! Each holds a deliberate bug of the zoo, most of them modelled on bugs of other engines, some a bug that
//! this one had (`CheckpointSnapshotFirst`, `TombstoneCollectedAtOnce`). With it switched on the failure has
//! to come back, and without it the same plan has to hold. Traces name switches, so they outlive changes of
//! the engine; where one lost its way, and the failure had to be looked for under other schedules, the test
//! says so, and `stormproof zoo --traces` makes it anew.

use std::path::{Path, PathBuf};

use stormproof_sim::invariants;
use stormproof_sim::plan::CrashAt;
use stormproof_sim::registry::Registry;
use stormproof_sim::run::{rest_rules, run};
use stormproof_sim::trace::Trace;
use stormproof_workloads::plan::{Payload, Step, Transaction};
use stormproof_workloads::store::Pull;

/// Schedules that are tried for a trace that lost its way. Shrunk plans run in a moment.
const SCHEDULES: u64 = 400;

fn traces() -> Vec<(String, Trace)> {
    traces_in("regressions")
}

fn traces_in(folder: &str) -> Vec<(String, Trace)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).expect("the folder of traces is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "trace"));
    paths.sort();
    let name = |path: &Path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), Trace::read(path).expect("it is a trace"))).collect()
}

#[test]
fn what_once_failed_fails_with_its_bug_and_holds_without() {
    let registry = Registry::default();
    let mut wrong = Vec::new();
    let traces = traces();
    assert!(traces.len() >= 30, "only {} traces were found", traces.len());
    for (name, trace) in traces {
        let failed = trace.findings.first().map(|finding| finding.identity().to_string()).unwrap_or_default();
        let replayed = trace.reproduce(&registry, SCHEDULES).expect("it runs");
        if !replayed.divergences.is_empty() {
            println!("{name} lost its way: {}", replayed.divergences.join("; "));
        }
        if !replayed.same_failure {
            wrong.push(format!("{name}: {failed} did not come back"));
        }
        let mut healthy = trace.plan.clone();
        healthy.mutants.clear();
        let held = run(&healthy, &registry).expect("it runs");
        for finding in held.findings() {
            wrong.push(format!("{name} without its bug: {}: {}", finding.identity(), finding.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule that no bug was ever seen to break may be one that can't fail.
#[test]
fn every_rule_of_rest_has_a_bug_that_breaks_it() {
    let all = traces();
    let failures = all.iter().flat_map(|(_, trace)| &trace.findings);
    let broken: Vec<&str> = failures
        .filter(|finding| finding.invariant == invariants::REST)
        .map(|finding| finding.class.as_str())
        .collect();
    // Closing waits for snapshots, and says so before the rule is asked.
    let is_seen_elsewhere = |rule: &str| rule == "no snapshot is registered";
    let unbroken: Vec<_> =
        rest_rules().filter(|rule| !broken.contains(rule) && !is_seen_elsewhere(rule)).collect();
    assert!(unbroken.is_empty(), "no trace is kept that breaks {unbroken:?}");
}

/// A kill drops iterators wherever they are. One that has given an entry, and is on its way through leaves of
/// which its snapshot sees nothing, must not panic again, or the process ends.
#[test]
fn a_life_may_be_killed_at_any_step_of_an_iteration_over_deleted_leaves() {
    let registry = Registry::default();
    let (_, trace) =
        traces().into_iter().find(|(name, _)| name == "ReverseScanEndsAtEmptyLeaf").expect("kept");
    let mut plan = trace.plan;
    plan.mutants.clear();
    // Tombstones stay for the iteration.
    plan.engine.collect_every = 32;
    let key = |number: u32| format!("walk/{number:02}");
    let put = |number| Step::Put { key: key(number), value: Payload::Unique { len: 1 } };
    let delete = |number| Step::Delete { key: key(number) };
    let steps = (0..32).map(put).chain((4..28).map(delete)).map(|step| Transaction::of([step]));
    let backward = Step::Iterate { prefix: "walk/".into(), pulls: vec![Pull { back: true, count: 10 }] };
    let iterating = Transaction::of([backward]);
    plan.workload.clients.truncate(1);
    plan.workload.clients[0].actions = steps.chain([iterating]).map(Into::into).collect();
    plan.lives.push(plan.lives[0].clone());
    let mut killed = 0;
    for step in 1.. {
        plan.lives[0].crash = Some(CrashAt::Step(step));
        let run = run(&plan, &registry).expect("it runs");
        assert!(run.findings().is_empty(), "killed at step {step}: {:?}", run.findings());
        if !run.lives[0].crashed() {
            break;
        }
        killed = step;
    }
    assert!(killed > 100, "only {killed} steps");
}

/// A trace is worth keeping only if it outlives changes that have nothing to do with it.
#[test]
fn traces_recorded_before_the_engine_got_one_more_lock_reproduce_after_it() {
    let registry = Registry::default();
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (name, mut trace) in traces() {
        trace.plan.mutants.push("OneMoreLock".to_owned());
        // By the names alone: nothing is searched for.
        let replayed = trace.replay(&registry).expect("it runs");
        assert!(!replayed.exact, "{name}: the lock changes nothing, so this proves nothing");
        if replayed.same_failure { same.push(name) } else { other.push(name) }
    }
    let all = same.len() + other.len();
    assert!(same.len() * 10 >= all * 9, "{} of {all} reproduce; these do not: {other:?}", same.len());
}

/// What was called wrong though the engine was right: mistakes of the oracle, with no bug switched on.
#[test]
fn false_alarms_are_not_raised_again() {
    hold_without_a_bug("regressions/alarms");
}

/// Bugs that the engine itself had, found without any switched on.
#[test]
fn bugs_of_the_engine_that_were_fixed_do_not_come_back() {
    hold_without_a_bug("regressions/fixed");
}

fn hold_without_a_bug(folder: &str) {
    let registry = Registry::default();
    let traces = traces_in(folder);
    assert!(!traces.is_empty());
    for (name, trace) in traces {
        assert!(trace.plan.mutants.is_empty(), "{name}");
        let replayed = trace.replay(&registry).expect("it runs");
        let found: Vec<_> = replayed.run.findings().iter().map(|finding| finding.message.clone()).collect();
        assert!(found.is_empty(), "{name}: {}", found.join("\n"));
    }
}
