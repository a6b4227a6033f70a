//! Nondeterminism is reported with the first draw at which two runs of one seed differ.

use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_sim::determinism::{NotDeterministic, compare};
use stormproof_sim::options::{Faults, Options};
use stormproof_sim::registry::Registry;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;
use stormproof_workloads::store::Result;
use stormproof_workloads::{About, Evidence, Finding, Tx, Workload};

/// Reads a key more in every run: what a workload with a memory of its own does.
struct Fickle {
    setups: AtomicU64,
    is_fickle: bool,
}

impl Workload for Fickle {
    fn name(&self) -> &str {
        "fickle"
    }

    fn about(&self) -> About {
        About { stresses: "the self-check of the simulator", invariant: "none" }
    }

    fn call(&self, txn: &mut Tx<'_>, step: &str) -> Result<()> {
        if step == "setup" {
            self.setups.fetch_add(1, Ordering::SeqCst);
        }
        let more = if self.is_fickle && step == "step" { self.setups.load(Ordering::SeqCst) } else { 1 };
        for key in 0..more {
            txn.number(format!("key/{key}"))?;
        }
        txn.put_number("written", 1)
    }

    fn check(&self, _evidence: &Evidence<'_>) -> Vec<Finding> {
        Vec::new()
    }
}

fn compared(is_fickle: bool) -> std::result::Result<(), NotDeterministic> {
    let workload = Fickle { setups: AtomicU64::new("setups", 0), is_fickle };
    let options = Options {
        workload: vec!["fickle".into()],
        faults: Faults::None,
        clients: Some(2),
        ..Options::default()
    };
    let runner = SeedRunner::new(Registry::new(vec![Arc::new(workload)]), options).unwrap();
    let (plan, draws) = runner.plan(Seed(1));
    let first = runner.run(&plan).unwrap();
    compare(&runner, Seed(1), &plan, &draws, &first)
}

#[test]
fn a_workload_that_remembers_earlier_runs_is_caught_at_the_first_draw_that_differs() {
    assert_eq!(compared(false), Ok(()));
    let difference = compared(true).unwrap_err().to_string();
    assert!(difference.starts_with("not deterministic: draw "), "{difference}");
    for words in ["of life 0, after ", "is client-", " no. ", " in one run and ", " in the other"] {
        assert!(difference.contains(words), "no {words:?} in: {difference}");
    }
}
