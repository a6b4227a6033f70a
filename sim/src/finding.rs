//! What a run holds against the engine, in one form, whoever found it.

use std::fmt;

use serde::{Deserialize, Serialize};

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

impl Finding {
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
