//! CAS state machine: several agents drive a few machines through declared transitions.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of};
use crate::evidence::{Evidence, Fate, replaced};
use crate::history::{Outcome, Txn};
use crate::plan::{Plan, Step, Transaction, Unanswered};
use crate::store::{Bytes, machine_key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "cas-machine";

/// The table of every machine: from, to.
const TABLE: &[(&str, &str)] = &[
    ("idle", "planning"),
    ("planning", "acting"),
    ("planning", "idle"),
    ("acting", "observing"),
    ("acting", "failed"),
    ("observing", "planning"),
    ("observing", "idle"),
    ("failed", "idle"),
];

/// Agents read the state of a machine and take it one transition further, on the condition that it is still
/// there.
///
/// Stresses: conditional writes, their early and late checks, their conflicts; state machines where a store
/// has them. Invariant: the transitions of a machine form one path along its table, from the first state to
/// the final one: none is taken twice, none is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CasMachine {
    /// How many machines.
    pub machines: u32,
}

impl Default for CasMachine {
    fn default() -> Self {
        Self { machines: 2 }
    }
}

impl Workload for CasMachine {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "conditional writes and their conflicts",
            invariant: "no transition is lost or taken twice",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let machines = self.machines.max(1);
        let create = |machine| Step::CreateMachine { machine, state: TABLE[0].0.into() };
        let setup = Transaction::of((0..machines).map(name).map(create));
        plan.setup.actions.push(Transaction { unanswered: Unanswered::Repeat, ..setup }.into());
        let table: Vec<_> = TABLE.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        clients(&mut plan, scale, rng, |_, _, rng| {
            let machine = name(rng.random_range(0..machines));
            Transaction::of([Step::Advance { machine, table: table.clone(), choice: rng.random() }]).into()
        });
        let read = |machine| Step::ReadMachine { machine };
        plan.audit.actions.push(Transaction::reading((0..machines).map(name).map(read)).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for machine in (0..self.machines.max(1)).map(name) {
            let taken = taken(evidence, &machine);
            findings.extend(undeclared(&machine, &taken));
            findings.extend(torn_path(evidence, &machine, &taken));
            findings.extend(unbalanced(evidence, &machine, &taken));
        }
        findings
    }
}

/// A transition that was taken, or may have been.
struct Taken<'a> {
    txn: &'a Txn,
    from: &'a Bytes,
    to: &'a Bytes,
}

fn taken<'a>(evidence: &Evidence<'a>, machine: &str) -> Vec<Taken<'a>> {
    let key = machine_key(machine);
    let ops = evidence.effective().flat_map(|txn| txn.ops.iter().map(move |op| (txn, op)));
    ops.filter_map(|(txn, op)| replaced(op, &key).map(|(from, to)| Taken { txn, from, to })).collect()
}

fn undeclared(machine: &str, taken: &[Taken<'_>]) -> Option<Finding> {
    let declared = |one: &&Taken<'_>| {
        !TABLE.iter().any(|(from, to)| from.as_bytes() == one.from && to.as_bytes() == one.to)
    };
    let one = taken.iter().find(declared)?;
    let message =
        format!("{machine} went from {} to {}, which is not declared", text(one.from), text(one.to));
    Some(Finding::violation("only declared transitions", message, [one.txn.index]))
}

/// Checks that, in commit order, each transition leaves the state that the one before led to. Needs versions,
/// and a life without unanswered commits, which could hide between two others.
fn torn_path(evidence: &Evidence<'_>, machine: &str, taken: &[Taken<'_>]) -> Vec<Finding> {
    let mut lives: BTreeMap<u32, Vec<(u64, &Taken<'_>)>> = BTreeMap::new();
    for one in taken {
        let version = match one.txn.outcome {
            Outcome::Committed { version: Some(version), .. } => version,
            _ => return Vec::new(),
        };
        lives.entry(one.txn.life).or_default().push((version, one));
    }
    let mut findings = Vec::new();
    for path in lives.values_mut() {
        path.sort_by_key(|(version, _)| *version);
        for pair in path.windows(2) {
            let [(_, before), (_, after)] = pair else { continue };
            let same = before.txn.index == after.txn.index;
            if before.to != after.from && !same && evidence.acked(before.txn) {
                let message = format!(
                    "{machine} was taken to {}, and from {} by the next transition",
                    text(before.to),
                    text(after.from)
                );
                let txns = [before.txn.index, after.txn.index];
                findings.push(Finding::violation("transitions form a path", message, txns));
            }
        }
    }
    findings
}

/// Checks that each state is entered as often as it is left, but for the first, left once more, and the final
/// one, entered once more. Trusts no version. Needs to know of every transition whether it survived.
fn unbalanced(evidence: &Evidence<'_>, machine: &str, taken: &[Taken<'_>]) -> Option<Finding> {
    let last = evidence.final_value(&machine_key(machine))??;
    if taken.iter().any(|one| evidence.fate(one.txn) != Fate::Must) {
        return None;
    }
    let mut balance: BTreeMap<&[u8], i64> = BTreeMap::new();
    *balance.entry(TABLE[0].0.as_bytes()).or_default() += 1;
    for one in taken {
        *balance.entry(one.from).or_default() -= 1;
        *balance.entry(one.to).or_default() += 1;
    }
    *balance.entry(last).or_default() -= 1;
    let (state, difference) = balance.into_iter().find(|(_, difference)| *difference != 0)?;
    let message = format!(
        "{machine} ended in {}, but state {} was entered {difference:+} times more than left",
        text(last),
        text(state)
    );
    Some(Finding::violation("no transition lost or taken twice", message, []))
}

fn name(machine: u32) -> String {
    format!("machine-{machine}")
}

fn text(state: &[u8]) -> String {
    String::from_utf8_lossy(state).into_owned()
}
