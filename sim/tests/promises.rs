//! Crash points that wait for a promise: the power goes out right after a client was told that something is
//! durable. (The first one is the inspector's, which wrote nothing.)

use stormproof_sim::options::{DurabilityKind, Options};
use stormproof_sim::plan::{CrashAt, Ending, Plan};
use stormproof_sim::registry::Registry;
use stormproof_sim::run::Run;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_workloads::history::Outcome;

/// One life of bank transfers that is cut after the third promise, and what was promised in it.
fn cut_after_a_promise(seed: u64, mutants: &[&str]) -> (Plan, Run, usize) {
    let options = Options {
        workload: vec!["bank".into()],
        durability: Some(DurabilityKind::Strict),
        mutant: mutants.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::default()
    };
    let runner = SeedRunner::new(Registry::default(), options).unwrap();
    let (mut plan, _) = runner.plan(Seed(seed));
    plan.disk.faults = stormproof_faults::FaultPlan::none();
    plan.lives.truncate(1);
    // The second life is the calm after the storm, where none closes the store under its clients.
    plan.lives[0].close_after_micros = None;
    plan.lives.extend(plan.lives.clone());
    plan.lives[0].crash = Some(CrashAt::Promise { nth: 3 });
    plan.lives[0].ending = Ending::Close;
    plan.lives[0].room_bytes = None;
    let run = runner.run(&plan).unwrap();
    let promised =
        run.history.txns.iter().filter(|txn| {
            txn.life == 0 && matches!(txn.outcome, Outcome::Committed { durable: Some(_), .. })
        });
    let promised = promised.count();
    (plan, run, promised)
}

#[test]
fn the_power_goes_out_after_the_promise_and_what_was_promised_is_there() {
    for seed in 0..20 {
        let (plan, run, promised) = cut_after_a_promise(seed, &[]);
        if plan.engine.storage == stormproof_sim::plan::Storage::Memory {
            continue;
        }
        assert!(run.lives[0].crashed(), "seed {seed}");
        assert!(promised >= 2, "seed {seed}: the cut came before the promise");
        assert!(promised < 8, "seed {seed}: {promised} promises, and the disk was not used again?");
        assert!(run.findings().is_empty(), "seed {seed}: {:?}", run.findings());
    }
}

#[test]
fn a_promise_that_is_given_too_early_is_broken_by_the_cut() {
    let broken = (0..20).filter(|seed| {
        let (_, run, _) = cut_after_a_promise(*seed, &["AckBeforeSync"]);
        run.findings().iter().any(|finding| finding.class == "lost-ack")
    });
    let broken = broken.count();
    assert!(broken >= 5, "{broken} of 20");
}
