//! The trait that a workload implements, ours and those of users.
//!
//! A workload does two things: it *plans* (what each client will do, as plain data) and it *checks* (whether
//! what happened keeps its invariant). In between, a [`Runner`](crate::client::Runner) executes the plan
//! against any [`Store`](crate::Store).
//!
//! There are two ways to write one:
//! * **as data**: [`Workload::plan`] builds transactions from the [`Step`]s that exist. A simulation can
//!   print, store and shrink these, step by step. All workloads of the [`catalogue`](crate::catalogue) are of
//!   this kind.
//! * **as code**: leave [`Workload::plan`] as it is, and implement [`Workload::call`], which runs inside of a
//!   transaction, with the random stream of [`Tx::rng`]. Such a workload shrinks transaction by transaction.
//!   It must be deterministic: everything random from that stream, time from [`Tx::now`].
//!
//! ```
//! use rand::RngExt;
//! use stormproof_workloads::store::Result;
//! use stormproof_workloads::{About, Evidence, Finding, Tx, Workload};
//!
//! /// Two counters that every transaction raises together.
//! struct Twins;
//!
//! impl Workload for Twins {
//!     fn name(&self) -> &str {
//!         "twins"
//!     }
//!
//!     fn about(&self) -> About {
//!         About { stresses: "two keys in one transaction", invariant: "left and right are equal" }
//!     }
//!
//!     fn call(&self, txn: &mut Tx<'_>, _step: &str) -> Result<()> {
//!         let (left, right) = (txn.number("left")?, txn.number("right")?);
//!         txn.assert("twins", left == right, || format!("left is {left:?}, right is {right:?}"));
//!         let more = txn.rng().random_range(1..10);
//!         txn.put_number("left", left.unwrap_or(0) + more)?;
//!         txn.put_number("right", right.unwrap_or(0) + more)
//!     }
//!
//!     fn check(&self, _evidence: &Evidence<'_>) -> Vec<Finding> {
//!         Vec::new() // `Tx::assert` has seen it all, in the audit too
//!     }
//! }
//! ```

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::history::TxnIndex;
use crate::plan::{Action, Client, FIRST_CLIENT, Plan, Step, Transaction};
use crate::store::{Capabilities, Isolation, Result, StoreError};
use crate::tx::Tx;

/// A workload: plans what clients do, and checks what came of it.
pub trait Workload: Send + Sync {
    /// Returns its name, as users type it.
    fn name(&self) -> &str;

    /// Returns what it is good for.
    fn about(&self) -> About;

    /// Returns its parameters with their values, for reports and traces.
    fn parameters(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Returns whether it makes sense on a store that can do this.
    fn runs_on(&self, capabilities: &Capabilities) -> bool {
        let _ = capabilities;
        true
    }

    /// Plans. Whatever is random comes from `rng`.
    ///
    /// Unless implemented, setup and audit are one transaction each, which call the steps `setup` and
    /// `audit`, and every client runs transactions that call the step `step`.
    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(self.name(), self.parameters());
        plan.setup.actions.push(call("setup", scale, rng));
        for session in scale.sessions() {
            let seed = rng.random();
            let actions = (0..scale.transactions).map(|_| call("step", scale, rng)).collect();
            plan.clients.push(Client { session, seed, actions });
        }
        plan.audit.actions.push(call("audit", &Scale { isolation: Isolation::Serializable, ..*scale }, rng));
        plan
    }

    /// Runs one step of the workload's own kind ([`Step::Call`]) inside of a transaction. It may run many
    /// times, because transactions are run again after a conflict.
    ///
    /// # Errors
    /// Whatever the store answered: pass it on with `?`.
    fn call(&self, txn: &mut Tx<'_>, step: &str) -> Result<()> {
        let _ = txn;
        Err(StoreError::Refused(format!("the workload has no step of its own named {step}")))
    }

    /// Checks the evidence; returns what it shows against the store. Broken assertions, refusals that were
    /// not expected, reads that changed within a transaction and acks of a store that is closed need no check
    /// here: [`verdict`] adds them.
    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding>;
}

/// What a workload is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// Which part of a store it stresses.
    pub stresses: &'static str,
    /// What must hold, whatever happens.
    pub invariant: &'static str,
}

/// The size of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// How many clients.
    pub clients: u32,
    /// How many transactions each.
    pub transactions: u32,
    /// The isolation that clients ask for.
    pub isolation: Isolation,
}

impl Default for Scale {
    fn default() -> Self {
        Self { clients: 4, transactions: 20, isolation: Isolation::Serializable }
    }
}

impl Scale {
    /// Returns the sessions of the clients.
    pub fn sessions(&self) -> impl Iterator<Item = u32> + use<> {
        (0..self.clients).map(|client| FIRST_CLIENT + client)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether a promise was broken. If not, it is a situation worth knowing, which the isolation asked for
    /// lets through, like a write skew under snapshot isolation: a campaign must have seen it to count.
    pub violation: bool,
    /// Which rule, in a few words that never change: failures are grouped by it.
    pub rule: String,
    /// What happened, in words.
    pub message: String,
    /// The transactions involved.
    pub txns: Vec<TxnIndex>,
}

impl Finding {
    /// Creates the finding of a broken promise.
    pub fn violation(rule: &str, message: String, txns: impl IntoIterator<Item = TxnIndex>) -> Self {
        Self { violation: true, rule: rule.into(), message, txns: txns.into_iter().collect() }
    }

    /// Creates the finding of something allowed that is worth knowing.
    pub fn sighting(rule: &str, message: String, txns: impl IntoIterator<Item = TxnIndex>) -> Self {
        Self { violation: false, ..Self::violation(rule, message, txns) }
    }
}

/// Returns all findings: those of the workload, and those that every workload shares.
pub fn verdict(workload: &dyn Workload, evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = evidence.broken_assertions();
    findings.extend(evidence.refusals());
    findings.extend(evidence.unrepeatable_reads());
    findings.extend(evidence.acks_after_closing());
    findings.extend(workload.check(evidence));
    findings
}

fn call(name: &str, scale: &Scale, rng: &mut ChaCha8Rng) -> Action {
    let step = Step::Call { name: name.into(), seed: rng.random() };
    Transaction { isolation: scale.isolation, ..Transaction::of([step]) }.into()
}
