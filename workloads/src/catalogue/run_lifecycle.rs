//! Run lifecycle: runs begin, fork, end; what ended writes no more.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::hotspot::{audit_counters, check_counters};
use super::{clients, parameters_of};
use crate::evidence::Evidence;
use crate::plan::{Action, Plan, Step, Transaction};
use crate::store::Capabilities;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "run-lifecycle";

/// Each client begins a run, writes in it, forks a child, writes in both, ends one (beside its transactions
/// or in the middle of one), tries to write in it, has it forgotten, tries again, and begins anew.
///
/// Stresses: the registry of runs beside transactions, its retention, and its recovery. Invariant: a run that
/// has ended writes nothing; one that is forgotten is gone; one that has not ended is never refused;
/// increments made in any run count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunLifecycle {
    /// How many counters the runs share.
    pub counters: u32,
}

impl Default for RunLifecycle {
    fn default() -> Self {
        Self { counters: 2 }
    }
}

impl Workload for RunLifecycle {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "the registry of runs beside transactions, its retention",
            invariant: "a run that has ended writes nothing, a forgotten one is gone, any other is never refused",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        capabilities.runs
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |_, number, rng| match number % 9 {
            0 => Action::BeginRun { slot: 0, parent: None },
            2 => Action::BeginRun { slot: 1, parent: Some(0) },
            5 if rng.random_bool(0.5) => Action::EndRun { slot: rng.random_range(0..2) },
            5 => {
                let forgets_run = rng.random_bool(0.5);
                Action::Transaction(Transaction { ends_run: true, forgets_run, ..self.writing(0, rng) })
            }
            7 => Action::ForgetRun { slot: 0 },
            // After its parent has ended, a child goes on.
            1 | 6 => self.write(0, rng),
            8 if rng.random_bool(0.5) => self.write(0, rng),
            _ => self.write(rng.random_range(0..2), rng),
        });
        audit_counters(&mut plan, self.keys());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        check_counters(evidence, self.keys())
    }
}

impl RunLifecycle {
    fn keys(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.counters.max(1)).map(key)
    }

    fn write(&self, slot: u32, rng: &mut ChaCha8Rng) -> Action {
        self.writing(slot, rng).into()
    }

    fn writing(&self, slot: u32, rng: &mut ChaCha8Rng) -> Transaction {
        let add = Step::Add { key: key(rng.random_range(0..self.counters.max(1))), amount: 1 };
        Transaction { run: Some(slot), ..Transaction::of([add]) }
    }
}

fn key(counter: u32) -> String {
    format!("by-run/{counter}")
}
