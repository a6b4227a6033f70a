//! A violation in one form, whether the oracle, the workload or the simulated world found it.

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
    /// The class of violation; a stable name.
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
    /// Returns a violation that no history shows: panics, liveness, opening and closing.
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

    /// Returns a violation that a workload found.
    pub fn of_workload(name: &str, found: stormproof_workloads::Finding) -> Self {
        let class = format!("{name}: {}", found.rule);
        Self { txns: found.txns, ..Self::of_world(invariants::WORKLOAD, &class, found.message) }
    }

    /// Returns the kind of failure: two findings with the same invariant and class are the same failure.
    pub fn identity(&self) -> Identity {
        Identity { invariant: self.invariant.clone(), class: self.class.clone() }
    }
}

/// A kind of failure.
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
