//! The mix of workloads that seeds draw, and what their parameters do: large values, skew, bursts and think
//! time.

use std::collections::{BTreeMap, BTreeSet};

use stormproof_sim::options::{Faults, Options};
use stormproof_sim::registry::Registry;
use stormproof_sim::run::Run;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_workloads::catalogue;
use stormproof_workloads::history::Op;
use stormproof_workloads::notebook::NoteKind;
use stormproof_workloads::plan::{Action, Step};

/// Runs of a workload with these settings, which hold.
fn runs(workload: &str, settings: &[&str], seeds: std::ops::Range<u64>) -> Vec<Run> {
    let options = Options {
        workload: vec![workload.to_owned()],
        set: settings.iter().map(|setting| (*setting).to_owned()).collect(),
        faults: Faults::Crashes,
        clients: Some(3),
        transactions: Some(12),
        ..Options::default()
    };
    let runner = SeedRunner::new(Registry::default(), options).expect("these can be set");
    let run = |seed| runner.run(&runner.plan(Seed(seed)).0).expect("it runs");
    let runs: Vec<_> = seeds.map(run).collect();
    for run in &runs {
        assert!(run.findings().is_empty(), "{:?}", run.findings());
    }
    runs
}

/// Virtual seconds that clients needed for what they did, all together.
fn seconds(runs: &[Run]) -> u64 {
    let micros = runs.iter().flat_map(|run| &run.notes).map(|note| match note.what {
        NoteKind::Finished { micros, .. } => micros,
        _ => 0,
    });
    micros.sum::<u64>() / 1_000_000
}

#[test]
fn every_workload_is_in_the_mix() {
    let runner = SeedRunner::new(Registry::default(), Options::default()).expect("nothing is narrowed");
    let drawn: BTreeSet<String> = (0..300).map(|seed| runner.plan(Seed(seed)).0.workload.workload).collect();
    let all: BTreeSet<String> = catalogue::all().iter().map(|workload| workload.name().to_owned()).collect();
    assert_eq!(drawn, all);
}

#[test]
fn values_from_nothing_to_a_mebibyte_are_written_logged_and_read_again() {
    let mut read = Vec::new();
    for run in runs("register-mix", &["sizes.bytes_max=1048576"], 0..12) {
        for op in run.history.txns.iter().flat_map(|txn| &txn.ops) {
            if let Op::Get { read: found, .. } = op {
                read.extend(found.value.as_ref().map(Vec::len));
            }
        }
    }
    assert!(read.contains(&0), "no empty value was read");
    assert!(read.iter().any(|&len| len > 1 << 19), "the largest that was read: {:?}", read.iter().max());
}

/// Most of a minute, whatever time the test takes.
#[test]
fn clients_think_in_virtual_time() {
    let thoughtless = seconds(&runs("hotspot", &["think_micros_max=0"], 0..6));
    let thoughtful = seconds(&runs("hotspot", &["think_micros_max=500000"], 0..6));
    assert!(thoughtful > 20, "{thoughtful} virtual seconds");
    assert!(thoughtless < 5, "{thoughtless} virtual seconds without thinking");
}

#[test]
fn bursts_end_in_pauses_of_virtual_time() {
    let rhythm = ["burst.length=2", "burst.pause_micros_max=500000"];
    let bursts = seconds(&runs("register-mix", &rhythm, 0..6));
    assert!(bursts > 10, "{bursts} virtual seconds");
    let even = seconds(&runs("register-mix", &["burst.length=0"], 0..6));
    assert!(even < 5, "{even} virtual seconds without pauses");
}

#[test]
fn skew_makes_the_first_account_the_one_that_everybody_wants() {
    let share = |skew: &str| {
        let options = Options {
            workload: vec!["bank".into()],
            set: vec!["accounts=16".into(), skew.into()],
            ..Options::default()
        };
        let runner = SeedRunner::new(Registry::default(), options).expect("these can be set");
        let mut touched: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..40 {
            let plan = runner.plan(Seed(seed)).0.workload;
            for action in plan.clients.iter().flat_map(|client| &client.actions) {
                let Action::Transaction(transaction) = action else { continue };
                for step in &transaction.steps {
                    if let Step::Transfer { from, to, .. } = step {
                        *touched.entry(from.clone()).or_default() += 1;
                        *touched.entry(to.clone()).or_default() += 1;
                    }
                }
            }
        }
        100 * touched["account/0000"] / touched.values().sum::<u32>()
    };
    let (even, skewed) = (share("skew_quarters=0"), share("skew_quarters=8"));
    assert!(even < 20 && skewed > 30, "{even} % and {skewed} %");
}
