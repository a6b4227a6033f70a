use rand_chacha::ChaCha8Rng;
use stormproof_rt::sync::Arc;
use stormproof_workloads::history::{LifeEnd, Op, Outcome};
use stormproof_workloads::plan::{Client, Payload, Step, Transaction};
use stormproof_workloads::workload::{About, Finding, Scale, Workload};
use stormproof_workloads::{Evidence, Plan};

use super::{Budget, cost_of, reference, shrink};
use crate::options::{Faults, Options};
use crate::plan::PlanSize;
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::seed::Seed;

/// Clients write keys whose names its check knows. Its rule is broken by a bug that every store has whose
/// power is cut after such a write, and by any plan that writes other keys.
struct Named;

const RULE: &str = "keys are named";

impl Workload for Named {
    fn name(&self) -> &str {
        "named"
    }

    fn about(&self) -> About {
        About { stresses: "names", invariant: RULE }
    }

    fn plan(&self, scale: &Scale, _: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(self.name(), serde_json::Value::Null);
        for session in scale.sessions() {
            let key = format!("named/{session}");
            let put = Step::Put { key, value: Payload::Unique { len: 1 } };
            let actions = vec![Transaction::of([put]).into(); scale.transactions as usize];
            plan.clients.push(Client { session, seed: 0, actions });
        }
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let crashed = |life: &stormproof_workloads::history::LifeRecord| {
            matches!(life.ended, Some((_, LifeEnd::Crashed)))
        };
        let acked = evidence.clients().filter(|txn| matches!(txn.outcome, Outcome::Committed { .. }));
        let puts = acked.flat_map(|txn| &txn.ops).filter_map(|op| match op {
            Op::Put { key, .. } => Some(key.starts_with(b"named/")),
            _ => None,
        });
        let (named, strays): (Vec<bool>, Vec<bool>) = puts.partition(|is_named| *is_named);
        let has_bug = !named.is_empty() && evidence.history.lives.iter().any(crashed);
        let broken = has_bug || !strays.is_empty();
        broken.then(|| Finding::violation(RULE, "a bug, or another plan".into(), [])).into_iter().collect()
    }
}

#[test]
fn a_client_less_is_not_worth_thirty_switches() {
    let two = PlanSize {
        clients: 2,
        transactions: 0,
        operations: 5,
        lives: 2,
        crashes: 0,
        faults: 0,
        preemptions: 2,
    };
    let one = |preemptions| PlanSize { clients: 1, operations: 3, preemptions, ..two };
    assert!(cost_of(&one(29), 0) > cost_of(&two, 0));
    assert!(cost_of(&one(4), 0) < cost_of(&two, 0));
}

#[test]
fn a_renamed_plan_that_fails_on_every_store_is_not_taken_for_the_failure() {
    let registry = Registry::new(vec![Arc::new(Named)]);
    let options = Options {
        workload: vec!["named".to_owned()],
        faults: Faults::Crashes,
        clients: Some(2),
        transactions: Some(3),
        ..Options::default()
    };
    let runner = SeedRunner::new(registry.clone(), options).expect("options that are right");
    let failing = (0..50).find_map(|seed| {
        let plan = runner.plan(Seed(seed)).0;
        let run = runner.run(&plan).expect("a verdict");
        (!run.findings().is_empty()).then_some((plan, run))
    });
    let (plan, run) = failing.expect("a seed in which the power is cut");
    let budget = Budget { runs: 300, ..Budget::default() };
    let shrunk = shrink(&plan, &run, &registry, budget, &mut |_, _| true).expect("it fails again");
    assert_eq!(shrunk.finding.class, format!("named: {RULE}"));
    let keys: Vec<_> = serde_json::to_value(&shrunk.plan.workload).expect("plain data")["clients"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|client| client["actions"].to_string())
        .collect();
    assert!(keys.iter().all(|actions| actions == "[]" || actions.contains("named/")), "{keys:?}");
    assert!(keys.iter().any(|actions| actions != "[]"), "a write is left whose key could be renamed");
    assert!(shrunk.run.lives.iter().any(crate::run::LifeRun::crashed), "it fails by the bug");
}

#[test]
fn a_bank_whose_accounts_are_called_otherwise_holds_on_no_store() {
    let registry = Registry::default();
    let options = Options { workload: vec!["bank".to_owned()], ..Options::default() };
    let runner = SeedRunner::new(registry.clone(), options).expect("options that are right");
    let plan = runner.plan(Seed(1)).0;
    assert_eq!(reference::holds(&plan, &registry), Some(true));
    let text = serde_json::to_string(&plan).expect("plain data");
    let renamed = text.replace("\"account/0001\"", "\"a\"");
    assert_ne!(text, renamed);
    let renamed = serde_json::from_str(&renamed).expect("a plan");
    assert_eq!(reference::holds(&renamed, &registry), Some(false));
}

/// Whatever workload a failure comes from, its plan holds on the reference store, or that can't tell.
#[test]
fn most_workloads_can_be_run_on_the_reference_store() {
    let registry = Registry::default();
    let runner = SeedRunner::new(registry.clone(), Options::default()).expect("options that are right");
    let judged =
        (0..200).filter(|seed| reference::holds(&runner.plan(Seed(*seed)).0, &registry) == Some(true));
    let judged = judged.count();
    assert!(judged > 150, "{judged} of 200");
}
