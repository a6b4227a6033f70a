//! What a run holds against the engine, in one form, whoever found it.

use std::fmt;

use serde::{Deserialize, Serialize};
use stormproof_oracle::Violation;

use crate::invariants;

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The invariant's name.
    pub invariant: String,
    /// The row of the contract.
    pub contract: String,
    /// What kind of violation, in words that never change: two failures are the same one if invariant and class are.
    pub class: String,
    /// What happened, in words.
    pub message: String,
    /// The transactions involved.
    pub txns: Vec<u32>,
    /// The keys involved, as text.
    pub keys: Vec<String>,
}

impl From<Violation> for Finding {
    fn from(violation: Violation) -> Self {
        Self {
            invariant: violation.invariant.name().to_owned(),
            contract: violation.invariant.row().to_owned(),
            class: violation.class.to_string(),
            message: violation.message,
            txns: violation.txns,
            keys: violation.keys.iter().map(|key| stormproof_reports::show_bytes(key)).collect(),
        }
    }
}

impl Finding {
    /// What only the world can judge: panics, liveness, opening and closing.
    pub fn of_world(invariant: &'static str, class: &str, message: String) -> Self {
        Self {
            invariant: invariant.to_owned(),
            contract: invariants::row(invariant).to_owned(),
            class: class.to_owned(),
            message,
            txns: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// What the workload with this name found.
    pub fn of_workload(name: &str, found: stormproof_workloads::Finding) -> Self {
        let class = format!("{name}: {}", found.rule);
        Self { txns: found.txns, ..Self::of_world(invariants::WORKLOAD, &class, found.message) }
    }

    /// What tells one failure from another: the same invariant and the same class, not the same text.
    pub fn identity(&self) -> Identity {
        Identity { invariant: self.invariant.clone(), class: self.class.clone() }
    }
}

/// Which failure it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The invariant's name.
    pub invariant: String,
    /// The class.
    pub class: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.class.is_empty() {
            f.write_str(&self.invariant)
        } else {
            write!(f, "{} ({})", self.invariant, self.class)
        }
    }
}
